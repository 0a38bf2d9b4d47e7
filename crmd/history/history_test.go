package history

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const key = "13:0:0:1483c6ec-9e21-415f-9b9f-908a78d1d55f"

// dummy is the part of ocf:pacemaker:Dummy's description that is used.
const dummy = `<resource-agent name="Dummy"><version>1.1</version><parameters>
<parameter name="state" unique-group="state"><content type="string"/></parameter>
<parameter name="passwd" reloadable="1"/><parameter name="fake" reloadable="1"/>
<parameter name="op_sleep" reloadable="1"/><parameter name="fail_start_on" reloadable="1"/><parameter name="envfile" reloadable="1"/>
</parameters><actions><action name="start"/><action name="reload-agent"/><action name="reload"/></actions></resource-agent>`

func metadata(t testing.TB) *Metadata {
	t.Helper()
	m, err := ParseMetadata("ocf", dummy)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestEnter compares entries with those that Debian's controller wrote of the same
// operations.
func TestEnter(t *testing.T) {
	params := func(more ...string) map[string]string {
		m := map[string]string{"passwd": "x", "fake": "hello", "CRM_meta_timeout": "20000", "crm_feature_set": "3.16.1", "CRM_meta_on_node": "n1"}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	op := Op{Rsc: "d1", Task: "start", Key: key, CallID: 13, Params: params(), RunAt: 1795370102, ChangedAt: 1795370102, ExecTime: 161}
	recurs := op
	recurs.Task, recurs.Interval, recurs.CallID, recurs.ExecTime, recurs.Params = "monitor", 5000, 19, 58, params("CRM_meta_interval", "5000", "CRM_meta_name", "monitor")
	failed := op
	failed.RC, failed.Reason = pcmk.OCFError, "no disk"
	lost := recurs
	lost.RC, lost.Reason = pcmk.OCFNotRunning, "gone"
	head := func(id, key, task, reason string, call, rc, ms int, exec int) string {
		return fmt.Sprintf(`<lrm_rsc_op id="%s" operation_key="%s" operation="%s" crm-debug-origin="do_update_resource" crm_feature_set="3.16.1" transition-key="13:0:0:1483c6ec-9e21-415f-9b9f-908a78d1d55f" transition-magic="0:%d;13:0:0:1483c6ec-9e21-415f-9b9f-908a78d1d55f" exit-reason="%s" on_node="n1" call-id="%d" rc-code="%d" op-status="0" interval="%d" last-rc-change="1795370102" exec-time="%d" queue-time="0" `,
			id, key, task, rc, reason, call, rc, ms, exec)
	}
	const once = `op-digest="6e73e0e2c708a357b7c748c86c67c5d9" op-force-restart="  state  " op-restart-digest="f2317cad3d54cec5d7d7aa7d0bf35cf8" op-secure-params="  passwd  " op-secure-digest="455142e54ac72469525a2946e13a8f53"/>`
	const often = `op-digest="a17dad7ba8ff279bce3cff70518f8cb6" op-secure-params="  passwd  " op-secure-digest="35ae3d47672247d9a66406937517f7dd"/>`
	for name, c := range map[string]struct {
		op   Op
		want []string
	}{
		"start":   {op, []string{head("d1_last_0", "d1_start_0", "start", "", 13, 0, 0, 161) + once}},
		"monitor": {recurs, []string{head("d1_monitor_5000", "d1_monitor_5000", "monitor", "", 19, 0, 5000, 58) + often}},
		"failed start": {failed, []string{
			head("d1_last_failure_0", "d1_start_0", "start", "no disk", 13, 1, 0, 161) + `op-digest="6e73e0e2c708a357b7c748c86c67c5d9"/>`,
			head("d1_last_0", "d1_start_0", "start", "no disk", 13, 1, 0, 161) + once,
		}},
		"failed monitor": {lost, []string{head("d1_last_failure_0", "d1_monitor_5000", "monitor", "gone", 19, 7, 5000, 58) + often}},
	} {
		parent := xmltree.New("lrm_resource")
		c.op.Enter(parent, Write{Node: "n1", Origin: "do_update_resource", Metadata: metadata(t)})
		var got []string
		parent.Elements(func(x *xmltree.Node) { got = append(got, x.String()) })
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestMetadata(t *testing.T) {
	old, err := ParseMetadata("ocf", `<resource-agent><version>1.0</version><parameters><parameter name="a" unique="1"/><parameter name="secret" private="1"/><parameter name="user"/></parameters><actions><action name="reload"/></actions></resource-agent>`)
	if err != nil {
		t.Fatal(err)
	}
	if !old.LegacyReload || old.ReloadAgent || old.Params[0].Name != "user" || old.Params[0].Private || !old.Params[1].Private {
		t.Errorf("%+v", old)
	}
	if m := metadata(t); !m.ReloadAgent || m.LegacyReload || m.Params[0].Name != "envfile" {
		t.Errorf("%+v", m)
	}
	if _, err := ParseMetadata("ocf", "usage: agent"); err == nil {
		t.Error("a usage text is taken for a description")
	}
}

// node is a Keeper with what it asked for.
type node struct {
	k    *Keeper
	now  time.Time
	seen []Effect
}

func newNode() *node {
	n := &node{k: New("n1", "1", false), now: time.Unix(1795370000, 0)}
	n.k.SetState(State{Name: "S_NOT_DC", Execute: true, LockRscs: true})
	return n
}

func (n *node) step(in Input) {
	n.k.Step(n.now, in)
	n.seen = append(n.seen, n.k.Take()...)
}

// want compares the effects since the last call, logs apart.
func (n *node) want(t *testing.T, lines ...string) []Effect {
	t.Helper()
	var got []string
	var rest []Effect
	for _, f := range n.seen {
		line := strings.TrimPrefix(fmt.Sprintf("%T", f), "history.")
		switch f := f.(type) {
		case Log, Changed:
			continue
		case Exec:
			line += " " + f.Op.opKey()
		case Update:
			line += " " + f.Op
		case Cancel:
			line += " " + OpKey(f.Rsc, f.Task, f.Interval)
		case Answer:
			line += " " + f.Ref
		}
		got, rest = append(got, line), append(rest, f)
	}
	n.seen = nil
	if strings.Join(got, "\n") != strings.Join(lines, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
	return rest
}

// ask makes a request of the transitioner.
func ask(t testing.TB, task, key, attrs string) Request {
	t.Helper()
	x, err := xmltree.ParseString(`<rsc_op operation="`+task+`" operation_key="a" on_node="n1" transition-key="`+key+`"><primitive id="a" class="ocf" provider="p" type="t"/><attributes CRM_meta_timeout="20000" `+attrs+`/></rsc_op>`, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := DecodeRequest("", x, Origin{Sys: "tengine", Host: "n2"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (n *node) run(t *testing.T, call int, rc pcmk.OCF, r Request) {
	t.Helper()
	n.step(r)
	for i := 0; i < len(n.seen); i++ {
		switch f := n.seen[i].(type) {
		case QueryInfo:
			n.step(Info{Rsc: f.Rsc})
		case Register:
			n.step(Registered{Rsc: f.Rsc})
		case Describe:
			n.step(Described{Token: f.Token, Agent: f.Agent, Meta: metadata(t)})
		case Exec:
			o := f.Op
			o.CallID, o.RC, o.Status = call, rc, pcmk.ExecDone
			n.step(Event{Op: o}) // before its number: it is kept until that comes
			n.step(Started{Token: f.Token, CallID: call})
		}
	}
}

// TestLife: a resource is probed, started, watched and stopped.
func TestLife(t *testing.T) {
	n := newNode()
	n.run(t, 1, pcmk.OCFNotRunning, ask(t, "monitor", "1:1:7:aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", ""))
	n.want(t, "QueryInfo", "Register", "Describe", "Update a_monitor_0", "Exec a_monitor_0", "Update a_monitor_0", "Alert")
	n.run(t, 2, pcmk.OCFOK, ask(t, "start", key, `x="1"`))
	n.want(t, "Describe", "Update a_start_0", "Exec a_start_0", "Update a_start_0", "Alert")
	n.run(t, 3, pcmk.OCFOK, ask(t, "monitor", key, `CRM_meta_interval="5000"`))
	n.want(t, "Update a_monitor_5000", "Exec a_monitor_5000", "Update a_monitor_5000", "Alert")
	if got := n.k.Active(); len(got) != 1 || got[0] != "a" {
		t.Error(got)
	}
	if s := n.k.Resources().String(); strings.Count(s, "<lrm_rsc_op") != 2 || !strings.Contains(s, `id="a_monitor_5000"`) {
		t.Error(s)
	}
	// The stop cancels the monitor first, and uses the parameters of the start.
	n.run(t, 4, pcmk.OCFOK, ask(t, "stop", key, `x="2"`))
	for _, f := range n.want(t, "Cancel a_monitor_5000", "Update a_stop_0", "Exec a_stop_0", "Update a_stop_0", "Alert") {
		if e, ok := f.(Exec); ok && e.Op.Params["x"] != "1" {
			t.Errorf("stopped with x=%s", e.Op.Params["x"])
		}
	}
	if n.k.Active() != nil {
		t.Error("active after its stop")
	}
}

// TestCancel: the entry of an operation that is cancelled leaves the CIB; one that is
// not there is confirmed at once.
func TestCancel(t *testing.T) {
	n := newNode()
	n.run(t, 3, pcmk.OCFOK, ask(t, "monitor", key, `CRM_meta_interval="5000"`))
	n.seen = nil
	r := ask(t, "cancel", key, `CRM_meta_operation="monitor" CRM_meta_interval="5000"`)
	n.step(r)
	c := n.want(t, "Cancel a_monitor_5000")[0].(Cancel)
	n.step(Cancelled{Token: c.Token})
	n.step(Event{Op: Op{Rsc: "a", Task: "monitor", Interval: 5000, Key: key, CallID: 3, Status: pcmk.ExecCancelled}})
	n.want(t, "Erase", "Alert")
	n.step(r)
	n.want(t, "Erase", "Answer a_monitor_5000")
	// The executor lost it: that counts as cancelled too.
	n.run(t, 5, pcmk.OCFOK, ask(t, "monitor", key, `CRM_meta_interval="5000"`))
	n.seen = nil
	n.step(r)
	c = n.want(t, "Cancel a_monitor_5000")[0].(Cancel)
	n.step(Cancelled{Token: c.Token, RC: pcmk.RC(syscall.EOPNOTSUPP)})
	n.want(t, "Erase", "Answer a_monitor_5000")
}

// TestRefusals: what cannot be begun is answered.
func TestRefusals(t *testing.T) {
	n := newNode()
	n.run(t, 1, pcmk.OCFNotRunning, ask(t, "monitor", key, ""))
	n.seen = nil
	n.k.SetState(State{Name: "S_NOT_DC", Execute: true, Leaving: true})
	n.run(t, 2, pcmk.OCFOK, ask(t, "start", key, ""))
	n.want(t, "Describe", "NoStart", "Answer a_start_0")
	n.k.SetState(State{Name: "S_ELECTION"})
	n.run(t, 2, pcmk.OCFOK, ask(t, "promote", key, ""))
	n.want(t, "Answer a_promote_0")
	n.k.SetState(State{Name: "S_NOT_DC", Execute: true})
	n.step(ask(t, "stop", key, ""))
	e := n.want(t, "Update a_stop_0", "Exec a_stop_0")[1].(Exec)
	n.step(Started{Token: e.Token, RC: pcmk.RC(syscall.ENOTCONN)})
	n.want(t, "Update a_stop_0", "Alert", "Broken")
}

// TestDelete: a cleanup forgets a resource, tells who asked and has the DC look again.
func TestDelete(t *testing.T) {
	n := newNode()
	n.run(t, 1, pcmk.OCFNotRunning, ask(t, "monitor", key, ""))
	n.seen = nil
	x, _ := xmltree.ParseString(`<rsc_op transition-key="xxx"><primitive id="a" class="ocf" provider="p" type="t"/><attributes/></rsc_op>`, xmltree.Limits{})
	r, err := DecodeRequest("lrm_delete", x, Origin{Sys: "crm_resource", Host: "n2", User: "alice", Reference: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	n.step(r)
	may := n.want(t, "MayDelete")[0].(MayDelete)
	if may.User != "alice" || may.Path != "//node_state[@uname='n1']/lrm/lrm_resources/lrm_resource[@id='a']" {
		t.Errorf("%+v", may)
	}
	n.step(Deletable{Token: may.Token})
	u := n.want(t, "Unregister")[0].(Unregister)
	n.step(Unregistered{Token: u.Token})
	n.want(t, "Delete", "Answer a_delete_0", "Refreshed")
	n.step(r) // again: what is not there is deleted
	n.want(t, "QueryInfo")
	n.step(Info{Rsc: "a"})
	n.want(t, "Delete", "Answer a_delete_0", "Refreshed")
}

// FuzzRequest has a Keeper take requests and everything the executor might answer.
func FuzzRequest(f *testing.F) {
	f.Add("", `<rsc_op operation="start" transition-key="1:2:0:u"><primitive id="a" class="ocf" provider="p" type="t"/><attributes CRM_meta_timeout="1"/></rsc_op>`, 0)
	f.Add("lrm_fail", `<rsc_op><primitive id="a" class="ocf" type="t"/><attributes/></rsc_op>`, 1)
	f.Add("probe_again", `<x/>`, 0)
	f.Add("", `<rsc_op operation="cancel"><primitive id="a" class="ocf" provider="p" type="t"/><attributes CRM_meta_operation="monitor" CRM_meta_interval="10" CRM_meta_call_id="3"/></rsc_op>`, 0)
	f.Fuzz(func(t *testing.T, verb, text string, rc int) {
		x, err := xmltree.ParseString(text, xmltree.Limits{Bytes: 1 << 18})
		if err != nil {
			return
		}
		r, err := DecodeRequest(verb, x, Origin{Sys: "tengine"})
		if err != nil {
			return
		}
		n := newNode()
		n.step(r)
		for i := 0; i < len(n.seen) && i < 200; i++ {
			switch f := n.seen[i].(type) {
			case QueryInfo:
				n.step(Info{Rsc: f.Rsc})
			case Register:
				n.step(Registered{Rsc: f.Rsc, RC: pcmk.RC(rc)})
			case Describe:
				n.step(Described{Token: f.Token, Agent: f.Agent})
			case MayDelete:
				n.step(Deletable{Token: f.Token, RC: pcmk.RC(rc)})
			case Unregister:
				n.step(Unregistered{Token: f.Token, RC: pcmk.RC(rc)})
			case Cancel:
				n.step(Cancelled{Token: f.Token, RC: pcmk.RC(rc)})
			case Exec:
				n.step(Started{Token: f.Token, CallID: i, RC: pcmk.RC(rc)})
				o := f.Op
				o.CallID, o.RC = i, pcmk.OCF(rc)
				n.step(Event{Op: o})
			}
		}
		n.k.Resources()
	})
}

// FuzzMetadata reads agents' descriptions.
func FuzzMetadata(f *testing.F) {
	f.Add(dummy)
	f.Add(`<resource-agent><version>1.0</version><parameters><parameter name="a" unique="1"/></parameters><actions><action name="reload"/></actions></resource-agent>`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMetadata("ocf", text)
		if err != nil {
			return
		}
		o := Op{Rsc: "a", Task: "start", Params: map[string]string{"a": "1", "9": "x"}}
		o.Enter(xmltree.New("lrm_resource"), Write{Metadata: m})
	})
}
