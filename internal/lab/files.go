package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// half tells which choice in NodeSpec decides about an installed name.
type half uint8

const (
	corosyncHalf half = iota
	pacemakerHalf
	tools
)

// halfOf sorts the path of an installed program. The directory of Pacemaker's
// sub-daemons is CRM_DAEMON_DIR.
func halfOf(path string) half {
	switch {
	case path == "/usr/sbin/corosync":
		return corosyncHalf
	case path == "/usr/sbin/pacemakerd", strings.HasPrefix(path, "/usr/lib/pacemaker/"):
		return pacemakerHalf
	}
	return tools
}

func (s nodeState) impl(h half) Impl {
	switch h {
	case corosyncHalf:
		return s.Corosync
	case pacemakerHalf:
		return s.Pacemaker
	}
	return s.Tools
}

// takes says whether the program of that path is to be ours.
func (s nodeState) takes(path string) bool {
	return s.impl(halfOf(path)) == Ours || slices.Contains(s.Ours, filepath.Base(path))
}

// installOurs copies our binary into the lab, so that a rebuild does not change
// a running lab, and makes its links. It returns their installed paths.
func (l *Lab) installOurs(o Options) ([]string, error) {
	if !slices.ContainsFunc(o.Nodes, func(n NodeSpec) bool {
		return n.Corosync == Ours || n.Pacemaker == Ours || n.Tools == Ours || len(n.Ours) > 0
	}) {
		return nil, nil
	}
	binary := filepath.Join(o.Bin, "pacesync")
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("lab: a node runs ours, but there is no binary: %w (make build)", err)
	}
	root := l.path("ours", "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	copied := l.path("ours", "pacesync")
	if err := copyFile(copied, binary, 0o755); err != nil {
		return nil, err
	}
	if err := makeLinks(copied, root); err != nil {
		return nil, err
	}
	var paths []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return paths, checkNames(o, paths)
}

// makeLinks has the binary make its names. A child that this process forks at
// that moment, for another lab, holds the fresh binary open for writing until it
// executes its own program: then it is tried again.
func makeLinks(binary, root string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var out []byte
	var err error
	waited := Wait(ctx, "our binary to be runnable", func() bool {
		out, err = exec.Command(binary, "links", root, "--root").CombinedOutput()
		return !errors.Is(err, syscall.ETXTBSY)
	})
	if err = errors.Join(err, waited); err != nil {
		return fmt.Errorf("lab: links of our binary: %w: %s", err, out)
	}
	return nil
}

// checkNames says which single programs of ours there are not: a misspelt name
// would silently test Debian's.
func checkNames(o Options, paths []string) error {
	for _, n := range o.Nodes {
		for _, name := range n.Ours {
			if !slices.ContainsFunc(paths, func(p string) bool { return filepath.Base(p) == name }) {
				return fmt.Errorf("lab: we have no program called %q (pacesync alone lists them)", name)
			}
		}
	}
	return nil
}

// diskDir is a folder of the node's own: it survives a power cut.
type diskDir struct {
	path  string
	owner string // user whose folder it is, with its group; the same as the packages set
	mode  os.FileMode
}

// diskDirs are the folders that hold the state of the stack.
func diskDirs() []diskDir {
	return []diskDir{
		{"/etc/corosync", "", 0o755},
		{"/etc/corosync/uidgid.d", "", 0o755},
		{"/etc/pacemaker", "", 0o755},
		{"/var/lib/corosync", "", 0o755},
		{"/var/lib/pacemaker", "hacluster", 0o750},
		{"/var/lib/pacemaker/blackbox", "hacluster", 0o750},
		{"/var/lib/pacemaker/cib", "hacluster", 0o750},
		{"/var/lib/pacemaker/cores", "hacluster", 0o750},
		{"/var/lib/pacemaker/pengine", "hacluster", 0o750},
		{"/var/log", "", 0o755},
		{"/var/log/corosync", "", 0o755},
		{"/var/log/cluster", "", 0o755},
		{"/var/log/pacemaker", "hacluster", 0o770},
		{"/var/log/nginx", "", 0o755},
		{"/var/log/pcsd", "", 0o700},
		{"/var/log/crmsh", "", 0o755},
	}
}

