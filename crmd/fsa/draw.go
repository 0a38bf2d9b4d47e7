package fsa

import (
	"fmt"
	"strings"
)

// Dot draws the table as a graph for dot(1): one edge for each pair of states,
// with the inputs that lead from one to the other.
func Dot() string {
	var b strings.Builder
	b.WriteString("digraph controller {\n  node [shape=ellipse];\n")
	for _, s := range States() {
		if DC(s) {
			fmt.Fprintf(&b, "  %s [color=darkgreen];\n", s)
		}
	}
	for _, from := range States() {
		for _, to := range States() {
			var ins []string
			for _, in := range Inputs() {
				if next, _ := Lookup(from, in); next == to && from != to {
					ins = append(ins, in.String())
				}
			}
			if ins != nil {
				fmt.Fprintf(&b, "  %s -> %s [label=\"%s\"];\n", from, to, strings.Join(ins, "\\n"))
			}
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// DC says whether only a DC can be in that state.
func DC(s State) bool {
	switch s {
	case Integration, FinalizeJoin, PolicyEngine, TransitionEngine, Idle, ReleaseDC:
		return true
	}
	return false
}

// Describe writes the table as text: a line for each state and input that does
// something there.
func Describe() string {
	var b strings.Builder
	for _, s := range States() {
		fmt.Fprintf(&b, "%s\n", s)
		for _, in := range Inputs() {
			next, do := Lookup(s, in)
			if next == s && do == 0 {
				continue
			}
			to := ""
			if next != s {
				to = " -> " + next.String()
			}
			fmt.Fprintf(&b, "  %s%s: %s\n", in, to, do)
		}
	}
	return b.String()
}
