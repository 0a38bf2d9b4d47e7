package pcmk

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// dailyCalls is a day of an administrator: pcs, crmsh and Pacemaker's own tools,
// looking and changing. "~" before a line: only its exit status is compared,
// because it tells times or orders that two clusters never share.
const dailyCalls = `pcs status
pcs status --full
pcs quorum status
pcs status nodes
pcs status resources
pcs status xml
pcs resource
pcs resource status
pcs resource config
pcs resource relations d
pcs resource create e ocf:pacemaker:Dummy op monitor interval=10s
pcs resource create e ocf:pacemaker:Dummy
pcs resource create bad ocf:pacemaker:NoSuchAgent
pcs resource update e meta priority=5
pcs resource disable e
pcs resource status e
pcs resource enable e
pcs resource move g n2
pcs resource clear g
pcs resource ban c n1
pcs constraint
pcs resource clear c
pcs resource meta e resource-stickiness=7
pcs resource unmanage e
pcs resource manage e
~pcs resource cleanup
~pcs resource cleanup e
~pcs resource refresh e
pcs resource failcount show
pcs resource group add g e
pcs resource group remove g e
pcs resource clone e
pcs resource unclone e
pcs resource utilization
pcs resource op defaults update timeout=30s
pcs resource defaults update resource-stickiness=50
pcs resource delete e
pcs constraint location d prefers n1=100
pcs constraint order d then c
pcs constraint colocation add d with g 50
pcs constraint config
pcs node standby n2
pcs status nodes
pcs node unstandby n2
pcs node maintenance n2
pcs node unmaintenance n2
pcs node attribute n1 rack=7
pcs node attribute
pcs property set no-quorum-policy=stop
pcs property config
pcs property unset no-quorum-policy
pcs stonith
pcs stonith status
pcs stonith config
pcs stonith update power-n1 pcmk_delay_base=1
pcs stonith level add 1 n1 power-n1
pcs stonith level
pcs stonith level clear
pcs stonith history
pcs cluster verify
~pcs cluster cib
~crm status
crm configure verify
crm configure show
crm configure primitive h ocf:pacemaker:Dummy op monitor interval=10s
crm configure show h
crm resource stop h
crm resource status h
crm resource start h
crm resource meta h set priority 3
crm resource param h set fake x
crm resource locate h
crm configure delete --force h
crm node show
crm node standby n2
crm node online n2
crm node attribute n1 set floor 3
crm node attribute n1 show floor
crm configure property maintenance-mode=true
crm configure property maintenance-mode=false
crm configure show xml
crm_mon -1
~crm_mon -1 -r -f -A -n -R
=crm_mon --output-as=xml
cibadmin --query --scope configuration
crm_resource -L
crm_resource -W -r d
crm_resource -q -r g
~crm_resource -O
crm_attribute -n cluster-name -G
crm_attribute -N n1 -n rack -G
crm_standby -G -N n1
crm_failcount -G -r d -N n1
attrd_updater -n live -U 5
attrd_updater -n live -A -Q
crm_node -l
crm_node -n
crm_node -q
crmadmin -N
crmadmin -S n1
stonith_admin -L
stonith_admin -l n1
stonith_admin -H *
crm_verify -LV
crm_simulate -LS
`

// dailyCIB is a cluster in use.
func dailyCIB(nodes []*lab.Node) string {
	config := fencedCIB(nodes)
	return strings.Replace(config, `</resources>`, `<group id="g"><primitive id="g1" class="ocf" provider="pacemaker" type="Dummy"/><primitive id="g2" class="ocf" provider="pacemaker" type="Dummy"/></group>`+
		`<clone id="c"><primitive id="cc" class="ocf" provider="pacemaker" type="Dummy"/></clone></resources>`, 1)
}

