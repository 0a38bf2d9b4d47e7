package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// TestHogs: four processes that take the processors and one that takes memory
// do not cost the ring its token of 1000 ms. How long a message takes round the
// ring meanwhile, which is mostly how late three loops wake, is printed beside the original's.
func TestHogs(t *testing.T) {
	long := os.Getenv("E2E_LONG") != ""
	span := 8 * time.Second
	if long {
		span = 10 * time.Minute
	}
	for _, m := range mixes() {
		if len(m.ours) != 0 && len(m.ours) != 3 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, span+2*time.Minute)
			hog, rtt := clientProgram(t, "hog"), clientProgram(t, "rtt")
			l := startMix(t, ctx, m, lab.Conf{Totem: []string{"token: 1000"}})
			n := l.Node("n1")
			before := n.Membership(ctx).Ring
			formed := map[string]int{} // length of each log when the ring was there
			for _, n := range l.Members() {
				log, err := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
				if err != nil {
					t.Fatal(err)
				}
				formed[n.Name()] = len(log)
			}
			for _, args := range [][]string{{hog, "cpu"}, {hog, "cpu"}, {hog, "cpu"}, {hog, "cpu"}, {hog, "memory", "1024"}} {
				cmd, err := n.Command(ctx, args...)
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				go cmd.Wait() // ends with the node
			}
			// The client is a bystander of the highest priority: what it waits for is the daemons.
			res, err := n.Exec(ctx, "chrt", "-r", "50", rtt, fmt.Sprint(span.Seconds()))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("RESULT %s, %v under hogs: round the ring, microseconds: %s", m.name, span, strings.TrimSpace(res.Stdout))
			if after := n.Membership(ctx).Ring; after != before {
				t.Errorf("the ring changed from %s to %s", before, after)
			}
			for _, n := range l.Members() {
				log, err := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
				if err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(string(log[formed[n.Name()]:])) {
					if strings.Contains(line, "A processor failed") || strings.Contains(line, "Token has not been received") || strings.Contains(line, "was not scheduled for") {
						t.Errorf("%s logged: %s", n.Name(), line)
					}
				}
			}
		})
	}
}
