package model

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/score"
)

// Variant says how a resource is built.
type Variant uint8

// The variants, in the order that comparisons use (enum pe_obj_types).
const (
	Primitive Variant = iota
	Group
	Clone
	Bundle
)

// Flag is a set of properties of a resource (pe_rsc_*).
type Flag uint32

// The flags.
const (
	Orphan Flag = 1 << iota
	Managed
	Block
	OrphanFiller // orphan that once lived in a container
	Notify
	Unique
	FenceDevice
	Promotable
	Provisional
	Allocating
	Merging
	Restarting
	StopOnFail // pe_rsc_stop
	Reload
	AllowRemoteRemotes
	Critical
	Failed
	StartPending
	Starting
	Stopping
	StopUnexpected
	AllowMigrate
	FailureIgnored
	InMaintenance
	IsContainer
	NeedsQuorum
	NeedsFencing
	NeedsUnfencing
)

// Recovery is multiple-active.
type Recovery uint8

// What to do with a resource that is active on several nodes.
const (
	RecoverStopStart Recovery = iota
	RecoverStopOnly
	RecoverBlock
	RecoverStopUnexpected
)

// Op is a configured operation.
type Op struct {
	ID, Name   string
	IntervalMS uint32
	Disabled   bool // enabled="false"
	Role       string
	HasRole    bool
	Timeout    string
	OnFail     string
	Attrs      []rules.Pair // every attribute
	Meta       []rules.Set
	Params     []rules.Set
}

// CloneInfo is what only clones have.
type CloneInfo struct {
	Max, NodeMax, PromotedMax, PromotedNodeMax int
	Total                                      int
	Ordered                                    bool
	ChildID                                    string // id of what is cloned
	NewChild                                   func() *Resource
	ScoresAdded, Constrained                   bool // promotion scores were added, constraints applied
	StartNotify, StopNotify                    *NotifyData
	PromoteNotify, DemoteNotify                *NotifyData
}

// Replica is one copy of a bundle.
type Replica struct {
	Offset                       int
	IPAddr                       string
	Child, IP, Container, Remote *Resource
	Node                         *Node
}

// BundleInfo is what only bundles have.
type BundleInfo struct {
	Child        *Resource // the implicit clone
	Replicas     []*Replica
	NReplicas    int
	PerHost      int
	PromotedMax  int
	Image, Agent string
	Assigning    int // how many assignments of it are under way: more than one in a loop of colocations
}

// Resource is a resource of any variant, configured or orphaned.
type Resource struct {
	Cluster *Cluster
	Index   int // dense, parents before children
	ID      string
	XMLID   string // id without instance number
	Tag     string // element in the configuration
	Class   string
	HasProv bool
	Prov    string
	Type    string
	Descr   string
	Variant Variant
	Parent  *Resource

	Flags              Flag
	Recovery           Recovery
	RestartDependents  bool // restart-type=restart
	Priority           score.Score
	Stickiness         score.Score
	MigrationThreshold score.Score
	FailureTimeout     int64
	ReconnectMS        uint32
	IsRemoteConn       bool // ocf:pacemaker:remote
	Meta               map[string]string
	ParamSets          []rules.Set
	Utilization        map[string]string
	Ops                []*Op
	paramCache         map[string]map[string]string
	Clone              *CloneInfo
	Bundle             *BundleInfo
	GroupOrdered       bool
	GroupColocated     bool
	Children           []*Resource
	Container          *Resource
	Fillers            []*Resource

	// State, from the status section.
	CloneName                    string
	Role, NextRole               Role
	RunningOn                    []*Node
	Known                        NodeSet
	PendingTask                  string
	PendingNode                  *Node
	PartialTarget, PartialSource *Node
	Dangling                     []*Node
	LockNode                     *Node
	LockTime                     int64

	// Wishes.
	ExclusiveDiscover bool
	ThisWith          []*Colocation
	WithThis          []*Colocation
	Locations         []*Location // newest last
	TicketUses        []*TicketUse

	// Placement.
	Allowed     Table
	Assigned    *Node
	Chosen      Weighted // what was thought of Assigned when it was chosen
	SortIndex   score.Score
	Why         []Why // what changed scores and why, when Cluster asks for it
	WeighedAt   int   // how much of Why the choice was made by, once IsWeighed
	IsWeighed   bool
	Contest     *Contest  // how the node was chosen
	WhyPromoted []Why     // what the promotion score is made of
	NoPartner   *Resource // the clone whose missing instance cost it its place

	// Plan.
	Actions []*Action // in order of creation
}

// AddResource numbers a new resource.
func (c *Cluster) AddResource(r *Resource) {
	r.Cluster, r.Index = c, c.nextRsc
	c.nextRsc++
}

// Is says whether all of the flags are set.
func (r *Resource) Is(f Flag) bool { return r.Flags&f == f }

// Set sets flags.
func (r *Resource) Set(f Flag) { r.Flags |= f }

// Clear clears flags.
func (r *Resource) Clear(f Flag) { r.Flags &^= f }

