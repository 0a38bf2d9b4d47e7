package daemon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// ringIDFile keeps the sequence number of the last ring this node was in:
// 8 bytes in host order in STATE_DIR/ringid_NODEID, mode 0600 (main.c:
// corosync_ring_id_create_or_load, corosync_ring_id_store).
type ringIDFile struct {
	path string
	buf  [8]byte
}

func newRingIDFile(stateDir string, nodeID uint32) *ringIDFile {
	return &ringIDFile{path: filepath.Join(stateDir, "ringid_"+strconv.FormatUint(uint64(nodeID), 10))}
}

// Load returns the stored number. A missing file, or one of the wrong size, is
// replaced by one that holds 0.
func (f *ringIDFile) Load() (uint64, error) {
	b, err := os.ReadFile(f.path)
	if err == nil && len(b) >= len(f.buf) {
		return binary.NativeEndian.Uint64(b), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return 0, err
	}
	return 0, f.Store(0)
}

// Store replaces the number, in place and at once: a process that is killed at any
// moment leaves the old number or the new one; the original empties the file first, and
// who finds it empty begins with ring 0 again. It is not synced: after a power cut the node
// meets a ring with a higher number, or alone starts over, as the original does.
func (f *ringIDFile) Store(seq uint64) error {
	binary.NativeEndian.PutUint64(f.buf[:], seq)
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		_, err = file.WriteAt(f.buf[:], 0)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("couldn't store new ring id %x to stable storage: %w", seq, err)
	}
	return nil
}