// diskMounts are the roots of diskDirs: each is one bind mount.
func diskMounts() []string {
	return []string{"/etc/corosync", "/etc/pacemaker", "/var/lib/corosync", "/var/lib/pacemaker", "/var/log"}
}

// prepare fills the node's disk and its layer, the tree of files laid over the
// machine's. paths are the installed names of ours.
func (n *Node) prepare(files []File, paths []string) error {
	for _, d := range diskDirs() {
		if err := n.makeDiskDir(d); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(n.dir, "run"), 0o755); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	for _, p := range diskMounts() {
		if _, err := os.Stat(p); err != nil { // the mount point has to come from the layer
			if err := os.MkdirAll(n.layer(p), 0o755); err != nil {
				return fmt.Errorf("lab: %w", err)
			}
		}
	}
	for _, p := range paths {
		if n.st.takes(p) {
			if err := linkOrCopy(n.layer(p), n.lab.path("ours", "root", p)); err != nil {
				return err
			}
		}
	}
	for _, f := range files {
		if err := n.AddFile(f); err != nil {
			return err
		}
	}
	return n.writeHosts()
}

func (n *Node) makeDiskDir(d diskDir) error {
	path := n.Path(d.path)
	if err := os.MkdirAll(path, d.mode); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if err := os.Chmod(path, d.mode); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if d.owner == "" {
		return nil
	}
	u, err := user.Lookup(d.owner)
	if err != nil {
		return nil // Pacemaker is not installed: nobody will miss the owner
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return os.Chown(path, uid, gid)
}

// writeHosts gives the node an /etc/hosts with all names.
func (n *Node) writeHosts() error {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n")
	for _, m := range n.lab.Nodes() {
		fmt.Fprintf(&b, "%s %s\n", m.Addr(0), m.st.Name)
	}
	return os.WriteFile(filepath.Join(n.dir, "hosts"), []byte(b.String()), 0o644)
}

// AddFile puts a file onto the node's disk at once, or into the layer that it
// sees after its next boot.
func (n *Node) AddFile(f File) error {
	if !filepath.IsAbs(f.Path) {
		return fmt.Errorf("lab: file %q: give an absolute path", f.Path)
	}
	dst := n.layer(f.Path)
	if n.onDisk(f.Path) {
		dst = n.Path(f.Path)
	}
	if f.Mode == 0 {
		f.Mode = 0o644
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if f.Source != "" {
		return copyFile(dst, f.Source, f.Mode)
	}
	if err := os.WriteFile(dst, []byte(f.Content), f.Mode); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return os.Chmod(dst, f.Mode)
}

func (n *Node) onDisk(path string) bool {
	return slices.ContainsFunc(diskMounts(), func(d string) bool { return path == d || strings.HasPrefix(path, d+"/") })
}

func (n *Node) layer(path string) string { return filepath.Join(n.dir, "layer", path) }

// Path is where a file of the node's disk lies on the machine, also while the
// node is off.
func (n *Node) Path(path string) string { return filepath.Join(n.dir, "disk", path) }

// overlays returns the folders of the machine over which the layer has to be
// laid: for each added file the deepest folder that exists.
func (n *Node) overlays() ([]string, error) {
	var dirs []string
	root := filepath.Join(n.dir, "layer")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || path == root {
			return err
		}
		rel := strings.TrimPrefix(path, root)
		if d.IsDir() {
			if isDir(rel) {
				return nil
			}
			dirs = append(dirs, filepath.Dir(rel))
			return fs.SkipDir
		}
		dirs = append(dirs, filepath.Dir(rel))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	slices.Sort(dirs) // outer folders first: an inner overlay goes on top
	return slices.Compact(dirs), nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func linkOrCopy(dst, src string) error {
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if os.Link(src, dst) == nil {
		return nil
	}
	return copyFile(dst, src, 0o755)
}

func copyFile(dst, src string, mode os.FileMode) error {
	in, err := os.Open(src)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return fmt.Errorf("lab: copy %s: %w", src, err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return os.Chmod(dst, mode)
}

// lookPath finds a program in the path that lab processes get.
func lookPath(name string) string {
	for _, d := range strings.Split(strings.TrimPrefix(environment("")[0], "PATH="), ":") {
		p := filepath.Join(d, name)
		if st, err := os.Stat(p); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
			return p
		}
	}
	return ""
}
