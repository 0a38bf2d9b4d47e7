package remoteop_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/pacesync/pacesync/fencing/device"
	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/remoteop"
	"github.com/pacesync/pacesync/fencing/topology"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// TestStories runs the stories in testdata: fencers of several nodes in one
// process, with a virtual clock, and agents whose fate the story decides. Every
// message is written and read again on its way.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		c := &cluster{t: t, now: time.Unix(1700000000, 0)}
		datadriven.RunTest(t, path, c.verb)
	})
}

// cluster is the fencers of a story.
type cluster struct {
	t     *testing.T
	now   time.Time
	nodes []*fencer
	queue []packet
	ids   int
	out   strings.Builder
}

// packet is a message on its way.
type packet struct {
	from, to string
	text     string
}

// fencer is one node: the cores, and a shell as thin as it gets.
type fencer struct {
	c       *cluster
	name    string
	up      bool
	devices *device.Table
	levels  *topology.Table
	ops     *remoteop.Engine
	agents  map[string]string // device: ok, fail or hang
	meta    map[string]*device.Metadata
}

func (f *fencer) ActivePeers() int {
	n := 0
	for _, p := range f.c.nodes {
		if p.up {
			n++
		}
	}
	return n
}

func (f *fencer) PeerActive(name string) bool { p := f.c.node(name); return p != nil && p.up }
func (f *fencer) NodeName(id string) string {
	if i, err := strconv.Atoi(id); err == nil && i > 0 && i <= len(f.c.nodes) {
		return f.c.nodes[i-1].name
	}
	return ""
}
func (f *fencer) Levels(target string) *topology.Entry { return f.levels.Find(target) }
func (f *fencer) RebootAction(id string) string        { return f.devices.RebootAction(id) }
func (f *fencer) SupportsOn(id string) bool            { return f.devices.SupportsOn(id) }
func (f *fencer) Watchdog() device.Watchdog            { return f.devices.Watchdog }

func (c *cluster) node(name string) *fencer {
	for _, f := range c.nodes {
		if f.name == name {
			return f
		}
	}
	return nil
}

func (c *cluster) say(format string, args ...any) { fmt.Fprintf(&c.out, format+"\n", args...) }

func arg(d *datadriven.TestData, key, other string) string {
	if d.HasArg(key) {
		var v string
		d.ScanArgs(c0, key, &v)
		return v
	}
	return other
}

// c0 is the test that ScanArgs fails; set by verb.
var c0 *testing.T

// verb does one command of a story.
func (c *cluster) verb(t *testing.T, d *datadriven.TestData) string {
	c.t, c0 = t, t
	c.out.Reset()
	nodes := strings.Split(arg(d, "on", ""), "+")
	switch d.Cmd {
	case "nodes":
		for _, a := range d.CmdArgs {
			c.add(a.Key)
		}
	case "device":
		c.device(d, nodes)
	case "level":
		for _, n := range c.each(nodes) {
			l := &wire.Level{ID: "l", Kind: wire.ByName, Target: arg(d, "target", ""), IndexText: arg(d, "index", "1"), Devices: strings.Split(arg(d, "devices", ""), "+")}
			l.Index, _ = strconv.Atoi(l.IndexText)
			n.levels.Register(l)
		}
	case "agent":
		for _, n := range c.each(nodes) {
			n.agents[arg(d, "id", "")] = arg(d, "does", "ok")
		}
	case "watchdog":
		for _, n := range c.each(nodes) {
			n.devices.Watchdog.Timeout, _ = time.ParseDuration(arg(d, "timeout", "10s"))
		}
	case "fence", "confirm":
		c.fence(d, c.node(arg(d, "from", "")))
	case "kill":
		for _, a := range d.CmdArgs {
			c.node(a.Key).up = false
		}
	case "advance":
		by, _ := time.ParseDuration(d.CmdArgs[0].Key)
		c.advance(by)
	case "history":
		c.history(c.node(d.CmdArgs[0].Key))
	case "sync", "cleanup":
		c.past(d)
	default:
		t.Fatalf("unknown verb %s", d.Cmd)
	}
	c.deliver()
	if c.out.Len() == 0 {
		return "ok\n"
	}
	return c.out.String()
}

func (c *cluster) each(names []string) []*fencer {
	var out []*fencer
	for _, f := range c.nodes {
		if slices.Contains(names, f.name) || slices.Contains(names, "") {
			out = append(out, f)
		}
	}
	return out
}

func (c *cluster) add(name string) {
	f := &fencer{c: c, name: name, up: true, agents: map[string]string{}, meta: map[string]*device.Metadata{}}
	f.levels = &topology.Table{}
	f.devices = device.New(device.Config{Self: name, Rand: rand.New(rand.NewPCG(1, 2))})
	f.ops = remoteop.New(name, "fenced."+name, f, func() string { c.ids++; return fmt.Sprintf("op-%d", c.ids) })
	c.nodes = append(c.nodes, f)
}

