package daemon

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/device"
	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// request is a message with who sent it: a client here, or a peer.
type request struct {
	m *wire.Message
	c *clientState // nil for a peer's
}

// from names the sender in logs.
func (q request) from() string {
	if q.c != nil {
		return "client " + q.c.c.Label()
	}
	return "peer " + q.m.Peer
}

func (q request) privileged() bool { return q.c == nil || q.c.c.Privileged }

// client takes an event of the IPC server.
func (f *Fencer) client(now time.Time, ev crmipc.Event) {
	id := ev.Client.ID
	switch ev.Kind {
	case crmipc.Connected:
		f.clients[id] = &clientState{c: ev.Client, wants: map[string]bool{}}
		f.order = append(f.order, id)
	case crmipc.Disconnected:
		delete(f.clients, id)
		f.order = slices.DeleteFunc(f.order, func(o string) bool { return o == id })
	case crmipc.Message:
		if c := f.clients[id]; c != nil {
			f.clientMessage(now, c, ev)
		}
	}
}

// clientMessage stamps a client's request with who it is (st_ipc_dispatch).
func (f *Fencer) clientMessage(now time.Time, c *clientState, ev crmipc.Event) {
	n := ev.XML
	if n.Attr("crm_task") == wire.OpRemoveNode {
		n.Set("t", wire.ServiceName)
		n.Set("st_op", wire.OpRemoveNode)
		f.stamp(n, c)
		f.send("", wire.Raw{Node: n})
		return
	}
	if c.c.Name == "" {
		c.c.Name = fmt.Sprintf("%s.%d", note.Or(n.Attr("st_clientname"), "unknown"), c.c.PID)
	}
	f.stamp(n, c)
	m, err := wire.Decode(n, "")
	if err != nil {
		f.logf(note.Error, "Dropping a request of client %s: %v", c.c.Label(), err)
		ev.Nack(pcmk.ExitProtocol)
		return
	}
	if m.Options.Has(wire.SyncCall) {
		if ev.Flags&crmipc.WantReply == 0 {
			f.logf(note.Error, "Dropping a request of client %s: it is synchronous and wants no reply", c.c.Label())
			return
		}
		c.waiting = ev.ID
	}
	if m.Op == "" {
		f.logf(note.Error, "Dropping a request of client %s: it has no operation", c.c.Label())
		ev.Nack(pcmk.ExitProtocol)
		return
	}
	f.command(now, request{m, c}, ev)
}

func (f *Fencer) stamp(n *xmltree.Node, c *clientState) {
	n.Set("st_clientid", c.c.ID)
	n.Set("st_clientname", c.c.Label())
	n.Set("st_clientnode", f.o.Self)
}

// Peer takes a message of the process group, our own included.
func (f *Fencer) Peer(now time.Time, from string, n *xmltree.Node) {
	if n.Attr("st_op") == wire.OpPoke {
		return
	}
	n.Set("src", from)
	m, err := wire.Decode(n, from)
	if err != nil {
		f.logf(note.Error, "Dropping a message of node %s: %v", from, err)
		return
	}
	if m.Op == "" {
		f.logf(note.Error, "Dropping a message of node %s: it has no operation", from)
		return
	}
	f.command(now, request{m, nil}, crmipc.Event{})
}

// command dispatches a message (stonith_command).
func (f *Fencer) command(now time.Time, q request, ev crmipc.Event) {
	kind := "request"
	if q.m.Reply {
		kind = "reply"
	}
	f.logf(note.Debug, "Processing %ssynchronous %s %s %d from %s", map[bool]string{false: "a"}[q.m.Options.Has(wire.SyncCall)], q.m.Op, kind, ev.ID, q.from())
	if q.m.Reply {
		f.takeReply(now, q)
		return
	}
	switch q.m.Op {
	case wire.OpRegister:
		if q.c != nil {
			q.c.c.Send(ev.ID, xmltree.New("reply", xmltree.Attr{Name: "st_op", Value: wire.OpRegister}, xmltree.Attr{Name: "st_clientid", Value: q.c.c.ID}))
		}
	case wire.OpNotify:
		f.subscribe(q, ev)
	case wire.OpTimeoutUpdate:
		f.ops.TellTimeout(q.m.Client, q.m.CallID, q.m.Timeout)
	case wire.OpExecute:
		if r, ok := f.devices.Execute(now, q.m); !ok {
			f.replyResult(q, r)
		}
	case wire.OpQuery:
		f.query(now, q)
	case wire.OpRelay:
		f.relayed(now, q)
	case wire.OpFence:
		f.fence(now, q)
	case wire.OpHistory:
		f.history(now, q)
	case wire.OpDeviceAdd, wire.OpDeviceDel, wire.OpLevelAdd, wire.OpLevelDel:
		f.configure(now, q)
	case wire.OpRemoveNode:
		if !f.alone() {
			f.o.Cluster.Forget(uint32(q.m.NodeID), q.m.Uname)
		}
	default:
		f.logf(note.Error, "Unknown IPC request %s from %s", q.m.Op, q.from())
		f.replyResult(q, wire.Failure(pcmk.ExitProtocol, pcmk.ExecInvalid, "Unknown IPC request type '"+q.m.Op+"' (bug?)"))
	}
}

