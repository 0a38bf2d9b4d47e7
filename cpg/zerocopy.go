package cpg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Zero copy (cpg_zcb_alloc, cpg_zcb_mcast_joined, cpg_zcb_free of libcpg up to
// 3.1.9): the client makes a file in shared memory, writes its message there
// and then asks the daemon to multicast it. Upstream's daemon, as root, maps,
// truncates and deletes whatever path a client names, and trusts the address
// and the length that stand in the file.
//
// Here the file is held open and read, never mapped: a client that shortens it
// gets an error, and nothing faults. It must be a file such as libcpg makes.

const (
	// zcFolder and zcPrefix are where libcpg makes the file, with six random
	// characters behind (lib/cpg.c: memory_map). Its second choice, below /var, is
	// for machines without /dev/shm, on which this daemon does not run.
	zcFolder = "/dev/shm"
	zcPrefix = "corosync_zerocopy-"
	zcRandom = 6

	// zcClientMax and zcMax bound the buffers of a client and of all; each is an
	// open file of the daemon.
	zcClientMax = 2048
	zcMax       = 8192
)

// zcFiles is what the buffers of all clients share. Owned by the loop.
type zcFiles struct {
	open   int
	handle uint64 // the last one given; upstream's is an address
	buf    []byte // a message on its way from the file to totem
}

// zcBuffer is one open file of a client.
type zcBuffer struct {
	handle  uint64
	fd      int
	mapSize uint64
}

// zcAlloc takes a buffer. The client finds its handle in the file; libcpg does
// not look at the status, so a refused buffer has the handle 0, which no
// request is served with.
func (s *server) zcAlloc(c *client, msg []byte) {
	status := service.OK
	if err := s.zcTake(c, msg); err != nil {
		s.log(service.LevelWarning, fmt.Sprintf("zero-copy buffer of process %d refused: %v", c.conn.PID(), err))
		status = zcStatus(err)
	}
	s.status(c, wire.ResZC, status)
}

// zcStatus finds the result code in an error.
func zcStatus(err error) service.Error {
	var status service.Error
	if errors.As(err, &status) {
		return status
	}
	return service.ErrInvalidParam
}

func (s *server) zcTake(c *client, msg []byte) error {
	r, err := wire.ParseZCAllocReq(msg)
	if err != nil {
		return err
	}
	name, err := zcName(r.Path)
	if err != nil {
		return err
	}
	if r.MapSize < wire.ZCOverhead {
		return fmt.Errorf("%s: %d bytes, want at least %d", r.Path, r.MapSize, wire.ZCOverhead)
	}
	fd, err := zcOpen(name, c.conn.UID(), r.MapSize)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Path, err)
	}
	if len(c.zc) >= zcClientMax || s.zc.open >= zcMax {
		unix.Close(fd)
		return fmt.Errorf("%d buffers of it and %d of all are open: %w", len(c.zc), s.zc.open, service.ErrNoMemory)
	}
	s.zc.handle++
	var handle [8]byte
	binary.NativeEndian.PutUint64(handle[:], s.zc.handle)
	if n, err := unix.Pwrite(fd, handle[:], wire.ZCHandleOffset); n != len(handle) {
		unix.Close(fd)
		return fmt.Errorf("%s: handle not written: %w", r.Path, err)
	}
	s.zc.open++
	c.zc = append(c.zc, zcBuffer{s.zc.handle, fd, r.MapSize})
	return nil
}

// zcName is the name in the folder of a path that libcpg makes.
func zcName(path string) (string, error) {
	name, ok := strings.CutPrefix(path, zcFolder+"/")
	random, ok2 := strings.CutPrefix(name, zcPrefix)
	other := func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}
	if !ok || !ok2 || len(random) != zcRandom || strings.ContainsFunc(random, other) {
		return "", fmt.Errorf("%q: want %s/%s and %d letters or digits: %w", path, zcFolder, zcPrefix, zcRandom, service.ErrAccess)
	}
	return name, nil
}

