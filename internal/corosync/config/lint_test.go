package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/config/configtest"
)

// lintNodes are the nodelists of the cases.
func lintNodes(addrs ...string) string {
	b := strings.Builder{}
	b.WriteString("nodelist {\n")
	for i, a := range addrs {
		fmt.Fprintf(&b, "node {\nname: n%d\nnodeid: %d\n", i+1, i+1)
		for link, addr := range strings.Fields(a) {
			fmt.Fprintf(&b, "ring%d_addr: %s\n", link, addr)
		}
		b.WriteString("}\n")
	}
	return b.String() + "}\n"
}

// The parts of a file that nothing can be said about.
const (
	lintCrypto = "crypto_cipher: aes256\ncrypto_hash: sha256\n"
	lintQuorum = "quorum {\nprovider: corosync_votequorum\n"
)

func lintTotem(lines string) string {
	return "totem {\nversion: 2\ncluster_name: x\n" + lintCrypto + lines + "}\n"
}

func lintThree() string {
	return lintNodes("10.0.0.1 10.1.0.1", "10.0.0.2 10.1.0.2", "10.0.0.3 10.1.0.3")
}

// lint returns what is found as "LINE RULE", and the findings.
func lint(t testing.TB, conf string) (said []string, found []Finding) {
	t.Helper()
	e := &configtest.Env{Host: "n1", Files: map[string]string{confPath: conf, DefaultKeyFile: strings.Repeat("k", 256)}, Local: []string{"10.0.0.1"},
		Names: map[string][]string{"two": {"127.0.1.1"}}}
	found, as, err := Lint(e, confPath, nil)
	if err != nil || as != "" && as != "1" { // a node named by TestLintKnowsEveryOption
		t.Fatalf("%v, as %q", err, as)
	}
	for _, f := range found {
		said = append(said, fmt.Sprintf("%d %v %s", f.Line, f.Severity, f.Rule))
	}
	return said, found
}

func TestLintFindsNothing(t *testing.T) {
	for _, conf := range []string{
		lintTotem("") + lintThree() + lintQuorum + "}\n",
		lintTotem("token: 3000\ninterface {\nlinknumber: 1\nknet_link_priority: 2\n}\n") + lintThree() + lintQuorum + "auto_tie_breaker: 0\n}\nlogging {\nto_syslog: yes\n}\n",
		lintTotem("") + lintNodes("10.0.0.1 10.1.0.1", "10.0.0.2 10.1.0.2") + lintQuorum + "device {\nmodel: net\nnet {\nhost: q\nalgorithm: ffsplit\n}\nheuristics {\nmode: on\nexec_x: /bin/true\n}\n}\n}\n",
		lintTotem("") + lintThree() + lintQuorum + "}\nresources {\nsystem {\nmemory_used {\nrecovery: none\nmax: 80\n}\n}\n}\nuidgid {\nuid: hacluster\n}\nuidgid {\nuid: hacluster\ngid: haclient\n}\n" +
			"logging {\nlogger_subsys {\nsubsys: QUORUM\ndebug: off\n}\nlogging_daemon {\nname: corosync\nto_logfile: no\n}\n}\n",
	} {
		if said, found := lint(t, conf); len(said) > 0 {
			t.Errorf("%s\n%v", conf, found)
		}
	}
}

