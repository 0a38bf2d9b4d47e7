package tools

import (
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// TestPcs: pcs reads the tools' text. On a node whose tools are all ours it
// says what it says on one with the originals.
func TestPcs(t *testing.T) {
	labtest.Corosync(t)
	labtest.Need(t, "/usr/sbin/pcs")
	bin := t.TempDir()
	goBuild(t, bin+"/pacesync", "github.com/pacesync/pacesync/cmd/pacesync")
	l := labtest.Up(t, lab.Options{Bin: bin, Nodes: []lab.NodeSpec{{Tools: lab.Ours}, {}, {}}})
	s := &scene{t: t, lab: l, node: l.Node("n1"), ctx: labtest.Context(t, commandLimit*2), reference: map[string]said{}}
	s.configure(lab.Conf{Totem: []string{"token: 1000"}}, nil, "n1", "n2", "n3")
	if r := s.shell(l.Node("n1"), systemPath, "cmp /usr/sbin/corosync-quorumtool /usr/sbin/corosync-cfgtool"); r.status != 0 {
		t.Fatalf("the tools of n1 are not ours: %v", r)
	}
	local := strings.NewReplacer(" (local)", "", "Node ID:          1\n", "Node ID: N\n", "Node ID:          2\n", "Node ID: N\n")
	for _, cmd := range []string{
		"pcs quorum status", "pcs status quorum", "pcs status corosync", "pcs quorum config", "pcs quorum expected-votes 3", "pcs quorum expected-votes 9",
		"pcs quorum unblock --force", "pcs cluster reload corosync",
	} {
		var got [2]said
		for i, n := range [2]string{"n2", "n1"} {
			got[i] = masked(s.shell(l.Node(n), systemPath, cmd+" 2>&1"), false)
			got[i].stdout = local.Replace(got[i].stdout)
		}
		s.verdict(cmd, got[0], got[1])
		t.Logf("%s: status %d, %d lines", cmd, got[0].status, strings.Count(got[0].stdout, "\n"))
	}
}
