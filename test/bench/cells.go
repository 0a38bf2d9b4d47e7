package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
)

// measurement is one thing that can be asked for with -what.
type measurement struct {
	name  string
	nodes int // it needs a ring of so many
	run   func(context.Context, *running) error
}

// measurements is the list, in the order in which they are made: what changes
// the ring comes last.
func measurements() []measurement {
	return []measurement{
		{"memory", 1, memory},
		{"idle", 1, idle},
		{"latency", 1, latency},
		{"one", 1, oneSender},
		{"all", 2, allSenders},
		{"membership", 3, membership},
	}
}

func names() []string {
	var out []string
	for _, m := range measurements() {
		out = append(out, m.name)
	}
	return out
}

// running is a ring of one implementation that is being measured.
type running struct {
	*bench
	ring
	lab   *lab.Lab
	impl  lab.Impl
	nodes []*lab.Node
}

// add notes a value of one cell.
func (r *running) add(name, unit string, lower bool, v float64) {
	c := cell{r.ring, name, unit, lower}
	if r.results[c] == nil {
		r.results[c] = map[lab.Impl][]float64{}
		r.cells = append(r.cells, c)
	}
	r.results[c][r.impl] = append(r.results[c][r.impl], v)
}

// memory notes the resident memory of one daemon, alone and with 20 clients.
func memory(ctx context.Context, r *running) error {
	kib, err := resident(r.nodes[0])
	if err != nil {
		return err
	}
	r.add("resident memory of a daemon", "MiB", true, kib/1024)
	cmd, err := r.nodes[0].Command(ctx, "/usr/bin/bench-hold", "20")
	if err != nil {
		return err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ready, err := bufio.NewReader(out).ReadString('\n')
	if err == nil && ready == "ready\n" {
		kib, err = resident(r.nodes[0])
	}
	in.Close()
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return err
	}
	r.add("resident memory with 20 clients", "MiB", true, kib/1024)
	return nil
}

func resident(n *lab.Node) (kib float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Daemon(lab.PartCorosync)))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "VmRSS:" {
			return strconv.ParseFloat(f[1], 64)
		}
	}
	return 0, errors.New("no VmRSS in /proc/PID/status")
}

// idleSpan is how long an idle ring is watched: processor times count in steps of 10 ms.
const idleSpan = 10 * time.Second

// idle measures what a daemon costs that has nothing to do.
func idle(ctx context.Context, r *running) error {
	before, err := cpu(r.nodes)
	if err != nil {
		return err
	}
	select {
	case <-time.After(idleSpan):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := cpu(r.nodes)
	if err != nil {
		return err
	}
	r.add("CPU of an idle daemon", "ms per s", true, (after-before).Seconds()*1000/idleSpan.Seconds()/float64(len(r.nodes)))
	return nil
}

// latency measures the way of one message round the ring: idle, one after the
// other, and while the last node sends.
func latency(ctx context.Context, r *running) error {
	last := r.nodes[len(r.nodes)-1]
	for _, c := range []struct {
		name  string
		pause string
		load  []string // of flood
	}{
		{"daemons asleep (one in 50 ms)", "50", nil},
		{"idle ring", "2", nil},
		{"one after the other", "0", nil},
		{"beside 1000 messages of 1024 bytes a second", "2", []string{"-r", "1000"}},
		{"beside a flood of 1024 bytes", "2", []string{}},
	} {
		stop := func() {}
		if c.load != nil {
			var err error
			if stop, err = r.load(ctx, last, c.load...); err != nil {
				return err
			}
		}
		out, err := r.client(ctx, r.nodes[0], "rtt", fmt.Sprint(r.span.Seconds()), c.pause)
		stop()
		if err != nil {
			return err
		}
		for _, p := range []string{"p50", "p99"} {
			r.add("64 bytes there and back, "+c.name+", "+p, "µs", true, out[p])
		}
	}
	return nil
}

// load starts a flood on a node; what it returns ends it.
func (r *running) load(ctx context.Context, n *lab.Node, options ...string) (stop func(), err error) {
	args := append([]string{"/usr/bin/bench-flood", "-g", "load"}, options...)
	ctx, cancel := context.WithCancel(ctx)
	cmd, err := n.Command(ctx, append(args, "1024", "600")...)
	if err != nil {
		cancel()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	return func() { cancel(); cmd.Wait() }, nil
}

// oneSender measures the rate of one sender and what a message costs all daemons together.
func oneSender(ctx context.Context, r *running) error {
	return r.flood(ctx, "one sender", r.nodes[:1])
}

// allSenders measures the same with a sender on each node.
func allSenders(ctx context.Context, r *running) error {
	return r.flood(ctx, "all senders", r.nodes)
}

// flood measures each size with these senders; the rate is what the first of them
// has delivered from all.
func (r *running) flood(ctx context.Context, who string, senders []*lab.Node) error {
	for _, size := range r.sizes {
		before, err := cpu(r.nodes)
		if err != nil {
			return err
		}
		out := make([]map[string]float64, len(senders))
		errs := make([]error, len(senders))
		var wg sync.WaitGroup
		for i, n := range senders {
			wg.Go(func() {
				out[i], errs[i] = r.client(ctx, n, "flood", "-n", strconv.Itoa(len(senders)), strconv.Itoa(size), fmt.Sprint(r.span.Seconds()))
			})
		}
		wg.Wait()
		after, err := cpu(r.nodes)
		if err := errors.Join(append(errs, err)...); err != nil {
			return err
		}
		var all float64
		for _, o := range out {
			all += o["all"]
		}
		r.add(fmt.Sprintf("messages of %d bytes, %s", size, who), "1/s", false, out[0]["everyone"]/out[0]["seconds"])
		r.add(fmt.Sprintf("CPU of all daemons per message of %d bytes, %s", size, who), "µs", true, (after-before).Seconds()*1e6/max(1, all))
	}
	return nil
}

// client runs a C client on a node and reads its line of key=value.
func (r *running) client(ctx context.Context, n *lab.Node, name string, args ...string) (map[string]float64, error) {
	// Above everything but the daemons, so that what else the machine does disturbs neither.
	res, err := n.Exec(ctx, append([]string{"chrt", "-r", "1", "/usr/bin/bench-" + name}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("%s: %s %s: %w", n.Name(), name, strings.Join(args, " "), err)
	}
	out := map[string]float64{}
	for _, f := range strings.Fields(res.Stdout) {
		if k, v, ok := strings.Cut(f, "="); ok {
			out[k], _ = strconv.ParseFloat(v, 64)
		}
	}
	return out, nil
}

// cpu is the time that the daemons of the nodes have used so far.
func cpu(nodes []*lab.Node) (time.Duration, error) {
	var sum time.Duration
	for _, n := range nodes {
		used, err := n.CPU(lab.PartCorosync)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}
