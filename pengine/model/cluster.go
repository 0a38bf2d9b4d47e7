// Package model is the cluster as the policy engine sees it: nodes, resources,
// operations, constraints, actions and the orders between them, as typed data.
//
// Every phase of pengine imports it; it holds data and lookups but no
// decisions, and no XML. It replaces pe_types.h and the lookups of
// lib/pengine/{status,native,utils,complex}.c. Fields are grouped by the phase
// that writes them; pengine/DESIGN.md says which phase may write what. A Cluster
// and all in it are owned by the one goroutine that runs the engine.
package model

import (
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
)

// Roles of resources, and the largest score, under short names.
type Role = rules.Role

// The roles, in the order in which a resource goes up.
const (
	Unknown    = rules.Unknown
	Stopped    = rules.Stopped
	Started    = rules.Started
	Unpromoted = rules.Unpromoted
	Promoted   = rules.Promoted

	Inf = score.Infinity
)

// QuorumPolicy is what to do without quorum (no-quorum-policy).
type QuorumPolicy uint8

// The policies.
const (
	QuorumStop QuorumPolicy = iota
	QuorumFreeze
	QuorumIgnore
	QuorumSuicide
	QuorumDemote
)

// Options are the cluster options that the engine uses, decoded.
type Options struct {
	All                  map[string]string // every option, defaults filled in, as written
	NoQuorum             QuorumPolicy
	StonithAction        string
	Strategy             string // placement-strategy, lower case
	Health               score.Health
	HealthStrategy       string
	HealthBase           score.Score
	PriorityFencingDelay int
	ShutdownLockLimit    int64
	StonithEnabled       bool
	HaveStonith          bool // some fencing resource or a watchdog exists
	EnableUnfencing      bool
	ConcurrentFencing    bool
	StopOrphanResources  bool
	StopOrphanActions    bool
	StopEverything       bool
	StartFailureFatal    bool
	RemoveAfterStop      bool
	StartupFencing       bool
	ShutdownLock         bool
	StartupProbes        bool
	Symmetric            bool
	MaintenanceMode      bool
}

// Ticket is a booth ticket and its state.
type Ticket struct {
	ID      string
	Granted bool
	Standby bool
	State   map[string]string
}

// Tag is a tag or template with what it refers to, in order.
type Tag struct {
	ID   string
	Refs []string
}

// Shown collects what crm_simulate prints while the engine runs: scores,
// promotion scores, utilization and notices, in order. Nil when nobody looks.
type Shown struct {
	Scores      bool
	Utilization bool
	Lines       []ShownLine
}

// ShownKind says what a line is about.
type ShownKind uint8

// The kinds of lines. A notice is not shown quietly.
const (
	ShownNotice ShownKind = iota
	ShownScore
	ShownPromotion
	ShownCapacity
	ShownUtilization
)

// ShownLine is one line of what is printed while the engine runs.
type ShownLine struct {
	Kind      ShownKind
	By        string // the original's function, or when a capacity is told
	Rsc, Node string
	Score     string
	Amounts   [][2]string // of utilization
	Text      string      // of a notice
}

// Cluster is everything the engine knows.
type Cluster struct {
	FeatureSet string
	DCUUID     string
	Now        iso8601.Time
	HaveQuorum bool
	Panic      bool // no-quorum-panic of the CIB
	Opt        Options
	Sanitized  bool // pe_flag_sanitized: only digests without private values are known
	HaveRemote bool // some node is a remote or guest node
	Consulted  int  // how often a resource was asked for the sake of another (package place)

	Nodes     []*Node // by name
	nodeByID  map[string]*Node
	nodeBy    map[string]*Node // by lower-case name
	nextNode  int
	SameNames bool // of several nodes
	DC        *Node
	Resources []*Resource // top level
	byID      map[string]*Resource
	renamed   map[string][]*Resource
	nextRsc   int
	Tags      map[string]*Tag
	Templates map[string]*Tag
	Tickets   map[string]*Ticket
	TicketIDs []string // in order of appearance

	OpDefaults  []rules.Set
	RscDefaults []rules.Set                    // meta attributes
	RscParams   []rules.Set                    // instance attributes, legacy
	History     map[string]map[string]*History // by node name and resource id
	Histories   map[string][]*History          // by node name, as written
	Failed      []*HistoryOp
	StopNeeded  []*Resource
	ParamChecks []ParamCheck

	Locations   []*Location   // newest last; applied newest first
	Colocations []*Colocation // in order of creation
	Orderings   []*Ordering   // in order of creation

	Actions    []*Action // in order of creation
	nextAction int
	single     map[string]*Action // actions without resource, by key

	RecheckBy int64 // epoch seconds, 0 for none

	Shown      *Shown
	Explaining bool      // note why each score changes
	Problems   []Problem // what is wrong, in order

	Instances, Disabled, Blocked int // counts for the status header
}

