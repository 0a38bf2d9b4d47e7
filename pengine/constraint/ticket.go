package constraint

import (
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// ticket reads a ticket constraint (pcmk__unpack_rsc_ticket).
func (b *builder) ticket(n *xmltree.Node) {
	name, has := n.Get("ticket")
	if !has || name == "" {
		b.c.Report(model.ConfigErr, "pcmk__unpack_rsc_ticket", "Ignoring constraint '"+n.ID()+"' without ticket")
		return
	}
	t := b.c.Ticket(name)
	sets, ok := b.sets(n, false, side{"rsc", "rsc-role", "role"})
	for _, s := range sets {
		rs, ok := b.resources(s)
		for _, r := range rs {
			b.useTicket(s.id, r, t, b.role(s), n.Attr("loss-policy"))
		}
		if !ok {
			return
		}
	}
	if len(sets) > 0 || !ok {
		return
	}
	id, named := n.Get("rsc")
	if !named {
		b.c.Report(model.ConfigErr, "unpack_simple_rsc_ticket", "Ignoring constraint '"+n.ID()+"' without resource")
		return
	}
	if r := b.instance(n, b.resource(id), "rsc-instance"); r != nil {
		role, given := n.Get("rsc-role")
		b.useTicket(n.ID(), r, t, b.c.RoleAttr(role, given), n.Attr("loss-policy"))
	}
}

// useTicket makes the constraint and what it means now (rsc_ticket_new).
func (b *builder) useTicket(id string, r *model.Resource, t *model.Ticket, role model.Role, policy string) {
	use := &model.TicketUse{ID: id, Rsc: r, Ticket: t, Role: role}
	if use.Role == model.Started {
		use.Role = model.Unknown
	}
	switch strings.ToLower(policy) {
	case "fence":
		if b.c.Opt.StonithEnabled {
			use.Loss = model.LossFence
		} else {
			b.c.Report(model.ConfigErr, "rsc_ticket_new", "Resetting 'loss-policy' for ticket '"+t.ID+"' to 'stop' because fencing is not configured")
		}
	case "freeze":
		use.Loss = model.LossFreeze
	case "demote":
		use.Loss = model.LossDemote
	case "stop":
	default:
		if use.Role == model.Promoted {
			use.Loss = model.LossDemote
		}
	}
	r.TicketUses = append(r.TicketUses, use)
	if !t.Granted || t.Standby {
		b.applyTicket(r, use)
	}
}

// applyTicket bans, blocks or fences by the state of a ticket (constraints_for_ticket).
func (b *builder) applyTicket(r *model.Resource, use *model.TicketUse) {
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			b.applyTicket(k, use)
		}
		return
	}
	strict := use.Role != model.Promoted || use.Loss == model.LossStop
	switch {
	case !use.Ticket.Granted && len(r.RunningOn) > 0:
		b.loseTicket(r, use)
	case !use.Ticket.Granted && strict:
		r.AddScore(nil, -model.Inf, model.CauseNoTicket)
	case use.Ticket.Granted && use.Ticket.Standby && strict:
		r.AddScore(nil, -model.Inf, model.CauseStandby)
	}
}

func (b *builder) loseTicket(r *model.Resource, use *model.TicketUse) {
	matches := use.Role == model.Unknown || use.Role == r.Role
	switch use.Loss {
	case model.LossStop:
		r.AddScore(nil, -model.Inf, model.CauseTicketLost)
	case model.LossDemote:
		if use.Role != model.Promoted {
			r.AddScore(nil, -model.Inf, model.CauseTicketLost)
		}
	case model.LossFence:
		if !matches {
			return
		}
		r.AddScore(nil, -model.Inf, model.CauseTicketLost)
		for _, n := range r.RunningOn {
			plan.FenceNode(b.c, n, "deadman ticket was lost", false)
		}
	case model.LossFreeze:
		if matches {
			r.Clear(model.Managed)
			r.Set(model.Block)
		}
	}
}
