package device

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
)

// TestParseTargets are the examples of stonith__parse_targets' comment.
func TestParseTargets(t *testing.T) {
	for in, want := range map[string][]string{
		"": nil, "n1": {"n1"}, "n1,n2;n3 n4\tn5": {"n1", "n2", "n3", "n4", "n5"}, "n1\nn2\\nn3": {"n1", "n2", "n3"},
		"n1,on\nn2,OFF": {"n1", "n2"}, "invalid n1\nn2": {"n2"}, "a variable\nb": {"b"}, "no/de x.y-z_1": {"no", "x.y-z_1"}, " , ;": nil,
	} {
		if got := ParseTargets(in); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestParseMap(t *testing.T) {
	for in, want := range map[string]string{
		"n1:1;n2:2,3": "n1=1 n2=2,3", "n1=1 n2=2": "n1=1 n2=2", `n1:a\ b;n2:c`: "n1=a b n2=c", "n1": "", ":1": "", "n1:": "n1=", `n1:\`: "",
	} {
		var notes note.List
		pairs, _ := parseMap(in, &notes)
		var got []string
		for _, p := range pairs {
			got = append(got, p.Name+"="+p.Value)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", in, strings.Join(got, " "), want)
		}
	}
}

func TestClusterParam(t *testing.T) {
	for name, want := range map[string]bool{
		"pcmk_host_list": true, "pcmk_off_action": true, "pcmk_on_retries": true, "pcmk_x_timeout": true, "provides": true, "stonith-timeout": true,
		"pcmk_on_unrecognized": false, "pcmk_unrecognized": false, "ip": false, "xpcmk_host_list": false, "pcmk_": false,
	} {
		if got := ClusterParam(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestArgs: what an agent gets (make_args).
func TestArgs(t *testing.T) {
	params := []wire.Pair{{Name: "ip", Value: "1.2.3.4"}, {Name: "pcmk_host_list", Value: "n1"}, {Name: "pcmk_off_action", Value: "poweroff"},
		{Name: "CRM_meta_timeout", Value: "1"}, {Name: "crm_feature_set", Value: "3"}, {Name: "action", Value: "x"}}
	for _, c := range []struct {
		target, host string
		extra        []wire.Pair
		want         string
	}{
		{"n1", "plug", nil, "action=poweroff nodename=n1 nodeid=7 plug=one ip=1.2.3.4"},
		{"n1", "", nil, "action=poweroff nodename=n1 nodeid=7 port=one ip=1.2.3.4"},
		{"n1", "plug", []wire.Pair{{Name: "plug", Value: "fixed"}}, "action=poweroff nodename=n1 nodeid=7 ip=1.2.3.4 plug=fixed"},
		{"n1", "plug", []wire.Pair{{Name: "plug", Value: "dynamic"}}, "action=poweroff nodename=n1 nodeid=7 plug=one ip=1.2.3.4"},
		{"n1", "plug", []wire.Pair{{Name: "pcmk_host_argument", Value: "none"}}, "action=poweroff nodename=n1 nodeid=7 ip=1.2.3.4"},
		{"n1", "plug", []wire.Pair{{Name: "pcmk_host_argument", Value: "uuid"}}, "action=poweroff nodename=n1 nodeid=7 uuid=one ip=1.2.3.4"},
		{"", "plug", nil, "action=poweroff ip=1.2.3.4"},
	} {
		var got []string
		for _, p := range Args("fence_x", "off", c.target, "one", 7, append(slices.Clone(params), c.extra...), c.host) {
			got = append(got, p.Name+"="+p.Value)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q %q %v:\n got %s\nwant %s", c.target, c.host, c.extra, s, c.want)
		}
	}
}

// bench is a table with its agents' answers.
type bench struct {
	*Table
	t   *testing.T
	now time.Time
}

func newBench(t *testing.T) *bench {
	return &bench{New(Config{Self: "n1", Rand: rand.New(rand.NewPCG(1, 1))}), t, time.Unix(1700000000, 0)}
}

func (b *bench) add(id string, m *Metadata, params ...string) {
	b.t.Helper()
	r := &wire.Registration{ID: id, Agent: "fence_" + id}
	for i := 0; i+1 < len(params); i += 2 {
		r.Params = append(r.Params, wire.Pair{Name: params[i], Value: params[i+1]})
	}
	b.Register(b.now, r, false, nil)
	for _, a := range b.Take().Describe {
		b.Described(b.now, a, m)
	}
}

func request(op, target, action, device string) *wire.Message {
	p := &wire.Part{Target: target, Action: action, Device: device, HasTarget: true, HasAction: true}
	m := &wire.Message{Op: op, Client: "c-" + target + action, Name: "c.1", Peer: "n2", CallID: "1", Timeout: 20, Target: p, Action: p}
	if op == wire.OpExecute {
		m.Device = &wire.Registration{ID: device}
	}
	return m
}

func (b *bench) offers(target, action string) string {
	b.Query(b.now, request(wire.OpQuery, target, action, ""), nil)
	out := b.Take()
	for len(out.Offers) == 0 && len(out.Run) > 0 {
		for _, r := range out.Run {
			res := wire.Done()
			switch {
			case r.Action == "list":
				res.Output = "n2,\nn3,"
			case r.Action == "status" && r.Target == "n2":
				res.Exit = 2
			case r.Action == "status":
				res.Exit = 1
			}
			b.Finished(b.now, r.Token, res, 1)
		}
		out = b.Take()
	}
	if len(out.Offers) != 1 {
		b.t.Fatalf("%d offers", len(out.Offers))
	}
	var ids []string
	for _, d := range out.Offers[0].Offer.Devices {
		ids = append(ids, d.ID)
	}
	return strings.Join(ids, " ")
}

func actions(names ...string) *Metadata {
	m := &Metadata{Plug: true}
	for _, n := range names {
		m.Actions = append(m.Actions, Action{Name: n})
	}
	return m
}

// TestWhoCanFence: each way to find out (pcmk_host_check).
func TestWhoCanFence(t *testing.T) {
	b := newBench(t)
	b.add("static", actions("off", "on"), "pcmk_host_list", "n2 n3")
	b.add("mapped", actions("off", "on"), "pcmk_host_map", "n2:7")
	b.add("listing", actions("off", "list", "on"))
	b.add("asking", actions("off", "status", "on"))
	b.add("any", actions("off", "on"))
	b.add("noon", actions("off"), "pcmk_host_check", "none")
	b.add("wrong", actions("off"), "pcmk_host_check", "guess")
	for _, c := range []struct{ target, action, want string }{
		{"n2", "off", "static mapped any noon listing asking"},
		{"n3", "off", "static listing any noon"},
		{"n9", "off", "any noon"},
		{"n2", "on", "static mapped listing any asking"},
		{"n1", "off", ""}, // ourselves
	} {
		if got := b.offers(c.target, c.action); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.action, c.target, got, c.want)
		}
	}
}

// TestOneAtATime: a device does one action at a time unless it is allowed more.
func TestOneAtATime(t *testing.T) {
	b := newBench(t)
	b.add("one", actions("off"))
	b.add("two", actions("off"), "pcmk_action_limit", "2")
	b.add("all", actions("off"), "pcmk_action_limit", "-1")
	for id, want := range map[string]int{"one": 1, "two": 2, "all": 3} {
		for _, target := range []string{"n2", "n3", "n4"} {
			if _, ok := b.Fence(b.now, request(wire.OpFence, target, "off", id), nil); !ok {
				t.Fatal(id)
			}
		}
		runs := b.Take().Run
		if len(runs) != want {
			t.Errorf("%s: %d at a time, want %d", id, len(runs), want)
		}
		b.Finished(b.now, runs[0].Token, wire.Done(), 1)
		if next := b.Take(); len(next.Run) != min(1, 3-want) || len(next.Done) != 1 {
			t.Errorf("%s: then %d", id, len(next.Run))
		}
	}
}

// TestRemapAndTimeouts: a reboot that the agent does not know is off, with off's time.
func TestRemapAndTimeouts(t *testing.T) {
	b := newBench(t)
	b.add("d", actions("off"), "pcmk_off_timeout", "33s", "pcmk_reboot_timeout", "44", "pcmk_off_retries", "5", "pcmk_delay_base", "n2:7s;n3:0")
	b.Fence(b.now, request(wire.OpFence, "n2", "reboot", "d"), nil)
	if o := b.Take(); len(o.Run) != 0 || !b.Deadline().Equal(b.now.Add(7*time.Second)) {
		t.Fatalf("not delayed: %+v, %v", o.Run, b.Deadline())
	}
	b.now = b.Deadline()
	b.Tick(b.now)
	runs := b.Take().Run
	if len(runs) != 1 || runs[0].Action != "off" || runs[0].Timeout != 33*time.Second || runs[0].Retries != 5 {
		t.Errorf("%+v", runs)
	}
}

// TestUnknownAgent: without metadata a device works as far as it can, and the
// agent is asked again.
func TestUnknownAgent(t *testing.T) {
	b := newBench(t)
	b.add("d", nil)
	if got := b.offers("n2", "off"); got != "d" {
		t.Errorf("%q", got)
	}
	b.now = b.Deadline()
	b.Tick(b.now)
	if d := b.Take().Describe; len(d) != 1 {
		t.Fatalf("not asked again: %v", d)
	}
	b.Described(b.now, "fence_d", actions("off", "on"))
	if !b.SupportsOn("d") {
		t.Error("the answer is lost")
	}
}

// TestPurge: what waits for a device that goes away is told so.
func TestPurge(t *testing.T) {
	b := newBench(t)
	b.add("d", actions("off"))
	b.Fence(b.now, request(wire.OpFence, "n2", "off", "d"), nil)
	b.Fence(b.now, request(wire.OpFence, "n3", "off", "d"), nil)
	b.Take()
	b.Remove(b.now, "d", false)
	out := b.Take()
	if len(out.Done) != 1 || out.Done[0].Reply.Result.OK() || out.Done[0].Reply.Target != "n3" {
		t.Errorf("%+v", out.Done)
	}
}

// TestTwoOwners: a device stays while the CIB or a client has it registered; a
// monitor needs the client.
func TestTwoOwners(t *testing.T) {
	b := newBench(t)
	r := &wire.Registration{ID: "d", Agent: "fence_d"}
	b.Refresh(b.now, []*wire.Registration{r})
	b.Described(b.now, "fence_d", actions("monitor"))
	if res, ok := b.Execute(b.now, request(wire.OpExecute, "", "monitor", "d")); ok || !strings.Contains(res.Reason, "not active") {
		t.Errorf("%+v", res)
	}
	b.Register(b.now, r, false, nil)
	if _, ok := b.Execute(b.now, request(wire.OpExecute, "", "monitor", "d")); !ok {
		t.Error("monitor refused")
	}
	b.Remove(b.now, "d", false)
	if b.Lookup("d") == nil {
		t.Error("the CIB still has it")
	}
	b.Refresh(b.now, nil)
	if b.Lookup("d") != nil {
		t.Error("nobody has it")
	}
}

// TestWatchdog: the device of the watchdog needs its time, and takes this node down.
func TestWatchdog(t *testing.T) {
	b := newBench(t)
	b.RefreshWatchdog(b.now)
	if b.Lookup(wire.WatchdogID) != nil {
		t.Fatal("without time")
	}
	b.Watchdog.Timeout = 10 * time.Second
	b.RefreshWatchdog(b.now)
	b.Described(b.now, wire.WatchdogAgent, actions("off", "reboot", "list", "monitor"))
	b.Take()
	b.Fence(b.now, request(wire.OpFence, "n1", "off", wire.WatchdogID), nil)
	if o := b.Take(); !o.Panic {
		t.Errorf("%+v", o)
	}
}
