// Package cfgtool is the program corosync-cfgtool: link and node states,
// reload, log reopening, killing a node, shutdown. The multi-call binary calls
// Run.
//
// Upstream: tools/corosync-cfgtool.c, corosync-cfgtool(8).
package cfgtool

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/corosync/cfg/cfgclient"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/libc"
)

// shutdownTries is how often a busy daemon is asked to shut down, a second
// apart.
const shutdownTries = 30

type action uint8

const (
	showUsage action = iota
	linkStatus
	nodeStatus
	reload
	reopen
	shutdown
	showAddrs
	kill
)

type program struct {
	env    *applet.Env
	out    *libc.Stdout
	client *cfgclient.Client

	action action
	brief  bool
	force  bool
	node   uint32
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	p := &program{env: e, out: libc.NewStdout(e.Stdout)}
	defer p.out.Flush()
	defer func() {
		if p.client != nil {
			p.client.Close()
		}
	}()
	if !p.parse() {
		return 1
	}
	ctx := context.Background()
	switch p.action {
	case linkStatus, nodeStatus:
		return p.status(ctx)
	case reload:
		return p.reload(ctx)
	case reopen:
		return p.reopen(ctx)
	case shutdown:
		return p.shutdown(ctx)
	case showAddrs:
		return p.showAddrs(ctx)
	case kill:
		return p.kill(ctx)
	}
	fmt.Fprint(p.out, usage)
	return 0
}

// complain writes a line to stderr.
func (p *program) complain(format string, args ...any) {
	fmt.Fprintf(p.env.Stderr, format+"\n", args...)
}

// optForce stands for --force, which has no letter.
const optForce = 0

func (p *program) parse() bool {
	opts := getopt.New(p.env.Argv0, applet.HelpArgs(p.env.Args), "i:snbrRLk:a:hH", []getopt.Long{
		{Name: "if", Arg: getopt.RequiredArg, Val: 'i'},
		{Name: "status", Arg: getopt.NoArg, Val: 's'},
		{Name: "nodes", Arg: getopt.NoArg, Val: 'n'},
		{Name: "brief", Arg: getopt.NoArg, Val: 'b'},
		{Name: "reload", Arg: getopt.NoArg, Val: 'R'},
		{Name: "reopen", Arg: getopt.NoArg, Val: 'L'},
		{Name: "kill", Arg: getopt.RequiredArg, Val: 'k'},
		{Name: "address", Arg: getopt.RequiredArg, Val: 'a'},
		{Name: "shutdown", Arg: getopt.NoArg, Val: 'H'},
		{Name: "force", Arg: getopt.NoArg, Val: optForce},
	}, p.env.Stderr)
	for c := opts.Next(); c != getopt.End; c = opts.Next() {
		switch c {
		case optForce:
			p.force = true
		case 's':
			p.action = linkStatus
		case 'n':
			p.action = nodeStatus
		case 'b':
			p.brief = true
		case 'R':
			p.action = reload
		case 'L':
			p.action = reopen
		case 'H':
			p.action = shutdown
		case 'k', 'a':
			n, ok := libc.Number(opts.Arg, 1, math.MaxUint32)
			if !ok {
				p.complain("The nodeid was not valid, try a positive number")
				return false
			}
			p.node, p.action = uint32(n), kill
			if c == 'a' {
				p.action = showAddrs
			}
		case '?':
			return false
		case 'i', 'r', 'h': // accepted and ignored; without an action comes the usage
		}
	}
	return true
}

// connect dials the service. The original prints the number of the error, or
// its name where named is true.
func (p *program) connect(ctx context.Context, named bool) bool {
	var err error
	if p.client, err = cfgclient.Dial(ctx); err == nil {
		return true
	}
	if named {
		p.complain("Could not initialize corosync configuration API error %s", libipc.Strerror(err))
	} else {
		p.complain("Could not initialize corosync configuration API error %d", libipc.Code(err))
	}
	return false
}

func (p *program) reload(ctx context.Context) int {
	fmt.Fprint(p.out, "Reloading corosync.conf...\n")
	if !p.connect(ctx, true) {
		return 1
	}
	if err := p.client.ReloadConfig(ctx); err != nil {
		p.complain("Could not reload configuration. Error %s", libipc.Strerror(err))
		return int(libipc.Code(err))
	}
	fmt.Fprint(p.out, "Done\n")
	return 0
}

func (p *program) reopen(ctx context.Context) int {
	if !p.connect(ctx, true) {
		return 1
	}
	if err := p.client.ReopenLogFiles(ctx); err != nil {
		p.complain("Could not reopen corosync logging files. Error %s", libipc.Strerror(err))
		return int(libipc.Code(err))
	}
	return 0
}

// shutdown returns 0 also after a veto, as the original does.
func (p *program) shutdown(ctx context.Context) int {
	flags := cfgclient.ShutdownRequest
	if p.force {
		flags = cfgclient.ShutdownRegardless
	}
	if !p.connect(ctx, false) {
		return 1
	}
	fmt.Fprint(p.out, "Shutting down corosync\n")
	err := libipc.Retry(ctx, shutdownTries, time.Second, func() error { return p.client.TryShutdown(ctx, flags) })
	if err != nil {
		p.complain("Could not shutdown (error = %d)", libipc.Code(err))
	}
	return 0
}

func (p *program) showAddrs(ctx context.Context) int {
	if !p.connect(ctx, false) {
		return 1
	}
	addrs, err := p.client.NodeAddrs(ctx, p.node)
	if err != nil {
		p.complain("Could not get node address for nodeid %d", int32(p.node))
		return 1
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
	fmt.Fprint(p.out, "\n")
	return 0
}

func (p *program) kill(ctx context.Context) int {
	fmt.Fprintf(p.out, "Killing node %d\n", p.node)
	if !p.connect(ctx, false) {
		return 1
	}
	err := p.client.KillNode(ctx, p.node, "Killed by corosync-cfgtool")
	// The daemon that we talk to may die of it before it answers.
	if err != nil && !errors.Is(err, service.ErrLibrary) {
		p.complain("Could not kill node (error = %s)", libipc.Strerror(err))
		return 1
	}
	return 0
}
