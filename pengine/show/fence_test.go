package show_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/cibstory"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/show"
)

// history has one fencing of each kind, newest first.
func history() []show.FenceEvent {
	return []show.FenceEvent{
		{Target: "n1", Action: "on", Origin: "n2", Client: "admin", State: show.FenceExec},
		{Target: "n2", Action: "reboot", Origin: "n1", Client: "controld.7", Delegate: "n1", State: show.FenceDone, Completed: 1700000300},
		{Target: "n2", Action: "reboot", Origin: "n1", Client: "controld.7", Delegate: "n3", ExitReason: "no answer", State: show.FenceHasFailed, Completed: 1700000200},
		{Target: "n2", Action: "off", Origin: "n1", Client: "admin", State: show.FenceHasFailed, Completed: 1700000100},
	}
}

// shown is what a view of the history shows, line by line.
func shown(t *testing.T, format pcmkout.Format, sections show.Sections, opts show.Opts, h *show.FenceHistory) []string {
	t.Helper()
	r, err := pengine.Status(pengine.Input{CIB: cibstory.Make(t, ""), Now: iso8601.Time{Unix: 1700000400}})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	v := &show.View{Out: pcmkout.New(format, pcmkout.Options{Fancy: true, SimpleList: true, Substitute: true}, &text, &text), Cluster: r.Cluster, Now: time.Unix(1700000400, 0).UTC(),
		Nodes: show.Everything, Rscs: show.Everything, Sections: sections, Opts: opts, Fencing: h}
	v.Status()
	v.Finish(pcmk.ExitOK)
	var out []string
	for l := range strings.Lines(text.String()) {
		out = append(out, strings.TrimSpace(l))
	}
	return out
}

// TestFencing: every kind of entry in every format, in the words of
// stonith__history_description and of the fence-event messages (st_output.c).
func TestFencing(t *testing.T) {
	all := &show.FenceHistory{Events: history()}
	for _, c := range []struct {
		name     string
		format   pcmkout.Format
		sections show.Sections
		opts     show.Opts
		history  *show.FenceHistory
		want     []string // lines that are shown
		not      string
	}{
		{"failed", pcmkout.Text, show.FenceFailed, 0, all, []string{"Failed Fencing Actions:",
			"* reboot of n2 by n3 for controld.7@n1 last failed (no answer) at 2023-11-14 22:16:40Z (a later attempt from n1 succeeded)",
			"* turning off of n2 for admin@n1 last failed at 2023-11-14 22:15:00Z"}, "successful"},
		{"failed, in detail", pcmkout.Text, show.FenceFailed, show.FailedDetail, all, []string{
			"* reboot of n2 failed (no answer): delegate=n3, client=controld.7, origin=n1, last-failed='2023-11-14 22:16:40Z' (a later attempt from n1 succeeded)",
			"* turning off of n2 failed: client=admin, origin=n1, last-failed='2023-11-14 22:15:00Z'"}, "pending"},
		{"worked", pcmkout.Text, show.FenceWorked, show.FailedDetail, all, []string{"Fencing History:", "* unfencing of n1 pending: client=admin, origin=n2",
			"* reboot of n2 successful: delegate=n1, client=controld.7, origin=n1, last-successful='2023-11-14 22:18:20Z'"}, "failed"},
		{"pending", pcmkout.Text, show.FencePending, 0, all, []string{"Pending Fencing Actions:", "* unfencing of n1 for admin@n2 last pending"}, "reboot"},
		{"nothing pending", pcmkout.Text, show.FencePending, 0, &show.FenceHistory{Events: history()[1:]}, nil, "Fencing"},
		{"no history to be had", pcmkout.Text, show.FenceFailed, 0, &show.FenceHistory{Status: pcmk.ExitDisconnect}, []string{"Failed Fencing Actions:"}, "reboot"},
		{"XML", pcmkout.XML, show.Fencing, 0, all, []string{`<fence_history>`,
			`<fence_event action="on" target="n1" client="admin" origin="n2" status="pending" extended-status="1"/>`,
			`<fence_event action="reboot" target="n2" client="controld.7" origin="n1" status="success" delegate="n1" completed="2023-11-14 22:18:20Z"/>`,
			`<fence_event action="reboot" target="n2" client="controld.7" origin="n1" status="failed" exit-reason="no answer" delegate="n3" completed="2023-11-14 22:16:40Z"/>`}, "last"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := shown(t, c.format, c.sections, c.opts, c.history)
			for _, w := range c.want {
				if !slices.Contains(got, w) {
					t.Errorf("no line %q in\n%s", w, strings.Join(got, "\n"))
				}
			}
			if text := strings.Join(got, "\n"); strings.Contains(text, c.not) {
				t.Errorf("%q in\n%s", c.not, text)
			}
		})
	}
	html := strings.Join(shown(t, pcmkout.HTML, show.Fencing, 0, all), "")
	for _, w := range []string{"pending-stonith-event", "successful-stonith-event", "failed-stonith-event", "reboot of n2 by n1 for controld.7@n1"} {
		if !strings.Contains(html, w) {
			t.Errorf("no %s in %s", w, html)
		}
	}
}

// TestFencingOrder: what is pending stands first, then the newest; of equal ones only
// the last counts.
func TestFencingOrder(t *testing.T) {
	mixed := history()
	slices.Reverse(mixed)
	targets := func(events []show.FenceEvent) (out []string) {
		for _, e := range events {
			out = append(out, e.Action+" "+e.Delegate)
		}
		return out
	}
	sorted := show.SortFencing(mixed)
	if got, want := targets(sorted), targets(history()); !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	again := append(slices.Clone(sorted), show.FenceEvent{Target: "n2", Action: "reboot", Origin: "n1", Client: "controld.7", Delegate: "n2", State: show.FenceDone, Completed: 1700000000})
	if got, want := targets(show.ReduceFencing(again)), targets(history()); !slices.Equal(got, want) {
		t.Errorf("reduced: %q, not %q", got, want)
	}
}
