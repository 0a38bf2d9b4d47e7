// Package store keeps the CIB on disk: cib.xml with its signature, and the last
// hundred versions before it.
//
// A version is complete in a file of its own, synced and read back before it
// takes the name cib.xml, so a crash or a full disk leaves the old one or the
// new one. Files are those of the original, in both directions. The CIB daemon
// uses it, from one goroutine. It replaces daemons/based/based_io.c and the
// file parts of lib/cib/cib_file.c and lib/common/io.c.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const (
	liveName   = "cib.xml"
	signature  = ".sig"
	lastName   = "cib.last"
	archiveMax = 100       // versions kept (CIB_SERIES_MAX)
	fileMax    = 256 << 20 // bytes of a file that is read
)

// What is wrong with a file or a write, for errors.Is.
var (
	ErrCorrupt  = errors.New("empty or not XML")
	ErrModified = errors.New("its digest does not match")
	// ErrLive: the live file is not what we wrote, so it is not overwritten.
	ErrLive   = errors.New("was manually modified while the cluster was active")
	ErrBackup = errors.New("could not archive the previous version")
	ErrSave   = errors.New("could not save the new version")
)

// Dir is a folder with a CIB. hook is called before each change of the disk, for
// tests that let it fail; nil: not.
type Dir struct {
	Path string
	// Own gives a new file its owner, where the process is not the daemons' user;
	// nil: it is.
	Own  func(*os.File) error
	hook func(op, name string) error
}

// Note is something to tell the operator.
type Note struct {
	Err  bool // worth an error; else a warning
	Text string
}

// Found is what Load came to.
type Found struct {
	CIB  *xmltree.Node // nil: there was nothing to read
	From string        // file it was read from
	// Live says that From is cib.xml; otherwise it is an older version.
	Live  bool
	Notes []Note
}

func (f *Found) note(err bool, format string, args ...any) {
	f.Notes = append(f.Notes, Note{err, fmt.Sprintf(format, args...)})
}

func (d *Dir) path(name string) string { return filepath.Join(d.Path, name) }

func (d *Dir) may(op, name string) error {
	if d.hook == nil {
		return nil
	}
	return d.hook(op, name)
}

// Load reads cib.xml, or the newest older version that is whole. What cannot be
// used is set aside under a name that begins with cib.auto.
func (d *Dir) Load() Found {
	var f Found
	live := d.path(liveName)
	cib, err := readVerified(live, live+signature, &f)
	if errors.Is(err, ErrModified) && d.finishInterrupted(cib, &f) {
		err = nil
	}
	if err == nil {
		f.CIB, f.From, f.Live = cib, live, true
		return f
	}
	f.note(false, "Cluster configuration file %s: %v", live, err)
	if !errors.Is(err, fs.ErrNotExist) {
		f.note(false, "Continuing but %s will NOT be used.", live)
		d.setAside(live, &f)
		d.setAside(live+signature, &f)
	}
	f.note(false, "Primary configuration corrupt or unusable, trying backups in %s", d.Path)
	for _, name := range d.archive() {
		cib, err := readVerified(name, name+signature, &f)
		if err == nil {
			f.note(false, "Continuing with last valid configuration archive: %s", name)
			f.CIB, f.From = cib, name
			return f
		}
		f.note(false, "Cluster configuration file %s: %v", name, err)
		f.note(false, "Continuing but %s will NOT be used.", name)
	}
	return f
}

// readVerified reads a CIB and checks its signature; a missing signature is
// accepted with a note. With ErrModified the CIB is returned too.
func readVerified(name, sig string, f *Found) (*xmltree.Node, error) {
	cib, err := read(name)
	if err != nil {
		return nil, err
	}
	want, err := os.ReadFile(sig)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.note(false, "No on-disk digest present at %s", sig)
		return cib, nil
	case err != nil:
		return nil, err
	}
	if got := digest.OnDisk(cib); !digest.Same(got, strings.TrimRight(string(want), "\n")) {
		return cib, fmt.Errorf("%w: %s is computed, %.40q is in %s", ErrModified, got, want, sig)
	}
	return cib, nil
}

