package tools

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// The two sets of tools, as search paths inside a node.
const (
	systemPath  = "/usr/sbin:/usr/bin:/sbin:/bin"
	debianTools = systemPath
	ourTools    = "/run/lab/tools:" + systemPath
)

// row is one comparison: a shell command that both sets of tools run.
type row struct {
	cmd    string
	before string             // shell command of Debian's tools before each of the two runs
	prep   func(*scene) error // likewise, for what a shell cannot do
	sorted bool               // lines in any order, each once: counters come and go
}

// scene is a lab in some state, with a table of rows.
type scene struct {
	t    *testing.T
	lab  *lab.Lab
	ctx  context.Context
	node *lab.Node // where the tools run
	rows int       // compared so far
	// reference keeps what was said, by scene and command, to compare daemons.
	reference map[string]said
	name      string
	udpuOnly  bool // not knet
}

// said is the result of one run.
type said struct {
	stdout, stderr string
	status         int
}

func (s said) String() string {
	return fmt.Sprintf("status %d\n--- stdout\n%s--- stderr\n%s", s.status, s.stdout, s.stderr)
}

// newScene builds the lab, our tools and the guest client.
func newScene(t *testing.T, daemon lab.Impl) *scene {
	t.Helper()
	labtest.Corosync(t)
	labtest.Need(t, "/usr/sbin/corosync-cfgtool", "/usr/sbin/corosync-cmapctl", "/usr/sbin/corosync-cpgtool", "/usr/sbin/corosync-keygen",
		"/usr/sbin/corosync-notifyd", "/usr/bin/corosync-vqsim", "/usr/bin/corosync-xmlproc", "/usr/bin/xsltproc")
	nodes := make([]lab.NodeSpec, 3)
	for i := range nodes {
		nodes[i].Corosync = daemon
	}
	bin := t.TempDir()
	goBuild(t, filepath.Join(bin, "pacesync"), "github.com/pacesync/pacesync/cmd/pacesync")
	l := labtest.Up(t, lab.Options{Nodes: nodes, Networks: 2, Bin: bin})
	s := &scene{t: t, lab: l, node: l.Node("n1"), ctx: labtest.Context(t, 10*time.Minute), reference: map[string]said{}}
	s.installTools()
	for path, dir := range map[string]string{debianTools: "/usr/sbin/", ourTools: "/run/lab/tools/"} {
		for _, tool := range []string{"cfgtool", "cmapctl", "cpgtool", "keygen", "notifyd", "quorumtool"} {
			if r := s.shell(s.node, path, "command -v corosync-"+tool); r.stdout != dir+"corosync-"+tool+"\n" {
				t.Fatalf("corosync-%s on path %s is %q, want it in %s", tool, path, r.stdout, dir)
			}
		}
	}
	return s
}

// installTools puts our tools and the guest client where the nodes see them, in
// /run/lab/tools.
func (s *scene) installTools() {
	s.t.Helper()
	dir := filepath.Join(s.lab.Shared(), "tools")
	s.must(os.MkdirAll(dir, 0o755))
	goBuild(s.t, filepath.Join(dir, "pacesync"), "github.com/pacesync/pacesync/cmd/pacesync")
	goBuild(s.t, filepath.Join(dir, "client"), "github.com/pacesync/pacesync/test/tools/client")
	if out, err := exec.Command(filepath.Join(dir, "pacesync"), "links", dir).CombinedOutput(); err != nil {
		s.t.Fatalf("links: %v: %s", err, out)
	}
}

func goBuild(t *testing.T, out, pkg string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, text)
	}
}

// must ends the test on an error.
func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// configure stops the ring, writes corosync.conf on all nodes and starts it on
// the given ones. edit may change the text.
func (s *scene) configure(c lab.Conf, edit func(string) string, nodes ...string) {
	s.t.Helper()
	for _, n := range s.lab.Nodes() {
		s.kill(n)
	}
	s.must(s.lab.WriteConf(c))
	var run []*lab.Node
	for _, n := range s.lab.Nodes() {
		if edit != nil {
			path := n.Path("/etc/corosync/corosync.conf")
			b, err := os.ReadFile(path)
			s.must(err)
			s.must(os.WriteFile(path, []byte(edit(string(b))), 0o644))
		}
		if slices.Contains(nodes, n.Name()) {
			run = append(run, n)
		}
	}
	for _, n := range run {
		s.must(n.Start(s.ctx, lab.PartCorosync))
	}
	s.must(s.served(len(run)))
}

// kill ends a node's daemon, if it runs.
func (s *scene) kill(n *lab.Node) {
	s.t.Helper()
	if n.Daemon(lab.PartCorosync) != 0 {
		s.must(n.Kill(s.ctx, lab.PartCorosync))
	}
}

// serveLimit bounds a change of the ring: token and consensus time-outs of a
// second or two.
const serveLimit = 30 * time.Second

