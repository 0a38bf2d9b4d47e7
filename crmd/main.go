package crmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/optmeta"
	"github.com/pacesync/pacesync/internal/pcmk"
)

const program = "pacemaker-controld"

const usage = `pacemaker-controld - daemon for coordinating a Pacemaker cluster's response to events
Usage: pacemaker-controld [options]
Options:
 -?, --help		This text
 -V, --verbose		Increase debug output

Report bugs to users@clusterlabs.org
`

// Run is the program pacemaker-controld (pacemaker-controld.c: main).
func Run(e *applet.Env) int {
	verbose, bad := 0, false
	p := getopt.New(e.Argv0, e.Args, "V?", []getopt.Long{{Name: "help", Val: 'h'}, {Name: "verbose", Val: 'V'}}, e.Stderr)
	for opt := p.Next(); opt != getopt.End; opt = p.Next() {
		switch opt {
		case 'V':
			verbose++
		case 'h':
			fmt.Fprint(e.Stdout, usage)
			return int(pcmk.ExitOK)
		default:
			bad = true
		}
	}
	switch rest := p.Rest(); {
	case len(rest) == 1 && strings.EqualFold(rest[0], "metadata"):
		fmt.Fprint(e.Stdout, metadata())
		return int(pcmk.ExitOK)
	case len(rest) == 1 && strings.EqualFold(rest[0], "version"):
		fmt.Fprintf(e.Stdout, "CRM Version: %s (%s)\n", pcmk.Version, pcmk.Build)
		return int(pcmk.ExitOK)
	case bad:
		fmt.Fprint(e.Stderr, usage)
		return int(pcmk.ExitUsage)
	}
	k := daemonkit.Start(daemonkit.Options{Program: program, Verbose: verbose, Stderr: e.Stderr})
	return k.Main(func() pcmk.Exit { return serve(e, k) })
}

func serve(e *applet.Env, k *daemonkit.Kit) pcmk.Exit {
	k.Log.Notice("Starting Pacemaker controller")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if conn, err := crmipc.Dial(ctx, "crmd", crmipc.DialOptions{}); err == nil {
		_ = conn.Close()
		k.Log.Error("pacemaker-controld is already active, aborting startup")
		return pcmk.ExitOK
	}
	for _, dir := range []string{pcmk.PEDir, pcmk.CIBDir} {
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil && !errors.Is(err, unix.EROFS) {
			k.Log.Error("Terminating due to bad permissions on "+dir, "why", err)
			fmt.Fprintf(e.Stderr, "ERROR: Bad permissions on %s (see logs for details)\n", dir)
			return pcmk.ExitFatal
		}
	}
	c := New(Options{Log: k.Log.Logger})
	go func() {
		for range k.Term {
			c.Shutdown()
		}
	}()
	code := c.Run(ctx)
	k.Log.Info(fmt.Sprintf("%s exiting with status %d (%s)", program, code, code))
	return code
}

// metadata describes the cluster options that the controller reads
// (controld_control.c: crmd_metadata).
func metadata() string {
	return optmeta.Format(program, "Pacemaker controller options", "Cluster options used by Pacemaker's controller", append(optionTexts(), advancedTexts()...))
}