// takeReply takes a peer's answer (handle_reply).
func (f *Fencer) takeReply(now time.Time, q request) {
	if q.c != nil || f.alone() {
		f.logf(note.Error, "Ignoring unknown %s reply from %s", q.m.Op, q.from())
		return
	}
	switch q.m.Op {
	case wire.OpQuery:
		f.ops.Offer(now, q.m)
	case wire.OpNotify, wire.OpFence:
		f.ops.Result(now, q.m)
	default:
		f.logf(note.Error, "Ignoring unknown %s reply from %s", q.m.Op, q.from())
	}
}

// reply answers a request, to a peer or to a client (stonith_send_reply).
func (f *Fencer) reply(q request, m wire.Sendable) {
	if q.c == nil {
		f.send(q.m.Peer, m)
		return
	}
	if c := f.clients[q.c.c.ID]; c != nil {
		f.answer(c, q.m.Options, m)
	}
}

func (f *Fencer) replyResult(q request, r wire.Result) {
	f.reply(q, &wire.Reply{To: q.m, Result: r})
}

// answer sends a reply to a client: to the request that it waits for, or as an
// event (do_local_reply).
func (f *Fencer) answer(c *clientState, o wire.Options, m wire.Sendable) {
	if o.Has(wire.SyncCall) {
		if c.waiting == 0 {
			f.logf(note.Warning, "Synchronous reply to client %s failed: it does not wait for one", c.c.Label())
			return
		}
		c.c.Send(c.waiting, m.XML())
		c.waiting = 0
		return
	}
	c.c.Event(m.XML())
}

// notify tells all clients that want to know (fenced_send_notification).
func (f *Fencer) notify(n *wire.Notification) {
	var to []*crmipc.Client
	for _, id := range f.order {
		if c := f.clients[id]; c.wants[n.Type] {
			to = append(to, c.c)
		}
	}
	if len(to) > 0 {
		crmipc.Broadcast(to, n.XML())
	}
}

// subscribe switches notifications on and off (handle_notify_request).
func (f *Fencer) subscribe(q request, ev crmipc.Event) {
	if q.c == nil {
		return
	}
	if t := strings.ToLower(q.m.NotifyOn); t != "" {
		f.logf(note.Debug, "Enabling %s callbacks for %s", t, q.from())
		switch t {
		case wire.NotifyFence, wire.NotifyHistory, wire.NotifyHistorySynced, wire.NotifyDeviceAdd, wire.NotifyDeviceDel:
			q.c.wants[t] = true
		}
	}
	if t := strings.ToLower(q.m.NotifyOff); t != "" {
		f.logf(note.Debug, "Disabling %s callbacks for %s", t, q.from())
		delete(q.c.wants, t)
	}
	ev.Ack(pcmk.ExitOK)
}

// query finds out what this node can do, for a peer or a client
// (handle_query_request).
func (f *Fencer) query(now time.Time, q request) {
	if q.c == nil {
		f.ops.Record(now, q.m)
	}
	f.ops.RemoveRelay(q.m)
	if q.m.Action != nil && strings.EqualFold(q.m.Action.Device, "manual_ack") {
		return
	}
	f.devices.Query(now, q.m, q)
}

// relayed conducts an operation on the node that got the request
// (handle_relay_request).
func (f *Fencer) relayed(now time.Time, q request) {
	action, target := "", ""
	if q.m.Target != nil {
		action, target = q.m.Target.Action, q.m.Target.Target
	}
	f.logf(note.Notice, "Received forwarded fencing request from %s to fence (%s) peer %s", q.from(), action, target)
	if !f.ops.Start(now, q.m.Client, q.m) {
		f.replyResult(q, wire.ProtocolError())
	}
}

