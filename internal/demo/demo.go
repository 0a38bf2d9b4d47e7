// Package demo is `pacesync demo`: the main job of a cluster from start to end
// on real parts, measured and judged.
//
// Three nodes run our corosync and Pacemaker (or Debian's, of either half) and
// keep a web server with a floating address alive while the demo kills the
// server, cuts a node off and lets it return. A client asks the
// address all the time. `make demo` calls it; it replaces nothing upstream.
package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/lab"
)

// storyLimit bounds one telling of the story; it takes about a minute.
const storyLimit = 3 * time.Minute

// maxOutageRatio is how much longer than the reference's the outage may be.
const maxOutageRatio = 1.3

const help = `pacesync demo: a cluster does its main job, from start to end, on this machine.

  Three nodes (namespaces; addresses exist inside only) with a fence device and a
  group of a floating address and a web server. A client asks the web server
  every 100 ms. The server is killed, then its node is cut off from the network;
  the others fence the node and take over; the node returns. Needs root and the
  Debian packages that "make deps" installs.

usage: pacesync demo [-ref] [-keep] [-corosync ours|debian] [-pacemaker ours|debian] [-fence bmc|script] [-dc active|other|any]
  -ref        first the same with Debian's programs, then both side by side
  -keep       leave the cluster up and say how to look into it
  -corosync   whose corosync: ours (default) or debian
  -pacemaker  whose pacemaker: ours (default) or debian
  -fence      bmc: fence_ipmilan and a simulated BMC for each node (default with our pacemaker); script: an agent that asks the lab's power switch
  -dc         which node is the controller when the active node is cut off: that node, another one, or whichever it is (default)
exit status: 0 all as it should be; 1 not, and why
`

// cast says who plays which part.
type cast struct {
	corosync, pacemaker lab.Impl
	fence               fence
}

func (c cast) String() string {
	if c.corosync == c.pacemaker {
		return fmt.Sprintf("corosync and pacemaker %s", c.corosync)
	}
	return fmt.Sprintf("corosync %s, pacemaker %s", c.corosync, c.pacemaker)
}

// reference is what every other cast is compared with.
var reference = cast{lab.Debian, lab.Debian, script}

type options struct {
	ref, keep bool
	cast      cast
	dc        string // where the controller is when the node is cut off: active, other, any
	bin       string
}

