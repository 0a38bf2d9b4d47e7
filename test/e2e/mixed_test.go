package e2e

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testneed"
)

// messages is how many each node sends.
func messages() int {
	if os.Getenv("E2E_LONG") != "" {
		return 10000
	}
	return 150
}

// TestMixedOrder: all nodes send at once, messages of 1 byte to 1 MiB; every
// byte is right and the order is the same everywhere.
func TestMixedOrder(t *testing.T) {
	for _, m := range ringMixes() {
		t.Run(m.name, func(t *testing.T) {
			limit := 2*time.Minute + time.Duration(messages())*50*time.Millisecond
			ctx := labtest.Context(t, limit)
			load := clientProgram(t, "load")
			l := startMix(t, ctx, m, lab.Conf{})
			sendAndCompare(t, ctx, l.Members(), load, messages(), limit)
		})
	}
}

// TestMixedIPv6: rings of IPv6 over every transport. Short runs have udp, whose
// group is made from the cluster's name for either family.
func TestMixedIPv6(t *testing.T) {
	if !lab.IPv6() {
		testneed.Missing(t, "IPv6 in the kernel")
	}
	transports, mixes := []string{"udp"}, mixedOnly()
	if os.Getenv("E2E_LONG") != "" {
		transports = []string{"udp", "udpu", "knet"}
	} else {
		mixes = mixes[len(mixes)-1:]
	}
	for _, transport := range transports {
		for _, m := range over(transport, mixes) {
			t.Run(m.name, func(t *testing.T) {
				const count, limit = 60, time.Minute
				ctx := labtest.Context(t, 2*limit)
				load := clientProgram(t, "load")
				m.ipv6 = true
				l := startMix(t, ctx, m, lab.Conf{})
				sendAndCompare(t, ctx, l.Members(), load, count, limit)
				for _, n := range l.Members() {
					res, err := n.Exec(ctx, "corosync-cmapctl", "-g", fmt.Sprintf("runtime.members.%d.ip", n.ID()))
					if err != nil || !strings.Contains(res.Stdout, "ip("+n.Addr6(0)+")") {
						t.Errorf("%s: %v, %s; want its address %s", n.Name(), err, res.Stdout, n.Addr6(0))
					}
				}
			})
		}
	}
}

// TestMixedGroup: udp as a broadcast, and with a group, port and reach of its own.
func TestMixedGroup(t *testing.T) {
	labtest.Long(t, "TestMixedOrder")
	for _, c := range []struct {
		name  string
		lines []string
	}{{"broadcast", []string{"broadcast: yes"}}, {"given", []string{"mcastaddr: 239.255.7.7", "mcastport: 6405", "ttl: 5"}}} {
		for _, m := range over("udp", mixedOnly()) {
			t.Run(c.name+"-"+m.name, func(t *testing.T) {
				const count, limit = 60, time.Minute
				ctx := labtest.Context(t, 2*limit)
				load := clientProgram(t, "load")
				l := startMix(t, ctx, m, lab.Conf{Interfaces: [][]string{c.lines}})
				sendAndCompare(t, ctx, l.Members(), load, count, limit)
			})
		}
	}
}

var loadRE = regexp.MustCompile(`sent=(\d+) delivered=(\d+) bad=(\d+) digest=([0-9a-f]+)`)

// sendAndCompare runs clients/load on all nodes and compares what they deliver.
func sendAndCompare(t *testing.T, ctx context.Context, nodes []*lab.Node, load string, count int, limit time.Duration) {
	t.Helper()
	for i, said := range sendInGroup(t, ctx, "order", nodes, load, count, limit) {
		t.Logf("%s: %s", nodes[i].Name(), said)
	}
}

// sendInGroup is sendAndCompare in a group of that name, for those who do it again and again; it returns what the clients said.
func sendInGroup(t *testing.T, ctx context.Context, group string, nodes []*lab.Node, load string, count int, limit time.Duration) []string {
	t.Helper()
	results := make([]string, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			res, err := n.Exec(ctx, load, group, strconv.Itoa(len(nodes)), strconv.Itoa(count), fmt.Sprint(limit.Seconds()))
			results[i] = res.Stdout
			if err != nil {
				t.Errorf("%s: %v\n%s%s", n.Name(), err, res.Stdout, res.Stderr)
			}
		})
	}
	wg.Wait()
	want := ""
	for i, n := range nodes {
		f := loadRE.FindStringSubmatch(results[i])
		if f == nil {
			t.Errorf("%s said %q", n.Name(), results[i])
			continue
		}
		if f[1] != strconv.Itoa(count) || f[2] != strconv.Itoa(count*len(nodes)) || f[3] != "0" {
			t.Errorf("%s: %s; want %d sent, %d delivered, none bad", n.Name(), results[i], count, count*len(nodes))
		}
		if want == "" {
			want = f[4]
		}
		if f[4] != want {
			t.Errorf("%s delivered in another order than %s: digest %s, want %s", n.Name(), nodes[0].Name(), f[4], want)
		}
	}
	return results
}
