package crmd

import (
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// captured is a join offer as Debian's controller sends it, with the sender as
// the cluster layer adds it.
const captured = `<create_request_adv origin="join_make_offer" t="crmd" version="3.16.1" subt="request" reference="join_offer-dc-1700000000-5" crm_task="join_offer" crm_sys_to="crmd" crm_sys_from="dc" crm_host_to="p2" join_id="1" dc-leaving="false" crm_feature_set="3.16.1" src="p1"/>`

func TestDecodeMessage(t *testing.T) {
	m, err := parseMessage(captured)
	if err != nil {
		t.Fatal(err)
	}
	if m.task != "join_offer" || m.sysTo != "crmd" || m.sysFrom != "dc" || m.hostTo != "p2" || m.from != "p1" || m.reply || m.data != nil {
		t.Errorf("header: %+v", m)
	}
	if id, ok := m.number("join_id"); !ok || id != 1 {
		t.Errorf("join_id %d %v", id, ok)
	}
	r := response(m, xmltree.New("x"))
	if r.hostTo != "p1" || r.sysTo != "dc" || r.sysFrom != "crmd" || r.ref != m.ref || !r.reply || r.data == nil || r.data.Name != "x" {
		t.Errorf("response: %s", r.root)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, bad := range []string{
		``, `<a`, `<m t="attrd" subt="request" crm_task="ping"/>`, `<m t="crmd" crm_task="ping"/>`, `<m t="crmd" subt="notify" crm_task="ping"/>`,
	} {
		if m, err := parseMessage(bad); err == nil {
			t.Errorf("%q: taken as %+v", bad, m)
		}
	}
	if _, err := parseMessage(`<m crm_task="hello"><crm_xml><options client_name="x"/></crm_xml></m>`); err != nil {
		t.Errorf("a client's hello: %v", err)
	}
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"3.16.1", "3.0.9", 1}, {"3.0.9", "3.0.9", 0}, {"3.0", "3.0.1", -1}, {"", "1", -1}, {"2.10", "2.9", 1}} {
		got := compareVersions(c.a, c.b)
		if (got > 0) != (c.want > 0) || (got < 0) != (c.want < 0) {
			t.Errorf("compareVersions(%q, %q) = %d", c.a, c.b, got)
		}
	}
}

// FuzzMessage: whatever a peer sends is refused or has a header that can be
// answered.
func FuzzMessage(f *testing.F) {
	f.Add(captured)
	f.Add(`<m t="crmd" subt="request" crm_task="ping" crm_sys_to="crmd" crm_sys_from="x" src="n1"><crm_xml><a/><b/></crm_xml></m>`)
	f.Add(`<m crm_task="hello"/>`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMessage(text)
		if err != nil {
			return
		}
		if m.task == "hello" {
			return
		}
		r := response(m, nil)
		if r.task != m.task || r.sysTo != m.sysFrom {
			t.Errorf("%q answered by %s", text, r.root)
		}
	})
}
