package crmmon

import (
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	fencer "github.com/pacesync/pacesync/fencing/client"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/detach"
	"github.com/pacesync/pacesync/internal/pacemakerd/super"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/show"
)

// Times of redrawing (crm_mon.c: refresh_after_event).
const (
	settleTime = 2 * time.Second // after the last change
	maxChanges = 10              // that one redrawing may skip
)

// watcher shows the state as it changes. It is owned by the goroutine of watch.
type watcher struct {
	p       *program
	ctx     context.Context
	cib     *client.Conn
	fencer  *fencer.Client
	events  chan any // client.Event, fencer.Event, byte of the keyboard
	changes int
	drawn   time.Time
	timer   *time.Timer
	help    bool
	restore func()
}

// watch shows the state until it is interrupted.
func (p *program) watch() pcmk.Exit {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	if p.o.daemonize {
		if status, child := p.daemonize(); !child {
			return status
		}
	}
	w := &watcher{p: p, ctx: ctx, events: make(chan any, 64), timer: time.NewTimer(time.Hour), restore: func() {}}
	if p.o.form == console {
		w.keyboard()
	}
	status := w.run()
	w.restore()
	return status
}

// run connects, draws and waits for changes, again and again.
func (w *watcher) run() pcmk.Exit {
	pause := time.Duration(w.p.o.intervalMS) * time.Millisecond
	for {
		w.screen("Waiting until cluster is available on this node ...\n")
		for !w.connect() {
			select {
			case <-w.ctx.Done():
				return pcmk.ExitOK
			case <-time.After(pause):
			}
		}
		status, again := w.follow()
		w.disconnect()
		if !again {
			return status
		}
	}
}

func (w *watcher) connect() bool {
	answer, err := launcher(w.ctx, w.p.env.Name)
	if err != nil && session.RC(err) != pcmk.RC(unix.EREMOTEIO) {
		return false
	}
	if s := session.LauncherState(answer); err == nil && s != super.Running && s != super.ShuttingDown {
		w.screen(s.Friendly() + "\n")
		return false
	}
	c, err := client.Dial(w.ctx, w.p.env.Name, client.Options{Service: client.ReadOnly, Notify: []string{client.DiffNotify}})
	if err != nil {
		return false
	}
	w.cib = c
	c.Pump(func(ev client.Event) { w.events <- ev })
	if w.p.o.connectFencer || w.p.o.watchFence {
		if f, err := fencer.Dial(w.ctx, w.p.env.Name); err == nil {
			kind := wire.NotifyHistory
			if w.p.o.watchFence {
				kind = wire.NotifyFence
			}
			if f.Subscribe(w.ctx, kind) == nil {
				w.fencer = f
				f.Events(func(ev fencer.Event) { w.events <- ev })
			} else {
				f.Close()
			}
		}
	}
	return true
}

func (w *watcher) disconnect() {
	w.cib.Close()
	if w.fencer != nil {
		w.fencer.Close()
		w.fencer = nil
	}
}

// follow draws until the connection is lost, then again is true, or the user ends it.
func (w *watcher) follow() (status pcmk.Exit, again bool) {
	w.changes = maxChanges
	for {
		if w.changes >= maxChanges {
			status, ok := w.draw()
			if !ok {
				return status, false
			}
			w.changes = 0
		}
		select {
		case <-w.ctx.Done():
			return pcmk.ExitOK, false
		case <-w.timer.C:
			w.changes = maxChanges
		case ev := <-w.events:
			switch ev := ev.(type) {
			case client.Event:
				if ev.Kind == client.Lost {
					return pcmk.ExitOK, true
				}
				if ev.Kind == client.Notify {
					w.p.outside(ev.XML)
					w.changed()
				}
			case fencer.Lost:
				return pcmk.ExitOK, true
			case fencer.Notification:
				w.p.fenced(ev)
				w.changed()
			case byte:
				w.key(ev)
			}
		}
	}
}

// changed notes a change: it is shown soon, or at once when there are many.
func (w *watcher) changed() {
	w.changes++
	if time.Since(w.drawn) > time.Duration(w.p.o.intervalMS)*time.Millisecond {
		w.changes = maxChanges
	}
	w.timer.Reset(settleTime)
}

