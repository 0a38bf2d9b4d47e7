// Command bench measures our corosync beside Debian's: the same ring of nodes
// on one machine, the same C client, turn and turn about, medians and ratios. It
// prints a table in Markdown for each transport and number of nodes;
// docs/performance.md keeps what was measured. `make bench` runs it. It needs root
// and the packages of the tests.
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

// ring is what one table is about.
type ring struct {
	over  string // transport; knet also with cipher and hash, see conf
	nodes int
}

// cell is one line of a ring's table: what is measured, and its unit.
type cell struct {
	ring
	name  string
	unit  string
	lower bool // less is better
}

// bench is one run of the program.
type bench struct {
	rounds  int
	span    time.Duration
	sizes   []int
	clients string // folder of the compiled C clients
	bin     string // folder of our binary
	rings   []ring
	what    []measurement
	cells   []cell
	results map[cell]map[lab.Impl][]float64
}

func main() {
	b := bench{results: map[cell]map[lab.Impl][]float64{}}
	sizes := flag.String("sizes", "64,1024,8192,65536,1000000", "message sizes in bytes")
	nodes := flag.String("nodes", "3", "sizes of the rings, such as 1,3,5")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds; the median counts")
	flag.DurationVar(&b.span, "time", 2*time.Second, "time of one measurement")
	flag.StringVar(&b.bin, "bin", "bin", "folder with our pacesync")
	over := flag.String("over", "udpu,knet,knet+aes256+sha256", "transports of the ring; knet with cipher and hash")
	what := flag.String("what", "memory,latency,one", "what is measured: "+strings.Join(names(), ", ")+", or everything")
	flag.Parse()
	if err := b.parse(*over, *nodes, *sizes, *what); err != nil {
		fail(err)
	}
	if err := lab.Possible(); err != nil {
		fail(err)
	}
	err := b.run(context.Background())
	b.print() // what was measured before an error, too
	if err != nil {
		fail(err)
	}
}

// parse takes the lists of the command line.
func (b *bench) parse(over, nodes, sizes, what string) error {
	counts, err := numbers("nodes", nodes, 16)
	if err != nil {
		return err
	}
	if b.sizes, err = numbers("sizes", sizes, 1<<20); err != nil {
		return err
	}
	for _, o := range strings.Split(over, ",") {
		if _, err := conf(o); err != nil {
			return err
		}
		for _, n := range counts {
			b.rings = append(b.rings, ring{o, n})
		}
	}
	for _, m := range measurements() {
		if what == "everything" || slices.Contains(strings.Split(what, ","), m.name) {
			b.what = append(b.what, m)
		}
	}
	for _, w := range strings.Split(what, ",") {
		if w != "everything" && !slices.Contains(names(), w) {
			return fmt.Errorf("-what %q: want %s, or everything", w, strings.Join(names(), ", "))
		}
	}
	return nil
}

// numbers reads a list of numbers from 1 to a limit.
func numbers(option, list string, limit int) ([]int, error) {
	var out []int
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > limit {
			return nil, fmt.Errorf("-%s %q: want 1 to %d", option, s, limit)
		}
		out = append(out, n)
	}
	return out, nil
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
	for _, src := range []string{"test/bench/clients/flood.c", "test/e2e/clients/hold.c", "test/e2e/clients/rtt.c", "test/e2e/clients/watch.c"} {
		out := filepath.Join(dir, strings.TrimSuffix(filepath.Base(src), ".c"))
		if text, err := exec.Command("gcc", "-O2", "-o", out, src, "-lcpg", "-lquorum", "-lvotequorum").CombinedOutput(); err != nil {
			return fmt.Errorf("gcc %s: %w\n%s", src, err, text)
		}
	}
	for round := range b.rounds {
		for _, r := range b.rings {
			for _, impl := range []lab.Impl{lab.Debian, lab.Ours} {
				fmt.Fprintf(os.Stderr, "round %d of %d: %s, %d nodes, %v\n", round+1, b.rounds, r.over, r.nodes, impl)
				if err := b.measure(ctx, r, impl); err != nil {
					return fmt.Errorf("%s, %d nodes, %v: %w", r.over, r.nodes, impl, err)
				}
			}
		}
	}
	return nil
}

// conf is the configuration of a ring: udp, udpu, knet, or knet+CIPHER+HASH.
func conf(over string) (lab.Conf, error) {
	parts := strings.Split(over, "+")
	c := lab.Conf{Transport: parts[0]}
	switch {
	case len(parts) == 1 && slices.Contains([]string{"udp", "udpu", "knet"}, over):
	case len(parts) == 3 && parts[0] == "knet":
		c.Totem = []string{"crypto_cipher: " + parts[1], "crypto_hash: " + parts[2]}
	default:
		return c, fmt.Errorf("-over %q: want udp, udpu, knet or knet+CIPHER+HASH", over)
	}
	return c, nil
}

// measure boots a ring of one implementation and fills its cells.
func (b *bench) measure(ctx context.Context, r ring, impl lab.Impl) error {
	c, err := conf(r.over)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute+time.Duration(2*len(b.sizes))*(b.span+15*time.Second))
	defer cancel()
	o := lab.Options{Name: "bench", Bin: b.bin, Replace: true}
	for range r.nodes {
		o.Nodes = append(o.Nodes, lab.NodeSpec{Corosync: impl})
	}
	for _, c := range []string{"flood", "hold", "rtt", "watch"} {
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
	for _, m := range b.what {
		if r.nodes < m.nodes {
			continue
		}
		on := &running{bench: b, ring: r, lab: l, impl: impl, nodes: l.Members()}
		if err := m.run(ctx, on); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// print writes a table for each ring; a ratio above 1 is in our favour.
func (b *bench) print() {
	for _, r := range b.rings {
		fmt.Printf("\n%d nodes over %s on one machine, %d rounds of %v, medians\n\n", r.nodes, r.over, b.rounds, b.span)
		fmt.Println("| what | unit | Debian's | ours | ratio (above 1: ours is better) |")
		fmt.Println("|---|---|---|---|---|")
		for _, c := range b.cells {
			if c.ring != r {
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
