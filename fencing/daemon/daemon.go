// Package daemon is pacemaker-fenced: it carries messages between its clients,
// its peers and the cores of fencing, and runs what they want to be run.
//
// cmd/pacesync calls Run. It replaces daemons/fenced/pacemaker-fenced.c and the
// dispatch of fenced_commands.c.
package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/agent"
	"github.com/pacesync/pacesync/fencing/device"
	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/remoteop"
	"github.com/pacesync/pacesync/fencing/topology"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const programName = "pacemaker-fenced"

// Cluster is the process group of the fencers. Its answers are those of the
// moment; messages and changes come as events of the loop.
type Cluster interface {
	Send(to string, doc *xmltree.Node) // to all for an empty name
	Peers() []string                   // names of the nodes whose fencer is in the group
	NodeID(name string) uint32         // 0 when unknown
	NodeName(id uint32) string         // empty when unknown
	Forget(id uint32, name string)
}

// Options describe a fencer.
type Options struct {
	Self    string
	Cluster Cluster // nil: it stands alone
	Runner  *agent.Runner
	Log     func(level note.Level, text string)
	Panic   func() // takes this node down
}

// Fencer is the daemon. All its state is owned by the loop goroutine; events
// reach it through Post.
type Fencer struct {
	o       Options
	devices *device.Table
	levels  *topology.Table
	ops     *remoteop.Engine
	cib     *configuration
	clients map[string]*clientState
	order   []string // of clients, so that notifications go out in a fixed order
	events  chan func(now time.Time)
	ctx     context.Context
	busy    int // children running
}

// clientState is what is known of a client.
type clientState struct {
	c       *crmipc.Client
	waiting uint32 // the synchronous request that is not answered yet, 0 for none
	wants   map[string]bool
}

// eventBacklog is how many events may wait for the loop. Sources that cannot
// wait do not exist: a full queue slows them down.
const eventBacklog = 256

// New makes a fencer.
func New(o Options) *Fencer {
	f := &Fencer{o: o, clients: map[string]*clientState{}, events: make(chan func(time.Time), eventBacklog)}
	alone := o.Cluster == nil
	f.cib = &configuration{f: f}
	f.levels = &topology.Table{Attribute: f.cib.nodeHas, NoAttributes: alone}
	f.devices = device.New(device.Config{Self: o.Self, Standalone: alone, Rand: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(os.Getpid()))), NodeID: f.nodeID})
	f.ops = remoteop.New(o.Self, fmt.Sprintf("%s.%d", programName, os.Getpid()), world{f}, newUUID)
	if o.Runner.Log == nil {
		o.Runner.Log = func(level int, format string, args ...any) {
			o.Log(note.Level(level), fmt.Sprintf(format, args...))
		}
	}
	return f
}

func (f *Fencer) alone() bool { return f.o.Cluster == nil }

func (f *Fencer) nodeID(name string) uint32 {
	if f.alone() {
		return 0
	}
	return f.o.Cluster.NodeID(name)
}

func (f *Fencer) logf(l note.Level, format string, args ...any) {
	f.o.Log(l, fmt.Sprintf(format, args...))
}

// Post gives the loop something to do; it may be called from any goroutine but
// the loop's own.
func (f *Fencer) Post(ev func(now time.Time)) {
	select {
	case f.events <- ev:
	case <-f.ctx.Done():
	}
}

// Loop runs until ctx ends. ipc are the clients' events.
func (f *Fencer) Loop(ctx context.Context, ipc <-chan crmipc.Event) {
	f.ctx = ctx
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		f.settle()
		wait := time.Hour
		for _, d := range [...]time.Time{f.devices.Deadline(), f.ops.Deadline()} {
			if !d.IsZero() {
				wait = min(wait, max(time.Until(d), 0))
			}
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case now := <-timer.C:
			f.devices.Tick(now)
			f.ops.Tick(now)
		case ev := <-ipc:
			f.client(time.Now(), ev)
		case ev := <-f.events:
			ev(time.Now())
		}
	}
}

