// Command scheduler measures our crm_simulate beside Debian's: processor time and
// memory of whole runs of the two programs, schema validation included, turn and
// turn about, on the same CIBs. What they say must be equal. It prints a table in
// Markdown; docs/performance.md keeps what was measured. `make bench` runs it.
package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/cibgen"
)

const original = "/usr/sbin/crm_simulate"

// job is one line of the table: one or several CIBs that are handled one by one.
type job struct {
	name  string
	files []string
	args  []string
	wish  string // what is wanted of the ratio
	slow  bool   // the original is measured once
	alone bool   // the original is not measured: it takes too long
}

// cost is what a job took.
type cost struct {
	cpu  time.Duration
	wall time.Duration
	mib  float64 // the most memory of one run
}

// bench is one run of the program.
type bench struct {
	rounds int
	only   string
	ours   string
	dir    string
	shared string
}

func main() {
	var b bench
	bin := flag.String("bin", "bin", "folder with our crm_simulate")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds; the median counts")
	flag.StringVar(&b.only, "only", "", "only jobs whose name has this in it")
	flag.StringVar(&b.shared, "shared", os.Getenv("PACESYNC_SHARED"), "folder with the conformance cases")
	flag.Parse()
	var err error
	if b.ours, err = filepath.Abs(filepath.Join(*bin, "crm_simulate")); err == nil {
		b.dir, err = os.MkdirTemp("", "pacesync-bench-")
	}
	if err == nil {
		defer os.RemoveAll(b.dir)
		err = b.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run() error {
	fmt.Printf("%d rounds, medians\n\n", b.rounds)
	fmt.Println("| what | Debian's: s of CPU | ours | ratio | wanted | Debian's: MiB at most | ours |")
	fmt.Println("|---|---|---|---|---|---|---|")
	jobs, err := b.jobs()
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if b.only != "" && !strings.Contains(j.name, b.only) {
			continue
		}
		if err := b.measure(j); err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
	}
	return nil
}

func (b *bench) jobs() (out []job, err error) {
	made := map[string]string{}
	file := func(name string, cib *xmltree.Node) []string {
		path := filepath.Join(b.dir, name+".xml")
		if made[name] == "" {
			made[name] = path
			if e := os.WriteFile(path, cib.AppendIndent(nil), 0o600); e != nil {
				err = e
			}
		}
		return []string{path}
	}
	mixed := func(nodes, n int) []string { return file(fmt.Sprintf("mixed-%d-%d", nodes, n), cibgen.Mixed(nodes, n)) }
	decide := []string{"-R"}
	out = append(out, job{name: "start of the tool (--version)", args: []string{"--version"}, files: []string{""}, wish: "at most 0.020 s"})
	for _, n := range []int{100, 200, 400, 800} {
		wish := map[int]string{200: "5", 800: "10"}[n]
		out = append(out, job{name: fmt.Sprintf("16 nodes, %d resources", n), files: mixed(16, n), args: decide, wish: wish})
	}
	out = append(out,
		job{name: "100 nodes, 200 resources", files: mixed(100, 200), args: decide},
		job{name: "16 nodes, 200 clones", files: file("clones", cibgen.Clones(16, 200)), args: decide, slow: true},
		job{name: "50 nodes, 1250 resources", files: mixed(50, 1250), args: decide, alone: true},
		job{name: "50 nodes, 5000 resources", files: mixed(50, 5000), args: decide, alone: true, wish: "at most 5 times the line above"},
		job{name: "the whole transition, 16 nodes, 100 resources", files: mixed(16, 100), args: []string{"-S"}, slow: true},
		job{name: "the whole transition, 16 nodes, 200 resources", files: mixed(16, 200), args: []string{"-S"}, slow: true, wish: "50"})
	if slowest, e := b.slowest(); e != nil {
		return nil, e
	} else if slowest != nil {
		out = append(out, job{name: "the ten slowest cases of the suite together", files: slowest, args: decide, wish: "5"})
	}
	return out, err
}

// slowest are the ten cases of the suite that take the original longest, of the
// forty largest; nil without the cases.
func (b *bench) slowest() ([]string, error) {
	if b.only != "" && !strings.Contains("the ten slowest cases of the suite together", b.only) {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(b.shared, "conformance", "scheduler", "xml", "*.xml"))
	if err != nil || len(files) == 0 {
		fmt.Fprintln(os.Stderr, "bench: no conformance cases: set PACESYNC_SHARED")
		return nil, err
	}
	type sized struct {
		name string
		size int64
		cpu  time.Duration
	}
	var list []sized
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return nil, err
		}
		list = append(list, sized{f, info.Size(), 0})
	}
	slices.SortFunc(list, func(a, b sized) int { return cmp.Compare(b.size, a.size) })
	list = list[:min(40, len(list))]
	for i := range list {
		c, _, err := b.once(original, list[i].name, []string{"-R"})
		if err != nil {
			return nil, err
		}
		list[i].cpu = c.cpu
	}
	slices.SortFunc(list, func(a, b sized) int { return cmp.Compare(b.cpu, a.cpu) })
	var out []string
	for _, s := range list[:min(10, len(list))] {
		out = append(out, s.name)
	}
	return out, nil
}

// measure runs both, round by round, so that what else the machine does meets both.
func (b *bench) measure(j job) error {
	var theirs, ours []cost
	for round := range b.rounds {
		var said [2][]byte
		if !j.alone && (round == 0 || !j.slow) {
			c, out, err := b.all(original, j)
			if err != nil {
				return err
			}
			theirs, said[0] = append(theirs, c), out
		}
		c, out, err := b.all(b.ours, j)
		if err != nil {
			return err
		}
		ours, said[1] = append(ours, c), out
		if said[0] != nil && !bytes.Equal(said[0], said[1]) {
			return fmt.Errorf("the two do not say the same")
		}
	}
	us := median(ours)
	if theirs == nil {
		fmt.Printf("| %s | | %.3f | | %s | | %.0f |\n", j.name, us.cpu.Seconds(), j.wish, us.mib)
		return nil
	}
	they := median(theirs)
	fmt.Printf("| %s | %.3f | %.3f | %.1f | %s | %.0f | %.0f |\n", j.name, they.cpu.Seconds(), us.cpu.Seconds(),
		they.cpu.Seconds()/us.cpu.Seconds(), j.wish, they.mib, us.mib)
	return nil
}

// all runs a program on every file of a job.
func (b *bench) all(program string, j job) (sum cost, said []byte, err error) {
	for _, f := range j.files {
		c, out, err := b.once(program, f, j.args)
		if err != nil {
			return sum, nil, err
		}
		sum.cpu += c.cpu
		sum.wall += c.wall
		sum.mib = max(sum.mib, c.mib)
		said = append(said, out...)
	}
	return sum, said, nil
}

func (b *bench) once(program, file string, args []string) (c cost, said []byte, err error) {
	if file != "" {
		args = append([]string{"-x", file}, args...)
	}
	cmd := exec.Command(program, args...)
	cmd.Args[0] = "crm_simulate"
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "CIB_shadow_dir="+b.dir)
	var out bytes.Buffer
	cmd.Stdout = &out
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return c, nil, fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	c.wall = time.Since(start)
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.mib = float64(u.Maxrss) / 1024
	}
	return c, out.Bytes(), nil
}

func median(v []cost) cost {
	s := slices.SortedFunc(slices.Values(v), func(a, b cost) int { return cmp.Compare(a.cpu, b.cpu) })
	return s[len(s)/2]
}
