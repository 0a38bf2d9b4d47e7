package pcmk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

const based = "pacemaker-based"

// mixedCIB starts a cluster whose first and third CIB daemons are ours and whose
// second one is Debian's; all else is Debian's.
func mixedCIB(t *testing.T) *lab.Lab {
	t.Helper()
	labtest.Pacemaker(t)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Ours: []string{based}}, {}, {Ours: []string{based}}}})
	labtest.Start(t, l)
	return l
}

// on runs a command in a node; its exit status and all it says count, not its success.
func on(t testing.TB, n *lab.Node, args ...string) lab.Result {
	t.Helper()
	res, err := n.Exec(labtest.Context(t, time.Minute), args...)
	if res.Code < 0 {
		t.Fatalf("%s: %v: %v", n.Name(), args, err)
	}
	return res
}

// localCIB is the CIB as one node has it, without what may differ.
func localCIB(t testing.TB, n *lab.Node) string {
	t.Helper()
	res := on(t, n, "cibadmin", "-Q", "--local")
	if res.Code != 0 {
		return res.Stderr
	}
	head, rest, _ := strings.Cut(res.Stdout, "\n")
	for _, name := range []string{"cib-last-written"} {
		if i := strings.Index(head, " "+name+`="`); i >= 0 {
			end := strings.Index(head[i+len(name)+3:], `"`)
			head = head[:i] + head[i+len(name)+3+end+1:]
		}
	}
	return head + "\n" + rest
}

