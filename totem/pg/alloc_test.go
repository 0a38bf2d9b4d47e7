package pg

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// loopback carries datagrams between three engines in memory that is used
// again, so that what is measured is the engines.
type loopback struct {
	now       time.Time
	eng       [3]*Engine
	ring      [256]parcel
	head      int
	count     int
	delivered int
}

type parcel struct {
	to   int
	size int
	data [2048]byte
}

func newLoopback(tb testing.TB) *loopback {
	l := &loopback{now: time.Unix(1000, 0)}
	for i := range l.eng {
		// A ring that never holds its token has something to measure.
		cfg := srp.Config{NodeID: wire.NodeID(i + 1), SeqnoUnchangedConst: 1 << 30}.WithDefaults(3)
		l.eng[i] = New(cfg, 0, rand.New(rand.NewPCG(1, uint64(i))))
		l.eng[i].Step(l.now, srp.Event{Kind: srp.EvStart})
		l.drain(i)
	}
	for range 100000 {
		l.turn()
		ring, members := l.eng[0].Ring()
		if len(members) == 3 && l.eng[2].State() == srp.Operational && ring.Seq > 0 {
			return l
		}
	}
	tb.Fatal("no ring")
	return nil
}

func (l *loopback) put(to int, data []byte) {
	p := &l.ring[(l.head+l.count)%len(l.ring)]
	if l.count == len(l.ring) {
		panic("loopback is full")
	}
	l.count++
	p.to, p.size = to, copy(p.data[:], data)
}

func (l *loopback) drain(i int) {
	for {
		o := l.eng[i].Take()
		for _, d := range o.Send {
			for to := range l.eng {
				if d.To == wire.NodeID(to+1) || d.To == 0 && to != i {
					l.put(to, d.Data)
				}
			}
		}
		for _, up := range o.Up {
			if up.View == nil {
				l.delivered++
			} else if up.View.Kind == srp.ViewRegular {
				l.eng[i].TransAck(l.now)
			}
		}
		if !o.More && len(o.Send) == 0 && len(o.Up) == 0 {
			return
		}
	}
}

// turn handles one datagram, or the timers when there is none.
func (l *loopback) turn() {
	l.now = l.now.Add(10 * time.Microsecond)
	if l.count == 0 {
		l.now = l.now.Add(time.Millisecond)
	}
	for i, e := range l.eng {
		if d := e.Deadline(); !d.IsZero() && !d.After(l.now) {
			e.Step(l.now, srp.Event{Kind: srp.EvTimer})
			l.drain(i)
		}
	}
	if l.count == 0 {
		return
	}
	p := &l.ring[l.head]
	l.head = (l.head + 1) % len(l.ring)
	l.count--
	l.eng[p.to].Step(l.now, srp.Event{Kind: srp.EvPacket, Data: p.data[:p.size]})
	l.drain(p.to)
}

var (
	small = make([]byte, 100)
	large = make([]byte, 10000)
)

func (l *loopback) load(tb testing.TB, msg []byte) {
	want := l.delivered + 3*3
	for _, e := range l.eng {
		if err := e.Mcast(l.now, GroupService, msg[:16], msg[16:]); err != nil {
			tb.Fatal(err)
		}
	}
	for l.delivered < want {
		l.turn()
	}
}

// TestMessagesAllocateNothing: once warm, neither the token nor a message, in
// one packet or in many, costs an allocation.
func TestMessagesAllocateNothing(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(l *loopback)
	}{
		{"token", func(l *loopback) { l.turn() }},
		{"small message", func(l *loopback) { l.load(t, small) }},
		{"fragmented message", func(l *loopback) { l.load(t, large) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLoopback(t)
			for range 2000 {
				tc.do(l)
			}
			if n := testing.AllocsPerRun(500, func() { tc.do(l) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func BenchmarkTokenVisit(b *testing.B) {
	l := newLoopback(b)
	b.ReportAllocs()
	for b.Loop() {
		l.turn()
	}
}

// BenchmarkMessages measures messages from three nodes delivered at three nodes.
func BenchmarkMessages(b *testing.B) {
	for _, tc := range []struct {
		name string
		msg  []byte
	}{{"100", small}, {"10000", large}} {
		b.Run(tc.name, func(b *testing.B) {
			l := newLoopback(b)
			b.ReportAllocs()
			b.SetBytes(int64(9 * len(tc.msg)))
			for b.Loop() {
				l.load(b, tc.msg)
			}
		})
	}
}