func TestLintRules(t *testing.T) {
	two := lintNodes("10.0.0.1 10.1.0.1", "10.0.0.2 10.1.0.2")
	three := lintThree()
	four := lintNodes("10.0.0.1 10.1.0.1", "10.0.0.2 10.1.0.2", "10.0.0.3 10.1.0.3", "10.0.0.4 10.1.0.4")
	udpu := "totem {\nversion: 2\ncluster_name: x\ntransport: udpu\n"
	ok := lintTotem("")
	for _, c := range []struct {
		conf string
		want string // RULE, or LINE SEVERITY RULE, of one finding each
	}{
		{ok + three, "0 warning no-provider"},
		{ok + two + lintQuorum + "}\n", "22 warning two-nodes"},
		{ok + two + lintQuorum + "two_node: 1\n}\n", "23 note two-node"},
		{ok + two + lintQuorum + "two_node: 1\nwait_for_all: 0\n}\n", "24 warning two-node-start"},
		{ok + three + lintQuorum + "two_node: 1\n}\n", "two-node-many"},
		{ok + four + lintQuorum + "}\n", "even-votes"},
		{ok + three + lintQuorum + "last_man_standing: 1\n}\n", "last-man-alone"},
		{ok + strings.Replace(three, "nodeid: 1\n", "nodeid: 1\nquorum_votes: 3\n", 1) + lintQuorum + "last_man_standing: 1\nwait_for_all: 1\n}\n", "last-man-votes"},
		{ok + three + lintQuorum + "auto_tie_breaker_node: 1\n}\n", "tie-breaker-off"},
		{ok + three + lintQuorum + "wait_for_all: 2\n}\n", "not-boolean"},
		{ok + three + lintQuorum + "expected_votes: 5\n}\n", "expected-votes"},
		{lintTotem("token: 500\n") + three + lintQuorum + "}\n", "6 warning token-short"},
		{lintTotem("token: 3000000\n") + three + lintQuorum + "}\n", "token-long"},
		{lintTotem("consensus: 3500\n") + three + lintQuorum + "}\n", "consensus-short"},
		{lintTotem("heartbeat_failures_allowed: 2\n") + three + lintQuorum + "}\n", "heartbeat"},
		{lintTotem("rrp_mode: passive\n") + three + lintQuorum + "}\n", "6 note ignored"},
		{udpu + "secauth: off\n}\n" + three1() + lintQuorum + "}\n", "crypto-transport"},
		{strings.Replace(ok, lintCrypto, "", 1) + three + lintQuorum + "}\n", "no-crypto"},
		{strings.Replace(ok, "aes256", "none", 1) + three + lintQuorum + "}\n", "no-cipher"},
		{strings.Replace(ok, "sha256", "sha1", 1) + three + lintQuorum + "}\n", "weak-hash"},
		{lintTotem("key: "+strings.Repeat("k", 128)+"\nkeyfile: "+DefaultKeyFile+"\n") + three + lintQuorum + "}\n", "two-keys"},
		{lintTotem("interface {\nbindnetaddr: 10.0.0.0\n}\n") + three + lintQuorum + "}\n", "7 warning bindnetaddr"},
		{lintTotem("interface {\nmcastaddr: 239.1.1.1\n}\n") + three + lintQuorum + "}\n", "mcastaddr"},
		{udpu + "interface {\nknet_pong_count: 2\n}\n}\n" + three1() + lintQuorum + "}\n", "knet-only"},
		{ok + three1() + lintQuorum + "}\n", "one-link"},
		{ok + strings.Replace(three, "10.0.0.2", "two", 1) + lintQuorum + "}\n", "17 note name, 17 warning loopback"},
		{ok + strings.Replace(three, "10.0.0.3", "10.0.0.2", 1) + lintQuorum + "}\n", "same-address"},
		{ok + strings.Replace(three, "10.1.0.3", "10.1.9.3", 1) + lintQuorum + "}\n", "subnets"},
		{udpu + "}\n" + strings.Replace(three1(), "name: n2\n", "", 1) + lintQuorum + "}\n", "no-name"},
		{ok + strings.Replace(three, "name: n3", "name: n2", 1) + lintQuorum + "}\n", "same-name"},
		{strings.Replace(udpu, "cluster_name: x\n", "", 1) + "}\n" + three1() + lintQuorum + "}\n", "no-cluster-name"},
		{strings.Replace(udpu, "}\n", "", 1) + "}\n" + strings.Replace(three1(), "nodeid: 3", "nodeid: 3000000000", 1) + lintQuorum + "}\n", "nodeid-large"},
		{ok + three + lintQuorum + "}\nlogging {\nto_syslog: no\n}\n", "no-log"},
		{ok + three + lintQuorum + "}\nlogging {\ndebug: on\n}\n", "debug"},
		{ok + three + lintQuorum + "}\nlogging {\nlogfile: /x\n}\n", "logfile-off"},
		{ok + three + lintQuorum + "}\nlogging {\ndebug: off\ndebug: off\n}\n", "32 warning twice"},
		{ok + three + lintQuorum + "}\nnothing: 1\n", "unknown-key"},
		{ok + three + lintQuorum + "}\nquorun {\nprovder: x\n}\n", "30 warning unknown-section"},
		{lintTotem("interfaces {\nlinknumber: 1\n}\n") + three + lintQuorum + "}\n", "6 warning unknown-section"},
		{"totem {\nversion: 2\nversion\n}\n", "3 error syntax"},
		{"totem {\nversion: x\nlink_mode: y\nnetmtu: z\n}\n", "2 error value, 3 warning unknown-word, 4 error value"},
		{"totem {\nversion: 3\n}\n" + three1(), "2 error refused"},
		{lintTotem("interface {\nlinknumber: 3\nmcastport: 6000\n}\n") + three + lintQuorum + "}\n", "8 error refused"},
		{lintTotem("link_mode: activ\n") + three, "6 error refused"},
		{udpu + "block_unlisted_ips: maybe\n}\n" + three1() + lintQuorum + "}\n", "5 warning unknown-word"},
	} {
		said, found := lint(t, c.conf)
		got := strings.Join(said, ", ")
		if !strings.Contains(c.want, " ") && len(said) == 1 {
			got = found[0].Rule
		}
		if got != c.want {
			t.Errorf("found %q, want %q in\n%s%v", got, c.want, c.conf, found)
		}
		for _, f := range found {
			if f.Text == "" || f.Severity != Fault && f.Hint == "" {
				t.Errorf("%s: says %q, %q", f.Rule, f.Text, f.Hint)
			}
		}
	}
}