// SetAll sets flags on r and all below it.
func (r *Resource) SetAll(f Flag) {
	r.Set(f)
	for _, k := range r.Children {
		k.SetAll(f)
	}
}

// Any says whether r or one below it has the flag.
func (r *Resource) Any(f Flag) bool {
	return r.Is(f) || slices.ContainsFunc(r.Children, func(k *Resource) bool { return k.Any(f) })
}

// Every says whether r and all below it have the flag.
func (r *Resource) Every(f Flag) bool {
	return r.Is(f) && !slices.ContainsFunc(r.Children, func(k *Resource) bool { return !k.Every(f) })
}

// IsClone says whether r is a clone of any kind (a bundle is not).
func (r *Resource) IsClone() bool { return r != nil && r.Variant == Clone }

// IsAnonClone says whether r is a clone without unique instances.
func (r *Resource) IsAnonClone() bool { return r.IsClone() && !r.Is(Unique) }

// IsUniqueClone says whether r is a clone with unique instances.
func (r *Resource) IsUniqueClone() bool { return r.IsClone() && r.Is(Unique) }

// Bundled says whether r is part of a bundle.
func (r *Resource) Bundled() bool {
	if r == nil {
		return false
	}
	for r.Parent != nil {
		r = r.Parent
	}
	return r.Variant == Bundle
}

// Top returns the outermost resource that holds r, a bundle not counted (uber_parent).
func (r *Resource) Top() *Resource {
	for r.Parent != nil && r.Parent.Variant != Bundle {
		r = r.Parent
	}
	return r
}

// Within says whether anc holds r (is_parent).
func (r *Resource) Within(anc *Resource) bool {
	if r == nil || anc == nil {
		return false
	}
	for p := r.Parent; p != nil; p = p.Parent {
		if p == anc {
			return true
		}
	}
	return false
}

// LastChild returns the last member of a group.
func (r *Resource) LastChild() *Resource {
	if len(r.Children) == 0 {
		return nil
	}
	return r.Children[len(r.Children)-1]
}

// PrintID is the id for people: without number where instances are alike (rsc_printable_id).
func (r *Resource) PrintID() string {
	if !r.Is(Unique) {
		return r.XMLID
	}
	return r.ID
}

// RunsOn says whether r is active on n.
func (r *Resource) RunsOn(n *Node) bool { return slices.Contains(r.RunningOn, n) }

// ActiveOn returns the node that counts as the current one, and on how many nodes r
// is active, all and clean ones (pe__find_active_on).
func (r *Resource) ActiveOn() (active *Node, all, clean int) {
	for _, n := range r.RunningOn {
		all++
		happy := n.Online && !n.Unclean
		if happy {
			clean++
		}
		switch {
		case r.PartialSource != nil:
			if n == r.PartialSource {
				active = n
			}
		case !r.Is(NeedsFencing):
			if happy && (active == nil || !active.Online || active.Unclean) {
				active = n
			}
		}
		if active == nil {
			active = n
		}
	}
	return active, all, clean
}

// Current returns the node that r is active on, nil when it is not (pe__current_node).
func (r *Resource) Current() *Node {
	n, _, _ := r.ActiveOn()
	return n
}

// When says which location of a resource is meant.
type When uint8

// The locations.
const (
	Planned      When = iota // where it is assigned
	Now                      // where it is active
	NowOrPending             // where it is active or was being started
)

// Locate returns the nodes of r without repetition, and the one when it is one
// (native_location).
func (r *Resource) Locate(w When) (one *Node, all []*Node) {
	total := 0
	r.eachLocation(w, func(n *Node) {
		total++
		if !slices.Contains(all, n) {
			all = append(all, n)
		}
	})
	if len(r.Children) > 0 {
		total = len(all)
	}
	if total == 1 {
		one = all[0]
	}
	return one, all
}

func (r *Resource) eachLocation(w When, f func(*Node)) {
	switch {
	case len(r.Children) > 0:
		for _, k := range r.Children {
			k.eachLocation(w, f)
		}
	case w == Planned:
		if r.Assigned != nil {
			f(r.Assigned)
		}
	default:
		for _, n := range r.RunningOn {
			f(n)
		}
		if w == NowOrPending && r.PendingNode != nil && !r.RunsOn(r.PendingNode) {
			f(r.PendingNode)
		}
	}
}

// Location returns the single node of r, nil when there is none or several.
func (r *Resource) Location(w When) *Node {
	switch {
	case len(r.Children) > 0:
		one, _ := r.Locate(w)
		return one
	case w == Planned:
		return r.Assigned
	case w == Now && len(r.RunningOn) == 1:
		return r.RunningOn[0]
	case w == Now:
		return nil
	}
	one, _ := r.Locate(w)
	return one
}

// State returns the role of r, the highest of its children for a collective; a
// bundle has none.
func (r *Resource) State(current bool) Role {
	switch r.Variant {
	case Bundle:
		return Unknown
	case Group, Clone:
		best := Unknown
		for _, k := range r.Children {
			best = max(best, k.State(current))
		}
		return best
	}
	if current {
		return r.Role
	}
	return r.NextRole
}

