// Package daemonkit is what the main functions of Pacemaker's daemons have in
// common: logs in the original's form, the start and the end of the process,
// panics of our own and of the machine, sbd, timers for a loop.
//
// Every daemon of the Pacemaker half uses it. A daemon's Run is:
//
//	func Run(e *applet.Env) int {
//		// options by internal/goption or internal/getopt
//		k := daemonkit.Start(daemonkit.Options{Program: "pacemaker-attrd", Verbose: opts.Verbose, Stderr: e.Stderr})
//		return k.Main(func() pcmk.Exit { return serve(k) })
//	}
//
//	func serve(k *daemonkit.Kit) pcmk.Exit {
//		k.Log.Notice("Starting Pacemaker node attribute manager")
//		alarm := daemonkit.NewAlarm()
//		for {
//			alarm.Set(core.Deadline())
//			select {
//			case <-k.Term:                 // SIGTERM or SIGINT
//				return pcmk.ExitOK
//			case now := <-alarm.C:
//				core.Step(now, …)
//			case ev := <-ipcEvents: …
//			}
//		}
//	}
//
// Exit codes decide what pacemakerd does: ExitOK and most others mean that the
// daemon is started again, ExitFatal that Pacemaker stops on this node,
// ExitPanic that the node is to be reset.
//
// Upstream: lib/common/logging.c, results.c (crm_exit), watchdog.c, mainloop.c.
package daemonkit

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// Options describe the start of a daemon. Program is required.
type Options struct {
	Program string
	Verbose int       // how often -V was given
	Stderr  io.Writer // for -V and PCMK_stderr; nil: os.Stderr
	// LogFiles are further files to log to, besides PCMK_logfile (-l of some daemons).
	LogFiles []string
}

// Kit is what a daemon's main has. Its fields may be used from any goroutine.
type Kit struct {
	Program string
	Log     *Logger
	// Term gets SIGTERM and SIGINT.
	Term chan os.Signal
}

// Start sets up logs, umask, environment and working directory as the original
// does for a daemon (logging.c: crm_log_init).
func Start(o Options) *Kit {
	unix.Umask(0o026)
	// Children look at it; the only error is an impossible name.
	_ = os.Setenv("PCMK_service", o.Program)
	k := &Kit{Program: o.Program, Log: daemonLog(o), Term: make(chan os.Signal, 4)}
	signal.Notify(k.Term, syscall.SIGTERM, syscall.SIGINT)
	// Blackboxes are switched by these; there is none, and they must not kill.
	// A handler and not SIG_IGN, which agents and other children would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTRAP, syscall.SIGPIPE)
	if u := os.Getenv("USER"); u == "" || u == "root" || u == pcmk.User {
		if err := os.Chdir(pcmk.CoreDir); err == nil {
			k.Log.Info("Changed active directory to " + pcmk.CoreDir)
		} else {
			k.Log.Info("Cannot change active directory to "+pcmk.CoreDir, "why", err)
		}
	}
	return k
}

// Main runs a daemon's body to its end and returns the exit status. A panic of
// our own is logged with its trace; the daemon then ends with a status that has
// it started again.
func (k *Kit) Main(body func() pcmk.Exit) (status int) {
	defer func() {
		if r := recover(); r != nil {
			k.Log.Crit(fmt.Sprintf("Internal error: %v", r))
			for line := range strings.Lines(string(debug.Stack())) {
				k.Log.Error(strings.TrimRight(line, "\n"))
			}
			status = int(k.end(pcmk.ExitSoftware))
		}
	}()
	return int(k.end(body()))
}

// end is the last log line.
func (k *Kit) end(code pcmk.Exit) pcmk.Exit {
	if code < 0 || code > 255 {
		code = pcmk.ExitError
	}
	k.Log.Info("Exiting "+k.Program, "status", int(code))
	k.Log.Flush()
	return code
}

// Exit ends the process at once, logs written; for places from which the body
// cannot be left.
func (k *Kit) Exit(code pcmk.Exit) { os.Exit(int(k.end(code))) }

// Panic resets the machine or has it reset: by sbd if it runs, by ourselves as
// root, else by pacemakerd, which learns it from our exit status (watchdog.c:
// pcmk__panic). It does not return.
func (k *Kit) Panic(why string) {
	if pid := LocateSBD(); pid > 1 {
		k.Log.Emerg(fmt.Sprintf("Signaling sbd[%d] to panic the system: %s", pid, why))
		k.Log.Flush()
		if err := unix.Kill(pid, unix.SIGKILL); err == nil {
			k.leave()
		} else {
			k.Log.Emerg(fmt.Sprintf("Cannot signal sbd[%d] to terminate: %v", pid, err))
		}
	}
	k.Log.Emerg("Panicking the system directly: " + why)
	if os.Geteuid() != 0 {
		k.askParent()
	}
	k.Log.Flush()
	action := strings.ToLower(os.Getenv("PCMK_panic_action"))
	if strings.HasPrefix(action, "sync-") {
		unix.Sync()
	}
	trigger := "b"
	if action == "crash" || action == "sync-crash" {
		trigger = "c"
	}
	if err := os.WriteFile("/proc/sysrq-trigger", []byte(trigger+"\n"), 0); err != nil {
		k.Log.Warn("Opening sysrq-trigger failed: " + err.Error())
	}
	err := unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	k.Log.Emerg(fmt.Sprintf("Reboot failed, escalating to parent %d: %v", os.Getppid(), err))
	k.leave()
}

// askParent ends a daemon that is not root, so that pacemakerd panics.
func (k *Kit) askParent() {
	parent := os.Getppid()
	if parent <= 1 {
		if parent = processByName("pacemakerd"); parent > 1 {
			if err := unix.Kill(parent, unix.SIGQUIT); err != nil {
				k.Log.Emerg(fmt.Sprintf("Cannot signal pacemakerd[%d] to panic: %v", parent, err))
			}
		}
	}
	k.Log.Emerg(fmt.Sprintf("Signaling parent %d to panic", parent))
	k.Exit(pcmk.ExitPanic)
}

// leave ends a process that could not reset the machine itself.
func (k *Kit) leave() {
	if os.Getppid() > 1 {
		k.Exit(pcmk.ExitPanic)
	}
	k.Exit(pcmk.ExitFatal)
}

// processByName finds a process by its name, 0 without.
func processByName(name string) int {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + d.Name() + "/comm")
		if err == nil && strings.TrimSpace(string(b)) == name[:min(len(name), 15)] && pid != os.Getpid() {
			return pid
		}
	}
	return 0
}
