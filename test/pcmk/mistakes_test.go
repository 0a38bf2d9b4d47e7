package pcmk

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labbmc"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// mistake is something that goes wrong by the user or around the cluster, and
// what the user must see of it: in the words of the tool, in crm_mon, in the log.
// docs/troubleshooting.md is made of these rows. Immutable.
type mistake struct {
	title string
	short bool   // in make test too
	cib   string // resources, there from the beginning
	prep  string // shell before it, which the reader need not know
	stop  bool   // with Pacemaker stopped during prep
	cmd   string // what is run on the node, by a shell
	code  int    // its exit status
	says  string // a part of what it says; all that is shown here must be there
	mon   string // in a line of crm_mon -1
	xml   string // in crm_mon --output-as=xml
	log   string // in a line of the node's log

	undo   string // shell after it
	healed string // shell that succeeds once all is well again; there is half a minute for it

	// What the original shows where that is not the same, by field: "code", "says",
	// "mon", "xml", "log", "healed". "-" is nothing.
	debian map[string]string

	means, todo string // for the reader
}

// of is what half must show of a field.
func (m mistake) of(half lab.Impl, field string) string {
	if v, ok := m.debian[field]; ok && half == lab.Debian {
		return strings.TrimPrefix(v, "-")
	}
	switch field {
	case "code":
		return fmt.Sprint(m.code)
	case "says":
		return m.says
	case "mon":
		return m.mon
	case "xml":
		return m.xml
	case "log":
		return m.log
	case "healed":
		return m.healed
	}
	panic("mistake: no field " + field)
}

// chapter is a group of rows.
type chapter struct {
	title string
	rows  []mistake
}

func chapters() []chapter {
	return []chapter{
		{"The configuration is refused", cibMistakes()},
		{"A resource does not start", agentMistakes()},
		{"Fencing fails", fenceMistakes()},
		{"No space left", diskMistakes()},
		{"The configuration on disk is damaged", damageMistakes()},
	}
}

// wrong is a node on which everything goes wrong, with its BMC.
type wrong struct {
	*testing.T
	n      *lab.Node
	half   lab.Impl
	ctx    context.Context
	rack   *labbmc.Rack
	shared string // the lab's folder that the node sees as /run/lab
}

const wrongLog = "/var/log/pacemaker/pacemaker.log"

// startWrong boots a node with small disks for the CIB and the log, and with the
// resources of the rows.
func startWrong(t *testing.T, half lab.Impl, rows []mistake) *wrong {
	t.Helper()
	labtest.Pacemaker(t)
	w := &wrong{T: t, half: half, ctx: labtest.Context(t, 10*time.Minute)}
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: half, Pacemaker: half, Tools: half}}, Networks: 2, Files: wrongFiles()})
	w.n, w.shared = l.Members()[0], l.Shared()
	rack, err := labbmc.Serve(l, fencedNet)
	if err != nil {
		t.Fatal(err)
	}
	w.rack = rack
	t.Cleanup(func() { rack.Close() })
	for dir, mode := range map[string]string{cibDir: "750", filepath.Dir(wrongLog): "770"} {
		w.sh("mount -t tmpfs -o size=8m tmpfs " + dir + " && chown hacluster:haclient " + dir + " && chmod " + mode + " " + dir)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(on(t, w.n, "tail", "-n", "60", wrongLog).Stdout)
		}
	})
	labtest.Start(t, l)
	if _, err := w.n.ExecInput(w.ctx, w.configuration(rows), "cibadmin", "--modify", "--allow-create", "--scope", "configuration", "--xml-pipe"); err != nil {
		t.Fatal(err)
	}
	if res := on(t, w.n, "crm_resource", "--wait", "--timeout=200s"); res.Code != 0 {
		t.Fatalf("the cluster does not come to rest: %+v", res)
	}
	return w
}

