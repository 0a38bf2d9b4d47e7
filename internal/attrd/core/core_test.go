package core

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/internal/attrd/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// member is one attribute manager of the simulated cluster.
type member struct {
	name string
	id   uint32
	c    *Core
	cpu  time.Duration
	up   bool
}

// letter is one message of the group, in its XML form, so that the codec takes part.
type letter struct {
	from   *member
	to     string
	xml    string
	ballot *election.Message
}

// cluster delivers in one order to all and keeps the CIB's status section.
type cluster struct {
	now     time.Time
	members []*member
	queue   []letter
	cib     map[string]string // node id/name -> value
	pending []func()          // answers of the CIB
	fail    pcmk.RC           // what the CIB answers
	writes  int
	log     strings.Builder
	show    Level
}

func newCluster() *cluster {
	return &cluster{now: time.Unix(1_700_000_000, 0), cib: map[string]string{}, show: election.LevelNotice}
}

func (v *cluster) at(m *member) election.Moment { return election.Moment{Now: v.now, CPU: m.cpu} }

func (v *cluster) find(name string) *member {
	i := slices.IndexFunc(v.members, func(m *member) bool { return m.name == name })
	return v.members[i]
}

// start brings a node up: it joins, hears who is there, and announces itself.
func (v *cluster) start(name string) *member {
	var m *member
	if i := slices.IndexFunc(v.members, func(m *member) bool { return m.name == name }); i >= 0 {
		m = v.members[i]
	} else {
		m = &member{name: name, id: uint32(len(v.members) + 1)}
		v.members = append(v.members, m)
	}
	m.up, m.c = true, New(Config{Self: name, SelfID: m.id})
	for k := range v.cib { // attrd erases its own at start
		if strings.HasPrefix(k, fmt.Sprint(m.id, "/")) {
			delete(v.cib, k)
		}
	}
	v.join(m)
	return m
}

// join has a new attribute manager come to the group.
func (v *cluster) join(m *member) {
	for _, p := range v.members {
		if p.up {
			m.c.Joined(v.at(m), p.name, p.id)
			if p != m {
				p.c.Joined(v.at(p), m.name, m.id)
				v.take(p)
			}
		}
	}
	m.c.Start(v.at(m))
	v.take(m)
}

func (v *cluster) kill(m *member) {
	v.crash(m)
	for k := range v.cib { // the DC does this
		if strings.HasPrefix(k, fmt.Sprint(m.id, "/")) {
			delete(v.cib, k)
		}
	}
}

// crash ends the attribute manager alone; its node stays.
func (v *cluster) crash(m *member) {
	m.up = false
	v.queue = slices.DeleteFunc(v.queue, func(l letter) bool { return l.from == m })
	for _, p := range v.members {
		if p.up {
			p.c.Left(v.at(p), m.name)
			v.take(p)
		}
	}
}

// respawn is what pacemakerd does then.
func (v *cluster) respawn(m *member) {
	m.up, m.c = true, New(Config{Self: m.name, SelfID: m.id})
	var own []wire.Value
	for _, k := range slices.Sorted(maps.Keys(v.cib)) {
		if name, ok := strings.CutPrefix(k, fmt.Sprint(m.id, "/")); ok {
			own = append(own, wire.Value{Name: name, Value: v.cib[k], Host: m.name, HostID: m.id})
		}
	}
	m.c.Restore(own)
	v.join(m)
}

// take carries out a member's effects.
func (v *cluster) take(m *member) {
	for _, e := range m.c.Take() {
		switch e := e.(type) {
		case Trace:
			if e.Level <= v.show {
				fmt.Fprintf(&v.log, "%s: %s\n", m.name, e.Text)
			}
		case Send:
			v.queue = append(v.queue, letter{from: m, to: e.To, xml: wire.Encode(e.Msg).String()})
		case Ballot:
			v.queue = append(v.queue, letter{from: m, to: e.Msg.To, ballot: &e.Msg})
		case Ack:
			fmt.Fprintf(&v.log, "%s: ack\n", m.name)
		case Reply:
			fmt.Fprintf(&v.log, "%s: %s\n", m.name, wire.EncodeAnswer(e.Answer))
		case Store:
			v.store(m, e)
		}
	}
}

func (v *cluster) store(m *member, e Store) {
	v.writes++
	fmt.Fprintf(&v.log, "%s: writes %s\n", m.name, wire.EncodeWrite(e.Write))
	rc := v.fail
	if rc == pcmk.OK {
		for _, n := range e.Write.Nodes {
			if n.Value == "" {
				delete(v.cib, n.Host+"/"+e.Write.Name)
			} else {
				v.cib[n.Host+"/"+e.Write.Name] = n.Value
			}
		}
	}
	c := m.c
	v.pending = append(v.pending, func() {
		if m.up && m.c == c {
			c.Stored(v.at(m), e.Token, rc)
			v.take(m)
		}
	})
}

