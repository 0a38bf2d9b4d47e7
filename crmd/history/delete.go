package history

import (
	"maps"
	"slices"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// absent takes a request that needs a resource the executor does not have: what is not
// there is deleted.
func (k *Keeper) absent(r *Request) {
	if r.Task != taskDelete {
		k.fake(r, pcmk.ExecError, pcmk.OCFInvalidParam, reasonRegister)
		return
	}
	k.notef(Notice, "Not registering resource '%s' for a %s event | get-rc=-19 (No such device) transition-key=%s", r.Rsc, r.Task, r.Key)
	k.drop(r, r.Rsc, pcmk.OK, r.User)
}

// deleteRsc forgets a resource, if the user may (do_lrm_delete).
func (k *Keeper) deleteRsc(r *Request) {
	t := k.token(func(rc pcmk.RC) {
		if rc == pcmk.OK {
			k.unregister(r, r.Rsc, r.FromSys, r.User)
			return
		}
		o := k.op(r, r.Rsc, taskDelete)
		o.Status, o.RC = pcmk.ExecError, pcmk.OCFError
		if rc == pcmk.RC(13) {
			o.RC = pcmk.OCFInsufficientPriv
		}
		k.answer(r.FromHost, r.FromSys, r.Rsc, &o)
	})
	k.emit(MayDelete{Token: t, Path: k.rscPath(r.Rsc), User: r.User})
}

// unregister makes the executor forget a resource (delete_resource). r is nil when
// nobody waits for an answer.
func (k *Keeper) unregister(r *Request, rsc, sys, user string) {
	as := ""
	if user != "" {
		as = " as " + user
	}
	k.notef(Inform, "Removing resource %s from executor for %s%s", rsc, sys, as)
	delete(k.known, rsc)
	t := k.token(func(rc pcmk.RC) {
		switch rc {
		case pcmk.OK:
		case pcmk.RC(115): // EINPROGRESS
			k.notef(Inform, "Deletion of resource '%s' from executor is pending", rsc)
			if r != nil {
				k.removal[r.Reference] = r
			}
			return
		default:
			k.notef(Warning, "Could not delete '%s' from executor for %s%s: %v | rc=%d", rsc, sys, as, rc, rc)
		}
		k.drop(r, rsc, rc, user)
	})
	k.emit(Unregister{Token: t, Rsc: rsc})
}

// drop forgets the history of a resource and tells who waits for that (delete_rsc_entry).
func (k *Keeper) drop(r *Request, rsc string, rc pcmk.RC, user string) {
	if rc == pcmk.OK {
		delete(k.entries, rsc)
		k.emit(Delete{Rsc: rsc, Path: k.rscPath(rsc), User: user})
		for id, p := range k.pending {
			if p.op.Rsc == rsc {
				k.notef(Inform, "Removing op %s:%d for deleted resource %s", p.op.opKey(), p.op.CallID, rsc)
				delete(k.pending, id)
			}
		}
	}
	if r != nil {
		k.notifyDeleted(r, rsc, rc)
	}
	for _, ref := range slices.Sorted(maps.Keys(k.removal)) {
		if w := k.removal[ref]; w.Rsc == rsc {
			delete(k.removal, ref)
			k.notifyDeleted(w, rsc, rc)
		}
	}
}

// notifyDeleted answers a request for deletion (notify_deleted).
func (k *Keeper) notifyDeleted(r *Request, rsc string, rc pcmk.RC) {
	host, not := r.FromHost, ""
	if host == "" {
		host = "localhost"
	}
	if rc != pcmk.OK {
		not = " not"
	}
	k.notef(Inform, "Notifying %s on %s that %s was%s deleted", r.FromSys, host, rsc, not)
	o := k.op(r, rsc, taskDelete)
	switch rc {
	case pcmk.OK:
		o.Status, o.RC = pcmk.ExecDone, pcmk.OCFOK
	case pcmk.RC(13):
		o.Status, o.RC = pcmk.ExecError, pcmk.OCFInsufficientPriv
	default:
		o.Status, o.RC = pcmk.ExecError, pcmk.OCFError
	}
	k.answer(r.FromHost, r.FromSys, rsc, &o)
	if r.FromSys != transitioner {
		k.notef(Debug, "Triggering a refresh after %s cleaned %s", r.FromSys, rsc)
		k.emit(Refreshed{Rsc: rsc})
	}
}

// reprobe forgets everything, so that all is detected anew (handle_reprobe_op).
func (k *Keeper) reprobe(r *Request) {
	k.notef(Notice, "Forcing the status of all resources to be redetected")
	k.notef(Inform, "Clearing resource history on node %s", k.node)
	for _, rsc := range slices.Sorted(maps.Keys(k.entries)) {
		if isRemote(k.entries[rsc].agent) {
			// Without its connection a remote node would leave.
			k.drop(nil, rsc, pcmk.OK, r.User)
			continue
		}
		k.unregister(nil, rsc, r.FromSys, r.User)
	}
	k.emit(ForgetNode{User: r.User})
	if r.FromSys != "pengine" && r.FromSys != transitioner {
		k.emit(Reprobed{Host: r.FromHost, Sys: r.FromSys})
	}
}

// isRemote says whether a resource is the connection to a remote node (is_remote_lrmd_ra).
func isRemote(a Agent) bool {
	return a.Class == "ocf" && a.Provider == "pacemaker" && a.Type == "remote"
}
