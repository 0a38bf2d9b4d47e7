package sync

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/service"
)

// recorder is a service that notes its calls. busy rounds of SyncProcess
// answer false.
type recorder struct {
	name string
	busy int
	out  *[]string
}

func (r *recorder) note(format string, args ...any) {
	*r.out = append(*r.out, r.name+" "+fmt.Sprintf(format, args...))
}
func (r *recorder) SyncInit(trans, members []uint32, ring service.RingID) {
	r.note("init trans=%d members=%d ring=%d.%d", trans, members, ring.Rep, ring.Seq)
}
func (r *recorder) SyncProcess() bool {
	r.note("process")
	r.busy--
	return r.busy < 0
}
func (r *recorder) SyncActivate() { r.note("activate") }
func (r *recorder) SyncAbort()    { r.note("abort") }

func layer(out *[]string, ids ...service.ID) (*Layer, map[service.ID]*recorder) {
	var engines []*service.Engine
	recs := map[service.ID]*recorder{}
	for _, id := range ids {
		r := &recorder{name: fmt.Sprint(id), out: out}
		recs[id] = r
		engines = append(engines, &service.Engine{ID: id, Sync: r})
	}
	return New(engines, nil), recs
}

func take(t *testing.T, l *Layer) []byte {
	t.Helper()
	m := l.Pending()
	if m == nil {
		t.Fatal("nothing pending")
	}
	l.Sent()
	return m
}

func want(t *testing.T, got *[]string, lines ...string) {
	t.Helper()
	if !slices.Equal(*got, lines) {
		t.Fatalf("calls:\n  %s\nwant:\n  %s", strings.Join(*got, "\n  "), strings.Join(lines, "\n  "))
	}
	*got = nil
}

var ring = service.RingID{Rep: 1, Seq: 8}

// TestRound: two nodes, the peer has a service (5) that is not here.
func TestRound(t *testing.T) {
	var calls []string
	l, recs := layer(&calls, 2, 3)
	recs[3].busy = 1
	l.Transitional([]uint32{1})
	l.Regular([]uint32{2, 1}, ring)
	want(t, &calls, "2 init trans=[1] members=[1 2] ring=1.8", "3 init trans=[1] members=[1 2] ring=1.8")

	own := take(t, l)
	l.TokenHandled()
	want(t, &calls) // no process before all SERVICE_BUILD are there
	l.Deliver(1, own)
	l.Deliver(2, appendServiceBuild(nil, ring, []service.ID{2, 3, 5}))
	l.TokenHandled()
	want(t, &calls, "2 process")

	if l.Deliver(2, appendBarrier(nil, ring)) || l.Deliver(1, take(t, l)) {
		t.Fatal("completed after the first of three services")
	}
	want(t, &calls, "2 activate")

	l.TokenHandled() // busy once
	if l.Pending() != nil {
		t.Fatal("barrier while the service still sends")
	}
	l.TokenHandled()
	want(t, &calls, "3 process", "3 process")
	l.Deliver(1, take(t, l))
	want(t, &calls)
	l.Deliver(2, appendBarrier(nil, ring))
	want(t, &calls, "3 activate")

	l.TokenHandled() // service 5: barriers only
	l.Deliver(1, take(t, l))
	if !l.Running() {
		t.Fatal("completed too early")
	}
	if !l.Deliver(2, appendBarrier(nil, ring)) || l.Running() {
		t.Fatal("not completed")
	}
	want(t, &calls)
}

func TestPendingStaysUntilSent(t *testing.T) {
	var calls []string
	l, _ := layer(&calls, 2)
	l.Regular([]uint32{1}, ring)
	first := bytes.Clone(l.Pending())
	l.TokenHandled()
	if !bytes.Equal(l.Pending(), first) {
		t.Fatal("the pending message changed before it was sent")
	}
}

