package model

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/score"
)

// Names of tasks (CRMD_ACTION_* and CRM_OP_*).
const (
	Start         = "start"
	Running       = "running"
	Stop          = "stop"
	StoppedTask   = "stopped"
	Promote       = "promote"
	PromotedTask  = "promoted"
	Demote        = "demote"
	Demoted       = "demoted"
	Monitor       = "monitor"
	NotifyTask    = "notify"
	Notified      = "notified"
	MigrateTo     = "migrate_to"
	MigrateFrom   = "migrate_from"
	ReloadTask    = "reload-agent"
	Delete        = "delete"
	Cancel        = "cancel"
	LRMDelete     = "lrm_delete"
	ClearFailures = "clear_failcount"
	Fence         = "stonith"
	Shutdown      = "do_shutdown"
	Maintain      = "maintenance_nodes"
)

// ActionFlag is a set of properties of an action (pe_action_*).
type ActionFlag uint16

// The flags.
const (
	Pseudo ActionFlag = 1 << iota
	Runnable
	Optional
	PrintAlways
	HaveNodeAttrs
	ImpliedByFencing
	MigrateRunnable
	Dumped
	Dangle
	RequiresAny
	Reschedule
	Tracking
	Dedup
	OnDC
)

// Needs is what a start or promote waits for.
type Needs uint8

// The requirements.
const (
	NeedsNothing Needs = iota
	NeedsQuorumOnly
	NeedsStonith
)

// OnFail is the reaction to a failure, by its number in pe_types.h.
type OnFail uint8

// The reactions.
const (
	FailIgnore OnFail = iota
	FailRecover
	FailMigrate
	FailBlock
	FailStop
	FailStandby
	FailFence
	FailRestartContainer
	FailResetRemote
	FailDemote
)

// Action is something to do, or a point in the order of things.
type Action struct {
	ID               int
	Priority         score.Score
	Rsc              *Resource
	Node             *Node
	Op               *Op
	Task             string
	Key              string // uuid: RESOURCE_TASK_INTERVAL
	CancelTask       string
	Reason           string
	Flags            ActionFlag
	Needs            Needs
	OnFail           OnFail
	FailRole         Role
	Meta             map[string]string
	Extra            map[string]string
	RunnableBefore   int
	RequiredRunnable int
	Before           []*Edge // newest last
	After            []*Edge // newest last
}

// Edge orders two actions. The side of Then may weaken its view (Type) without
// the side of First noticing (AfterType).
type Edge struct {
	First, Then *Action
	Type        Order
	AfterType   Order
	Drawn       bool // in the graph
}

// Order is a set of properties of an order (pe_order_*), with the original's bits.
type Order uint32

// The properties.
const (
	OrderOptional           Order = 0x1
	OrderFirstNonMigratable Order = 0x2
	ImpliesFirst            Order = 0x10
	ImpliesThen             Order = 0x20
	PromotedImpliesFirst    Order = 0x40
	ImpliesFirstMigratable  Order = 0x80
	RunnableLeft            Order = 0x100
	PseudoLeft              Order = 0x200
	ImpliesThenOnNode       Order = 0x400
	OrderProbe              Order = 0x800
	OrderRestart            Order = 0x1000
	SerializeOnly           Order = 0x4000
	SameNode                Order = 0x8000
	ImpliesFirstPrinted     Order = 0x10000
	ImpliesThenPrinted      Order = 0x20000
	Asymmetrical            Order = 0x100000
	OrderLoad               Order = 0x200000
	OneOrMore               Order = 0x400000
	AntiColocation          Order = 0x800000
	Preserve                Order = 0x1000000
	ThenCancelsFirst        Order = 0x2000000
)

// Is says whether all of the flags are set.
func (a *Action) Is(f ActionFlag) bool { return a.Flags&f == f }

// Set sets flags.
func (a *Action) Set(f ActionFlag) { a.Flags |= f }

// Clear clears flags.
func (a *Action) Clear(f ActionFlag) { a.Flags &^= f }

// Because sets the reason, an existing one only when told to overwrite.
func (a *Action) Because(reason string, overwrite bool) {
	if a.Reason == "" || overwrite {
		a.Reason = reason
	}
}

