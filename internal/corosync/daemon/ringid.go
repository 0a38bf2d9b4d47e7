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

// Store replaces the number. It is not synced: after a power cut the node
// meets a ring with a higher number, or alone starts over, as the original does.
func (f *ringIDFile) Store(seq uint64) error {
	binary.NativeEndian.PutUint64(f.buf[:], seq)
	if err := os.WriteFile(f.path, f.buf[:], 0o600); err != nil {
		return fmt.Errorf("couldn't store new ring id %x to stable storage: %w", seq, err)
	}
	return nil
}
