package explain

import (
	"strconv"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/model"
)

// choice says why a node was chosen; ok is false where nothing was to choose.
func (e *Explainer) choice(s *subject, d *model.Resource, n *model.Node) (f Finding, ok bool) {
	f = Finding{Node: n.Name}
	if !d.Is(model.Managed) {
		f.Kind = ChosenUnmanaged
		return f, true
	}
	k := d.Contest
	if k == nil || len(k.Ranked) == 0 {
		return f, false
	}
	if top := d.Top(); (top.IsClone() || d.Parent != nil && d.Parent.Variant == model.Bundle) && d.RunsOn(n) && len(s.parts) > 1 {
		f.Kind = ChosenStay
		return f, true
	}
	var won, next *model.Contender
	for i := range k.Ranked {
		c := &k.Ranked[i]
		switch {
		case c.Node == n:
			won = c
		case next == nil && c.Usable && c.Score >= 0:
			next = c
		}
	}
	switch {
	case won == nil:
		return f, false
	case next == nil:
		f.Kind = ChosenOnly
	default:
		f.Of = next.Node.Name
		e.compare(&f, d, won, next)
	}
	return f, true
}

// compare says in what the chosen node is better than the next best.
func (e *Explainer) compare(f *Finding, d *model.Resource, won, next *model.Contender) {
	switch {
	case won.Score > next.Score:
		f.Kind, f.Value = ChosenBest, ""
		if won.Score < model.Inf {
			f.Value = strconv.Itoa(int(won.Score - next.Score))
		}
	case d.Contest.By == model.ByRunning || d.Contest.By == model.ByPrefer && d.RunsOn(won.Node):
		f.Kind = ChosenActive
	case e.c.Opt.Strategy == "balanced" && next.Room > 0:
		f.Kind = ChosenRoom
	case e.c.Opt.Strategy != "minimal" && won.Load < next.Load:
		f.Kind, f.Count, f.Limit = ChosenLoad, strconv.Itoa(won.Load), strconv.Itoa(next.Load)
	case e.c.Opt.Strategy != "minimal" && d.RunsOn(won.Node):
		f.Kind = ChosenActive
	default:
		f.Kind = ChosenName
	}
}

// promotion tells whether and why an instance is promoted, and what its promotion
// score is made of.
func (e *Explainer) promotion(a *NodeAnswer, p *model.Resource) {
	top := p.Top()
	if !top.Is(model.Promotable) || !top.IsClone() {
		return
	}
	inst := p
	for inst.Parent != nil && inst.Parent != top {
		inst = inst.Parent
	}
	total := score.Score(0)
	for i := range inst.WhyPromoted {
		w := &inst.WhyPromoted[i]
		total = w.Total
		if f, ok := e.scoreFinding(inst, w); ok {
			a.Promoted = addScore(a.Promoted, f)
		}
	}
	f := Finding{Node: a.Node, Value: total.String(), Limit: itoa(top.Clone.PromotedMax)}
	none := promotionAttrOn(inst, inst.Location(model.Planned)) == ""
	switch {
	case inst.State(false) == model.Promoted && !inst.Is(model.Managed):
		return
	case inst.State(false) == model.Promoted:
		f.Kind = PromotedBest
	case inst.IsDisabled():
		f.Kind, f.Rsc, f.ID = TargetUnpromoted, inst.PrintID(), e.metaID(inst, "target-role")
	case none && total < 0 && total > -model.Inf:
		f.Kind = PromotionNone
	case total < 0:
		f.Kind = PromotionNegative
	case promotedOn(top, inst.Location(model.Planned)) >= top.Clone.PromotedNodeMax:
		f.Kind, f.Limit = PromotedNodeMax, itoa(top.Clone.PromotedNodeMax)
	default:
		f.Kind = PromotedMax
	}
	a.Choice = append(a.Choice, f)
}

// promotedOn counts the instances that are promoted on a node.
func promotedOn(top *model.Resource, n *model.Node) (count int) {
	for _, k := range top.Children {
		if k.Location(model.Planned) == n && k.State(false) == model.Promoted {
			count++
		}
	}
	return count
}

// promotionAttrOn returns the node attribute with the promotion score of an instance,
// or of a member of it, empty when there is none.
func promotionAttrOn(inst *model.Resource, n *model.Node) string {
	if n == nil {
		return ""
	}
	for _, r := range append([]*model.Resource{inst}, leaves(inst.Children)...) {
		if name := promotionAttr(r, n); name != "" {
			return name
		}
	}
	return ""
}
