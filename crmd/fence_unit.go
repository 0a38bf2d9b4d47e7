package crmd

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/crmd/transition"
	"github.com/pacesync/pacesync/fencing/client"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// fencerClientName is what the fencer calls this process in its notifications.
func fencerClientName() string { return fmt.Sprintf("pacemaker-controld.%d", os.Getpid()) }

const (
	fencerRetry = 2 * time.Second // between attempts to connect
	// How long to wait before the fencers' histories are exchanged
	// (te_trigger_stonith_history_sync): soon when a node came, later when only the
	// connection did, since then the DC may do it.
	historySoon = 5 * time.Second
	historyLate = 30 * time.Second
)

// fenceUnit is the connection to the fencer. It is owned by the loop.
type fenceUnit struct {
	c       *Controller
	conn    *client.Client
	dialing bool
	wanted  bool
	retry   *timer
	keys    map[int]string // transition keys of requests under way
	queue   []*queuedFence // while not connected
	timers  map[int]*timer // for requests without an answer
	soon    *timer
	late    *timer
}

// queuedFence is a request that waits for the fencer.
type queuedFence struct {
	transition.Fence
	limit *timer
}

func newFencer(c *Controller) *fenceUnit {
	return &fenceUnit{c: c, keys: map[int]string{}, timers: map[int]*timer{}}
}

func (u *fenceUnit) te() *teUnit { return u.c.te.(*teUnit) }

// connect keeps the fencer connected from now on (controld_trigger_fencer_connect).
func (u *fenceUnit) connect() {
	u.wanted = true
	u.dial()
}

func (u *fenceUnit) dial() {
	if u.conn != nil || u.dialing || !u.wanted {
		return
	}
	u.dialing = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn, err := client.Dial(ctx, "pacemaker-controld")
		if err == nil {
			err = conn.Subscribe(ctx, wire.NotifyFence, wire.NotifyHistorySynced)
		}
		u.c.post(func() { u.dialed(conn, err) })
	}()
}

func (u *fenceUnit) dialed(conn *client.Client, err error) {
	u.dialing = false
	switch {
	case err != nil:
		if conn != nil {
			_ = conn.Close()
		}
		if !u.wanted {
			u.c.log.info("Fencer connection failed (ignoring because no longer required): %v", err)
			return
		}
		u.c.log.notice("Fencer connection failed (will retry): %v", err)
		u.retry = u.c.after(fencerRetry, u.dial)
		return
	case !u.wanted:
		_ = conn.Close()
		return
	}
	u.conn = conn
	conn.Events(func(e client.Event) { u.c.post(func() { u.event(conn, e) }) })
	u.syncLater(&u.late, historyLate)
	u.c.log.notice("Fencer successfully connected")
	queue := u.queue
	u.queue = nil
	for _, q := range queue {
		q.limit.stop()
		u.fence(q.Fence)
	}
}

// event takes what the fencer says.
func (u *fenceUnit) event(conn *client.Client, e client.Event) {
	if conn != u.conn {
		return
	}
	switch e := e.(type) {
	case client.Reply:
		u.reply(e)
	case client.TimeoutUpdate:
		u.expect(e.Call, e.Timeout)
	case client.Notification:
		u.notified(e)
	case client.Lost:
		u.lost()
	}
}

// lost reacts to the end of the connection (tengine_stonith_connection_destroy).
func (u *fenceUnit) lost() {
	_ = u.conn.Close()
	u.conn = nil
	u.stopSync()
	for id, t := range u.timers {
		t.stop()
		delete(u.timers, id)
	}
	clear(u.keys)
	if u.wanted {
		u.c.log.crit("Fencing daemon connection failed")
		u.retry = u.c.after(fencerRetry/2, u.dial)
	} else {
		u.c.log.info("Fencing daemon disconnected")
	}
	u.te().step(transition.FencerLost{})
}

func (u *fenceUnit) disconnect(final bool) {
	u.wanted = false
	u.retry.stop()
	u.stopSync()
	if u.conn != nil {
		conn := u.conn
		u.conn = nil
		_ = conn.Close()
	}
	if final {
		for _, q := range u.queue {
			q.limit.stop()
		}
		u.queue = nil
	}
}

