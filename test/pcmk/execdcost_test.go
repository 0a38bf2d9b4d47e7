package pcmk

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// execdCost has the executor alone run 200 monitors a second for a while and
// says how many rounds there were and what they cost, in ticks of 10 ms.
const execdCost = `set -e
helper="$1 cts-exec-helper"
printf '#!/bin/sh\nprintf x >>/run/count; exit 0\n' >/run/quick; chmod 755 /run/quick
mkdir -p /usr/lib/ocf/resource.d/test; cp /run/quick /usr/lib/ocf/resource.d/test/quick
/usr/lib/pacemaker/pacemaker-execd >/dev/null 2>&1 & daemon=$!
for i in $(seq 200); do $helper -c register_rsc -r r$i -C ocf -P test -T quick >/dev/null; done
for i in $(seq 200); do $helper -c exec -r r$i -a monitor -i 1s -t 20000 -w -o >/dev/null; done
ticks() { awk '{print $14 + $15, $16 + $17}' /proc/$daemon/stat; }
read a b < <(ticks); : >/run/count
sleep 30
runs=$(stat -c %s /run/count); read c d < <(ticks)
kill $daemon
echo "$runs $((c - a)) $((d - b))"
`

// TestExecutorCost measures recurring monitors with both executors. What counts
// is the cost of one round, in the daemon and in its children.
func TestExecutorCost(t *testing.T) {
	labtest.Pacemaker(t)
	if os.Getenv("E2E_LONG") == "" {
		t.Skip("a measurement: E2E_LONG=1")
	}
	ctx := labtest.Context(t, 6*time.Minute)
	cost := func(ours ...string) (daemon, children float64) {
		l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Ours: ours}}})
		r, err := l.Members()[0].Exec(ctx, "bash", "-c", execdCost, "cost", labtest.Bin(t)+"/pacesync")
		var runs, own, child float64
		lines := strings.Split(strings.TrimSpace(r.Stdout), "\n")
		if _, scan := fmt.Sscan(lines[len(lines)-1], &runs, &own, &child); err != nil || scan != nil || runs == 0 {
			t.Fatalf("%v: %s%s", err, r.Stdout, r.Stderr)
		}
		t.Logf("%v: %.0f rounds in 30 s, %.3f ms each in the daemon, %.3f ms in its children", ours, runs, 10*own/runs, 10*child/runs)
		return own / runs, child / runs
	}
	theirs, theirChildren := cost()
	ours, ourChildren := cost("pacemaker-execd")
	if ours > theirs || ourChildren > theirChildren {
		t.Errorf("a round costs more than with Debian's executor: %.2f of its CPU, %.2f in children", ours/theirs, ourChildren/theirChildren)
	}
}
