package cpg

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run this seed of TestRandom alone")
	seedsFlag = flag.Uint64("seeds", 150, "number of seeds of TestRandom")
)

func build(h service.Host) []*service.Engine { return []*service.Engine{NewEngine(h, nil)} }

// proc is a client process of a test and what it was told.
type proc struct {
	n      *servicetest.BusNode
	c      *servicetest.Conn
	pid    uint32
	group  wire.Name
	joined bool // join granted and no leave granted since
	dead   bool
	view   []wire.Address // by the events, nil before the first
}

func open(n *servicetest.BusNode, pid uint32) *proc {
	return &proc{n: n, c: n.Connect(service.CPG), pid: pid}
}

// call sends a request and returns the status of the reply, or TRY_AGAIN if
// the daemon would not serve it.
func (p *proc) call(t testing.TB, msg []byte) service.Error {
	t.Helper()
	if !p.n.Request(service.CPG, p.c, msg) {
		return service.ErrTryAgain
	}
	r := p.c.TakeReplies()
	if len(r) != 1 {
		t.Fatalf("%d replies", len(r))
	}
	res, err := mar.ParseRes(r[0])
	if err != nil || int(res.Size) != len(r[0]) {
		t.Fatalf("reply %x: %v", r[0], err)
	}
	return res.Err
}

func (p *proc) join(t testing.TB, g wire.Name, flags uint32) service.Error {
	t.Helper()
	r := wire.JoinReq{Group: g, PID: p.pid, Flags: flags}
	status := p.call(t, r.Append(nil))
	if status == service.OK {
		p.group, p.joined = g, true
	}
	return status
}

func (p *proc) leave(t testing.TB) service.Error {
	t.Helper()
	r := wire.LeaveReq{Group: p.group, PID: p.pid}
	status := p.call(t, r.Append(nil))
	if status == service.OK {
		p.joined = false
	}
	return status
}

func (p *proc) mcast(t testing.TB, data string) bool {
	t.Helper()
	r := wire.McastReq{Guarantee: 2, Data: []byte(data)}
	var h [wire.McastReqSize]byte
	r.PutHeader(&h)
	return p.n.Request(service.CPG, p.c, append(h[:], data...))
}

func (p *proc) close() {
	p.dead, p.joined = true, false
	p.n.Disconnect(service.CPG, p.c)
}

func (p *proc) addr() wire.Address { return wire.Address{Node: p.n.ID, PID: p.pid} }

// follow applies the events to the process's view and checks that each is
// explained by the one before.
func (p *proc) follow(t testing.TB) {
	t.Helper()
	for _, ev := range p.c.TakeEvents() {
		if id, _, _ := servicetest.Header(ev); id != wire.EventConfchg {
			continue
		}
		c, err := wire.ParseConfchg(ev)
		if err != nil {
			t.Fatal(err)
		}
		next := slices.Clone(p.view)
		for _, l := range c.Left {
			i := slices.IndexFunc(next, func(a wire.Address) bool { return a.Node == l.Node && a.PID == l.PID })
			if i < 0 && p.view != nil {
				t.Fatalf("%v: %v left, it was not in %v", p.addr(), l, p.view)
			}
			if i >= 0 {
				next = slices.Delete(next, i, i+1)
			}
			if l.Node == p.n.ID && l.PID == p.pid {
				p.view = nil
			}
		}
		for _, j := range c.Joined {
			if slices.Contains(next, wire.Address{Node: j.Node, PID: j.PID}) {
				t.Fatalf("%v: %v joined, it was in %v", p.addr(), j, p.view)
			}
			next = append(next, wire.Address{Node: j.Node, PID: j.PID})
		}
		slices.SortFunc(next, compare)
		own := func(a wire.Address) bool { return a.Node == p.n.ID && a.PID == p.pid }
		switch {
		case slices.ContainsFunc(c.Left, own):
			p.view = nil
			continue
		case p.view == nil:
			if !slices.ContainsFunc(c.Joined, own) {
				t.Fatalf("%v: first event is not the own join: %+v", p.addr(), c)
			}
		case !slices.Equal(next, c.Members):
			t.Fatalf("%v: members %v, the lists make %v", p.addr(), c.Members, next)
		}
		p.view = c.Members
	}
}

func compare(a, b wire.Address) int {
	if a.Node != b.Node {
		return int(int64(a.Node) - int64(b.Node))
	}
	return int(int64(a.PID) - int64(b.PID))
}

