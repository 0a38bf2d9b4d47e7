// Package pengine is the policy engine: from a CIB it computes what the cluster has
// to do. See DESIGN.md for the pipeline and who may change what.
//
// The scheduler daemon, crm_simulate and crm_resource call Run. It replaces
// lib/pacemaker/pcmk_sched_allocate.c: pcmk__schedule_actions.
package pengine

import (
	"errors"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/action"
	"github.com/pacesync/pacesync/pengine/change"
	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/graph"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/order"
	"github.com/pacesync/pacesync/pengine/place"
	"github.com/pacesync/pacesync/pengine/unpack"
)

// Input is what a run depends on, and nothing else.
type Input struct {
	CIB        *xmltree.Node // is not changed
	Now        iso8601.Time
	Sanitized  bool         // the CIB holds no private values: compare secure digests
	Shown      *model.Shown // collects scores and utilization; nil for none
	Transition int          // number of the graph
	Explain    bool         // note why each score is what it is, for pengine/explain
	CheckOnly  bool         // read the configuration and decide nothing: then there is neither graph nor changes
}

// Result is what a run found.
type Result struct {
	Cluster *model.Cluster
	Changes *change.Changes // nil after Status
	Graph   *graph.Graph    // nil after Status and Decide
	doc     *unpack.Doc
}

// ErrNoCIB means that the input is no CIB.
var ErrNoCIB = errors.New("pengine: the input is not a CIB")

// Status reads a CIB without deciding anything (cluster_status).
func Status(in Input) (*Result, error) {
	if in.CIB == nil || in.CIB.Name != "cib" {
		return nil, ErrNoCIB
	}
	c, doc := unpack.Parse(unpack.Input{CIB: in.CIB, Now: in.Now, Sanitized: in.Sanitized, Shown: in.Shown, Explain: in.Explain})
	return &Result{Cluster: c, doc: doc}, nil
}

// Locations applies what the configuration says about the places of resources,
// and nothing that is going on: Allowed of each resource is what comes of it. The
// fencer registers devices by it (pe_flag_quick_location).
func Locations(in Input) (*Result, error) {
	if in.CIB == nil || in.CIB.Name != "cib" {
		return nil, ErrNoCIB
	}
	still := xmltree.New("cib", in.CIB.Attrs...)
	if c := in.CIB.Child("configuration"); c != nil {
		still.Add(c.Copy())
	}
	still.AddNew("status")
	in.CIB = still
	r, err := Status(in)
	if err != nil {
		return nil, err
	}
	constraint.Health(r.Cluster)
	constraint.Build(r.Cluster, r.doc)
	place.Criteria(r.Cluster)
	return r, nil
}

// Run computes what to do.
func Run(in Input) (*Result, error) {
	r, err := Status(in)
	if err != nil {
		return nil, err
	}
	if in.CheckOnly {
		constraint.Health(r.Cluster)
		constraint.Build(r.Cluster, r.doc)
		return r, nil
	}
	r.Schedule(in.Transition)
	return r, nil
}

// Element returns the XML of a resource with its template merged in, and as it was
// written.
func (r *Result) Element(rsc *model.Resource) (expanded, raw *xmltree.Node) {
	return r.doc.Resource(rsc)
}

// Constraints reads the wishes of the configuration without deciding anything, for
// displays that list them (pcmk__unpack_constraints).
func (r *Result) Constraints() { constraint.Build(r.Cluster, r.doc) }

// Schedule goes on from Status.
func (r *Result) Schedule(transition int) {
	r.Decide()
	r.Draw(transition)
}

// Draw goes on from Decide and makes the graph.
func (r *Result) Draw(transition int) { r.Graph = graph.Build(r.Cluster, transition) }

// Decide goes on from Status: the engine on one screen, but for the graph, which who
// only shows what will happen does not need.
func (r *Result) Decide() {
	c := r.Cluster
	constraint.Health(c)
	constraint.Build(c, r.doc)
	place.Criteria(c)
	constraint.Internal(c)
	action.CheckConfig(c)
	place.All(c)
	action.Create(c)
	action.OrderRemote(c)
	action.FenceAndShutDown(c)
	order.Apply(c)
	r.Changes = change.Find(c)
}
