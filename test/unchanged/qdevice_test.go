package unchanged

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// arbiter is a ring whose nodes run corosync-qdevice and a host, h1, that runs
// corosync-qnetd.
type arbiter struct {
	*ring
	tls  bool // the hosts show each other certificates
	told map[string]said
}

// overTLS is a line of the net section.
const overTLS = "tls: required"

// deviceConf is a quorum device of model net, without TLS unless told; lines go into
// its net section, behind follows it.
func deviceConf(host string, votes int, lines []string, behind string) string {
	if !slices.Contains(lines, overTLS) {
		lines = append([]string{"tls: off"}, lines...)
	}
	return fmt.Sprintf("quorum {\n  device {\n    model: net\n    votes: %d\n    timeout: 3000\n    sync_timeout: 4000\n    net {\n      host: %s\n      %s\n    }\n%s  }\n}\n",
		votes, host, strings.Join(lines, "\n      "), behind)
}

// newArbiter builds the lab and waits until every node has the device's vote.
func newArbiter(t *testing.T, daemon lab.Impl, nodes, votes int, lines []string, behind string) *arbiter {
	t.Helper()
	specs := make([]lab.NodeSpec, nodes, nodes+1)
	for i := range specs {
		specs[i].Corosync = daemon
	}
	specs = append(specs, lab.NodeSpec{Host: true})
	l := labtest.Up(t, lab.Options{Nodes: specs})
	a := &arbiter{&ring{l, t, labtest.Context(t, 10*time.Minute)}, slices.Contains(lines, overTLS), map[string]said{}}
	a.configure(lab.Conf{Totem: []string{"token: 1000", "cluster_name: arbitrated"}}, deviceConf(l.Node("h1").Addr(0), votes, lines, behind))
	if a.tls {
		a.certify()
	}
	a.qnetd()
	for _, n := range l.Members() {
		a.node(n.Name())
	}
	if err := l.WaitRing(a.ctx, l.Members()...); err != nil {
		t.Fatal(err)
	}
	return a
}

// qnetd starts corosync-qnetd on the host.
func (a *arbiter) qnetd() {
	a.t.Helper()
	tls := "-s off"
	if a.tls {
		tls = "-s req -c on"
	}
	if s := a.shell("h1", "mkdir -p /run/corosync-qnetd && corosync-qnetd "+tls+" -S dpd_interval=1000"); s.status != 0 {
		a.t.Fatalf("corosync-qnetd: %v", s)
	}
}

// node starts corosync and corosync-qdevice on a node.
func (a *arbiter) node(name string) {
	a.t.Helper()
	a.start(name)
	if s := a.shell(name, "mkdir -p /run/corosync-qdevice && corosync-qdevice"); s.status != 0 {
		a.t.Fatalf("corosync-qdevice on %s: %v", name, s)
	}
}

// certify has the tools of the device make the certificates: of an authority on the
// host, and of the cluster, on both sides (corosync-qdevice-net-certutil(8)).
func (a *arbiter) certify() {
	a.t.Helper()
	const qnetd, net, cluster = "/etc/corosync/qnetd", "/etc/corosync/qdevice/net/nssdb", "arbitrated"
	for _, step := range [][2]string{
		{"h1", "mkdir -m 770 " + qnetd + " && corosync-qnetd-certutil -i && cp " + qnetd + "/nssdb/qnetd-cacert.crt /run/lab"},
		{"n1", "corosync-qdevice-net-certutil -i -c /run/lab/qnetd-cacert.crt && corosync-qdevice-net-certutil -r -n " + cluster + " && cp " + net + "/qdevice-net-node.crq /run/lab"},
		{"h1", "corosync-qnetd-certutil -s -c /run/lab/qdevice-net-node.crq -n " + cluster + " && cp " + qnetd + "/nssdb/cluster-" + cluster + ".crt /run/lab"},
		{"n1", "corosync-qdevice-net-certutil -M -c /run/lab/cluster-" + cluster + ".crt && cp " + net + "/qdevice-net-node.p12 /run/lab"},
		{"n2", "corosync-qdevice-net-certutil -i -c /run/lab/qnetd-cacert.crt && corosync-qdevice-net-certutil -m -c /run/lab/qdevice-net-node.p12"},
	} {
		if s := a.shell(step[0], step[1]); s.status != 0 {
			a.t.Fatalf("%s: %s: %v", step[0], step[1], s)
		}
	}
}

