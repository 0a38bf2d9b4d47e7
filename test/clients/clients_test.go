package clients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// play runs a role inside a node and returns what it printed.
func play(ctx context.Context, n *lab.Node, role string) (string, error) {
	r, err := n.Exec(ctx, "env", roleVariable+"="+role, "/run/lab/role")
	return r.Stdout, err
}

// TestClients: each library against a ring of three, of either kind. What the
// roles print must be the same on both.
func TestClients(t *testing.T) {
	labtest.Corosync(t)
	said := map[string][2]string{}
	for i, daemon := range [2]lab.Impl{lab.Debian, lab.Ours} {
		t.Run(daemon.String(), func(t *testing.T) {
			for role, text := range playAll(t, daemon) {
				pair := said[role]
				pair[i] = text
				said[role] = pair
			}
		})
	}
	for role, pair := range said {
		if pair[0] != pair[1] {
			t.Errorf("%s with the original daemon:\n%s\nwith ours:\n%s", role, pair[0], pair[1])
		}
	}
}

func playAll(t *testing.T, daemon lab.Impl) map[string]string {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "pacesync"), "github.com/pacesync/pacesync/cmd/pacesync")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	nodes := []lab.NodeSpec{{Corosync: daemon}, {Corosync: daemon}, {Corosync: daemon}}
	l := labtest.Up(t, lab.Options{Nodes: nodes, Bin: bin})
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.Shared(), "role"), self, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx := labtest.Context(t, 2*time.Minute)
	if err := l.WriteConf(lab.Conf{Totem: []string{"token: 1000"}}); err != nil {
		t.Fatal(err)
	}
	if err := l.StartRing(ctx, l.Nodes()...); err != nil {
		t.Fatal(err)
	}
	n1, n2, n3 := l.Node("n1"), l.Node("n2"), l.Node("n3")
	said := map[string]string{}
	for _, role := range []string{"cmap", "cfg"} {
		if said[role], err = play(ctx, n1, role); err != nil {
			t.Error(err)
		}
	}
	playCPGPair(t, ctx, n1, n2)
	// The monitor starts, then a node is lost.
	watched := make(chan error, 1)
	go func() {
		text, err := play(ctx, n2, "quorum")
		said["quorum"] = text
		watched <- err
	}()
	connected := func() bool {
		r, _ := n2.Exec(ctx, "sh", "-c", "corosync-cmapctl -m stats | grep -c 'procname (str) = role'")
		return strings.TrimSpace(r.Stdout) == "2"
	}
	if err := lab.Wait(ctx, "the watcher", connected); err != nil {
		t.Fatal(err)
	}
	if err := n3.Kill(ctx, lab.PartCorosync); err != nil {
		t.Fatal(err)
	}
	if err := <-watched; err != nil {
		t.Error(err)
	}
	return said
}

// playCPGPair: both members see the same messages and changes in the same
// order, from the moment both are in.
func playCPGPair(t *testing.T, ctx context.Context, n1, n2 *lab.Node) {
	t.Helper()
	type result struct {
		text string
		err  error
	}
	other := make(chan result, 1)
	go func() {
		text, err := play(ctx, n2, "cpg")
		other <- result{text, err}
	}()
	text, err := play(ctx, n1, "cpg")
	r := <-other
	if err != nil || r.err != nil {
		t.Fatalf("n1: %v\n%s\nn2: %v\n%s", err, text, r.err, r.text)
	}
	messages := func(s string) string { return s[strings.Index(s, "message"):] }
	if messages(text) != messages(r.text) {
		t.Errorf("n1 saw\n%s\nn2 saw\n%s", text, r.text)
	}
	if n := strings.Count(text, "message"); n != 2*len(sizes) {
		t.Errorf("%d messages, want %d", n, 2*len(sizes))
	}
}
