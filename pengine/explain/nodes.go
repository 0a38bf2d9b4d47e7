package explain

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// onNode answers about one node: for each part that goes there, else for one that
// could have.
func (e *Explainer) onNode(s *subject, n *model.Node) []NodeAnswer {
	var out []NodeAnswer
	for _, p := range s.parts {
		if decider(p).Assigned == n {
			out = append(out, e.answer(s, p, n))
		}
	}
	if len(out) == 0 {
		out = append(out, e.answer(s, candidate(s, n), n))
	}
	return out
}

// candidate is the part whose scores say why none is on a node: one that was active
// there, else one without a place, else the whole, whose limit is reached.
func candidate(s *subject, n *model.Node) *model.Resource {
	for _, p := range s.parts {
		if decider(p).RunsOn(n) {
			return p
		}
	}
	for _, p := range s.parts {
		if decider(p).Assigned == nil {
			return p
		}
	}
	if len(s.parts) == 1 {
		return s.parts[0]
	}
	return s.top
}

func (e *Explainer) answer(s *subject, p *model.Resource, n *model.Node) NodeAnswer {
	d := decider(p)
	a := NodeAnswer{Node: n.Name, Instance: p.ID, Usable: n.Usable(), Chosen: d.Assigned == n}
	a.Reasons = e.nodeState(n)
	a.Score, a.Known = e.scores(&a, d, n)
	if !a.Known && !a.Chosen {
		a.Reasons = append(a.Reasons, Finding{Kind: NotAllowed, Node: n.Name})
	}
	if !a.Chosen && full(s) {
		a.Reasons = append(a.Reasons, Finding{Kind: CloneMax, Limit: itoa(len(s.parts)), Rsc: s.top.ID})
	}
	if a.Chosen {
		a.Role = d.NextRole.String()
		if d.NextRole == model.Unknown {
			a.Role = model.Started.String()
		}
		if f, ok := e.choice(s, d, n); ok {
			a.Choice = append(a.Choice, f)
		}
		e.promotion(&a, p)
	}
	return a
}

// full says whether all instances of a clone or bundle have a place.
func full(s *subject) bool {
	for _, p := range s.parts {
		if decider(p).Assigned == nil {
			return false
		}
	}
	return s.top.Variant > model.Group
}

// standbyFailure is the failure that put a node on standby.
func (e *Explainer) standbyFailure(n *model.Node) Finding {
	for _, o := range e.c.Failed {
		if o.Node != n || o.Rsc == nil {
			continue
		}
		for _, op := range o.Rsc.Ops {
			if op.Name == o.Task && op.IntervalMS == o.IntervalMS && op.OnFail == "standby" {
				return Finding{Op: opName(o), Rsc: o.Rsc.XMLID}
			}
		}
	}
	return Finding{}
}

// nodeState tells what about the node itself keeps it from running resources.
func (e *Explainer) nodeState(n *model.Node) (out []Finding) {
	add := func(k Kind, f Finding) { f.Kind, f.Node = k, n.Name; out = append(out, f) }
	switch {
	case n.Kind == model.Ping:
		add(NodePing, Finding{Value: "ping"})
	case n.Unclean && n.Unseen:
		add(NodeUnseen, Finding{})
	case n.Unclean:
		add(NodeUnclean, Finding{})
	case !n.Online && n.Pending, n.Online && n.Pending:
		add(NodePending, Finding{})
		return out // the engine counts it as on standby meanwhile
	case !n.Online:
		add(NodeOffline, Finding{})
	}
	if n.Shutdown && n.Online {
		add(NodeShutdown, Finding{})
	}
	switch {
	case n.StandbyOnFail:
		add(NodeStandbyOnFail, e.standbyFailure(n))
	case n.Standby:
		add(NodeStandby, Finding{ID: e.nodeAttrID(n, "standby")})
	}
	if n.Maintenance {
		add(NodeMaintenance, Finding{ID: e.nodeAttrID(n, "maintenance")})
	}
	return out
}