// configuration is that of the rows: no-quorum-policy and fencing as on a real
// cluster, and a device that works.
func (w *wrong) configuration(rows []mistake) string {
	var b strings.Builder
	b.WriteString(`<configuration><crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="opt-action" name="stonith-action" value="off"/>` +
		`</cluster_property_set></crm_config><resources>`)
	b.WriteString(`<primitive id="good" class="ocf" provider="pacemaker" type="Dummy"/>` +
		fenceDevice("bmc", "fence_ipmilan", "n1", "ip", w.rack.Addr(w.n), "username", labbmc.User, "password", labbmc.Password, "lanplus", "1"))
	for _, m := range rows {
		b.WriteString(strings.NewReplacer("BMC", w.rack.Addr(w.n), "NOBODY", lab.Addr(fencedNet, 77), "USER", labbmc.User, "PASSWORD", labbmc.Password).Replace(m.cib))
	}
	b.WriteString(`</resources></configuration>`)
	return b.String()
}

// sh runs a line of shell on the node, which must succeed.
func (w *wrong) sh(line string) string {
	w.Helper()
	res := on(w, w.n, "sh", "-c", line)
	if res.Code != 0 {
		w.Fatalf("%s: %+v", line, res)
	}
	return res.Stdout
}

// check does what a row says and looks for what the user must see.
func (w *wrong) check(t *testing.T, m mistake) {
	if m.stop {
		w.whileStopped(m.prep)
	} else if m.prep != "" {
		w.sh(m.prep)
	}
	before := pids(w.n)
	if m.cmd != "" {
		res := on(t, w.n, "sh", "-c", m.cmd)
		said := res.Stderr + res.Stdout
		t.Logf("%s\nexit status %d\n%s", m.cmd, res.Code, said)
		if got, want := fmt.Sprint(res.Code), m.of(w.half, "code"); got != want {
			t.Errorf("exit status %s, want %s", got, want)
		}
		if want := m.of(w.half, "says"); !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	w.sees(t, "crm_mon -1", m.of(w.half, "mon"), "crm_mon", "-1")
	w.sees(t, "crm_mon --output-as=xml", m.of(w.half, "xml"), "crm_mon", "-1", "--output-as=xml")
	w.sees(t, "the log", m.of(w.half, "log"), "cat", wrongLog)
	if m.undo != "" {
		w.sh(m.undo)
	}
	if line := m.of(w.half, "healed"); line != "" {
		testwait.For(t, 45*time.Second, line, func() bool { return on(t, w.n, "sh", "-c", line).Code == 0 })
	}
	if after := pids(w.n); after != before {
		t.Errorf("daemons before %s\nafter %s", before, after)
	}
}

// whileStopped runs a line of shell between the end and the next start of Pacemaker.
func (w *wrong) whileStopped(line string) {
	w.Helper()
	if err := w.n.Stop(w.ctx, lab.PartPacemaker); err != nil {
		w.Fatal(err)
	}
	w.sh(line)
	if err := w.n.Start(w.ctx, lab.PartPacemaker); err != nil {
		w.Fatal(err)
	}
	if _, err := w.n.WaitDC(w.ctx); err != nil {
		w.Fatal(err)
	}
}

// sees waits until a line of what a command prints holds what is wanted.
func (w *wrong) sees(t *testing.T, where, want string, cmd ...string) {
	t.Helper()
	if want == "" {
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, 4*time.Second)
	defer cancel()
	shown := ""
	if lab.Wait(ctx, where, func() bool {
		if res, err := w.n.Exec(w.ctx, cmd...); err == nil {
			shown = res.Stdout
		}
		return strings.Contains(shown, want)
	}) != nil {
		t.Errorf("%s does not show %q:\n%s", where, want, shown[max(0, len(shown)-3000):])
	}
}

// TestMistakes: what goes wrong is told clearly where users look, and nothing is
// lost by it. The full count holds Debian's cluster to the same rows.
func TestMistakes(t *testing.T) {
	long := os.Getenv("E2E_LONG") != ""
	halves := []lab.Impl{lab.Ours}
	if long {
		halves = append(halves, lab.Debian)
	}
	for _, half := range halves {
		t.Run(half.String(), func(t *testing.T) {
			var rows []mistake
			for _, c := range chapters() {
				for _, m := range c.rows {
					if (m.short || long) && !m.stop {
						rows = append(rows, m)
					}
				}
			}
			w := startWrong(t, half, rows)
			t.Log(on(t, w.n, "crm_mon", "-1").Stdout)
			for _, m := range rows {
				t.Run(m.title, func(t *testing.T) { w.check(t, m) })
			}
			t.Log(on(t, w.n, "grep", "-P", "\t(error|warning|notice|crit): ", wrongLog).Stdout)
			for _, tool := range []string{"pcs status", "crm status"} {
				if res := on(t, w.n, "sh", "-c", "HOME=/run "+tool); res.Code != 0 || !strings.Contains(res.Stdout, "Online: [ n1 ]") || !strings.Contains(res.Stdout, "Started n1") {
					t.Errorf("%s: %+v", tool, res)
				}
			}
			t.Run("strangers", func(t *testing.T) { w.strangers(t, long) })
			w.good("after all")
		})
	}
}

// TestDamagedCIB: what is done to the CIB on disk while the cluster is down.
// Where the original does otherwise is in docs/compatibility.md.
func TestDamagedCIB(t *testing.T) {
	labtest.Long(t, "TestCIBFiles")
	w := startWrong(t, lab.Ours, nil)
	for i, m := range damageMistakes() {
		for _, v := range []string{"a", "b"} { // the version before the last one is in the archive
			value := fmt.Sprint(v, i)
			w.sh("crm_attribute -n change -v " + value)
			testwait.For(t, 20*time.Second, "the change to be written", func() bool {
				return on(t, w.n, "grep", "-q", `value="`+value+`"`, cibDir+"/cib.xml").Code == 0
			})
		}
		t.Run(m.title, func(t *testing.T) { w.check(t, m) })
	}
	w.good("after all")
}

// good says whether the cluster still works: the resource that is in order runs,
// and a change is taken.
func (w *wrong) good(when string) {
	w.Helper()
	testwait.For(w, 20*time.Second, "a change to be taken "+when, func() bool {
		return on(w, w.n, "crm_attribute", "-n", "still", "-v", "works").Code == 0
	})
	if res := on(w, w.n, "crm_resource", "-W", "-r", "good"); !strings.Contains(res.Stdout, "on: n1") {
		w.Errorf("%s: %s", when, res.Stdout+res.Stderr)
	}
}

var rewriteDoc = flag.Bool("rewrite-doc", false, "write docs/troubleshooting.md from the table of mistakes")

// TestTroubleshooting: docs/troubleshooting.md says what the table says.
func TestTroubleshooting(t *testing.T) {
	const name = "../../docs/troubleshooting.md"
	want := troubleshooting()
	if *rewriteDoc {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the table of mistakes says (%v): go test ./test/pcmk -run TestTroubleshooting -rewrite-doc", name, err)
	}
}

// troubleshooting is the text of docs/troubleshooting.md.
func troubleshooting() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p(`# Troubleshooting: what you see, what it means, what to do

Made from the table in test/pcmk/wrong_table_test.go, whose rows TestMistakes carries out on a cluster: what is quoted here is what
tools, crm_mon and the log really show. Where the original shows something else, that is said.

Where to look first: ` + "`crm_mon -1`" + ` (failed actions, fencing history), the exit status and text of the tool (` + "`$?`" + `), then
/var/log/pacemaker/pacemaker.log on the node that the failed action names, and on the DC.
`)
	for _, c := range chapters() {
		p("\n## %s\n", c.title)
		for _, m := range c.rows {
			p("\n### %s\n\n", m.title)
			m.describe(p)
		}
	}
	return b.String()
}

// describe writes a row for the reader.
func (m mistake) describe(p func(string, ...any)) {
	if m.cmd != "" {
		p("- `%s` ends with status %d", m.cmd, m.code)
		if m.says != "" {
			p(" and says `%s`", m.says)
		}
		p("\n")
	}
	for _, f := range []struct{ field, where, text string }{{"mon", "crm_mon", m.mon}, {"xml", "crm_mon --output-as=xml", m.xml}, {"log", "the log", m.log}} {
		if f.text != "" {
			p("- %s: `%s`\n", f.where, strings.TrimSpace(f.text))
		}
	}
	for _, f := range []string{"code", "says", "mon", "xml", "log"} {
		if v, ok := m.debian[f]; ok && v != "-" {
			p("- the original: `%s`\n", strings.TrimSpace(v))
		} else if ok {
			p("- the original does not show this (%s)\n", f)
		}
	}
	p("\nIt means: %s\n\nTo do: %s\n", m.means, m.todo)
}
