package qbipc

import (
	"errors"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in the header file, see the package comment.
const (
	offWritePt  = 0
	offReadPt   = 4
	offWords    = 8
	offHdrPath  = 12
	offDataPath = 4108
	offRefCount = 8204
	offSem      = 8208
	offUserData = 8240

	headerStruct = 8248             // sizeof(struct qb_ringbuffer_shared_s)
	headerFile   = headerStruct + 4 // with the 4 bytes of user data
)

// Chunk layout (ringbuffer.c: QB_RB_CHUNK_*).
const (
	chunkHeader = 8 // u32 size, u32 magic
	chunkMargin = 12
	chunkWords  = chunkHeader / 4

	magicCommitted = 0xA1A1A1A1
	magicDead      = 0xD0D0D0D0
	magicAlloc     = 0xA110CED0
)

// ErrCorrupt says that the words in a shared ring contradict each other. A
// server drops such a client.
var ErrCorrupt = errors.New("qbipc: the peer wrote nonsense into a shared ring")

// ring is one direction of a shared-memory connection, seen by its reader or by
// its writer. pos is our own pointer and is never read back from the shared
// header; words and limit were fixed at creation or checked when it was opened.
// A ring is used by one goroutine at a time.
type ring struct {
	hdr   mapping
	data  mapping // the data file, twice
	words uint32  // length of the data file in words
	limit uint32  // longest message in bytes
	pos   uint32  // reader: next word to read; writer: next word to write
}

func (r *ring) recoverFault(old bool, err *error) {
	debug.SetPanicOnFault(old)
	if p := recover(); p != nil {
		if !isFaultIn(p, r.hdr, r.data) {
			panic(p)
		}
		*err = ErrFault
	}
}

func (r *ring) field(off uintptr) *uint32 { return (*uint32)(unsafe.Add(r.hdr.base, off)) }
func (r *ring) word(i uint32) *uint32 {
	return (*uint32)(unsafe.Add(r.data.base, uintptr(i%r.words)*4))
}
func (r *ring) sem() semaphore { return semaphore{(*uint64)(unsafe.Add(r.hdr.base, offSem))} }

// bytes is the memory after the chunk header at word pt. The second mapping
// makes n bytes contiguous for any n up to the length of the file.
func (r *ring) bytes(pt, n uint32) []byte {
	at := uintptr((pt+chunkWords)%r.words) * 4
	return unsafe.Slice((*byte)(unsafe.Add(r.data.base, at)), n)
}

// step is the word after a chunk of n bytes at pt.
func (r *ring) step(pt, n uint32) uint32 {
	return uint32((uint64(pt) + chunkWords + (uint64(n)+3)/4) % uint64(r.words))
}

// free is the writer's room in bytes (ringbuffer.c: qb_rb_space_free). The
// reader's pointer is the peer's word and may be anything.
func (r *ring) free() (uint64, error) {
	read := atomic.LoadUint32(r.field(offReadPt))
	if read >= r.words {
		return 0, ErrCorrupt
	}
	var words uint32
	switch {
	case r.pos > read:
		words = read + r.words - r.pos - 1
	case r.pos < read:
		words = read - r.pos - 1
	case r.sem().value() == 0:
		words = r.words
	}
	return uint64(words) * 4, nil
}

// write appends one message made of two parts and posts the semaphore. Without
// room it returns EAGAIN and changes nothing.
func (r *ring) write(hdr, body []byte) (err error) {
	defer r.recoverFault(debug.SetPanicOnFault(true), &err)
	n := uint64(len(hdr)) + uint64(len(body))
	if n > uint64(r.limit) {
		return unix.EMSGSIZE
	}
	room, err := r.free()
	if err != nil {
		return err
	}
	if room < n+chunkMargin {
		return unix.EAGAIN
	}
	at := r.pos
	atomic.StoreUint32(r.word(at), 0)
	atomic.StoreUint32(r.word(at+1), magicAlloc)
	dst := r.bytes(at, uint32(n))
	copy(dst[copy(dst, hdr):], body)
	atomic.StoreUint32(r.word(at), uint32(n))
	r.pos = r.step(at, uint32(n))
	atomic.StoreUint32(r.field(offWritePt), r.pos)
	atomic.StoreUint32(r.word(at+1), magicCommitted)
	r.sem().post()
	return nil
}

// tryRead copies the next message into buf and frees its chunk. It returns
// EAGAIN when there is none, ENOBUFS when buf is too short for it (the message
// stays).
func (r *ring) tryRead(buf []byte) (n int, err error) {
	defer r.recoverFault(debug.SetPanicOnFault(true), &err)
	if !r.sem().tryWait() {
		return 0, unix.EAGAIN
	}
	return r.take(buf)
}

// take reads the message for which the semaphore was taken already. Size and
// magic are read once and only the copies are used.
func (r *ring) take(buf []byte) (int, error) {
	at := r.pos
	if magic := atomic.LoadUint32(r.word(at + 1)); magic != magicCommitted {
		r.sem().post()
		return 0, ErrCorrupt
	}
	n := atomic.LoadUint32(r.word(at))
	if n > r.limit {
		r.sem().post()
		return 0, ErrCorrupt
	}
	if uint64(len(buf)) < uint64(n) {
		r.sem().post()
		return 0, unix.ENOBUFS
	}
	copy(buf, r.bytes(at, n))
	atomic.StoreUint32(r.word(at), 0)
	atomic.StoreUint32(r.word(at+1), magicDead)
	r.pos = r.step(at, n)
	atomic.StoreUint32(r.field(offReadPt), r.pos)
	return int(n), nil
}

// waiting is the number of messages that the semaphore tells of.
func (r *ring) waiting() (n uint32, err error) {
	defer r.recoverFault(debug.SetPanicOnFault(true), &err)
	return r.sem().value(), nil
}

// userData and setUserData access the word that carries flow control.
func (r *ring) userData() (v int32, err error) {
	defer r.recoverFault(debug.SetPanicOnFault(true), &err)
	return int32(atomic.LoadUint32(r.field(offUserData))), nil
}

func (r *ring) setUserData(v int32) (err error) {
	defer r.recoverFault(debug.SetPanicOnFault(true), &err)
	atomic.StoreUint32(r.field(offUserData), uint32(v))
	return nil
}

func (r *ring) refCount() (v int32, err error) {
	defer r.recoverFault(debug.SetPanicOnFault(true), &err)
	return int32(atomic.LoadUint32(r.field(offRefCount))), nil
}

func (r *ring) setRefCount(v int32) (err error) {
	defer r.recoverFault(debug.SetPanicOnFault(true), &err)
	atomic.StoreUint32(r.field(offRefCount), uint32(v))
	return nil
}

func (r *ring) unmap() {
	r.hdr.unmap()
	r.data.unmap()
}

// readHeader reads what attach needs, each word once.
func (r *ring) readHeader(writer bool) (words, pos uint32, dataPath string, err error) {
	defer r.recoverFault(debug.SetPanicOnFault(true), &err)
	words = atomic.LoadUint32(r.field(offWords))
	off := uintptr(offReadPt)
	if writer {
		off = offWritePt
	}
	pos = atomic.LoadUint32(r.field(off))
	var path [pathMax]byte
	copy(path[:], unsafe.Slice((*byte)(unsafe.Add(r.hdr.base, offDataPath)), pathMax))
	return words, pos, attachPath(path[:]), nil
}
