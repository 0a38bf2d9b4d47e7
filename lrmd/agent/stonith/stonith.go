// Package stonith runs the operations of fence devices through the fencer:
// start registers the device and tries it, stop takes it away, monitor tries
// it. The executor is its only caller.
//
// It replaces the stonith half of daemons/execd/execd_commands.c.
package stonith

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/pacesync/pacesync/fencing/client"
	fwire "github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/agent"
)

// Connecting to the fencer, which may be starting (stonith_api_connect_retry).
const (
	attempts = 10
	pause    = 2 * time.Second
)

// Manager is the connection to the fencer, made when it is first needed. Safe
// for concurrent use.
type Manager struct {
	Name string // of our program
	// Lost is called when a connection has ended, before the operations that wait for
	// the fencer end. Note gets what an operator should know.
	Lost func()
	Note func(text string)

	dialing sync.Mutex
	mu      sync.Mutex
	conn    *client.Client
	waiting map[int]chan fwire.Result
}

func (m *Manager) note(text string) {
	if m.Note != nil {
		m.Note(text)
	}
}

// connect returns the connection, waiting for a fencer that is not there yet.
func (m *Manager) connect(ctx context.Context) (*client.Client, error) {
	m.dialing.Lock()
	defer m.dialing.Unlock()
	m.mu.Lock()
	c := m.conn
	m.mu.Unlock()
	if c != nil {
		return c, nil
	}
	for i := 1; ; i++ {
		c, err := client.Dial(ctx, m.Name)
		if err == nil {
			m.mu.Lock()
			m.conn, m.waiting = c, map[int]chan fwire.Result{}
			m.mu.Unlock()
			c.Events(func(ev client.Event) { m.event(c, ev) })
			return c, nil
		}
		if i == attempts {
			m.note("Could not connect to fencer in 10 attempts: " + err.Error())
			return nil, err
		}
		m.note("Fencer connection attempt failed (retrying in 2s): " + err.Error())
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (m *Manager) event(c *client.Client, ev client.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != c {
		return
	}
	switch ev := ev.(type) {
	case client.Reply:
		if ch := m.waiting[ev.Call]; ch != nil {
			delete(m.waiting, ev.Call)
			ch <- ev.Result
			return
		}
		// The answer may be here before the one who asked has noted the number.
		ch := make(chan fwire.Result, 1)
		ch <- ev.Result
		m.waiting[ev.Call] = ch
	case client.Lost:
		m.conn = nil
		_ = c.Close()
		if m.Lost != nil {
			m.Lost()
		}
		for _, ch := range m.waiting {
			close(ch)
		}
		m.waiting = nil
	}
}

// answer is where the result of a call comes; closed without one when the fencer
// is gone.
func (m *Manager) answer(c *client.Client, call int) <-chan fwire.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != c {
		gone := make(chan fwire.Result)
		close(gone)
		return gone
	}
	if ch := m.waiting[call]; ch != nil {
		delete(m.waiting, call)
		return ch
	}
	ch := make(chan fwire.Result, 1)
	m.waiting[call] = ch
	return ch
}

// Close ends the connection. It does not wait, so that whoever hears Lost may call it.
func (m *Manager) Close() {
	go func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.Lost = nil
		if m.conn != nil {
			_ = m.conn.Close()
		}
	}()
}

// Run is one operation of a device.
type Run struct {
	m      *Manager
	a      agent.Action
	ctx    context.Context
	cancel context.CancelFunc
}

// Start prepares an operation.
func (m *Manager) Start(a agent.Action) *Run {
	ctx, cancel := context.WithCancel(context.Background())
	return &Run{m, a, ctx, cancel}
}

// Kill gives up waiting.
func (r *Run) Kill() { r.cancel() }

// Do carries the operation out (execute_stonith_action).
func (r *Run) Do() agent.Result {
	defer r.cancel()
	res := r.do()
	res.Class = "stonith"
	return res
}

func (r *Run) do() agent.Result {
	c, err := r.m.connect(r.ctx)
	if err != nil {
		return agent.Result{RC: pcmk.OCFError, Status: pcmk.ExecNotConnected, Reason: "No connection to fencer"}
	}
	switch {
	case strings.EqualFold(r.a.Name, "start"):
		if err := c.RegisterDevice(r.ctx, r.registration()); err != nil {
			return failure(err)
		}
		return r.monitor(c)
	case strings.EqualFold(r.a.Name, "stop"):
		if err := c.RemoveDevice(r.ctx, r.a.Rsc); err != nil {
			return failure(err)
		}
		return agent.Result{Status: pcmk.ExecDone}
	case strings.EqualFold(r.a.Name, "monitor"):
		return r.monitor(c)
	}
	return agent.Result{RC: pcmk.OCFUnimplemented, Status: pcmk.ExecError, Reason: "Invalid fence device action (bug?)"}
}

func failure(err error) agent.Result {
	res := agent.Result{RC: pcmk.OCFError, Status: pcmk.ExecError, Reason: err.Error()}
	var rc pcmk.RC
	if errors.As(err, &rc) {
		res.Status, res.Reason = fwire.StatusOf(rc), rc.Error()
	}
	return res
}

func (r *Run) registration() fwire.Registration {
	reg := fwire.Registration{ID: r.a.Rsc, Agent: r.a.Type}
	switch r.a.Provider {
	case "redhat", "stonith-ng":
		reg.Namespace = "stonith-ng"
	case "internal", "heartbeat":
		reg.Namespace = r.a.Provider
	}
	for _, p := range r.a.Params {
		reg.Params = append(reg.Params, fwire.Pair{Name: p.Name, Value: p.Value})
	}
	return reg
}

// monitor has the fencer try the device; the fencer minds the timeout.
func (r *Run) monitor(c *client.Client) agent.Result {
	call, err := c.ExecuteAsync(r.a.Rsc, "monitor", "", time.Duration(r.a.Timeout)*time.Millisecond)
	if err != nil {
		return failure(err)
	}
	select {
	case x, ok := <-r.m.answer(c, call):
		if !ok {
			break
		}
		return agent.Result{RC: pcmk.OCF(x.Exit), Status: x.Status, Reason: x.Reason, Exit: x.Exit}
	case <-r.ctx.Done():
	}
	return agent.Result{RC: pcmk.OCFError, Status: pcmk.ExecNotConnected, Reason: "Lost connection to fencer"}
}
