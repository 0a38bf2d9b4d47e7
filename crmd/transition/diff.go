package transition

import (
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Diff is a change of the CIB, as far as it matters to a transition.
type Diff struct {
	Op       string // of the request that changed it
	From, To [3]int // versions: admin epoch, epoch, updates
	Changes  []Change
	Notes    []string // what of it makes no sense
}

// Subject says what a change is about.
type Subject uint8

// The subjects of changes.
const (
	Configuration Subject = iota
	Tickets
	Attributes // transient ones, of a node
	OpRemoved
	HistoryRemoved // of a node
	StateRemoved   // of a node
	Histories      // results, in Lists
)

// Change is one change.
type Change struct {
	Subject Subject
	Deleted bool
	Node    string // id of the node whose state it is in
	OpKey   string // of a removed result
	Lists   []History
	Config  bool // Histories alone: the configuration came along
	Cause   *Cause
}

// History is what appeared in the history of resources on a node.
type History struct {
	Node      string // id
	Whole     bool   // a list of resources, not entries of one
	Resources []ResourceHistory
}

// ResourceHistory is what appeared in the history of one resource.
type ResourceHistory struct {
	Results  []Result
	Unlocked *Cause // its lock to the node was cleared
}

// DecodeDiff reads a patchset of format 2; false for any other.
func DecodeDiff(patch *xmltree.Node, op string) (d Diff, ok bool) {
	if patch == nil || patch.Attr("format") != "2" {
		return Diff{}, false
	}
	d.Op = op
	d.From, d.To = Versions(patch)
	for c := patch.First; c != nil; c = c.Next {
		if c.Kind == xmltree.Element {
			d.change(c)
		}
	}
	return d, true
}

// Versions returns the versions before and after a patchset (xml_patch_versions).
func Versions(patch *xmltree.Node) (from, to [3]int) {
	v := patch.Child("version")
	if v == nil {
		return from, to
	}
	for name, dst := range map[string]*[3]int{"source": &from, "target": &to} {
		if e := v.Child(name); e != nil {
			*dst = [3]int{scanMin(e.Attr("admin_epoch"), 0), scanMin(e.Attr("epoch"), 0), scanMin(e.Attr("num_updates"), 0)}
		}
	}
	return from, to
}

// change reads one change, if it matters (te_update_diff_v2).
func (d *Diff) change(x *xmltree.Node) {
	op, hasOp := x.Get("operation")
	path, hasPath := x.Get("path")
	if !hasOp || !hasPath || op == "move" && !strings.Contains(path, "/cib/configuration/resources") {
		return
	}
	var match *xmltree.Node // what is there now
	switch op {
	case "create":
		match = x.First
	case "modify":
		if r := x.Child("change-result"); r != nil {
			match = r.First
		}
	case "delete", "move":
	default:
		d.Notes = append(d.Notes, "Ignoring malformed CIB update ("+op+" operation on "+path+" is unrecognized)")
		return
	}
	name := ""
	if match != nil {
		if match.Kind == xmltree.Comment {
			return
		}
		name = match.Name
	}
	c := Change{Deleted: op == "delete", Cause: CauseOf(x)}
	switch {
	case strings.Contains(path, "/cib/configuration"):
		c.Subject = Configuration
	case strings.Contains(path, "/tickets") || name == "tickets":
		c.Subject = Tickets
	case strings.Contains(path, "/transient_attributes[") || name == "transient_attributes":
		c.Subject, c.Node = Attributes, idIn(path, "node_state")
	case op == "delete":
		if !c.removal(path) {
			return
		}
	case match == nil:
		d.Notes = append(d.Notes, "Ignoring malformed CIB update ("+op+" at "+path+" has no result)")
		return
	case !c.histories(match, path):
		d.Notes = append(d.Notes, "Ignoring malformed CIB update ("+op+" at "+path+" has unrecognized result "+name+")")
		return
	}
	d.Changes = append(d.Changes, c)
}

// removal reads what was deleted; false when it does not matter.
func (c *Change) removal(path string) bool {
	c.Node = idIn(path, "node_state")
	switch {
	case strings.Contains(path, "/lrm_rsc_op["):
		end := strings.LastIndexByte(path, '\'')
		if end < 0 {
			return false
		}
		start := strings.LastIndexByte(path[:end], '\'')
		if start < 0 {
			return false
		}
		c.Subject, c.OpKey = OpRemoved, path[start+1:end]
	case strings.Contains(path, "/lrm["):
		c.Subject = HistoryRemoved
	case strings.Contains(path, "/node_state["):
		c.Subject = StateRemoved
	default:
		return false
	}
	return true
}

// histories reads results below an element that appeared or changed; false when the
// element is not known.
func (c *Change) histories(match *xmltree.Node, path string) bool {
	c.Subject = Histories
	node := idIn(path, "lrm")
	switch match.Name {
	case "cib":
		if s := match.Child("status"); s != nil {
			s.Elements(c.state)
		}
		c.Config = match.Child("configuration") != nil
	case "status":
		match.Elements(c.state)
	case "node_state":
		c.state(match)
	case "lrm":
		c.list(match.ID(), match.Child("lrm_resources"))
	case "lrm_resources":
		c.list(node, match)
	case "lrm_resource":
		c.Lists = append(c.Lists, History{Node: node, Resources: []ResourceHistory{historyOf(match, node)}})
	case "lrm_rsc_op":
		c.Lists = append(c.Lists, History{Node: node, Resources: []ResourceHistory{{Results: []Result{DecodeResult(match, node)}}}})
	default:
		return false
	}
	return true
}

func (c *Change) state(x *xmltree.Node) {
	if lrm := x.Child("lrm"); lrm != nil {
		c.list(x.ID(), lrm.Child("lrm_resources"))
	}
}

func (c *Change) list(node string, x *xmltree.Node) {
	if x == nil {
		return
	}
	h := History{Node: node, Whole: true}
	x.Elements(func(r *xmltree.Node) { h.Resources = append(h.Resources, historyOf(r, node)) })
	c.Lists = append(c.Lists, h)
}

func historyOf(x *xmltree.Node, node string) ResourceHistory {
	var h ResourceHistory
	x.Elements(func(op *xmltree.Node) { h.Results = append(h.Results, DecodeResult(op, node)) })
	if x.Attr("shutdown-lock") == "0" {
		h.Unlocked = CauseOf(x)
	}
	return h
}

// DecodeResult reads an entry of the history of a resource on a node. Without node it is
// taken from the entry's ancestors.
func DecodeResult(x *xmltree.Node, node string) Result {
	for p := x; p != nil && node == ""; p = p.Parent {
		if strings.EqualFold(p.Name, "node_state") {
			node = p.ID()
		}
	}
	num := func(name string) int { return scanMin(x.Attr(name), -1) }
	return Result{
		OpKey: x.Attr("operation_key"), Key: x.Attr("transition-key"), Magic: x.Attr("transition-magic"),
		Origin: x.Attr("crm-debug-origin"), OnNode: x.Attr("on_node"), NodeID: node,
		Status: pcmk.ExecStatus(num("op-status")), RC: pcmk.OCF(num("rc-code")), CallID: num("call-id"), Cause: CauseOf(x),
	}
}

// idIn returns the id of an element in a path such as /cib/status/node_state[@id='1'].
func idIn(path, element string) string {
	mark := "/" + element + "[@id='"
	i := strings.Index(path, mark)
	if i < 0 {
		return ""
	}
	rest := path[i+len(mark):]
	j := strings.IndexByte(rest, '\'')
	if j < 0 {
		return ""
	}
	return rest[:j]
}

// diff takes a change of the CIB (te_update_diff).
func (e *Engine) diff(now time.Time, d Diff) {
	if e.graph == nil || e.graph.complete && e.env.Phase != Open {
		return
	}
	e.notef(Debug, "Processing (%s) diff: %d.%d.%d -> %d.%d.%d", d.Op, d.From[0], d.From[1], d.From[2], d.To[0], d.To[1], d.To[2])
	for _, n := range d.Notes {
		e.note(Warning, n)
	}
	for i := range d.Changes {
		if !e.change(now, &d.Changes[i]) {
			return
		}
	}
}

// change takes one change; false when the others need no look, since they come with
// no results that are waited for.
func (e *Engine) change(now time.Time, c *Change) bool {
	switch c.Subject {
	case Configuration:
		e.aborted("Configuration change", c.Cause, "te_update_diff_v2:486")
		return false
	case Tickets:
		e.aborted("Ticket attribute change", c.Cause, "te_update_diff_v2:492")
		return false
	case Attributes:
		e.abortUnlessDown(c, "Transient attribute change", "abort_unless_down:305")
		return false
	case OpRemoved:
		if !e.confirmCancel(c.OpKey, c.Node) {
			e.aborted("Resource operation removal", c.Cause, "process_op_deletion:350")
		}
	case HistoryRemoved:
		e.abortUnlessDown(c, "Resource state removal", "abort_unless_down:319")
	case StateRemoved:
		e.abortUnlessDown(c, "Node state removal", "abort_unless_down:319")
	case Histories:
		for i := range c.Lists {
			e.history(now, &c.Lists[i])
		}
		if c.Config {
			e.aborted("Non-status-only change", c.Cause, "process_cib_diff:408")
		}
	}
	return true
}

// abortUnlessDown aborts unless the state of a node went away because the transition
// takes that node down (abort_unless_down).
func (e *Engine) abortUnlessDown(c *Change, text, source string) {
	if c.Deleted && c.Node == "" {
		e.note(Err, "Could not extract node ID from "+c.Cause.Path)
	}
	if !c.Deleted || c.Node == "" || e.Down(c.Node) == nil {
		e.aborted(text, c.Cause, source)
	}
}

// history takes results of a node. A transition changes one resource at a time, so a
// list of several is a node that told all it knows; unless results are waited for, one
// look at the whole is cheaper than at each.
func (e *Engine) history(now time.Time, h *History) {
	if h.Whole && e.graph.pending == 0 && len(h.Resources) > 1 {
		e.aborted("History refresh", nil, "process_resource_updates:267")
		return
	}
	for i := range h.Resources {
		r := &h.Resources[i]
		for j := range r.Results {
			e.result(now, &r.Results[j])
		}
		if r.Unlocked != nil {
			e.aborted("Shutdown lock cleared", r.Unlocked, "process_lrm_resource_diff:228")
		}
	}
}

// DecodeResults reads the results in a message (process_te_message).
func DecodeResults(x *xmltree.Node) []Result {
	var out []Result
	var walk func(*xmltree.Node)
	walk = func(n *xmltree.Node) {
		if n.Name == "lrm_rsc_op" {
			out = append(out, DecodeResult(n, ""))
		}
		n.Elements(walk)
	}
	if x != nil {
		walk(x)
	}
	return slices.Clip(out)
}