// dailyMasks hides what differs between two runs of one cluster.
func dailyMasks() []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, m := range []string{
		`[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d 20\d\d( [-+]\d\d:\d\d)?`, `20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d ?[-+Z0-9:]*`,
		`cib-last-written="[^"]*"`, ` (epoch|num_updates|admin_epoch)="\d+"`, ` (queued|exec|last-run|call|last-rc-change)="[^"]*"`, `(exec|queue)-time=\S+`, ` \d+ms\b`, `-rc-change='[^']*'`,
		`cluster_name: \S+|cluster-name"? ?value="\S+"|cluster-name[=:] ?\S+|Cluster name: \S+`, `t\d+-daily-(ours|debian)`, `Current DC: n\d( \(\d\))?`, `<current_dc [^>]*>`, `Ring ID:\s+\S+`, `Call cib_\w+ \(\d+\)`, `call=\d+`, `transition \d+`, `[0-9a-f]{32}`,
		`<cib crm_feature_set[^>]*>`, `last-lrm-refresh"?[=: ]+(value=)?"?\d+`, ` (is_dc|dc-uuid)="[^"]*"`, `\* cc\t.*Started n\d`,
	} {
		out = append(out, regexp.MustCompile(m))
	}
	return out
}

// TestDaily: an administrator's day with Debian's pcs, crmsh and tools, on
// Debian's daemons and on ours at once: call by call, what they say and how they
// end is the same.
func TestDaily(t *testing.T) {
	labtest.Long(t, "TestMistakes, which has pcs status and crm status")
	labtest.Need(t, "/usr/sbin/pcs", "/usr/sbin/crm")
	calls := strings.Split(strings.TrimSpace(dailyCalls), "\n")
	theirs, ours := newDay(t, lab.Debian), newDay(t, lab.Ours)
	same := 0
	for _, line := range calls {
		wants := make(chan outcome, 1)
		go func() { wants <- theirs.call(line) }()
		got := ours.call(line)
		want := <-wants
		switch line[0] {
		case '~':
			want, got = outcome{status: want.status}, outcome{status: got.status}
		case '=':
			want.stdout, got.stdout = sorted(want.stdout), sorted(got.stdout)
		}
		if got != want {
			t.Errorf("%s: status %d, on Debian's daemons %d:\n%s", line, got.status, want.status, firstDifference(want, got))
			continue
		}
		same++
	}
	t.Logf("RESULT %d of %d calls of pcs, crm and Pacemaker's tools say the same on our daemons as on Debian's", same, len(calls))
}

// sorted puts lines in order: histories are told as the original's hash table has them.
func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// day is a cluster of two nodes with the daemons of one half.
type day struct {
	n     *lab.Node
	ctx   context.Context
	masks []*regexp.Regexp
}

func newDay(t *testing.T, half lab.Impl) *day {
	t.Helper()
	d := &day{ctx: labtest.Context(t, 50*time.Minute), masks: dailyMasks()}
	spec := lab.NodeSpec{Corosync: half, Pacemaker: half}
	l := labtest.Up(t, lab.Options{Name: fmt.Sprintf("t%d-daily-%v", os.Getpid(), half), Nodes: []lab.NodeSpec{spec, spec}, Files: []lab.File{lab.FenceAgent()}})
	power, err := l.ServePower()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { power.Close() })
	d.n = l.Members()[0]
	// In both clusters the node that begins has to be the DC.
	if err := l.StartRing(d.ctx, l.Members()...); err != nil {
		t.Fatal(err)
	}
	if err := d.n.Start(d.ctx, lab.PartPacemaker); err != nil {
		t.Fatal(err)
	}
	if _, err := d.n.WaitDC(d.ctx); err != nil {
		t.Fatal(err)
	}
	labtest.Start(t, l)
	load(t, d.ctx, d.n, dailyCIB(l.Members()))
	testwait.For(t, 60*time.Second, "both nodes to be online", func() bool {
		return strings.Contains(on(t, d.n, "crm_mon", "-1").Stdout, "Online: [ n1 n2 ]")
	})
	return d
}

// call runs a line once the cluster has nothing to do.
func (d *day) call(line string) outcome {
	if res, err := d.n.Exec(d.ctx, "crm_resource", "--wait", "--timeout=90s"); err != nil {
		return outcome{-1, "", "the cluster does not come to rest: " + res.Stderr}
	}
	args := append([]string{"env", "HOME=/run", "timeout", "50"}, strings.Fields(strings.TrimLeft(line, "~="))...)
	res, _ := d.n.Exec(d.ctx, args...) // the status counts
	return outcome{res.Code, d.mask(res.Stdout), d.mask(res.Stderr)}
}

func (d *day) mask(s string) string {
	for _, m := range d.masks {
		s = m.ReplaceAllString(s, "*")
	}
	return s
}
