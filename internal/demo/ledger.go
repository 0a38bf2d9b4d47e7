package demo

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
)

// entry is one line of the ledger, written by the agent ocf:pacesync:ledger on
// a node. Immutable.
type entry struct {
	at     time.Time
	node   string
	action string // start, stop
}

// readLedger reads what the agents have written so far.
func readLedger(path string) ([]entry, error) {
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	var out []entry
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 4 {
			return nil, fmt.Errorf("ledger: line %q: want TIME NODE RESOURCE ACTION", line)
		}
		at, err := parseEpoch(f[0])
		if err != nil {
			return nil, fmt.Errorf("ledger: line %q: %w", line, err)
		}
		out = append(out, entry{at, f[1], f[3]})
	}
	return out, nil
}

// parseEpoch reads bash's EPOCHREALTIME: seconds, a dot, six digits.
func parseEpoch(s string) (time.Time, error) {
	sec, frac, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(sec+frac, 10, 64)
	if err != nil || len(frac) != 6 {
		return time.Time{}, fmt.Errorf("time %q: want seconds with six decimals", s)
	}
	return time.UnixMicro(n), nil
}

// judge finds a time in which the group was active on two nodes. It was active
// on a node from "start" to "stop", or until the node's power was off.
func judge(entries []entry, power []lab.PowerEvent) error {
	active := map[string]time.Time{} // node: since when
	next := 0
	for _, e := range entries {
		for ; next < len(power) && !power[next].Time.After(e.at); next++ {
			if power[next].Action == "off" && power[next].Err == nil {
				delete(active, power[next].Node)
			}
		}
		switch e.action {
		case "stop":
			delete(active, e.node)
		case "start":
			for node, since := range active {
				if node != e.node {
					return fmt.Errorf("the group was active twice: on %s since %s and started on %s at %s",
						node, since.Format("15:04:05.000"), e.node, e.at.Format("15:04:05.000"))
				}
			}
			active[e.node] = e.at
		}
	}
	return nil
}

// watch looks at the nodes' address tables all the time, for a second opinion
// on where the address is that does not rest on agents.
type watch struct {
	stop chan struct{}
	done chan struct{}
	bad  error // owned by the watching goroutine until done is closed
	seen int
}

func startWatch(l *lab.Lab, addr string) *watch {
	w := &watch{stop: make(chan struct{}), done: make(chan struct{})}
	nodes := l.Members()
	go func() {
		defer close(w.done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.stop:
				return
			case <-tick.C:
			}
			w.look(nodes, addr)
		}
	}()
	return w
}

// look counts the nodes that have the address now. The tables are read one
// after the other, so a find on two nodes counts only if the first still has it.
func (w *watch) look(nodes []*lab.Node, addr string) {
	var have []*lab.Node
	for _, n := range nodes {
		if hasAddress(n, addr) {
			have = append(have, n)
		}
	}
	w.seen++
	if len(have) > 1 && hasAddress(have[0], addr) && w.bad == nil {
		w.bad = fmt.Errorf("the address %s was on %s and on %s at %s", addr, have[0].Name(), have[1].Name(), time.Now().Format("15:04:05.000"))
	}
}

// verdict ends the watch.
func (w *watch) verdict() error {
	close(w.stop)
	<-w.done
	if w.seen == 0 {
		return fmt.Errorf("the address was never looked for")
	}
	return w.bad
}

// hasAddress reads the node's table of local addresses (fib_trie) from outside.
func hasAddress(n *lab.Node, addr string) bool {
	pid := n.PID()
	if pid == 0 {
		return false
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/fib_trie", pid))
	if err != nil {
		return false
	}
	_, rest, ok := strings.Cut(string(b), "|-- "+addr+"\n")
	line, _, _ := strings.Cut(rest, "\n")
	return ok && strings.Contains(line, "host LOCAL")
}