// fence has a node fenced (fence_with_delay). While the fencer is away the request
// waits for it.
func (u *fenceUnit) fence(f transition.Fence) {
	if u.conn == nil {
		u.wait(f)
		return
	}
	var opts wire.Options
	if f.Suicide {
		opts |= wire.AllowSuicide
	}
	call, err := u.conn.FenceAsync(client.Fence{Target: f.Target, Action: f.How, Timeout: f.Timeout, Delay: int(f.Delay / time.Second), Options: opts | wire.TimeoutUpdates})
	if err != nil {
		u.result(f.Key, 0, wire.Result{Exit: int(pcmk.ExitError), Status: pcmk.ExecNotConnected, Reason: err.Error()})
		return
	}
	u.keys[call] = f.Key
	u.expect(call, f.Timeout+fenceGrace)
}

// fencerPatience is how long a request waits for the fencer: as long as the original
// tries to connect.
const fencerPatience = time.Minute

// wait keeps a request until the fencer is there, and fails it when that takes too
// long: a node must not be fenced for a reason that has long gone.
func (u *fenceUnit) wait(f transition.Fence) {
	q := &queuedFence{Fence: f}
	q.limit = u.c.after(fencerPatience, func() {
		if i := slices.Index(u.queue, q); i >= 0 {
			u.queue = slices.Delete(u.queue, i, i+1)
			u.c.log.err("Could not connect to fencer within %s", fencerPatience)
			u.result(f.Key, 0, wire.Result{Exit: int(pcmk.ExitError), Status: pcmk.ExecNotConnected, Reason: "No connection to the fencer"})
		}
	})
	u.queue = append(u.queue, q)
	u.connect()
}

// fenceGrace is how much longer than the fencer we wait for its answer
// (st_client.c: set_callback_timeout).
const fenceGrace = 60 * time.Second

// expect fails a request whose answer does not come in time.
func (u *fenceUnit) expect(call int, d time.Duration) {
	if _, ok := u.keys[call]; !ok {
		return
	}
	u.timers[call].stop()
	u.timers[call] = u.c.after(d, func() {
		u.reply(client.Reply{Call: call, Result: wire.Result{Exit: int(pcmk.ExitError), Status: pcmk.ExecTimeout}})
	})
}

func (u *fenceUnit) reply(r client.Reply) {
	key, ok := u.keys[r.Call]
	if !ok {
		return
	}
	delete(u.keys, r.Call)
	u.timers[r.Call].stop()
	delete(u.timers, r.Call)
	u.result(key, r.Call, r.Result)
}

func (u *fenceUnit) result(key string, call int, r wire.Result) {
	exit := r.Exit
	if exit == 0 && r.Status != pcmk.ExecDone {
		exit = int(pcmk.ExitError)
	}
	u.te().step(transition.FenceResult{Key: key, CallID: call, Status: r.Status, Exit: exit, Reason: r.Reason})
}

// notified takes news of fencing anywhere (handle_fence_notification).
func (u *fenceUnit) notified(n client.Notification) {
	switch n.Type {
	case wire.NotifyHistorySynced:
		u.stopSync()
		u.c.log.debug("Fence-history synced - cancel all timers")
	case wire.NotifyFence:
		u.te().step(transition.FenceNotice{
			Target: n.Target, How: n.Action, By: n.Delegate, Client: n.ClientName, Origin: n.Origin, ID: n.ID,
			Status: n.Result.Status, Exit: n.Result.Exit, Reason: n.Result.Reason,
			Operation: n.Type, Result: n.Result.RC().Legacy(), Description: eventText(n),
		})
	}
}

// eventText is a fencing in words, for alerts (stonith__event_description).
func eventText(n client.Notification) string {
	status := n.Result.Status.String()
	switch {
	case n.Result.Status != pcmk.ExecDone:
	case n.Result.Exit != 0:
		status = pcmk.ExecError.String()
	default:
		status = pcmk.ExitOK.String()
	}
	reason := ""
	if n.Result.Reason != "" {
		reason = " (" + n.Result.Reason + ")"
	}
	or := func(s, other string) string {
		if s == "" {
			return other
		}
		return s
	}
	return fmt.Sprintf("Operation %s of %s by %s for %s@%s: %s%s (ref=%s)", or(n.Action, n.Type), or(n.Target, "no node"),
		or(n.Delegate, "the cluster"), or(n.ClientName, "a client"), or(n.Origin, "a node"), status, reason, n.ID)
}

