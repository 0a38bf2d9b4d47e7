package unpack

import (
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/pengine/model"
)

// resultText is a result as messages show it: its name, and the reason that the
// agent gave.
func resultText(o *model.HistoryOp, rc int) string {
	text := pcmk.OCF(rc).String()
	if rc > model.RCUnknown { // the original's programs do not know the deprecated ones
		text = "unknown"
	}
	if o.ExitReason != "" {
		text += ": " + o.ExitReason
	}
	return text
}

// lastChange is when a result came, without the day of the week (last_change_str).
func (u *unpacker) lastChange(o *model.HistoryOp) string {
	if !o.HasLastChange {
		return "unknown time"
	}
	return time.Unix(o.LastChange, 0).In(time.FixedZone("", u.c.Now.Offset)).Format("Jan _2 15:04:05 2006")
}

// reportOrphan tells of a resource that is active and not configured.
func (u *unpacker) reportOrphan(r *model.Resource, n *model.Node) {
	switch {
	case !r.Is(model.Orphan):
	case r.Is(model.Managed):
		u.c.Report(model.ConfigWarn, "process_rsc_state", "Detected active orphan "+r.ID+" running on "+n.Name)
	default:
		u.c.Report(model.ConfigWarn, "process_rsc_state", "Resource '"+r.ID+"' must be stopped manually on "+n.Name+
			" because cluster is configured not to stop active orphans")
	}
}
