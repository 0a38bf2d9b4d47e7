package qbipc

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dataSize is the length of a ring's data file for messages of up to maxMsg
// bytes (ringbuffer.c: qb_rb_open_2).
func dataSize(maxMsg uint32) uint64 {
	page := uint64(os.Getpagesize())
	return (uint64(maxMsg) + chunkMargin + 1 + page - 1) / page * page
}

// mapShared maps the first size bytes of an open file.
func mapShared(fd int, size uintptr) (mapping, error) {
	p, err := unix.MmapPtr(fd, 0, nil, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return mapping{}, fmt.Errorf("mmap: %w", err)
	}
	return mapping{p, size}, nil
}

// mapTwice maps an open file of size bytes twice, the second time right behind
// the first.
func mapTwice(fd int, size uintptr) (mapping, error) {
	base, err := unix.MmapPtr(-1, 0, nil, 2*size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return mapping{}, fmt.Errorf("mmap: %w", err)
	}
	m := mapping{base, 2 * size}
	for _, at := range []uintptr{0, size} {
		_, err = unix.MmapPtr(fd, 0, unsafe.Add(base, at), size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED)
		if err != nil {
			m.unmap()
			return mapping{}, fmt.Errorf("mmap: %w", err)
		}
	}
	return m, nil
}

// openRing attaches a client to a ring that the server made. path is as in the
// connection reply. The reader's or writer's position starts where the header
// says, which is 0 for a new ring.
func openRing(path string, maxMsg uint32, writer bool) (r *ring, err error) {
	hdrFile := path + "-header"
	if path == "" || path[0] != '/' {
		return nil, fmt.Errorf("ring %q: not an absolute path", path)
	}
	fd, err := unix.Open(hdrFile, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", hdrFile, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("stat %s: %w", hdrFile, err)
	}
	if st.Size < headerStruct {
		return nil, fmt.Errorf("%s has %d bytes, want at least %d: %w", hdrFile, st.Size, headerStruct, ErrCorrupt)
	}
	r = &ring{limit: maxMsg}
	if r.hdr, err = mapShared(fd, headerFile); err != nil {
		return nil, fmt.Errorf("%s: %w", hdrFile, err)
	}
	if err = r.attach(writer); err != nil {
		r.unmap()
		return nil, fmt.Errorf("%s: %w", hdrFile, err)
	}
	return r, nil
}

// attach maps the data file that the header names and counts us in.
func (r *ring) attach(writer bool) error {
	words, pos, path, err := r.readHeader(writer)
	if err != nil {
		return err
	}
	size := uint64(words) * 4
	if size != dataSize(r.limit) || pos >= words || path == "" || path[0] != '/' {
		return fmt.Errorf("%d words, position %d, data file %q for messages of %d bytes: %w",
			words, pos, path, r.limit, ErrCorrupt)
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat %s: %w", path, err)
	}
	if uint64(st.Size) < size {
		return fmt.Errorf("%s has %d bytes, want %d: %w", path, st.Size, size, ErrCorrupt)
	}
	if r.data, err = mapTwice(fd, uintptr(size)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r.words, r.pos = words, pos
	n, err := r.refCount()
	if err != nil {
		return err
	}
	return r.setRefCount(n + 1)
}

// attachPath is the data path in a header, or "" if it is not terminated.
func attachPath(field []byte) string {
	if end := bytes.IndexByte(field, 0); end >= 0 {
		return string(field[:end])
	}
	return ""
}

// ringFiles are the names in a connection's directory of the two files of a
// ring, and the base that the connection reply carries.
func ringFiles(dir, which, service string) (base, hdr, data string) {
	base = "qb-" + which + "-" + service
	return dir + "/" + base, base + "-header", base + "-data"
}

// dirOf is the directory of a path from a connection reply.
func dirOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return ""
}
