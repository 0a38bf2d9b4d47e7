package super

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// run drives a supervisor by hand and writes its effects as text.
type run struct {
	t   *testing.T
	s   *Super
	now time.Time
	pid int
}

func begin(t *testing.T, cfg Config) *run {
	cfg.Daemons = pcmk.Daemons()
	r := &run{t: t, now: time.Unix(1000, 0), pid: 100}
	r.s = New(r.now, cfg)
	return r
}

func name(i int) string { return strings.TrimPrefix(pcmk.Daemons()[i].Program, "pacemaker-") }

// step gives an event and returns the effects; a Start is answered at once.
func (r *run) step(ev Event) string {
	r.s.Step(r.now, ev)
	var out []string
	for effects := r.s.Take(); len(effects) > 0; effects = r.s.Take() {
		for _, e := range effects {
			switch e := e.(type) {
			case Start:
				word := "start "
				if e.Respawn {
					word = "respawn "
				}
				out = append(out, word+name(e.Daemon))
				r.pid++
				r.s.Step(r.now, Started{e.Daemon, r.pid})
			case Kill:
				out = append(out, fmt.Sprintf("signal %d %s", e.Signal, name(e.Daemon)))
			case Look:
				out = append(out, fmt.Sprintf("look %s", name(e.Daemon)))
			case Panic:
				out = append(out, "panic")
			case Quit:
				out = append(out, fmt.Sprintf("quit fatal=%v", e.Fatal))
			}
		}
	}
	return strings.Join(out, ", ")
}

func (r *run) want(ev Event, want string) {
	r.t.Helper()
	if got := r.step(ev); got != want {
		r.t.Errorf("%T%+v:\n got %q\nwant %q", ev, ev, got, want)
	}
}

// dies is the end of a daemon.
func (r *run) dies(i, signal, code int) Exited {
	return Exited{Daemon: i, PID: r.s.children[i].pid, Signal: signal, Code: code, SignalName: "Killed"}
}

const startAll = "start based, start fenced, start execd, start attrd, start schedulerd, start controld"

const (
	based = iota
	fenced
	execd
	attrd
	schedulerd
	controld
)

func TestStartAndStop(t *testing.T) {
	r := begin(t, Config{})
	if r.s.State() != Init {
		t.Error(r.s.State())
	}
	r.want(Begin{}, startAll)
	if r.s.State() != Running {
		t.Error(r.s.State())
	}
	r.want(Stop{}, "signal 0 controld")
	r.want(Stop{}, "") // asked again
	for i := controld; i > 0; i-- {
		r.want(r.dies(i, 0, 0), "signal 0 "+name(i-1))
	}
	if r.s.State() != ShuttingDown {
		t.Error(r.s.State())
	}
	r.want(r.dies(based, 0, 0), "quit fatal=false")
	if r.s.State() != ShutdownComplete {
		t.Error(r.s.State())
	}
}

func TestRespawn(t *testing.T) {
	r := begin(t, Config{})
	r.step(Begin{})
	r.want(r.dies(attrd, 9, 0), "look attrd")
	r.want(Looked{Daemon: attrd, Result: Unresponsive, AfterExit: true, Cluster: true}, "respawn attrd")
	// Without corosync: only what needs no cluster.
	r.want(r.dies(execd, 9, 0), "look execd")
	r.want(Looked{Daemon: execd, Result: Unresponsive, AfterExit: true}, "respawn execd")
	r.want(r.dies(based, 0, 102), "look based")
	r.want(Looked{Daemon: based, Result: Unresponsive, AfterExit: true}, "")
	r.want(ClusterBack{}, "respawn based")
	r.want(ClusterBack{}, "")
	// It was busy and not gone: the next look of the round asks again.
	r.want(r.dies(based, 9, 0), "look based")
	r.want(Looked{Daemon: based, Result: Unresponsive, AfterExit: true}, "")
	for got := ""; got != "look based"; {
		if got = r.tick(); got == "look based" {
			break
		}
		for i := range pcmk.Daemons() {
			if got == "look "+name(i) {
				r.step(Looked{Daemon: i, Tracked: r.s.children[i].pid, PID: r.s.children[i].pid, Result: Alive})
			}
		}
	}
	r.want(Looked{Daemon: based, Result: Unresponsive}, "look based")
	r.want(Looked{Daemon: based, Result: Unresponsive, AfterExit: true, Cluster: true}, "respawn based")
	// Somebody else serves its socket.
	r.want(r.dies(fenced, 9, 0), "look fenced")
	r.want(Looked{Daemon: fenced, PID: 77, Result: Alive, AfterExit: true, Cluster: true}, "")
	if c := r.s.children[fenced]; c.pid != 77 || !c.adopted {
		t.Errorf("%+v", c)
	}
}

func TestRespawnLimit(t *testing.T) {
	r := begin(t, Config{})
	r.step(Begin{})
	for i := range 150 {
		got := r.step(r.dies(attrd, 9, 0))
		if i < 100 && got != "look attrd" || i >= 100 && got != "" {
			t.Fatalf("end %d: %q", i+1, got)
		}
		if got == "" {
			return
		}
		r.want(Looked{Daemon: attrd, Result: Unresponsive, AfterExit: true, Cluster: true}, "respawn attrd")
	}
	t.Fatal("no limit")
}

func TestExitCodes(t *testing.T) {
	r := begin(t, Config{})
	r.step(Begin{})
	r.want(r.dies(schedulerd, 0, int(pcmk.ExitFatal)), "signal 0 controld")
	for _, i := range []int{controld, attrd, execd, fenced} {
		r.step(r.dies(i, 0, 0))
	}
	r.want(r.dies(based, 0, 0), "quit fatal=true")

	r = begin(t, Config{})
	r.step(Begin{})
	r.want(r.dies(controld, 0, int(pcmk.ExitPanic)), "panic, signal 0 schedulerd")

	r = begin(t, Config{FailFast: true})
	r.step(Begin{})
	r.want(r.dies(attrd, 0, 1), "panic")
}

