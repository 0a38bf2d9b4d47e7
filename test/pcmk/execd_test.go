package pcmk

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// execdDump is an agent that writes down what it is run with, and misbehaves on demand.
const execdDump = `#!/bin/bash
# mode=hang|crash|reason|left decides about start.
dir=/var/lib/pacemaker/execd-test; mkdir -p $dir
f=$dir/$OCF_RESOURCE_INSTANCE.$1
{
	env | grep -E '^(OCF|HA|PCMK|LC_ALL|CRM)_?' | sort
	echo "cwd=$PWD umask=$(umask) uid=$(id -u) stdin=$(readlink /proc/$$/fd/0)"
	echo "nice=$(nice) group=$([ "$(ps -o pgid= -p $$ | tr -d ' ')" = $$ ] && echo own || echo shared)"
	grep -E '^Sig(Blk|Ign)' /proc/self/status
	echo "limits=$(ulimit -n) $(ulimit -c)"
} >$f.new # whoever reads sees all of it or what was there before
mv $f.new $f
case $1 in
meta-data)
	cat <<X
<?xml version="1.0"?>
<resource-agent name="execdump" version="1"><version>1.1</version><parameters/>
<actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="10s"/><action name="meta-data" timeout="5s"/></actions></resource-agent>
X
	exit 0;;
start)
	case $OCF_RESKEY_mode in
	hang) sleep 100 & echo $! >$dir/hang.pid; wait;;
	crash) kill -SEGV $$;;
	reason) echo "first ocf-exit-reason:not this" >&2; echo "ocf-exit-reason:because of a test" >&2; exit 1;;
	left) sleep 60 & ;;
	esac
	touch $dir/$OCF_RESOURCE_INSTANCE.up; exit 0;;
stop) rm -f $dir/$OCF_RESOURCE_INSTANCE.up; exit 0;;
monitor) [ -e $dir/$OCF_RESOURCE_INSTANCE.up ] && exit 0; exit 7;;
esac
exit 3
`

// execdAlert is an alert agent that writes down who it is and what it is told,
// without what differs between any two runs.
const execdAlert = `#!/bin/sh
echo "uid=$(id -un) groups=$(id -Gn) cwd=$PWD $(env | grep -E '^CRM_(alert|notify)_' | grep -vE '_(timestamp|exec_time|node_sequence)' | sort | tr '\n' ' ')" >>/run/crm/alerts
[ -n "$CRM_alert_node_sequence" ] && [ "$CRM_alert_node_sequence" = "$CRM_notify_node_sequence" ] || echo "no sequence" >>/run/crm/alerts
`

// execdCIB has one resource of each kind of trouble.
func execdCIB() string {
	var b strings.Builder
	b.WriteString(`<configuration><crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="se" name="stonith-enabled" value="false"/></cluster_property_set></crm_config><resources>`)
	for _, mode := range []string{"good", "hang", "crash", "reason", "left"} {
		fmt.Fprintf(&b, `<primitive id=%q class="ocf" provider="test" type="execdump"><instance_attributes id="%s-p"><nvpair id="%s-mode" name="mode" value=%q/><nvpair id="%s-odd" name="odd" value="a &quot;b&quot; $c &amp; d"/></instance_attributes>`+
			`<operations><op id="%s-start" name="start" interval="0" timeout="3s"/><op id="%s-mon" name="monitor" interval="2s" timeout="10s"/></operations></primitive>`, mode, mode, mode, mode, mode, mode, mode)
	}
	b.WriteString(`<primitive id="lsb" class="lsb" type="execdlsb"/><primitive id="none" class="ocf" provider="test" type="nothere"/></resources>` +
		`<alerts><alert id="al" path="/usr/lib/ocf/resource.d/test/alert"><select><select_resources/></select><recipient id="al-r" value="somebody"/></alert></alerts></configuration>`)
	return b.String()
}

