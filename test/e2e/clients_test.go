package e2e

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// clients are clients/*.c.
var clients = labtest.Programs{Sources: "clients", Flags: []string{"-O2", "-lcpg", "-lquorum", "-lvotequorum"}}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := clients.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// clientProgram returns the path of a compiled C client.
func clientProgram(t *testing.T, name string) string {
	t.Helper()
	labtest.Need(t, "/usr/bin/gcc", "/usr/include/corosync/cpg.h", "/usr/include/corosync/votequorum.h")
	dir, err := clients.Dir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// watcher is clients/watch on a node: what its callbacks said.
type watcher struct {
	node  *lab.Node
	stdin io.Closer

	mu    sync.Mutex
	lines []string // without their times
}

// startWatcher starts a watch in group g and returns once it is ready.
func startWatcher(t *testing.T, ctx context.Context, n *lab.Node, g string) *watcher {
	t.Helper()
	cmd, err := n.Command(ctx, clientProgram(t, "watch"), g)
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := &watcher{node: n, stdin: in}
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			_, line, _ := strings.Cut(sc.Text(), " ")
			w.mu.Lock()
			w.lines = append(w.lines, line)
			w.mu.Unlock()
		}
		cmd.Wait() // ends with the node, corosync or its standard input
	}()
	first := []string{fmt.Sprintf("ready %d", n.ID()), "cpg confchg ", "quorum nodelist ", "quorum quorum ", "votequorum nodelist ", "votequorum quorum "}
	testwait.For(t, 15*time.Second, "the watcher on "+n.Name()+" to join and to be told where it is", func() bool {
		lines := w.since(0)
		return !slices.ContainsFunc(first, func(prefix string) bool {
			return !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) })
		})
	})
	return w
}

// since returns the lines from index i on.
func (w *watcher) since(i int) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lines[min(i, len(w.lines)):])
}

// mark is the index of the next line.
func (w *watcher) mark() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.lines)
}

var joinedRE = regexp.MustCompile(` J=[0-9/,]+$`)

// sortJoined puts the joined list of a confchg in order: it follows the order in
// which the nodes' lists came in, which is free.
func sortJoined(joined string) string {
	ids := strings.Split(strings.TrimPrefix(joined, " J="), ",")
	slices.Sort(ids)
	return " J=" + strings.Join(ids, ",")
}

var ringRE = regexp.MustCompile(`ring=(\d+\.[0-9a-f]+)`)

// service returns a service's callbacks among the lines, with the ring's name
// replaced by R.
func service(lines []string, name string) []string {
	var out []string
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(l, name+" "); ok {
			rest = ringRE.ReplaceAllString(rest, "ring=R")
			out = append(out, joinedRE.ReplaceAllStringFunc(rest, sortJoined))
		}
	}
	return out
}

// rings returns the rings that the lines name, each once.
func rings(lines []string) []string {
	var out []string
	for _, l := range lines {
		if m := ringRE.FindStringSubmatch(l); m != nil && !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

// mix is which nodes run our corosync; there are three, if nodes says nothing else.
type mix struct {
	name      string
	ours      []string
	nodes     int
	transport string // default udpu
	ipv6      bool
}

// mixes are the rings to test: of the original alone (which proves the test
// itself), mixed, and of ours alone. MIX selects one.
func mixes() []mix {
	all := threes()
	if want := os.Getenv("MIX"); want != "" {
		all = slices.DeleteFunc(all, func(m mix) bool { return m.name != want })
	}
	return all
}

// over is the mixes over another transport.
func over(transport string, in []mix) (out []mix) {
	for _, m := range in {
		m.name, m.transport = transport+"-"+m.name, transport
		out = append(out, m)
	}
	return out
}

// ringMixes are the rings over udpu and udp. Short runs have one over udp, and of
// five nodes none.
func ringMixes() []mix {
	all := mixes()
	if os.Getenv("E2E_LONG") == "" {
		return append(all, over("udp", slices.DeleteFunc(mixes(), func(m mix) bool { return m.name != "2of3" }))...)
	}
	if want := os.Getenv("MIX"); want == "" || want == "3of5" {
		all = append(all, mix{name: "3of5", ours: []string{"n1", "n3", "n4"}, nodes: 5})
	}
	return append(all, over("udp", all)...)
}

// ofThree leaves out the rings of more nodes.
func ofThree(in []mix) []mix {
	return slices.DeleteFunc(in, func(m mix) bool { return m.nodes != 0 })
}

// startMix builds the ring of a mix and waits for it. In the end its logs must be clean.
func startMix(t *testing.T, ctx context.Context, m mix, conf lab.Conf) *lab.Lab {
	t.Helper()
	l := upMix(t, m, 1)
	clean(t, l)
	conf.Transport, conf.IPv6 = cmp.Or(conf.Transport, m.transport), m.ipv6
	startConf(t, ctx, l, conf)
	return l
}

// upMix builds the lab of a mix; no daemon runs yet.
func upMix(t *testing.T, m mix, networks int, others ...lab.NodeSpec) *lab.Lab {
	t.Helper()
	labtest.Corosync(t)
	return labtest.Up(t, lab.Options{Nodes: append(m.specs(), others...), Networks: networks})
}

// specs are the members of a mix.
func (m mix) specs() []lab.NodeSpec {
	specs := make([]lab.NodeSpec, cmp.Or(m.nodes, 3))
	for i := range specs {
		specs[i].Name = fmt.Sprintf("n%d", i+1)
		if slices.Contains(m.ours, specs[i].Name) {
			specs[i].Corosync = lab.Ours
		}
	}
	return specs
}

// startConf writes the configuration, starts all members and waits for their ring.
func startConf(t *testing.T, ctx context.Context, l *lab.Lab, conf lab.Conf) {
	t.Helper()
	if err := l.WriteConf(conf); err != nil {
		t.Fatal(err)
	}
	if err := l.StartRing(ctx, l.Members()...); err != nil {
		t.Fatal(err)
	}
	for _, n := range l.Members() {
		if err := n.CheckOrigins(); err != nil {
			t.Fatal(err)
		}
	}
}
