package qbipc

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sweep removes the directories of clients that a predecessor left when it was
// killed together with them; a client that lives removes its own. The original
// leaves them until the machine starts again. The name is bound before, so that no
// other server of it lives here; what connected clients have mapped stays theirs.
func (s *Server) sweep() {
	entries, err := os.ReadDir(s.o.ShmDir)
	if err != nil {
		return // the first client will tell
	}
	for _, e := range entries {
		if pid, ok := folderOwner(e.Name()); ok && e.IsDir() && unix.Kill(pid, 0) == unix.ESRCH {
			s.removeAbandoned(s.o.ShmDir + "/" + e.Name())
		}
	}
}

// folderOwner is the server's process in the name of a client's directory, as
// folderName makes it.
func folderOwner(name string) (pid int, ok bool) {
	parts := strings.Split(name, "-")
	if len(parts) != 5 || parts[0] != "qb" || len(parts[4]) != 6 {
		return 0, false
	}
	for i, p := range parts[1:4] {
		n, err := strconv.ParseUint(p, 10, 31)
		if err != nil {
			return 0, false
		}
		if i == 0 {
			pid = int(n)
		}
	}
	return pid, pid > 0
}

// removeAbandoned removes a directory if it was of this service.
func (s *Server) removeAbandoned(path string) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return
	}
	files, err := os.ReadDir(path)
	if err != nil || !slices.ContainsFunc(files, func(e os.DirEntry) bool { return s.ownFile(e.Name()) }) {
		return
	}
	f := folder{path: path, dev: st.Dev, ino: st.Ino}
	if f.remove() {
		s.log(LogDebug, "removed "+path+", which a killed server left")
	}
}

// ownFile says whether a file of that name is of a connection to this service.
func (s *Server) ownFile(name string) bool {
	for _, which := range [...]string{"request", "response", "event"} {
		if _, hdr, data := ringFiles("", which, s.o.Name); name == hdr || name == data {
			return true
		}
	}
	return name == controlFile(s.o.Name)
}
