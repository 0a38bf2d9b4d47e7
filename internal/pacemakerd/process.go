package pacemakerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cpg"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/pacemakerd/super"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/qbipc"
)

func path(d pcmk.Daemon) string { return filepath.Join(pcmk.DaemonDir, d.Program) }

// spawn starts a daemon and has its end told (pcmkd_subdaemons.c: start_child).
// A program that cannot be executed ends with the status that stops Pacemaker.
func spawn(log *daemonkit.Logger, d pcmk.Daemon, respawn bool, ended func(super.Exited)) (pid int) {
	cmd := exec.Command(path(d))
	cmd.Env = os.Environ()
	if respawn {
		cmd.Env = append(cmd.Env, "PCMK_respawned=true")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if !d.Root {
		cred, err := daemonCredential()
		if err != nil {
			log.Error(fmt.Sprintf("Invalid user (%s) for %s: not found", pcmk.User, d.Program))
			return 0
		}
		log.Info(fmt.Sprintf("Using uid=%d and group=%d for process %s", cred.Uid, cred.Gid, d.Program))
		cmd.SysProcAttr.Credential = cred
	}
	if err := cmd.Start(); err != nil {
		log.Crit(fmt.Sprintf("Could not execute %s: %v", path(d), err))
		ended(super.Exited{Code: int(pcmk.ExitFatal)})
		return 0
	}
	log.Info(fmt.Sprintf("Forked child %d for process %s", cmd.Process.Pid, d.Program))
	go func() {
		_ = cmd.Wait() // what it says is in ProcessState
		ev := super.Exited{PID: cmd.Process.Pid, Code: cmd.ProcessState.ExitCode()}
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			ev.Signal, ev.Core = int(ws.Signal()), ws.CoreDump()
			ev.SignalName = signalName(ws.Signal())
		}
		ended(ev)
	}()
	return cmd.Process.Pid
}

// signalName is strsignal(3)'s text.
func signalName(s syscall.Signal) string {
	text := s.String()
	return strings.ToUpper(text[:1]) + text[1:]
}

// daemonCredential is the user of most daemons with all its groups.
func daemonCredential() (*syscall.Credential, error) {
	uid, gid, err := pcmk.DaemonUser()
	if err != nil {
		return nil, err
	}
	cred := &syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{gid}}
	u, err := user.Lookup(pcmk.User)
	if err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return cred, nil // its own group is what counts
	}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil && uint32(n) != gid {
			cred.Groups = append(cred.Groups, uint32(n))
		}
	}
	return cred, nil
}

// connectLimit bounds a look at a socket (ipc_client.c:
// pcmk__ipc_is_authentic_process_active).
const connectLimit = 2 * time.Second

// looker finds out whether daemons live. Its uid and gid are those of pcmk.User.
type looker struct {
	log      *daemonkit.Logger
	uid, gid uint32
}

// look asks a daemon's socket and looks at its process (pcmkd_subdaemons.c:
// child_liveness). It takes up to connectLimit.
func (l looker) look(d pcmk.Daemon, tracked int) (pid int, result super.Liveness) {
	refUID, refGID := l.uid, l.gid
	if d.Root {
		refUID, refGID = 0, 0
	}
	refused := false
	conn, err := qbipc.Dial(d.Endpoint, qbipc.DialOptions{MaxMsg: 1, Timeout: connectLimit, Trust: func(pid int32, uid, gid uint32) bool {
		refused = uid != refUID && gid != refGID
		if refused {
			l.log.Error(fmt.Sprintf("Daemon (IPC %s) effectively blocked with unauthorized process %d (uid: %d, gid: %d)", d.Endpoint, pid, uid, gid))
		}
		return !refused
	}})
	switch {
	case refused:
		return 0, super.Unauthorized
	case err == nil:
		pid = conn.ServerPID()
		conn.Close()
		if tracked == 0 || tracked == pid {
			return pid, super.Alive
		}
	default:
		l.log.Debug(fmt.Sprintf("Could not connect to %s IPC: %v", d.Endpoint, err))
	}
	active, err := isActive(tracked, d)
	if pid != 0 {
		if other, _ := isActive(pid, d); !active || other {
			return pid, super.Alive
		}
	}
	switch {
	case active:
		return tracked, super.PIDOnly
	case errors.Is(err, unix.EACCES):
		return tracked, super.Unauthorized
	}
	return 0, super.Unresponsive
}

// isActive tells whether a process lives and is that daemon (pid.c:
// pcmk__pid_active).
func isActive(pid int, d pcmk.Daemon) (bool, error) {
	if pid <= 0 {
		return false, nil
	}
	killErr := unix.Kill(pid, 0)
	if killErr == unix.ESRCH {
		return false, nil
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if errors.Is(err, unix.EACCES) {
		if killErr == nil {
			return true, nil // the name cannot be checked
		}
		return false, unix.EACCES
	}
	return err == nil && strings.TrimSuffix(exe, " (deleted)") == path(d), nil
}

// clusterAnswers tells whether corosync can be talked to.
func clusterAnswers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	c, err := cpg.Dial(ctx, cpg.ClientOptions{})
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// findExisting looks for daemons that run already, after a crash of pacemakerd
// (find_and_track_existing_processes). Only their sockets tell of them.
func (l looker) findExisting(daemons []pcmk.Daemon) ([]super.Found, pcmk.Exit) {
	var found []super.Found
	for i, d := range daemons {
		switch pid, result := l.look(d, 0); result {
		case super.Alive:
			found = append(found, super.Found{Daemon: i, PID: pid})
		case super.Unauthorized:
			l.log.Crit(fmt.Sprintf("Checked liveness of %s: %s", d.Program, pcmk.RCIPCUnauthorized.Error()))
			return nil, pcmk.ExitCantCreate
		}
	}
	return found, pcmk.ExitOK
}
