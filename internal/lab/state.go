package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// state is lab.json: what a lab is, and what is wrong with its cables. Every
// change goes through Lab.update, under a file lock.
type state struct {
	Name     string      `json:"name"`
	Created  time.Time   `json:"created"`
	Networks int         `json:"networks"`
	Nodes    []nodeState `json:"nodes"`
	Faults   []Fault     `json:"faults,omitempty"`
}

type nodeState struct {
	Name      string   `json:"name"`
	ID        int      `json:"id"`
	Host      bool     `json:"host,omitempty"`
	Corosync  Impl     `json:"corosync"`
	Pacemaker Impl     `json:"pacemaker"`
	Tools     Impl     `json:"tools"`
	Ours      []string `json:"ours,omitempty"`
}

// ErrNone is returned by Open when there is no lab of that name.
var ErrNone = errors.New("lab: no such lab")

// Root is the folder of all labs: $PACESYNC_LAB_DIR, else /run/pacesync-lab.
func Root() string {
	if d := os.Getenv("PACESYNC_LAB_DIR"); d != "" {
		return d
	}
	return "/run/pacesync-lab"
}

func (l *Lab) path(elem ...string) string {
	return filepath.Join(append([]string{l.dir}, elem...)...)
}

func (l *Lab) load() (state, error) {
	var st state
	b, err := os.ReadFile(l.path("lab.json"))
	if errors.Is(err, os.ErrNotExist) {
		return st, fmt.Errorf("%w: %s", ErrNone, l.name)
	}
	if err != nil {
		return st, fmt.Errorf("lab: %w", err)
	}
	if err := json.Unmarshal(b, &st); err != nil {
		return st, fmt.Errorf("lab: %s: %w", l.path("lab.json"), err)
	}
	return st, nil
}

func (l *Lab) save(st state) error {
	b, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	tmp := l.path("lab.json.new")
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return os.Rename(tmp, l.path("lab.json"))
}

// update changes lab.json under the lab's lock; fn may have effects that belong
// to the change, such as loading the switch's rules.
func (l *Lab) update(fn func(*state) error) error {
	lock, err := os.OpenFile(l.path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lab: lock: %w", err)
	}
	st, err := l.load()
	if err != nil {
		return err
	}
	if err := fn(&st); err != nil {
		return err
	}
	return l.save(st)
}
