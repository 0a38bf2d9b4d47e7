// Command bench measures our corosync beside Debian's: the same ring of nodes
// on one machine, the same C client, turn and turn about, medians and ratios. It
// prints a table in Markdown; docs/performance.md keeps what was measured.
// `make bench` runs it. It needs root and the packages of the tests.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
)

// cell is one line of a table: over which transport, what is measured, and its unit.
type cell struct {
	over  string
	name  string
	unit  string
	lower bool // less is better
}

// bench is one run of the program.
type bench struct {
	nodes, rounds int
	span          time.Duration
	sizes         []int
	clients       string // folder of the compiled C clients
	bin           string // folder of our binary
	over          []string
	cells         []cell
	results       map[cell]map[lab.Impl][]float64
}

func main() {
	b := bench{results: map[cell]map[lab.Impl][]float64{}}
	sizes := flag.String("sizes", "64,1024,8192,65536,1000000", "message sizes in bytes")
	flag.IntVar(&b.nodes, "nodes", 3, "nodes of the ring")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds; the median counts")
	flag.DurationVar(&b.span, "time", 2*time.Second, "time of one measurement")
	flag.StringVar(&b.bin, "bin", "bin", "folder with our pacesync")
	over := flag.String("over", "udpu,knet,knet+aes256+sha256", "transports of the ring; knet with cipher and hash")
	flag.Parse()
	b.over = strings.Split(*over, ",")
	for _, s := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1<<20 {
			fail(fmt.Errorf("size %q: want 1 to 1048576", s))
		}
		b.sizes = append(b.sizes, n)
	}
	if err := lab.Possible(); err != nil {
		fail(err)
	}
	if err := b.run(context.Background()); err != nil {
		fail(err)
	}
	b.print()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// run measures round by round, each round both implementations, so that what else
// the machine does meets both.
func (b *bench) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "pacesync-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b.clients = dir
	for _, src := range []string{"test/bench/clients/flood.c", "test/e2e/clients/rtt.c"} {
		out := filepath.Join(dir, strings.TrimSuffix(filepath.Base(src), ".c"))
		if text, err := exec.Command("gcc", "-O2", "-o", out, src, "-lcpg").CombinedOutput(); err != nil {
			return fmt.Errorf("gcc %s: %w\n%s", src, err, text)
		}
	}
	for round := range b.rounds {
		for _, over := range b.over {
			for _, impl := range []lab.Impl{lab.Debian, lab.Ours} {
				fmt.Fprintf(os.Stderr, "round %d of %d: %s, %v\n", round+1, b.rounds, over, impl)
				if err := b.measure(ctx, over, impl); err != nil {
					return fmt.Errorf("%s, %v: %w", over, impl, err)
				}
			}
		}
	}
	return nil
}

// conf is the configuration of a ring: udpu, knet, or knet+CIPHER+HASH.
func conf(over string) (lab.Conf, error) {
	parts := strings.Split(over, "+")
	c := lab.Conf{Transport: parts[0]}
	switch len(parts) {
	case 1:
	case 3:
		c.Totem = []string{"crypto_cipher: " + parts[1], "crypto_hash: " + parts[2]}
	default:
		return c, fmt.Errorf("-over %q: want udpu, knet or knet+CIPHER+HASH", over)
	}
	return c, nil
}

// measure boots a ring of one implementation and fills its cells.
func (b *bench) measure(ctx context.Context, over string, impl lab.Impl) error {
	c, err := conf(over)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute+time.Duration(len(b.sizes)+1)*(b.span+15*time.Second))
	defer cancel()
	o := lab.Options{Name: "bench", Bin: b.bin, Replace: true}
	for range b.nodes {
		o.Nodes = append(o.Nodes, lab.NodeSpec{Corosync: impl})
	}
	for _, c := range []string{"flood", "rtt"} {
		o.Files = append(o.Files, lab.File{Path: "/usr/bin/bench-" + c, Mode: 0o755, Source: filepath.Join(b.clients, c)})
	}
	l, err := lab.Up(ctx, o)
	if err != nil {
		return err
	}
	defer l.Down()
	if err := l.WriteConf(c); err != nil {
		return err
	}
	if err := l.StartRing(ctx, l.Members()...); err != nil {
		return err
	}
	if impl == lab.Ours {
		if err := l.Members()[0].CheckOrigins(); err != nil {
			return err
		}
	}
	if err := b.memory(l, over, impl); err != nil {
		return err
	}
	if err := b.latency(ctx, l, over, impl); err != nil {
		return err
	}
	for _, size := range b.sizes {
		if err := b.flood(ctx, l, over, impl, size); err != nil {
			return err
		}
	}
	return nil
}