// Active says whether r is active: all of it, or any part (fns->active).
func (r *Resource) Active(all bool) bool {
	switch r.Variant {
	case Primitive:
		return slices.ContainsFunc(r.RunningOn, func(n *Node) bool { return n.Unclean || n.Online || !r.Is(Managed) })
	case Bundle:
		return r.bundleActive(all)
	case Group:
		some, every := false, true
		for _, k := range r.Children {
			a := k.Active(all)
			some, every = some || a, every && a
		}
		return some && (!all || every)
	}
	for _, k := range r.Children {
		if a := k.Active(all); a != all {
			return a
		}
	}
	return all
}

func (r *Resource) bundleActive(all bool) bool {
	for _, rep := range r.Bundle.Replicas {
		for _, k := range []*Resource{rep.IP, rep.Child, rep.Container, rep.Remote} {
			if k != nil {
				if a := k.Active(all); a != all {
					return a
				}
			}
		}
	}
	return all
}

// Params returns the instance attributes of r as they are on a node, nil for any
// (pe_rsc_params). The map is shared; only bundles change it.
func (r *Resource) Params(n *Node) map[string]string {
	name := ""
	if n != nil && r.paramRules() {
		name = strings.ToLower(n.Name)
	}
	if m, ok := r.paramCache[name]; ok {
		return m
	}
	env := rules.Env{}
	if n != nil {
		env.Attrs = n.Attrs
	}
	m := map[string]string{}
	for p := r; p != nil; p = p.Parent {
		r.Cluster.Apply(p.ParamSets, env, m, false)
		if p.Parent == nil {
			r.Cluster.Apply(r.Cluster.RscParams, env, m, false)
		}
	}
	if r.paramCache == nil {
		r.paramCache = map[string]map[string]string{}
	}
	r.paramCache[name] = m
	return m
}

func (r *Resource) paramRules() bool {
	for p := r; p != nil; p = p.Parent {
		if rules.HasRules(p.ParamSets) {
			return true
		}
	}
	return rules.HasRules(r.Cluster.RscParams)
}

// AddScore adds to what r and all below it think of a node, nil for every node
// (resource_location). A ban everywhere also undoes the assignment.
func (r *Resource) AddScore(n *Node, s score.Score, cause Cause) {
	if n != nil {
		r.addScore(n, s, cause)
		return
	}
	for _, n := range r.Cluster.Nodes {
		r.addScore(n, s, cause)
	}
	if s == -Inf {
		r.Assigned = nil
	}
}

// AddNeutral makes r know every node where it may be looked for, as all nodes count
// in a symmetric cluster (symmetric_default).
func (r *Resource) AddNeutral() {
	for _, n := range r.Cluster.Nodes {
		r.addNeutral(n)
	}
}

func (r *Resource) addNeutral(n *Node) {
	if r.ExclusiveDiscover || n.Discover == DiscoverNever {
		return
	}
	for _, k := range r.Children {
		k.addNeutral(n)
	}
	r.Entry(n)
}

func (r *Resource) addScore(n *Node, s score.Score, cause Cause) {
	for _, k := range r.Children {
		k.addScore(n, s, cause)
	}
	w := r.Entry(n)
	w.Score = score.Add(w.Score, s)
	if s != 0 {
		r.Explain(w, s, Why{Cause: cause})
	}
}

// BaseName strips an instance number from a resource name (clone_strip).
func BaseName(id string) string {
	i := len(id)
	for i > 0 && digit(id[i-1]) {
		i--
	}
	if i > 1 && i < len(id) && id[i-1] == ':' {
		return id[:i-1]
	}
	return id
}

// IsDisabled says whether the configuration wants r stopped, or not promoted
// (pe__resource_is_disabled).
func (r *Resource) IsDisabled() bool {
	role := rules.ParseRole(r.Meta["target-role"])
	return role == Stopped || (role == Unpromoted && r.Top().Is(Promotable))
}

// CompareInstances orders instances by their number (pcmk__cmp_instance_number).
func CompareInstances(a, b *Resource) int { return instanceNumber(a.ID) - instanceNumber(b.ID) }

func instanceNumber(id string) int {
	i := strings.LastIndexByte(id, ':')
	if i < 0 {
		i = strings.LastIndexByte(id, '-')
	}
	v, _ := score.LeadingInt(id[i+1:])
	return int(v)
}

// NodeAttr returns the attribute of a node as r sees it: with
// container-attribute-target=host, that of the host of the container
// (pe_node_attribute_calculated).
func (r *Resource) NodeAttr(n *Node, name string) (string, bool) {
	if strings.EqualFold(r.Meta["container-attribute-target"], "host") {
		if n.RemoteRsc == nil || n.RemoteRsc.Container == nil || len(n.RemoteRsc.Container.RunningOn) == 0 {
			return "", false
		}
		n = n.RemoteRsc.Container.RunningOn[0]
	}
	v, ok := n.Attrs[name]
	return v, ok
}