func TestNoServices(t *testing.T) {
	l := New([]*service.Engine{{ID: 1}}, nil)
	l.Regular([]uint32{1}, ring)
	if !l.Deliver(1, take(t, l)) || l.Running() {
		t.Fatal("a round without services completes at the last SERVICE_BUILD")
	}
}

// TestAbort aborts in each phase; only the current service is told, in the
// barrier phase too (upstream fix 2ab885ab), and once though a change comes as
// two configurations.
func TestAbort(t *testing.T) {
	for _, phase := range []string{"build", "process", "barrier", "second process", "completed"} {
		t.Run(phase, func(t *testing.T) {
			var calls []string
			l, _ := layer(&calls, 2, 3)
			reached := advance(t, l, phase)
			calls = nil
			l.Transitional([]uint32{1})
			l.Regular([]uint32{1}, service.RingID{Rep: 1, Seq: 12})
			inits := []string{"2 init trans=[1] members=[1] ring=1.12", "3 init trans=[1] members=[1] ring=1.12"}
			want(t, &calls, append(reached, inits...)...)
			// A message of the aborted ring that is delivered late.
			l.Deliver(1, appendServiceBuild(nil, ring, []service.ID{2, 3}))
			l.TokenHandled()
			want(t, &calls)
		})
	}
}

// advance runs a two-node round up to a phase and returns the abort calls that
// a change then causes.
func advance(t *testing.T, l *Layer, phase string) []string {
	l.Regular([]uint32{1, 2}, ring)
	own := take(t, l)
	if phase == "build" {
		return nil
	}
	l.Deliver(1, own)
	l.Deliver(2, appendServiceBuild(nil, ring, []service.ID{2, 3}))
	for _, svc := range []string{"2", "3"} {
		if svc == "2" && phase == "process" || svc == "3" && phase == "second process" {
			return []string{svc + " abort"}
		}
		l.TokenHandled()
		if svc == "2" && phase == "barrier" {
			return []string{"2 abort"}
		}
		l.Deliver(1, take(t, l))
		l.Deliver(2, appendBarrier(nil, ring))
	}
	return nil
}

// TestTransitionalMembers: node 3 is gone for one interrupted round and back
// in the next; the services are told that it did not come along.
func TestTransitionalMembers(t *testing.T) {
	var calls []string
	l, _ := layer(&calls, 2)
	complete := func(members ...uint32) {
		for _, m := range members {
			l.Deliver(m, appendServiceBuild(nil, l.ring, []service.ID{2}))
		}
		l.TokenHandled()
		for _, m := range members {
			l.Deliver(m, appendBarrier(nil, l.ring))
		}
		if l.Running() {
			t.Fatal("not completed")
		}
	}
	// Before the first completed round the last change alone counts.
	l.Transitional(nil)
	l.Regular([]uint32{1}, ring)
	l.Transitional([]uint32{1})
	l.Regular([]uint32{1, 2, 3}, ring)
	want(t, &calls, "2 init trans=[] members=[1] ring=1.8", "2 init trans=[1] members=[1 2 3] ring=1.8")
	complete(1, 2, 3)
	calls = nil

	l.Transitional([]uint32{1, 2})
	l.Regular([]uint32{1, 2}, ring)
	l.Transitional([]uint32{1, 2})
	l.Regular([]uint32{1, 2, 3}, ring)
	l.Transitional([]uint32{1, 2, 3})
	l.Regular([]uint32{1, 2, 3}, ring)
	want(t, &calls, "2 init trans=[1 2] members=[1 2] ring=1.8",
		"2 init trans=[1 2] members=[1 2 3] ring=1.8", "2 init trans=[1 2] members=[1 2 3] ring=1.8")
	complete(1, 2, 3)
	calls = nil
	l.Transitional([]uint32{1, 2, 3})
	l.Regular([]uint32{1, 2, 3}, ring)
	want(t, &calls, "2 init trans=[1 2 3] members=[1 2 3] ring=1.8")
}