// scores tells what adds up to the score of d for a node; known is false when d has
// none for it.
func (e *Explainer) scores(a *NodeAnswer, d *model.Resource, n *model.Node) (total score.Score, known bool) {
	known = d.Allowed.Get(n) != nil
	at := min(d.WeighedAt, len(d.Why))
	for i := range d.Why {
		w := &d.Why[i]
		if w.Node != n {
			continue
		}
		if i >= at && d.IsWeighed {
			if w.Cause != model.CauseCapacity && w.Cause != model.CauseCloneMax {
				continue
			}
		} else {
			total = w.Total
		}
		known = true
		if f, ok := e.scoreFinding(d, w); ok {
			a.Reasons = addScore(a.Reasons, f)
		}
	}
	return total, known
}

// addScore adds a finding, or its score to one that says the same.
func addScore(list []Finding, f Finding) []Finding {
	for i := range list {
		same := list[i]
		same.Score = f.Score
		if same == f {
			list[i].Score = score.Add(list[i].Score, f.Score)
			return list
		}
	}
	return append(list, f)
}

// scoreFinding makes a finding of a change of a score; ok is false for what is told
// otherwise.
func (e *Explainer) scoreFinding(d *model.Resource, w *model.Why) (f Finding, ok bool) {
	kind, known := kindOf(w.Cause)
	if !known {
		return f, false
	}
	f = Finding{Kind: kind, Score: w.Score, Node: w.Node.Name}
	switch w.Cause {
	case model.CauseNode:
		return f, w.Node.Usable() || len(e.nodeState(w.Node)) == 0
	case model.CauseContainer:
		f.Value = containerText(w.Score)
	case model.CauseLocation:
		e.location(&f, w.Location)
	case model.CauseHealth:
		f.ID, f.Value = e.c.Opt.HealthStrategy, health(w.Node)
	case model.CauseColocation:
		e.colocation(&f, d, w)
	case model.CauseCompany:
		e.company(&f, w)
	case model.CausePromotion:
		if f.ID = promotionAttrOn(d, w.Node); f.ID == "" {
			f.Value = "none is set there"
		}
	case model.CauseFailures:
		e.failures(&f, d, w.Node)
	case model.CauseHardError, model.CauseFatalError, model.CauseOnFail, model.CauseNotHere, model.CauseStopFailed, model.CauseFailStop:
		e.failure(&f, d, w)
	case model.CauseTargetRole:
		return e.targetRole(f, d), true
	case model.CauseNoTicket, model.CauseStandby, model.CauseTicketLost:
		ticket(&f, d)
	case model.CauseLock:
		e.lock(&f, d)
	case model.CauseCloneMax:
		f.Limit = itoa(d.Top().Clone.Max)
	case model.CauseNodeMax:
		f.Limit = instancesPerNode(d)
	case model.CauseCapacity:
		f.Value = shortage(d, w.Node)
	case model.CauseWhole:
		f.Rsc = d.Top().ID
	}
	return f, true
}

// targetRole names what wants a resource stopped: its target-role, or a failure.
func (e *Explainer) targetRole(f Finding, d *model.Resource) Finding {
	if p := e.metaPair(d, "target-role"); p != nil && d.IsDisabled() {
		f.ID, f.Rsc, f.Value = p.ID(), d.PrintID(), p.Attr("value")
		return f
	}
	if o := e.worstFailure(d, nil); o != nil {
		f.Kind, f.Op, f.Value, f.Of = FailStop, opName(o), resultText(o), o.Node.Name
		return f
	}
	f.Rsc, f.Value = d.PrintID(), model.Stopped.String()
	return f
}

func containerText(s score.Score) string {
	if s > 0 {
		return "it lives in this guest node"
	}
	return "it lives in a container or guest node of its own"
}

