package remoteop

import (
	"slices"
	"time"

	"github.com/pacesync/pacesync/fencing/topology"
	"github.com/pacesync/pacesync/fencing/wire"
)

func (e *Engine) levels(o *op) *topology.Entry {
	if o.rec.Target == "" {
		return nil
	}
	return e.world.Levels(o.rec.Target)
}

// nextLevel turns to the next level of the target's topology. It is false when
// there is none; a target without topology is fine only if emptyOK
// (advance_topology_level).
func (e *Engine) nextLevel(o *op, emptyOK bool) bool {
	tp := e.levels(o)
	if tp == nil || tp.Count() == 0 {
		return emptyOK
	}
	o.opts |= wire.UseTopology
	e.undoSplit(o)
	for o.level++; o.level < wire.MaxLevel && tp.Levels[o.level] == nil; o.level++ {
	}
	if o.level >= wire.MaxLevel {
		e.out.Notes.Info("All fencing options targeting %s for client %s@%s failed | id=%s", o.rec.Target, o.rec.ClientName, o.rec.Origin, o.id8())
		return false
	}
	o.devices = slices.Clone(tp.Levels[o.level])
	o.at = o.devices
	if o.level > 1 && o.delay > 0 {
		o.delay = 0 // the first level has waited for it
	}
	if len(o.devices) > 1 && o.rec.Action == "reboot" {
		// Several devices are, for example, the outlets of redundant power
		// supplies: all have to be off at one time.
		e.out.Notes.Info("Remapping multiple-device reboot targeting %s to 'off' | id=%s", o.rec.Target, o.id8())
		o.phase, o.rec.Action = wire.PhaseOff, "off"
	}
	return true
}

// undoSplit makes a reboot of its halves again (undo_op_remap).
func (e *Engine) undoSplit(o *op) {
	if o.phase > wire.Requested {
		e.out.Notes.Info("Undoing remap of reboot targeting %s for %s | id=%s", o.rec.Target, o.rec.ClientName, o.id8())
		o.phase, o.rec.Action = wire.Requested, "reboot"
	}
}

// turnOn begins the second half: what was switched off is switched on, but for
// devices that the cluster itself switches on when the node comes back
// (op_phase_on).
func (e *Engine) turnOn(o *op) {
	e.out.Notes.Info("Remapped 'off' targeting %s complete, remapping to 'on' for %s | id=%s", o.rec.Target, o.rec.ClientName, o.id8())
	o.phase, o.rec.Action = wire.PhaseOn, "on"
	o.devices = slices.DeleteFunc(slices.Clone(o.devices), func(id string) bool { return slices.Contains(o.automatic, id) })
	o.automatic = nil
	o.at = o.devices
}

// nextDevice goes on after a device has succeeded
// (advance_topology_device_in_level).
func (e *Engine) nextDevice(now time.Time, o *op, id string, m *wire.Message) {
	if len(o.at) > 0 {
		o.at = o.at[1:]
	}
	if o.phase == wire.Requested && o.rec.Action == "on" {
		o.automatic = slices.DeleteFunc(slices.Clone(o.automatic), func(a string) bool { return a == id })
		if len(o.at) == 0 {
			o.at = o.automatic
		}
	}
	if len(o.at) == 0 && o.phase == wire.PhaseOff {
		e.turnOn(o)
	}
	o.rec.Result = wire.Done()
	if len(o.at) > 0 {
		if o.delay > 0 {
			o.delay = 0 // the first device has waited for it
		}
		e.request(now, o, nil)
		return
	}
	o.rec.State = wire.StateDone
	e.finalize(now, o, m, false)
}

// allFound says whether the devices of all levels are known
// (all_topology_devices_found). A target that goes down does not count.
func (e *Engine) allFound(o *op) bool {
	tp := e.levels(o)
	if tp == nil {
		return false
	}
	for _, level := range tp.Levels {
		for _, id := range level {
			if !slices.ContainsFunc(o.peers, func(p *peer) bool {
				return !(wire.Fences(o.rec.Action) && sameNode(p.host, o.rec.Target)) && o.usable(p, id, 0) != nil
			}) {
				return false
			}
		}
	}
	return true
}
