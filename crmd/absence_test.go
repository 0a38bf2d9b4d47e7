package crmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func quiet() *Controller { return New(Options{Log: slog.New(slog.DiscardHandler)}) }

// drain does what is due on the controller's loop.
func drain(c *Controller) {
	for {
		synctest.Wait()
		select {
		case f := <-c.events:
			f()
		default:
			return
		}
	}
}

// manager is a CIB manager that is killed and started again: what it has carried out
// is replicated and stays.
type manager struct {
	down  bool
	links []*link
	done  []string // requests carried out
}

type link struct {
	m     *manager
	calls []client.Call
	next  int // the first that is not carried out
	told  func(client.Event)
}

func (l *link) Send(q client.Call) int {
	l.calls = append(l.calls, q)
	return len(l.calls)
}
func (l *link) Pump(f func(client.Event)) { l.told = f }
func (l *link) Flush(context.Context)     {}
func (l *link) Close() error              { return nil }

func (m *manager) dial(context.Context) (cibLink, error) {
	if m.down {
		return nil, errors.New("refused")
	}
	m.links = append(m.links, &link{m: m})
	return m.links[len(m.links)-1], nil
}

// work carries out the next request; an answer may be lost with the daemon.
func (m *manager) work(answer bool) {
	if len(m.links) == 0 || m.down {
		return
	}
	l := m.links[len(m.links)-1]
	if l.next == len(l.calls) || l.told == nil {
		return
	}
	l.next++
	m.done = append(m.done, l.calls[l.next-1].Data.ID())
	if answer {
		l.told(client.Event{Kind: client.Reply, ID: l.next, RC: pcmk.OK})
	}
}

func (m *manager) kill() {
	m.down = true
	l := m.links[len(m.links)-1]
	l.told(client.Event{Kind: client.Lost, Err: errors.New("killed")})
}

// TestCIBManagerKilled: whenever the CIB manager is killed, each request is answered
// once, by its own number, and what was asked later is done later.
func TestCIBManagerKilled(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			c, m := quiet(), &manager{}
			defer c.attrd.close()
			c.cib.dial = m.dial
			c.cib.connect()
			drain(c)
			answers := map[int]int{} // by number of the call
			asked := 0
			for range 60 {
				switch rng.IntN(6) {
				case 0:
					if !m.down {
						m.work(false)
						m.kill()
					}
				case 1:
					m.down = false
				case 2, 3:
					asked++
					call := 0
					call = c.cib.modify("status", xmltree.New("node_state", xmltree.Attr{Name: "id", Value: fmt.Sprint(asked)}), cibAnon, func(r cibResult) {
						answers[call]++
						if r.call != call || !r.ok() {
							t.Errorf("seed %d: request %d: answer %+v", seed, call, r)
						}
					})
				default:
					m.work(true)
				}
				drain(c)
				time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
				drain(c)
			}
			m.down = false
			time.Sleep(time.Second)
			drain(c)
			for range 200 {
				m.work(true)
				drain(c)
			}
			at := -1
			for i := 1; i <= asked; i++ { // of those carried out twice the last time counts
				was := at
				for k, id := range m.done {
					if id == fmt.Sprint(i) {
						at = k
					}
				}
				if at <= was {
					t.Errorf("seed %d: request %d was not carried out after %d: %v", seed, i, i-1, m.done)
				}
			}
			if len(answers) != asked || c.cib.pending() != 0 {
				t.Errorf("seed %d: %d asked, %d answered, %d pending", seed, asked, len(answers), c.cib.pending())
			}
			for call, n := range answers {
				if n != 1 {
					t.Errorf("seed %d: request %d was answered %d times", seed, call, n)
				}
			}
			c.cib.close()
			drain(c)
		})
	}
}

// TestCIBManagerGone: one that does not come back is what it is in the original.
func TestCIBManagerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m := quiet(), &manager{}
		defer c.attrd.close()
		c.cib.dial = m.dial
		c.cib.connect()
		drain(c)
		m.kill()
		drain(c)
		for range 100 {
			time.Sleep(cibReturn / 100)
			drain(c)
		}
		if c.fsa.Queued() != 0 || !c.cib.connected() {
			t.Fatalf("gave up within %v", cibReturn)
		}
		time.Sleep(time.Second)
		drain(c)
		if c.fsa.Queued() != 1 || c.cib.connected() {
			t.Errorf("%d inputs", c.fsa.Queued())
		}
	})
}

// TestAbsence: who is waited for, and how long.
func TestAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := quiet()
		defer c.attrd.close()
		p := &crmcluster.Peer{ID: 2, Name: "n2", State: crmcluster.Member, Online: true, Expected: "member"}
		left := func(what string, want time.Duration) {
			t.Helper()
			c.vanished(p)
			if got := c.graceLeft(); got != want {
				t.Errorf("%s: waited for %v, want %v", what, got, want)
			}
		}
		left("it is there", 0)
		p.Online = false
		left("its controller crashed", respawnGrace)
		time.Sleep(respawnGrace / 2)
		if got := c.graceLeft(); got != respawnGrace/2 {
			t.Errorf("%v", got)
		}
		p.Online = true
		left("it is back", 0)
		p.Online, p.Expected = false, ""
		left("a member that no DC told of", respawnGrace)
		p.State = crmcluster.Unknown
		left("the membership is not known yet", respawnGrace)
		p.State = crmcluster.Gone
		left("its node is lost", 0)
		p.State, p.Expected = crmcluster.Member, "down"
		left("it said goodbye", 0)
		time.Sleep(absencePeriod)
		for i := range maxAbsences + 2 {
			want := respawnGrace
			if i >= maxAbsences {
				want = 0
			}
			p.Online, p.Expected = false, "member"
			left(fmt.Sprintf("it crashes time and again, %d", i), want)
			p.Online = true
			left("it is back", 0)
		}
	})
}

// TestExecutorGone: which errors mean that the executor is gone, so that what it was
// asked is neither done nor failed.
func TestExecutorGone(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{fmt.Errorf("request: %w", unix.ENOTCONN), true},
		{fmt.Errorf("request: %w", unix.EPIPE), true},
		{fmt.Errorf("request: %w", unix.EMSGSIZE), false},
		{fmt.Errorf("answer: %w", unix.ENOMSG), false},
		{fmt.Errorf("lrmd: exec: %w", pcmk.RC(unix.ENOTCONN)), false}, // it says so itself
		{context.DeadlineExceeded, false},
	} {
		if got := gone(tc.err); got != tc.want {
			t.Errorf("%v: %v", tc.err, got)
		}
	}
}
