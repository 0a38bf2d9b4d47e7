package pcmk

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labbmc"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/testwait"
)

// fencedNet is the network of the BMCs; the ring's is 0.
const fencedNet = 1

// fenceDevice is a fence device for one node.
func fenceDevice(id, agent, node string, params ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<primitive id=%q class="stonith" type=%q><instance_attributes id="%s-p"><nvpair id="%s-l" name="pcmk_host_list" value=%q/>`, id, agent, id, id, node)
	for i := 0; i+1 < len(params); i += 2 {
		fmt.Fprintf(&b, `<nvpair id="%s-%s" name=%q value=%q/>`, id, params[i], params[i], params[i+1])
	}
	fmt.Fprintf(&b, `</instance_attributes><operations><op id="%s-m" name="monitor" interval="20s" timeout="20s"/></operations></primitive>`, id)
	return b.String()
}

// fenceCIB is a configuration of devices, each kept off its own target, and levels.
func fenceCIB(devices, levels string) string {
	return `<configuration><crm_config><cluster_property_set id="cib-bootstrap-options">
 <nvpair id="opt-stonith" name="stonith-enabled" value="true"/><nvpair id="opt-action" name="stonith-action" value="off"/>
 </cluster_property_set></crm_config><resources>` + devices + `</resources><fencing-topology>` + levels + `</fencing-topology></configuration>`
}

func load(t *testing.T, ctx context.Context, n *lab.Node, xml string) {
	t.Helper()
	if _, err := n.ExecInput(ctx, xml, "cibadmin", "--modify", "--allow-create", "--scope", "configuration", "--xml-pipe"); err != nil {
		t.Fatal(err)
	}
}

// started waits until that many fence devices run.
func started(t *testing.T, ctx context.Context, n *lab.Node, count int) {
	t.Helper()
	testwait.For(t, 60*time.Second, "the fence devices to start", func() bool {
		r, err := n.Exec(ctx, "crm_mon", "-1", "--output-as=xml")
		return err == nil && strings.Count(r.Stdout, `role="Started"`) >= count
	})
}

// fencedMix builds a cluster in which some nodes have our fencer, and the
// daemons that E2E_OURS names.
func fencedMix(t *testing.T, networks int, ours ...string) *lab.Lab {
	t.Helper()
	labtest.Pacemaker(t)
	specs := make([]lab.NodeSpec, 3)
	for i := range specs {
		for _, name := range ours {
			if name == fmt.Sprintf("n%d", i+1) {
				specs[i].Ours = append([]string{"pacemaker-fenced"}, strings.Fields(os.Getenv("E2E_OURS"))...)
			}
		}
	}
	l := labtest.Up(t, lab.Options{Nodes: specs, Networks: networks, Files: []lab.File{lab.FenceAgent()}})
	labtest.Start(t, l)
	return l
}

// admin runs Debian's stonith_admin and wants an exit status.
func admin(t *testing.T, ctx context.Context, n *lab.Node, want int, args ...string) string {
	t.Helper()
	r, err := n.Exec(ctx, append([]string{"stonith_admin"}, args...)...)
	if r.Code != want {
		t.Errorf("%s: stonith_admin %v: exit status %d, want %d (%v)\n%s%s", n.Name(), args, r.Code, want, err, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// wantHistory waits until every node remembers a success.
func wantHistory(t *testing.T, ctx context.Context, nodes []*lab.Node, target string) {
	t.Helper()
	for _, n := range nodes {
		out := ""
		testwait.For(t, 20*time.Second, n.Name()+" to remember the fencing of "+target, func() bool {
			r, err := n.Exec(ctx, "stonith_admin", "--history", target, "--output-as=xml")
			out = r.Stdout
			return err == nil && strings.Contains(out, `target="`+target+`"`) && strings.Contains(out, `status="success"`)
		})
	}
}

// rejoin brings a fenced node back.
func rejoin(t *testing.T, ctx context.Context, n *lab.Node) {
	t.Helper()
	testwait.For(t, 20*time.Second, n.Name()+" to be off", func() bool { return !n.On() })
	if err := n.PowerOn(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(ctx, lab.PartAll); err != nil {
		t.Fatal(err)
	}
	if _, err := n.WaitDC(ctx); err != nil {
		t.Fatal(err)
	}
}

func fencedMixes(t *testing.T) [][]string {
	if os.Getenv("E2E_LONG") != "" {
		return [][]string{{"n1"}, {"n1", "n2"}, {"n1", "n2", "n3"}}
	}
	return [][]string{{"n1", "n2"}} // TestFencedKilled has ours alone
}

// TestFencedMixed: with our fencer on some nodes, orders to fence come from
// nodes with ours and with Debian's, are executed by both, and are remembered by
// all; a node that is cut off is fenced by the cluster itself.
func TestFencedMixed(t *testing.T) {
	for _, ours := range fencedMixes(t) {
		t.Run(strings.Join(ours, ""), func(t *testing.T) {
			l := fencedMix(t, 1, ours...)
			power, err := l.ServePower()
			if err != nil {
				t.Fatal(err)
			}
			defer power.Close()
			ctx := labtest.Context(t, 4*time.Minute)
			n := l.Members()
			var devices strings.Builder
			for _, m := range n {
				devices.WriteString(fenceDevice("f-"+m.Name(), "fence_lab", m.Name()))
			}
			load(t, ctx, n[0], fenceCIB(devices.String(), ""))
			started(t, ctx, n[0], 3)
			fenceStory(t, ctx, l, power)
		})
	}
}

func fenceStory(t *testing.T, ctx context.Context, l *lab.Lab, power *lab.PowerSwitch) {
	t.Helper()
	n := l.Members()
	for _, m := range n {
		if err := m.CheckOrigins(); err != nil {
			t.Error(err)
		}
		if out := admin(t, ctx, m, 0, "--list", "n3"); !strings.Contains(out, "f-n3") {
			t.Errorf("%s: devices for n3: %s", m.Name(), out)
		}
		admin(t, ctx, m, 105, "--fence", "n9", "--timeout", "5")
	}
	// An order from each side; and one from the target itself, which another conducts.
	for _, order := range [...]struct{ from, target int }{{0, 2}, {2, 1}, {2, 2}} {
		from, target := n[order.from], n[order.target]
		since := time.Now()
		t.Logf("%s fences %s", from.Name(), target.Name())
		if from == target {
			_, _ = from.Exec(ctx, "stonith_admin", "--fence", target.Name(), "--timeout", "40") // it may die before the answer
		} else {
			admin(t, ctx, from, 0, "--fence", target.Name(), "--timeout", "40")
		}
		testwait.For(t, 30*time.Second, target.Name()+" to be switched off", func() bool {
			_, off := power.Off(target.Name(), since)
			return off
		})
		rest := others(n, target)
		wantHistory(t, ctx, rest, target.Name())
		rejoin(t, ctx, target)
		wantHistory(t, ctx, n, target.Name())
	}
	sameAdmin(t, ctx, n[0])
	sameAdmin(t, ctx, n[2])
	since := time.Now()
	if err := l.Cut("n2", lab.Any); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 60*time.Second, "the cluster to fence n2", func() bool {
		_, off := power.Off("n2", since)
		return off
	})
	wantHistory(t, ctx, others(n, n[1]), "n2")
}

// sameAdmin compares our stonith_admin with the original on a running cluster.
func sameAdmin(t *testing.T, ctx context.Context, n *lab.Node) {
	t.Helper()
	ours := filepath.Join(labtest.Bin(t), "stonith_admin")
	for _, args := range []string{"-L", "-L --output-as=xml", "-l n3", "-l n9", "-s f-n1", "-s nosuch", "-Q f-n1", "-Q nosuch", "-H n3", "-H n3 -V", "-H * -V",
		"-H * --output-as=xml -V", "-H n3 -q", "-H n9", "-h n3", "-h n9", "-h 3 -n", "-h n3 --output-as=xml", "-H * -b", "-F n9 -t 5", "-U n9 -t 5 --output-as=xml",
		"-R x -a nosuch", "-D x", "-r n9 -i 1 -v a", "-d n9 -i 1", "-r n9 -i 12 -v a", "-H n3 --output-as=html"} {
		fields := strings.Fields(args)
		want, _ := n.Exec(ctx, append([]string{"/usr/sbin/stonith_admin"}, fields...)...)
		got, _ := n.Exec(ctx, append([]string{ours}, fields...)...)
		clean := func(r lab.Result) string {
			return strings.ReplaceAll(strings.ReplaceAll(r.Stdout+r.Stderr, ours, "TOOL"), "/usr/sbin/stonith_admin", "TOOL")
		}
		if got.Code != want.Code || clean(got) != clean(want) {
			t.Errorf("%s: stonith_admin %s: exit status %d, original %d\n%s\noriginal:\n%s", n.Name(), args, got.Code, want.Code, clean(got), clean(want))
		}
	}
}

// TestAdminOffline compares help, version, errors and what needs no fencer.
func TestAdminOffline(t *testing.T) {
	labtest.Need(t, "/usr/sbin/stonith_admin", "/usr/sbin/fence_ipmilan")
	ours := filepath.Join(labtest.Bin(t), "stonith_admin")
	for _, args := range []string{"--help", "--help-all", "--help-fence", "--help-queries", "--help-definition", "--help-additional", "--help-output", "--version",
		"--version --output-as=xml", "--version --output-as=html", "", "--bogus", "-q", "-R x", "-R x --output-as=xml", "-M", "-M -a nosuch",
		"-M -a fence_ipmilan", "-M -a fence_ipmilan --output-as=xml", "-I", "-I --output-as=xml", "-I --output-as=html", "-K", "-K -a nosuch", "-K -a nosuch --output-as=xml",
		"-K -a fence_ipmilan -o ip=1.2.3.4", "-K -a fence_ipmilan -o ip=1.2.3.4 --output-as=html", "-o x", "-o x=", "-o =x", "-e NOSUCH -L",
		"-t x -L", "--output-as=foo -L", "--output-to=/nonexistent/x -L"} {
		want, got := onFile(t, "/usr/sbin/stonith_admin", "", strings.Fields(args)...), onFile(t, ours, "", strings.Fields(args)...)
		if got != want {
			t.Errorf("stonith_admin %s: status %d, want %d:\n%s", args, got.status, want.status, firstDifference(want, got))
		}
	}
}

func others(n []*lab.Node, not *lab.Node) []*lab.Node {
	var out []*lab.Node
	for _, m := range n {
		if m != not {
			out = append(out, m)
		}
	}
	return out
}

// TestFencedKilled: a fencer that dies is started again and knows its devices;
// nothing is fenced for it. Then a topology: the first level fails, the second,
// of two devices, is done as off, off, on, on.
func TestFencedKilled(t *testing.T) {
	labtest.Long(t, "TestDaemonKills and TestFencedIPMI")
	l := fencedMix(t, 1, "n1", "n2", "n3")
	power, err := l.ServePower()
	if err != nil {
		t.Fatal(err)
	}
	defer power.Close()
	ctx := labtest.Context(t, 4*time.Minute)
	n := l.Members()
	fail := lab.File{Path: "/usr/sbin/fence_never", Mode: 0o755, Content: neverAgent}
	for _, m := range n {
		if err := m.AddFile(fail); err != nil {
			t.Fatal(err)
		}
	}
	load(t, ctx, n[0], fenceCIB(fenceDevice("never", "fence_never", "n3")+fenceDevice("a", "fence_lab", "n3")+fenceDevice("b", "fence_lab", "n3"),
		`<fencing-level id="l1" target="n3" index="1" devices="never"/><fencing-level id="l2" target-pattern="^n[0-9]$" index="2" devices="none"/>`+
			`<fencing-level id="l3" target="n3" index="3" devices="a,b"/>`))
	started(t, ctx, n[0], 3)
	for _, m := range n {
		p, ok := m.Program("pacemaker-fenced")
		if !ok {
			t.Fatalf("%s: no fencer", m.Name())
		}
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		testwait.For(t, 30*time.Second, "a new fencer", func() bool {
			now, ok := m.Program("pacemaker-fenced")
			return ok && now.PID != p.PID
		})
		testwait.For(t, 30*time.Second, "its devices", func() bool {
			r, err := m.Exec(ctx, "stonith_admin", "-L")
			return err == nil && strings.Contains(r.Stdout, "3 fence devices")
		})
	}
	started(t, ctx, n[0], 3)
	if e := power.Events(); len(e) > 0 {
		t.Errorf("fenced without need: %v", e)
	}
	admin(t, ctx, n[0], 0, "--reboot", "n3", "--timeout", "40")
	var did []string
	for _, e := range power.Events() {
		did = append(did, e.Action)
	}
	if got := strings.Join(did, " "); got != "off off on on" {
		t.Errorf("the power switch did %q", got)
	}
	wantHistory(t, ctx, n[:2], "n3")
}

// neverAgent fails at what counts.
const neverAgent = `#!/bin/bash
while read -r line; do case $line in action=*) action=${line#*=};; esac; done
case $action in
metadata) echo '<resource-agent name="fence_never"><parameters><parameter name="plug"/></parameters><actions><action name="off"/><action name="on"/><action name="reboot"/><action name="monitor"/><action name="metadata"/></actions></resource-agent>';;
monitor) ;;
*) echo "out of order" >&2; exit 1;;
esac
`

// TestFencedIPMI: fence_ipmilan within our fencer, against the BMCs of the lab.
// What fails there is in TestMistakes.
func TestFencedIPMI(t *testing.T) {
	l := fencedMix(t, 2, "n1", "n2")
	rack, err := labbmc.Serve(l, fencedNet)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	ctx := labtest.Context(t, 4*time.Minute)
	n := l.Members()
	var devices strings.Builder
	for _, m := range n {
		devices.WriteString(fenceDevice("ipmi-"+m.Name(), "fence_ipmilan", m.Name(),
			"ip", rack.Addr(m), "username", labbmc.User, "password", labbmc.Password, "lanplus", "1"))
	}
	load(t, ctx, n[0], fenceCIB(devices.String(), ""))
	started(t, ctx, n[0], 3)
	since := time.Now()
	admin(t, ctx, n[0], 0, "--fence", "n3", "--timeout", "40")
	if _, off := rack.Off("n3", since); !off {
		t.Error("n3 was not switched off by its BMC")
	}
	wantHistory(t, ctx, n[:2], "n3")
}

// TestFencedSuite runs Pacemaker's own regression suite for the fencer with our
// fencer, stonith_admin and cts-fence-helper. Takes 5 minutes.
func TestFencedSuite(t *testing.T) {
	labtest.Pacemaker(t)
	if os.Getenv("E2E_LONG") == "" {
		t.Skip("takes 5 minutes: E2E_LONG=1")
	}
	cts := testneed.Suites(t)
	dir := t.TempDir()
	fill := func(from, to string) {
		b, err := os.ReadFile(filepath.Join(cts, from))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("@PYTHON@", "/usr/bin/python3", "@abs_top_builddir@", "/nonexistent", "@CRM_SCHEMA_DIRECTORY@", "/usr/share/pacemaker",
			"@PCMK__COROSYNC_CONF@", "/etc/corosync/corosync.conf", "@CRM_DAEMON_DIR@", "/usr/lib/pacemaker").Replace(string(b))
		if err := os.WriteFile(filepath.Join(dir, to), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	fill("cts-fencing.in", "cts-fencing")
	for _, variant := range []string{"", "_auto_unfence", "_no_reboot", "_no_on"} {
		fill("support/fence_dummy.in", "fence_dummy"+variant)
	}
	if err := os.WriteFile(filepath.Join(dir, "run"), []byte(suiteScript), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(labtest.Context(t, 15*time.Minute), "unshare", "-m", "-n", "-p", "-u", "-i", "-f", "--mount-proc", "--kill-child",
		filepath.Join(dir, "run"), dir, labtest.Bin(t))
	out, err := cmd.CombinedOutput()
	_, sum, found := strings.Cut(string(out), "FINAL RESULTS")
	if err != nil || !found || !strings.Contains(sum, "Fail:0") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Log(sum)
}

// suiteScript makes a machine of namespaces in which the suite may write and kill.
const suiteScript = `#!/bin/bash
set -e
dir=$1 bin=$2
mount --make-rprivate /
for d in /dev/shm /run /var/log; do mount -t tmpfs tmpfs $d; done
mkdir -p /run/lock /run/crm /run/resource-agents /var/log/pacemaker /var/log/corosync /var/log/cluster
chown hacluster:haclient /run/crm
mount -t tmpfs tmpfs /mnt
for d in usr/sbin usr/lib/pacemaker etc/corosync var/lib/corosync var/lib/pacemaker; do
	n=/mnt/${d//\//_}; mkdir -p $n.u $n.w
	mount -t overlay overlay -o lowerdir=/$d,upperdir=$n.u,workdir=$n.w /$d
done
rm -f /etc/corosync/corosync.conf # the suite writes its own
cp $dir/fence_dummy* $bin/stonith_admin /usr/sbin/
cp $bin/pacemaker-fenced $bin/cts-fence-helper /usr/lib/pacemaker/
printf '#!/bin/sh\nexit 0\n' >/usr/lib/pacemaker/cts-support; chmod 755 /usr/lib/pacemaker/cts-support
ip link set lo up; hostname ctsnode
cd $dir && exec python3 -W ignore ./cts-fencing
`
