package lrmd

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/lrmd/agent"
	"github.com/pacesync/pacesync/lrmd/opqueue"
)

// Texts that operators and tests look for (pacemaker-execd.c).
const (
	msgStarting    = "Starting Pacemaker local executor"
	msgStarted     = "Pacemaker local executor successfully started and accepting connections"
	msgNoServer    = "Failed to create IPC server: shutting down and inhibiting respawn"
	msgSearchPath  = "OCF resource agent search path is "
	msgTerminating = "Terminating"
	msgFencerLost  = "Connection to fencer lost (any pending operations for fence devices will be considered failed)"
)

// level is that of lines about an action: monitors are too many to be told.
func level(action string) slog.Level {
	if strings.EqualFold(action, "monitor") {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func (d *daemon) at(l slog.Level, text string) {
	if l == slog.LevelDebug {
		d.log.Debug(text)
	} else {
		d.log.Info(text)
	}
}

func ms(n int) string { return strconv.Itoa(n) + "ms" }

// trace words what the queue did (execd_commands.c).
func (d *daemon) trace(t opqueue.Trace) {
	key := t.Rsc + "_" + t.Action + "_" + strconv.FormatUint(uint64(t.Interval), 10)
	progress := "(elapsed=" + ms(t.Elapsed) + ", remaining=" + ms(t.Left)
	switch t.Kind {
	case opqueue.TraceRegistered:
		d.log.Info("Cached agent information for '" + t.Rsc + "'")
	case opqueue.TraceDuplicateRsc:
		d.log.Notice("Ignoring duplicate registration of '" + t.Rsc + "'")
	case opqueue.TraceUnknownRsc:
		d.log.Info("Ignoring unregistration of resource '" + t.Rsc + "', which is not registered")
	case opqueue.TraceNoRsc:
		d.log.Info("Resource '" + t.Rsc + "' not found (" + strconv.Itoa(t.Count) + " active resources)")
	case opqueue.TraceMerged:
		d.log.Warn("Duplicate recurring op entry detected (" + key + "), merging with previous op entry")
	case opqueue.TraceExecute:
		d.at(level(t.Action), "executing - rsc:"+t.Rsc+" action:"+t.Action+" call_id:"+strconv.Itoa(t.CallID))
	case opqueue.TraceRepeat:
		d.log.Debug("Scheduling another invocation of " + key)
	case opqueue.TraceFollow:
		progress += ", start_delay=" + ms(t.Delay) + ")"
		if t.Pending {
			d.log.Info(t.Rsc + " " + t.Action + " is still in progress: re-scheduling " + progress)
		} else {
			d.log.Debug(t.Rsc + " " + t.Action + " may still be in progress: re-scheduling " + progress)
		}
	case opqueue.TraceGiveUp:
		d.log.Notice("Giving up on " + t.Rsc + " " + t.Action + " (rc=" + strconv.Itoa(int(t.RC)) + "): timeout " + progress + ")")
	}
}

// logDone is the line about the end of an operation (log_finished).
func (d *daemon) logDone(done opqueue.Done) {
	e := done.Event
	l := level(e.Action)
	if !d.log.Enabled(context.Background(), l) {
		return
	}
	var b strings.Builder
	b.WriteString(e.RscID + " " + e.Action + " (call " + strconv.Itoa(e.CallID))
	if done.PID != 0 {
		b.WriteString(", PID " + strconv.Itoa(done.PID))
	}
	if e.Status == pcmk.ExecDone {
		b.WriteString(") exited with status " + strconv.Itoa(int(e.Result)))
	} else {
		b.WriteString(") could not be executed: " + e.Status.String())
	}
	if e.ExitReason != "" {
		b.WriteString(" (" + e.ExitReason + ")")
	}
	b.WriteString(" (execution time " + iso8601.ReadableMS(int64(e.ExecTime)))
	if e.QueueTime > 0 {
		b.WriteString(" after being queued " + iso8601.ReadableMS(int64(e.QueueTime)))
	}
	b.WriteString(")")
	d.at(l, b.String())
}

// logResult is about one run of an agent (services_linux.c).
func (d *daemon) logResult(s opqueue.Start, r agent.Result) {
	if r.PID == 0 {
		return
	}
	name := s.Rsc.ID + "_" + s.Action + "_" + strconv.FormatUint(uint64(s.Interval), 10)
	who := name + "[" + strconv.Itoa(r.PID) + "]"
	switch {
	case r.Status == pcmk.ExecTimeout:
		d.log.Info("Resource agent " + who + " timed out after " + iso8601.ReadableMS(int64(s.Timeout)))
	case r.Signal != 0:
		d.log.Info(who + " terminated with signal " + strconv.Itoa(int(r.Signal)) + " (" + agent.SignalName(r.Signal) + ")")
	default:
		if d.log.Enabled(context.Background(), slog.LevelDebug) {
			d.log.Debug(who + " exited with status " + strconv.Itoa(r.Exit))
		}
		d.logOutput(name, r)
	}
}

// logOutput logs what an agent wrote, line by line (crm_log_output).
func (d *daemon) logOutput(name string, r agent.Result) {
	who := name + "[" + strconv.Itoa(r.PID) + "] "
	for line := range strings.Lines(r.Stderr) {
		d.log.Info(who + "error output [ " + strings.TrimSuffix(line, "\n") + " ]")
	}
	if r.Stdout == "" || !d.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	for line := range strings.Lines(r.Stdout) {
		d.log.Debug(who + "output [ " + strings.TrimSuffix(line, "\n") + " ]")
	}
}
