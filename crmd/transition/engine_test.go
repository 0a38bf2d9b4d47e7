package transition

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const testUUID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

// watch is an engine whose effects are kept.
type watch struct {
	e    *Engine
	env  Env
	now  time.Time
	seen []Effect
}

func newWatch() *watch {
	w := &watch{e: New(Config{Self: "n1", Client: "me", Throttle: &Throttle{Max: 8}}), now: time.Unix(1700000000, 0)}
	same := func(s string) string { return s }
	w.env = Env{Phase: Open, DC: true, OurDC: "n1", Peers: 3, ID: same, Name: same, Remote: func(string) bool { return false }}
	return w
}

func (w *watch) step(in Input) {
	w.e.SetEnv(w.env)
	w.e.Step(w.now, in)
	w.seen = append(w.seen, w.e.Take()...)
}

// take returns the effects since the last call, one word each, logs of at least notice
// with their text.
func (w *watch) take() string {
	var out []string
	for _, f := range w.seen {
		switch f := f.(type) {
		case Log:
			if f.Level <= Notice {
				out = append(out, f.Text)
			}
		case Invoke:
			out = append(out, fmt.Sprintf("invoke %s on %s", f.Action.OpKey, f.To))
		case Finished:
			out = append(out, "finished "+f.Next.String())
		case Failed:
			out = append(out, fmt.Sprintf("failed %s %s %s", f.Rsc, f.Task, f.Count))
		default:
			out = append(out, strings.TrimPrefix(fmt.Sprintf("%T", f), "transition."))
		}
	}
	w.seen = nil
	return strings.Join(out, "\n")
}

