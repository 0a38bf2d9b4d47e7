package client

import (
	"testing"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func parse(t testing.TB, s string) *xmltree.Node {
	n, err := xmltree.ParseString(s, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRequest(t *testing.T) {
	c := &Conn{id: "U"}
	n, id := c.request(Call{Op: Modify, Section: "status", Data: xmltree.New("status"), Options: QuorumOverride | MixedUpdate | ScopeLocal, User: "root"})
	want := `<cib_command __name__="cib_command" t="cib" cib_async_id="U" cib_op="cib_modify" cib_section="status" cib_callid="1" cib_user="root"` +
		` cib_callopt="1048960"><cib_calldata><status/></cib_calldata></cib_command>`
	if got := n.String(); got != want || id != 1 {
		t.Errorf("%d %s\nwant\n%s", id, got, want)
	}
}

func TestDecode(t *testing.T) {
	ev, ok := decodeEvent(parse(t, `<cib-reply t="cib" cib_op="cib_modify" cib_callid="7" cib_rc="-6"><cib_calldata><a/><b/></cib_calldata></cib-reply>`))
	if !ok || ev.Kind != Reply || ev.ID != 7 || ev.RC != pcmk.RC(6) || ev.Data.Name != "a" {
		t.Errorf("%+v, %v", ev, ok)
	}
	ev, ok = decodeEvent(parse(t, `<cib-reply t="cib" cib_callid="7" cib_rc="-207"/>`))
	if !ok || ev.RC != pcmk.OK || ev.Data != nil {
		t.Errorf("%+v, %v", ev, ok)
	}
	ev, ok = decodeEvent(parse(t, `<notify t="cib_notify" subt="cib_diff_notify"/>`))
	if !ok || ev.Kind != Notify || ev.Type != DiffNotify {
		t.Errorf("%+v, %v", ev, ok)
	}
	for _, bad := range []string{`<x/>`, `<cib-reply t="cib" cib_rc="0"/>`, `<cib-reply t="cib" cib_callid="99999999999" cib_rc="0"/>`} {
		if ev, ok := decodeEvent(parse(t, bad)); ok {
			t.Errorf("%s: %+v", bad, ev)
		}
	}
}

func FuzzDecodeEvent(f *testing.F) {
	f.Add(`<cib-reply t="cib" cib_callid="7" cib_rc="-6"><cib_calldata><a/></cib_calldata></cib-reply>`)
	f.Add(`<notify t="cib_notify" subt="cib_diff_notify"/>`)
	f.Add(`<cib-reply t="cib" cib_callid="7" cib_rc="-2147483648"/>`)
	f.Fuzz(func(_ *testing.T, s string) {
		if n, err := xmltree.ParseString(s, xmltree.Limits{}); err == nil {
			decodeEvent(n)
		}
	})
}
