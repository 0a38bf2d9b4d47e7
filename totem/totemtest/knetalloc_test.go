package totemtest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/knet"
	"github.com/pacesync/pacesync/totem/pg"
	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// stack3 is three nodes with ring and knet over two links, on a network of memory
// that is used again.
type stack3 struct {
	now       time.Time
	eng       [3]*pg.Engine
	knet      [3]*knet.Engine
	ring      [1024]parcel
	head, n   int
	own       [3][]byte // the token of a ring of one
	delivered int
}

type parcel struct {
	from, to int
	link     uint8
	size     int
	data     [2048]byte
}

func newStack3(t testing.TB) *stack3 {
	s := &stack3{now: epoch}
	w := NewWorld()
	w.plan = &Plan{IDs: []wire.NodeID{1, 2, 3}, Knet: &KnetPlan{
		Links: 2, Policy: knet.PolicyActive, PingInterval: 250 * ms, PongTimeout: 500 * ms, PongCount: 2, PMTUDInterval: time.Hour}}
	for i := range s.eng {
		n := newNode(i, wire.NodeID(i+1))
		k, err := knet.New(s.now, w.knetConfig(&n))
		if err != nil {
			t.Fatal(err)
		}
		s.knet[i] = k
		cfg := srp.Config{NodeID: wire.NodeID(i + 1), NetMTU: 4000, SeqnoUnchangedConst: 1 << 30}.WithDefaults(3)
		s.eng[i] = pg.New(cfg, 0, rand.New(rand.NewPCG(1, uint64(i))))
		s.eng[i].Step(s.now, srp.Event{Kind: srp.EvStart})
		s.drain(i)
	}
	for range 400_000 {
		s.turn()
		if _, members := s.eng[0].Ring(); len(members) == 3 && s.eng[2].State() == srp.Operational && s.knet[0].MTU() == 1446 {
			return s
		}
	}
	t.Fatal("no ring")
	return nil
}

// drain carries out what a ring wants.
func (s *stack3) drain(i int) {
	for {
		o := s.eng[i].Take()
		for _, d := range o.Send {
			if d.To == wire.NodeID(i+1) {
				s.own[i] = append(s.own[i][:0], d.Data...)
			} else {
				s.knet[i].Send(s.now, knet.HostID(d.To), d.Data)
			}
		}
		for _, up := range o.Up {
			if up.View == nil {
				s.delivered++
			} else if up.View.Kind == srp.ViewRegular {
				s.eng[i].TransAck(s.now)
			}
		}
		if !o.More && len(o.Send) == 0 && len(o.Up) == 0 {
			return
		}
	}
}

// work carries out what an engine of knet wants.
func (s *stack3) work(i int) {
	out := s.knet[i].Output()
	for _, u := range out.Up {
		s.eng[i].Step(s.now, srp.Event{Kind: srp.EvPacket, Data: u.Data})
		s.drain(i)
	}
	for j := range out.Send {
		d := &out.Send[j]
		if len(d.Data)+ipOverhead > 1500 {
			s.knet[i].Failed(s.now, knet.Failure{Local: d.Local, To: d.To, Type: d.Type, Errno: knet.EMSGSIZE, MTU: 1500, Now: true})
			continue
		}
		if s.n == len(s.ring) {
			panic("the network is full")
		}
		p := &s.ring[(s.head+s.n)%len(s.ring)]
		s.n++
		p.from, p.to, p.link = i, int(d.To.Addr().As4()[3])-1, d.Link
		p.size = copy(p.data[:], d.Data)
	}
}

// turn handles one packet, and what is due.
func (s *stack3) turn() {
	s.now = s.now.Add(10 * time.Microsecond)
	if s.n == 0 {
		s.now = s.now.Add(time.Millisecond)
	} else {
		p := &s.ring[s.head]
		s.head, s.n = (s.head+1)%len(s.ring), s.n-1
		s.knet[p.to].Receive(s.now, knetAddr(p.to, p.link), knetAddr(p.from, p.link), p.data[:p.size])
		s.work(p.to)
	}
	for i, e := range s.eng {
		if len(s.own[i]) > 0 {
			e.Step(s.now, srp.Event{Kind: srp.EvPacket, Data: s.own[i]})
			s.own[i] = s.own[i][:0]
			s.drain(i)
		}
		if d := e.Deadline(); !d.IsZero() && !d.After(s.now) {
			e.Step(s.now, srp.Event{Kind: srp.EvTimer})
			s.drain(i)
		}
		s.knet[i].Step(s.now)
		for range 4 {
			s.work(i)
		}
	}
}

// TestRingOverKnetAllocatesNothing: tokens and messages of one packet and of several,
// from one node's queue to the others' delivery, over two links of knet.
func TestRingOverKnetAllocatesNothing(t *testing.T) {
	s := newStack3(t)
	small, large := make([]byte, 200), make([]byte, 9000)
	turn := 0
	step := func() {
		for i, e := range s.eng {
			body := small
			if (turn+i)%8 == 0 {
				body = large
			}
			if turn%50 == i && e.Room(len(body)) {
				if err := e.Mcast(s.now, pg.GroupService, nil, body); err != nil {
					t.Fatal(err)
				}
				s.drain(i)
			}
		}
		s.turn()
		turn++
	}
	for range 20_000 {
		step()
	}
	before := s.delivered
	if got := testing.AllocsPerRun(5000, step); got != 0 {
		t.Errorf("%v allocations per packet", got)
	}
	if s.delivered-before < 100 {
		t.Errorf("%d messages were delivered meanwhile", s.delivered-before)
	}
}