func kindOf(c model.Cause) (Kind, bool) {
	k := [model.Causes]Kind{
		model.CauseNode: NodeScore, model.CauseLocation: Location, model.CauseHealth: Health, model.CauseStickiness: Stickiness,
		model.CauseColocation: With, model.CauseCompany: Company, model.CausePromotion: Promotion, model.CauseFailures: Failures,
		model.CauseOnFail: OnFail, model.CauseNotHere: NotHere, model.CauseHardError: HardError, model.CauseFatalError: FatalError,
		model.CauseStopFailed: StopFailed, model.CauseTargetRole: TargetRole, model.CauseNoTicket: NoTicket, model.CauseStandby: TicketStandby,
		model.CauseTicketLost: TicketLost, model.CauseUndiscovered: Undiscovered, model.CauseRemote: RemoteNode, model.CauseContainer: Container,
		model.CauseLock: Locked, model.CauseCloneMax: CloneMax, model.CauseNodeMax: NodeMax, model.CauseCloneBan: CloneBan,
		model.CauseCapacity: Capacity, model.CauseOrphan: Orphan, model.CauseUnmanaged: ActiveUnmanaged,
		model.CauseMultiple: MultipleActive, model.CauseFailStop: FailStop, model.CauseWhole: CloneScore,
	}[c]
	return k, c != model.CauseNone && c != model.CauseUnusable // the latter is told about the node
}

func (e *Explainer) location(f *Finding, l *model.Location) {
	f.ID = l.ID
	if l.Of != "" {
		f.Kind, f.Of, f.Until = LocationRule, l.Of, l.Until
	}
}

func health(n *model.Node) string {
	var bad []string
	for name, v := range n.Attrs {
		if strings.HasPrefix(name, "#health") {
			bad = append(bad, name+"="+v)
		}
	}
	return sorted(bad)
}

// colocation tells how a colocation of d with something else counts for a node.
func (e *Explainer) colocation(f *Finding, d *model.Resource, w *model.Why) {
	k := w.Colocation
	other := k.Primary
	f.ID, f.Rsc = k.ID, other.ID
	if k.PrimaryRole != model.Unknown {
		f.Role = k.PrimaryRole.String()
	}
	_, at := other.Locate(model.Planned)
	where := names(at)
	ban := w.Score <= -model.Inf && k.Score > 0
	switch {
	case ownColocation(k) == Member:
		f.Kind, f.ID, f.Value = Member, "", goesTo(where)
	case ownColocation(k) == Container:
		f.Kind, f.ID, f.Value = Container, "", "it belongs to "+other.ID+", which "+goesTo(where)
	case ban && (where == "" || f.Role != "" && e.inRole(other, k.PrimaryRole) == ""):
		f.Kind = NotRunningWith
	case ban:
		f.Kind, f.Value = Elsewhere, where
		if f.Role != "" {
			f.Value = e.inRole(other, k.PrimaryRole)
		}
	case w.Score < 0:
		f.Kind = Apart
	}
}

// ownColocation says what a colocation of the engine's own is for.
func ownColocation(k *model.Colocation) Kind {
	switch k.ID {
	case "group:internal_colocation":
		return Member
	case "resource-with-container", "ip-with-docker", "child-remote-with-docker-remote":
		return Container
	}
	return With
}

func (e *Explainer) inRole(r *model.Resource, role model.Role) string {
	var at []*model.Node
	for _, k := range append([]*model.Resource{r}, r.Children...) {
		if n := decider(k).Assigned; n != nil && (k.State(false) == role || k.State(false) == model.Unknown) {
			at = append(at, n)
		}
	}
	return names(at)
}

func (e *Explainer) company(f *Finding, w *model.Why) {
	k := w.Colocation
	f.ID, f.Rsc = k.ID, k.Dependent.ID
	switch ownColocation(k) {
	case Member:
		f.Kind, f.ID = MemberCompany, ""
	case Container:
		f.Kind, f.ID = MemberCompany, ""
	}
}

func goesTo(where string) string {
	if where == "" {
		return "runs nowhere"
	}
	return "goes to " + where
}

func names(nodes []*model.Node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Name)
	}
	return strings.Join(out, ", ")
}

