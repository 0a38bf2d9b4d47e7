package qbipc

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrFault says that a shared mapping lost its pages: the peer truncated the
// file. The connection is of no use any more.
var ErrFault = errors.New("qbipc: the peer took memory away from a shared file")

// mapping is a shared memory area. Touching it can fault at any time, so every
// function that does starts with
//
//	defer x.recoverFault(debug.SetPanicOnFault(true), &err)
type mapping struct {
	base unsafe.Pointer
	size uintptr
}

func (m mapping) contains(addr uintptr) bool {
	return m.base != nil && addr-uintptr(m.base) < m.size
}

func (m *mapping) unmap() {
	if m.base != nil {
		_ = unix.MunmapPtr(m.base, m.size)
		*m = mapping{}
	}
}

// memoryFault is the panic value of a fault under SetPanicOnFault (see
// runtime/debug.SetPanicOnFault).
type memoryFault interface{ Addr() uintptr }

// isFaultIn tells whether a recovered panic is a memory fault in one of the
// mappings. Any other panic is a bug of ours and must go on.
func isFaultIn(p any, maps ...mapping) bool {
	f, ok := p.(memoryFault)
	if !ok {
		return false
	}
	for _, m := range maps {
		if m.contains(f.Addr()) {
			return true
		}
	}
	return false
}
