package nspawn

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

// pcsStory is what an administrator has pcs and its daemon do with two machines
// that have nothing but the packages: from nothing to a cluster and back. Each
// command runs on n1; what it waits for, if it does, stands behind it.
var pcsStory = []struct{ command, until, says string }{
	{"pcs cluster destroy", "", ""},
	{"pcs host auth n1 n2 -u hacluster -p secret", "", ""},
	{"pcs cluster setup story n1 n2", "", ""},
	{"pcs cluster setup story n1 n2", "", ""}, // they are in one
	{"cat /etc/corosync/corosync.conf", "", ""},
	{"pcs status corosync", "", ""},
	{"pcs cluster start --all", "pcs status nodes", "Online: n1 n2"},
	{"pcs property set stonith-enabled=false", "", ""},
	{"pcs status corosync", "", ""},
	{"pcs status nodes both", "", ""},
	{"pcs cluster corosync", "", ""},
	{"pcs cluster config", "", ""},
	{"pcs quorum config", "", ""},
	{"pcs quorum status", "", ""},
	{"pcs quorum unblock --force", "", ""}, // nobody waits
	{"pcs quorum expected-votes 3", "pcs quorum status", "Expected votes:   3"},
	{"pcs quorum expected-votes 1", "", ""},
	{"pcs quorum expected-votes 2", "pcs quorum status", "Expected votes:   2"},
	{"corosync-cfgtool -s", "", ""},
	{"corosync-cfgtool -n", "", ""},
	{"pcs cluster config update totem token=2500", "corosync-cmapctl -g runtime.config.totem.token", "= 2500"},
	{"pcs cluster reload corosync", "", ""},
	{"pcs quorum update wait_for_all=1", "", ""}, // not while it runs
	{"pcs cluster stop --all", "", ""},
	{"pcs quorum update wait_for_all=1", "", ""},
	{"pcs cluster start n1", "corosync-quorumtool -s", "WaitForAll"}, // and waits for n2
	{"pcs quorum status", "", ""},
	{"corosync-quorumtool -s", "", ""},
	{"pcs quorum unblock --force", "pcs quorum status", "Quorate:          Yes"},
	{"pcs quorum status", "", ""},
	{"pcs cluster start n2", "pcs status nodes", "Online: n1 n2"},
	{"pcs cluster node remove n2 --force", "pcs status nodes", "Online: n1\n"},
	{"pcs quorum status", "", ""},
	{"pcs cluster corosync", "", ""},
	{"pcs cluster node add n2 --start", "pcs status nodes", "Online: n1 n2"},
	{"pcs quorum status", "", ""},
	{"pcs cluster corosync", "", ""},
	{"pcs cluster destroy --all", "systemctl is-active corosync pacemaker", "inactive\ninactive\n"},
	{"ls -A -I 'corosync.conf.*' /etc/corosync /var/lib/pacemaker/cib", "", ""},
	{"systemctl is-enabled corosync pacemaker", "", ""},
	{"systemctl --failed --no-legend --plain", "", ""},
}

// TestPcsCluster: pcs and pcsd of Debian under systemd make and end clusters of our
// package, and say the same as with Debian's corosync and Pacemaker.
func TestPcsCluster(t *testing.T) {
	labtest.Long(t, "TestPackage, and TestPcs of test/tools")
	var told [2][]string
	for i, side := range [2]lab.Impl{lab.Debian, lab.Ours} {
		t.Run(side.String(), func(t *testing.T) { told[i] = playPcs(t, side) })
	}
	if told[0] == nil || told[1] == nil {
		return
	}
	for i, step := range pcsStory {
		if original, ours := told[0][i], told[1][i]; original != ours {
			t.Errorf("step %d, %s\noriginal: %sours: %s", i, step.command, original, ours)
		}
	}
}

func playPcs(t *testing.T, side lab.Impl) (told []string) {
	n1 := newMachine(t, "pcs")
	n1.name, n1.addr, n1.hub = "n1", "10.62.0.1", newHub(t)
	if side == lab.Ours {
		n1.install("pcs")
	} else {
		n1.apt("corosync", "pacemaker", "resource-agents", "pacemaker-cli-utils", "pcs")
	}
	n1.chroot(`echo hacluster:secret | chpasswd; printf '10.62.0.1 n1\n10.62.0.2 n2\n' >>/etc/hosts; systemctl disable corosync pacemaker
		rm /etc/corosync/corosync.conf; rm -f /var/lib/pcsd/pcsd.*`)
	n2 := n1.clone("n2", "10.62.0.2")
	n1.start()
	n2.start()
	ctx := labtest.Context(t, 12*time.Minute)
	for _, m := range []*machine{n1, n2} {
		m.waitOutput(ctx, time.Minute, "ss -ltn; systemctl is-active pcsd-ruby", ":2224", "\nactive\n")
	}
	for i, step := range pcsStory {
		o := n1.run(ctx, step.command)
		told = append(told, fmt.Sprintf("status %d\n%s", o.code, pcsMask(o.out)))
		t.Logf("step %d, %s: %s", i, step.command, told[i])
		if step.until != "" {
			n1.waitOutput(ctx, time.Minute, step.until, step.says)
		}
		if strings.HasPrefix(step.command, "pcs cluster start --all") {
			n1.checkOrigin(ctx, side)
		}
	}
	return told
}

// checkOrigin proves whose daemons run.
func (m *machine) checkOrigin(ctx context.Context, side lab.Impl) {
	m.t.Helper()
	for _, name := range []string{"corosync", "pacemakerd", "pacemaker-based", "pacemaker-controld"} {
		o := m.run(ctx, "cmp -s /proc/$(pidof -s "+name+")/exe /usr/lib/pacesync/pacesync")
		if ours := o.code == 0; ours != (side == lab.Ours) {
			m.t.Errorf("%s of %s is ours: %v", name, side, ours)
		}
	}
}

// pcsMask hides what no two runs share; machines answer pcs in any order.
func pcsMask(out string) string {
	for _, m := range []struct{ re, to string }{
		{`(?m)^Date: .*$`, "Date: DATE"},
		{`(?m)^(Ring ID: +[0-9a-f]+)\.[0-9a-f]+`, "$1.SEQ"},
		{`(?m)cluster_uuid: [0-9a-f]+`, "cluster_uuid: UUID"},
		{`(?m)^(Cluster UUID: )[0-9a-f]+`, "${1}UUID"},
	} {
		out = regexp.MustCompile(m.re).ReplaceAllString(out, m.to)
	}
	lines := strings.SplitAfter(out, "\n")
	if byHost := regexp.MustCompile(`(?m)^(Error: )?n[12]: `); byHost.MatchString(out) {
		slices.Sort(lines)
	}
	return strings.Join(lines, "")
}