// draw shows the state; false ends the program.
func (w *watcher) draw() (pcmk.Exit, bool) {
	p := w.p
	w.drawn = time.Now()
	root, err := w.cib.Do(w.ctx, client.Call{Op: client.Query, Options: client.ScopeLocal})
	if err != nil {
		return pcmk.ExitOK, true
	}
	if p.to != nil {
		if _, err := p.to.Seek(0, io.SeekStart); err == nil {
			p.to.Truncate(0)
		}
	}
	p.out.Reset()
	w.screen("")
	ok := p.display(root, p.fenceHistory(w.ctx))
	if p.o.form == monitor && !ok {
		p.finish(pcmk.ExitError)
		return pcmk.ExitError, false
	}
	if p.to != nil || p.o.form == console {
		p.out.Finish(pcmk.ExitOK)
	} else {
		p.out.Flush()
	}
	return pcmk.ExitOK, true
}

// screen clears the terminal and writes text.
func (w *watcher) screen(text string) {
	if w.p.o.form == console {
		io.WriteString(w.p.env.Stdout, "\x1b[H\x1b[2J\x1b[3J"+text)
		return
	}
	if text != "" {
		w.p.out.Info(strings.TrimSuffix(text, "\n"))
		w.p.out.Flush()
	}
}

// keyboard reads single keys from a terminal until restore is called.
func (w *watcher) keyboard() {
	in, ok := w.p.env.Stdin.(*os.File)
	if !ok {
		return
	}
	fd := int(in.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return
	}
	t := *old
	t.Lflag &^= unix.ICANON | unix.ECHO
	if unix.IoctlSetTermios(fd, unix.TCSETS, &t) != nil {
		return
	}
	w.restore = func() { unix.IoctlSetTermios(fd, unix.TCSETS, old) }
	go func() {
		var b [1]byte
		for {
			if n, err := in.Read(b[:]); n == 0 || err != nil {
				return
			}
			w.events <- b[0]
		}
	}()
}

// key changes what is shown (crm_mon.c: detect_user_input).
func (w *watcher) key(c byte) {
	o := w.p.o
	switch c {
	case 'm':
		o.fenceLevel = (o.fenceLevel + 1) % 4
		o.sections &^= show.Fencing
		o.setFencing(o.fenceLevel, false)
		switch o.fenceLevel {
		case 1:
			o.sections |= show.FenceFailed | show.FencePending
		case 2, 3:
			o.sections |= show.Fencing
		}
	case 'c':
		o.sections ^= show.Tickets
	case 'f':
		o.sections ^= show.Failcounts
	case 'n':
		o.opts ^= show.RscsByNode
	case 'o':
		o.sections ^= show.Operations
		if o.sections&show.Operations == 0 {
			o.opts &^= show.Timing
		}
	case 'r':
		o.opts ^= show.InactiveRscs
	case 'R':
		o.opts ^= show.Details
	case 't':
		if o.opts ^= show.Timing; o.opts&show.Timing != 0 {
			o.sections |= show.Operations
		}
	case 'A':
		o.sections ^= show.Attributes
	case 'L':
		o.sections ^= show.Bans
	case 'D':
		if o.sections&show.Summary != 0 {
			o.sections &^= show.Summary
		} else {
			o.sections |= show.Summary
		}
		o.sections &^= show.Options
	case 'b':
		o.opts ^= show.Brief
	case 'j':
		o.opts ^= show.Pending
	case '?':
		w.help = true
	default:
		w.help = false
	}
	if w.help {
		w.screen(w.helpText())
		return
	}
	w.changes = maxChanges
}

// helpText is the page of keys.
func (w *watcher) helpText() string {
	o := w.p.o
	text := "Display option change mode\n"
	about := map[byte]string{}
	for _, e := range o.display() {
		about[e.Short] = e.Help
	}
	for _, k := range []struct {
		key byte
		on  bool
	}{{'c', o.sections&show.Tickets != 0}, {'f', o.sections&show.Failcounts != 0}, {'n', o.opts&show.RscsByNode != 0},
		{'o', o.sections&show.Operations != 0}, {'r', o.opts&show.InactiveRscs != 0}, {'t', o.opts&show.Timing != 0},
		{'A', o.sections&show.Attributes != 0}, {'L', o.sections&show.Bans != 0}, {'D', o.sections&show.Summary == 0},
		{'R', o.opts&show.Details != 0}, {'b', o.opts&show.Brief != 0}, {'j', o.opts&show.Pending != 0}} {
		mark := " "
		if k.on {
			mark = "*"
		}
		text += mark + " " + string(rune(k.key)) + ": \t" + about[k.key] + "\n"
	}
	text += strconv.Itoa(o.fenceLevel) + " m: \t" + about['m'] + "\n"
	return text + "\nToggle fields via field letter, type any other key to return\n"
}

