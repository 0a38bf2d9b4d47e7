package wire

import (
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func parse(t testing.TB, s, peer string) *Message {
	t.Helper()
	n, err := xmltree.ParseString(s, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(n, peer)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestCaptured reads messages as Pacemaker 2.1.5 sends them.
func TestCaptured(t *testing.T) {
	m := parse(t, `<stonith_command __name__="stonith_command" t="stonith-ng" st_async_id="u-1" st_op="st_query" st_callid="2" st_callopt="0" st_remote_op="u-1" `+
		`st_target="n2" st_device_action="reboot" st_origin="n1" st_clientid="c-1" st_clientname="stonith_admin.217" st_timeout="120" src="n1"/>`, "n1")
	if m.Reply || m.Op != OpQuery || m.OpID != "u-1" || m.Target == nil || m.Target.Target != "n2" || m.Action.Action != "reboot" ||
		m.Target.Origin != "n1" || m.Timeout != 120 || m.CallID != "2" || m.Peer != "n1" {
		t.Errorf("%+v", m)
	}
	m = parse(t, `<st-reply st_origin="fenced_construct_reply" t="stonith-ng" op-status="0" rc-code="0" st_rc="0" st_op="st_query" st_callid="2" st_clientid="c-1" st_remote_op="u-1" src="n2">`+
		`<st_calldata><stonith_query_capable_device_cb st_target="n2" st-available-devices="1"><st_device_id id="pdu" namespace="stonith-ng" agent="fence_x" st_monitor_verified="1" `+
		`st_device_support_flags="37" st_action_timeout="30"><st_device_action id="off" st_delay_max="5"/><st_device_action id="on" st_required="1" st_action_disallowed="true"/></st_device_id>`+
		`</stonith_query_capable_device_cb></st_calldata></st-reply>`, "n2")
	want := Offered{ID: "pdu", Namespace: "stonith-ng", Agent: "fence_x", Verified: true, Flags: SupportsList | SupportsReboot | SupportsOn}
	want.Phase = [Phases]PhaseInfo{{Timeout: 30}, {DelayMax: 5}, {Required: true, Disallowed: true}}
	if !m.Reply || m.Offer == nil || m.Offer.Count != 1 || len(m.Offer.Devices) != 1 || !reflect.DeepEqual(m.Offer.Devices[0], want) || m.OpID != "u-1" {
		t.Errorf("%+v %+v", m, m.Offer)
	}
	m = parse(t, `<st-reply t="st_notify" subt="broadcast" st_op="st_notify" count="1" src="n1"><st_calldata><st_notify_fence state="2" st_target="n2" st_device_action="off" `+
		`st_delegate="n1" st_remote_op="u-1" st_origin="n1" st_clientid="c-1" st_clientname="a.1" op-status="0" rc-code="0" st_rc="0"/></st_calldata></st-reply>`, "n1")
	if m.Subtype != "broadcast" || m.OpID != "u-1" || m.Delegate != "n1" || m.Result == nil || !m.Result.Result.OK() || m.Result.Client != "c-1" {
		t.Errorf("%+v %+v", m, m.Result)
	}
	if o := m.Result.OfResult(); o.Target.Target != "n2" || o.Client != "c-1" || o.Name != "a.1" {
		t.Errorf("%+v", o)
	}
}

// TestRoundTrip: what is written is read as it was.
func TestRoundTrip(t *testing.T) {
	head := OpHead{Call: 3, ID: "u", Target: "n2", Action: "off", Origin: "n1", Client: "c", Name: "a.1", Timeout: 20, Options: UseTopology | AllowSuicide}
	m := parse(t, (&Fence{OpHead: head, Delay: -1, Device: "pdu"}).XML().String(), "n1")
	if m.Op != OpFence || m.Delay != -1 || m.Target.Device != "pdu" || m.Timeout != 20 || m.Options != head.Options || m.CallNo() != 3 || m.OpID != "u" {
		t.Errorf("%+v", m)
	}
	m = parse(t, (&Query{OpHead: head, RelayOp: "r"}).XML().String(), "n1")
	if m.Op != OpQuery || m.RelayOp != "r" || m.RemoteOp != "u" {
		t.Errorf("%+v", m)
	}
	h := &HistoryList{Differential: true, Records: []Record{{ID: "u", Target: "n2", Action: "off", Origin: "n1", Delegate: "n3", ClientName: "a.1",
		Completed: 17, CompletedNsec: 5, State: StateDone, Result: Result{Exit: 1, Status: pcmk.ExecTimeout, Reason: "late"}}}}
	m = parse(t, (&HistoryCast{Options: Broadcast | DiscardReply, List: h}).XML().String(), "n1")
	if !reflect.DeepEqual(m.History, h) {
		t.Errorf("%+v", m.History)
	}
	l := Level{ID: "2", IndexText: "2", Index: 2, Kind: ByAttribute, Target: "rack", Value: "7", Devices: []string{"a", "b"}}
	m = parse(t, Command(1, "t", OpLevelAdd, l.XML(), SyncCall).String(), "")
	if !reflect.DeepEqual(*m.Level, l) || l.Key() != "rack=7" || m.Options != SyncCall {
		t.Errorf("%+v", m.Level)
	}
	r := Registration{ID: "d", Agent: "fence_x", Params: []Pair{{"ip", "1"}, {"password", `a"b<c&`}}}
	m = parse(t, Command(1, "t", OpDeviceAdd, r.XML(), 0).String(), "")
	if !reflect.DeepEqual(*m.Device, r) {
		t.Errorf("%+v", m.Device)
	}
}

// TestResultCodes: each result has the legacy code that old peers read.
func TestResultCodes(t *testing.T) {
	for _, c := range []struct {
		r  Result
		rc int
	}{
		{Done(), 0},
		{Result{Exit: 1}, -int(syscall.ENODATA)},
		{Result{Exit: 1, Stderr: "Connection timed out"}, -int(syscall.ETIME)},
		{Result{Exit: 1, Stderr: "x"}, -201},
		{Failure(pcmk.ExitError, pcmk.ExecNoFenceDevice, ""), -int(syscall.ENODEV)},
		{Failure(pcmk.ExitError, pcmk.ExecTimeout, "t"), -int(syscall.ETIME)},
		{Failure(pcmk.ExitInsufficientPriv, pcmk.ExecInvalid, "p"), -int(syscall.EACCES)},
		{Failure(pcmk.ExitInvalidParam, pcmk.ExecInvalid, "p"), -int(syscall.EINVAL)},
		{ProtocolError(), -int(syscall.EPROTO)},
	} {
		n := xmltree.New("x")
		c.r.Set(n)
		if got := atoi(n.Attr("st_rc")); got != c.rc {
			t.Errorf("%+v: st_rc %d, want %d", c.r, got, c.rc)
		}
		back := resultOf(n)
		if back.Exit != c.r.Exit || back.Status != c.r.Status || back.Reason != c.r.Reason {
			t.Errorf("%+v, read back as %+v", c.r, back)
		}
	}
	old := xmltree.New("x", xmltree.Attr{Name: "st_rc", Value: "-62"})
	if r := resultOf(old); r.Status != pcmk.ExecTimeout || r.OK() {
		t.Errorf("a peer before 2.1.3: %+v", r)
	}
}

// TestTooMany: a list that no fencer sends is refused.
func TestTooMany(t *testing.T) {
	n, err := xmltree.ParseString("<a><st_history>"+strings.Repeat(`<st_execute st_remote_op="u"/>`, maxHistory+1)+"</st_history></a>", xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(n, "n1"); err != ErrTooMany {
		t.Error(err)
	}
}

// FuzzDecode reads whatever comes, and what it reads it can write.
func FuzzDecode(f *testing.F) {
	f.Add(`<stonith_command t="stonith-ng" st_op="st_query" st_callid="2" st_remote_op="u" st_target="n2" st_device_action="reboot" st_timeout="9"/>`)
	f.Add(`<st-reply op-status="0" rc-code="0" st_op="st_query" st_remote_op="u"><st_calldata><q st-available-devices="1"><st_device_id id="d" agent="a"><st_device_action id="on" st_required="1"/></st_device_id></q></st_calldata></st-reply>`)
	f.Add(`<a st_op="st_fence_history"><st_history st_differential="true"><st_execute st_remote_op="u" st_date="1" st_state="2"/></st_history></a>`)
	f.Add(`<a st_op="st_level_add"><fencing-level id="1" index="1" target-pattern="n.*" devices="a,b"/></a>`)
	f.Add(`<a st_op="st_device_register"><st_device_id id="d" agent="a"><attributes ip="1"><param name="9" value="x"/></attributes></st_device_id></a>`)
	f.Add(`<a st_op="st_fence" st_callopt="-1" st_timeout="99999999999999999999"/>`)
	f.Fuzz(func(t *testing.T, s string) {
		n, err := xmltree.ParseString(s, xmltree.Limits{Bytes: 1 << 20})
		if err != nil {
			return
		}
		m, err := Decode(n, "n1")
		if err != nil {
			return
		}
		r := &Reply{To: m, Result: m.RootResult()}
		if m.Offer != nil {
			r.Data = m.Offer.XML()
		}
		if m.Result != nil {
			m.Result.OfResult()
		}
		_ = r.XML().String()
		if m.History != nil {
			_ = m.History.XML(true)
		}
		if m.Device != nil {
			_ = m.Device.XML()
		}
		_ = m.Level.Desc()
	})
}