// Run is the program `pacesync demo`.
func Run(e *applet.Env) int {
	if len(e.Args) == 2 && e.Args[0] == "probe" { // the client, inside its node
		return probe(e.Args[1], e.Stdout)
	}
	o, err := parse(e)
	if err != nil {
		return 1
	}
	if o == nil {
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := tell(ctx, e.Stdout, *o); err != nil {
		fmt.Fprintf(e.Stderr, "\npacesync demo: FAILED: %v\n", err)
		return 1
	}
	return 0
}

// parse reads the options; nil without an error when only help was asked for.
func parse(e *applet.Env) (*options, error) {
	f := flag.NewFlagSet("pacesync demo", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	ref, keep := f.Bool("ref", false, ""), f.Bool("keep", false, "")
	corosync, pacemaker := f.String("corosync", "ours", ""), f.String("pacemaker", "ours", "")
	with, dc := f.String("fence", "", ""), f.String("dc", "any", "")
	err := f.Parse(e.Args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(e.Stdout, help)
		return nil, nil
	}
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("argument %q is not understood", f.Arg(0))
	}
	if *with == "" {
		*with = map[bool]string{true: "bmc", false: "script"}[*pacemaker == "ours"]
	}
	pick := func(option, value string, choices ...string) int {
		i := slices.Index(choices, value)
		if i < 0 && err == nil {
			err = fmt.Errorf("-%s %q: want one of %s", option, value, strings.Join(choices, ", "))
		}
		return i
	}
	c := cast{lab.Impl(pick("corosync", *corosync, "debian", "ours")), lab.Impl(pick("pacemaker", *pacemaker, "debian", "ours")),
		fence(pick("fence", *with, "script", "bmc"))}
	pick("dc", *dc, "active", "other", "any")
	self, exeErr := os.Executable()
	if err = errors.Join(err, exeErr); err != nil {
		fmt.Fprintf(e.Stderr, "pacesync demo: %v\n\n%s", err, help)
		return nil, err
	}
	return &options{ref: *ref, keep: *keep, cast: c, dc: *dc, bin: filepath.Dir(self)}, nil
}

// tell runs the story once, or twice with the reference first, and judges.
func tell(ctx context.Context, w io.Writer, o options) error {
	if err := possible(); err != nil {
		return err
	}
	var ref *figures
	if o.ref {
		fmt.Fprint(w, "The reference first: the same story with Debian's programs.\n\n")
		f, _, err := tellOnce(ctx, w, o, reference, false)
		if err != nil {
			return fmt.Errorf("with the reference: %w", err)
		}
		ref = &f
		fmt.Fprintln(w)
	}
	f, hints, err := tellOnce(ctx, w, o, o.cast, o.keep)
	defer func() { fmt.Fprint(w, hints) }()
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	table(w, f, ref)
	if ref == nil {
		fmt.Fprintln(w, "\nAll as it should be. REF=1 make demo: the same with Debian's programs, side by side.")
		return nil
	}
	ratio := float64(f.outage) / float64(ref.outage)
	if ratio > maxOutageRatio && !o.keep { // once more: something else may have kept the machine busy
		fmt.Fprintf(w, "\nThe outage is %.2f times the reference's. Once more, to see whether that was chance.\n\n", ratio)
		again, _, err := tellOnce(ctx, w, o, o.cast, false)
		if err != nil {
			return err
		}
		ratio = float64(min(f.outage, again.outage)) / float64(ref.outage)
	}
	if ratio > maxOutageRatio {
		return fmt.Errorf("the outage is %.2f times the reference's; %.1f is allowed", ratio, maxOutageRatio)
	}
	fmt.Fprintf(w, "\nAll as it should be; the outage is %.2f times the reference's (%.1f is allowed).\n", ratio, maxOutageRatio)
	return nil
}

// possible says what the machine lacks for the story.
func possible() error {
	if err := lab.Possible(); err != nil {
		return err
	}
	for _, p := range []string{"/usr/sbin/corosync", "/usr/sbin/pacemakerd", "/usr/sbin/crm_resource", "/usr/sbin/nginx",
		"/usr/lib/ocf/resource.d/heartbeat/IPaddr2", "/usr/lib/ocf/resource.d/heartbeat/nginx"} {
		if _, err := os.Stat(p); err != nil {
			return fmt.Errorf("%s is missing: `make deps` installs what the demo needs", p)
		}
	}
	return nil
}

// tellOnce runs the story on a cluster of its own and clears up after it, also
// after a failure or an interrupt. A cluster that is to be kept stays up, with
// hints how to look into it.
func tellOnce(ctx context.Context, w io.Writer, o options, c cast, keep bool) (f figures, hints string, err error) {
	ctx, cancel := context.WithTimeout(ctx, storyLimit)
	defer cancel()
	s, err := newStory(ctx, w, o, c)
	if err != nil {
		return f, "", err
	}
	err = s.run(ctx)
	interrupted := errors.Is(ctx.Err(), context.Canceled)
	if interrupted {
		err = errors.New("interrupted")
	} else if err != nil {
		s.lastWords()
	}
	if keep && !interrupted {
		return s.fig, s.stayUp(), err
	}
	return s.fig, "", errors.Join(err, s.close())
}

// freeName returns a lab name that no other running demo uses. A lab of that
// name whose owner is gone (crashed, or kept up) will be replaced.
func freeName(base string) string {
	for i := 1; ; i++ {
		name := base
		if i > 1 {
			name += strconv.Itoa(i)
		}
		b, err := os.ReadFile(filepath.Join(lab.Root(), name, "owner"))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil || pid <= 0 || syscall.Kill(pid, 0) != nil {
			return name
		}
	}
}
