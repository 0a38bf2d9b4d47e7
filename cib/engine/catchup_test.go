package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// ring is some engines on a group with one common order of messages, which each
// of them is given at its own pace.
type ring struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Time
	log   []packet // all messages, and changes of the group with from empty
	nodes []*member
	notes []string // what happened, for a failure
}

// member is a node; its engine lives from one kill to the next.
type member struct {
	name   string
	engine *Engine
	at     int // what of the log it was given
	disk   *xmltree.Node
	up     bool
	lives  int
	asked  int // requests without an answer
}

func newRing(t *testing.T, seed uint64, nodes int) *ring {
	r := &ring{t: t, rng: sim.NewRand(seed, 5), now: time.Unix(1_700_000_000, 0)}
	for i := range nodes {
		m := &member{name: fmt.Sprintf("n%d", i+1), disk: parse(t, start)}
		r.nodes = append(r.nodes, m)
		r.begin(m)
		for r.deliver(m) {
		}
	}
	return r
}

// begin starts a node's daemon on what is on its disk.
func (r *ring) begin(m *member) {
	cib := m.disk.Copy()
	cib.Child("status").Remove()
	cib.AddNew("status")
	m.engine = New(Config{Node: m.name, Schemas: schemas(), InGroup: func(string, string) bool { return false }}, cib, patch.OK, r.now)
	m.engine.CatchUp(r.now)
	m.lives++
	m.engine.Connect(Client{ID: m.client(), PID: 7, User: "root", Privileged: true, Write: true})
	m.up, m.asked = true, 0
	r.settle(m)
	r.log = append(r.log, packet{to: r.members(m)})
	m.at = len(r.log) - 1 // it sees its own coming first
}

// client is the name of the client of this life of the daemon.
func (m *member) client() string { return fmt.Sprintf("%s-%d", m.name, m.lives) }

// members lists who is in the group, who comes now at last.
func (r *ring) members(last *member) string {
	var names []string
	for _, m := range r.nodes {
		if m.up && m != last {
			names = append(names, m.name)
		}
	}
	if last != nil {
		names = append(names, last.name)
	}
	return strings.Join(names, " ")
}

func (r *ring) kill(m *member) {
	m.up = false
	r.log = append(r.log, packet{to: r.members(nil)})
}

// deliver gives a node the next message; false when there is none.
func (r *ring) deliver(m *member) bool {
	if !m.up || m.at == len(r.log) {
		return false
	}
	p := r.log[m.at]
	m.at++
	switch {
	case p.from == "":
		var others []string
		for _, name := range strings.Fields(p.to) {
			if name != m.name {
				others = append(others, name)
			}
		}
		m.engine.Group(r.now, others)
	case p.to == "" || p.to == m.name:
		m.engine.Message(r.now, p.from, parse(r.t, p.text))
	}
	r.settle(m)
	for m.engine.Resume(r.now) {
		r.settle(m)
	}
	return true
}

func (r *ring) settle(m *member) {
	for _, x := range m.engine.Take() {
		switch x := x.(type) {
		case Send:
			r.log = append(r.log, packet{m.name, x.To, string(x.XML.AppendPacemaker(nil, xmltree.TextOptions{}))})
		case Persist:
			m.disk = x.CIB.Copy()
		case Reply:
			m.asked--
		case Log:
			if x.Level <= Notice {
				r.notes = append(r.notes, m.name+": "+x.Text)
			}
		}
	}
}

// change has a client of a node change something: the status mostly.
func (r *ring) change(m *member) {
	id := r.rng.IntN(5)
	attrs, data := `cib_op="cib_modify" cib_section="status" cib_callopt="8"`, fmt.Sprintf(`<node_state id="%d" uname="n%d" crmd="%d"/>`, id, id, r.rng.IntN(1000))
	switch r.rng.IntN(8) {
	case 0:
		attrs, data = `cib_op="cib_create" cib_section="resources"`, fmt.Sprintf(`<primitive id="p%d"/>`, r.rng.IntN(1000))
	case 1:
		attrs, data = fmt.Sprintf(`cib_op="cib_delete" cib_section="//node_state[@id='%d']"`, id), ""
		attrs += ` cib_callopt="2"`
	}
	m.asked++
	if data != "" {
		data = "<cib_calldata>" + data + "</cib_calldata>"
	}
	m.engine.Request(r.now, m.client(), 0, false, parse(r.t, `<cib_command t="cib" cib_callid="5" `+attrs+`>`+data+`</cib_command>`))
	r.settle(m)
}

