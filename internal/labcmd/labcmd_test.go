package labcmd

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/lab"
)

func TestSpecs(t *testing.T) {
	got, err := specs(3, 1, "corosync,n2:all,n3:crm_node")
	if err != nil {
		t.Fatal(err)
	}
	want := []lab.NodeSpec{
		{Name: "n1", Corosync: lab.Ours},
		{Name: "n2", Corosync: lab.Ours, Pacemaker: lab.Ours, Tools: lab.Ours},
		{Name: "n3", Corosync: lab.Ours, Ours: []string{"crm_node"}},
		{Host: true},
	}
	for i := range want {
		if got[i].Name != want[i].Name || got[i].Corosync != want[i].Corosync || got[i].Pacemaker != want[i].Pacemaker || got[i].Tools != want[i].Tools || got[i].Host != want[i].Host || !slices.Equal(got[i].Ours, want[i].Ours) {
			t.Errorf("node %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
	for _, bad := range []string{"n4:corosync", "x:crm_node"} {
		if _, err := specs(3, 0, bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: got %v, want an error that names it", bad, err)
		}
	}
}

func TestParseConf(t *testing.T) {
	conf, err := parseConf([]string{"transport=knet", "token=1000", "quorum.two_node=1", "logging.debug=on", "totem.join=60"})
	if err != nil || conf.Transport != "knet" || !slices.Equal(conf.Totem, []string{"token: 1000", "join: 60"}) ||
		!slices.Equal(conf.Quorum, []string{"two_node: 1"}) || !slices.Equal(conf.Logging, []string{"debug: on"}) {
		t.Errorf("got %+v, %v", conf, err)
	}
	conf, err = parseConf([]string{"links=2", "link1.knet_link_priority=3", "link1.knet_mtu=0", "key=other"})
	if err != nil || conf.Links != 2 || conf.Key != "other" || len(conf.Interfaces) != 2 || !slices.Equal(conf.Interfaces[1], []string{"knet_link_priority: 3", "knet_mtu: 0"}) {
		t.Errorf("links: got %+v, %v", conf, err)
	}
	conf, err = parseConf([]string{"transport=udp", "ip_version=ipv6", "link0.ttl=2"})
	if err != nil || conf.Transport != "udp" || !conf.IPv6 || len(conf.Totem) != 0 || !slices.Equal(conf.Interfaces[0], []string{"ttl: 2"}) {
		t.Errorf("IPv6: got %+v, %v", conf, err)
	}
	for _, bad := range []string{"token", "=1", "colour.red=1", "links=9", "link8.mcastport=5", "linkx.a=1"} {
		if _, err := parseConf([]string{bad}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// TestAnswers: a newcomer's calls are answered, with help or with what to do.
func TestAnswers(t *testing.T) {
	t.Setenv("PACESYNC_LAB_DIR", t.TempDir())
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 0, "A first walk"},
		{[]string{"--help"}, 0, "pacesync lab COMMAND"},
		{[]string{"dance"}, 1, `no command "dance"`},
		{[]string{"status"}, 1, "no such lab"},
		{[]string{"exec"}, 1, "usage: pacesync lab exec"},
		{[]string{"kill", "-signal", "FOO", "n1", "all"}, 1, `no signal "FOO"`},
		{[]string{"loss", "much"}, 1, "between 0 and 100"},
		{[]string{"mtu", "all", "big"}, 1, "want a number of bytes"},
		{[]string{"if", "n1"}, 1, "usage: pacesync lab if"},
		{[]string{"list"}, 0, ""},
		{[]string{"cut", "--help"}, 0, "usage: pacesync lab cut"},
	} {
		var out, errs bytes.Buffer
		code := Run(&applet.Env{Name: "lab", Args: c.args, Stdout: &out, Stderr: &errs})
		if code != c.code || !strings.Contains(out.String()+errs.String(), c.says) {
			t.Errorf("%v: status %d, %q%q; want %d and %q", c.args, code, out.String(), errs.String(), c.code, c.says)
		}
	}
}

func TestPad(t *testing.T) {
	for _, c := range []struct{ in, want string }{{"ab", "ab  "}, {"abcd", "abcd"}, {"abcde", "abc…"}, {"äö", "äö  "}} {
		if got := pad(c.in, 4); got != c.want {
			t.Errorf("pad(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