// requireSame waits until all nodes hold the same CIB, for no longer than
// messages take: what the DC mends by sending a whole CIB does not count.
func requireSame(t *testing.T, l *lab.Lab, after string) {
	t.Helper()
	var cibs []string
	same := func() bool {
		cibs = cibs[:0]
		for _, n := range l.Members() {
			cibs = append(cibs, localCIB(t, n))
		}
		for _, c := range cibs {
			if c != cibs[0] {
				return false
			}
		}
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if lab.Wait(ctx, "the same CIB everywhere", same) == nil {
		return
	}
	for i, c := range cibs {
		a, b := strings.Split(cibs[1], "\n"), strings.Split(c, "\n")
		for k := range min(len(a), len(b)) {
			if a[k] != b[k] {
				t.Errorf("%s differs from Debian's in line %d:\n ours   %s\n theirs %s", l.Members()[i].Name(), k+1, b[k], a[k])
				break
			}
		}
	}
	t.Fatalf("after %s", after)
}

// cibRequests makes random calls of cibadmin.
type cibRequests struct{ r *rand.Rand }

func (g cibRequests) pick(list ...string) string { return list[g.r.IntN(len(list))] }

func (g cibRequests) id() string { return g.pick("p1", "p2", "p3", "x") }

func (g cibRequests) nvpair() string {
	return fmt.Sprintf(`<nvpair id="%s-%d" name="%s" value="%s"/>`, g.id(), g.r.IntN(3), g.pick("a", "b", "target-role"), g.pick("1", "value++", "value+=5", "x &amp; y", "ä", "a&#10;b&#9;c"))
}

func (g cibRequests) object() (section, xml string) {
	id := g.id()
	switch g.r.IntN(7) {
	case 0:
		return "resources", `<primitive id="` + id + `" class="ocf" provider="pacemaker" type="Dummy"/>`
	case 1:
		return "resources", `<primitive id="` + id + `"><meta_attributes id="` + id + `-m">` + g.nvpair() + g.nvpair() + `</meta_attributes></primitive>`
	case 2:
		return "crm_config", `<cluster_property_set id="` + g.pick("cib-bootstrap-options", "other") + `">` + g.nvpair() + `</cluster_property_set>`
	case 3:
		return "status", `<node_state id="` + g.pick("7", "8") + `" uname="` + g.pick("g7", "g8") + `"><transient_attributes id="7"><instance_attributes id="status-7">` + g.nvpair() + `</instance_attributes></transient_attributes></node_state>`
	case 4:
		return "constraints", `<rsc_location id="l-` + id + `" rsc="` + id + `" node="n` + g.pick("1", "2") + `" score="` + g.pick("1", "score++", "-INFINITY") + `"/>`
	case 5:
		return "tags", `<tag id="t-` + id + `"><obj_ref id="` + g.id() + `"/></tag>`
	}
	return "resources", `<primitive id="` + id + `" bogus="1"/>`
}

func (g cibRequests) xpath() string {
	return g.pick("//nvpair", "//primitive[@id='"+g.id()+"']", "//meta_attributes", "//nvpair[@name='a']", "//rsc_location[last()]", "//node_state[@id='7']//nvpair",
		"//nosuch", "/cib", "//primitive//nvpair[position()=1]", "//tag | //rsc_location", "//obj_ref/..")
}

func (g cibRequests) call() []string {
	section, xml := g.object()
	switch g.r.IntN(13) {
	case 0, 1, 2:
		return []string{"-C", "-o", section, "-X", xml}
	case 3, 4:
		return []string{"-M", "-c", "-o", section, "-X", xml}
	case 5:
		return []string{"-M", "-o", section, "-X", xml}
	case 6:
		return []string{"-R", "-o", section, "-X", xml}
	case 7:
		return []string{"-D", "-o", section, "-X", xml}
	case 8:
		return []string{"-D", "-A", g.xpath()}
	case 9:
		return []string{"-D", "-d", "--force", "-A", g.xpath()}
	case 10:
		return []string{"-M", "-A", g.xpath(), "-X", g.pick(g.nvpair(), xml)}
	case 11:
		expr := g.xpath()
		if expr == "/cib" { // the original's daemon does not survive it
			expr = "//nosuch"
		}
		return []string{"-R", "-A", expr, "-X", g.pick(g.nvpair(), xml)}
	}
	return []string{g.pick("-B", "-R", "-D"), "-o", section, "-X", "<" + section + "/>"}
}

// query is a call that changes nothing; every node must answer it alike.
func (g cibRequests) query() []string {
	return [][]string{
		{"-Q", "-A", g.xpath()}, {"-Q", "-A", g.xpath(), "-e"}, {"-Q", "-A", g.xpath(), "-n"}, {"-Q", "-o", g.pick("resources", "nodes", "tags", "status", "alerts")},
		{"-Q", "-n"}, {"-Q", "-A", "//@id"}, {"-Q", "-A", "count(//nvpair)"}, {"-Q", "-A", "//["},
	}[g.r.IntN(8)]
}

// TestCIBMixed has random requests carried out by a cluster of both daemons: all
// nodes come to the same CIB, and both daemons give the same answers.
func TestCIBMixed(t *testing.T) {
	l := mixedCIB(t)
	nodes := l.Members()
	rounds := 6
	if os.Getenv("E2E_LONG") != "" {
		rounds = 100
	}
	on(t, nodes[0], "crm_attribute", "-n", "stonith-enabled", "-v", "false")
	for seed := range uint64(rounds) {
		g := cibRequests{rand.New(rand.NewPCG(seed, 11))}
		var done []string
		for range 8 {
			call := g.call()
			n := nodes[g.r.IntN(len(nodes))]
			res := on(t, n, append([]string{"cibadmin", "--force"}, call...)...)
			done = append(done, fmt.Sprintf("%s: cibadmin %q -> %d %s", n.Name(), call, res.Code, strings.TrimSpace(res.Stderr)))
		}
		requireSame(t, l, fmt.Sprintf("seed %d:\n%s", seed, strings.Join(done, "\n")))
		for range 2 {
			q := append([]string{"cibadmin", "--local"}, g.query()...)
			var want, got lab.Result
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			// The DC may write to the status section between two calls: a difference counts when it stays.
			if lab.Wait(ctx, "the same answer", func() bool { want, got = on(t, nodes[1], q...), on(t, nodes[0], q...); return got == want }) != nil {
				t.Errorf("seed %d: %q:\n ours   %+v\n theirs %+v", seed, q, got, want)
			}
			cancel()
		}
	}
	compareDigests(t, l)
}

// compareDigests looks at the digests on disk and on the wire, which Debian's tools compute.
func compareDigests(t *testing.T, l *lab.Lab) {
	t.Helper()
	nodes := l.Members()
	on(t, nodes[2], "cibadmin", "-C", "-o", "crm_config", "-X", `<cluster_property_set id="other"><nvpair id="o" name="o" value="&lt;&#10;ä"/></cluster_property_set>`)
	requireSame(t, l, "a change")
	var sums []string
	for _, n := range nodes {
		var sum string
		testwait.For(t, 20*time.Second, n.Name()+" writes its file", func() bool {
			computed := on(t, n, "cibadmin", "-5", "-x", "/var/lib/pacemaker/cib/cib.xml")
			sum = strings.TrimSpace(computed.Stdout)
			return on(t, n, "cat", "/var/lib/pacemaker/cib/cib.xml.sig").Stdout == sum && strings.Contains(on(t, n, "cat", "/var/lib/pacemaker/cib/cib.xml").Stdout, `id="other"`)
		})
		versioned := on(t, n, "sh", "-c", "cibadmin -Q --local >/tmp/c.xml && cibadmin -6 -x /tmp/c.xml")
		sums = append(sums, versioned.Stdout)
	}
	if sums[0] != sums[1] || sums[2] != sums[1] {
		t.Errorf("%q", sums)
	}
}

const cibDir = "/var/lib/pacemaker/cib"

// logged waits for a line in a node's log.
func logged(t *testing.T, n *lab.Node, what string) {
	t.Helper()
	testwait.For(t, 40*time.Second, n.Name()+" logs "+what, func() bool {
		b, err := os.ReadFile(n.Path("/var/log/pacemaker/pacemaker.log"))
		return err == nil && strings.Contains(string(b), what)
	})
}

// TestCIBFiles: a full disk, a spoilt file and files of the other daemon, and what
// the operator is told.
func TestCIBFiles(t *testing.T) {
	labtest.Pacemaker(t)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Ours: []string{based}}, {}}})
	ours, theirs := l.Members()[0], l.Members()[1]
	on(t, ours, "sh", "-c", "mount -t tmpfs -o size=256k tmpfs "+cibDir+" && chown hacluster:haclient "+cibDir+" && chmod 750 "+cibDir)
	labtest.Start(t, l)
	change := func(name string) {
		t.Helper()
		if res := on(t, ours, "crm_attribute", "-n", name, "-v", "1"); res.Code != 0 {
			t.Fatalf("%+v", res)
		}
	}
	saved := func(n *lab.Node, what string) {
		t.Helper()
		testwait.For(t, 40*time.Second, n.Name()+" writes "+what, func() bool {
			return strings.Contains(on(t, n, "cat", cibDir+"/cib.xml").Stdout, `name="`+what+`"`)
		})
	}
	change("before")
	saved(ours, "before")
	on(t, ours, "sh", "-c", "dd if=/dev/zero of="+cibDir+"/fill bs=1k 2>/dev/null")
	change("full")
	logged(t, ours, "no space left on device")
	if strings.Contains(on(t, ours, "cat", cibDir+"/cib.xml").Stdout, `name="full"`) {
		t.Error("written to a full disk")
	}
	if !strings.Contains(localCIB(t, ours), `name="full"`) {
		t.Error("the change is not in effect")
	}
	on(t, ours, "rm", cibDir+"/fill")
	saved(ours, "full") // without any further change
	change("after")
	saved(ours, "after")

	ctx := labtest.Context(t, 4*time.Minute)
	stop := func(n *lab.Node) {
		t.Helper()
		if err := n.Stop(ctx, lab.PartPacemaker); err != nil {
			t.Fatal(err)
		}
	}
	restart := func(n *lab.Node) {
		t.Helper()
		if err := n.Start(ctx, lab.PartPacemaker); err != nil {
			t.Fatal(err)
		}
		if _, err := n.WaitDC(ctx); err != nil {
			t.Fatal(err)
		}
	}
	stop(ours)
	stop(theirs)
	on(t, ours, "sh", "-c", "sed -i s/after/AFTER/ "+cibDir+"/cib.xml")
	restart(ours)
	logged(t, ours, "digest does not match")
	logged(t, ours, "Continuing with last valid configuration archive")
	if cib := localCIB(t, ours); !strings.Contains(cib, `name="full"`) || strings.Contains(cib, "AFTER") {
		t.Errorf("it went on with\n%s", cib)
	}
	change("again")
	saved(ours, "again")
	stop(ours)

	// Debian's daemon starts from what ours left, and ours from what Debian's left.
	pass := func(from, to *lab.Node) {
		t.Helper()
		tar := on(t, from, "sh", "-c", "cd "+cibDir+" && tar cf - cib.xml cib.xml.sig | base64 -w0")
		if res, err := to.ExecInput(ctx, tar.Stdout, "sh", "-c", "cd "+cibDir+" && rm -f * && base64 -d | tar xpf -"); err != nil {
			t.Fatalf("%+v %v", res, err)
		}
		restart(to)
		if !strings.Contains(localCIB(t, to), `name="again"`) {
			t.Errorf("%s does not know what %s left", to.Name(), from.Name())
		}
		stop(to)
	}
	pass(ours, theirs)
	pass(theirs, ours)
}