// zcOpen opens the file and removes its name, as libcpg leaves it to the daemon.
// Nothing but a plain file of the client's user with this one name is touched:
// the folder is sticky, so nobody else can put another file in its place.
func zcOpen(name string, uid uint32, size uint64) (int, error) {
	dir, err := unix.Open(zcFolder, unix.O_DIRECTORY|unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	// O_NONBLOCK: neither a pipe nor a lease can hold up the daemon.
	fd, err := unix.Openat(dir, name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		err = zcCheck(&st, uid, size)
	}
	if err == nil {
		err = unix.Unlinkat(dir, name, 0)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// zcCheck says what is wrong with the file.
func zcCheck(st *unix.Stat_t, uid uint32, size uint64) error {
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("no plain file: %w", service.ErrAccess)
	case st.Uid != uid:
		return fmt.Errorf("belongs to user %d, the client is %d: %w", st.Uid, uid, service.ErrAccess)
	case st.Nlink != 1:
		return fmt.Errorf("has %d names: %w", st.Nlink, service.ErrAccess)
	case st.Size < 0 || uint64(st.Size) < size:
		return fmt.Errorf("has %d bytes, the client says %d", st.Size, size)
	}
	return nil
}

// buffer finds a buffer of the client, -1 if there is none: handles of others
// are not valid.
func (c *client) buffer(handle uint64) int {
	return slices.IndexFunc(c.zc, func(b zcBuffer) bool { return b.handle == handle })
}

// zcFree gives a buffer back; an unknown one too is answered OK, as upstream does.
func (s *server) zcFree(c *client, msg []byte) {
	handle, err := wire.ParseZCFreeReq(msg)
	if i := c.buffer(handle); err == nil && i >= 0 {
		unix.Close(c.zc[i].fd)
		c.zc = slices.Delete(c.zc, i, i+1)
		s.zc.open--
	}
	s.status(c, wire.ResZC, service.OK)
}

// zcFreeAll closes the buffers of a client that is gone.
func (s *server) zcFreeAll(c *client) {
	for _, b := range c.zc {
		unix.Close(b.fd)
	}
	s.zc.open -= len(c.zc)
	c.zc = nil
}

// zcExecute multicasts the message in a buffer.
func (s *server) zcExecute(c *client, msg []byte) {
	s.status(c, wire.ResMcast, s.zcMcast(c, msg))
}

func (s *server) zcMcast(c *client, msg []byte) service.Error {
	handle, err := wire.ParseZCExecuteReq(msg)
	i := c.buffer(handle)
	if err != nil || i < 0 {
		return service.ErrInvalidParam
	}
	if status := c.MayMcast(); status != service.OK {
		return status
	}
	data, err := s.zcRead(&c.zc[i])
	if err != nil {
		s.log(service.LevelWarning, fmt.Sprintf("zero-copy message of process %d refused: %v", c.conn.PID(), err))
		return zcStatus(err)
	}
	m := wire.Mcast{Group: c.Group(), PID: c.PID(), Source: s.source(c), Data: data}
	m.PutHeader(&s.mcast)
	if err := s.host.Mcast(s.mcast[:], data); err != nil {
		return zcStatus(err)
	}
	return service.OK
}

// zcRead copies the message out of the file before anything looks at it: the
// client may change it at any instant.
func (s *server) zcRead(b *zcBuffer) ([]byte, error) {
	var head [wire.McastReqSize]byte
	if n, err := unix.Pread(b.fd, head[:], wire.ZCHeaderSize); n != len(head) {
		return nil, fmt.Errorf("its header cannot be read: %w", zcShort(err))
	}
	size := uint64(wire.McastReqLen(&head))
	switch {
	case size > zcMessageMax:
		return nil, fmt.Errorf("%d bytes, at most %d are possible: %w", size, zcMessageMax, service.ErrTooBig)
	case size > b.mapSize-wire.ZCOverhead:
		return nil, fmt.Errorf("%d bytes in a buffer of %d", size, b.mapSize-wire.ZCOverhead)
	}
	s.zc.buf = slices.Grow(s.zc.buf[:0], int(size))[:size]
	if n, err := unix.Pread(b.fd, s.zc.buf, wire.ZCOverhead); n != len(s.zc.buf) {
		return nil, fmt.Errorf("%d of %d bytes can be read: %w", n, size, zcShort(err))
	}
	return s.zc.buf, nil
}

// zcMessageMax is the longest message that totem takes in one piece, less what
// precedes it between nodes.
const zcMessageMax = 1<<20 - wire.McastSize

// zcShort is the error of an incomplete read.
func zcShort(err error) error {
	if err != nil {
		return err
	}
	return errors.New("the file was shortened")
}
