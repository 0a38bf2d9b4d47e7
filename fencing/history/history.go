// Package history compares and trims what fencers remember of past operations.
//
// fencing/remoteop keeps the operations and calls it. It replaces the rules of
// daemons/fenced/fenced_history.c.
package history

import (
	"cmp"
	"slices"

	"github.com/pacesync/pacesync/fencing/wire"
)

// Max is how many operations are remembered (MAX_STONITH_HISTORY).
const Max = 500

// byTime puts pending operations first, then the others from the newest to the
// oldest (op_time_sort).
func byTime(l []wire.Record) {
	slices.SortStableFunc(l, func(a, b wire.Record) int {
		switch {
		case a.State.Pending() && b.State.Pending():
			return 0
		case a.State.Pending():
			return -1
		case b.State.Pending():
			return 1
		}
		return cmp.Or(cmp.Compare(b.Completed, a.Completed), cmp.Compare(b.CompletedNsec, a.CompletedNsec))
	})
}

// Surplus returns the identifiers of the oldest half of the history once it has
// grown beyond Max; what is pending stays (stonith_fence_history_trim).
func Surplus(l []wire.Record) []string {
	if len(l) <= Max {
		return nil
	}
	l = slices.Clone(l)
	byTime(l)
	var out []string
	for _, r := range l[Max/2:] {
		if !r.State.Pending() {
			out = append(out, r.ID)
		}
	}
	return out
}

// Difference is what two fencers have to tell each other.
type Difference struct {
	Send    []wire.Record // ours, which the peer lacks or believes pending
	Replace []wire.Record // the peer's, which we believe pending
	Adopt   []wire.Record // the peer's, which we lack
}

// Compare compares our history with a peer's
// (stonith_local_history_diff_and_merge).
func Compare(local, remote []wire.Record) Difference {
	theirs := make(map[string]wire.Record, len(remote))
	for _, r := range remote {
		if r.ID != "" {
			theirs[r.ID] = r
		}
	}
	var d Difference
	for _, l := range local {
		r, known := theirs[l.ID]
		delete(theirs, l.ID)
		switch {
		case !known || !l.State.Pending() && r.State.Pending():
			d.Send = append(d.Send, l)
		case l.State.Pending() && !r.State.Pending():
			d.Replace = append(d.Replace, r)
		}
	}
	for _, r := range remote {
		if t, ok := theirs[r.ID]; ok {
			d.Adopt = append(d.Adopt, t)
			delete(theirs, r.ID)
		}
	}
	return d
}
