package session

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/internal/pacemakerd/super"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// LauncherState is the state that an answer of pacemakerd's names.
func LauncherState(answer *xmltree.Node) super.State {
	return super.State(answer.Attr("pacemakerd_state"))
}

// ShowHealth shows how pacemakerd is by its answer to a ping, which may be nil
// (pcmk_output.c: message "pacemakerd-health").
func ShowHealth(out *pcmkout.Out, answer *xmltree.Node) {
	from, state, when := answer.Attr("crm_subsystem"), LauncherState(answer), ""
	text, friendly := string(state), state.Friendly()
	if !state.Known() {
		text = "invalid"
	}
	at, err := strconv.ParseInt(answer.Attr("crm-timestamp"), 10, 64)
	switch {
	case answer.Attr("result") != "ok":
		text, friendly = "query failed", "query failed"
	case err == nil:
		when = time.Unix(max(at, 0), 0).UTC().Format("2006-01-02 15:04:05Z")
	}
	line := fmt.Sprintf("Status of %s: '%s' (last updated %s)", cmp.Or(from, "unknown subsystem"), friendly, cmp.Or(when, "at unknown time"))
	switch {
	case out.Format == pcmkout.XML:
		n := out.Node("pacemakerd", "sys_from", from, "state", text)
		if when != "" {
			n.Set("last_updated", when)
		}
	case out.Format == pcmkout.HTML:
		out.TextNode("li", line)
	case out.Quiet:
		out.Print(text + "\n")
	default:
		out.Info(line)
	}
}
