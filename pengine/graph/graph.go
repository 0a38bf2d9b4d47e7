// Package graph is the transition graph: what the engine hands to the controller, as
// typed data, XML and dot.
//
// pengine.Run builds it; the controller and crm_simulate execute it. It replaces
// lib/pacemaker/pcmk_graph_{producer,consumer}.c.
package graph

import (
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// FeatureSet is what actions are marked with (CRM_FEATURE_SET).
const FeatureSet = "3.16.1"

// Kind is the element that an event is written as.
type Kind string

// The kinds of events.
const (
	RscOp       Kind = "rsc_op"
	PseudoEvent Kind = "pseudo_event"
	CRMEvent    Kind = "crm_event"
)

// Event is an action in the graph, or a reference to one.
type Event struct {
	Kind   Kind
	ID     int
	Mode   string         // for the deletion of history
	Attrs  []xmltree.Attr // after the id, in order
	Rsc    *xmltree.Node  // the resource, nil for none
	Params []xmltree.Attr // sorted
	Extra  []xmltree.Attr // parameters whose names cannot be attributes
	Full   bool           // with parameters
	Downed []string       // nodes that it takes down
	Maint  []xmltree.Attr // nodes whose maintenance state it reports
}

// Attr returns an attribute of the event.
func (e *Event) Attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// Param returns a parameter of the event.
func (e *Event) Param(name string) string {
	for _, a := range e.Params {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// Synapse is an event and what has to happen before.
type Synapse struct {
	ID       int
	Priority int
	Event    *Event
	Inputs   []*Event
}

// Graph is a transition graph.
type Graph struct {
	Attrs    []xmltree.Attr
	Synapses []*Synapse
}

// XML returns the graph as an element.
func (g *Graph) XML() *xmltree.Node {
	root := xmltree.New("transition_graph", g.Attrs...)
	for _, s := range g.Synapses {
		x := root.AddNew("synapse", xmltree.Attr{Name: "id", Value: strconv.Itoa(s.ID)})
		if s.Priority > 0 {
			x.Set("priority", strconv.Itoa(s.Priority))
		}
		x.AddNew("action_set").Add(s.Event.xml())
		in := x.AddNew("inputs")
		for _, e := range s.Inputs {
			in.AddNew("trigger").Add(e.xml())
		}
	}
	return root
}

// Append writes the graph as crm_simulate saves it.
func (g *Graph) Append(b []byte) []byte {
	return g.XML().AppendPacemaker(b, xmltree.TextOptions{Format: true})
}

func (e *Event) xml() *xmltree.Node {
	x := xmltree.New(string(e.Kind))
	if e.Mode != "" {
		x.Set("mode", e.Mode)
	}
	x.Set("id", strconv.Itoa(e.ID))
	x.Attrs = append(x.Attrs, e.Attrs...)
	if e.Rsc != nil {
		x.Add(e.Rsc.Copy())
	}
	if e.Full {
		a := x.AddNew("attributes", e.Params...)
		for _, p := range e.Extra {
			a.AddNew("param", xmltree.Attr{Name: "name", Value: p.Name}, xmltree.Attr{Name: "value", Value: p.Value})
		}
	}
	if e.Downed != nil {
		d := x.AddNew("downed")
		for _, id := range e.Downed {
			d.AddNew("node", xmltree.Attr{Name: "id", Value: id})
		}
	}
	if e.Maint != nil {
		m := x.AddNew("maintenance")
		for _, a := range e.Maint {
			m.AddNew("node", xmltree.Attr{Name: "id", Value: a.Name}, xmltree.Attr{Name: "node_in_maintenance", Value: a.Value})
		}
	}
	return x
}