// TestBadMessages: none changes anything.
func TestBadMessages(t *testing.T) {
	var calls []string
	l, _ := layer(&calls, 2)
	l.Regular([]uint32{1, 2}, ring)
	calls = nil
	good := appendServiceBuild(nil, ring, []service.ID{2})
	for i := range good {
		l.Deliver(2, good[:i])
	}
	many := bytes.Clone(good)
	copy(many[32:], []byte{0xff, 0xff, 0xff, 0xff})
	l.Deliver(2, many)
	l.Deliver(7, good)                                                    // not a member
	l.Deliver(2, appendBarrier(nil, ring))                                // before SERVICE_BUILD
	l.Deliver(2, appendBarrier([]byte{}, service.RingID{Rep: 1, Seq: 4})) // old ring
	l.Deliver(1, good)
	l.TokenHandled()
	want(t, &calls)
	if l.Dropped() == 0 {
		t.Fatal("nothing was counted as dropped")
	}
}

// Captured from a ring of Corosync 3.1.7 over udpu: barrier and service list
// (services 0, 2, 3, 5) of ring 10.78.0.1 / 5.
const (
	goldenBarrier = "0000000000000000200000000000000001004e0a050000000000000000000000"
	goldenBuild   = "0100000000000000280200000000000001004e0a0500000000000000000000000400000000000000" + "00000000020000000300000005000000"
)

func unhex(t testing.TB, s string, size int) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, make([]byte, size-len(b))...)
}

func TestGolden(t *testing.T) {
	captured := service.RingID{Rep: 0x0a4e0001, Seq: 5}
	if got := appendBarrier(nil, captured); !bytes.Equal(got, unhex(t, goldenBarrier, barrierSize)) {
		t.Errorf("barrier: %x", got)
	}
	list := []service.ID{0, 2, 3, 5}
	build := unhex(t, goldenBuild, serviceBuildSize)
	if got := appendServiceBuild(nil, captured, list); !bytes.Equal(got, build) {
		t.Errorf("service build: %x", got)
	}
	m, err := parse(build)
	if err != nil || !m.build || m.ring != captured || !slices.Equal(m.services, list) {
		t.Errorf("parsed %+v, %v", m, err)
	}
}

// swap turns a message into that of a sender of the other byte order.
func swap(b []byte) []byte {
	b = bytes.Clone(b)
	rev := func(lo, hi int) { slices.Reverse(b[lo:hi]) }
	rev(0, 4)
	rev(8, 12)
	rev(16, 20)
	rev(20, 28)
	for i := 32; i+4 <= len(b); i += 4 {
		rev(i, i+4)
	}
	return b
}

func TestOtherByteOrder(t *testing.T) {
	list := []service.ID{0, 2, 3, 5}
	for _, b := range [][]byte{appendServiceBuild(nil, ring, list), appendBarrier(nil, ring)} {
		ours, err1 := parse(b)
		theirs, err2 := parse(swap(b))
		if err1 != nil || err2 != nil || ours.build != theirs.build || ours.ring != theirs.ring ||
			!slices.Equal(ours.services, theirs.services) {
			t.Errorf("%+v (%v) and swapped %+v (%v)", ours, err1, theirs, err2)
		}
	}
}

func FuzzDeliver(f *testing.F) {
	f.Add(unhex(f, goldenBarrier, barrierSize))
	f.Add(unhex(f, goldenBuild, serviceBuildSize))
	f.Add(swap(unhex(f, goldenBuild, serviceBuildSize)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var calls []string
		l, _ := layer(&calls, 2, 5)
		l.Regular([]uint32{1, 2}, service.RingID{Rep: 0x0a4e0001, Seq: 5})
		for range 3 {
			l.Deliver(1, b)
			l.Deliver(2, b)
			l.TokenHandled()
		}
		if len(l.list) > serviceIDMax {
			t.Fatalf("%d services", len(l.list))
		}
	})
}
