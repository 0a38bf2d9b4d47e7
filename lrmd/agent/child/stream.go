package child

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stream collects what a child writes to one pipe.
type stream struct {
	r    *os.File
	w    int
	data []byte
	done chan struct{}
}

func (s *stream) open() error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return err.(syscall.Errno)
	}
	_ = unix.SetNonblock(p[0], true)
	s.r, s.w = os.NewFile(uintptr(p[0]), "pipe"), p[1]
	return nil
}

// read begins to collect, in a goroutine, and closes our copy of the writing end.
func (s *stream) read() {
	_ = unix.Close(s.w)
	s.w = -1
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		buf := make([]byte, 4096)
		for {
			n, err := s.r.Read(buf)
			s.keep(buf[:n])
			if err != nil {
				return
			}
		}
	}()
}

func (s *stream) keep(b []byte) { s.data = append(s.data, b[:min(len(b), MaxOutput-len(s.data))]...) }

// finish returns what there is when the child has gone. It does not wait for
// the end of the stream: what the child left running may hold the pipe open.
func (s *stream) finish() string {
	_ = s.r.SetReadDeadline(time.Unix(1, 0))
	<-s.done
	raw, err := s.r.SyscallConn()
	if err != nil {
		return string(s.data)
	}
	_ = raw.Control(func(fd uintptr) {
		buf := make([]byte, 4096)
		for {
			n, err := unix.Read(int(fd), buf)
			if n > 0 {
				s.keep(buf[:n])
			}
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if n <= 0 {
				return
			}
		}
	})
	return string(s.data)
}

func (s *stream) close() {
	if s.w >= 0 {
		_ = unix.Close(s.w)
	}
	_ = s.r.Close()
}