// fence starts, relays or executes a fencing (handle_fence_request).
func (f *Fencer) fence(now time.Time, q request) {
	m := q.m
	switch {
	case q.c == nil || f.alone():
		if r, ok := f.devices.Fence(now, m, f.nodeName); !ok {
			f.replyResult(q, r)
		}
		return
	case m.Options.Has(wire.ManualAck):
		if !f.ops.Confirm(now, q.c.c.ID, m) {
			f.replyResult(q, wire.ProtocolError())
		}
		return
	case m.Target == nil:
		f.replyResult(q, wire.ProtocolError())
		return
	}
	t := m.Target
	f.logf(note.Notice, "Client %s wants to fence (%s) %s using %s", q.c.c.Label(), t.Action, t.Target, note.Or(t.Device, "any device"))
	if f.ops.Tolerated(now, t.Tolerance, t.Target, t.Action) {
		f.replyResult(q, wire.Done())
		return
	}
	if other := f.alternate(t.Target); other != "" {
		id := f.ops.Relayed(now, q.c.c.ID, m)
		n := m.Tree().Copy()
		n.Set("st_op", wire.OpRelay)
		n.Set("st_clientid", q.c.c.ID)
		n.Set("st_remote_op", id)
		f.send(other, wire.Raw{Node: n})
		return
	}
	if !f.ops.Start(now, q.c.c.ID, m) {
		f.replyResult(q, wire.ProtocolError())
	}
}

// alternate finds another node to conduct the fencing of this one
// (check_alternate_host).
func (f *Fencer) alternate(target string) string {
	if !strings.EqualFold(target, f.o.Self) {
		return ""
	}
	for _, p := range f.o.Cluster.Peers() {
		if !strings.EqualFold(p, target) {
			f.logf(note.Notice, "Forwarding self-fencing request to %s", p)
			return p
		}
	}
	f.logf(note.Warning, "Will handle own fencing because no peer can")
	return ""
}

// history serves a request about the past (handle_history_request).
func (f *Fencer) history(now time.Time, q request) {
	list := f.ops.History(now, q.m)
	if q.m.Options.Has(wire.DiscardReply) {
		return
	}
	r := &wire.Reply{To: q.m, Result: wire.Done()}
	if list != nil {
		r.Data = list.XML(false)
	}
	f.reply(q, r)
}

// configure changes devices and levels (handle_device_add_request and the others).
func (f *Fencer) configure(now time.Time, q request) {
	m := q.m
	if !q.privileged() {
		f.logf(note.Warning, "Rejecting IPC request '%s' from unprivileged client %s", m.Op, q.c.c.Label())
		what := map[string]string{wire.OpDeviceAdd: "register device", wire.OpDeviceDel: "delete device", wire.OpLevelAdd: "add level", wire.OpLevelDel: "delete level"}[m.Op]
		f.configured(q, wire.Failure(pcmk.ExitInsufficientPriv, pcmk.ExecInvalid, "Unprivileged users must "+what+" via CIB"))
		return
	}
	switch m.Op {
	case wire.OpDeviceAdd:
		f.o.Runner.Adapt(m.Device)
		f.devices.Register(now, m.Device, false, q) // registered goes on
	case wire.OpDeviceDel:
		if m.Device == nil {
			f.configured(q, wire.ProtocolError())
			return
		}
		f.devices.Remove(now, m.Device.ID, false)
		f.configured(q, wire.Done())
	case wire.OpLevelAdd:
		f.configured(q, f.levels.Register(m.Level))
	case wire.OpLevelDel:
		f.configured(q, f.levels.Unregister(m.Level))
	}
}

func (f *Fencer) registered(q request, rc pcmk.RC) {
	if rc == pcmk.OK {
		f.configured(q, wire.Done())
		return
	}
	f.configured(q, wire.Failure(pcmk.ExitError, wire.StatusOf(rc), rc.Error()))
}

// configured notifies of a change and answers.
func (f *Fencer) configured(q request, r wire.Result) {
	n := &wire.Notification{Type: q.m.Op, Result: r}
	switch q.m.Op {
	case wire.OpDeviceAdd, wire.OpDeviceDel:
		n.Active = f.devices.Len()
		if q.m.Device != nil {
			n.Desc = q.m.Device.ID
		}
	default:
		n.Active, n.Desc = f.levels.Len(), q.m.Level.Desc()
	}
	f.notify(n)
	f.replyResult(q, r)
}

// actionDone sends the result of an action to who asked for it
// (send_async_reply).
func (f *Fencer) actionDone(d device.Done) {
	switch {
	case d.All:
		f.send("", d.Reply)
	case d.Peer != "":
		f.send(d.Peer, d.Reply)
	default:
		if c := f.clients[d.Reply.Client]; c != nil {
			f.answer(c, d.Reply.Options, d.Reply)
		}
	}
	if d.Alone {
		f.notify(&wire.Notification{Type: wire.NotifyFence, Result: d.Reply.Result, Local: d.Reply})
		f.notify(&wire.Notification{Type: wire.NotifyHistory})
	}
}
