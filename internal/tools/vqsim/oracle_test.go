package vqsim

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/config/osenv"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/testwait"
)

var scripts = flag.Int("scripts", 1, "TestOriginal: random scripts for each configuration")

// original is Debian's corosync-vqsim with its pipes.
type original struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

// tell gives it a line and returns what it says until the next prompt, the line
// itself left out. Nothing else is said before the prompt.
func (o *original) tell(line string) string {
	if _, err := io.WriteString(o.in, line+"\n"); err != nil {
		o.t.Fatal(err)
	}
	return strings.TrimPrefix(o.prompt(), line+"\n")
}

func (o *original) prompt() string {
	var b []byte
	for !bytes.HasSuffix(b, []byte("#vqsim> ")) {
		c, err := o.out.ReadByte()
		if err != nil {
			o.t.Fatalf("the original ended: %v after %q", err, b)
		}
		b = append(b, c)
	}
	return strings.TrimSuffix(string(b), "#vqsim> ")
}

// step is a random command that the state of a simulation allows.
func step(r *rand.Rand, c *cluster, nodes int) string {
	var up, down []uint32
	for id := uint32(1); id <= uint32(nodes); id++ {
		if c.find(id) != nil {
			up = append(up, id)
		} else {
			down = append(down, id)
		}
	}
	switch n := r.IntN(10); {
	case n < 3 && len(up) > 1:
		return fmt.Sprintf("down %d", up[r.IntN(len(up))])
	case n < 6 && len(down) > 0:
		return fmt.Sprintf("up %d:%d", r.IntN(2), down[r.IntN(len(down))])
	case n < 8:
		to := r.IntN(3)
		return fmt.Sprintf("join %d %d", to, (to+1+r.IntN(2))%3) // one with itself never ends in the original
	}
	return fmt.Sprintf("split %d:%d,%d", r.IntN(3), 1+r.IntN(nodes), 1+r.IntN(nodes))
}

// attempts: Debian's nodes are processes, and who hears of whom before it decides
// is theirs to settle: with wait_for_all one run in six ends with another answer.
const attempts = 5

// TestOriginal runs random scripts on Debian's simulator and ours: once Debian's
// nodes have settled, the states are the same after every command.
func TestOriginal(t *testing.T) {
	program := testneed.Program(t, "corosync-vqsim")
	for i, c := range []struct {
		nodes   int
		options []string
	}{
		{3, nil}, {4, []string{"auto_tie_breaker: 1"}}, {5, []string{"wait_for_all: 1"}},
		{4, []string{"auto_tie_breaker: 1", "auto_tie_breaker_node: highest", "wait_for_all: 1"}}, {2, []string{"two_node: 1"}},
	} {
		for j := range *scripts {
			t.Run(fmt.Sprintf("%d %s %d", c.nodes, strings.Join(c.options, " "), j), func(t *testing.T) {
				t.Chdir(t.TempDir())
				writeConf(t, "c", c.nodes, c.options...)
				different := ""
				for range attempts {
					different = compare(t, program, rand.New(rand.NewPCG(uint64(i), uint64(j))), c.nodes)
					if different == "" {
						return
					}
				}
				t.Error(different)
			})
		}
	}
}

// settleLimit is how long Debian's nodes have to come to the state of ours.
const settleLimit = 4 * time.Second

// compare runs one script on both; it returns what differs.
func compare(t *testing.T, name string, r *rand.Rand, nodes int) string {
	cmd := exec.Command(name, "-c", "c") // it takes no longer path
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Its nodes are processes that do not end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() }()
	theirs := &original{t, in, bufio.NewReader(out)}
	theirs.prompt()

	m, err := config.Parse(osenv.Env{}, "c")
	if err != nil {
		t.Fatal(err)
	}
	var states bytes.Buffer
	mine := &program{out: io.Discard, errs: io.Discard, states: &states, c: newCluster(m, io.Discard, io.Discard, func(*node) {})}
	mine.begin(time.Now())
	var said []string // commands so far
	for range 8 {
		states.Reset()
		mine.show()
		got, begun := "", time.Now()
		testwait.For(t, 2*settleLimit, "the original to answer", func() bool {
			got = settled(theirs.tell("show"))
			return got == states.String() || time.Since(begun) > settleLimit
		})
		if got != states.String() {
			return fmt.Sprintf("after %q:\n%sours:\n%s", said, got, states.String())
		}
		line := step(r, mine.c, nodes)
		said = append(said, line)
		mine.take(time.Now(), line)
		theirs.tell(line)
	}
	return ""
}

// settled leaves out that nodes went, which is said between states.
func settled(show string) string {
	var b strings.Builder
	for line := range strings.Lines(show) {
		if !strings.Contains(line, ": Quit (") {
			b.WriteString(line)
		}
	}
	return b.String()
}
