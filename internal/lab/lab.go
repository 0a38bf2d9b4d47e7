package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// bootLimit bounds the boot of one node: a dozen mounts and two ip calls.
const bootLimit = 20 * time.Second

// Lab is a running lab, opened by this process. It is safe for concurrent use:
// its state is in files, changed under a lock.
type Lab struct {
	name string
	dir  string
}

// Up builds a lab and switches its nodes on: namespaces, cables, files, a
// corosync.conf for udpu. No daemon runs yet. On error nothing is left.
func Up(ctx context.Context, o Options) (*Lab, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if err := Possible(); err != nil {
		return nil, err
	}
	l := &Lab{name: o.Name, dir: filepath.Join(Root(), o.Name)}
	if _, err := os.Stat(l.dir); err == nil {
		if !o.Replace {
			return nil, fmt.Errorf("lab: %q exists already: take it down first (pacesync lab down -l %s)", o.Name, o.Name)
		}
		if err := l.Down(); err != nil {
			return nil, err
		}
	}
	if err := l.build(ctx, o); err != nil {
		if downErr := l.Down(); downErr != nil {
			err = errors.Join(err, downErr)
		}
		return nil, err
	}
	return l, nil
}

// Possible says whether this process can build a lab; the error names what is missing.
func Possible() error {
	if os.Geteuid() != 0 {
		return errors.New("lab: namespaces need root")
	}
	for _, p := range []string{"ip", "nft", "nsenter", "mount", "env"} {
		if lookPath(p) == "" {
			return fmt.Errorf("lab: program %s is missing (make deps installs what a lab needs)", p)
		}
	}
	return nil
}

func (l *Lab) build(ctx context.Context, o Options) error {
	for _, d := range []string{"shared", "nodes"} {
		if err := os.MkdirAll(l.path(d), 0o755); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
	}
	st := state{Name: o.Name, Created: time.Now(), Networks: o.Networks}
	member, host := 1, firstHostID
	for _, n := range o.Nodes {
		id := &member
		if n.Host {
			id = &host
		}
		st.Nodes = append(st.Nodes, nodeState{Name: n.Name, ID: *id, Host: n.Host, Corosync: n.Corosync, Pacemaker: n.Pacemaker, Tools: n.Tools, Ours: n.Ours})
		*id++
	}
	if err := l.save(st); err != nil {
		return err
	}
	if err := l.startSwitch(o.Networks); err != nil {
		return err
	}
	ours, err := l.installOurs(o)
	if err != nil {
		return err
	}
	for i, n := range l.Nodes() {
		if err := n.prepare(append(slices.Clone(o.Files), o.Nodes[i].Files...), ours); err != nil {
			return err
		}
		if err := n.PowerOn(ctx); err != nil {
			return err
		}
	}
	return l.WriteConf(Conf{})
}

// Open finds a lab that is up.
func Open(name string) (*Lab, error) {
	if !validName(name) {
		return nil, fmt.Errorf("%w: %q", ErrNone, name)
	}
	l := &Lab{name: name, dir: filepath.Join(Root(), name)}
	if _, err := l.load(); err != nil {
		return nil, err
	}
	return l, nil
}

// List returns the names of all labs of this machine, also of half-dead ones.
func List() []string {
	entries, err := os.ReadDir(Root())
	if err != nil {
		return nil // no folder: no lab
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// Name is the lab's name.
func (l *Lab) Name() string { return l.name }

// Dir is the lab's folder on the machine.
func (l *Lab) Dir() string { return l.dir }

// Shared is the folder that every node sees as /run/lab.
func (l *Lab) Shared() string { return l.path("shared") }

// Networks is the number of networks per node.
func (l *Lab) Networks() int {
	st, _ := l.load() // a lab that was taken down has none
	return st.Networks
}

// Nodes returns all nodes, hosts included, in the order given to Up.
func (l *Lab) Nodes() []*Node {
	st, _ := l.load()
	nodes := make([]*Node, len(st.Nodes))
	for i, n := range st.Nodes {
		nodes[i] = &Node{lab: l, st: n, dir: l.path("nodes", n.Name)}
	}
	return nodes
}

// Members returns the nodes that belong to the cluster.
func (l *Lab) Members() []*Node {
	return slices.DeleteFunc(l.Nodes(), func(n *Node) bool { return n.st.Host })
}

// Node returns the node of that name; nil when there is none.
func (l *Lab) Node(name string) *Node {
	for _, n := range l.Nodes() {
		if n.st.Name == name {
			return n
		}
	}
	return nil
}

// Down ends every process of the lab, with it the namespaces, and removes its
// folder. It also clears what a crash has left, and may be called twice.
func (l *Lab) Down() error {
	ctx, cancel := context.WithTimeout(context.Background(), bootLimit)
	defer cancel()
	err := Wait(ctx, "the processes of lab "+l.name+" to end", func() bool {
		left := marked(l.name)
		for _, n := range l.Nodes() {
			if pid := n.PID(); pid != 0 {
				left = append(left, Process{PID: pid})
			}
		}
		for _, p := range left {
			p.kill()
		}
		return len(left) == 0
	})
	if err != nil {
		return err
	}
	if err := os.RemoveAll(l.dir); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}

// DownLeftover takes down a lab by name even if its folder is damaged or gone.
func DownLeftover(name string) error {
	if !validName(name) {
		return fmt.Errorf("%w: %q", ErrNone, name)
	}
	return (&Lab{name: name, dir: filepath.Join(Root(), name)}).Down()
}
