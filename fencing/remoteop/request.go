package remoteop

import (
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
)

func sameNode(a, b string) bool { return strings.EqualFold(a, b) }

// usable is a peer's device that can still be used (find_peer_device).
func (o *op) usable(p *peer, id string, needs wire.Flags) *offered {
	d := p.find(id)
	if d == nil || !d.Flags.Has(needs) || d.executed[o.phase] || d.Phase[o.phase].Disallowed {
		return nil
	}
	return d
}

// count is the number of a peer's devices not used yet (count_peer_devices).
func (o *op) count(p *peer, verified bool, needs wire.Flags) int {
	n := 0
	for _, d := range p.devices {
		if !d.executed[o.phase] && (!verified || d.Verified) && d.Flags.Has(needs) {
			n++
		}
	}
	return n
}

// which narrows the choice of a peer.
type which struct{ skipTarget, onlyTarget, verified bool }

// best finds a peer for a device of a topology, or for any (find_best_peer).
func (o *op) best(id string, w which) *peer {
	if id == "" && o.topology() {
		return nil
	}
	needs := wire.Needed(o.rec.Action)
	for _, p := range o.peers {
		isTarget := sameNode(p.host, o.rec.Target)
		if isTarget && w.skipTarget || !isTarget && w.onlyTarget {
			continue
		}
		if o.topology() {
			if d := o.usable(p, id, needs); d != nil && (!w.verified || d.Verified) {
				d.executed[o.phase] = true
				return p
			}
		} else if !p.tried && o.count(p, w.verified, needs) > 0 {
			return p
		}
	}
	return nil
}

// choose finds the peer that is to act, the target itself last, going from level
// to level (stonith_choose_peer).
func (e *Engine) choose(o *op) *peer {
	for {
		id := o.current()
		if p := o.best(id, which{skipTarget: true, verified: true}); p != nil {
			return p
		}
		if !o.queryAt.IsZero() && o.replies < min(o.expected, e.world.ActivePeers()) {
			return nil // somebody may still offer a device that is verified
		}
		if p := o.best(id, which{skipTarget: true}); p != nil {
			return p
		}
		if o.phase != wire.PhaseOn {
			if p := o.best(id, which{onlyTarget: true}); p != nil {
				return p
			}
		}
		if o.phase == wire.PhaseOn || !o.topology() || !e.nextLevel(o, false) {
			e.out.Notes.Notice("Couldn't find anyone to fence (%s) %s using %s", o.rec.Action, o.rec.Target, note.Or(id, "any device"))
			return nil
		}
	}
}

// deviceTimeout is how long a device of a peer may work (get_device_timeout).
func (o *op) deviceTimeout(p *peer, id string) int {
	if p != nil {
		if d := p.find(id); d != nil && d.Phase[o.phase].Timeout != 0 {
			return d.Phase[o.phase].Timeout
		}
	}
	return o.base
}

// patience is how long it takes until then, with the delay of the device, but
// without the way of messages.
func (o *op) patience(p *peer, id string) int {
	t := o.deviceTimeout(p, id)
	if d := p.find(id); d != nil {
		t += max(d.Phase[o.phase].DelayMax, d.Phase[o.phase].DelayBase)
	}
	return t
}

// peerTimeout is how long all devices of a peer may take (get_peer_timeout).
func (o *op) peerTimeout(p *peer) int {
	sum := 0
	for _, d := range p.devices {
		if !d.executed[o.phase] && !d.Phase[o.phase].Disallowed {
			sum += o.patience(p, d.ID)
		}
	}
	if sum == 0 {
		return o.base
	}
	return sum
}

