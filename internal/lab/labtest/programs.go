package labtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Programs are the C files of a folder, each a program of its name, compiled against
// Debian's unchanged libraries when they are first asked for. Safe for concurrent use.
type Programs struct {
	Sources string   // the folder
	Flags   []string // of gcc

	once sync.Once
	dir  string
	err  error
}

// Dir is where the programs are. Every user may run them.
func (p *Programs) Dir() (string, error) {
	p.once.Do(func() { p.err = p.compile() })
	return p.dir, p.err
}

func (p *Programs) compile() error {
	files, err := filepath.Glob(filepath.Join(p.Sources, "*.c"))
	if err != nil || len(files) == 0 {
		return errors.Join(err, fmt.Errorf("no C files in %s", p.Sources))
	}
	if p.dir, err = os.MkdirTemp("", "pacesync-programs-"); err != nil {
		return err
	}
	if err := os.Chmod(p.dir, 0o755); err != nil {
		return err
	}
	for _, src := range files {
		args := []string{"-Wall", "-Werror", "-o", filepath.Join(p.dir, strings.TrimSuffix(filepath.Base(src), ".c")), src}
		if out, err := exec.Command("gcc", append(args, p.Flags...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("gcc %s: %w\n%s", src, err, out)
		}
	}
	return nil
}

// Remove deletes the programs, if there are any; a package's TestMain ends with it.
func (p *Programs) Remove() error {
	if p.dir == "" {
		return nil
	}
	return os.RemoveAll(p.dir)
}
