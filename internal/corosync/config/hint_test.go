package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/config/configtest"
)

// wrong are files that are refused, and what Remarks says of them.
var wrong = []struct {
	old, new string
	want     []string
}{
	{"transport: udpu", "transport: udppu", []string{"see /c:4: totem.transport: udppu (Did you mean udp or udpu?)"}},
	{"token: 1000", "token: 1s", []string{"see /c:6: Did you mean 1000? It is in milliseconds."}},
	{"token: 1000", "token: 1000ms", []string{"see /c:6: Did you mean 1000? It has no unit."}},
	{"token: 1000", "tokn: 1000\n\tcrypto_hash: md55", []string{
		`see /c:6: there is no option "tokn" in this section: it is ignored (Did you mean token?)`,
		"see /c:7: Did you mean md5?"}},
	{"token: 1000", "token: 10", []string{"see /c:6: totem.token: 10"}},
	{"token: 1000\n}", "token: 1000\n", []string{
		`see /c:8: there is no section "nodelist" in totem: all of it is ignored (It can only be interface.)`,
		"see /c:17: The section totem, opened in line 2, has no `}`."}},
	{"ring0_addr: 10.0.0.2", "ring0_addr: node2", []string{
		"see /c:14: nodelist.node.1.ring0_addr: node2 (There is no address of that name here: see /etc/hosts and the name service, or write the address itself.)"}},
	{"ring0_addr: 10.0.0.1", "ring0_addr: hots1", []string{
		"see /c:10: nodelist.node.0.ring0_addr: hots1 (This host is host1: no node has its name, or an address of its interfaces. Did you mean hots1?)",
		"see /c:14: nodelist.node.1.ring0_addr: 10.0.0.2"}},
	{"token: 1000", "token: 10\nkey: secret\nkeyfile: /k\ncrypto_hash: sha1", []string{"see /c:6: totem.token: 10"}},
}

const hintConf = `
totem {
	version: 2
	transport: udpu
	cluster_name: demo
	token: 1000
}
nodelist {
	node {
		ring0_addr: 10.0.0.1
		nodeid: 1
	}
	node {
		ring0_addr: 10.0.0.2
		nodeid: 2
	}
}
`

func TestRemarks(t *testing.T) {
	for _, x := range wrong {
		e := &configtest.Env{Host: "host1", Local: []string{"10.0.0.1"}, Names: map[string][]string{"hots1": {"10.9.9.9"}},
			Files: map[string]string{"/c": strings.Replace(hintConf, x.old, x.new, 1), "/k": strings.Repeat("k", 128)}}
		m, err := Parse(e, "/c")
		if err == nil {
			_, err = Derive(m, e)
		}
		if err == nil {
			t.Errorf("%q is taken", x.new)
			continue
		}
		if got := Remarks(e, "/c", err.(*Error)); !slices.Equal(got, x.want) {
			t.Errorf("%q, %v:\n%s\nwant\n%s", x.new, err, strings.Join(got, "\n"), strings.Join(x.want, "\n"))
		}
	}
}

// TestRemarksAreFew: what is wrong in every line of a file does not fill the log.
func TestRemarksAreFew(t *testing.T) {
	e := &configtest.Env{Files: map[string]string{"/c": strings.Repeat("x: 1\n", 1000)}}
	got := Meaningless(e, "/c")
	if len(got) != maxRemarks+1 || got[maxRemarks] != "see pacesync lint for 2991 more" {
		t.Errorf("%d lines, last %q", len(got), got[len(got)-1])
	}
	if got := Remarks(e, "/no", &Error{Text: "x", Keys: []string{"totem.token"}}); got != nil {
		t.Errorf("of no file: %q", got)
	}
}

// TestSecretStaysSecret: a key that stands in the file is not told.
func TestSecretStaysSecret(t *testing.T) {
	e := &configtest.Env{Files: map[string]string{"/c": "totem {\nkey: abc\n}\n"}}
	if got := Remarks(e, "/c", &Error{Keys: []string{"totem.key"}}); !slices.Equal(got, []string{"see /c:2: totem.key: ***"}) {
		t.Errorf("%q", got)
	}
}

// TestNoControls: bytes of a value that a terminal would act on are not repeated.
func TestNoControls(t *testing.T) {
	e := &configtest.Env{Files: map[string]string{"/c": "totem {\nlink_mode: \x1b[2Jx\n}\n"}}
	if got := Remarks(e, "/c", &Error{Keys: []string{"totem.link_mode"}}); !slices.Equal(got, []string{"see /c:2: totem.link_mode: ?[2Jx (Possible are passive, active, rr.)"}) {
		t.Errorf("%q", got)
	}
}

// TestReloadTellsWhatIsMeaningless: a file that is taken, with a line that has no
// effect.
func TestReloadTellsWhatIsMeaningless(t *testing.T) {
	_, _, r := reload(t, &configtest.Env{Host: "n1"}, knetTwo, strings.Replace(knetTwo, "# more", "tokn: 5000", 1))
	if want := []string{confPath + `:9: there is no option "tokn" in this section: it is ignored (Did you mean token?)`}; r.Config == nil || !slices.Equal(r.Warnings, want) {
		t.Errorf("%q, errors %q", r.Warnings, r.Errors)
	}
	_, _, r = reload(t, &configtest.Env{Host: "n1"}, knetTwo, strings.Replace(knetTwo, "# more", "crypto_cipher: aes265", 1))
	if r.Config != nil || len(r.Errors) != 2 || r.Errors[1] != "see "+confPath+":9: Did you mean aes256?" {
		t.Errorf("refused: %q", r.Errors)
	}
}

// asking counts the questions to the name service.
type asking struct {
	configtest.Env
	asked int
}

func (a *asking) NameOf(netip.Addr) string { a.asked++; return "" }

// TestNoNamesForNothing: without a nodelist, as in a file that is cut short, the name
// service is not asked who this host is: it may take half a minute to say nothing.
func TestNoNamesForNothing(t *testing.T) {
	e := &asking{Env: configtest.Env{Host: "n1", Local: []string{"10.0.0.1"}, Files: map[string]string{"/c": "totem {\nversion: 2\n}\n"}}}
	m, err := Parse(e, "/c")
	if err == nil {
		_, err = Derive(m, e)
	}
	if err == nil || e.asked != 0 {
		t.Errorf("%v, asked %d times", err, e.asked)
	}
}