func (c *cluster) device(d *datadriven.TestData, nodes []string) {
	id := arg(d, "id", "")
	r := &wire.Registration{ID: id, Agent: "fence_" + arg(d, "agent", id), Params: []wire.Pair{{Name: "pcmk_host_list", Value: strings.ReplaceAll(arg(d, "targets", ""), "+", " ")}}}
	for _, a := range d.CmdArgs {
		if strings.HasPrefix(a.Key, "pcmk_") {
			r.Params = append(r.Params, wire.Pair{Name: a.Key, Value: a.Vals[0]})
		}
	}
	m := &device.Metadata{}
	for _, name := range strings.Split(arg(d, "actions", "on+off+reboot"), "+") {
		name, auto := strings.CutSuffix(name, "!")
		m.Actions = append(m.Actions, device.Action{Name: name, Automatic: auto})
	}
	for _, f := range c.each(nodes) {
		f.meta[r.Agent] = m
		f.devices.Register(c.now, r, false, nil)
		if d.HasArg("verified") {
			f.settle()
			f.devices.Lookup(id).Verified = true
		}
	}
}

func (c *cluster) fence(d *datadriven.TestData, from *fencer) {
	client := arg(d, "client", "admin") + "@" + from.name
	opts := wire.AllowSuicide
	if d.Cmd == "confirm" {
		opts |= wire.ManualAck
	}
	data := xmltree.New("stonith_api_fence", xmltree.Attr{Name: "st_target", Value: arg(d, "target", "")}, xmltree.Attr{Name: "st_device_action", Value: arg(d, "action", "off")})
	n := wire.Command(7, "token", wire.OpFence, data, opts)
	n.Set("st_timeout", arg(d, "timeout", "10"))
	n.Set("st_delay", arg(d, "delay", "0"))
	n.Set("st_clientid", client)
	n.Set("st_clientname", arg(d, "client", "admin")+".1")
	n.Set("st_clientnode", from.name)
	m, err := wire.Decode(n, "")
	if err != nil {
		c.t.Fatal(err)
	}
	tolerance, _ := strconv.Atoi(arg(d, "tolerance", "0"))
	switch {
	case d.Cmd == "confirm":
		from.ops.Confirm(c.now, client, m)
	case from.ops.Tolerated(c.now, tolerance, m.Target.Target, m.Target.Action):
		c.say("%s: done already", from.name)
	case m.Target.Target == from.name && len(c.nodes) > 1:
		id := from.ops.Relayed(c.now, client, m)
		n.Set("st_op", wire.OpRelay)
		n.Set("st_remote_op", id)
		for _, p := range c.nodes {
			if p.up && p != from {
				from.settle()
				c.send(from.name, p.name, n)
				return
			}
		}
	default:
		from.ops.Start(c.now, client, m)
	}
}

func (c *cluster) past(d *datadriven.TestData) {
	from := c.node(arg(d, "from", ""))
	o := wire.Broadcast
	if d.Cmd == "cleanup" {
		o = wire.Cleanup
	}
	m, err := wire.Decode(wire.Command(9, "token", wire.OpHistory, nil, o), "")
	if err != nil {
		c.t.Fatal(err)
	}
	from.ops.History(c.now, m)
}

func (c *cluster) history(f *fencer) {
	m, _ := wire.Decode(wire.Command(9, "token", wire.OpHistory, nil, 0), "")
	if l := f.ops.History(c.now, m); l != nil {
		for _, r := range l.Records {
			c.say("%s: %s of %s for %s@%s by %s: %s", f.name, r.Action, r.Target, r.ClientName, r.Origin, note.Or(r.Delegate, "nobody"), r.State)
		}
	}
}

// advance lets time pass, from deadline to deadline.
func (c *cluster) advance(by time.Duration) {
	end := c.now.Add(by)
	for {
		c.deliver()
		next := end
		for _, f := range c.nodes {
			for _, d := range [...]time.Time{f.devices.Deadline(), f.ops.Deadline()} {
				if f.up && !d.IsZero() && d.Before(next) {
					next = d
				}
			}
		}
		if next.After(c.now) {
			c.now = next
		}
		for _, f := range c.nodes {
			if f.up {
				f.devices.Tick(c.now)
				f.ops.Tick(c.now)
			}
		}
		c.deliver()
		if !c.now.Before(end) {
			return
		}
	}
}