// rest delivers everything, in a random order of the nodes, and lets the time pass
// in which peers that were killed after the question do not answer.
func (r *ring) rest() {
	for range (groupPatience + helperPatience) * maxHelpers / time.Second {
		for {
			r.rng.Shuffle(len(r.nodes), func(i, j int) { r.nodes[i], r.nodes[j] = r.nodes[j], r.nodes[i] })
			if !slices.ContainsFunc(r.nodes, r.deliver) {
				break
			}
		}
		r.now = r.now.Add(time.Second)
		for _, m := range r.nodes {
			m.engine.Tick(r.now)
			r.settle(m)
		}
	}
}

func (r *ring) check(seed uint64) {
	r.t.Helper()
	want, of := "", ""
	for _, m := range r.nodes {
		if !m.engine.CaughtUp() {
			r.t.Fatalf("seed %d: %s waits for ever\n%s", seed, m.name, strings.Join(r.notes, "\n"))
		}
		if m.asked != 0 {
			r.t.Fatalf("seed %d: %d requests of clients of %s are not answered\n%s", seed, m.asked, m.name, strings.Join(r.notes, "\n"))
		}
		got := digest.Versioned(m.engine.Root(), doc.FeatureSet) + " " + version(m.engine.Root()).String()
		if want != "" && got != want {
			r.t.Fatalf("seed %d: %s has %s %s\n%s has %s\n%s", seed, m.name, got, m.engine.Root(), of, want, strings.Join(r.notes, "\n"))
		}
		want, of = got, m.name
	}
}

// TestKilledAmongPeers: daemons are killed and started again while clients of all
// nodes change the CIB. As long as one of them knows the CIB all end with the
// same one, version, status and configuration, without a comparison of digests,
// and no client of one that lives is left without its answer.
func TestKilledAmongPeers(t *testing.T) {
	for seed := range uint64(100) {
		r := newRing(t, seed, 2+int(seed%3))
		killed := 0
		for range 200 {
			m := r.nodes[r.rng.IntN(len(r.nodes))]
			switch p := r.rng.IntN(100); {
			case p < 3 && m.up && r.current() > 1 && m.engine.CaughtUp():
				r.kill(m)
				killed++
			case p < 10 && !m.up:
				r.begin(m)
			case p < 40 && m.up:
				r.change(m)
			default:
				r.deliver(m)
			}
			r.now = r.now.Add(time.Millisecond)
		}
		for _, m := range r.nodes {
			if !m.up {
				r.begin(m)
			}
		}
		r.rest()
		r.check(seed)
		if seed == 0 && killed == 0 {
			t.Error("nobody was killed")
		}
	}
}

// current is how many know the CIB.
func (r *ring) current() int {
	n := 0
	for _, m := range r.nodes {
		if m.up && m.engine.CaughtUp() {
			n++
		}
	}
	return n
}

// TestAloneAtStart: without peers the CIB of the disk is the one to begin with, at
// once; with peers that say nothing, after a while.
func TestAloneAtStart(t *testing.T) {
	r := newRing(t, 1, 1)
	if m := r.nodes[0]; !m.engine.CaughtUp() {
		t.Error("waits for nobody")
	}
	e := New(Config{Node: "n1", Schemas: schemas(), InGroup: func(string, string) bool { return false }}, parse(t, start), patch.OK, r.now)
	e.CatchUp(r.now)
	e.Connect(Client{ID: "c", User: "root", Privileged: true, Write: true})
	e.Request(r.now, "c", 9, true, parse(t, `<cib_command t="cib" cib_op="cib_query" cib_callid="1" cib_callopt="4096"/>`))
	e.Group(r.now, []string{"n2", "n3"})
	var asked []string
	own := func() { // the question comes back to this node
		for _, x := range e.Take() {
			if x, ok := x.(Send); ok {
				asked = append(asked, x.XML.Attr("cib_host"))
				e.Message(r.now, "n1", parse(t, x.XML.String()))
			}
		}
	}
	for range 2 {
		own()
		for _, wait := range []time.Duration{helperPatience - 1, 1} {
			if e.Resume(r.now) || e.CaughtUp() {
				t.Fatalf("gave up after %v", r.now)
			}
			r.now = r.now.Add(wait)
			e.Tick(r.now)
		}
	}
	answered := false
	for e.Resume(r.now) {
	}
	for _, x := range e.Take() {
		if x, ok := x.(Reply); ok {
			answered = x.ID == 9
		}
	}
	if !answered || !slices.Equal(asked, []string{"n2", "n3"}) || !e.CaughtUp() {
		t.Errorf("answered: %v, asked %v", answered, asked)
	}
}

// TestOlderPeers: a CIB that is older than the one on disk is not taken over.
func TestOlderPeers(t *testing.T) {
	r := newRing(t, 1, 2)
	m := r.nodes[1]
	r.kill(m)
	m.disk.Set("epoch", "7")
	r.begin(m)
	r.change(r.nodes[0])
	r.rest()
	if got := m.engine.Root().Attr("epoch"); got != "7" || !m.engine.CaughtUp() {
		t.Errorf("epoch %s", got)
	}
}
