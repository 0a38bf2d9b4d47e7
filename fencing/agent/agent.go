// Package agent runs fence agents: programs below /usr/sbin as children, with
// their parameters on standard input, and fence_ipmilan within the process.
//
// The fencer's loop calls Runner from goroutines; stonith_admin uses it for
// metadata and validation. It replaces lib/fencing/st_{actions,rhcs}.c and the
// part of lib/services that they use.
package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/fencing/device"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/secrets"
)

// maxOutput is how much of an agent's output is kept of each kind: far more
// than any list of targets or description needs.
const maxOutput = 1 << 20

// retryPause is between two attempts (internal_stonith_action_execute).
const retryPause = time.Second

// Runner runs agents. Safe for concurrent use.
type Runner struct {
	Dir     string // of the agents; empty: /usr/sbin
	Secrets string // directory of CIB secrets; empty: Pacemaker's
	// Log is told what happens, at the level of a note; may be nil.
	Log func(level int, format string, args ...any)
	// Children forbids to do anything within the process.
	Children bool

	ipmi ipmiCache
}

func (r *Runner) log(level int, format string, args ...any) {
	if r.Log != nil {
		r.Log(level, format, args...)
	}
}

func (r *Runner) path(agent string) string {
	dir := r.Dir
	if dir == "" {
		dir = pcmk.FenceDir
	}
	return filepath.Join(dir, filepath.Base(agent))
}

// Installed says whether there is such an agent (stonith__agent_is_rhcs).
func (r *Runner) Installed(agent string) bool {
	st, err := os.Stat(r.path(agent))
	return err == nil && st.Mode().IsRegular()
}

// List names the installed agents in order (stonith__list_rhcs_agents).
func (r *Runner) List() ([]string, error) {
	dir := r.Dir
	if dir == "" {
		dir = pcmk.FenceDir
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "fence_") && r.Installed(e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// Run runs an action until it succeeds, has used up its retries, or 70 % of its
// time is over (update_remaining_timeout). started is called with the process
// id of each attempt, and may be nil. The result's pid is that of the last one.
func (r *Runner) Run(ctx context.Context, run device.Run, started func(pid int)) (res wire.Result, pid int) {
	params, err := r.substitute(run.Device, run.Params)
	if err != nil {
		if run.Action != "stop" {
			r.log(3, "Considering %s unconfigured because unable to load CIB secrets: %v", run.Device, err)
			return wire.Failure(pcmk.ExitError, pcmk.ExecNoSecrets, "Failed to get CIB secrets"), 0
		}
		r.log(6, "Proceeding with stop operation for %s despite being unable to load CIB secrets (%v)", run.Device, err)
	}
	run.Params = params
	begin, left := time.Now(), run.Timeout
	for try := 1; ; try++ {
		if try > 1 {
			r.log(6, "Attempt %d to execute %s (%s). remaining timeout is %d", try, run.Agent, run.Action, int(left/time.Second))
		}
		res, pid = r.attempt(ctx, run, left, started)
		spent := time.Since(begin).Truncate(time.Second)
		switch {
		case res.OK() || ctx.Err() != nil:
			return res, pid
		case try >= run.Retries:
			r.log(6, "Attempted to execute agent %s (%s) the maximum number of times (%d) allowed", run.Agent, run.Action, run.Retries)
			return res, pid
		case res.Status == pcmk.ExecTimeout || spent*10 >= run.Timeout*7:
			return res, pid
		}
		left = run.Timeout - spent
		select {
		case <-ctx.Done():
			return res, pid
		case <-time.After(retryPause):
		}
	}
}

func (r *Runner) attempt(ctx context.Context, run device.Run, limit time.Duration, started func(int)) (wire.Result, int) {
	if run.Agent == ipmiAgent && !r.Children {
		if res, ok := r.runIPMI(ctx, run, limit); ok {
			return res, os.Getpid()
		}
	}
	return r.child(ctx, run, limit, started)
}

// child runs one process of an agent.
func (r *Runner) child(ctx context.Context, run device.Run, limit time.Duration, started func(int)) (wire.Result, int) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.path(run.Agent))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a grandchild may keep the pipes open
	var in bytes.Buffer
	for _, p := range run.Params {
		fmt.Fprintf(&in, "%s=%s\n", p.Name, p.Value)
	}
	stdout, stderr := limited{}, limited{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return execError(cmd.Path, err), 0
	}
	pid := cmd.Process.Pid
	if started != nil {
		started(pid)
	}
	err := cmd.Wait()
	res := waitResult(cmd, err, limit, errors.Is(ctx.Err(), context.DeadlineExceeded))
	res.Output, res.Stderr = stdout.String(), stderr.String()
	for line := range strings.Lines(res.Stderr) {
		r.log(4, "%s[%d] stderr: [ %s ]", run.Agent, pid, strings.TrimRight(line, "\n"))
	}
	return res, pid
}

// limited keeps the beginning of what is written to it.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// execError is services__handle_exec_error.
func execError(path string, err error) wire.Result {
	var no syscall.Errno
	errors.As(err, &no)
	text := err.Error()
	if no != 0 {
		text = pcmk.RC(no).Error()
	}
	switch no {
	case syscall.ENOENT, syscall.EISDIR, syscall.ENOTDIR, syscall.EINVAL, syscall.ENOEXEC:
		return wire.Failure(pcmk.ExitNotInstalled, pcmk.ExecNotInstalled, path+": "+text)
	case syscall.EACCES, syscall.EPERM:
		return wire.Failure(pcmk.ExitInsufficientPriv, pcmk.ExecError, path+": "+text)
	}
	return wire.Failure(pcmk.ExitError, pcmk.ExecError, text)
}

// waitResult is async_action_complete.
func waitResult(cmd *exec.Cmd, err error, limit time.Duration, late bool) wire.Result {
	ws, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case late && ws.Signaled():
		return wire.Failure(pcmk.ExitError, pcmk.ExecTimeout, "Fence agent did not complete within "+interval(limit))
	case ws.Signaled():
		return wire.Failure(pcmk.ExitError, pcmk.ExecError, "Fence agent interrupted by "+ws.Signal().String()+" signal")
	case err != nil && cmd.ProcessState == nil:
		return wire.Failure(pcmk.ExitError, pcmk.ExecError, err.Error())
	}
	return wire.Result{Exit: ws.ExitStatus(), Status: pcmk.ExecDone}
}

// interval is a time as users read it (pcmk__readable_interval).
func interval(d time.Duration) string {
	d = d.Round(time.Millisecond)
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range [...]struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.unit
		}
	}
	if d > 0 {
		fmt.Fprintf(&b, "%gs", d.Seconds())
	}
	return b.String()
}

// substitute reads the secrets among the parameters of a resource.
func (r *Runner) substitute(rsc string, params []wire.Pair) ([]wire.Pair, error) {
	dir := r.Secrets
	if dir == "" {
		dir = pcmk.SecretsDir
	}
	return secrets.Substitute(dir, rsc, params)
}