// Save numbers an action and files it with its resource or the cluster.
func (c *Cluster) Save(a *Action) {
	a.ID = c.nextAction
	c.nextAction++
	c.Actions = append(c.Actions, a)
	if a.Rsc == nil {
		c.single[a.Key] = a
		return
	}
	a.Rsc.Actions = append(a.Rsc.Actions, a)
}

// Single returns the action without resource of that key.
func (c *Cluster) Single(key string) *Action { return c.single[key] }

// Link orders two actions unless an order of that kind exists (order_actions); it
// says whether anything is new. An action is never ordered after itself; the
// original aborts there.
func Link(first, then *Action, t Order) bool {
	if t == 0 || first == nil || then == nil || first == then {
		return false
	}
	if len(first.After) <= len(then.Before) {
		for _, e := range first.After {
			if e.Then == then && e.AfterType&t != 0 {
				return false
			}
		}
	} else {
		for _, e := range then.Before {
			if e.First == first && e.AfterType&t != 0 {
				return false
			}
		}
	}
	e := &Edge{First: first, Then: then, Type: t, AfterType: t}
	first.After = append(first.After, e)
	then.Before = append(then.Before, e)
	return true
}

// Key builds RESOURCE_TASK_INTERVAL (pcmk__op_key).
func Key(rsc, task string, intervalMS uint32) string {
	if intervalMS == 0 {
		return rsc + "_" + task + "_0"
	}
	return rsc + "_" + task + "_" + strconv.FormatUint(uint64(intervalMS), 10)
}

// NotifyKey builds RESOURCE_TYPE_notify_TASK_0 (pcmk__notify_key).
func NotifyKey(rsc, typ, task string) string { return rsc + "_" + typ + "_notify_" + task + "_0" }

// SplitKey takes a key apart (parse_op_key).
func SplitKey(key string) (rsc, task string, intervalMS uint32, ok bool) {
	i := strings.LastIndexByte(key, '_')
	if i <= 0 {
		return "", "", 0, false
	}
	ms, _ := score.LeadingInt(key[i+1:])
	rest := key[:i]
	for _, t := range []string{MigrateTo, MigrateFrom} {
		if r, found := strings.CutSuffix(rest, "_"+t); found && r != "" {
			for _, p := range []string{"_pre_notify", "_post_notify"} {
				if r2, found := strings.CutSuffix(r, p); found {
					return r2, rest[len(r2)+1:], uint32(ms), true
				}
			}
			return r, t, uint32(ms), true
		}
	}
	for _, mark := range []string{"_pre_notify_", "_post_notify_"} {
		if j := strings.LastIndex(rest, mark); j > 0 && onlyLower(rest[j+len(mark):]) {
			return rest[:j], rest[j+1:], uint32(ms), true
		}
	}
	j := strings.LastIndexByte(rest, '_')
	if j < 0 {
		return "", "", 0, false
	}
	return rest[:j], rest[j+1:], uint32(ms), true
}

func onlyLower(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return s != ""
}

// First returns the newest action of r with that key or task (whichever is not
// empty) on that node, nil for any (find_first_action).
func (r *Resource) First(key, task string, n *Node) *Action {
	for i := len(r.Actions) - 1; i >= 0; i-- {
		a := r.Actions[i]
		switch {
		case key != "" && a.Key != key, task != "" && a.Task != task:
		case n == nil, a.Node == n:
			return a
		}
	}
	return nil
}

// ActionsFor returns the actions of r with that key on that node, nil for any,
// oldest first. An action without node gets it (find_actions).
func (r *Resource) ActionsFor(key string, n *Node) []*Action {
	var out []*Action
	for i := len(r.Actions) - 1; i >= 0; i-- {
		a := r.Actions[i]
		if a.Key != key {
			continue
		}
		if n != nil && a.Node == nil {
			a.Node = n
		}
		if n == nil || a.Node == n {
			out = append(out, a)
		}
	}
	reverse(out)
	return out
}

// ActionsExactly is ActionsFor for actions that have that node already (find_actions_exact).
func (r *Resource) ActionsExactly(key string, n *Node) []*Action {
	if n == nil {
		return nil
	}
	var out []*Action
	for _, a := range r.Actions {
		if a.Node == n && a.Key == key {
			out = append(out, a)
		}
	}
	return out
}

func reverse[T any](s []T) {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
}
