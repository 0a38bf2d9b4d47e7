package pcmk

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

const toolResources = `<resources><group id="g"><primitive id="p1" class="ocf" provider="pacemaker" type="Dummy"/>
<primitive id="p2" class="ocf" provider="pacemaker" type="Dummy"/></group>
<clone id="c"><primitive id="p3" class="ocf" provider="pacemaker" type="Dummy"/></clone></resources>`

// liveText runs a tool in a node; times and the program's path are masked.
func liveText(t *testing.T, n *lab.Node, path string, args ...string) outcome {
	t.Helper()
	res := on(t, n, append([]string{path}, args...)...)
	mask := regexp.MustCompile(`(Last updated: (?:</span><span>)?|last_update time="|last_updated="|last updated )[-A-Z0-9a-z :]+`)
	clean := func(s string) string { return mask.ReplaceAllString(strings.ReplaceAll(s, path, "TOOL"), "${1}T") }
	return outcome{res.Code, clean(res.Stdout), clean(res.Stderr)}
}

func toolsSettled(t *testing.T, n *lab.Node) {
	t.Helper()
	if res := on(t, n, "crm_resource", "--wait", "--timeout=60s"); res.Code != 0 {
		t.Fatalf("the cluster does not settle: %s", res.Stderr)
	}
}

