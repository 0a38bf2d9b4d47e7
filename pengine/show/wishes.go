package show

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/model"
)

// tickets shows the tickets that are known.
func (v *View) tickets(spacer bool) bool {
	if len(v.Cluster.Tickets) == 0 {
		return false
	}
	if spacer {
		v.Spacer()
	}
	v.Begin("Tickets")
	for _, i := range model.HashOrder(v.Cluster.TicketIDs) {
		v.ticket(v.Cluster.Tickets[v.Cluster.TicketIDs[i]])
	}
	v.End()
	return true
}

func (v *View) ticket(t *model.Ticket) {
	state := "revoked"
	if t.Granted {
		state = "granted"
	}
	at, timed := int64(-1), false
	if s, ok := t.State["last-granted"]; ok {
		at, _ = score.LeadingInt(s)
		timed = at > -1
	}
	if v.Format == pcmkout.XML {
		x := v.Node("ticket", "id", t.ID, "status", state, "standby", btoa(t.Standby))
		if timed {
			x.Set("last-granted", v.Epoch(at))
		}
		return
	}
	if t.Standby {
		state += " [standby]"
	}
	if timed {
		state += " last-granted=\"" + v.Epoch(at) + "\""
	}
	if v.Format == pcmkout.HTML {
		v.Item("", t.ID+":\t"+state)
	} else {
		v.Item(t.ID, state)
	}
}

// bans shows the constraints that keep resources off nodes.
func (v *View) bans(spacer bool) bool {
	list := section{v: v, title: "Negative Location Constraints", spacer: spacer}
	for i := len(v.Cluster.Locations) - 1; i >= 0; i-- {
		l := v.Cluster.Locations[i]
		if !strings.HasPrefix(l.ID, v.Prefix) || !v.Rscs.has(l.Rsc.PrintID()) && !v.Rscs.has(l.Rsc.Top().PrintID()) {
			continue
		}
		for _, n := range l.Nodes {
			if n.Score < 0 {
				list.show()
				v.ban(l, n)
			}
		}
	}
	return list.end()
}

func (v *View) ban(l *model.Location, n model.NodeScore) {
	promoted := l.Role == model.Promoted
	if v.Format == pcmkout.XML {
		v.Node("ban", "id", l.ID, "resource", l.Rsc.ID, "node", n.Node.Name, "weight", strconv.Itoa(int(n.Score)),
			"promoted-only", btoa(promoted), "master_only", btoa(promoted))
		return
	}
	role := ""
	if promoted {
		role = "in Promoted role "
	}
	v.Item("", l.ID+"\tprevents "+l.Rsc.ID+" from running "+role+"on "+v.nodeName(n.Node))
}