// three1 is three nodes on one link.
func three1() string { return lintNodes("10.0.0.1", "10.0.0.2", "10.0.0.3") }

// header opens the section of an option.
func header(o *Option) (open, shut string) {
	switch o.sec {
	case secInterface:
		return "totem {\ninterface {\n", "}\n}\n"
	case secNode:
		return "nodelist {\nnode {\n", "}\n}\n"
	case secLoggerSubsys:
		return "logging {\nlogger_subsys {\nsubsys: X\n", "}\n}\n"
	case secDevice:
		return "quorum {\ndevice {\n", "}\n}\n"
	}
	top, _, _ := strings.Cut(o.Key, ".")
	return top + " {\n", "}\n"
}

// TestLintKnowsEveryOption: no option of the table counts as unknown, and of each
// that is misspelt the right one is named.
func TestLintKnowsEveryOption(t *testing.T) {
	checked := 0
	for _, o := range Options() {
		switch o.sec {
		case secCmap, secUIDGID, secResources, secResourcesSystem, secResourcesProcess:
			continue // names are free, or refused when wrong
		}
		name := leaf(&o)
		switch name {
		case "M":
			continue
		case "ringX_addr":
			name = "ring0_addr"
		}
		open, shut := header(&o)
		if found := findings(t, open+name+": 1\n"+shut, "unknown-key"); len(found) > 0 && name != "subsys" {
			t.Errorf("%s: %v", o.Key, found)
		}
		if len(name) < 4 {
			continue
		}
		wrong := name[:2] + name[3:] // a letter lost
		found := findings(t, open+wrong+": 1\n"+shut, "unknown-key")
		if len(found) != 1 || !strings.Contains(found[0].Hint, name) {
			t.Errorf("%s for %s: %v", wrong, o.Key, found)
		}
		checked++
	}
	if checked < 80 {
		t.Errorf("only %d options were checked", checked)
	}
}

func findings(t *testing.T, conf, rule string) (out []Finding) {
	_, found := lint(t, conf)
	return slices.DeleteFunc(found, func(f Finding) bool { return f.Rule != rule })
}

// TestLintElsewhere: a machine that is none of the nodes, without the key.
func TestLintElsewhere(t *testing.T) {
	e := &configtest.Env{Host: "desk", Files: map[string]string{confPath: lintTotem("token: 500\n") + lintThree() + lintQuorum + "}\n"}, Local: []string{"192.168.0.7"}}
	found, as, err := Lint(e, confPath, nil)
	if err != nil || as != "n1" || len(found) != 1 || found[0].Rule != "token-short" {
		t.Errorf("%v, as %q, %v", found, as, err)
	}
	if _, _, err := Lint(e, "/other", nil); err == nil {
		t.Error("a file that is not there gave no error")
	}
}

// FuzzLint: an error is found exactly when the daemon refuses the file.
func FuzzLint(f *testing.F) {
	f.Add(threeNodes)
	f.Add(lintTotem("tokne: 1\ninterfce {\n x: 1\n}\n") + lintThree() + lintQuorum + "}\nfoo {\n")
	f.Add("logging {\n logger_subsys {\n subsys: A\n debug: on\n debug: x\n }\n}\nuidgid {\n uid: hacluster\n}\n}\n")
	f.Fuzz(func(t *testing.T, conf string) {
		e := &configtest.Env{Host: "n2", Files: map[string]string{confPath: conf}, Local: []string{"10.0.0.3", "fd00::1"}}
		found, as, err := Lint(e, confPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Parse(e, confPath)
		if err == nil {
			if _, err = Derive(m, e); err == nil {
				_, err = ReadLogging(m)
			}
		}
		bad := slices.ContainsFunc(found, func(f Finding) bool { return f.Severity == Fault })
		if bad != (err != nil) && as == "" {
			t.Fatalf("the daemon says %v, lint %v", err, found)
		}
	})
}