// down kills a node's corosync, of which its qdevice ends too.
func (a *arbiter) down(name string) {
	a.t.Helper()
	if err := a.Node(name).Kill(a.ctx, lab.PartCorosync); err != nil {
		a.t.Fatal(err)
	}
	a.await(name, "! pidof corosync-qdevice")
}

// flags waits until a node shows those flags and votes of the device, such as
// "A,V,NMW" and 1, and is quorate or not.
func (a *arbiter) flags(name, flags string, votes int, quorate string) {
	a.t.Helper()
	a.await(name, fmt.Sprintf(`q=$(corosync-quorumtool -s); echo "$q"
		{ echo "$q" | grep -q '^Quorate: *%s$' && echo "$q" | grep -Eq '^ +0 +%d +(%s )?Qdevice'; } || { corosync-qdevice-tool -s -v; false; }`, quorate, votes, flags))
}

// whole waits until all nodes are together and have the vote.
func (a *arbiter) whole(flags string, votes int) {
	a.t.Helper()
	if err := a.WaitRing(a.ctx, a.Members()...); err != nil {
		a.t.Fatal(err)
	}
	for _, n := range a.Members() {
		a.flags(n.Name(), flags, votes, "Yes")
	}
}

// deviceMask hides what no two runs share.
func deviceMask(s said) said {
	for _, m := range []struct{ re, to string }{
		{`(?m)^Date: .*$`, "Date: DATE"},
		{`(?m)^(Last poll call:).*$`, "$1 TIME"},
		{`(?m)^(.*[Rr]ing ID:[ \t]+[0-9a-f]+)\.[0-9a-f]+`, "$1.SEQ"},
		{`(?m)^(\t*(?:Active|Last|Next|Configured|Connection|Connected|Cluster algorithm|HB|Heartbeat)[^:]*(?:at|time|since):).*$`, "$1 TIME"},
		{`(?m)^(\s*Vote:\s+).* \((\w+)\)$`, "$1$2"}, // the answer before may have said the same
		{`(10\.[0-9]+\.[0-9]+\.[0-9]+):[0-9]{5}`, "$1:PORT"},
		{`(?m)^(\s*(?:Heuristics|Poll)[^:]*:\s+[A-Za-z]+) \(.*\)$`, "$1 (TIME)"},
	} {
		s.text = regexp.MustCompile(m.re).ReplaceAllString(s.text, m.to)
	}
	return s
}

// tell notes what the tools say on a node, all in the state that its flags name:
// a node that has just found its arbiter may lose its vote and get it again.
func (a *arbiter) tell(when, name, flags string, votes int, quorate string) {
	a.t.Helper()
	cmds := []string{"corosync-quorumtool -s", "corosync-quorumtool -i"}
	if strings.HasPrefix(flags, "A,V") {
		cmds = append(cmds, "corosync-qdevice-tool -s")
	}
	row := regexp.MustCompile(fmt.Sprintf(`(?ms)^Quorate: +%s$.*^ +[0-9]+ +[0-9]+ +%s \S+ \(local\)$.*^ +0 +%d +Qdevice`, quorate, flags, votes))
	texts := make([]said, len(cmds))
	ctx, cancel := context.WithTimeout(a.ctx, time.Minute)
	defer cancel()
	err := lab.Wait(ctx, "one state", func() bool {
		for i, cmd := range cmds {
			texts[i] = deviceMask(a.shell(name, cmd))
			connected := regexp.MustCompile(`(?m)^State:\s+Connected$`)
			if i < 2 && !row.MatchString(texts[i].text) || i == 2 && !connected.MatchString(texts[i].text) {
				return false
			}
		}
		return true
	})
	if err != nil {
		a.t.Fatalf("%s: %s with %s, %d votes, quorate %s: %v; last: %v", when, name, flags, votes, quorate, err, texts)
	}
	for i, cmd := range cmds {
		a.told[when+", "+name+": "+cmd] = texts[i]
	}
}

// TestQdevice: registration, a split, and an arbiter that ends.
func TestQdevice(t *testing.T) {
	needQdevice(t)
	both(t, func(t *testing.T, daemon lab.Impl) map[string]said {
		a := newArbiter(t, daemon, 2, 1, []string{"algorithm: ffsplit", "tie_breaker: lowest"}, "")
		a.whole("A,V,NMW", 1)
		a.tell("whole", "n1", "A,V,NMW", 1, "Yes")
		for _, cmd := range []string{"corosync-quorumtool -l", "corosync-cmapctl -g runtime.votequorum.qdevice_name", "corosync-cmapctl quorum. runtime.votequorum."} {
			a.told[cmd] = a.shell("n1", cmd)
		}
		for _, cmd := range []string{"corosync-qnetd-tool -l", "corosync-qnetd-tool -s"} {
			a.told[cmd] = deviceMask(a.shell("h1", cmd))
		}
		a.split()
		a.tell("split", "n1", "A,V,NMW", 1, "Yes")
		a.tell("split", "n2", "A,NV,NMW", 0, "No")
		return a.told
	})
}

