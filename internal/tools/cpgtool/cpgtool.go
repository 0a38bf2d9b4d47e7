// Package cpgtool is the program corosync-cpgtool: the closed process groups
// and their members. The multi-call binary calls Run.
//
// Upstream: tools/corosync-cpgtool.c, corosync-cpgtool(8).
package cpgtool

import (
	"context"
	"fmt"
	"iter"

	"github.com/pacesync/pacesync/cpg"
	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/corosync/cfg/cfgclient"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/libc"
)

const usage = ` [-d delimiter] [-e] [-n] [-h]

A tool for displaying cpg groups and members.
options:
	-d	Delimiter between fields.
	-e	Don't escape unprintable characters in group name.
	-n	Display only all existing group names.
	-h	Display this help.
`

type program struct {
	env *applet.Env
	out *libc.Stdout
	cfg *cfgclient.Client
	cpg *cpg.Client

	delimiter string // empty, or one byte
	raw       bool
	namesOnly bool
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	p := &program{env: e, out: libc.NewStdout(e.Stdout)}
	defer p.out.Flush()
	status, done := p.parse()
	if done {
		return status
	}
	ctx := context.Background()
	var err error
	if p.cpg, err = cpg.Dial(ctx, cpg.ClientOptions{}); err != nil {
		fmt.Fprintf(e.Stderr, "Could not initialize corosync cpg API error %d\n", libipc.Code(err))
		return 1
	}
	defer p.cpg.Close()
	if p.cfg, err = cfgclient.Dial(ctx); err != nil {
		fmt.Fprintf(e.Stderr, "Could not initialize corosync configuration API error %d\n", libipc.Code(err))
		return 1
	}
	defer p.cfg.Close()
	show := p.showProcesses
	if p.namesOnly {
		show = p.showNames
	}
	if !show(ctx) {
		return 1
	}
	return 0
}

// parse reads the command line; done says that the program ends with status.
func (p *program) parse() (status int, done bool) {
	opts := getopt.New(p.env.Argv0, applet.HelpArgs(p.env.Args), "hd:ne", nil, p.env.Stderr)
	for c := opts.Next(); c != getopt.End; c = opts.Next() {
		switch c {
		case 'd':
			if opts.Arg != "" {
				p.delimiter = opts.Arg[:1]
			}
		case 'n':
			p.namesOnly = true
		case 'e':
			p.raw = true
		case 'h':
			fmt.Fprint(p.out, p.env.Name, usage)
			return 0, true
		default:
			return 1, true
		}
	}
	return 0, false
}

// walk visits the items of an iteration. What fails before it has begun is
// reported as such; the error is what ended it otherwise.
func (p *program) walk(items iter.Seq2[wire.Item, error], visit func(*wire.Item)) (started bool, err error) {
	for it, err := range items {
		if err == nil {
			visit(&it)
			continue
		}
		if !cpg.Started(err) {
			fmt.Fprintf(p.env.Stderr, "Cannot initialize cpg iterator error %d\n", libipc.Code(err))
			return false, err
		}
		return true, err
	}
	return true, nil
}

func (p *program) showNames(ctx context.Context) bool {
	end := p.delimiter
	if end == "" {
		end = "\n"
	}
	started, _ := p.walk(p.cpg.Groups(ctx), func(it *wire.Item) {
		fmt.Fprint(p.out, p.group(&it.Group), end)
	})
	if started && p.delimiter != "" {
		fmt.Fprint(p.out, "\n")
	}
	return started
}

func (p *program) showProcesses(ctx context.Context) bool {
	d := p.delimiter
	var last wire.Name
	head := false
	heading := func() {
		switch {
		case head:
		case d != "":
			fmt.Fprintf(p.out, "GRP_NAME%sPID%sNODEID\n", d, d)
		default:
			fmt.Fprintf(p.out, "Group Name\t%10s\t%10s\n", "PID", "Node ID")
		}
		head = true
	}
	started, err := p.walk(p.cpg.Processes(ctx), func(it *wire.Item) {
		heading()
		if d != "" {
			fmt.Fprintf(p.out, "%s%s%d%s%d\n", p.group(&it.Group), d, it.PID, d, it.Node)
			return
		}
		if it.Group != last {
			fmt.Fprintf(p.out, "%s\n", p.group(&it.Group))
			last = it.Group
		}
		fmt.Fprintf(p.out, "\t\t%10d\t%10d (", it.PID, it.Node)
		p.addrs(ctx, it.Node)
		fmt.Fprint(p.out, ")\n")
	})
	if !started {
		return false
	}
	heading()
	if err != nil {
		fmt.Fprintf(p.env.Stderr, "cpg iteration error %d\n", libipc.Code(err))
		return false
	}
	return true
}

// addrs prints the addresses of a node; a node without any has nothing.
func (p *program) addrs(ctx context.Context, node uint32) {
	addrs, err := p.cfg.NodeAddrs(ctx, node)
	if err != nil {
		return
	}
	for i, a := range addrs {
		if !a.IsValid() {
			continue
		}
		if i != 0 {
			fmt.Fprint(p.out, " ")
		}
		fmt.Fprint(p.out, a)
	}
}

// group shows a name, with bytes that are not printable as \xNN. The original's
// char is signed: bytes from 0x80 on come out as eight digits.
func (p *program) group(n *wire.Name) string {
	if p.raw {
		return string(n.Bytes())
	}
	return libc.Escape(n.Bytes())
}