// settle carries out what the cores want until they want nothing more.
func (f *Fencer) settle() {
	for {
		d, o, notes := f.devices.Take(), f.ops.Take(), f.levels.Notes()
		f.log(notes)
		more := f.deviceOutput(d)
		if f.opsOutput(o) || more || len(notes) > 0 {
			continue
		}
		return
	}
}

func (f *Fencer) log(l note.List) {
	for _, n := range l {
		f.o.Log(n.Level, n.Text)
	}
}

func (f *Fencer) deviceOutput(o device.Output) (any bool) {
	f.log(o.Notes)
	for _, name := range o.Describe {
		f.describe(name)
	}
	for _, r := range o.Registered {
		if q, ok := r.Context.(request); ok {
			f.registered(q, r.RC)
		}
	}
	for _, of := range o.Offers {
		q := of.Context.(request)
		f.reply(q, &wire.Reply{To: q.m, Result: wire.Done(), Data: of.Offer.XML()})
	}
	for _, d := range o.Done {
		f.actionDone(d)
	}
	for _, r := range o.Run {
		f.run(r)
	}
	if o.Panic {
		f.o.Panic()
	}
	return len(o.Notes)+len(o.Describe)+len(o.Registered)+len(o.Offers)+len(o.Done)+len(o.Run) > 0
}

func (f *Fencer) opsOutput(o remoteop.Output) (any bool) {
	f.log(o.Notes)
	for _, e := range o.Effects {
		switch e := e.(type) {
		case remoteop.Send:
			f.send(e.To, e.Msg)
		case remoteop.Answer:
			if c := f.clients[e.Client]; c != nil {
				f.answer(c, e.Options, e.Msg)
			}
		case remoteop.Tell:
			if c := f.clients[e.Client]; c != nil {
				c.c.Event(e.Msg.XML())
			}
		case remoteop.Notify:
			f.notify(&e.Notification)
		}
	}
	return len(o.Notes)+len(o.Effects) > 0
}

// send sends a message to a peer, or to all.
func (f *Fencer) send(to string, m wire.Sendable) {
	if !f.alone() {
		f.o.Cluster.Send(to, m.XML())
	}
}

// describe asks an agent what it can do.
func (f *Fencer) describe(name string) {
	f.busy++
	go func() {
		n, err := f.o.Runner.Metadata(f.ctx, name, agent.MetadataTimeout)
		f.Post(func(now time.Time) {
			f.busy--
			var m *device.Metadata
			if err != nil {
				f.logf(note.Warning, "Could not execute metadata action for %s: %v", name, err)
			} else {
				m = agent.Describe(n)
			}
			f.devices.Described(now, name, m)
		})
	}()
}

// run runs an agent.
func (f *Fencer) run(r device.Run) {
	f.busy++
	go func() {
		res, pid := f.o.Runner.Run(f.ctx, r, func(pid int) {
			f.Post(func(time.Time) {
				f.logf(note.Debug, "Operation '%s' [%d]%s using %s now running with %ds timeout", r.Action, pid,
					note.Sandwich(" targeting ", r.Target, ""), r.Device, int(r.Timeout/time.Second))
			})
		})
		f.Post(func(now time.Time) {
			f.busy--
			f.devices.Finished(now, r.Token, res, pid)
		})
	}()
}

// world is what the conversation core sees of us.
type world struct{ f *Fencer }

func (w world) ActivePeers() int {
	if w.f.alone() {
		return 0
	}
	return len(w.f.o.Cluster.Peers())
}

func (w world) PeerActive(name string) bool {
	for _, p := range w.f.o.Cluster.Peers() {
		if strings.EqualFold(p, name) {
			return true
		}
	}
	return false
}

func (w world) NodeName(id string) string            { return w.f.nodeName(id) }
func (w world) Levels(target string) *topology.Entry { return w.f.levels.Find(target) }
func (w world) RebootAction(id string) string        { return w.f.devices.RebootAction(id) }
func (w world) SupportsOn(id string) bool            { return w.f.devices.SupportsOn(id) }
func (w world) Watchdog() device.Watchdog            { return w.f.devices.Watchdog }

func (f *Fencer) nodeName(id string) string {
	var n uint32
	if _, err := fmt.Sscan(id, &n); err != nil || f.alone() {
		return ""
	}
	return f.o.Cluster.NodeName(n)
}