func needQdevice(t *testing.T) {
	t.Helper()
	labtest.Corosync(t)
	labtest.Need(t, "/usr/sbin/corosync-qdevice", "/usr/bin/corosync-qnetd")
}

// split cuts the two nodes from each other, not from the arbiter.
func (r *ring) split() {
	r.t.Helper()
	if err := r.Cut("n1", "n2"); err != nil {
		r.t.Fatal(err)
	}
}

// mend ends split.
func (r *ring) mend() {
	r.t.Helper()
	if err := r.Heal(); err != nil {
		r.t.Fatal(err)
	}
}

// TestVotequorumDevice: the calls that corosync-qdevice makes, good and bad, with
// the vote of a master and a device that falls silent.
func TestVotequorumDevice(t *testing.T) {
	dir := built(t)
	labtest.Long(t, "TestQdevice")
	both(t, func(t *testing.T, daemon lab.Impl) map[string]said {
		// What a node thinks that another expects depends on whether the other was in a
		// ring of its own before they met, which is chance: here each was.
		r := newRingOf(t, daemon, 2, lab.Conf{}, deviceConf("10.0.0.1", 1, []string{"algorithm: ffsplit"}, ""))
		r.split()
		r.start("n1")
		r.start("n2")
		r.mend()
		if err := r.WaitRing(r.ctx, r.Nodes()...); err != nil {
			t.Fatal(err)
		}
		return map[string]said{"calls": r.run("n1", dir+"/calls_votequorum", "device")}
	})
}

// TestQdeviceLong: each way to lose and find the arbiter, frozen ones included
// (users report B3).
func TestQdeviceLong(t *testing.T) {
	needQdevice(t)
	labtest.Long(t, "TestQdevice")
	both(t, func(t *testing.T, daemon lab.Impl) map[string]said {
		a := newArbiter(t, daemon, 2, 1, []string{"algorithm: ffsplit", "tie_breaker: highest"}, "")
		a.whole("A,V,NMW", 1)
		a.split()
		a.tell("split", "n2", "A,V,NMW", 1, "Yes")
		a.tell("split", "n1", "A,NV,NMW", 0, "No")
		a.mend()
		a.whole("A,V,NMW", 1)
		a.tell("mended", "n1", "A,V,NMW", 1, "Yes")
		a.down("n1")
		a.await("n2", "corosync-quorumtool -s | grep -q '^Nodes: *1$'")
		a.tell("n1 down", "n2", "A,V,NMW", 1, "Yes")
		a.node("n1")
		a.whole("A,V,NMW", 1)
		a.shell("h1", "kill -9 $(pidof corosync-qnetd)")
		a.lost("killed")
		a.qnetd()
		a.whole("A,V,NMW", 1)
		a.tell("arbiter back", "n1", "A,V,NMW", 1, "Yes")
		a.frozen()
		a.stopDevice()
		return a.told
	})
}

// lost waits until both nodes live without the arbiter and notes what they say.
func (a *arbiter) lost(how string) {
	a.t.Helper()
	a.tell("arbiter "+how, "n1", "A,NV,NMW", 0, "Yes")
	a.tell("arbiter "+how, "n2", "A,NV,NMW", 0, "Yes")
}

// frozen stops corosync-qnetd, then one corosync-qdevice, and lets them go on.
func (a *arbiter) frozen() {
	a.t.Helper()
	a.shell("h1", "kill -STOP $(pidof corosync-qnetd)")
	a.lost("frozen")
	a.shell("h1", "kill -CONT $(pidof corosync-qnetd)")
	a.whole("A,V,NMW", 1)
	a.shell("n2", "kill -STOP $(pidof corosync-qdevice)")
	a.tell("device of n2 frozen", "n2", "NA,NV,NMW", 0, "Yes")
	a.shell("n2", "kill -CONT $(pidof corosync-qdevice)")
	a.await("n2", "pidof corosync-qdevice || corosync-qdevice")
	a.whole("A,V,NMW", 1)
	a.tell("device of n2 back", "n2", "A,V,NMW", 1, "Yes")
}

