package unchanged

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// programs are c/*.c, each with all libraries.
var programs = labtest.Programs{Sources: "c", Flags: []string{
	"-O1", "-Wextra", "-Wno-unused-result", "-lcpg", "-lcmap", "-lquorum", "-lvotequorum", "-lcfg", "-lsam",
}}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := programs.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// built is the folder of the compiled programs.
func built(t *testing.T) string {
	t.Helper()
	labtest.Corosync(t)
	labtest.Need(t, "/usr/bin/gcc", "/usr/include/corosync/sam.h", "/usr/include/corosync/cpg.h")
	dir, err := programs.Dir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// ring is a lab all of whose daemons come from one side.
type ring struct {
	*lab.Lab
	t   *testing.T
	ctx context.Context
}

// newRingOf builds a lab of that many nodes and configures its ring. extra is put
// behind corosync.conf.
func newRingOf(t *testing.T, daemon lab.Impl, nodes int, conf lab.Conf, extra string) *ring {
	t.Helper()
	specs := make([]lab.NodeSpec, nodes)
	for i := range specs {
		specs[i].Corosync = daemon
	}
	r := &ring{labtest.Up(t, lab.Options{Nodes: specs}), t, labtest.Context(t, 10*time.Minute)}
	conf.Totem = append([]string{"token: 1000"}, conf.Totem...)
	r.configure(conf, extra)
	return r
}

// newRing is newRingOf, and starts it.
func newRing(t *testing.T, daemon lab.Impl, nodes int, conf lab.Conf, extra string) *ring {
	t.Helper()
	r := newRingOf(t, daemon, nodes, conf, extra)
	if err := r.StartRing(r.ctx, r.Nodes()...); err != nil {
		t.Fatal(err)
	}
	return r
}

// start starts corosync on a node and waits until it serves.
func (r *ring) start(name string) {
	r.t.Helper()
	n := r.Node(name)
	if err := n.Start(r.ctx, lab.PartCorosync); err != nil {
		r.t.Fatal(err)
	}
	if err := n.WaitServe(r.ctx); err != nil {
		r.t.Fatal(err)
	}
}

// configure writes corosync.conf on all nodes.
func (r *ring) configure(conf lab.Conf, extra string) {
	r.t.Helper()
	if err := r.WriteConf(conf); err != nil {
		r.t.Fatal(err)
	}
	for _, n := range r.Members() {
		path := n.Path("/etc/corosync/corosync.conf")
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, append(b, extra...), 0o644)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// said is what a command printed, and its status.
type said struct {
	text   string
	status int
}

func (s said) String() string { return fmt.Sprintf("status %d\n%s", s.status, s.text) }

// commandLimit bounds one command.
const commandLimit = 3 * time.Minute

// run runs a command on a node and returns what it printed on both outputs.
func (r *ring) run(node string, args ...string) said {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, commandLimit)
	defer cancel()
	res, err := r.Node(node).Exec(ctx, args...)
	if err != nil && res.Code < 0 {
		r.t.Errorf("%v: %v", args, err)
	}
	return said{res.Stdout + res.Stderr, res.Code}
}

// shell runs a command line on a node.
func (r *ring) shell(node, line string) said {
	r.t.Helper()
	return r.run(node, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TZ=UTC", "LC_ALL=C.UTF-8", "sh", "-c", line)
}

// await waits until a command line on a node succeeds.
func (r *ring) await(node, line string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	var last said
	err := lab.Wait(ctx, line, func() bool {
		last = r.shell(node, line)
		return last.status == 0
	})
	if err != nil {
		r.t.Fatalf("%s: %v\n%v", node, err, last)
	}
}

// both runs play on Debian's daemons and on ours, side by side, and says where
// what it returns, by name of a part, differs.
func both(t *testing.T, play func(t *testing.T, daemon lab.Impl) map[string]said) {
	t.Helper()
	var told [2]map[string]said
	t.Run("rings", func(t *testing.T) {
		for i, daemon := range [2]lab.Impl{lab.Debian, lab.Ours} {
			t.Run(daemon.String(), func(t *testing.T) {
				t.Parallel()
				told[i] = play(t, daemon)
				keep(t, daemon, told[i])
			})
		}
	})
	for name, original := range told[0] {
		if strings.Contains(original.text, "FATAL") {
			t.Errorf("%s, original: %v", name, original)
		}
		if ours := told[1][name]; ours != original {
			t.Errorf("%s:\n%s", name, difference(original.String(), ours.String()))
		}
	}
	for name := range told[1] {
		if _, ok := told[0][name]; !ok {
			t.Errorf("%s was played on our daemon alone", name)
		}
	}
}

// keep writes what was said into the folder that UNCHANGED_OUT names, for who
// wants to read it.
func keep(t *testing.T, daemon lab.Impl, told map[string]said) {
	dir := os.Getenv("UNCHANGED_OUT")
	if dir == "" {
		return
	}
	for name, s := range told {
		path := filepath.Join(dir, daemon.String()+"-"+strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(path, []byte(s.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// difference shows two texts up to where they part and a little beyond.
func difference(original, ours string) string {
	a, b := strings.Split(original, "\n"), strings.Split(ours, "\n")
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	part := func(l []string) string {
		return strings.Join(l[max(0, min(same-3, len(l))):min(len(l), same+12)], "\n  ")
	}
	return fmt.Sprintf("equal up to line %d\noriginal:\n  %s\nours:\n  %s", same, part(a), part(b))
}
