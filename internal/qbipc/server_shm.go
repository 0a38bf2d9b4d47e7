package qbipc

import (
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// shmConn is a server's end of a shared-memory connection (ipc_shm.c).
type shmConn struct {
	req, res, ev *ring
}

// openRings makes the three rings and their six files (ipc_shm.c:
// qb_ipcs_shm_connect).
func (c *Conn) openRings(dirfd int, res *connResponse) error {
	w := &shmConn{}
	for _, r := range []struct {
		which string
		ring  **ring
		path  *string
	}{{"request", &w.req, &res.request}, {"response", &w.res, &res.response}, {"event", &w.ev, &res.event}} {
		made, path, err := c.createRing(dirfd, r.which)
		if err != nil {
			w.close()
			return err
		}
		*r.ring, *r.path = made, path
	}
	res.typ = SHM
	c.wire = w
	return nil
}

func (c *Conn) createRing(dirfd int, which string) (*ring, string, error) {
	base, hdrName, dataName := ringFiles(c.folder.path, which, c.srv.o.Name)
	if len(base) >= nameMax {
		return nil, "", unix.ENAMETOOLONG
	}
	size := dataSize(c.maxMsg)
	r := &ring{limit: c.maxMsg, words: uint32(size / 4)}
	hdr, err := createFile(dirfd, hdrName, headerFile, &c.peer)
	if err != nil {
		return nil, "", err
	}
	defer unix.Close(hdr)
	data, err := createFile(dirfd, dataName, int64(size), &c.peer)
	if err != nil {
		return nil, "", err
	}
	defer unix.Close(data)
	if r.hdr, err = mapShared(hdr, headerFile); err == nil {
		if r.data, err = mapTwice(data, uintptr(size)); err == nil {
			err = r.format(c.folder.path+"/"+hdrName, c.folder.path+"/"+dataName)
		}
	}
	if err != nil {
		r.unmap()
		return nil, "", err
	}
	return r, base, nil
}

// format fills in the header of a new, zeroed ring.
func (r *ring) format(hdrPath, dataPath string) (err error) {
	defer r.recoverFault(debug.SetPanicOnFault(true), &err)
	atomic.StoreUint32(r.field(offWords), r.words)
	copy(unsafe.Slice((*byte)(unsafe.Add(r.hdr.base, offHdrPath)), pathMax-1), hdrPath)
	copy(unsafe.Slice((*byte)(unsafe.Add(r.hdr.base, offDataPath)), pathMax-1), dataPath)
	atomic.StoreUint32(r.field(offRefCount), 1)
	r.sem().init()
	return nil
}

func (w *shmConn) waiting() (uint32, error)        { return w.req.waiting() }
func (w *shmConn) request(buf []byte) (int, error) { return w.req.tryRead(buf) }
func (w *shmConn) reply(hdr, body []byte) error    { return w.res.write(hdr, body) }
func (w *shmConn) event(hdr, body []byte) error    { return w.ev.write(hdr, body) }
func (w *shmConn) setFlow(level int32) error       { return w.req.setUserData(level) }
func (w *shmConn) watch(bool) error                { return nil }

func (w *shmConn) close() {
	for _, r := range []*ring{w.req, w.res, w.ev} {
		if r != nil {
			// A client that looks sees that it is alone. Its file may be gone.
			_ = r.setRefCount(0)
			r.unmap()
		}
	}
	*w = shmConn{}
}
