package order

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
)

// Counts says whether an action belongs into the graph (should_add_action_to_graph).
func Counts(a *model.Action) bool {
	if !a.Is(model.Runnable) || (a.Is(model.Optional) && !a.Is(model.PrintAlways)) {
		return false
	}
	if a.Rsc != nil && !a.Rsc.Is(model.Managed) && a.Task != model.Monitor {
		if ms, ok := a.Meta["interval"]; !ok || ms == "0" {
			return false
		}
	}
	if a.Is(model.Pseudo) || a.Task == model.Fence || a.Task == model.Shutdown {
		return true
	}
	n := a.Node
	switch {
	case n == nil:
		return false
	case a.Is(model.OnDC), n.IsGuest() && !n.RequiresReset:
		return true
	}
	return n.Online && !n.Unclean
}

// CountsInput says whether an order before an action belongs into the graph
// (should_add_input_to_graph).
func CountsInput(a *model.Action, e *model.Edge) bool {
	if e.Drawn {
		return true
	}
	f := e.First
	const weak = model.ImpliesFirstPrinted | model.ImpliesThenPrinted | model.OrderOptional
	switch {
	case e.Type == 0:
		return false
	case !f.Is(model.Runnable) && e.Type&^weak == 0,
		!f.Is(model.Runnable) && e.Type&model.OneOrMore != 0,
		!f.Is(model.Runnable) && e.Type&model.ImpliesFirstMigratable != 0,
		f.Is(model.MigrateRunnable) && e.Type&model.OrderFirstNonMigratable != 0,
		f.Is(model.MigrateRunnable) && e.Type == model.OrderOptional && strings.HasSuffix(f.Key, "_stop_0"):
		return false
	case e.Type == model.OrderLoad:
		return countsLoad(a, e)
	case e.Type == model.AntiColocation:
		if (f.Node != nil && a.Node != nil && f.Node != a.Node) || f.Is(model.Optional) {
			e.Type = 0
			return false
		}
		return true
	case f.Rsc != nil && f.Rsc != a.Rsc && f.Rsc.Is(model.Failed) && !f.Rsc.Is(model.Managed) && strings.HasSuffix(f.Key, "_stop_0") &&
		a.Rsc.IsClone():
		return false
	case f.Is(model.Optional) && f.Flags&(model.PrintAlways|model.Dumped) == 0 && !Counts(f):
		return false
	}
	return true
}

func countsLoad(a *model.Action, e *model.Edge) bool {
	f := e.First
	if a.Rsc != nil && a.Task == model.MigrateTo {
		if f.Node == nil || a.Rsc.Assigned == nil || f.Node != a.Rsc.Assigned {
			e.Type = 0
			return false
		}
		return true
	}
	if f.Node == nil || a.Node == nil || f.Node != a.Node || f.Is(model.Optional) {
		e.Type = 0
		return false
	}
	return true
}

// hasLoop says whether following orders backwards leads to init
// (pcmk__graph_has_loop).
func hasLoop(init, a *model.Action, e *model.Edge) bool {
	f := e.First
	if f.Is(model.Tracking) || !CountsInput(a, e) {
		return false
	}
	if f == init {
		return true
	}
	f.Set(model.Tracking)
	defer f.Clear(model.Tracking)
	for i := len(f.Before) - 1; i >= 0; i-- {
		if hasLoop(init, f, f.Before[i]) {
			return true
		}
	}
	return false
}

// Deduplicate merges orders from the same action and sorts them by number
// (pcmk__deduplicate_action_inputs).
func Deduplicate(a *model.Action) {
	if len(a.Before) == 0 {
		return
	}
	slices.Reverse(a.Before)
	slices.SortStableFunc(a.Before, func(x, y *model.Edge) int { return x.First.ID - y.First.ID })
	out := a.Before[:1]
	a.Before[0].Drawn = false
	for _, e := range a.Before[1:] {
		if last := out[len(out)-1]; last.First == e.First {
			last.Type |= e.Type
			last.Drawn = last.Drawn || e.Drawn
			continue
		}
		e.Drawn = false
		out = append(out, e)
	}
	a.Before = out
	slices.Reverse(a.Before)
}