// stopDevice ends one device in order and removes its vote.
func (a *arbiter) stopDevice() {
	a.t.Helper()
	a.shell("n1", "kill $(pidof corosync-qdevice)")
	a.await("n1", "! pidof corosync-qdevice")
	a.await("n1", "corosync-quorumtool -s | grep -q '^Flags: *Quorate *$'")
	for _, cmd := range []string{"corosync-quorumtool -s", "corosync-cmapctl runtime.votequorum."} {
		a.told["no device: "+cmd] = deviceMask(a.shell("n1", cmd))
	}
}

// TestQdeviceTLS: over TLS with certificates on both sides; a node that has lost
// its own has no vote to give.
func TestQdeviceTLS(t *testing.T) {
	needQdevice(t)
	labtest.Long(t, "TestQdevice")
	labtest.Need(t, "/usr/bin/certutil")
	both(t, func(t *testing.T, daemon lab.Impl) map[string]said {
		a := newArbiter(t, daemon, 2, 1, []string{overTLS, "algorithm: ffsplit", "tie_breaker: lowest"}, "")
		a.whole("A,V,NMW", 1)
		a.tell("whole", "n1", "A,V,NMW", 1, "Yes")
		for _, cmd := range []string{"corosync-qnetd-tool -l -v", "corosync-qnetd-tool -s -v"} {
			a.told[cmd] = deviceMask(a.shell("h1", cmd))
		}
		a.told["TLS"] = a.shell("n1", "corosync-qdevice-tool -s -v | grep -i tls")
		if !strings.Contains(a.told["TLS"].text, "Yes (client certificate sent)") {
			t.Errorf("no TLS: %v", a.told["TLS"])
		}
		a.split()
		a.tell("split", "n1", "A,V,NMW", 1, "Yes")
		a.tell("split", "n2", "A,NV,NMW", 0, "No")
		a.mend()
		a.whole("A,V,NMW", 1)
		a.shell("n2", "kill $(pidof corosync-qdevice); rm -r /etc/corosync/qdevice")
		a.await("n2", "! pidof corosync-qdevice")
		a.told["without certificates"] = a.shell("n2", "timeout 20 corosync-qdevice -f 2>&1 | sed 's/^.* error /error /'")
		return a.told
	})
}

// TestQdeviceLMS: three nodes of which the last one lives on.
func TestQdeviceLMS(t *testing.T) {
	needQdevice(t)
	labtest.Long(t, "TestQdevice")
	both(t, func(t *testing.T, daemon lab.Impl) map[string]said {
		a := newArbiter(t, daemon, 3, 2, []string{"algorithm: lms", "tie_breaker: 2"}, "")
		a.whole("A,V,NMW", 2)
		a.tell("whole", "n1", "A,V,NMW", 2, "Yes")
		a.down("n3")
		a.await("n1", "corosync-quorumtool -s | grep -q '^Nodes: *2$'")
		a.tell("two", "n1", "A,V,NMW", 2, "Yes")
		a.down("n2")
		a.await("n1", "corosync-quorumtool -s | grep -q '^Nodes: *1$'")
		a.tell("the last", "n1", "A,V,NMW", 2, "Yes")
		a.node("n2")
		a.node("n3")
		a.whole("A,V,NMW", 2)
		a.tell("whole again", "n3", "A,V,NMW", 2, "Yes")
		return a.told
	})
}

// TestQdeviceHeuristics: of two halves the one whose commands succeed goes on.
func TestQdeviceHeuristics(t *testing.T) {
	needQdevice(t)
	labtest.Long(t, "TestQdevice")
	heuristics := "    heuristics {\n      mode: on\n      interval: 2000\n      timeout: 1000\n      exec_check: /bin/test -e /run/good\n    }\n"
	both(t, func(t *testing.T, daemon lab.Impl) map[string]said {
		a := newArbiter(t, daemon, 2, 1, []string{"algorithm: ffsplit", "tie_breaker: lowest"}, heuristics)
		a.shell("n1", "touch /run/good")
		a.shell("n2", "touch /run/good")
		a.whole("A,V,NMW", 1)
		a.await("n1", "corosync-qdevice-tool -sv | grep -q 'Heuristics.*Pass'")
		a.shell("n1", "rm /run/good")
		a.await("n1", "corosync-qdevice-tool -sv | grep -q 'Heuristics.*Fail'")
		a.split()
		a.tell("n1 fails", "n2", "A,V,NMW", 1, "Yes")
		a.tell("n1 fails", "n1", "A,NV,NMW", 0, "No")
		a.told["heuristics"] = a.shell("n1", "corosync-cmapctl quorum.device.heuristics.")
		return a.told
	})
}