func (w *watch) want(t *testing.T, lines ...string) {
	t.Helper()
	if got, want := w.take(), strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func begun(t *testing.T) *watch {
	t.Helper()
	w := newWatch()
	w.step(Start{UUID: testUUID})
	w.step(Load{Graph: graphOf(t, tiny), Ref: "r"})
	w.want(t, "Initiating monitor operation a_monitor_0 locally on n1 | action 1", "invoke a_monitor_0 on n1",
		"Requesting fencing (off) of node n2 | action=3 timeout=90000", "Fence")
	return w
}

func result(action, rc, target int, op string) Results {
	return Results{Results: []Result{{
		OpKey: op, Key: fmt.Sprintf("%d:3:%d:%s", action, target, testUUID), OnNode: "n1", NodeID: "1", RC: pcmk.OCF(rc), CallID: 5,
		Cause: &Cause{Change: true, Op: "modify", Element: "lrm_rsc_op", OpKey: op, OnNode: "n1", Magic: "0:" + fmt.Sprint(rc) + ";k", Version: [3]int{0, 1, 2}},
	}}}
}

// TestStory: a probe and a fencing are begun together; the start waits for the probe.
func TestStory(t *testing.T) {
	w := begun(t)
	w.step(result(1, 7, 7, "a_monitor_0"))
	w.want(t, "Initiating start operation a_start_0 locally on n1 | action 2", "invoke a_start_0 on n1")
	w.step(FenceResult{Key: Key{Action: 3, Transition: 3, UUID: testUUID}.String(), CallID: 9})
	w.want(t, "NodeFenced")
	w.step(result(2, 0, 0, "a_start_0"))
	w.want(t, "Transition 3 (Complete=3, Pending=0, Fired=0, Skipped=0, Incomplete=0, Source=pe-input-0.bz2): Complete", "finished done")
}

// TestMissed: of a history that is read after changes were not told the results that
// are waited for count, and no failure of before.
func TestMissed(t *testing.T) {
	w := begun(t)
	old := result(2, 1, 0, "a_monitor_10000").Results[0]
	old.Key = "2:2:0:" + testUUID
	other := result(2, 1, 0, "a_start_0").Results[0]
	other.Key = "2:3:0:bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee"
	w.step(Missed{Results: []Result{old, other, result(1, 7, 7, "a_monitor_0").Results[0]}})
	w.want(t, "Initiating start operation a_start_0 locally on n1 | action 2", "invoke a_start_0 on n1")
}

// TestFailure: a start that fails aborts the transition, which ends when the fencing has.
func TestFailure(t *testing.T) {
	w := begun(t)
	w.step(result(1, 7, 7, "a_monitor_0"))
	w.take()
	w.step(result(2, 1, 0, "a_start_0"))
	w.want(t, "Unwanted", "Transition 3 aborted by operation a_start_0 'modify' on n1: Event failed | magic=0:1;k cib=0.1.2 source=process_graph_event:507 complete=false",
		"failed a start value++",
		"Transition 3 action 2 (a_start_0 on n1): expected 'ok' but got 'error' | target-rc=0 rc=1 call-id=5")
	w.step(result(2, 1, 0, "a_start_0")) // again, as last and as last failure: counts once
	w.want(t)
	w.step(FenceResult{Key: Key{Action: 3, Transition: 3, UUID: testUUID}.String()})
	w.want(t, "NodeFenced", "Transition 3 (Complete=3, Pending=0, Fired=0, Skipped=0, Incomplete=0, Source=pe-input-0.bz2): Complete", "finished restart")
}

// TestLost: an action whose result does not come is written down as failed.
func TestLost(t *testing.T) {
	w := begun(t)
	if d := w.e.Deadline().Sub(w.now); d != 80*time.Second {
		t.Errorf("the probe is lost after %s", d)
	}
	w.now = w.e.Deadline()
	w.step(Tick{})
	out := w.take()
	for _, want := range []string{"Node n1 did not send monitor result (via controller) within 80000ms (action timeout plus cluster-delay)",
		"[Action    1]: Completed resource op a_monitor_0", "Transition 3 aborted: Action lost", "rsc_op 1: a_monitor_0 on n1 timed out", "RecordLost"} {
		if !strings.Contains(out, want) && !strings.Contains(out, strings.Replace(want, "Completed", "In-flight", 1)) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// TestNodeDown: what a lost node was to do cannot be done any more.
func TestNodeDown(t *testing.T) {
	w := begun(t)
	w.step(NodeDown{ID: "1", Name: "n1"})
	out := w.take()
	if !strings.Contains(out, "Action 1 (a_monitor_0) was pending on 1 (offline)") || !strings.Contains(out, "Node failure") {
		t.Error(out)
	}
	w.step(FenceResult{Key: Key{Action: 3, Transition: 3, UUID: testUUID}.String()})
	if out := w.take(); !strings.Contains(out, "finished restart") {
		t.Error(out)
	}
}

// TestFencingGivesUp: after ten failures no new transition is asked for.
func TestFencingGivesUp(t *testing.T) {
	w := newWatch()
	w.step(Start{UUID: testUUID})
	for i := 1; i <= 10; i++ {
		w.step(Load{Graph: graphOf(t, tiny)})
		w.step(result(1, 7, 7, "a_monitor_0"))
		w.step(result(2, 0, 0, "a_start_0"))
		w.take()
		w.step(FenceResult{Key: Key{Action: 3, Transition: 3, UUID: testUUID}.String(), CallID: i, Status: pcmk.ExecError, Exit: 1})
		want := "finished restart"
		if i == 10 {
			want = "finished stop"
		}
		if out := w.take(); !strings.Contains(out, want) {
			t.Errorf("attempt %d: %s", i, out)
		}
	}
}

// TestAbortReasons: what the log says of changes, as the original says it.
func TestAbortReasons(t *testing.T) {
	for _, c := range []struct{ change, want string }{
		{`<change operation="modify" path="/cib/configuration/crm_config/cluster_property_set[@id='o']/nvpair[@id='x']"><change-list/><change-result><nvpair id="x" name="stonith-enabled" value="true"/></change-result></change>`,
			"Transition -1 aborted by x doing modify stonith-enabled=true: Configuration change | cib=0.2.0 source=te_update_diff_v2:486 path=/cib/configuration/crm_config/cluster_property_set[@id='o']/nvpair[@id='x'] complete=true"},
		{`<change operation="delete" path="/cib/configuration/resources/primitive[@id='a']"/>`,
			"Transition -1 aborted by deletion of primitive[@id='a']: Configuration change | cib=0.2.0 source=te_update_diff_v2:486 path=/cib/configuration/resources/primitive[@id='a'] complete=true"},
		{`<change operation="create" path="/cib/status/node_state[@id='1']"><transient_attributes id="1"/></change>`,
			"Transition -1 aborted by transient_attributes.1 'create': Transient attribute change | cib=0.2.0 source=abort_unless_down:305 path=/cib/status/node_state[@id='1'] complete=true"},
		{`<change operation="delete" path="/cib/status/node_state[@id='1']"/>`,
			"Transition -1 aborted by deletion of node_state[@id='1']: Node state removal | cib=0.2.0 source=abort_unless_down:319 path=/cib/status/node_state[@id='1'] complete=true"},
	} {
		w := newWatch()
		w.step(Start{UUID: testUUID})
		w.seen = nil
		x, err := xmltree.ParseString(`<diff format="2"><version><source epoch="1"/><target admin_epoch="0" epoch="2" num_updates="0"/></version>`+c.change+`</diff>`, xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		d, _ := DecodeDiff(x, "cib_modify")
		w.step(d)
		found := false
		for _, f := range w.seen {
			l, ok := f.(Log)
			found = found || ok && l.Text == c.want
		}
		if !found {
			t.Errorf("%q is missing in %q", c.want, w.seen)
		}
	}
}

// TestClosed: a node that is not the DC begins and aborts nothing.
func TestClosed(t *testing.T) {
	w := newWatch()
	w.step(Start{UUID: testUUID})
	w.env.Phase = Closed
	w.step(Load{Graph: graphOf(t, tiny)})
	w.step(Abort{Priority: Infinity, Next: Restart, Text: "x"})
	w.want(t)
}

// TestSelfFenced: a node that hears of its own fencing leaves.
func TestSelfFenced(t *testing.T) {
	w := newWatch()
	w.step(FenceNotice{Target: "n1", How: "reboot", By: "n2", Client: "c", Origin: "n2"})
	w.want(t, "Alert", "We were allegedly just fenced by n2 for n2!", "SelfFenced")
}