// deliver settles all nodes and hands out messages until nothing happens.
func (c *cluster) deliver() {
	for {
		busy := false
		for _, f := range c.nodes {
			busy = f.up && f.settle() || busy
		}
		if len(c.queue) > 0 {
			p := c.queue[0]
			c.queue = c.queue[1:]
			for _, f := range c.nodes {
				if f.up && (p.to == "" || p.to == f.name) {
					f.receive(p)
				}
			}
			continue
		}
		if !busy {
			return
		}
	}
}

func (c *cluster) send(from, to string, n *xmltree.Node) {
	c.queue = append(c.queue, packet{from, to, n.String()})
}

func (f *fencer) receive(p packet) {
	n, err := xmltree.ParseString(p.text, xmltree.Limits{})
	if err != nil {
		f.c.t.Fatal(err)
	}
	m, err := wire.Decode(n, p.from)
	if err != nil {
		f.c.t.Fatal(err)
	}
	now := f.c.now
	switch {
	case m.Reply && m.Op == wire.OpQuery:
		f.ops.Offer(now, m)
	case m.Reply:
		f.ops.Result(now, m)
	case m.Op == wire.OpQuery:
		f.ops.Record(now, m)
		f.ops.RemoveRelay(m)
		f.devices.Query(now, m, m)
	case m.Op == wire.OpFence:
		if r, ok := f.devices.Fence(now, m, f.NodeName); !ok {
			f.c.send(f.name, m.Peer, (&wire.Reply{To: m, Result: r}).XML())
		}
	case m.Op == wire.OpRelay:
		f.c.say("%s: conducts for %s", f.name, p.from)
		f.ops.Start(now, m.Client, m)
	case m.Op == wire.OpHistory:
		f.ops.History(now, m)
	}
}

// settle carries out what the cores want.
func (f *fencer) settle() (any bool) {
	for {
		d, o := f.devices.Take(), f.ops.Take()
		f.levels.Notes()
		for _, name := range d.Describe {
			f.devices.Described(f.c.now, name, f.meta[name])
		}
		for _, of := range d.Offers {
			m := of.Context.(*wire.Message)
			f.c.send(f.name, m.Peer, (&wire.Reply{To: m, Result: wire.Done(), Data: of.Offer.XML()}).XML())
		}
		for _, x := range d.Done {
			to := x.Peer
			if x.All {
				to = ""
			}
			f.c.send(f.name, to, x.Reply.XML())
		}
		for _, r := range d.Run {
			f.run(r)
		}
		if d.Panic {
			f.c.say("%s: resets itself", f.name)
			f.up = false
		}
		for _, e := range o.Effects {
			f.effect(e)
		}
		if len(d.Describe)+len(d.Offers)+len(d.Done)+len(d.Run)+len(o.Effects)+len(o.Notes)+len(d.Notes) == 0 {
			return any
		}
		any = true
	}
}

func (f *fencer) run(r device.Run) {
	does := note.Or(f.agents[r.Device], "ok")
	f.c.say("%s: runs %s %s on %s (%ds): %s", f.name, r.Device, r.Action, r.Target, int(r.Timeout/time.Second), does)
	switch does {
	case "ok":
		f.devices.Finished(f.c.now, r.Token, wire.Done(), 1)
	case "fail":
		f.devices.Finished(f.c.now, r.Token, wire.Result{Exit: 1}, 1)
	case "late":
		f.devices.Finished(f.c.now, r.Token, wire.Failure(pcmk.ExitError, pcmk.ExecTimeout, "did not complete"), 1)
	}
}

func (f *fencer) effect(e remoteop.Effect) {
	switch e := e.(type) {
	case remoteop.Send:
		n := e.Msg.XML()
		switch m := e.Msg.(type) {
		case *wire.Fence:
			f.c.say("%s: asks %s: %s %s%s, %ds", f.name, e.To, m.Action, m.Target, note.Sandwich(" with ", m.Device, ""), m.Timeout)
		case *wire.OutcomeCast:
			f.c.say("%s: tells all: %s of %s %s%s", f.name, m.Action, m.Target, m.State, note.Sandwich(" (", m.Result.Reason, ")"))
		case *wire.HistoryCast:
			if m.List != nil {
				f.c.say("%s: sends %d operations, differential=%v", f.name, len(m.List.Records), m.List.Differential)
			}
		}
		f.c.send(f.name, e.To, n)
	case remoteop.Answer:
		if strings.HasSuffix(e.Client, "@"+f.name) {
			r := e.Msg.(*wire.Reply)
			f.c.say("%s: answers %s: %d, %s%s", f.name, e.Client, r.Result.Exit, r.Result.Text(), note.Sandwich(", by ", r.Delegate, ""))
		}
	case remoteop.Tell:
		f.c.say("%s: timeout of %s is %d", f.name, e.Client, e.Msg.(*wire.TimeoutValue).Timeout)
	}
}