func read(name string) (*xmltree.Node, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, fmt.Errorf("%w: size is zero", ErrCorrupt)
	}
	if info.Size() > fileMax {
		return nil, fmt.Errorf("%w: %d bytes are more than any CIB has", ErrCorrupt, info.Size())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	cib, err := xmltree.Parse(text, xmltree.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	cib.StripText()
	return cib, nil
}

// finishInterrupted looks whether the last write was cut off between its two
// renames: then the new signature still lies under its temporary name.
func (d *Dir) finishInterrupted(cib *xmltree.Node, f *Found) bool {
	want := digest.OnDisk(cib)
	names, err := filepath.Glob(d.path("cib.[A-Za-z0-9]*"))
	if err != nil {
		return false
	}
	for _, name := range names {
		if !temporary(filepath.Base(name)) {
			continue
		}
		if info, err := os.Stat(name); err != nil || info.Size() != int64(len(want)) {
			continue
		}
		if b, err := os.ReadFile(name); err != nil || string(b) != want {
			continue
		}
		if err := os.Rename(name, d.path(liveName+signature)); err != nil {
			f.note(true, "Could not complete an interrupted write: %v", err)
			return false
		}
		f.note(false, "Completed a write of %s that was interrupted", d.path(liveName))
		return true
	}
	return false
}

// temporary says whether a name is one of those that Write makes.
func temporary(name string) bool {
	suffix, ok := strings.CutPrefix(name, "cib.")
	return ok && len(suffix) >= 6 && suffix != "last" && !strings.Contains(suffix, ".") && suffix != "xml"
}

// setAside keeps an unusable file for the operator (based_io.c: cib_rename).
func (d *Dir) setAside(name string, f *Found) {
	if _, err := os.Lstat(name); err != nil {
		return
	}
	tmp, err := os.CreateTemp(d.Path, "cib.auto.")
	if err == nil {
		err = errors.Join(tmp.Close(), os.Rename(name, tmp.Name()))
	}
	if err != nil {
		f.note(true, "Couldn't set %s aside: %v", name, err)
		return
	}
	f.note(true, "Archiving unusable file %s as %s", name, tmp.Name())
}

// archive lists the older versions, the newest first (based_io.c:
// cib_archive_filter, cib_archive_sort).
func (d *Dir) archive() []string {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return nil
	}
	type version struct {
		name string
		at   syscall.Timespec
	}
	var list []version
	for _, e := range entries {
		info, err := os.Stat(d.path(e.Name()))
		if err != nil || !info.Mode().IsRegular() || !strings.HasPrefix(e.Name(), "cib-") || strings.HasSuffix(e.Name(), signature) {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			list = append(list, version{d.path(e.Name()), st.Ctim})
		}
	}
	slices.SortStableFunc(list, func(a, b version) int { return int(b.at.Nano()/1e6 - a.at.Nano()/1e6) })
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].name
	}
	return out
}

// Prepare makes what is written of a CIB: no status, no updates counted, the
// time of writing (cib_file.c: cib_file_prepare_xml). The CIB stays as it is.
func Prepare(cib *xmltree.Node, now time.Time) *xmltree.Node {
	out := &xmltree.Node{Name: cib.Name, Attrs: slices.Clone(cib.Attrs)}
	out.Set("num_updates", "0")
	out.Set("cib-last-written", now.Local().Format("Mon Jan _2 15:04:05 2006"))
	for c := cib.First; c != nil; c = c.Next {
		if c.Kind != xmltree.Element || c.Name != "status" {
			out.Add(&xmltree.Node{Kind: c.Kind, Name: c.Name, Attrs: c.Attrs, First: c.First, Last: c.Last})
		}
	}
	return out
}

