// Package vqsim is the program corosync-vqsim: a cluster of simulated nodes that
// shows what nodes that come and go and splits of the network do to quorum under
// a configuration. The multi-call binary calls Run.
//
// The nodes are those of package quorum/vote, which the daemon runs too. All of
// them live in this process, and what happens between them takes no time.
//
// Upstream: vqsim/*.c, corosync-vqsim(8).
package vqsim

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/config/osenv"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/libc"
)

const usage = `Usage:

%[1]s [-c <config-file>] [-o <output-file>]

    -c     config file. defaults to /etc/corosync/corosync.conf
    -o     output file. defaults to stdout
    -n     no synchronization (on adding a node)
    -h     display this help text

%[1]s always takes input from STDIN, but cannot use a file.
If you want to script it then use
 cat | %[1]s

`

// program is one run. Owned by the loop.
type program struct {
	out, errs io.Writer
	states    io.Writer // where states are shown: out, or the file of -o
	c         *cluster
	terminal  bool
	syncOff   bool
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	p := &program{out: e.Stdout, errs: e.Stderr, states: e.Stdout, terminal: terminal(e.Stdin)}
	file := config.DefaultFile
	opts := getopt.New(e.Argv0, applet.HelpArgs(e.Args), "c:o:nh", nil, e.Stderr)
	output := ""
	for c := opts.Next(); c != getopt.End; c = opts.Next() {
		switch c {
		case 'c':
			file = opts.Arg
		case 'o':
			output = opts.Arg
		case 'n':
			p.syncOff = true
		default:
			fmt.Fprintf(e.Stdout, usage, e.Argv0)
			return 0
		}
	}
	if output != "" {
		f, err := os.Create(output)
		if err != nil {
			p.complain("Unable to open %s for output: %s", output, libc.Strerror(err))
			return 3
		}
		defer f.Close()
		p.states = f
	}
	m, err := config.Parse(osenv.Env{}, file)
	if err != nil { // goes on with nothing, as the original does, which says nothing
		p.complain("%v", err)
		m = cmap.NewMap()
	}
	p.c = newCluster(m, p.out, p.errs, func(n *node) {
		if p.syncOff {
			p.showNode(n)
		}
	})
	p.begin(time.Now())
	p.loop(e.Stdin)
	return 0
}

func terminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && libc.Terminal(f)
}

func (p *program) complain(format string, args ...any) { fmt.Fprintf(p.errs, format+"\n", args...) }

// keyIs tells whether key is nodelist.node.POS.LEAF.
func keyIs(key, leaf string, pos *uint32) bool {
	var name string
	n, err := fmt.Sscanf(strings.ReplaceAll(key, ".", " "), "nodelist node %d %s", pos, &name)
	return err == nil && n == 2 && name == leaf
}

// begin starts the nodes of the configuration, in the order of its keys.
func (p *program) begin(now time.Time) {
	some := false
	for key := range p.c.config.All("nodelist.node.") {
		var pos uint32
		if !keyIs(key, "ring0_addr", &pos) {
			continue
		}
		if id, ok := p.c.config.U32(fmt.Sprintf("nodelist.node.%d.nodeid", pos)); ok && id != 0 {
			p.c.start(now, id, &p.c.partitions[0])
			some = true
		}
	}
	after := prompt
	if some {
		after = changed
	}
	if p.syncOff {
		p.prompt()
		after = changed
	}
	p.finish(now, after)
}

// finish lets the cluster settle and says what there is to say.
func (p *program) finish(now time.Time, after outcome) {
	p.c.settle(now)
	if after == changed {
		if p.syncOff { // states were shown as they came, and there is no prompt
			return
		}
		p.show()
	}
	p.prompt()
}

// prompt begins with # where a script reads.
func (p *program) prompt() {
	if p.terminal {
		fmt.Fprint(p.out, "vqsim> ")
	} else {
		fmt.Fprint(p.out, "#vqsim> ")
	}
}

// loop runs the commands of the input until its end; meanwhile time passes for
// the nodes.
func (p *program) loop(in io.Reader) {
	lines := make(chan string)
	go func() {
		defer close(lines)
		r := bufio.NewReader(in)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return // an unfinished line is none, as for readline
			}
			lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	for {
		var timer <-chan time.Time
		if at := p.c.deadline(); !at.IsZero() {
			timer = time.After(time.Until(at))
		}
		select {
		case now := <-timer:
			p.c.expire(now)
		case line, ok := <-lines:
			if !ok || !p.take(time.Now(), line) {
				return
			}
		}
	}
}

// take runs a line; false: the end. Where no terminal does it the line is shown.
func (p *program) take(now time.Time, line string) bool {
	if !p.terminal {
		fmt.Fprintln(p.out, line)
	}
	if strings.HasPrefix(line, "#") {
		return true
	}
	after := p.command(now, line)
	if after == quit {
		return false
	}
	p.finish(now, after)
	return true
}