const execdLSB = "#!/bin/sh\ncase $1 in start) touch /run/execdlsb;; stop) rm -f /run/execdlsb;; status) [ -e /run/execdlsb ] || exit 3;; *) exit 3;; esac\n"

func execdCluster(t *testing.T, ours ...string) (*lab.Lab, *lab.Node, context.Context) {
	t.Helper()
	labtest.Pacemaker(t)
	ctx := labtest.Context(t, 4*time.Minute)
	l := labtest.Up(t, lab.Options{
		Nodes: []lab.NodeSpec{{Ours: ours}},
		Files: []lab.File{
			{Path: "/usr/lib/ocf/resource.d/test/execdump", Content: execdDump, Mode: 0o755},
			{Path: "/usr/lib/ocf/resource.d/test/alert", Content: execdAlert, Mode: 0o755},
			{Path: "/etc/init.d/execdlsb", Content: execdLSB, Mode: 0o755},
		},
	})
	labtest.Start(t, l)
	n := l.Members()[0]
	load(t, ctx, n, execdCIB())
	return l, n, ctx
}

// execdOutcome runs the cluster to rest and returns what the agents saw and how
// their operations ended, without what differs between any two runs.
func execdOutcome(t *testing.T, ours ...string) (env map[string]string, history string) {
	t.Helper()
	_, n, ctx := execdCluster(t, ours...)
	if len(ours) > 0 {
		if err := n.CheckOrigins(); err != nil {
			t.Error(err)
		}
	}
	if r, err := n.Exec(ctx, "crm_resource", "--wait", "-T", "100"); err != nil {
		t.Log(err, r.Stdout)
	}
	r, _ := n.Exec(ctx, "crm_mon", "-1", "-r")
	for _, id := range []string{"good\t(ocf:test:execdump)", "left\t(ocf:test:execdump)", "lsb\t(lsb:execdlsb)"} {
		if !strings.Contains(r.Stdout, id+":\t Started") {
			t.Fatalf("%s does not run:\n%s", id, r.Stdout)
		}
	}
	env = map[string]string{}
	for _, f := range []string{"good.start", "good.monitor", "good.meta-data", "hang.start"} {
		r, err := n.Exec(ctx, "cat", "/var/lib/pacemaker/execd-test/"+f)
		if err != nil {
			t.Errorf("%s: %v", f, err)
		}
		env[f] = r.Stdout
	}
	alerts, err := n.Exec(ctx, "sort", "-u", "/run/crm/alerts")
	if err != nil || !strings.Contains(alerts.Stdout, "CRM_alert_rsc=lsb") {
		t.Errorf("alerts: %v %s", err, alerts.Stdout)
	}
	env["alerts"] = alerts.Stdout
	if r, err := n.Exec(ctx, "bash", "-c", "kill -0 $(cat /var/lib/pacemaker/execd-test/hang.pid)"); err == nil {
		t.Errorf("what the agent had started outlives its timeout: %s", r.Stdout)
	}
	r, err = n.Exec(ctx, "cibadmin", "-Q", "--xpath", "//lrm_resources")
	if err != nil {
		t.Fatal(err)
	}
	history = execdHistory(r.Stdout)
	return env, history
}

