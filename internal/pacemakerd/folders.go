package pacemakerd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// folders are made when they are missing, and belong to the daemons' user
// (pacemakerd.c: create_pcmk_dirs). The executor makes pcmk.RscTmpDir itself.
func folders() []string {
	return []string{pcmk.StateDir, pcmk.VarDir, pcmk.CoreDir, pcmk.BlackboxDir, pcmk.PEDir, pcmk.CIBDir}
}

func makeFolders(log *daemonkit.Logger) pcmk.Exit {
	uid, gid, err := pcmk.DaemonUser()
	if err != nil {
		log.Error(fmt.Sprintf("Cluster user %s does not exist, aborting Pacemaker startup", pcmk.User))
		return pcmk.ExitNoUser
	}
	for _, dir := range folders() {
		if err := os.MkdirAll(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
			log.Warn(fmt.Sprintf("Could not create directory %s: %v", dir, err))
			continue
		}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			log.Warn(fmt.Sprintf("Cannot change the ownership of %s to user %s and gid %d: %v", dir, pcmk.User, gid, err))
		}
	}
	return pcmk.ExitOK
}

// raiseCoreLimit lets the daemons leave cores (pacemakerd.c:
// remove_core_file_limit).
func raiseCoreLimit(log *daemonkit.Logger) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &lim); err != nil {
		log.Notice("Unable to check system core file limits (consider ensuring the size is unlimited): " + err.Error())
		return
	}
	if lim.Max == 0 {
		if os.Geteuid() != 0 {
			log.Notice("Core dumps are disabled (consider enabling them)")
			return
		}
		lim.Max = unix.RLIM_INFINITY
	}
	if lim.Cur == lim.Max {
		return
	}
	lim.Cur = lim.Max
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &lim); err != nil {
		log.Notice("Unable to raise system limit on core file size (consider doing so manually): " + err.Error())
	}
}