func promotionAttr(d *model.Resource, n *model.Node) string {
	for _, id := range []string{d.CloneName, d.ID, model.BaseName(d.ID)} {
		if _, ok := d.NodeAttr(n, "master-"+id); ok && id != "" {
			return "master-" + id
		}
	}
	return ""
}

// failures tells how often d, or what its clone is made of, failed on a node.
func (e *Explainer) failures(f *Finding, d *model.Resource, n *model.Node) {
	for _, r := range family(d) {
		count, last := plan.Failures(n, r, plan.Effective|plan.Fillers, nil)
		if count <= 0 || r.MigrationThreshold > count {
			continue
		}
		f.Rsc, f.Count, f.Limit = r.ID, count.String(), r.MigrationThreshold.String()
		if r.FailureTimeout > 0 && last > 0 {
			f.Until = last + r.FailureTimeout + 1
		}
		return
	}
	f.Count, f.Limit = "its", "the limit"
}

// family is d and all that shares its fate in a ban: what is in its clone.
func family(d *model.Resource) []*model.Resource {
	out := []*model.Resource{d}
	if top := d.Top(); !d.Is(model.Unique) && top != d {
		var walk func(*model.Resource)
		walk = func(r *model.Resource) {
			if len(r.Children) == 0 {
				out = append(out, r)
			}
			for _, k := range r.Children {
				walk(k)
			}
		}
		walk(top)
	}
	if len(d.Children) > 0 {
		for _, k := range d.Children {
			out = append(out, family(k)...)
		}
	}
	return out
}

// failure names the operation behind a ban.
func (e *Explainer) failure(f *Finding, d *model.Resource, w *model.Why) {
	at := w.Node
	anywhere := w.Cause == model.CauseFatalError || w.Cause == model.CauseFailStop
	if anywhere {
		at = nil
	}
	if o := e.worstFailure(d, at); o != nil {
		f.Op, f.Value = opName(o), resultText(o)
		if anywhere && o.Node != nil {
			f.Of = o.Node.Name
		}
	}
}

func opName(o *model.HistoryOp) string {
	switch {
	case o.IsProbe():
		return "probe"
	case o.IntervalMS > 0:
		return o.Task + " every " + strconv.FormatFloat(float64(o.IntervalMS)/1000, 'g', -1, 64) + "s"
	}
	return o.Task
}

// ticket names the ticket that is missing; a resource has its uses, or what holds it does.
func ticket(f *Finding, d *model.Resource) {
	for r := d; r != nil; r = r.Parent {
		for _, use := range r.TicketUses {
			if !use.Ticket.Granted || use.Ticket.Standby {
				f.Rsc, f.ID = use.Ticket.ID, use.ID
				return
			}
		}
	}
	f.Rsc = "?"
}

func (e *Explainer) lock(f *Finding, d *model.Resource) {
	if d.LockNode == nil {
		return
	}
	f.Value = d.LockNode.Name
	if limit := e.c.Opt.ShutdownLockLimit; limit > 0 {
		f.Until = d.LockTime + limit + 1
	}
}

func instancesPerNode(d *model.Resource) string {
	top := d.Parent
	for top != nil && top.Variant < model.Clone {
		top = top.Parent
	}
	switch {
	case top == nil:
		return "1"
	case top.Clone != nil:
		return itoa(top.Clone.NodeMax)
	}
	return itoa(top.Bundle.PerHost)
}

// shortage says what a node lacks for a resource.
func shortage(d *model.Resource, n *model.Node) string {
	var lacks []string
	for name, v := range d.Utilization {
		need, left := model.Int(v, 0), model.Int(n.Utilization[name], -1<<31)
		if d.Assigned == n {
			left += need
		}
		if _, has := n.Utilization[name]; !has {
			left = 0
		}
		if need > left {
			lacks = append(lacks, name+" "+itoa(left)+" of "+v+" needed")
		}
	}
	if len(lacks) == 0 {
		return "not enough for it and what must be with it"
	}
	return sorted(lacks)
}
