package daemon

import (
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/totem"
	"github.com/pacesync/pacesync/totem/pg"
	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// upper receives what the ring delivers: totem.Upper. Owned by the loop.
type upper struct{ d *Daemon }

// Deliver hands a message to the sync layer or to its service.
func (u upper) Deliver(from wire.NodeID, group pg.Group, msg []byte, swapped bool) {
	d := u.d
	if group == pg.GroupSync {
		if d.sync.Deliver(uint32(from), msg) {
			d.synced()
		} else if d.sync.Running() {
			d.node.CancelHold() // the sync goes on at the token's next visit
		}
		d.sendSync()
		return
	}
	if err := d.registry.deliver(uint32(from), msg, swapped); err != nil {
		d.log.serv.Warning("%v", err)
	}
}

// View handles one configuration change: cmap's list of members, then the
// services, then the sync layer (main.c: confchg_fn).
func (u upper) View(v *srp.View) {
	d := u.d
	d.setSyncing(true)
	members, left, joined := ids(v.Members), ids(v.Left), ids(v.Joined)
	ring := service.RingID{Rep: uint32(v.Ring.Rep), Seq: uint64(v.Ring.Seq)}
	d.ring = ring
	if v.Kind == srp.ViewRegular {
		d.members = members
	}
	d.noteMembers(left, joined)
	transitional := v.Kind == srp.ViewTransitional
	for _, e := range d.registry.order {
		if e.Confchg != nil {
			e.Confchg(transitional, members, left, joined, ring)
		}
	}
	if transitional {
		d.sync.Transitional(members)
	} else {
		d.sync.Regular(members, ring)
	}
	d.sendSync()
}

// Rotated lets the sync layer send: the current service first, then the barrier.
func (u upper) Rotated() {
	u.d.sync.TokenHandled()
	u.d.sendSync()
}

// Trace writes the log line of something the ring did.
func (u upper) Trace(t *srp.Trace) { u.d.traceLine(t) }

// StoreFailed ends the daemon: without a stored ring id it could use one twice.
func (u upper) StoreFailed(err error) {
	u.d.log.totem.Error("%v", err)
	u.d.shutdown(exitRingID, false)
}

// sendSync multicasts what the sync layer has pending; when the queue is full
// it stays pending until the next token.
func (d *Daemon) sendSync() {
	for msg := d.sync.Pending(); msg != nil; msg = d.sync.Pending() {
		if d.node.Mcast(pg.GroupSync, msg, nil) != nil {
			return
		}
		d.sync.Sent()
	}
}

// synced ends a sync round: clients may connect and multicast.
func (d *Daemon) synced() {
	d.log.main.Notice("Completed service synchronization, ready to provide service.")
	d.setSyncing(false)
	d.clients.ready = true
	d.node.TransAck()
	if !d.notified {
		d.notified = true
		d.notifyReady()
	}
}

// ids converts node ids to the plain numbers that services use.
func ids(in []wire.NodeID) []uint32 {
	out := make([]uint32, len(in))
	for i, id := range in {
		out[i] = uint32(id)
	}
	return out
}

// traceLine writes the log line of something the ring did; nothing is formatted
// for a level that is off. Dropped packets, of which strangers can send any number,
// are not for the flight recorder.
func (d *Daemon) traceLine(t *srp.Trace) {
	level := totem.LevelOf(t.Kind)
	wanted := d.log.totem.Enabled
	if t.Kind == srp.TraceDropped {
		wanted = d.log.totem.Routed
	}
	if wanted(level) {
		d.log.totem.Log(level, totem.Message(t))
	}
}
