// Package cmapctl is the program corosync-cmapctl: it shows, changes and tracks
// the daemon's configuration map. The multi-call binary calls Run.
//
// Upstream: tools/corosync-cmapctl.c, corosync-cmapctl(8).
package cmapctl

import (
	"context"
	"fmt"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/cmap/cmapclient"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/libc"
)

// tryAgain is how many times the original waits a second for a busy daemon.
const tryAgain = 10

type action uint8

const (
	printPrefix action = iota
	get
	set
	remove
	removePrefix
	track
	load
	clearStats
)

// program is one run. Failures are reported where they are found; functions
// return false to end the program with status 1.
type program struct {
	env    *applet.Env
	out    *libc.Stdout
	client *cmapclient.Client

	action      action
	m           cmapclient.Map
	showBinary  bool
	quiet       bool
	trackPrefix bool
	clearWhat   string
	file        string
	args        []string
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	p := &program{env: e, out: libc.NewStdout(e.Stdout), trackPrefix: true}
	defer p.out.Flush()
	status, done := p.parse()
	if done {
		return status
	}
	if len(p.args) == 0 && p.action != load && p.action != clearStats && p.action != printPrefix {
		p.complain("Expected key after options")
		return 1
	}
	ctx := context.Background()
	err := libipc.Retry(ctx, tryAgain+1, time.Second, func() (err error) {
		p.client, err = cmapclient.Dial(ctx, p.m)
		return err
	})
	if err != nil {
		p.complain("Failed to initialize the cmap API. Error %s", libipc.Strerror(err))
		return 1
	}
	defer p.client.Close()
	if !p.do(ctx) {
		return 1
	}
	return 0
}

// complain writes a line to stderr.
func (p *program) complain(format string, args ...any) {
	fmt.Fprintf(p.env.Stderr, format+"\n", args...)
}

// parse reads the command line; done says that the program ends with status.
func (p *program) parse() (status int, done bool) {
	mapSet := false
	opts := getopt.New(p.env.Argv0, applet.HelpArgs(p.env.Args), "m:hqgsdDtTbp:C:", nil, p.env.Stderr)
	for c := opts.Next(); c != getopt.End; c = opts.Next() {
		switch c {
		case 'h':
			fmt.Fprint(p.out, help)
			return 0, true
		case 'b':
			p.showBinary = true
		case 'q':
			p.quiet = true
		case 'g':
			p.action = get
		case 's':
			p.action = set
		case 'd':
			p.action = remove
		case 'D':
			p.action = removePrefix
		case 'p':
			p.action, p.file = load, opts.Arg
		case 't':
			p.action, p.trackPrefix = track, false
		case 'T':
			p.action = track
		case 'C':
			switch opts.Arg {
			case "knet", "totem", "ipc", "schedmiss", "all":
				p.action, p.clearWhat, p.m = clearStats, opts.Arg, cmapclient.Stats
			default:
				p.complain("argument to -C should be 'knet', 'totem', 'ipc', 'schedmiss' or 'all'")
				return 1, true
			}
		case 'm':
			switch opts.Arg {
			case "icmap", "default":
				p.m, mapSet = cmapclient.ICMAP, true
			case "stats":
				p.m, mapSet = cmapclient.Stats, true
			}
			if !mapSet { // a wrong name after a right one passes, as in the original
				p.complain("invalid map name, must be 'default', 'icmap' or 'stats'")
				return 1, true
			}
		default:
			return 1, true
		}
	}
	p.args = opts.Rest()
	return 0, false
}

func (p *program) do(ctx context.Context) bool {
	switch p.action {
	case printPrefix:
		return p.printAll(ctx)
	case get:
		for _, key := range p.args {
			item, err := p.client.Stat(ctx, key)
			if err != nil {
				p.complain("Can't get key %s. Error %s", key, libipc.Strerror(err))
				return false
			}
			p.printItem(ctx, item)
		}
	case remove:
		for _, key := range p.args {
			if err := p.client.Delete(ctx, key); err != nil {
				p.complain("Can't delete key %s. Error %s", key, libipc.Strerror(err))
				return false
			}
		}
	case removePrefix:
		for _, prefix := range p.args {
			if !p.removePrefix(ctx, prefix) {
				return false
			}
		}
	case load:
		return p.load(ctx)
	case track:
		return p.track(ctx)
	case set:
		if len(p.args) < 3 {
			p.complain("At least 3 parameters are expected for set")
			return false
		}
		return p.set(ctx, p.args[0], p.args[1], p.args[2])
	case clearStats:
		// The original does not look at the result either.
		_ = p.client.Set(ctx, "stats.clear."+p.clearWhat, cmap.U32(1))
	}
	return true
}

// printAll prints the keys of every prefix; without any result it fails.
func (p *program) printAll(ctx context.Context) bool {
	prefixes := p.args
	if len(prefixes) == 0 {
		prefixes = []string{""}
	}
	found := false
	for _, prefix := range prefixes {
		some, ok := p.printPrefix(ctx, prefix)
		if !ok {
			return false
		}
		found = found || some
	}
	return found
}

func (p *program) printPrefix(ctx context.Context, prefix string) (found, ok bool) {
	for item, err := range p.client.All(ctx, prefix) {
		if err != nil {
			return found, p.iterationError(err)
		}
		found = true
		p.printItem(ctx, item)
	}
	return found, true
}

// iterationError reports an iteration that could not start; the original takes
// a later failure for its end.
func (p *program) iterationError(err error) bool {
	if cmapclient.Started(err) {
		return true
	}
	p.complain("Failed to initialize iteration. Error %s", libipc.Strerror(err))
	return false
}

func (p *program) removePrefix(ctx context.Context, prefix string) bool {
	for item, err := range p.client.All(ctx, prefix) {
		if err != nil {
			return p.iterationError(err)
		}
		p.removeKey(ctx, item.Key)
	}
	return true
}

func (p *program) removeKey(ctx context.Context, key string) {
	if err := p.client.Delete(ctx, key); err != nil {
		p.complain("Can't delete key %s. Error %s", key, libipc.Strerror(err))
	}
}
