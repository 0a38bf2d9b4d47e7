package qbipc

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	folderTries     = 100
	maxForeignFiles = 4096 // that a client left in its folder and we remove
)

// folder is a connection's directory under /dev/shm. Its owner is the client,
// which may do anything to it and in it; so the server works relative to an
// open descriptor and never follows a link.
type folder struct {
	path string
	dev  uint64
	ino  uint64
}

// folderName is the directory's name with its last six letters unset.
func folderName(s *Server, c *Conn) string {
	return fmt.Sprintf("%s/qb-%d-%d-%d-XXXXXX", s.o.ShmDir, s.pid, c.peer.PID, c.sock)
}

// makeFolder makes the directory, closed to everybody else until
// handOver is called, and returns a descriptor of it.
func makeFolder(template string) (folder, int, error) {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	f := folder{}
	var err error
	for range folderTries {
		var r [6]byte
		// It never fails (crypto/rand).
		_, _ = rand.Read(r[:])
		for i := range r {
			r[i] = letters[int(r[i])%len(letters)]
		}
		f.path = template[:len(template)-len(r)] + string(r[:])
		if err = unix.Mkdir(f.path, 0o700); err != unix.EEXIST {
			break
		}
	}
	if err != nil {
		return f, -1, fmt.Errorf("mkdir %s: %w", f.path, err)
	}
	fd, err := unix.Open(f.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	var st unix.Stat_t
	if err == nil {
		if err = unix.Fstat(fd, &st); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		_ = unix.Rmdir(f.path)
		return f, -1, fmt.Errorf("open %s: %w", f.path, err)
	}
	f.dev, f.ino = st.Dev, st.Ino
	return f, fd, nil
}

// handOver gives the directory to the client. It comes last: from here on its
// content is not to be trusted.
func handOver(fd int, p *Peer) error {
	if err := unix.Fchmod(fd, 0o770); err != nil {
		return err
	}
	return chownTo(fd, p)
}

// chownTo sets a file's owner. A server that is not root may not, and goes on
// (ringbuffer.c: qb_rb_chown).
func chownTo(fd int, p *Peer) error {
	if err := unix.Fchown(fd, int(p.OwnerUID), int(p.OwnerGID)); err != nil && err != unix.EPERM {
		return err
	}
	return nil
}

// createFile makes a file of size bytes with its memory allocated: a full
// file system must be an error here, and not a bus error later.
func createFile(dirfd int, name string, size int64, p *Peer) (int, error) {
	fd, err := unix.Openat(dirfd, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return -1, fmt.Errorf("create %s: %w", name, err)
	}
	err = retry(func() error { return unix.Fallocate(fd, 0, 0, size) })
	if err == unix.EOPNOTSUPP {
		err = fillFile(fd, size)
	}
	if err == nil {
		err = unix.Fchmod(fd, p.Mode)
	}
	if err == nil {
		err = chownTo(fd, p)
	}
	if err != nil {
		unix.Close(fd)
		_ = unix.Unlinkat(dirfd, name, 0)
		return -1, fmt.Errorf("create %s of %d bytes: %w", name, size, err)
	}
	return fd, nil
}

// fillFile allocates by writing, where the file system knows no other way.
func fillFile(fd int, size int64) error {
	zero := make([]byte, 1<<16)
	for at := int64(0); at < size; {
		n, err := unix.Pwrite(fd, zero[:min(int64(len(zero)), size-at)], at)
		if err != nil && err != unix.EINTR {
			return err
		}
		at += int64(max(n, 0))
	}
	return nil
}

// remove deletes the directory and all files in it, those of the client too.
// It tells whether the directory is gone.
func (f *folder) remove() bool {
	fd, err := unix.Open(f.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err == unix.ENOENT || err == unix.ENOTDIR || err == unix.ELOOP
	}
	dir := os.NewFile(uintptr(fd), f.path)
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Dev != f.dev || st.Ino != f.ino {
		return true // the client put another one in its place: not ours
	}
	for removed := 0; removed < maxForeignFiles; {
		names, err := dir.Readdirnames(64)
		for _, name := range names {
			if unix.Unlinkat(fd, name, 0) != nil {
				_ = unix.Unlinkat(fd, name, unix.AT_REMOVEDIR)
			}
		}
		removed += len(names)
		if err == io.EOF || len(names) == 0 {
			break
		}
	}
	err = unix.Rmdir(f.path)
	return err == nil || err == unix.ENOENT
}

// leftover is a directory that could not be removed at once: the client is
// still at work in it.
type leftover struct {
	folder
	tries int
}

// removeFolder deletes a connection's directory, now or a little later.
func (s *Server) removeFolder(f folder) {
	if f.path == "" || f.remove() {
		return
	}
	s.leftovers = append(s.leftovers, leftover{folder: f})
	if len(s.leftovers) == 1 {
		s.leftTimer.Reset(s.poll.Now().Add(removeInterval))
	}
}

func (s *Server) removeLeftovers() {
	keep := s.leftovers[:0]
	for _, l := range s.leftovers {
		if l.remove() {
			continue
		}
		if l.tries++; l.tries < removeTries {
			keep = append(keep, l)
			continue
		}
		s.noise.say(s.poll.Now(), LogWarning, "The client still writes into "+l.path+", it stays")
	}
	s.leftovers = keep
	if len(keep) > 0 {
		s.leftTimer.Reset(s.poll.Now().Add(removeInterval))
	}
}
