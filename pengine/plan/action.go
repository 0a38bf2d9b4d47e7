// Package plan is the ledger of actions: it makes, finds and describes them, and
// knows what fencing, failures and parameters mean for them.
//
// Phases from unpack to order call it. It replaces lib/pengine/{pe_actions,
// pe_digest,failcounts,remote}.c. The numbers of actions show in the transition
// graph, so the order of calls is part of the contract.
package plan

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/pengine/model"
)

// Spec says which action is meant.
type Spec struct {
	Rsc      *model.Resource
	Key      string // default: made from Rsc, Task and Interval
	Task     string
	Interval uint32
	Node     *model.Node
	Required bool // not optional
}

func (s *Spec) key() string {
	if s.Key == "" && s.Rsc != nil {
		return model.Key(s.Rsc.ID, s.Task, s.Interval)
	}
	return s.Key
}

// Action returns the action of that description, made when it is new
// (custom_action). Asking again can only make it more required.
func Action(c *model.Cluster, s Spec) *model.Action {
	key := s.key()
	a := existing(c, key, &s)
	if a == nil {
		a = newAction(c, key, &s)
		c.Save(a)
	}
	finish(c, a, &s, true)
	return a
}

// Draft is Action for an action that only describes and is not filed.
func Draft(c *model.Cluster, s Spec) *model.Action {
	a := newAction(c, s.key(), &s)
	finish(c, a, &s, false)
	return a
}

func existing(c *model.Cluster, key string, s *Spec) *model.Action {
	if s.Rsc == nil {
		a := c.Single(key)
		if a == nil || s.Node == nil || a.Node == s.Node {
			return a
		}
		if a.Node == nil {
			a.Node = s.Node
			return a
		}
		return nil
	}
	// The oldest one counts: find_actions prepends while walking newest first.
	var found *model.Action
	for _, a := range s.Rsc.Actions {
		if a.Key != key {
			continue
		}
		if s.Node != nil && a.Node == nil {
			a.Node = s.Node
		}
		if found == nil && (s.Node == nil || a.Node == s.Node) {
			found = a
		}
	}
	return found
}

func newAction(c *model.Cluster, key string, s *Spec) *model.Action {
	a := &model.Action{Rsc: s.Rsc, Task: s.Task, Key: key, Node: s.Node, Flags: model.Runnable, Meta: map[string]string{}}
	if s.Task == model.LRMDelete {
		a.Set(model.OnDC)
	}
	if !s.Required {
		a.Set(model.Optional)
	}
	if s.Rsc != nil {
		a.Op = FindOp(s.Rsc, key, true)
		_, _, ms, _ := model.SplitKey(key)
		describe(c, a, ms)
	}
	return a
}

// finish brings flags up to date with the request and the state of the node.
func finish(c *model.Cluster, a *model.Action, s *Spec, saved bool) {
	_, recurring := a.Meta["interval"]
	switch {
	case a.Rsc != nil && a.Node != nil && !a.Is(model.Pseudo) && !a.Rsc.Is(model.Managed) && !recurring:
		a.Set(model.Optional)
	case s.Required:
		a.Clear(model.Optional)
	}
	if a.Rsc == nil {
		return
	}
	if a.Node != nil && !a.Is(model.HaveNodeAttrs) && a.Op != nil {
		a.Set(model.HaveNodeAttrs)
		if len(a.Op.Params) > 0 {
			if a.Extra == nil {
				a.Extra = map[string]string{}
			}
			c.Apply(a.Op.Params, rules.Env{Attrs: a.Node.Attrs}, a.Extra, false)
		}
	}
	updateRunnable(c, a, saved)
	if !saved {
		return
	}
	switch {
	case a.Task == model.Stop:
		a.Rsc.Set(model.Stopping)
	case a.Task == model.Start && a.Is(model.Runnable):
		a.Rsc.Set(model.Starting)
	case a.Task == model.Start:
		a.Rsc.Clear(model.Starting)
	}
}

// updateRunnable decides whether the action can be done as things stand
// (update_resource_action_runnable).
func updateRunnable(c *model.Cluster, a *model.Action, saved bool) {
	n := a.Node
	switch {
	case a.Is(model.Pseudo):
	case n == nil:
		a.Clear(model.Runnable)
	case !a.Is(model.OnDC) && !n.Online && (!n.IsGuest() || n.RequiresReset):
		a.Clear(model.Runnable)
		if saved {
			c.Report(model.LogWarn, "update_resource_action_runnable", a.Key+" on "+n.Name+" is unrunnable (node is offline)")
		}
		if a.Rsc.Is(model.Managed) && saved && a.Task == model.Stop && !n.Unclean {
			FenceNode(c, n, "stop is unrunnable", false)
		}
	case !a.Is(model.OnDC) && n.Pending:
		a.Clear(model.Runnable)
		if saved {
			c.Report(model.LogWarn, "update_resource_action_runnable", "Action "+a.Key+" on "+n.Name+" is unrunnable (node is pending)")
		}
	case a.Needs == model.NeedsNothing:
		a.Because("", true)
		if n.IsGuest() && !CanFence(c, n) {
			a.Clear(model.Runnable)
		} else {
			a.Set(model.Runnable)
		}
	default:
		applyQuorum(c, a)
	}
}

