package unpack

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
)

// recordedOps returns what is recorded of rsc on node, nothing where that is written
// in two places (find_lrm_resource, which takes no result that is not the only one).
func (u *unpacker) recordedOps(node, rsc string) (ops []*model.HistoryOp) {
	found := 0
	for _, h := range u.c.Histories[node] {
		if h.ID == rsc {
			ops = h.Ops
			found++
		}
	}
	if found > 1 {
		return nil
	}
	return ops
}

// known says whether a result of rsc on node is recorded (unknown_on_node, which since
// clusterlabs/pacemaker#3020 does not count what has only begun).
func (u *unpacker) known(node, rsc string) bool {
	for _, h := range u.c.Histories[node] {
		if h.ID == rsc && slices.ContainsFunc(h.Ops, func(o *model.HistoryOp) bool { return o.RCText != "" && o.RCText != "193" }) {
			return true
		}
	}
	return false
}

// find returns the recorded operation of that task that leads to or comes from other,
// when it is the only one (find_lrm_op). rc limits it to a result, -1 for any.
func (u *unpacker) find(rsc, task, node, other string, rc int) (found *model.HistoryOp) {
	for _, h := range u.c.Histories[node] {
		if h.ID != rsc {
			continue
		}
		for _, o := range h.Ops {
			elsewhere := other != "" && ((task == model.MigrateTo && o.MigrateTarget != other) || (task == model.MigrateFrom && o.MigrateSource != other))
			if o.Task != task || elsewhere {
				continue
			}
			if found != nil {
				return nil
			}
			found = o
		}
	}
	if found != nil && rc >= 0 && (found.RC != rc || found.Status != model.ExecDone) {
		return nil
	}
	return found
}

// changedAfter says whether something but a monitor happened there after o
// (non_monitor_after).
func (u *unpacker) changedAfter(rsc, node string, o *model.HistoryOp, same bool) bool {
	for _, p := range u.recordedOps(node, rsc) {
		switch p.Task {
		case model.Start, model.Stop, model.MigrateTo, model.MigrateFrom:
			if p != o && compareOps(p, o, same) > 0 {
				return true
			}
		}
	}
	return false
}

// newerState says whether what is known of rsc on node is newer than the migration
// (newer_state_after_migrate).
func (u *unpacker) newerState(rsc, node string, to, from *model.HistoryOp) bool {
	o, same := to, false
	if from != nil {
		o = from
	}
	if o == nil {
		return false
	}
	switch {
	case strings.EqualFold(node, o.MigrateTarget):
		if from != nil {
			o, same = from, true
		} else {
			o = to
		}
	case strings.EqualFold(node, o.MigrateSource):
		if to != nil {
			o, same = to, true
		} else {
			o = from
		}
	}
	if u.changedAfter(rsc, node, o, same) {
		return true
	}
	m := u.find(rsc, model.Monitor, node, "", model.RCNotRunning)
	return m != nil && compareOps(m, o, same) > 0
}

func migration(n *model.Node, o *model.HistoryOp, here string) bool {
	return o.MigrateSource != "" && o.MigrateTarget != "" && here == n.Name
}

// migrated draws the conclusions from a migrate_to that worked
// (unpack_migrate_to_success).
func (u *unpacker) migrated(r *model.Resource, n *model.Node, o *model.HistoryOp) {
	if !migration(n, o, o.MigrateSource) {
		return
	}
	sourceNewer := u.changedAfter(r.ID, o.MigrateSource, o, true)
	from := u.find(r.ID, model.MigrateFrom, o.MigrateTarget, o.MigrateSource, -1)
	if sourceNewer && from != nil {
		return
	}
	targetNewer := u.newerState(r.ID, o.MigrateTarget, o, from)
	if sourceNewer && targetNewer {
		return
	}
	r.Role = model.Started
	target, source := u.c.Node(o.MigrateTarget), u.c.Node(o.MigrateSource)
	usable := !targetNewer && target != nil && target.Online
	switch {
	case from != nil && from.RC == model.RCOk && from.Status == model.ExecDone:
		r.Role = model.Stopped
		r.Dangling = append([]*model.Node{n}, r.Dangling...)
	case from != nil && from.Status != model.ExecPending:
		if usable {
			u.addRunning(r, target, true)
		} else {
			r.Set(model.Failed | model.StopOnFail)
			r.Clear(model.AllowMigrate)
		}
	case target != nil && target.Online && !u.known(o.MigrateTarget, r.ID):
		// Its history there was cleaned: a probe will tell (fixed after 2.1.5, in Debian's).
	case usable:
		u.addRunning(r, target, false)
		if source != nil && source.Online {
			r.PartialTarget, r.PartialSource = target, source
		}
	case !sourceNewer:
		r.Set(model.Failed | model.StopOnFail)
		r.Clear(model.AllowMigrate)
	}
}

func (u *unpacker) migrateToFailed(r *model.Resource, n *model.Node, o *model.HistoryOp) {
	if !migration(n, o, o.MigrateSource) {
		return
	}
	r.Role = model.Started
	from := u.find(r.ID, model.MigrateFrom, o.MigrateTarget, o.MigrateSource, model.RCOk)
	if u.known(o.MigrateTarget, r.ID) && !u.newerState(r.ID, o.MigrateTarget, o, from) {
		if t := u.c.Node(o.MigrateTarget); t != nil && t.Online {
			u.addRunning(r, t, false)
		}
	} else if !u.changedAfter(r.ID, o.MigrateSource, o, true) {
		r.Dangling = append([]*model.Node{n}, r.Dangling...)
	}
}

func (u *unpacker) migrateFromFailed(r *model.Resource, n *model.Node, o *model.HistoryOp) {
	if !migration(n, o, o.MigrateTarget) {
		return
	}
	r.Role = model.Started
	to := u.find(r.ID, model.MigrateTo, o.MigrateSource, o.MigrateTarget, model.RCOk)
	if u.known(o.MigrateSource, r.ID) && !u.newerState(r.ID, o.MigrateSource, to, o) {
		if s := u.c.Node(o.MigrateSource); s != nil && s.Online {
			u.addRunning(r, s, true)
		}
	}
}
