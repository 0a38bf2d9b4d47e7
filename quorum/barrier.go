package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// BarrierStore keeps the highest number of expected votes ever seen
// (expected_votes_tracking, allow_downscale).
type BarrierStore interface {
	// Load reads the number, 0 if none was ever stored.
	Load() (uint32, error)
	// Save stores it, soon: it does not wait for the disk. It returns the error
	// of an earlier Save, once.
	Save(x uint32) error
}

// BarrierFile is the file ev_tracking in Corosync's state directory: four
// bytes in the machine's order. Corosync 3.1.7 reads it but fails to write it.
type BarrierFile struct {
	path string

	mu      sync.Mutex
	pending uint32
	queued  bool // pending is not written yet
	writing bool // a goroutine is at it
	err     error
}

// NewBarrierFile is the file in a state directory.
func NewBarrierFile(dir string) *BarrierFile {
	return &BarrierFile{path: filepath.Join(dir, "ev_tracking")}
}

// Load implements BarrierStore. A file of another length counts as none.
func (f *BarrierFile) Load() (uint32, error) {
	b, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(b) != 4:
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("expected votes barrier: %w", err)
	}
	return binary.NativeEndian.Uint32(b), nil
}

// Save implements BarrierStore. The latest number wins.
func (f *BarrierFile) Save(x uint32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending, f.queued = x, true
	if !f.writing {
		f.writing = true
		go f.write()
	}
	err := f.err
	f.err = nil
	return err
}

func (f *BarrierFile) write() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.queued {
		x := f.pending
		f.queued = false
		f.mu.Unlock()
		err := replaceFile(f.path, binary.NativeEndian.AppendUint32(nil, x))
		f.mu.Lock()
		if err != nil {
			f.err = err
		}
	}
	f.writing = false
}

// replaceFile writes a file so that a crash leaves the old or the new one.
func replaceFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after the rename, as it should
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
