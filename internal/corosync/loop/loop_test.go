package loop

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// start runs a loop in the background and returns how to end it.
func start(t *testing.T, l *Loop) (wait func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	return func() {
		t.Helper()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
		case <-time.After(10 * time.Second):
			t.Fatal("the loop did not stop")
		}
	}
}

func newLoop(t *testing.T) *Loop {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTimersFireInOrder(t *testing.T) {
	l := newLoop(t)
	var got []int
	for _, ms := range []int{30, 10, 20, 5, 25} {
		l.After(time.Duration(ms)*time.Millisecond, func() { got = append(got, ms) })
	}
	stopped := l.After(15*time.Millisecond, func() { got = append(got, -1) })
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop tells whether the timer was pending")
	}
	l.After(40*time.Millisecond, l.Stop)
	start(t, l)()
	if want := []int{5, 10, 20, 25, 30}; !slices.Equal(got, want) {
		t.Errorf("fired %v, want %v", got, want)
	}
}

// TestTimerHeap compares the heap with a sorted list under random arming,
// re-arming and stopping.
func TestTimerHeap(t *testing.T) {
	l := newLoop(t)
	defer l.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	timers := make([]*Timer, 200)
	for i := range timers {
		timers[i] = l.NewTimer(func() {})
	}
	for range 5000 {
		tm := timers[rng.IntN(len(timers))]
		if rng.IntN(3) == 0 {
			tm.Stop()
		} else {
			tm.Reset(l.now.Add(time.Duration(rng.IntN(1000)) * time.Millisecond))
		}
		var least time.Time
		for _, tm := range timers {
			if tm.pos >= 0 && (least.IsZero() || tm.at.Before(least)) {
				least = tm.at
			}
		}
		if len(l.timers) > 0 && !l.timers[0].at.Equal(least) {
			t.Fatalf("top of the heap is %v, the earliest timer %v", l.timers[0].at, least)
		}
	}
}

// TestPriority: in one turn the ring's socket is served before a client's.
func TestPriority(t *testing.T) {
	l := newLoop(t)
	var got []string
	var fds []int
	for _, c := range []struct {
		name string
		pri  Priority
	}{{"client", Low}, {"ring", High}} {
		fd, err := unix.Eventfd(1, unix.EFD_NONBLOCK)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
		err = l.Add(fd, Readable, c.pri, func(uint32) {
			got = append(got, c.name)
			l.Remove(fd)
			if len(got) == 2 {
				l.Stop()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	start(t, l)()
	for _, fd := range fds {
		unix.Close(fd)
	}
	if want := []string{"ring", "client"}; !slices.Equal(got, want) {
		t.Errorf("served %v, want %v", got, want)
	}
}

// TestReusedDescriptor: a handler that closes another ready descriptor and
// opens a new one under the same number must not see the old one's event.
func TestReusedDescriptor(t *testing.T) {
	l := newLoop(t)
	a, _ := unix.Eventfd(1, unix.EFD_NONBLOCK)
	b, _ := unix.Eventfd(1, unix.EFD_NONBLOCK)
	stale := false
	l.Add(b, Readable, Low, func(uint32) { t.Error("the removed handler ran") })
	l.Add(a, Readable, High, func(uint32) {
		l.Remove(b)
		unix.Close(b)
		c, _ := unix.Eventfd(0, unix.EFD_NONBLOCK)
		if c != b {
			t.Skipf("the kernel gave %d, not %d, again", c, b)
		}
		l.Add(c, Readable, Low, func(uint32) { stale = true })
		l.Remove(a)
		l.After(10*time.Millisecond, l.Stop)
	})
	start(t, l)()
	if stale {
		t.Error("the new descriptor saw the event of the old one")
	}
}

func TestPostFromOthers(t *testing.T) {
	l := newLoop(t)
	n := 0
	wait := start(t, l)
	for range 4 {
		go func() {
			for range 100 {
				l.Post(func() {
					if n++; n == 400 {
						l.Stop()
					}
				})
			}
		}()
	}
	wait()
	if n != 400 {
		t.Errorf("%d of 400 posted functions ran", n)
	}
}

func TestTimerResetAllocatesNothing(t *testing.T) {
	l := newLoop(t)
	defer l.Close()
	tm := l.NewTimer(func() {})
	tm.Reset(l.now)
	if n := testing.AllocsPerRun(100, func() { tm.Reset(l.now.Add(time.Second)) }); n != 0 {
		t.Errorf("Reset allocates %v times", n)
	}
}

// TestOthersRunBesideBusyLoop: a loop that always has something to do and makes no
// ordinary system call leaves the runtime's poller to others. Here the kernel gives a
// file something to read, and the loop its work, while the whole process sleeps.
func TestOthersRunBesideBusyLoop(t *testing.T) {
	alarm := func(first, every time.Duration) *os.File {
		fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(first)), Interval: unix.NsecToTimespec(int64(every))}
		if err := unix.TimerfdSettime(fd, 0, &at, nil); err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), "timerfd")
		t.Cleanup(func() { f.Close() })
		return f
	}
	l := newLoop(t)
	work := alarm(50*time.Millisecond, time.Microsecond) // always readable from then on
	if err := l.Add(int(work.Fd()), Readable, High, func(uint32) {}); err != nil {
		t.Fatal(err)
	}
	other := alarm(100*time.Millisecond, 0)
	deadline := time.Now().Add(5 * time.Second)
	if err := other.SetReadDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	wait := start(t, l)
	var b [8]byte
	_, err := other.Read(b[:])
	late := !time.Now().Before(deadline) // then it may have been woken by that
	l.Stop()
	wait()
	if err != nil || late {
		t.Errorf("a file that is readable after 100 ms was not read for 5 s (%v)", err)
	}
}
