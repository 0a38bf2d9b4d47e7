package graph

import (
	"strconv"

	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// DotOptions choose what a drawing shows.
type DotOptions struct {
	All     bool // actions that are not needed too
	Verbose bool // numbers of actions
}

// AppendDot draws the graph of a cluster whose graph was built, for graphviz
// (write_sim_dotfile).
func AppendDot(b []byte, c *model.Cluster, o DotOptions) []byte {
	b = append(b, " digraph \"g\" {\n"...)
	for i := len(c.Actions) - 1; i >= 0; i-- {
		a := c.Actions[i]
		style, font, color, hide := "dashed", "black", "black", false
		if a.Is(model.Pseudo) {
			font = "orange"
		}
		switch {
		case a.Is(model.Dumped):
			style, color = "bold", "green"
		case a.Rsc != nil && !a.Rsc.Is(model.Managed):
			color, font, hide = "red", "purple", !o.All
		case a.Is(model.Optional):
			color, hide = "blue", !o.All
		default:
			color = "red"
		}
		if hide {
			continue
		}
		a.Set(model.Dumped)
		b = append(b, "\""+DotName(a, o.Verbose)+"\" [ style="+style+" color=\""+color+"\" fontcolor=\""+font+"\"]\n"...)
	}
	for i := len(c.Actions) - 1; i >= 0; i-- {
		a := c.Actions[i]
		for j := len(a.Before) - 1; j >= 0; j-- {
			e := a.Before[j]
			style, optional := "dashed", true
			switch {
			case e.Drawn:
				style, optional = "bold", false
			case e.Type == 0:
				continue
			case e.First.Is(model.Dumped) && a.Is(model.Dumped) && e.Type != model.OrderLoad:
				optional = false
			}
			if o.All || !optional {
				b = append(b, "\""+DotName(e.First, o.Verbose)+"\" -> \""+DotName(a, o.Verbose)+"\" [ style = "+style+"]\n"...)
			}
		}
	}
	return append(b, "}\n"...)
}

// DotName is the label of an action (create_action_name).
func DotName(a *model.Action, verbose bool) string {
	host, prefix, task := "", "", a.Task
	if a.Node != nil {
		host = " " + a.Node.Name
	} else if !a.Is(model.Pseudo) {
		host = " <none>"
	}
	if a.Task == model.Cancel {
		prefix, task = "Cancel ", a.CancelTask
	}
	name := a.Key
	switch {
	case a.Rsc != nil && a.Rsc.CloneName != "":
		if a.Task == model.NotifyTask || a.Task == model.Notified {
			name = model.NotifyKey(a.Rsc.CloneName, a.Meta["notify_key_type"], a.Meta["notify_key_operation"])
		} else {
			name = model.Key(a.Rsc.CloneName, task, plan.Interval(a))
		}
		name = prefix + name + host
	case a.Task == model.Fence:
		name = prefix + a.Task + " '" + a.Meta["stonith_action"] + "'" + host
	case a.Rsc != nil && host != "":
		name = prefix + a.Key + host
	case host != "":
		name = prefix + a.Task + host
	}
	if verbose {
		name += " (" + strconv.Itoa(a.ID) + ")"
	}
	return name
}