func optionTexts() []optmeta.Option {
	return []optmeta.Option{
		{Name: "dc-version", Type: "string", Default: "none",
			Short: "Pacemaker version on cluster node elected Designated Controller (DC)",
			Long:  "Includes a hash which identifies the exact changeset the code was built from. Used for diagnostic purposes."},
		{Name: "cluster-infrastructure", Type: "string", Default: "corosync",
			Short: "The messaging stack on which Pacemaker is currently running", Long: "Used for informational and diagnostic purposes."},
		{Name: "cluster-name", Type: "string", Short: "An arbitrary name for the cluster",
			Long: "This optional value is mostly for users' convenience as desired in administration, but may also be used in Pacemaker configuration rules via the #cluster-name node attribute, and by higher-level tools and resource agents."},
		{Name: "dc-deadtime", Type: "time", Default: "20s",
			Short: "How long to wait for a response from other nodes during start-up",
			Long:  "The optimal value will depend on the speed and load of your network and the type of switches used."},
		{Name: "cluster-recheck-interval", Type: "time", Default: "15min",
			Values: `Zero disables polling, while positive values are an interval in seconds(unless other units are specified, for example "5min")`,
			Short:  "Polling interval to recheck cluster state and evaluate rules with date specifications",
			Long:   "Pacemaker is primarily event-driven, and looks ahead to know when to recheck cluster state for failure timeouts and most time-based rules. However, it will also recheck the cluster after this amount of inactivity, to evaluate rules with date specifications and serve as a fail-safe for certain types of scheduler bugs."},
		{Name: "load-threshold", Type: "percentage", Default: "80%",
			Short: "Maximum amount of system load that should be used by cluster nodes",
			Long:  "The cluster will slow down its recovery process when the amount of system resources used (currently CPU) approaches this limit"},
		{Name: "node-action-limit", Type: "integer", Default: "0", Short: "Maximum number of jobs that can be scheduled per node (defaults to 2x cores)"},
		{Name: "fence-reaction", Type: "string", Default: "stop", Short: "How a cluster node should react if notified of its own fencing",
			Long: `A cluster node may receive notification of its own fencing if fencing is misconfigured, or if fabric fencing is in use that doesn't cut cluster communication. Allowed values are "stop" to attempt to immediately stop Pacemaker and stay stopped, or "panic" to attempt to immediately reboot the local node, falling back to stop on failure.`},
	}
}

// advancedTexts are the options that few should touch, and those that the
// scheduler describes too.
func advancedTexts() []optmeta.Option {
	const advanced, bug = "*** Advanced Use Only ***", "If you need to adjust this value, it probably indicates the presence of a bug."
	return []optmeta.Option{
		{Name: "election-timeout", Type: "time", Default: "2min", Short: advanced, Long: "Declare an election failed if it is not decided within this much time. " + bug},
		{Name: "shutdown-escalation", Type: "time", Default: "20min", Short: advanced, Long: "Exit immediately if shutdown does not complete within this much time. " + bug},
		{Name: "join-integration-timeout", Type: "time", Default: "3min", Short: advanced, Long: bug},
		{Name: "join-finalization-timeout", Type: "time", Default: "30min", Short: advanced, Long: bug},
		{Name: "transition-delay", Type: "time", Default: "0s",
			Short: advanced + " Enabling this option will slow down cluster recovery under all conditions",
			Long:  "Delay cluster recovery for this much time to allow for additional events to occur. Useful if your configuration is sensitive to the order in which ping updates arrive."},
		{Name: "stonith-watchdog-timeout", Type: "time", Default: "0",
			Short: "How long before nodes can be assumed to be safely down when watchdog-based self-fencing via SBD is in use",
			Long:  "If this is set to a positive value, lost nodes are assumed to self-fence using watchdog-based SBD within this much time. This does not require a fencing resource to be explicitly configured, though a fence_watchdog resource can be configured, to limit use to specific nodes. If this is set to 0 (the default), the cluster will never assume watchdog-based self-fencing. If this is set to a negative value, the cluster will use twice the local value of the `SBD_WATCHDOG_TIMEOUT` environment variable if that is positive, or otherwise treat this as 0. WARNING: When used, this timeout must be larger than `SBD_WATCHDOG_TIMEOUT` on all nodes that use watchdog-based SBD, and Pacemaker will refuse to start on any of those nodes where this is not true for the local value or SBD is not active. When this is set to a negative value, `SBD_WATCHDOG_TIMEOUT` must be set to the same value on all nodes that use SBD, otherwise data corruption or loss could occur."},
		{Name: "stonith-max-attempts", Type: "integer", Default: "10", Short: "How many times fencing can fail before it will no longer be immediately re-attempted on a target"},
		{Name: "no-quorum-policy", Type: "select", Default: "stop", Values: "stop, freeze, ignore, demote, suicide", Short: "What to do when the cluster does not have quorum"},
		{Name: "shutdown-lock", Type: "boolean", Default: "false", Short: "Whether to lock resources to a cleanly shut down node",
			Long: `When true, resources active on a node when it is cleanly shut down are kept "locked" to that node (not allowed to run elsewhere) until they start again on that node after it rejoins (or for at most shutdown-lock-limit, if set). Stonith resources and Pacemaker Remote connections are never locked. Clone and bundle instances and the promoted role of promotable clones are currently never locked, though support could be added in a future release.`},
	}
}
