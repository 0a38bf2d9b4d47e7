// Package quorumtool is the program corosync-quorumtool: it shows, monitors and
// changes quorum and votes. The multi-call binary calls Run.
//
// Upstream: tools/corosync-quorumtool.c, corosync-quorumtool(8).
package quorumtool

import (
	"context"
	"fmt"
	"math"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/corosync/cfg/cfgclient"
	"github.com/pacesync/pacesync/internal/corosync/cmap/cmapclient"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/libc"
	"github.com/pacesync/pacesync/quorum"
	"github.com/pacesync/pacesync/quorum/wire"
)

// Exit statuses.
const (
	exitOK         = 0
	exitFailure    = 1
	exitNotQuorate = 2
)

type command uint8

const (
	showStatus command = iota
	showNodes
	setVotes
	setExpected
	monitor
	unregister
)

type order uint8

const (
	byAddress order = iota // as the daemon sends them
	byNodeID
	byName
)

type options struct {
	command  command
	votes    uint32
	node     uint32
	nodeSet  bool
	hex      bool
	numeric  bool // addresses instead of names
	allAddrs bool
	machine  bool
	order    order
}

// program is one run. Failures are reported where they are found.
type program struct {
	env *applet.Env
	out *libc.Stdout
	options

	cmap *cmapclient.Client
	q    *quorum.Client
	cfg  *cfgclient.Client
	vote *quorum.VoteClient // nil: votequorum is not the provider

	self    uint32
	view    []uint32 // the last quorum event
	quorate bool
	ring    service.RingID
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
	defer p.close()
	if !p.connect(ctx) {
		return exitFailure
	}
	switch p.command {
	case showNodes:
		return p.showNodes(ctx)
	case setVotes:
		return p.setVotes(ctx)
	case setExpected:
		return p.setExpected(ctx)
	case monitor:
		return p.monitor(ctx)
	case unregister:
		return p.unregister(ctx)
	}
	return p.showStatus(ctx)
}

// complain writes a line to stderr.
func (p *program) complain(format string, args ...any) {
	fmt.Fprintf(p.env.Stderr, format+"\n", args...)
}

// parse reads the command line; done says that the program ends with status.
func (p *program) parse() (status int, done bool) {
	opts := getopt.New(p.env.Argv0, applet.HelpArgs(p.env.Args), "VHaslpmfe:v:hin:o:", nil, p.env.Stderr)
	for c := opts.Next(); c != getopt.End; c = opts.Next() {
		switch c {
		case 'f':
			p.command = unregister
		case 's':
			p.command = showStatus
		case 'm':
			p.command = monitor
		case 'l':
			p.command = showNodes
		case 'a':
			p.allAddrs = true
		case 'i':
			p.numeric = true
		case 'H':
			p.hex = true
		case 'p':
			p.machine = true
		case 'e', 'n', 'v', 'o':
			if !p.argument(c, opts.Arg) {
				return exitFailure, true
			}
		case 'V':
			fmt.Fprintf(p.out, "corosync-quorumtool version: %s\n", service.Baseline)
			return exitOK, true
		case 'h':
			fmt.Fprintf(p.out, usage, p.env.Argv0)
			return exitOK, true
		default:
			fmt.Fprintf(p.out, usage, p.env.Argv0)
			return exitFailure, true
		}
	}
	return 0, false
}

// argument reads the argument of an option that has one.
func (p *program) argument(opt int, arg string) bool {
	number := func(lo, hi int64, complaint string) (uint32, bool) {
		n, ok := libc.Number(arg, lo, hi)
		if !ok {
			p.complain("%s", complaint)
		}
		return uint32(n), ok
	}
	ok := true
	switch opt {
	case 'e':
		p.votes, ok = number(1, math.MaxInt32, "New expected votes value was not valid, try a positive number")
		p.command = setExpected
	case 'v':
		p.votes, ok = number(0, math.MaxInt32, "New votes value was not valid, try a positive number or zero")
		p.command = setVotes
	case 'n':
		p.node, ok = number(1, math.MaxUint32, "The nodeid was not valid, try a positive number")
		p.nodeSet = true
	case 'o':
		switch arg {
		case "a":
			p.order = byAddress
		case "i":
			p.order = byNodeID
		case "n":
			p.order = byName
		default:
			p.complain("Invalid ordering option. valid orders are a(address), i(node ID) or n(name)")
			ok = false
		}
	}
	return ok
}