// execdHistory is the resource history without times, numbers of calls and keys.
func execdHistory(xml string) string {
	var out []string
	for _, line := range strings.Split(xml, "\n") {
		if !strings.Contains(line, "<lrm_rsc_op ") {
			continue
		}
		var keep []string
		for _, name := range []string{"id", "operation_key", "operation", "exit-reason", "rc-code", "op-status", "interval"} {
			if _, rest, ok := strings.Cut(line, " "+name+`="`); ok {
				v, _, _ := strings.Cut(rest, `"`)
				keep = append(keep, name+"="+v)
			}
		}
		out = append(out, strings.Join(keep, " "))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// TestExecutor runs the same resources under Debian's executor and under ours,
// all else being Debian's: agents see the same environment, and the history the
// cluster keeps is the same.
func TestExecutor(t *testing.T) {
	theirEnv, theirs := execdOutcome(t)
	ourEnv, ours := execdOutcome(t, "pacemaker-execd")
	if ours != theirs {
		t.Errorf("history with our executor:\n%s\nwith Debian's:\n%s", ours, theirs)
	}
	for f, want := range theirEnv {
		if got := ourEnv[f]; got != want {
			t.Errorf("%s: environment with our executor:\n%s\nwith Debian's:\n%s", f, got, want)
		}
	}
}

// TestExecutorKilled: kill -9 of the executor; it comes back and the resources
// are untouched.
func TestExecutorKilled(t *testing.T) {
	labtest.Long(t, "TestDaemonKills")
	_, n, ctx := execdCluster(t, "pacemaker-execd")
	good := func() bool {
		r, _ := n.Exec(ctx, "crm_mon", "-1", "-r")
		return strings.Contains(r.Stdout, "good\t(ocf:test:execdump):\t Started")
	}
	testwait.For(t, 60*time.Second, "the resource to start", good)
	stamp := n.Path("/var/lib/pacemaker/execd-test/good.start")
	before, err := os.Stat(stamp)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := n.Program("pacemaker-execd")
	if !ok {
		t.Fatal("no executor runs")
	}
	proc, _ := os.FindProcess(p.PID)
	if err := proc.Kill(); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 60*time.Second, "the executor to come back", func() bool {
		again, ok := n.Program("pacemaker-execd")
		return ok && again.PID != p.PID
	})
	if _, err := n.WaitDC(ctx); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 60*time.Second, "the resource to be seen again", good)
	after, err := os.Stat(stamp)
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the resource was started again (%v)", err)
	}
}

// TestExecutorPrivileges: who is neither root nor hacluster can have nothing
// done, with Debian's executor and with ours; who is not in haclient does not
// even get in.
func TestExecutorPrivileges(t *testing.T) {
	labtest.Pacemaker(t)
	ctx := labtest.Context(t, 2*time.Minute)
	var answers []string
	for _, ours := range [][]string{nil, {"pacemaker-execd"}} {
		l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Ours: ours}}})
		n := l.Members()[0]
		var b strings.Builder
		script := `/usr/lib/pacemaker/pacemaker-execd >/dev/null 2>&1 & p=$!; trap "kill $p" EXIT
helper="$0 cts-exec-helper -t 3000"; for i in $(seq 50); do $helper -c get_recurring_ops >/dev/null && break; done
try() { echo "$2 $3: $(setpriv $1 $helper ${@:3} 2>&1)"; echo "status $?"; }
$helper -c register_rsc -r x -C ocf -P pacemaker -T Dummy
member="--reuid=65533 --regid=haclient --clear-groups"
for call in "register_rsc -r y -C ocf -P pacemaker -T Dummy" "get_rsc_info -r x" "exec -r x -a start" "cancel -r x -a start" "unregister_rsc -r x" get_recurring_ops; do
	try "$member" member -c $call
done
try "--reuid=hacluster --regid=haclient --clear-groups" hacluster -c get_rsc_info -r x
timeout 3 setpriv --reuid=65534 --regid=65534 --clear-groups $helper -c get_rsc_info -r x >/dev/null 2>&1; echo "nobody $?"`
		r, err := n.Exec(ctx, "bash", "-c", script, labtest.Bin(t)+"/pacesync")
		if err != nil {
			t.Fatalf("%v %s", err, r.Stderr)
		}
		b.WriteString(r.Stdout)
		answers = append(answers, b.String())
	}
	if answers[0] != answers[1] {
		t.Errorf("Debian's executor:\n%s\nours:\n%s", answers[0], answers[1])
	}
	if n := strings.Count(answers[1], "api_rc:-13"); n < 4 || !strings.Contains(answers[1], "hacluster") || !strings.Contains(answers[1], "RSC_INFO: id:x") || strings.Contains(answers[1], "nobody 0") {
		t.Errorf("%d refusals:\n%s", n, answers[1])
	}
}