// totalFor is how long the whole operation may take: with a topology all levels,
// else all devices of the chosen peer (get_op_total_timeout).
func (e *Engine) totalFor(o *op, p *peer) int {
	sum := 0
	tp := e.levels(o)
	switch {
	case o.topology() && tp != nil:
		needs := wire.Needed(o.rec.Action)
		var automatic []string
		if o.rec.Action == "on" {
			automatic = slices.Clone(o.automatic)
		}
		for _, level := range tp.Levels {
			for _, id := range level {
				automatic = slices.DeleteFunc(automatic, func(a string) bool { return a == id })
				sum += o.firstTimeout(id, needs)
			}
		}
		for _, id := range automatic {
			sum += o.firstTimeout(id, wire.SupportsOn)
		}
	case p != nil:
		sum = o.peerTimeout(p)
	}
	if sum == 0 {
		return o.base
	}
	return sum
}

func (o *op) firstTimeout(id string, needs wire.Flags) int {
	for _, p := range o.peers {
		if o.usable(p, id, needs) != nil {
			return o.patience(p, id)
		}
	}
	return 0
}

// reportTimeout tells a client that does not wait how long the operation can
// take (report_timeout_period).
func (e *Engine) reportTimeout(o *op, seconds int) {
	m := o.request
	if o.opts.Has(wire.SyncCall) || m == nil || m.Node == "" || m.CallID == "" || m.Client == "" {
		return
	}
	if sameNode(m.Node, e.self) {
		e.TellTimeout(m.Client, m.CallID, seconds)
		return
	}
	e.do(Send{To: m.Node, Msg: &wire.TimeoutUpdate{Call: o.call, ID: o.rec.ID, Client: m.Client, CallID: m.CallID, Timeout: seconds}})
	for _, d := range o.duplicates {
		e.reportTimeout(d, seconds)
	}
}

// TellTimeout passes the time an operation can take on to a client here
// (do_stonith_async_timeout_update).
func (e *Engine) TellTimeout(client, call string, seconds int) {
	if seconds != 0 && call != "" && client != "" {
		e.do(Tell{Client: client, Msg: &wire.TimeoutValue{CallID: call, Timeout: seconds}})
	}
}

// request asks the next peer to act, or finds that there is none
// (request_peer_fencing).
func (e *Engine) request(now time.Time, o *op, p *peer) {
	if o.phase == wire.PhaseOn && len(o.at) > 0 && e.staysOff(now, o) {
		return
	}
	if p == nil && !o.topology() {
		p = e.choose(o)
	}
	if o.totalAt.IsZero() {
		o.total = factor(e.totalFor(o, p))
		o.totalAt = after(now, o.total+max(o.delay, 0))
		e.reportTimeout(o, o.total+max(o.delay, 0))
		e.out.Notes.Info("Total timeout set to %d for peer's fencing targeting %s for %s| id=%s", o.total, o.rec.Target, o.rec.ClientName, o.id8())
	}
	timeout, id := o.base, ""
	if o.topology() && len(o.at) > 0 {
		// Each device has its own peers; choosing one uses it up, so the total
		// had to be known before.
		p = e.choose(o)
		id = o.current()
		timeout = o.deviceTimeout(p, id)
	}
	if p != nil {
		e.ask(now, o, p, id, timeout)
		return
	}
	e.nobody(now, o, id)
}

// staysOff passes over a device that cannot, or is not to, switch the target
// on again. What this node knows of the device has to do: no peer is chosen yet.
func (e *Engine) staysOff(now time.Time, o *op) bool {
	id := o.current()
	switch {
	case e.world.RebootAction(id) == "off":
		e.out.Notes.Info("Not turning %s back on using %s because the device is configured to stay off (pcmk_reboot_action='off')", o.rec.Target, id)
	case !e.world.SupportsOn(id):
		e.out.Notes.Info("Not turning %s back on using %s because the agent doesn't support 'on'", o.rec.Target, id)
	default:
		return false
	}
	e.nextDevice(now, o, id, nil)
	return true
}