// connect dials every service that the commands need.
func (p *program) connect(ctx context.Context) bool {
	var err error
	if p.cmap, err = cmapclient.Dial(ctx, cmapclient.ICMAP); err != nil {
		p.complain("Cannot initialize CMAP service")
		return false
	}
	if p.q, err = quorum.Dial(ctx, quorum.ModelV0); err != nil {
		p.complain("Cannot initialize QUORUM service")
		return false
	}
	if p.cfg, err = cfgclient.Dial(ctx); err != nil {
		p.complain("Cannot initialise CFG service")
		return false
	}
	if p.provider(ctx) != votequorumProvider {
		return true
	}
	if p.vote, err = quorum.DialVote(ctx); err != nil {
		p.complain("Cannot initialise VOTEQUORUM service")
		return false
	}
	if p.self, err = p.cmap.GetUint32(ctx, "runtime.votequorum.this_node_id"); err != nil {
		p.complain("Unable to retrieve this_node_id")
		return false
	}
	return true
}

func (p *program) close() {
	if p.cmap != nil {
		p.cmap.Close()
	}
	if p.q != nil {
		p.q.Close()
	}
	if p.cfg != nil {
		p.cfg.Close()
	}
	if p.vote != nil {
		p.vote.Close()
	}
}

const votequorumProvider = "corosync_votequorum"

// provider is the name of the quorum provider; empty when there is none, or it
// cannot be found out.
func (p *program) provider(ctx context.Context) string {
	if !p.q.HasProvider() {
		return ""
	}
	s, err := p.cmap.GetString(ctx, "quorum.provider")
	if err != nil {
		return ""
	}
	return s
}

// needVotes reports a change that needs votequorum where there is none.
func (p *program) needVotes(ctx context.Context, what string) bool {
	if p.provider(ctx) == votequorumProvider {
		return true
	}
	p.complain("You cannot %s, corosync is not using votequorum", what)
	return false
}

func (p *program) setVotes(ctx context.Context) int {
	if !p.needVotes(ctx, "change node votes") {
		return exitFailure
	}
	node := p.node
	if !p.nodeSet {
		node = p.self
	}
	if err := p.vote.SetVotes(ctx, node, p.votes); err != nil {
		p.complain("Unable to set votes %d for nodeid: %d: %s", p.votes, node, libipc.Strerror(err))
		return exitFailure
	}
	return exitOK
}

func (p *program) setExpected(ctx context.Context) int {
	if !p.needVotes(ctx, "change expected votes") {
		return exitFailure
	}
	if err := p.vote.SetExpected(ctx, p.votes); err != nil {
		p.complain("Unable to set expected votes: %s", libipc.Strerror(err))
		return exitFailure
	}
	return exitOK
}

func (p *program) unregister(ctx context.Context) int {
	if !p.needVotes(ctx, "unregister quorum device") {
		return exitFailure
	}
	info, err := p.vote.Info(ctx, p.self)
	if err != nil {
		p.complain("Unable to get quorum device info: %s", libipc.Strerror(err))
		return exitFailure
	}
	if info.Flags&wire.InfoQdeviceRegistered == 0 {
		return exitOK
	}
	if err := p.vote.UnregisterDevice(ctx, info.QdeviceName); err != nil {
		p.complain("Unable to unregister quorum device: %s", libipc.Strerror(err))
		return exitFailure
	}
	return exitOK
}