// daemonize starts the program again in the background, with its pid in a file;
// child is true in that one.
func (p *program) daemonize() (status pcmk.Exit, child bool) {
	if detach.Detached(p.env.Name) {
		if err := os.WriteFile(*p.o.pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
			return p.fail(pcmk.ExitError, err.Error()), false
		}
		return pcmk.ExitOK, true
	}
	if err := detach.Start(p.env, p.env.Args); err != nil {
		return p.fail(pcmk.ExitError, err.Error()), false
	}
	return pcmk.ExitOK, false
}

// fenced tells the external agent of a fencing.
func (p *program) fenced(n fencer.Notification) {
	if p.o.agent == nil || n.Type != wire.NotifyFence {
		return
	}
	desc := "Operation " + n.Action + " requested by " + n.ClientName + " for peer " + n.Target + ": " + n.Result.Status.String() + " (ref=" + n.ID + ")"
	p.trap(n.Target, "", n.Action, 0, n.Result.Exit, 0, desc)
}

// outside tells the external agent of the operations in a change of the CIB
// (crm_mon.c: crm_diff_update_v2).
func (p *program) outside(news *xmltree.Node) {
	if p.o.agent == nil {
		return
	}
	diff := news.Find(func(n *xmltree.Node) bool { return n.Name == "diff" })
	diff.Each("change", func(c *xmltree.Node) {
		from := c
		if c.Attr("operation") == "modify" {
			from = c.Child("change-result")
		}
		if op := c.Attr("operation"); op != "create" && op != "modify" {
			return
		}
		node := pathID(c.Attr("path"), "lrm")
		from.Find(func(n *xmltree.Node) bool {
			if n.Name == "node_state" {
				node = n.Attr("uname")
			}
			if n.Name == "lrm_rsc_op" {
				p.operation(n, node)
			}
			return false
		})
	})
}

// pathID is the id of an element in a path of a change.
func pathID(path, element string) string {
	_, rest, ok := strings.Cut(path, "/"+element+"[@id='")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, "'")
	return id
}

// operation tells the external agent of one result (handle_rsc_op).
func (p *program) operation(n *xmltree.Node, node string) {
	magic := n.Attr("transition-magic")
	head, key, ok := strings.Cut(magic, ";")
	status, rc, ok2 := strings.Cut(head, ":")
	if !ok || !ok2 {
		return
	}
	target := 0
	if f := strings.SplitN(key, ":", 4); len(f) == 4 {
		target, _ = strconv.Atoi(f[2])
	}
	st, _ := strconv.Atoi(status)
	code, _ := strconv.Atoi(rc)
	id := n.Attr("operation_key")
	if id == "" {
		id = n.ID()
	}
	rsc, task, _, ok := model.SplitKey(id)
	if !ok {
		return
	}
	if on := n.Attr("on_node"); on != "" {
		node = on
	}
	desc := pcmk.ExecStatus(st).String()
	switch {
	case st == model.ExecDone && code == target:
		if code == model.RCNotRunning {
			return
		}
		desc = "OK"
	case st == model.ExecDone:
		desc = pcmk.OCF(code).String()
	}
	p.trap(node, rsc, task, target, code, st, desc)
}

// trap runs the external agent (send_custom_trap).
func (p *program) trap(node, rsc, task string, target, rc, status int, desc string) {
	cmd := exec.Command(*p.o.agent)
	cmd.Env = append(os.Environ(), "CRM_notify_node="+node, "CRM_notify_task="+task, "CRM_notify_desc="+desc, "CRM_notify_rc="+strconv.Itoa(rc),
		"CRM_notify_target_rc="+strconv.Itoa(target), "CRM_notify_status="+strconv.Itoa(status))
	if rsc != "" {
		cmd.Env = append(cmd.Env, "CRM_notify_rsc="+rsc)
	}
	if p.o.recipient != nil {
		cmd.Env = append(cmd.Env, "CRM_notify_recipient="+*p.o.recipient)
	}
	if cmd.Start() == nil {
		go cmd.Wait()
	}
}