// served returns once every running daemon has answered and sees that many
// nodes.
func (s *scene) served(nodes int) error {
	ctx, cancel := context.WithTimeout(s.ctx, serveLimit)
	defer cancel()
	return lab.Wait(ctx, fmt.Sprintf("%d nodes to serve", nodes), func() bool {
		for _, n := range s.lab.Nodes() {
			if n.Daemon(lab.PartCorosync) == 0 {
				continue
			}
			// Without a provider of quorum -s is an error, and -l lists nobody.
			r := s.shell(n, debianTools, "timeout 5 corosync-cmapctl runtime.members. | grep -c 'status (str) = joined'")
			if strings.TrimSpace(r.stdout) != fmt.Sprint(nodes) {
				return false
			}
			if q := s.shell(n, debianTools, "timeout 5 corosync-quorumtool -l"); q.status != 0 {
				return false
			}
		}
		return true
	})
}

// commandLimit bounds a command; the slowest ones wait for a daemon to vote.
const commandLimit = 60 * time.Second

// shell runs a command in a node.
func (s *scene) shell(n *lab.Node, path, cmd string) said {
	ctx, cancel := context.WithTimeout(s.ctx, commandLimit)
	defer cancel()
	r, err := n.Exec(ctx, "env", "-i", "PATH="+path, "HOME=/root", "TZ=UTC", "sh", "-c", cmd)
	if err != nil && r.Code < 0 {
		s.t.Errorf("%s: %v", cmd, err)
	}
	return said{r.Stdout, r.Stderr, r.Code}
}

// start runs a command in the background until the returned function is
// called, which closes its input and waits for it.
func (s *scene) start(path, cmd string) (stop func() said) {
	s.t.Helper()
	c, err := s.node.Command(s.ctx, "env", "-i", "PATH="+path, "TZ=UTC", "sh", "-c", cmd)
	s.must(err)
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	in, err := c.StdinPipe()
	s.must(err)
	s.must(c.Start())
	return func() said {
		in.Close()
		if err := c.Wait(); err != nil {
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				s.t.Error(err)
			}
		}
		return said{out.String(), errs.String(), c.ProcessState.ExitCode()}
	}
}

// guest starts the client and waits until it is ready. It ends with stop.
func (s *scene) guest(args ...string) (stop func()) {
	s.t.Helper()
	c, err := s.node.Command(s.ctx, append([]string{"/run/lab/tools/client"}, args...)...)
	s.must(err)
	in, err := c.StdinPipe()
	s.must(err)
	out, err := c.StdoutPipe()
	s.must(err)
	var errs strings.Builder
	c.Stderr = &errs
	s.must(c.Start())
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		s.t.Fatalf("client %v: said %q %s", args, line, errs.String())
	}
	return func() {
		in.Close()
		_ = c.Wait() // it may have lost its daemon
	}
}

// The parts of output that no two runs share.
var masks = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`(?m)^Date:   .*$`), "Date:   DATE"},
	{regexp.MustCompile(`(?m)^(stats\.[a-z0-9_.]*)(\.[0-9]+\.0x[0-9a-f]+)?(\.[a-z_]+ \((?:i32|u32|u64)\)) = [0-9-]+$`), "$1$3 = N"},
	{regexp.MustCompile(`(?m)^(stats\.ipcs\.service[0-9]+)\.[0-9]+\.0x[0-9a-f]+`), "$1"},
}

// What two rings do not share: how often they formed, process ids, and what
// docs/compatibility.md says differs on purpose (a reload keeps the keys that
// the daemon made itself).
var daemonMasks = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`(?m)^(Ring ID: +[0-9a-f]+)\.[0-9a-f]+$`), "$1.SEQ"},
	{regexp.MustCompile(`(?m)^(runtime\.services\..*\.[rt]x \(u64\)) = [0-9]+$`), "$1 = N"},
	{regexp.MustCompile(`(?m)^totem\.interface\.0\.bindnetaddr \(str\) = .*\n`), ""},
	{regexp.MustCompile(` *\b[0-9]{2,5}([,;:\t] *[123]\b)`), "PID$1"},
}

// onAnyDaemon hides what is not the daemon's choice.
func onAnyDaemon(r said) said {
	for _, m := range daemonMasks {
		r.stdout = m.re.ReplaceAllString(r.stdout, m.to)
	}
	return r
}

func masked(r said, sorted bool) said {
	for _, m := range masks {
		r.stdout = m.re.ReplaceAllString(r.stdout, m.to)
	}
	if sorted {
		lines := strings.SplitAfter(r.stdout, "\n")
		slices.Sort(lines)
		r.stdout = strings.Join(slices.Compact(lines), "")
	}
	return r
}

// compare runs the rows, each first with the original tools and then with ours.
func (s *scene) compare(name string, rows []row) {
	s.name = name
	s.t.Run(name, func(t *testing.T) {
		outer := s.t
		s.t = t
		defer func() { s.t = outer }()
		for _, r := range rows {
			var got [2]said
			for i, path := range [2]string{debianTools, ourTools} {
				if r.prep != nil {
					s.must(r.prep(s))
				}
				if r.before != "" {
					s.shell(s.node, debianTools, r.before)
				}
				got[i] = masked(s.shell(s.node, path, r.cmd), r.sorted)
			}
			s.verdict(r.cmd, got[0], got[1])
		}
	})
}

// verdict counts a comparison and reports a difference.
func (s *scene) verdict(cmd string, original, ours said) {
	s.t.Helper()
	s.rows++
	s.reference[s.name+": "+cmd] = original
	if original != ours {
		s.t.Errorf("%s\noriginal: %v\nours: %v", cmd, original, ours)
	}
}