// tick lets the time pass to the next deadline.
func (r *run) tick() string {
	r.now = r.s.Deadline()
	return r.step(nil)
}

func TestLooks(t *testing.T) {
	r := begin(t, Config{})
	r.step(Begin{})
	for round := range 2 {
		for i := range pcmk.Daemons() {
			if got := r.tick(); got != "look "+name(i) {
				t.Fatalf("round %d: %q", round, got)
			}
			if !r.s.Deadline().IsZero() {
				t.Fatal("one look at a time")
			}
			pid := r.s.children[i].pid
			r.want(Looked{Daemon: i, Tracked: pid, PID: pid, Result: Alive}, "")
			if r.s.LastGood() != r.now {
				t.Error("progress")
			}
		}
	}
	// A hanging daemon is killed the fifth time it does not answer.
	for i := range 5 * len(pcmk.Daemons()) {
		d := i % len(pcmk.Daemons())
		r.tick()
		ev := Looked{Daemon: d, Tracked: r.s.children[d].pid, Result: Alive}
		if d == fenced {
			ev.Result = PIDOnly
		}
		want := ""
		if d == fenced && i/len(pcmk.Daemons()) == 4 {
			want = "signal 1 fenced"
		}
		r.want(ev, want)
	}
	// Another process answers in its place.
	r.tick()
	r.want(Looked{Daemon: based, Tracked: r.s.children[based].pid, PID: 5, Result: Alive}, "signal 1 based")
	if r.s.children[based].pid != 5 {
		t.Error("not adopted")
	}
}

func TestDaemonsThatRanBefore(t *testing.T) {
	r := begin(t, Config{})
	for i := range pcmk.Daemons() {
		r.want(Found{i, 10 + i}, "")
	}
	r.want(Begin{}, "")
	r.tick()
	r.want(Looked{Daemon: based, Tracked: 10, Result: Unresponsive}, "look based")
	r.want(Looked{Daemon: based, Result: Unresponsive, AfterExit: true, Cluster: true}, "respawn based")
}

func TestStopEscalates(t *testing.T) {
	r := begin(t, Config{})
	r.step(Begin{})
	r.step(Stop{})
	r.now = r.now.Add(time.Hour) // the controller moves resources
	if got := r.step(nil); got != "look based" {
		t.Errorf("%q", got)
	}
	r.want(r.dies(controld, 0, 0), "signal 0 schedulerd")
	r.now = r.now.Add(3 * time.Minute)
	if got := r.step(nil); !strings.HasPrefix(got, "signal 2 schedulerd") {
		t.Errorf("%q", got)
	}
}

func TestSBD(t *testing.T) {
	r := begin(t, Config{SBD: true, SBDSync: true})
	r.want(Begin{}, "")
	if r.s.State() != WaitForPing {
		t.Error(r.s.State())
	}
	r.want(SBDPing{}, startAll)
	r.want(SBDPing{}, "")
	r.step(Stop{})
	for i := controld; i >= 0; i-- {
		r.step(r.dies(i, 0, 0))
	}
	if r.s.State() != ShutdownComplete {
		t.Error(r.s.State())
	}
	r.want(SBDGone{}, "quit fatal=false")
}

// TestRandomLives checks that no daemon is started twice at a time and that a
// stop always comes to its end.
func TestRandomLives(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := New(time.Unix(0, 0), Config{Daemons: pcmk.Daemons()})
		now, pid := time.Unix(0, 0), 0
		alive := map[int]int{} // pid to daemon
		var looks []Look
		quit := false
		s.Step(now, Begin{})
		for step := 0; !quit; step++ {
			if step > 5000 {
				t.Fatalf("seed %d: no end", seed)
			}
			for _, e := range s.Take() {
				switch e := e.(type) {
				case Start:
					for _, d := range alive {
						if d == e.Daemon {
							t.Fatalf("seed %d: %s started twice", seed, name(d))
						}
					}
					pid++
					alive[pid] = e.Daemon
					s.Step(now, Started{e.Daemon, pid})
				case Kill:
					if d, ok := alive[e.PID]; ok {
						delete(alive, e.PID)
						s.Step(now, Exited{Daemon: d, PID: e.PID, Signal: 15})
					}
				case Look:
					looks = append(looks, e)
				case Quit:
					if len(alive) > 0 {
						t.Fatalf("seed %d: ends with %v alive", seed, alive)
					}
					quit = true
				}
			}
			switch k := rng.IntN(10); {
			case k == 0 && step > 100:
				s.Step(now, Stop{})
			case k < 3:
				for p, d := range alive {
					delete(alive, p)
					s.Step(now, Exited{Daemon: d, PID: p, Code: 1})
					break
				}
			case k < 7 && len(looks) > 0:
				l := looks[0]
				looks = looks[1:]
				ev := Looked{Daemon: l.Daemon, Tracked: l.Tracked, Result: Unresponsive, AfterExit: l.AfterExit, Cluster: rng.IntN(3) > 0}
				for p, d := range alive {
					if d == l.Daemon {
						ev.Result, ev.PID = Alive, p
					}
				}
				s.Step(now, ev)
			case k == 7:
				s.Step(now, ClusterBack{})
			default:
				if at := s.Deadline(); at.After(now) {
					now = at
				}
				s.Step(now, nil)
			}
		}
	}
}
