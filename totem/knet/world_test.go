package knet

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// world is engines on a simulated network under a virtual clock.
type world struct {
	t     testing.TB
	rng   *rand.Rand
	now   time.Time
	nodes []*node
	wire  []flight // by time
	sent  uint64

	// The network, changed by tests while it runs.
	loss, dup float64
	delayMin  time.Duration
	delayMax  time.Duration // different from delayMin: datagrams overtake each other
	ifaceMTU  int           // what the kernel takes; it tells
	pathMTU   int           // what gets through; nobody tells
	hint      bool          // EMSGSIZE comes with the MTU
	cut       func(from, to netip.AddrPort) bool
	errno     func(d *Datagram) Errno // the kernel refuses a send
	keepLog   bool
}

type flight struct {
	at       time.Time
	from, to netip.AddrPort
	data     []byte
}

// node is an engine and what came out of it.
type node struct {
	w      *world
	e      *Engine
	id     HostID
	got    [][]byte
	from   []HostID
	events []Event
	sends  int
}

func newWorld(t testing.TB, seed uint64, hosts, links int, change func(*Config)) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 0)), now: epoch,
		delayMin: 100 * time.Microsecond, delayMax: 100 * time.Microsecond, ifaceMTU: 1500, pathMTU: 1500, hint: true, keepLog: true,
	}
	for id := HostID(1); id <= HostID(hosts); id++ {
		cfg := testConfig(id, hosts, links)
		if change != nil {
			change(&cfg)
		}
		w.add(cfg)
	}
	return w
}

func (w *world) add(cfg Config) *node {
	e, err := New(w.now, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	n := &node{w: w, e: e, id: cfg.Self}
	w.nodes = append(w.nodes, n)
	n.drain()
	return n
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for range 5_000_000 {
		next := end
		for _, n := range w.nodes {
			if at := n.e.Deadline(); at.Before(next) {
				next = at
			}
		}
		if len(w.wire) > 0 && w.wire[0].at.Before(next) {
			next = w.wire[0].at
		}
		if next.After(w.now) {
			w.now = next
		}
		for len(w.wire) > 0 && !w.wire[0].at.After(w.now) {
			f := w.wire[0]
			w.wire = w.wire[1:]
			for _, n := range w.nodes {
				n.receive(f)
			}
		}
		for _, n := range w.nodes {
			n.e.Step(w.now)
			n.drain()
		}
		if !w.now.Before(end) {
			return
		}
	}
	w.t.Fatalf("the world spins at %v", w.now.Sub(epoch))
}

// until lets time pass until a condition holds.
func (w *world) until(limit time.Duration, what string, cond func() bool) {
	w.t.Helper()
	for end := w.now.Add(limit); !cond(); {
		if !w.now.Before(end) {
			w.t.Fatalf("%s did not happen within %v", what, limit)
		}
		w.run(10 * time.Millisecond)
	}
}

func (n *node) receive(f flight) {
	for _, h := range n.e.hosts {
		for _, l := range h.links {
			if l.cfg.Local == f.to {
				n.e.Receive(n.w.now, f.to, f.from, f.data)
				n.drain()
				return
			}
		}
	}
}

func (n *node) send(to HostID, data []byte) {
	n.e.Send(n.w.now, to, data)
	n.drain()
}

// drain carries out what the engine wants, until that is nothing.
func (n *node) drain() {
	for range 10_000 {
		out := n.e.Output()
		if out.Empty() {
			n.check()
			return
		}
		for i := range out.Send {
			n.w.transmit(n, &out.Send[i])
		}
		for _, u := range out.Up {
			n.got = append(n.got, bytes.Clone(u.Data))
			n.from = append(n.from, u.From)
		}
		if n.w.keepLog {
			n.events = append(n.events, out.Events...)
		}
	}
	n.w.t.Fatal("the engine never has enough")
}

// transmit puts a datagram on the wire, as kernel and network allow.
func (w *world) transmit(n *node, d *Datagram) {
	n.sends++
	w.sent++
	size := len(d.Data) + ipHeader(d.To.Addr().Is6())
	f := Failure{Local: d.Local, To: d.To, Type: d.Type, Now: true}
	if w.errno != nil {
		if f.Errno = w.errno(d); f.Errno != 0 {
			n.e.Failed(w.now, f)
			return
		}
	}
	if size > w.ifaceMTU {
		f.Errno = EMSGSIZE
		if w.hint {
			f.MTU = w.ifaceMTU
		}
		n.e.Failed(w.now, f)
		return
	}
	if size > w.pathMTU || w.rng.Float64() < w.loss || w.cut != nil && w.cut(d.Local, d.To) {
		return
	}
	w.fly(d)
	if w.rng.Float64() < w.dup {
		w.fly(d)
	}
}

func (w *world) fly(d *Datagram) {
	delay := w.delayMin
	if w.delayMax > w.delayMin {
		delay += time.Duration(w.rng.Int64N(int64(w.delayMax - w.delayMin)))
	}
	f := flight{at: w.now.Add(delay), from: d.Local, to: d.To, data: bytes.Clone(d.Data)}
	i, _ := slices.BinarySearchFunc(w.wire, f, func(a, b flight) int {
		if a.at.After(b.at) {
			return 1
		}
		return -1 // those of the same time stay in order
	})
	w.wire = slices.Insert(w.wire, i, f)
}

// check tests what holds after each call.
func (n *node) check() {
	t := n.w.t
	t.Helper()
	e := n.e
	if e.dataMTU < e.sizes.minMTU() {
		t.Fatalf("host %d: data MTU %d is below the minimum %d", n.id, e.dataMTU, e.sizes.minMTU())
	}
	for _, h := range e.hosts {
		for i, l := range h.active[:h.actives] {
			if l == nil || h.byID[l.cfg.ID] != l || !l.connected || !l.mtuValid {
				t.Fatalf("host %d: active link %d of host %d is not usable", n.id, i, h.id)
			}
			if l.mtuProven && e.dataMTU > l.mtu {
				t.Fatalf("host %d: data MTU %d is greater than link %d of host %d takes, %d", n.id, e.dataMTU, l.cfg.ID, h.id, l.mtu)
			}
		}
		for _, l := range h.links {
			if p := &l.probe; p.active && (p.good >= p.bad || p.size > maxMTU) {
				t.Fatalf("host %d: search on link %d of host %d: %+v", n.id, l.cfg.ID, h.id, *p)
			}
		}
	}
}

// log is the text of what was told, without debugging.
func (n *node) log() (out []string) {
	for i := range n.events {
		if ev := &n.events[i]; ev.Level() != LevelDebug {
			out = append(out, ev.Text())
		}
	}
	return out
}

// count is how many events of a kind were told.
func (n *node) count(kind EventKind) (c int) {
	for i := range n.events {
		if n.events[i].Kind == kind {
			c++
		}
	}
	return c
}

func (n *node) link(host HostID, id uint8) *link {
	h := n.e.host(host)
	if h == nil || h.byID[id] == nil {
		n.w.t.Fatalf("no link %d to host %d", id, host)
	}
	return h.byID[id]
}

// cutPort cuts one link.
func cutPort(port uint16) func(from, to netip.AddrPort) bool {
	return func(from, to netip.AddrPort) bool { return to.Port() == port }
}