// New returns an empty cluster.
func New() *Cluster {
	return &Cluster{
		nodeByID: map[string]*Node{}, nodeBy: map[string]*Node{}, byID: map[string]*Resource{},
		renamed: map[string][]*Resource{}, single: map[string]*Action{}, nextAction: 1,
		Tags: map[string]*Tag{}, Templates: map[string]*Tag{}, Tickets: map[string]*Ticket{},
		History: map[string]map[string]*History{}, Histories: map[string][]*History{},
	}
}

// Recheck asks for another run at that time, if none is asked for earlier
// (pe__update_recheck_time).
func (c *Cluster) Recheck(at int64) {
	if at > c.Now.Unix && (c.RecheckBy == 0 || c.RecheckBy > at) {
		c.RecheckBy = at
	}
}

// Apply evaluates blocks of name-value pairs and notes when the result may change.
func (c *Cluster) Apply(sets []rules.Set, env rules.Env, m map[string]string, overwrite bool) {
	if len(sets) == 0 {
		return
	}
	var next rules.Change
	env.Now, env.Next, env.Problem = c.Now, &next, c.RuleProblem
	rules.Apply(sets, &env, m, overwrite)
	if next.Set {
		c.Recheck(next.At.Unix)
	}
}

// RuleProblem reports what is wrong with a rule.
func (c *Cluster) RuleProblem(function, text string) {
	if function == "pe__eval_attr_expr" {
		c.Report(PeErr, function, text)
	} else {
		c.Report(LogErr, function, text)
	}
}

// Ticket returns the ticket of that name, made when it is new.
func (c *Cluster) Ticket(id string) *Ticket {
	t := c.Tickets[id]
	if t == nil {
		t = &Ticket{ID: id, State: map[string]string{}}
		c.Tickets[id] = t
		c.TicketIDs = append(c.TicketIDs, id)
	}
	return t
}

// AddTag appends a reference to a tag, once.
func AddTag(m map[string]*Tag, tag, ref string) {
	t := m[tag]
	if t == nil {
		t = &Tag{ID: tag}
		m[tag] = t
	}
	for _, r := range t.Refs {
		if r == ref {
			return
		}
	}
	t.Refs = append(t.Refs, ref)
}

// Register makes a resource and all below it findable by id.
func (c *Cluster) Register(r *Resource) {
	if old := c.byID[r.ID]; old == nil {
		c.byID[r.ID] = r
	} else if old != r {
		c.renamed[r.ID] = append(c.renamed[r.ID], r)
	}
	for _, k := range r.Children {
		c.Register(k)
	}
}

// Rename records the name that the history of a clone instance goes by.
func (c *Cluster) Rename(r *Resource, name string) {
	if r.CloneName == name {
		return
	}
	r.CloneName = name
	c.renamed[name] = append(c.renamed[name], r)
}

// Find returns the resource of that id, or the first instance that goes by it
// (pe_find_resource).
func (c *Cluster) Find(id string) *Resource {
	best := c.byID[id]
	for _, r := range c.renamed[id] {
		if (r.ID == id || r.CloneName == id) && (best == nil || r.Index < best.Index) {
			best = r
		}
	}
	return best
}

// Matching returns every resource that has that id or goes by it, last first
// (pcmk__rscs_matching_id).
func (c *Cluster) Matching(id string) []*Resource {
	var out []*Resource
	out0 := c.byID[id]
	if out0 != nil {
		out = append(out, out0)
	}
	for _, r := range c.renamed[id] {
		if r != out0 && (r.ID == id || r.CloneName == id) {
			out = append(out, r)
		}
	}
	MergeSort(out, func(a, b *Resource) int { return b.Index - a.Index })
	return out
}

// True reads a boolean as Pacemaker does; what is none is false.
func True(s string) bool { v, _ := Bool(s); return v }

// Bool reads a boolean (crm_str_to_boolean); ok is false for what is none.
func Bool(s string) (v, ok bool) {
	switch strings.ToLower(s) {
	case "true", "on", "yes", "y", "1":
		return true, true
	case "false", "off", "no", "n", "0":
		return false, true
	}
	return false, false
}

// Int reads the integer that s begins with, at least least (pcmk__scan_min_int).
func Int(s string, least int) int {
	v, ok := score.LeadingInt(s)
	if !ok || v < int64(least) {
		return least
	}
	return int(min(v, 1<<31-1))
}

// Add adds a line.
func (s *Shown) Add(l ShownLine) {
	if s != nil {
		s.Lines = append(s.Lines, l)
	}
}

// Info adds a notice between the lines of the list.
func (s *Shown) Info(text string) { s.Add(ShownLine{Kind: ShownNotice, Text: text}) }