func (e *Engine) ask(now time.Time, o *op, p *peer, id string, timeout int) {
	f := &wire.Fence{OpHead: o.head(), Delay: o.delay, Device: id}
	f.Timeout = timeout
	wd := e.world.Watchdog()
	one := 0
	if id != "" {
		one = factor(o.patience(p, id))
		e.out.Notes.Notice("Requesting that %s perform '%s' action targeting %s using %s | for client %s (%ds)",
			p.host, o.rec.Action, o.rec.Target, id, o.rec.ClientName, one)
	} else {
		one = factor(o.peerTimeout(p))
		e.out.Notes.Notice("Requesting that %s perform '%s' action targeting %s | for client %s (%ds, %ds)",
			p.host, o.rec.Action, o.rec.Target, o.rec.ClientName, one, wd.Timeout.Milliseconds())
	}
	o.rec.State = wire.StateExec
	byWatchdog := wd.Timeout > 0 && (id == wire.WatchdogID || sameNode(p.host, o.rec.Target) && o.rec.Action != "on")
	if !byWatchdog || !e.waitForWatchdog(now, o) {
		o.oneAt, o.watchdog = after(now, one+max(o.delay, 0)), false
	}
	e.do(Send{To: p.host, Msg: f})
	p.tried = true
}

// waitForWatchdog gives the target its time to fence itself
// (check_watchdog_fencing_and_wait).
func (e *Engine) waitForWatchdog(now time.Time, o *op) bool {
	wd := e.world.Watchdog()
	if !wd.Covers(o.rec.Target) {
		e.out.Notes.Debug("Skipping fallback to watchdog-fencing as %s is not in host-list", o.rec.Target)
		return false
	}
	e.out.Notes.Notice("Waiting %ds for %s to self-fence (%s) for client %s | id=%s",
		int(wd.Timeout/time.Second), o.rec.Target, o.rec.Action, o.rec.ClientName, o.id8())
	o.oneAt, o.watchdog = now.Add(wd.Timeout), true
	return true
}

// nobody handles that no peer can act: wait for more offers, or give up.
func (e *Engine) nobody(now time.Time, o *op, id string) {
	r, n := &o.rec, &e.out.Notes
	switch {
	case o.phase == wire.PhaseOn:
		n.Warn("Ignoring %s 'on' failure (no capable peers) targeting %s after successful 'off'", id, r.Target)
		e.nextDevice(now, o, id, nil)
	case !o.owner:
		n.Err("Fencing (%s) targeting %s for client %s is not ours to control", r.Action, r.Target, r.ClientName)
	case o.queryAt.IsZero():
		n.Info("No remaining peers capable of fencing (%s) %s for client %s | state=%s", r.Action, r.Target, r.ClientName, r.State)
		if r.State < wire.StateDone {
			e.timedOut(now, o, "All nodes failed, or are unable, to fence target")
		}
	case o.replies >= o.expected || o.replies >= e.world.ActivePeers():
		e.noDevice(now, o, id)
	default:
		n.Info("Waiting for additional peers capable of fencing (%s) %s%s for client %s | id=%s", r.Action, r.Target,
			note.Sandwich(" using ", id, ""), r.ClientName, o.id8())
	}
}

// noDevice ends an operation after everybody has answered and nobody could.
func (e *Engine) noDevice(now time.Time, o *op, id string) {
	wd := e.world.Watchdog()
	if wd.Timeout > 0 && (id == "" || id == wire.WatchdogID) && e.waitForWatchdog(now, o) {
		return
	}
	r := &o.rec
	none := wire.Failure(pcmk.ExitError, pcmk.ExecNoFenceDevice, "")
	if r.State == wire.StateQuery {
		e.out.Notes.Info("No peers (out of %d) have devices capable of fencing (%s) %s for client %s | state=%s", o.replies, r.Action, r.Target, r.ClientName, r.State)
		r.Result = none
	} else {
		if o.topology() {
			r.Result = none
		}
		// Else the last failed attempt says more.
		e.out.Notes.Info("No peers (out of %d) are capable of fencing (%s) %s for client %s | state=%s", o.replies, r.Action, r.Target, r.ClientName, r.State)
	}
	r.State = wire.StateFailed
	e.finalize(now, o, nil, false)
}