func members(t testing.TB, n *servicetest.BusNode, g wire.Name) []wire.Address {
	t.Helper()
	c := n.Connect(service.CPG)
	defer n.Disconnect(service.CPG, c)
	r := wire.MembershipReq{Group: g}
	n.Request(service.CPG, c, r.Append(nil))
	list, err := wire.ParseMembershipRes(c.TakeReplies()[0])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// world is a random run: nodes, processes, and what must hold when all is quiet.
type world struct {
	t       testing.TB
	r       *rand.Rand
	bus     *servicetest.Bus
	procs   []*proc
	groups  []wire.Name
	nextPID uint32
	down    []uint32
}

func newWorld(t testing.TB, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	w := &world{t: t, r: r, bus: servicetest.NewBus(t, r), nextPID: 100}
	w.groups = []wire.Name{wire.MustName("a"), wire.MustName("b\x00"), wire.MustName("")}
	for id := range uint32(3 + r.IntN(3)) {
		w.bus.Start(id+1, build)
	}
	w.change()
	return w
}

// change splits the running nodes at random.
func (w *world) change() {
	ids := w.bus.Up()
	w.r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	cut := w.r.IntN(len(ids) + 1)
	if w.r.IntN(2) == 0 {
		cut = 0
	}
	for _, part := range [][]uint32{ids[:cut], ids[cut:]} {
		if len(part) > 0 {
			w.bus.Change(part)
		}
	}
}

func (w *world) act() {
	switch k := w.r.IntN(100); {
	case k < 12:
		ids := w.bus.Up()
		w.nextPID++
		w.procs = append(w.procs, open(w.bus.Node(ids[w.r.IntN(len(ids))]), w.nextPID))
	case k < 55 && len(w.procs) > 0:
		w.client(w.procs[w.r.IntN(len(w.procs))])
	case k < 60:
		w.change()
	case k < 62 && len(w.bus.Up()) > 2:
		ids := w.bus.Up()
		id := ids[w.r.IntN(len(ids))]
		w.bus.Kill(id)
		w.down = append(w.down, id)
		w.procs = slices.DeleteFunc(w.procs, func(p *proc) bool { return p.n.ID == id })
		w.change()
	case k < 64:
		ids := w.bus.Up()
		w.bus.Node(ids[w.r.IntN(len(ids))]).Clog(w.r.IntN(2) == 0)
	case k < 67 && len(w.down) > 0:
		w.bus.Start(w.down[0], build)
		w.down = w.down[1:]
	default:
		for range 5 {
			w.bus.Step()
		}
	}
}

func (w *world) client(p *proc) {
	switch k := w.r.IntN(10); {
	case p.dead:
	case k < 4:
		p.join(w.t, w.groups[w.r.IntN(len(w.groups))], 0)
	case k < 6 && p.joined:
		p.leave(w.t)
	case k < 8 && p.joined:
		p.mcast(w.t, "x")
	case k == 9:
		p.close()
	}
}

// quiet lets everything come to its end, then checks.
func (w *world) quiet() {
	w.t.Helper()
	for _, id := range w.bus.Up() {
		n := w.bus.Node(id)
		n.Clog(false)
		n.Advance(time.Second)
	}
	w.bus.Settle()
	w.check()
}

// check: in each ring every node knows exactly the living processes of the
// ring's members, and so does every process.
func (w *world) check() {
	w.t.Helper()
	for _, id := range w.bus.Up() {
		n := w.bus.Node(id)
		for _, g := range w.groups {
			var want []wire.Address
			for _, p := range w.procs {
				if p.joined && p.group == g && slices.Contains(n.Members, p.n.ID) {
					want = append(want, p.addr())
				}
			}
			slices.SortFunc(want, compare)
			if got := members(w.t, n, g); !slices.Equal(got, want) {
				w.t.Fatalf("node %d of ring %v, group %q: members %v, alive are %v", id, n.Members, g, got, want)
			}
			for _, p := range w.procs {
				if p.n != n || p.dead {
					continue
				}
				p.follow(w.t)
				if p.joined && p.group == g && !slices.Equal(p.view, want) {
					w.t.Fatalf("process %v in group %q sees %v, alive are %v", p.addr(), g, p.view, want)
				}
			}
		}
	}
}

// TestRandom: joins, leaves, ends of clients and nodes, and membership changes
// at every moment, sync rounds included; after each quiet there is no ghost and
// no member missing, and every process's events explain its view.
func TestRandom(t *testing.T) {
	run := func(seed uint64) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			for range 6 {
				for range 60 {
					w.act()
				}
				w.quiet()
			}
			w.bus.Change(w.bus.Up())
			w.quiet()
		})
	}
	if *seedFlag != 0 {
		run(*seedFlag)
		return
	}
	for seed := uint64(1); seed <= *seedsFlag; seed++ {
		run(seed)
	}
}
