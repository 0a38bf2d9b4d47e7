package transition

import (
	"fmt"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Cause is what is said of an abort in the log: the change of the CIB behind it, or an
// element of something else.
type Cause struct {
	Change  bool // it is a change of the CIB
	Op      string
	Path    string
	Element string
	ID      string
	Name    string // of an attribute
	Value   string
	OpKey   string // of a result
	OnNode  string
	Magic   string
	Version [3]int // of the CIB after the change
}

// CauseOf describes an element within a message or a patchset.
func CauseOf(x *xmltree.Node) *Cause {
	if x == nil {
		return nil
	}
	c := &Cause{}
	var change *xmltree.Node
	for n := x; n != nil; n = n.Parent {
		switch {
		case n.Name == "change" && change == nil:
			change = n
		case n.Name == "diff":
			c.Change = change != nil
			_, c.Version = Versions(n)
		}
	}
	if !c.Change {
		c.Element, c.ID, c.Path = x.Name, x.ID(), pathOf(x)
		return c
	}
	c.Op, c.Path = change.Attr("operation"), change.Attr("path")
	if x == change {
		switch c.Op {
		case "create":
			x = firstElement(x)
		case "modify":
			x = firstElement(x.Child("change-result"))
		}
	}
	if x != nil {
		c.Element, c.ID, c.OpKey, c.OnNode, c.Magic = x.Name, x.ID(), x.Attr("operation_key"), x.Attr("on_node"), x.Attr("transition-magic")
		c.Name, c.Value = x.Attr("name"), x.Attr("value")
	}
	return c
}

// pathOf is the path to an element (pcmk__element_xpath).
func pathOf(x *xmltree.Node) string {
	if x == nil {
		return ""
	}
	step := "/" + x.Name
	if id := x.ID(); id != "" {
		step += "[@id='" + id + "']"
	}
	if x.Parent == nil {
		return "/" + step
	}
	return pathOf(x.Parent) + step
}

func firstElement(x *xmltree.Node) *xmltree.Node {
	if x == nil {
		return nil
	}
	for c := x.First; c != nil; c = c.Next {
		if c.Kind == xmltree.Element {
			return c
		}
	}
	return nil
}

// aborted is the usual abort: everything stops and a new transition follows.
func (e *Engine) aborted(text string, c *Cause, source string) {
	e.abort(Abort{Infinity, Restart, text, c, source})
}

// abort ends the transition: no synapse below the priority begins any more. When none
// is under execution, a new one is asked for (abort_transition_graph).
func (e *Engine) abort(in Abort) {
	g := e.graph
	if g == nil {
		return
	}
	if e.env.Phase == Closed {
		e.notef(Info, "Abort %s suppressed: %scomplete", in.Text, when(!g.complete, "in"))
		return
	}
	e.delayed.at = time.Time{}
	e.emit(Unwanted{})
	level := Info
	if !g.complete && e.raise(in) {
		level = Notice
	}
	e.note(level, e.reason(in))
	if g.complete {
		e.emit(Outdated{})
		return
	}
	e.trigger = true
}

// raise takes an abort if it is more than what is known, and says so (update_abort_priority).
func (e *Engine) raise(in Abort) bool {
	g, change := e.graph, false
	if g.abort < in.Priority {
		e.notef(Debug, "Abort priority upgraded from %d to %d", g.abort, in.Priority)
		g.abort = in.Priority
		if g.reason != "" {
			e.notef(Debug, "'%s' abort superseded by %s", g.reason, in.Text)
		}
		g.reason, change = in.Text, true
	}
	if g.next < in.Next {
		e.notef(Debug, "Abort action %s superseded by %s: %s", g.next, in.Next, in.Text)
		g.next, change = in.Next, true
	}
	return change
}

// reason is the line that says why a transition is aborted, in the original's words.
func (e *Engine) reason(in Abort) string {
	g, c := e.graph, in.Cause
	head := fmt.Sprintf("Transition %d aborted", g.ID)
	if c == nil {
		return fmt.Sprintf("%s: %s | source=%s complete=%t", head, in.Text, in.Source, g.complete)
	}
	cib := fmt.Sprintf("cib=%d.%d.%d source=%s", c.Version[0], c.Version[1], c.Version[2], in.Source)
	tail := fmt.Sprintf("%s path=%s complete=%t", cib, c.Path, g.complete)
	switch {
	case !c.Change:
		return fmt.Sprintf("%s by %s.%s: %s | %s", head, c.Element, c.ID, in.Text, tail)
	case c.Op == "delete":
		return fmt.Sprintf("%s by deletion of %s: %s | %s", head, c.Path[strings.LastIndexByte(c.Path, '/')+1:], in.Text, tail)
	case c.Element == "nvpair":
		return fmt.Sprintf("%s by %s doing %s %s=%s: %s | %s", head, c.ID, c.Op, c.Name, c.Value, in.Text, tail)
	case c.Element == "lrm_rsc_op":
		return fmt.Sprintf("%s by operation %s '%s' on %s: %s | magic=%s %s complete=%t", head, c.OpKey, c.Op, c.OnNode, in.Text, c.Magic, cib, g.complete)
	case c.Element == "node_state", c.Element == "node":
		name := c.ID
		if e.env.Name != nil {
			if n := e.env.Name(c.ID); n != "" {
				name = n
			}
		}
		return fmt.Sprintf("%s by %s '%s' on %s: %s | %s complete=%t", head, c.Element, c.Op, name, in.Text, cib, g.complete)
	}
	op := c.Op
	if op == "" {
		op = "change"
	}
	return fmt.Sprintf("%s by %s.%s '%s': %s | %s", head, c.Element, c.ID, op, in.Text, tail)
}