// core makes a change to the engine's memory of fencing and does what follows.
func (u *fenceUnit) core(f func(*transition.Engine)) {
	e := u.te().core()
	e.SetEnv(u.te().env())
	f(e)
	u.te().drain()
}

func (u *fenceUnit) nodeUp(name string) { u.core(func(e *transition.Engine) { e.NodeUp(name) }) }
func (u *fenceUnit) takeOver()          { u.core((*transition.Engine).TakeOver) }
func (u *fenceUnit) notDC()             { u.core((*transition.Engine).NotDC) }
func (u *fenceUnit) forget(name string) {
	u.core(func(e *transition.Engine) { e.ForgetFenceFailures(name) })
}

// syncHistory has the fencers exchange what they know, when all nodes had time to come.
func (u *fenceUnit) syncHistory() { u.syncLater(&u.soon, historySoon) }

func (u *fenceUnit) syncLater(t **timer, d time.Duration) {
	u.c.log.info("Fence history will be synchronized cluster-wide within %d seconds", d/time.Second)
	(*t).stop()
	*t = u.c.after(d, u.sync)
}

func (u *fenceUnit) stopSync() {
	u.soon.stop()
	u.late.stop()
}

func (u *fenceUnit) sync() {
	if u.conn == nil {
		u.c.log.info("Skip triggering stonith history-sync as stonith is disconnected")
		return
	}
	u.stopSync()
	if _, err := u.conn.HistoryAsync("", wire.Broadcast); err != nil {
		u.c.log.warn("Cannot synchronize the history of fencing: %v", err)
	}
}

// fencing does what the engine asks for about fencing.
func (t *teUnit) fencing(f transition.Effect) {
	c := t.c
	switch f := f.(type) {
	case transition.Fence:
		c.fence.(*fenceUnit).fence(f)
	case transition.Unfenced:
		c.attrd.updateList(f.Target, c.isRemote(f.Target), []nodeAttr{
			{name: "#node-unfenced", value: strconv.FormatInt(f.At, 10)},
			{name: "#digests-all", value: f.DigestsAll},
			{name: "#digests-secure", value: f.DigestsSecure},
		})
	case transition.NodeFenced:
		t.nodeFenced(f)
	case transition.PeerDown:
		t.peerGone(c.peerOf(f.Name))
	case transition.RemoteFenced: // concerns connections to remote nodes
	case transition.SelfFenced:
		c.fencedOurselves()
	case transition.Alert:
		c.alertFencing(f.Notice)
	default:
		panic(fmt.Sprintf("crmd: unknown effect %T", f))
	}
}

// nodeFenced writes down that a node is gone for certain (send_stonith_update).
func (t *teUnit) nodeFenced(f transition.NodeFenced) {
	c := t.c
	if f.ID == "" {
		return
	}
	p := c.peerOf(f.Name)
	flags := nodeJoin | nodeExpected
	if p.State == crmcluster.Unknown {
		flags |= nodeCluster // otherwise the membership says so
	}
	t.peerGone(p)
	state := c.nodeState(p, flags, "send_stonith_update")
	if state == nil {
		state = xmltree.New("node_state", xmltree.Attr{Name: "id", Value: f.ID}, xmltree.Attr{Name: "uname", Value: f.Name},
			xmltree.Attr{Name: "in_ccm", Value: "false"}, xmltree.Attr{Name: "join", Value: "down"}, xmltree.Attr{Name: "expected", Value: "down"},
			xmltree.Attr{Name: "crm-debug-origin", Value: "send_stonith_update"})
	}
	state.Set("id", f.ID)
	name := f.Name
	c.cib.modify("status", state, cibQuorumOverride|cibScopeLocal|cibCanCreate, func(r cibResult) {
		if !r.ok() {
			c.log.err("Fencing update %d for %s: failed - %s (%d)", r.call, name, r.rc, r.rc.Legacy())
			t.abort(infinity, completeShutdown, "CIB update failed", nil)
			return
		}
		c.log.info("Fencing update %d for %s: complete", r.call, name)
	})
	c.deleteState(f.Name, sectionAll, cibScopeLocal)
}

// peerGone notes that a node was fenced, one never seen among them (crmd_peer_down).
func (t *teUnit) peerGone(p *crmcluster.Peer) {
	if p.State == crmcluster.Unknown {
		for _, ch := range t.c.peers.SetState(p, crmcluster.Gone, time.Now()) {
			t.c.peerChanged(ch)
		}
	}
	t.c.peerDown(p)
}
