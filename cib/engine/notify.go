package engine

import (
	"fmt"
	"strconv"

	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// notifyDiff tells clients of a change, or of one that came to nothing after all
// (based_notify.c: cib_diff_notify).
func (e *Engine) notifyDiff(r *request, input *xmltree.Node, rc patch.Code, diff *xmltree.Node) {
	if diff == nil {
		return
	}
	if rc != patch.OK {
		source, target := patch.Versions(diff, patch.Version{}, patch.Version{})
		e.log(Warning, fmt.Sprintf("Update (client: %s, call:%s): %s -> %s (%s)",
			null(r.attr("cib_clientname")), null(r.attr("cib_callid")), source, target, text(rc)))
	}
	to := e.watching(WatchDiff)
	if to == nil {
		return
	}
	msg := xmltree.New("notify", attr("t", "cib_notify"), attr("subt", "cib_diff_notify"), attr("cib_op", r.name), attr("cib_rc", strconv.Itoa(-int(rc))))
	if id, ok := diff.Get("id"); ok {
		msg.Set("cib_object", id)
	}
	if input != nil {
		msg.Set("cib_object_type", input.Name)
	} else {
		msg.Set("cib_object_type", diff.Name)
	}
	attach(msg, "cib_generation", e.generation())
	if input != nil {
		attach(msg, "cib_update", input)
	}
	attach(msg, "cib_update_result", diff)
	e.put(Notify{to, msg})
}

// notifyReplace tells clients that parts of the CIB were exchanged
// (based_notify.c: cib_replace_notify).
func (e *Engine) notifyReplace(r *request, rc patch.Code, diff *xmltree.Node, what parts) {
	if diff == nil {
		return
	}
	source, target := patch.Versions(diff, patch.Version{}, patch.Version{})
	e.log(Info, fmt.Sprintf("Replaced: %s -> %s from %s", source, target, null(r.attr("src"))))
	to := e.watching(WatchReplace)
	if to == nil {
		return
	}
	msg := xmltree.New("notify-replace", attr("t", "cib_notify"), attr("subt", "cib_refresh_notify"), attr("cib_op", "cib_replace"),
		attr("cib_rc", strconv.Itoa(-int(rc))), attr("cib_change_section", strconv.Itoa(int(what))))
	attach(msg, "cib-replace-generation", e.generation())
	e.put(Notify{to, msg})
}

// generation is the CIB without content.
func (e *Engine) generation() *xmltree.Node {
	return &xmltree.Node{Name: "generation_tuple", Attrs: e.Root().Attrs}
}

func (e *Engine) watching(what Watch) []string {
	var to []string
	for _, c := range e.order {
		if c.watch&what != 0 {
			to = append(to, c.ID)
		}
	}
	return to
}
