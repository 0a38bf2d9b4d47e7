// Package tell writes what pengine/explain found: as text for people, as XML in
// Pacemaker's output, as JSON.
//
// The program pacesync explain calls it. It replaces nothing of the original's.
package tell

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/explain"
)

// Text is an answer in plain lines.
func Text(a *explain.Answer) string {
	var b strings.Builder
	b.WriteString(headline(a) + "\n")
	for _, f := range a.Reasons {
		b.WriteString("  " + f.Text() + "\n")
	}
	if a.Leader != "" {
		b.WriteString("  The place of a " + a.Variant + " is decided for its first member, " + a.Leader + ", with the wishes of all.\n")
	}
	many := len(a.Instance) > 1
	for i := range a.Nodes {
		b.WriteString("\n")
		node(&b, &a.Nodes[i], many)
	}
	changes(&b, a)
	if a.Recheck != 0 {
		b.WriteString("\nTime alone may change this: the cluster looks again at " + explain.Date(a.Recheck) + ".\n")
	}
	return b.String()
}

// headline says where the resource is and what becomes of it.
func headline(a *explain.Answer) string {
	name := a.Resource + " (" + a.Variant + ")"
	now, next := explain.Where(a.Now), explain.Where(a.Next)
	switch {
	case len(a.Now) == 0 && len(a.Next) == 0:
		return name + " is not running, and will not be started."
	case len(a.Now) == 0:
		return name + " is not running; it will be " + next + "."
	case len(a.Next) == 0 && !released(a):
		return name + " is " + now + "."
	case len(a.Next) == 0:
		return name + " is " + now + "; it will be stopped."
	case now == next:
		return name + " is " + now + ", and stays there."
	}
	return name + " is " + now + "; it will be " + next + "."
}

// released says whether the cluster may stop the resource: it is managed.
func released(a *explain.Answer) bool {
	return !slices.ContainsFunc(a.Reasons, func(f explain.Finding) bool {
		return f.Kind >= explain.IsUnmanaged && f.Kind <= explain.BlockedFailure
	})
}

func node(b *strings.Builder, n *explain.NodeAnswer, many bool) {
	b.WriteString(n.Node)
	if many && n.Chosen {
		b.WriteString(", " + n.Instance)
	}
	if n.Known {
		b.WriteString(": score " + n.Score.String())
	}
	switch {
	case n.Chosen:
		for _, f := range n.Choice {
			b.WriteString("; " + f.Text())
		}
	case banned(n):
		b.WriteString("; not possible")
	case n.Score < 0:
		b.WriteString("; not wanted")
	default:
		b.WriteString("; possible")
	}
	b.WriteString("\n")
	reasons(b, n.Reasons)
	if len(n.Promoted) > 0 {
		b.WriteString("  its promotion score:\n")
		reasons(b, n.Promoted)
	}
}

func banned(n *explain.NodeAnswer) bool {
	return slices.ContainsFunc(n.Reasons, func(f explain.Finding) bool { return f.Ban() })
}

func reasons(b *strings.Builder, list []explain.Finding) {
	for _, f := range list {
		mark := ""
		if f.Scored() && f.Score != 0 {
			mark = signed(f.Score)
		}
		fmt.Fprintf(b, "  %9s  %s\n", mark, f.Text())
	}
}

func signed(s score.Score) string {
	if s > 0 {
		return "+" + s.String()
	}
	return s.String()
}

func changes(b *strings.Builder, a *explain.Answer) {
	if !a.Tried {
		return
	}
	goal := "run"
	if a.Asked != "" {
		goal = "go to " + a.Asked
	}
	if a.Promote {
		goal = "be promoted on " + a.Asked
	}
	if len(a.Changes) == 0 {
		b.WriteString("\nNo change that was tried makes it " + goal + ".\n")
		return
	}
	b.WriteString("\nWhat would make it " + goal + " (each tried on a copy of the CIB):\n")
	for _, c := range a.Changes {
		for i, s := range c.Steps {
			lead := "  * "
			if i > 0 {
				lead = "    and "
			}
			b.WriteString(lead + s.Text)
			if i == len(c.Steps)-1 && a.Asked == "" {
				b.WriteString(": then it is " + c.Where)
			}
			b.WriteString("\n")
			if s.Command != "" {
				b.WriteString("      " + s.Command + "\n")
			}
		}
		if len(c.Also) > 0 {
			b.WriteString("      other resources would change too: " + strings.Join(c.Also, "; ") + "\n")
		}
	}
}

// Table is the summary of all resources in columns.
func Table(lines []explain.Line) string {
	rows := [][3]string{{"RESOURCE", "WILL BE", "BECAUSE"}}
	for _, l := range lines {
		why := ""
		if l.Reason != nil {
			why = l.Reason.Text()
			if l.Cause != nil {
				why += ": " + l.Cause.Text()
			}
		}
		rows = append(rows, [3]string{l.Resource, l.Where, why})
	}
	w := [2]int{}
	for _, r := range rows {
		w[0], w[1] = max(w[0], len(r[0])), max(w[1], min(len(r[1]), maxWhere))
	}
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s  %-*s  %s", w[0], r[0], w[1], r[1], r[2]), " ") + "\n")
	}
	return b.String()
}

// maxWhere is how wide the column of places may make the others move.
const maxWhere = 60