func (v *cluster) deliver() {
	l := v.queue[0]
	v.queue = v.queue[1:]
	for _, m := range v.members {
		if !m.up || (l.to != "" && l.to != m.name) {
			continue
		}
		if l.ballot != nil {
			m.c.Ballot(v.at(m), *l.ballot)
		} else {
			n, err := xmltree.ParseString(l.xml, xmltree.Limits{})
			if err != nil {
				panic(err)
			}
			msg, err := wire.Decode(n)
			if err != nil {
				panic(err)
			}
			m.c.Message(v.at(m), l.from.name, l.from.id, msg)
		}
		v.take(m)
	}
}

// settle delivers everything and lets the CIB answer.
func (v *cluster) settle() {
	for len(v.queue)+len(v.pending) > 0 {
		for len(v.queue) > 0 {
			v.deliver()
		}
		answers := v.pending
		v.pending = nil
		for _, f := range answers {
			f()
		}
	}
}

// advance lets time pass, from deadline to deadline.
func (v *cluster) advance(d time.Duration) {
	end := v.now.Add(d)
	for {
		next := end
		for _, m := range v.members {
			if dl := m.c.Deadline(); m.up && !dl.IsZero() && dl.Before(next) {
				next = dl
			}
		}
		v.now = next
		for _, m := range v.members {
			if m.up {
				m.c.Expire(v.at(m))
				v.take(m)
			}
		}
		v.settle()
		if !next.Before(end) {
			return
		}
	}
}

// values lists what a member knows, without private attributes.
func (v *cluster) values(m *member) map[string]string {
	out := map[string]string{}
	for _, a := range m.c.sorted() {
		for _, val := range a.hosts() {
			if !a.private && val.current != "" {
				out[strconv.Itoa(int(val.hostID))+"/"+a.name] = val.current
			}
		}
	}
	return out
}

// request reads a client's XML as arguments of a story: key=value pairs of attributes.
func request(t *testing.T, d *datadriven.TestData) (string, wire.Message) {
	n := xmltree.New("create_attrd_op", xmltree.Attr{Name: "t", Value: "attrd"}, xmltree.Attr{Name: "src", Value: "test"})
	n.Set("task", d.Cmd)
	for _, a := range d.CmdArgs[1:] {
		val := ""
		if len(a.Vals) > 0 {
			val = strings.Join(a.Vals, ",")
		}
		name := a.Key
		if !strings.HasPrefix(name, "attr_") {
			name = "attr_" + name
		}
		n.Set(name, val)
	}
	m, err := wire.Decode(n)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return d.CmdArgs[0].Key, m
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		v := newCluster()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			v.log.Reset()
			v.story(t, d)
			if v.log.Len() == 0 {
				return "ok"
			}
			return v.log.String()
		})
	})
}

func (v *cluster) story(t *testing.T, d *datadriven.TestData) {
	switch d.Cmd {
	case "start":
		for _, a := range d.CmdArgs {
			v.start(a.Key)
			v.settle()
		}
	case "kill":
		v.kill(v.find(d.CmdArgs[0].Key))
		v.settle()
	case "advance":
		step, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		v.advance(step)
	case "fail": // fail ERRNO: the CIB refuses; 0: no longer
		n, _ := strconv.Atoi(d.CmdArgs[0].Key)
		v.fail = pcmk.RC(n)
	case "replaced":
		m := v.find(d.CmdArgs[0].Key)
		m.c.CIBReplaced(v.at(m), "cib_refresh_notify", SectionStatus)
		v.take(m)
		v.settle()
	case "cib":
		for _, k := range slices.Sorted(maps.Keys(v.cib)) {
			fmt.Fprintf(&v.log, "%s=%s\n", k, v.cib[k])
		}
	case "values":
		for _, m := range v.members {
			if m.up {
				vals := v.values(m)
				fmt.Fprintf(&v.log, "%s:", m.name)
				for _, k := range slices.Sorted(maps.Keys(vals)) {
					fmt.Fprintf(&v.log, " %s=%s", k, vals[k])
				}
				v.log.WriteString("\n")
			}
		}
	default:
		name, msg := request(t, d)
		m := v.find(name)
		m.c.Request(v.at(m), nil, "tester", msg)
		v.take(m)
		v.settle()
	}
}

