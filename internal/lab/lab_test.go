package lab

import (
	"slices"
	"strings"
	"testing"
)

func testState() *state {
	return &state{Name: "x", Networks: 2, Nodes: []nodeState{{Name: "n1", ID: 1}, {Name: "n2", ID: 2}, {Name: "h1", ID: 201, Host: true}}}
}

func TestRuleset(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault Fault
		want  string
	}{
		{"one way, all networks", Fault{From: "n1", To: "n2", Net: AllNetworks, Percent: 100, KeepARP: true}, `iifname { "p1.0", "r1.0", "p1.1", "r1.1" } oifname { "p2.0", "r2.0", "p2.1", "r2.1" } ether type != { arp, ip6 } drop`},
		{"one way, IPv6", Fault{From: "n1", To: "n2", Net: 1, Percent: 100, KeepARP: true}, `iifname { "p1.1", "r1.1" } oifname { "p2.1", "r2.1" } meta l4proto != 58 ether type ip6 drop`},
		{"one network", Fault{From: "n2", To: "h1", Net: 1, Percent: 100}, `iifname { "p2.1", "r2.1" } oifname { "p201.1", "r201.1" } drop`},
		{"loss", Fault{From: Any, To: "n1", Net: 0, Percent: 12.5}, `iifname { "p1.0", "r1.0", "p2.0", "r2.0", "p201.0", "r201.0" } oifname { "p1.0", "r1.0" } numgen random mod 10000 < 1250 drop`},
		{"large packets", Fault{From: "n1", To: "n2", Net: 0, Percent: 100, Larger: 1300}, `iifname { "p1.0", "r1.0" } oifname { "p2.0", "r2.0" } meta length > 1300 drop`},
	} {
		st := testState()
		st.Faults = []Fault{c.fault}
		got, err := ruleset(st)
		if err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %v\n%s\nwant the line\n%s", c.name, err, got, c.want)
		}
	}
	st := testState()
	st.Faults = []Fault{{From: "n1", To: "nowhere", Net: AllNetworks, Percent: 100}}
	if _, err := ruleset(st); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("unknown node: got %v", err)
	}
}

func TestOptions(t *testing.T) {
	o, err := Options{Nodes: []NodeSpec{{}, {Host: true}, {}, {Name: "own"}}}.complete()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range o.Nodes {
		names = append(names, n.Name)
	}
	if want := []string{"n1", "h1", "n2", "own"}; !slices.Equal(names, want) || o.Name != "lab" || o.Networks != 1 {
		t.Errorf("got %v, lab %q, %d networks; want %v, lab, 1", names, o.Name, o.Networks, want)
	}
	for _, bad := range []Options{
		{Name: "../etc"}, {Name: "a b"}, {Networks: 9}, {Networks: -1},
		{Nodes: []NodeSpec{{Name: "a"}, {Name: "a"}}}, {Nodes: []NodeSpec{{Name: "x/y"}}}, {Nodes: make([]NodeSpec, 201)},
	} {
		if _, err := bad.complete(); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

func TestConfRender(t *testing.T) {
	l := &Lab{name: "x"}
	nodes := []*Node{{lab: l, st: nodeState{Name: "n1", ID: 1}}, {lab: l, st: nodeState{Name: "n2", ID: 2}}}
	if got := (Conf{}).Render("x", nodes, 2); strings.Contains(got, "ring1_addr") || !strings.Contains(got, "transport: udpu\n") {
		t.Errorf("udpu knows one link, got\n%s", got)
	}
	got := Conf{Transport: "knet", Totem: []string{"token: 1000", "crypto_cipher: aes256"}, Quorum: []string{"two_node: 1"}}.Render("x", nodes, 2)
	for _, want := range []string{"transport: knet", "token: 1000", "crypto_cipher: aes256", "two_node: 1", "ring1_addr: 10.78.1.2", "nodeid: 2", "provider: corosync_votequorum"} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no line %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "crypto_cipher: none") {
		t.Errorf("the replaced line is still there:\n%s", got)
	}
	got = Conf{Transport: "knet", Links: 2, Interfaces: [][]string{nil, {"knet_link_priority: 2"}, {"knet_link_priority: 3"}}}.Render("x", nodes, 3)
	if strings.Contains(got, "ring2_addr") || strings.Contains(got, "priority: 3") || !strings.Contains(got, "  interface {\n    linknumber: 1\n    knet_link_priority: 2\n  }\n") || strings.Contains(got, "linknumber: 0") {
		t.Errorf("two links, settings of link 1 only: got\n%s", got)
	}
	if a, b := Authkey(""), Authkey("other"); len(a) != 256 || len(b) != 256 || string(a) == string(b) {
		t.Errorf("authkeys of %d and %d bytes, want two different ones of 256", len(a), len(b))
	}
}

func TestParseMembership(t *testing.T) {
	got := ParseMembership(`Quorum information
------------------
Date:             Sun Nov 22 13:00:00 2026
Quorum provider:  corosync_votequorum
Nodes:            2
Node ID:          1
Ring ID:          1.c
Quorate:          No

Votequorum information
----------------------
Expected votes:   3
Highest expected: 3
Total votes:      1
Quorum:           2 Activity blocked
Flags:            

Membership information
----------------------
    Nodeid      Votes Name
         2          1 n2
         1          1 n1 (local)
`)
	if got.Ring != "1.c" || got.Quorate || got.Votes != 1 || got.Expected != 3 || got.Quorum != 2 || !slices.Equal(got.Members, []int{1, 2}) {
		t.Errorf("got %+v", got)
	}
	if got := ParseMembership("Cannot initialize QUORUM service\n"); got.Ring != "" || got.Members != nil {
		t.Errorf("no daemon: got %+v", got)
	}
}

func TestHalfOf(t *testing.T) {
	for path, want := range map[string]half{
		"/usr/sbin/corosync": corosyncHalf, "/usr/sbin/corosync-cfgtool": tools, "/usr/sbin/pacemakerd": pacemakerHalf,
		"/usr/lib/pacemaker/pacemaker-based": pacemakerHalf, "/usr/sbin/crm_mon": tools,
	} {
		if got := halfOf(path); got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}

func TestSingleProgramsOfOurs(t *testing.T) {
	s := nodeState{Ours: []string{"pacemaker-attrd"}}
	if !s.takes("/usr/lib/pacemaker/pacemaker-attrd") || s.takes("/usr/lib/pacemaker/pacemaker-based") || s.takes("/usr/sbin/crm_node") {
		t.Error("only the named program is ours")
	}
	if s := (nodeState{Pacemaker: Ours}); !s.takes("/usr/sbin/pacemakerd") || s.takes("/usr/sbin/crm_node") {
		t.Error("a half")
	}
	o := Options{Nodes: []NodeSpec{{Ours: []string{"pacemaker-atrd"}}}}
	if err := checkNames(o, []string{"/usr/lib/pacemaker/pacemaker-attrd"}); err == nil || !strings.Contains(err.Error(), "pacemaker-atrd") {
		t.Errorf("a misspelt name: %v", err)
	}
}