// Write makes a CIB the live version; it may be in use elsewhere but not change.
// It returns the digest. The error is one of ErrLive, ErrBackup and ErrSave
// (cib_file.c: cib_file_write_with_digest).
func (d *Dir) Write(cib *xmltree.Node, now time.Time) (sum string, err error) {
	live := d.path(liveName)
	var ignore Found
	old, err := readVerified(live, live+signature, &ignore)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !(errors.Is(err, ErrModified) && d.finishInterrupted(old, &ignore)) {
		return "", fmt.Errorf("%s %w: %w", live, ErrLive, err)
	}
	if err := d.backup(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrBackup, err)
	}
	out := Prepare(cib, now)
	sum = digest.OnDisk(out)
	var made []string
	litter := true
	defer func() {
		if err != nil {
			for _, name := range made {
				if litter {
					_ = os.Remove(name) // nothing can be done about it
				}
			}
			err = fmt.Errorf("%w: %w", ErrSave, err)
		}
	}()
	for _, text := range [...][]byte{out.AppendPacemaker(nil, xmltree.TextOptions{Format: true}), []byte(sum)} {
		name, err := d.writeTemp(text)
		if name != "" {
			made = append(made, name)
		}
		if err != nil {
			return "", err
		}
	}
	if _, err := readVerified(made[0], made[1], &ignore); err != nil {
		return "", fmt.Errorf("what was written reads back differently: %w", err)
	}
	for i, name := range [...]string{live, live + signature} {
		if err := d.may("rename", name); err != nil {
			return "", err
		}
		if err := os.Rename(made[i], name); err != nil {
			return "", err
		}
		if i == 0 {
			// From here on the new signature is wanted even where it is: see finishInterrupted.
			litter = false
		}
	}
	return sum, d.sync()
}

// writeTemp writes a new file to the disk itself.
func (d *Dir) writeTemp(text []byte) (string, error) {
	if err := d.may("create", ""); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(d.Path, "cib.") // mode 0600
	if err != nil {
		return "", err
	}
	err = d.may("write", f.Name())
	if err == nil && d.Own != nil {
		err = d.Own(f)
	}
	if err == nil {
		_, err = f.Write(text)
	}
	if err == nil {
		err = d.may("sync", f.Name())
	}
	if err == nil {
		err = f.Sync()
	}
	return f.Name(), errors.Join(err, f.Close())
}

// backup links the live version into the archive, unless the version before was
// the same: a write that failed is tried again (cib_file.c: cib_file_backup).
func (d *Dir) backup() error {
	live := d.path(liveName)
	seq := d.sequence()
	before, err := os.Stat(d.archived((seq + archiveMax - 1) % archiveMax))
	now, err2 := os.Stat(live)
	switch {
	case errors.Is(err2, fs.ErrNotExist):
		return nil
	case err == nil && err2 == nil && os.SameFile(before, now):
		return nil
	}
	to := d.archived(seq)
	for _, suffix := range [...]string{"", signature} {
		if err := d.may("link", to+suffix); err != nil {
			return err
		}
		if err := os.Remove(to + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, suffix := range [...]string{"", signature} {
		if err := os.Link(live+suffix, to+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := d.may("last", lastName); err != nil {
		return err
	}
	if err := d.writeLast((seq + 1) % archiveMax); err != nil {
		return err
	}
	return d.sync()
}

func (d *Dir) writeLast(seq int) error {
	f, err := os.OpenFile(d.path(lastName), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	if d.Own != nil {
		err = d.Own(f)
	}
	if err == nil {
		_, err = f.Write(strconv.AppendInt(nil, int64(seq), 10))
	}
	return errors.Join(err, f.Close())
}

func (d *Dir) archived(seq int) string { return d.path("cib-" + strconv.Itoa(seq) + ".raw") }

// sequence is the number of the next older version; what cannot be read is 0.
func (d *Dir) sequence() int {
	b, err := os.ReadFile(d.path(lastName))
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || n < 0 || n >= archiveMax {
		return 0
	}
	return n
}

// sync brings the folder's entries to the disk.
func (d *Dir) sync() error {
	f, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
