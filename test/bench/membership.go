package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
)

// watcher is e2e's client watch on a node: when it was told of which ring.
type watcher struct {
	stdin io.Closer

	mu    sync.Mutex
	views []view
}

// view is the members of a ring, as "1,2,3", and when a client was told.
type view struct {
	at      time.Time
	members string
}

// watch starts a watcher and returns once it is told of what changes.
func watch(ctx context.Context, n *lab.Node) (*watcher, error) {
	cmd, err := n.Command(ctx, "/usr/bin/bench-watch", "watch")
	if err != nil {
		return nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := &watcher{stdin: in}
	sc := bufio.NewScanner(out)
	for sc.Scan() && !strings.Contains(sc.Text(), " ready ") {
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	go func() {
		for sc.Scan() {
			w.note(sc.Text())
		}
		cmd.Wait() // ends with its standard input or its daemon
	}()
	return w, nil
}

// note takes a line such as "1789.000123 cpg totem ring=1.8 M=1,2,3".
func (w *watcher) note(line string) {
	stamp, text, _ := strings.Cut(line, " ")
	_, members, ok := strings.Cut(text, " M=")
	seconds, err := strconv.ParseFloat(stamp, 64)
	if !ok || err != nil || !strings.HasPrefix(text, "cpg totem ") {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.views = append(w.views, view{time.UnixMicro(int64(seconds * 1e6)), members})
}

// patience is how long a membership may take.
const patience = 2 * time.Minute

// when waits for the first view of these members after a moment.
func (w *watcher) when(ctx context.Context, after time.Time, members string) (at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = lab.Wait(ctx, "the membership "+members, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, v := range w.views {
			if v.at.After(after) && v.members == members {
				at = v.at
				return true
			}
		}
		return false
	})
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		err = fmt.Errorf("%w; told so far: %v", err, w.views)
	}
	return at, err
}

// ids is the members as watch writes them.
func ids(nodes []*lab.Node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, strconv.Itoa(n.ID()))
	}
	return strings.Join(out, ",")
}

// membership measures how long the ring takes to be one again: after a daemon was
// killed, when it joins, when a cut cable is whole again. The time is that of the
// last node that is told.
func membership(ctx context.Context, r *running) error {
	victim, rest := r.nodes[len(r.nodes)-1], r.nodes[:len(r.nodes)-1]
	var watchers []*watcher
	for _, n := range rest {
		w, err := watch(ctx, n)
		if err != nil {
			return err
		}
		defer w.stdin.Close()
		watchers = append(watchers, w)
	}
	for _, step := range []struct {
		name    string
		do      func() error
		members []*lab.Node
	}{
		{"a daemon killed: until the ring is without it", func() error { return victim.Kill(ctx, lab.PartCorosync) }, rest},
		{"a daemon started: until the ring is with it", func() error { return victim.Start(ctx, lab.PartCorosync) }, r.nodes},
		{"a node cut off: until the ring is without it", func() error { return victim.Link(0, false) }, rest},
		{"its cable whole again: until the ring is with it", func() error { return victim.Link(0, true) }, r.nodes},
	} {
		began := time.Now()
		if err := step.do(); err != nil {
			return err
		}
		var last time.Duration
		for _, w := range watchers {
			at, err := w.when(ctx, began, ids(step.members))
			if err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
			last = max(last, at.Sub(began))
		}
		r.add(step.name, "s", true, last.Seconds())
		// The next step meets a ring that has been whole for a while.
		if err := r.lab.WaitRing(ctx, step.members...); err != nil {
			return err
		}
	}
	return nil
}
