package wire

import (
	"errors"
	"reflect"
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

func parse(t testing.TB, text string) *xmltree.Node {
	n, err := xmltree.ParseString(text, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The messages were seen between attribute managers of Pacemaker 2.1.5.
const (
	capturedUpdate = `<create_attrd_op t="attrd" src="attrd_updater" attr_name="testattr" task="update" attr_value="5" attr_is_remote="0"` +
		` attr_is_private="0" acl_target="root" attr_user="root" attr_host="p2" attr_host_id="2" attr_version="4" attr_writer="0"/>`
	capturedSync = `<attrd_peer_sync task="sync-response" t="attrd" attr_version="4" attr_writer="3"><attrd_add_value_xml attr_name="a"` +
		` attr_user="root" attr_host="p1" attr_host_id="1" attr_value="7" attr_dampening="5" attr_is_private="0" attrd_is_force_write="0"/>` +
		`<attrd_add_value_xml attr_name="b" attr_host="r1" attr_is_remote="1" attr_dampening="0" attr_is_private="1" attrd_is_force_write="1"/></attrd_peer_sync>`
)

func TestDecode(t *testing.T) {
	m, err := Decode(parse(t, capturedUpdate))
	want := Message{Root: "create_attrd_op", Source: "attrd_updater", ACLUser: "root", Version: 4,
		Value: Value{Task: Update, Name: "testattr", Value: "5", Host: "p2", HostID: 2, User: "root"}}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("update: %+v, %v\nwant %+v", m, err, want)
	}
	m, err = Decode(parse(t, capturedSync))
	want = Message{Root: "attrd_peer_sync", Version: 4, Writer: 3, Value: Value{Task: SyncResponse}, Ops: []Value{
		{Name: "a", User: "root", Host: "p1", HostID: 1, Value: "7", Dampening: "5"},
		{Name: "b", Host: "r1", Remote: true, Dampening: "0", Private: true, Force: true}}}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("sync: %+v, %v\nwant %+v", m, err, want)
	}
	m, err = Decode(parse(t, `<x task="update" attr_dampening="5"><op attr_name="a" task="update" attr_value="1"/><other/><op attr_name="b"/></x>`))
	if err != nil || !m.Multi || len(m.Ops) != 2 || m.Ops[1].Name != "b" {
		t.Errorf("several: %+v, %v", m, err)
	}
	if _, err = Decode(parse(t, `<x task="frobnicate"/>`)); !errors.Is(err, ErrUnknownTask) {
		t.Errorf("unknown task: %v", err)
	}
	if m, err = Decode(parse(t, `<x task="update" attr_name="" attr_host_id="-3" attr_is_remote="99999999999"/>`)); err != nil || m.Name != "" || m.HostID != 0 || m.Remote {
		t.Errorf("odd values: %+v, %v", m, err)
	}
}

func TestEncode(t *testing.T) {
	for name, tc := range map[string]struct {
		m    Message
		want string
	}{
		"update": {Message{Root: "create_attrd_op", Source: "attrd_updater", ACLUser: "root",
			Value: Value{Task: Update, Name: "testattr", Value: "5", Host: "p2", HostID: 2, User: "root"}},
			`<create_attrd_op t="attrd" src="attrd_updater" acl_target="root" attr_user="root" attr_name="testattr" task="update" attr_value="5"` +
				` attr_host="p2" attr_host_id="2" attr_is_remote="0" attr_is_private="0" attr_version="4" attr_writer="0"/>`},
		"clear": {Message{Root: "create_attrd_op", Source: "crm_resource", Value: Value{Task: ClearFailure, Host: "p1"}, Resource: "web", Operation: "monitor", Interval: "10s"},
			`<create_attrd_op t="attrd" src="crm_resource" task="clear-failure" attr_host="p1" attr_resource="web" attr_clear_operation="monitor"` +
				` attr_clear_interval="10s" attr_is_remote="0" attr_version="4" attr_writer="0"/>`},
	} {
		if got := Encode(tc.m).String(); got != tc.want {
			t.Errorf("%s:\n %s\nwant\n %s", name, got, tc.want)
		}
	}
	m, _ := Decode(parse(t, capturedSync))
	if got := Encode(m); !reflect.DeepEqual(must(t, got), m) {
		t.Errorf("sync: %s", got)
	}
}

func must(t testing.TB, n *xmltree.Node) Message {
	m, err := Decode(parse(t, n.String()))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWriteNamesAreIDs(t *testing.T) {
	got := EncodeWrite(Write{Name: "fail-count-a:0#monitor_10", Nodes: []NodeValue{{"r:1", "1"}}}).String()
	want := `<status><node_state id="r:1"><transient_attributes id="r:1"><instance_attributes id="status-r.1">` +
		`<nvpair id="status-r.1-fail-count-a.0.monitor_10" name="fail-count-a:0#monitor_10" value="1"/></instance_attributes></transient_attributes></node_state></status>`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	got = EncodeWrite(Write{Name: "a", Set: "s", Key: "k", Nodes: []NodeValue{{"1", ""}}}).String()
	want = `<status><node_state id="1"><transient_attributes id="1"><instance_attributes id="s"><nvpair id="k" name="a" value="" __delete__="value"/></instance_attributes></transient_attributes></node_state></status>`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestAnswer(t *testing.T) {
	a := Answer{Name: "x", Nodes: []NodeValue{{"p1", "1"}, {"p2", ""}}}
	if got, err := DecodeAnswer(EncodeAnswer(a)); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{`<x/>`, `<x t="crmd"/>`, `<x t="attrd" subt="update"/>`} {
		if _, err := DecodeAnswer(parse(t, bad)); !errors.Is(err, ErrBadAnswer) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(capturedUpdate)
	f.Add(capturedSync)
	f.Add(`<x task="update"><op attr_name="a"/><op/></x>`)
	f.Add(`<build_query_reply t="attrd" subt="query" attr_name="a"><node attr_host="p1"/></build_query_reply>`)
	f.Fuzz(func(t *testing.T, text string) {
		n, err := xmltree.ParseString(text, xmltree.Limits{})
		if err != nil {
			return
		}
		if a, err := DecodeAnswer(n); err == nil {
			if again, err := DecodeAnswer(EncodeAnswer(a)); err != nil || !reflect.DeepEqual(a, again) {
				t.Fatalf("answer %+v became %+v, %v", a, again, err)
			}
		}
		m, err := Decode(n)
		if err != nil || m.Root == "" {
			return
		}
		Decode(Encode(m)) //nolint:errcheck // it must not panic; what a task does not carry is dropped
	})
}
