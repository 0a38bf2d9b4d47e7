package wire

import (
	"reflect"
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

func parse(t testing.TB, s string) *xmltree.Node {
	t.Helper()
	n, err := xmltree.ParseString(s, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The texts are what Debian's controller and cts-exec-helper send.
func TestRequests(t *testing.T) {
	cases := []struct {
		text string
		want Request
	}{
		{`<lrmd_command t="lrmd" lrmd_op="register" lrmd_clientname="crmd" lrmd_protocol_version="1.1"/>`,
			Request{Op: OpRegister, ClientName: "crmd", Version: "1.1"}},
		{`<lrmd_command __name__="lrmd_command" t="lrmd" lrmd_async_id="u" lrmd_op="lrmd_rsc_register" lrmd_timeout="0" lrmd_callopt="3"><lrmd_calldata><lrmd_rsc lrmd_origin="lrmd_api_register_rsc" lrmd_rsc_id="a" lrmd_class="ocf" lrmd_provider="heartbeat" lrmd_type="Dummy"/></lrmd_calldata></lrmd_command>`,
			Request{Op: OpRscRegister, Token: "u", Options: DropRecurring, HasRsc: true, Origin: "lrmd_api_register_rsc", Rsc: Rsc{"a", "ocf", "heartbeat", "Dummy"}}},
		{`<lrmd_command __name__="lrmd_command" t="lrmd" lrmd_async_id="u" lrmd_op="lrmd_rsc_exec" lrmd_timeout="20000" lrmd_callopt="4"><lrmd_calldata><lrmd_rsc lrmd_origin="lrmd_api_exec" lrmd_rsc_id="a" lrmd_rsc_action="monitor" lrmd_rsc_userdata_str="1:2:0:x" lrmd_rsc_interval="10000" lrmd_timeout="20000" lrmd_rsc_start_delay="5"><attributes ip="1.2.3.4" CRM_meta_timeout="20000"><param name="1st" value="&lt;&amp;&quot;"/></attributes></lrmd_rsc></lrmd_calldata></lrmd_command>`,
			Request{Op: OpRscExec, Token: "u", Options: NotifyChangesOnly, Timeout: 20000, HasRsc: true, Origin: "lrmd_api_exec", Rsc: Rsc{ID: "a"}, Action: "monitor", UserData: "1:2:0:x",
				Interval: 10000, OpTimeout: 20000, StartDelay: 5, Params: Params{{"ip", "1.2.3.4"}, {"CRM_meta_timeout", "20000"}, {"1st", `<&"`}}}},
		{`<lrmd_command __name__="lrmd_command" t="lrmd" lrmd_async_id="u" lrmd_op="lrmd_rsc_cancel" lrmd_timeout="0" lrmd_callopt="0"><lrmd_calldata><lrmd_rsc lrmd_origin="lrmd_api_cancel" lrmd_rsc_action="monitor" lrmd_rsc_id="a" lrmd_rsc_interval="10000"/></lrmd_calldata></lrmd_command>`,
			Request{Op: OpRscCancel, Token: "u", HasRsc: true, Origin: "lrmd_api_cancel", Rsc: Rsc{ID: "a"}, Action: "monitor", Interval: 10000}},
		{`<lrmd_command __name__="lrmd_command" t="lrmd" lrmd_async_id="u" lrmd_op="lrmd_alert_exec" lrmd_timeout="30000" lrmd_callopt="2"><lrmd_calldata><lrmd_alert lrmd_origin="lrmd_api_exec_alert" lrmd_alert_id="al" lrmd_alert_path="/a.sh" lrmd_timeout="30000"><attributes CRM_alert_kind="node"/></lrmd_alert></lrmd_calldata></lrmd_command>`,
			Request{Op: OpAlertExec, Token: "u", Options: NotifyOrigOnly, Timeout: 30000, OpTimeout: 30000, Origin: "lrmd_api_exec_alert", Alert: Alert{"al", "/a.sh"}, Params: Params{{"CRM_alert_kind", "node"}}}},
		{`<lrmd_command __name__="lrmd_command" t="lrmd" lrmd_async_id="u" lrmd_op="lrmd_check" lrmd_timeout="0" lrmd_callopt="0"><lrmd_calldata><lrmd_op lrmd_origin="o" lrmd_watchdog="10s"/></lrmd_calldata></lrmd_command>`,
			Request{Op: OpCheck, Token: "u", Origin: "o", Watchdog: "10s"}},
		{`<lrmd_command __name__="lrmd_command" t="lrmd" lrmd_async_id="u" lrmd_op="lrmd_get_recurring" lrmd_timeout="0" lrmd_callopt="0"/>`,
			Request{Op: OpGetRecurring, Token: "u"}},
	}
	for _, c := range cases {
		got := ParseRequest(parse(t, c.text))
		if got.Op == OpCheck {
			got.Origin = "o" // the server has no use for it
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.text, got, c.want)
		}
		if again := ParseRequest(c.want.XML()); !reflect.DeepEqual(again, ParseRequest(parse(t, c.text))) {
			t.Errorf("%s comes back as %+v", c.want.Op, again)
		}
	}
	// Byte for byte what the C library writes, parameters apart (their order is a hash's there).
	for _, i := range []int{0, 1, 3, 5, 6} {
		if s := cases[i].want.XML().String(); s != cases[i].text {
			t.Errorf("written\n%s\nwant\n%s", s, cases[i].text)
		}
	}
}

func TestRepliesAndNotifications(t *testing.T) {
	for _, text := range []string{
		`<lrmd_reply lrmd_origin="process_lrmd_signon" lrmd_rc="0" lrmd_callid="1" lrmd_op="register" lrmd_clientid="c" lrmd_protocol_version="1.1"/>`,
		`<lrmd_reply lrmd_origin="process_lrmd_message" lrmd_rc="-19" lrmd_callid="7"/>`,
		`<lrmd_reply lrmd_origin="process_lrmd_get_rsc_info" lrmd_rc="0" lrmd_callid="7" lrmd_rsc_id="a" lrmd_class="ocf" lrmd_provider="p" lrmd_type="T"/>`,
		`<lrmd_reply lrmd_origin="process_lrmd_get_recurring" lrmd_rc="0" lrmd_callid="7"><lrmd_rsc lrmd_rsc_id="a"><lrmd_rsc_op lrmd_rsc_action="monitor" lrmd_rsc_interval="1000" lrmd_timeout="20"/></lrmd_rsc><lrmd_rsc lrmd_rsc_id="b"/></lrmd_reply>`,
	} {
		r, err := ParseReply(parse(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if s := r.XML().String(); s != text {
			t.Errorf("reply\n%s\nwant\n%s", s, text)
		}
	}
	for _, text := range []string{
		`<lrmd_notify lrmd_origin="send_generic_notify" lrmd_rc="0" lrmd_callid="2" lrmd_op="lrmd_rsc_register" lrmd_rsc_id="a"/>`,
		`<lrmd_notify lrmd_origin="notify_of_new_client" lrmd_op="lrmd_rsc_new_client"/>`,
		`<lrmd_notify lrmd_origin="send_cmd_complete_notify" lrmd_timeout="20000" lrmd_rsc_interval="0" lrmd_rsc_start_delay="0" lrmd_exec_rc="7" lrmd_exec_op_status="0" lrmd_callid="5" lrmd_rsc_deleted="0" lrmd_run_time="1700000000" lrmd_rcchange_time="1700000001" lrmd_exec_time="12" lrmd_queue_time="0" lrmd_op="lrmd_rsc_exec" lrmd_rsc_id="a" lrmd_rsc_action="monitor" lrmd_rsc_userdata_str="k" lrmd_rsc_exit_reason="why" lrmd_rsc_output="two&#10;lines"><attributes a="1"/></lrmd_notify>`,
	} {
		e, ok := ParseNotify(parse(t, text))
		if !ok {
			t.Fatalf("not read: %s", text)
		}
		if s := e.XML().String(); s != text {
			t.Errorf("notification\n%s\nwant\n%s", s, text)
		}
	}
	if _, err := ParseReply(parse(t, `<lrmd_reply/>`)); err == nil {
		t.Error("a reply without result is taken")
	}
	if _, ok := ParseNotify(parse(t, `<lrmd_notify lrmd_op="x"/>`)); ok {
		t.Error("an unknown notification is taken")
	}
}

// FuzzMessage reads arbitrary messages as each kind; what is read and written
// again reads the same.
func FuzzMessage(f *testing.F) {
	f.Add(`<lrmd_command lrmd_op="lrmd_rsc_exec"><lrmd_calldata><lrmd_rsc lrmd_rsc_id="a" lrmd_rsc_interval="4294967295" lrmd_timeout="-1"><attributes a="1"><param name="0" value=""/></attributes></lrmd_rsc></lrmd_calldata></lrmd_command>`)
	f.Add(`<lrmd_notify lrmd_op="lrmd_rsc_exec" lrmd_exec_rc="99999999999"><attributes/></lrmd_notify>`)
	f.Add(`<lrmd_reply lrmd_rc="x"><lrmd_rsc lrmd_rsc_id=""><lrmd_rsc_op/></lrmd_rsc></lrmd_reply>`)
	f.Fuzz(func(t *testing.T, s string) {
		n, err := xmltree.ParseString(s, xmltree.Limits{})
		if err != nil {
			return
		}
		q := ParseRequest(n)
		if q.Op == OpCheck {
			return
		}
		if again := ParseRequest(q.XML()); q.Op == OpRscExec && q.HasRsc && !reflect.DeepEqual(again.Params, q.Params) && len(q.Params) > 0 {
			t.Errorf("parameters %v come back as %v", q.Params, again.Params)
		}
		if e, ok := ParseNotify(n); ok {
			if again, ok := ParseNotify(e.XML()); !ok || again.CallID != e.CallID {
				t.Errorf("%+v comes back as %+v", e, again)
			}
		}
		if r, err := ParseReply(n); err == nil {
			if again, err := ParseReply(r.XML()); err != nil || again.RC != r.RC {
				t.Errorf("%+v comes back as %+v, %v", r, again, err)
			}
		}
	})
}