// flood measures the rate of one sender and what a message costs all daemons together.
func (b *bench) flood(ctx context.Context, l *lab.Lab, over string, impl lab.Impl, size int) error {
	before, err := cpu(l)
	if err != nil {
		return err
	}
	out, err := b.client(ctx, l, "flood", strconv.Itoa(size), fmt.Sprint(b.span.Seconds()))
	if err != nil {
		return err
	}
	after, err := cpu(l)
	if err != nil {
		return err
	}
	b.add(cell{over, fmt.Sprintf("messages of %d bytes", size), "1/s", false}, impl, out["messages"]/out["seconds"])
	b.add(cell{over, fmt.Sprintf("CPU of all daemons per message of %d bytes", size), "µs", true}, impl, (after-before).Seconds()*1e6/max(1, out["all"]))
	return nil
}

// latency measures the way of one message round an idle ring.
func (b *bench) latency(ctx context.Context, l *lab.Lab, over string, impl lab.Impl) error {
	out, err := b.client(ctx, l, "rtt", fmt.Sprint(b.span.Seconds()))
	if err != nil {
		return err
	}
	for _, p := range []string{"p50", "p99"} {
		if v, ok := out[p]; ok {
			b.add(cell{over, "64 bytes there and back, idle ring, " + p, "µs", true}, impl, v)
		}
	}
	return nil
}

// memory notes the resident memory of one daemon.
func (b *bench) memory(l *lab.Lab, over string, impl lab.Impl) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.Members()[0].Daemon(lab.PartCorosync)))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "VmRSS:" {
			kib, _ := strconv.ParseFloat(f[1], 64)
			b.add(cell{over, "resident memory of a daemon", "MiB", true}, impl, kib/1024)
		}
	}
	return nil
}

// client runs a C client on the first node and reads its line of key=value.
func (b *bench) client(ctx context.Context, l *lab.Lab, args ...string) (map[string]float64, error) {
	// Above everything but the daemons, so that what else the machine does disturbs neither.
	args = append([]string{"chrt", "-r", "1", "/usr/bin/bench-" + args[0]}, args[1:]...)
	res, err := l.Members()[0].Exec(ctx, args...)
	if err != nil {
		return nil, err
	}
	if res.Code != 0 {
		return nil, fmt.Errorf("%s: status %d: %s%s", strings.Join(args, " "), res.Code, res.Stdout, res.Stderr)
	}
	out := map[string]float64{}
	for _, f := range strings.Fields(res.Stdout) {
		if k, v, ok := strings.Cut(f, "="); ok {
			out[k], _ = strconv.ParseFloat(v, 64)
		}
	}
	return out, nil
}

// cpu is the time that all daemons of the lab have used so far.
func cpu(l *lab.Lab) (time.Duration, error) {
	var sum time.Duration
	for _, n := range l.Members() {
		used, err := n.CPU(lab.PartCorosync)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

func (b *bench) add(c cell, impl lab.Impl, v float64) {
	if b.results[c] == nil {
		b.results[c] = map[lab.Impl][]float64{}
		b.cells = append(b.cells, c)
	}
	b.results[c][impl] = append(b.results[c][impl], v)
}

// print writes a table for each transport; a ratio above 1 is in our favour.
func (b *bench) print() {
	for _, over := range b.over {
		fmt.Printf("\n%d nodes over %s on one machine, %d rounds of %v, medians\n\n", b.nodes, over, b.rounds, b.span)
		fmt.Println("| what | unit | Debian's | ours | ratio (above 1: ours is better) |")
		fmt.Println("|---|---|---|---|---|")
		for _, c := range b.cells {
			if c.over != over {
				continue
			}
			theirs, ours := median(b.results[c][lab.Debian]), median(b.results[c][lab.Ours])
			ratio := ours / theirs
			if c.lower {
				ratio = theirs / ours
			}
			fmt.Printf("| %s | %s | %.4g | %.4g | %.2f |\n", c.name, c.unit, theirs, ours, ratio)
		}
	}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if len(s) == 0 {
		return 0
	}
	return s[len(s)/2]
}