// TestEverybodyAgrees: whatever is asked where, and whoever comes and goes, in the
// end all nodes hold the same values, and the CIB holds them too. A node comes
// and goes between messages only: a change ordered after a join and before the
// writer's answer to it is lost on the newcomer, as in the original.
func TestEverybodyAgrees(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 11))
		v := newCluster()
		v.show = 0
		names := []string{"n1", "n2", "n3", "n4"}[:1+rng.IntN(4)]
		for _, n := range names {
			v.start(n).cpu = time.Duration(rng.IntN(3)) * time.Second
			v.settle()
		}
		for range 40 {
			m := v.members[rng.IntN(len(v.members))]
			switch k := rng.IntN(20); {
			case !m.up:
				v.settle()
				v.start(m.name)
				v.settle()
			case k == 0 && len(names) > 1:
				v.settle()
				v.kill(m)
			case k < 3:
				v.advance(time.Duration(rng.IntN(5000)) * time.Millisecond)
			case k < 6 && len(v.queue) > 0:
				v.deliver()
			case k == 6:
				v.fail = pcmk.RC(62) * pcmk.RC(rng.IntN(2))
			default:
				msg := wire.Message{Root: "create_attrd_op", Value: wire.Value{Name: fmt.Sprintf("a%d", rng.IntN(4)), Task: wire.Update,
					Value: []string{"", "1", "2", "value++", "INFINITY"}[rng.IntN(5)]}}
				if rng.IntN(3) == 0 {
					msg.Task, msg.Dampening = wire.UpdateBoth, []string{"0", "1s", "3s"}[rng.IntN(3)]
				}
				m.c.Request(v.at(m), nil, "tester", msg)
				v.take(m)
			}
		}
		v.fail = pcmk.OK
		for _, m := range v.members {
			if !m.up {
				v.settle()
				v.start(m.name)
			}
			v.settle()
		}
		v.advance(3 * time.Minute) // dampening, retries, elections
		want := v.values(v.members[0])
		for _, m := range v.members {
			if got := v.values(m); !maps.Equal(got, want) {
				t.Fatalf("seed %d: %s holds %v, %s holds %v", seed, m.name, got, v.members[0].name, want)
			}
		}
		if !maps.Equal(v.cib, want) {
			t.Fatalf("seed %d: CIB holds %v, nodes hold %v\n%s", seed, v.cib, want, v.log.String())
		}
		writers := 0
		for _, m := range v.members {
			if m.c.Writes() {
				writers++
			}
		}
		if writers != 1 {
			t.Fatalf("seed %d: %d writers", seed, writers)
		}
	}
}

// TestKilledAndRespawned: an attribute manager that is killed, the writer or another,
// costs no value, whoever changes what meanwhile.
func TestKilledAndRespawned(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		v := newCluster()
		for i := range 1 + int(seed%4) {
			v.start(fmt.Sprintf("n%d", i+1))
			v.settle()
		}
		want := map[string]string{}
		set := func(m *member) {
			name, value := fmt.Sprintf("a%d", rng.IntN(4)), strconv.Itoa(rng.IntN(100)+1)
			m.c.Request(v.at(m), nil, "tester", wire.Message{Root: "create_attrd_op", Value: wire.Value{Name: name, Task: wire.Update, Value: value}})
			v.take(m)
			want[fmt.Sprintf("%d/%s", m.id, name)] = value
		}
		for range 4 {
			for range 6 {
				set(v.members[rng.IntN(len(v.members))])
			}
			v.advance(10 * time.Second)
			m := v.members[rng.IntN(len(v.members))]
			v.crash(m)
			for range rng.IntN(4) {
				if len(v.queue) > 0 {
					v.deliver()
				}
				if p := v.members[rng.IntN(len(v.members))]; p.up && rng.IntN(2) == 0 {
					set(p)
				}
			}
			v.settle()
			v.respawn(m)
			for range rng.IntN(8) { // until the writer has told it what there is, and after
				if len(v.queue) > 0 && rng.IntN(3) > 0 {
					v.deliver()
				} else {
					set(v.members[rng.IntN(len(v.members))])
				}
			}
			v.advance(10 * time.Second)
			for _, m := range v.members {
				if got := v.values(m); !maps.Equal(got, want) {
					t.Fatalf("seed %d: %s holds %v, want %v\n%s", seed, m.name, got, want, v.log.String())
				}
			}
			if !maps.Equal(v.cib, want) {
				t.Fatalf("seed %d: CIB holds %v, want %v\n%s", seed, v.cib, want, v.log.String())
			}
		}
	}
}

func TestExpand(t *testing.T) {
	for _, tc := range []struct {
		expr, old, want string
	}{
		{"value++", "", "1"}, {"value++", "7", "8"}, {"value+=5", "7", "12"}, {"value+=-5", "7", "2"},
		{"value++", "INFINITY", "1000000"}, {"value+=INFINITY", "3", "1000000"}, {"12345++", "2", "3"},
		{"value+", "2", "value+"}, {"v++", "2", "v++"}, {"value+-", "2", "value+-"},
	} {
		got := tc.expr
		if expandable(tc.expr) {
			got = strconv.Itoa(increase(tc.expr, tc.old))
		}
		if got != tc.want {
			t.Errorf("%s on %q: %s, want %s", tc.expr, tc.old, got, tc.want)
		}
	}
}