func applyQuorum(c *model.Cluster, a *model.Action) {
	switch effectiveQuorum(c, a.Rsc) {
	case model.QuorumStop:
		a.Clear(model.Runnable)
		a.Because("no quorum", true)
	case model.QuorumFreeze:
		if !a.Rsc.Active(true) || a.Rsc.NextRole > a.Rsc.Role {
			a.Clear(model.Runnable)
			a.Because("quorum freeze", true)
		}
	default:
		a.Set(model.Runnable)
	}
}

func effectiveQuorum(c *model.Cluster, r *model.Resource) model.QuorumPolicy {
	switch {
	case c.HaveQuorum:
		return model.QuorumIgnore
	case c.Opt.NoQuorum != model.QuorumDemote:
		return c.Opt.NoQuorum
	case r.Role == model.Promoted || r.Role == model.Unpromoted:
		if r.NextRole > model.Unpromoted {
			r.NextRole = model.Unpromoted
		}
		return model.QuorumIgnore
	}
	return model.QuorumStop
}

// FindOp returns the configured operation that a key of r means (find_rsc_op_entry).
func FindOp(r *model.Resource, key string, disabled bool) *model.Op {
	if op := findOp(r, key, disabled); op != nil {
		return op
	}
	switch {
	case strings.Contains(key, model.MigrateTo), strings.Contains(key, model.MigrateFrom):
		return findOp(r, model.Key(r.ID, "migrate", 0), disabled)
	case strings.Contains(key, "_notify_"):
		return findOp(r, model.Key(r.ID, "notify", 0), disabled)
	}
	return nil
}

func findOp(r *model.Resource, key string, disabled bool) *model.Op {
	for _, op := range r.Ops {
		if op.Disabled && !disabled {
			continue
		}
		if isKey(key, r.ID, op) || (r.CloneName != "" && isKey(key, r.CloneName, op)) {
			return op
		}
	}
	return nil
}

func isKey(key, id string, op *model.Op) bool {
	if len(key) < len(id)+len(op.Name)+3 || !strings.EqualFold(key[:len(id)], id) || key[len(id)] != '_' {
		return false
	}
	rest := key[len(id)+1:]
	if !strings.EqualFold(rest[:len(op.Name)], op.Name) || rest[len(op.Name)] != '_' {
		return false
	}
	return rest[len(op.Name)+1:] == strconv.FormatUint(uint64(op.IntervalMS), 10)
}

// PseudoOp returns a point in the order of things that belongs to no resource
// (get_pseudo_op).
func PseudoOp(c *model.Cluster, name string) *model.Action {
	a := c.Single(name)
	if a == nil {
		a = Action(c, Spec{Key: name, Task: name})
		a.Set(model.Pseudo | model.Runnable)
	}
	return a
}

// PseudoFor returns a point in the order of things of a resource
// (pe__new_rsc_pseudo_action).
func PseudoFor(r *model.Resource, task string, optional, runnable bool) *model.Action {
	a := Action(r.Cluster, Spec{Rsc: r, Task: task, Required: !optional})
	a.Set(model.Pseudo)
	if runnable {
		a.Set(model.Runnable)
	}
	return a
}

// Stop returns the stop of r on n.
func Stop(r *model.Resource, n *model.Node, optional bool) *model.Action {
	return Action(r.Cluster, Spec{Rsc: r, Task: model.Stop, Node: n, Required: !optional})
}

// Start returns the start of r on n.
func Start(r *model.Resource, n *model.Node, optional bool) *model.Action {
	return Action(r.Cluster, Spec{Rsc: r, Task: model.Start, Node: n, Required: !optional})
}

// ClearHistory schedules that the executor's record of r on n is deleted.
func ClearHistory(r *model.Resource, n *model.Node) *model.Action {
	return Action(r.Cluster, Spec{Rsc: r, Task: model.LRMDelete, Node: n, Required: true})
}

// ClearFailures schedules that the failures of r on n are forgotten (pe__clear_failcount).
func ClearFailures(r *model.Resource, n *model.Node, _ string) *model.Action {
	a := Action(r.Cluster, Spec{Rsc: r, Task: model.ClearFailures, Node: n, Required: true})
	AddMeta(a, "op_no_wait", "true")
	return a
}

// AddMeta sets a meta attribute unless it is set (add_hash_param).
func AddMeta(a *model.Action, name, value string) {
	if _, have := a.Meta[name]; !have && !strings.EqualFold(value, "#default") {
		a.Meta[name] = value
	}
}

// Expect sets the result that the action must have.
func Expect(a *model.Action, rc int) { a.Meta["op_target_rc"] = strconv.Itoa(rc) }

// Interval returns the interval of an action in milliseconds, 0 for none.
func Interval(a *model.Action) uint32 {
	v, _ := strconv.ParseUint(a.Meta["interval"], 10, 32)
	return uint32(v)
}

// Reason describes a for another action that changed because of it
// (pe__action2reason); flag is what was taken away.
func Reason(a *model.Action, flag model.ActionFlag) string {
	change := "unrunnable"
	if flag == model.Optional {
		change = "required"
	}
	if a.Rsc == nil {
		return change + " " + a.Task
	}
	return change + " " + a.Rsc.ID + " " + a.Task
}