// TestMonToolsLive runs crm_mon and crm_resource, ours and the originals, one after
// the other on a running cluster of the original: they say the same and leave the
// same constraints behind.
func TestMonToolsLive(t *testing.T) {
	labtest.Long(t, "TestMonOffline and TestResourceChanges")
	labtest.Pacemaker(t)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{}, {}}})
	labtest.Start(t, l)
	n := l.Members()[0]
	for _, args := range [][]string{{"crm_attribute", "-n", "stonith-enabled", "-v", "false"}, {"cibadmin", "-R", "-o", "resources", "-X", toolResources}} {
		if res := on(t, n, args...); res.Code != 0 {
			t.Fatalf("%v: %s", args, res.Stderr)
		}
	}
	toolsSettled(t, n)
	compareLive(t, n, "crm_mon", "-1", "-1 -r -f -A -n", "--output-as=xml", "-1 --output-as=html -m3", "-1 -m2 -o -R", "-s")
	compareLive(t, n, "crm_resource", "-L", "-O", "-W -r c", "-q -r g", "-Y")
	other, here := l.Members()[1].Name(), n.Name()
	for _, args := range share("-B -r g", "-M -r g -N "+other, "-M -r g -N "+here, "-B -r c -N "+here, "-B -r p1 -N "+here+" -u PT1H",
		"-m -p priority -v 5 -r g", "-m -d priority -r g", "-p fake -v x -r p2") {
		var said [2]outcome
		var made [2]string
		start := holder(t, n)
		for i, path := range toolPaths(t, "crm_resource") {
			if args == "-B -r g" && holder(t, n) != start { // it bans the group from where it is
				bring(t, n, start)
			}
			away(t, n, args)
			said[i] = liveText(t, n, path, strings.Fields(args)...)
			made[i] = on(t, n, "cibadmin", "-Q", "-o", "configuration").Stdout
			on(t, n, "cibadmin", "-R", "-o", "constraints", "-X", "<constraints/>")
			on(t, n, "cibadmin", "-R", "-o", "resources", "-X", toolResources)
			toolsSettled(t, n)
		}
		until := regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d ?[-+:Z0-9]*`)
		for i := range said {
			said[i].stdout, made[i] = until.ReplaceAllString(said[i].stdout, "TIME"), until.ReplaceAllString(made[i], "TIME")
		}
		if said[0] != said[1] || made[0] != made[1] {
			t.Errorf("crm_resource %s: status %d, want %d:\n%s\n%s", args, said[1].status, said[0].status,
				firstDifference(said[0], said[1]), firstDifference(outcome{stdout: made[0]}, outcome{stdout: made[1]}))
		}
	}
	for _, args := range share("-R -r g", "-C", "-C -r g", "-R", "-C -r c -N "+other, "-R -r p3 -f", "-R -N "+other, "-F -r p1 -N "+holder(t, n)) {
		var said [2]outcome
		for i, path := range toolPaths(t, "crm_resource") {
			said[i] = liveText(t, n, path, strings.Fields(args)...)
			toolsSettled(t, n)
			said[i].stdout = withoutReplies(said[i].stdout)
		}
		if said[0] != said[1] {
			t.Errorf("crm_resource %s: status %d, want %d:\n%s", args, said[1].status, said[0].status, firstDifference(said[0], said[1]))
		}
	}
	compareLive(t, n, "crm_mon", "-1 -r -f", "--output-as=xml")
	explainsLive(t, n)
}

// explainsLive asks pacesync explain on the running cluster: it says where the group
// is, and what would bring it to a node that it is not on.
func explainsLive(t *testing.T, n *lab.Node) {
	t.Helper()
	pacesync := filepath.Join(labtest.Bin(t), "pacesync")
	at := holder(t, n)
	res := on(t, n, pacesync, "explain", "g")
	if want := "g (group) is on " + at + " (Started), and stays there."; res.Code != 0 || !strings.HasPrefix(res.Stdout, want) {
		t.Errorf("explain g: status %d, want %q\n%s%s", res.Code, want, res.Stdout, res.Stderr)
	}
	if res = on(t, n, pacesync, "explain", "no-such-resource"); res.Code != 105 {
		t.Errorf("explain no-such-resource: status %d\n%s%s", res.Code, res.Stdout, res.Stderr)
	}
}

// share is the first two, or all with E2E_LONG.
func share(lines ...string) []string {
	if os.Getenv("E2E_LONG") == "" {
		lines = lines[:2]
	}
	return lines
}

// away puts the group where a move to another node has something to do.
func away(t *testing.T, n *lab.Node, args string) {
	t.Helper()
	_, target, ok := strings.Cut(args, "-M -r g -N ")
	if !ok || holder(t, n) != target {
		return
	}
	leave(t, n, target)
}

// bring has the group on a node of two.
func bring(t *testing.T, n *lab.Node, to string) {
	t.Helper()
	leave(t, n, holder(t, n))
	if at := holder(t, n); at != to {
		t.Fatalf("the group is on %s, want %s", at, to)
	}
}

// leave moves the group off a node and takes back what moved it.
func leave(t *testing.T, n *lab.Node, from string) {
	t.Helper()
	on(t, n, "crm_resource", "-B", "-r", "g", "-N", from)
	toolsSettled(t, n)
	on(t, n, "cibadmin", "-R", "-o", "constraints", "-X", "<constraints/>")
	toolsSettled(t, n)
}

// withoutReplies leaves out when answers came, which is a matter of luck.
func withoutReplies(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "got reply") && !strings.HasPrefix(line, "Waiting for ") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

func toolPaths(t *testing.T, tool string) []string {
	return []string{"/usr/sbin/" + tool, filepath.Join(labtest.Bin(t), tool)}
}

// holder is the node that runs the group.
func holder(t *testing.T, n *lab.Node) string {
	t.Helper()
	return strings.TrimSpace(on(t, n, "crm_resource", "-WQ", "-r", "p1").Stdout)
}

func compareLive(t *testing.T, n *lab.Node, tool string, lines ...string) {
	t.Helper()
	paths := toolPaths(t, tool)
	for _, line := range lines {
		want, got := liveText(t, n, paths[0], strings.Fields(line)...), liveText(t, n, paths[1], strings.Fields(line)...)
		if want != got {
			t.Errorf("%s %s: status %d, want %d:\n%s", tool, line, got.status, want.status, firstDifference(want, got))
		}
	}
}

// TestRestartLive restarts resources with the original's crm_resource and with ours on
// a running cluster of the original: both say the same, leave the same configuration,
// and what they restart was stopped and started.
func TestRestartLive(t *testing.T) {
	labtest.Long(t, "TestResourceChanges")
	labtest.Pacemaker(t)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{}, {}}})
	labtest.Start(t, l)
	n := l.Members()[0]
	for _, args := range [][]string{{"crm_attribute", "-n", "stonith-enabled", "-v", "false"}, {"cibadmin", "-R", "-o", "resources", "-X", toolResources},
		{"cibadmin", "-C", "-o", "constraints", "-X", `<rsc_colocation id="with" rsc="g" with-rsc="c" score="INFINITY"/>`}} {
		if res := on(t, n, args...); res.Code != 0 {
			t.Fatalf("%v: %s", args, res.Stderr)
		}
	}
	toolsSettled(t, n)
	compareLive(t, n, "crm_resource", "-a -r g", "-A -r p1", "-A -r c --output-as=xml", "--digests -r p1 -N "+holder(t, n), "--digests -r p1 --output-as=xml -N "+holder(t, n), "--wait")
	for _, args := range []string{"--restart -r p1", "--restart -r g -T 60s", "--restart -r p2 -N " + holder(t, n), "--restart -r c -N " + holder(t, n), "--restart -r p3", "--restart -r nix"} {
		var said [2]outcome
		var made [2]string
		for i, path := range toolPaths(t, "crm_resource") {
			toolsSettled(t, n)
			before := on(t, n, "crm_resource", "-o").Stdout
			said[i] = liveText(t, n, path, strings.Fields(args)...)
			toolsSettled(t, n)
			made[i] = on(t, n, "cibadmin", "-Q", "-o", "configuration").Stdout
			if changed := on(t, n, "crm_resource", "-o").Stdout != before; changed != (said[i].status == 0) {
				t.Errorf("%s %s: status %d, something ran: %v", path, args, said[i].status, changed)
			}
		}
		if said[0] != said[1] {
			t.Errorf("crm_resource %s: status %d, want %d:\n%s", args, said[1].status, said[0].status, firstDifference(said[0], said[1]))
		}
		if made[0] != made[1] {
			t.Errorf("crm_resource %s: the configuration differs: %s", args, firstDifference(outcome{stdout: made[0]}, outcome{stdout: made[1]}))
		}
	}
}
