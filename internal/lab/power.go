package lab

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

//go:embed agents/fence_lab
var fenceAgent string

// FenceAgent is the script agent stonith:fence_lab, to be given to Up as a file
// of every node. It drives the PowerSwitch.
func FenceAgent() File {
	return File{Path: "/usr/sbin/fence_lab", Mode: 0o755, Content: fenceAgent}
}

// PowerEvent is one thing that the switch has done. Immutable.
type PowerEvent struct {
	Time   time.Time // when it was done, before the asker was told
	Action string    // on, off
	Node   string
	By     string // node whose agent asked
	Err    error
}

// String is the event's line in power.log.
func (e PowerEvent) String() string {
	result := "done"
	if e.Err != nil {
		result = e.Err.Error()
	}
	return fmt.Sprintf("%.6f %s %s by %s: %s", float64(e.Time.UnixMicro())/1e6, e.Node, e.Action, e.By, result)
}

// PowerSwitch serves the requests of fence_lab: lines "ACTION NODE ANSWER ASKER"
// in the pipe shared/power/request, answered by a line "STATUS TEXT" in the pipe
// shared/power/ANSWER. Each off and on is in shared/power.log before it is
// answered. It is safe for concurrent use.
type PowerSwitch struct {
	lab      *Lab
	requests *os.File
	log      *os.File

	mu     sync.Mutex
	events []PowerEvent
}

// ServePower starts the power switch of the lab; it serves until Close.
func (l *Lab) ServePower() (*PowerSwitch, error) {
	dir := filepath.Join(l.Shared(), "power")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lab: power switch: %w", err)
	}
	pipe := filepath.Join(dir, "request")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("lab: power switch: %s: %w", pipe, err)
	}
	requests, err := os.OpenFile(pipe, os.O_RDWR, 0) // also writing: no end of file between askers
	if err != nil {
		return nil, fmt.Errorf("lab: power switch: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(l.Shared(), "power.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		requests.Close()
		return nil, fmt.Errorf("lab: power switch: %w", err)
	}
	s := &PowerSwitch{lab: l, requests: requests, log: log}
	go s.serve()
	return s, nil
}

// Close ends the service; agents that ask afterwards get no answer.
func (s *PowerSwitch) Close() error { return errors.Join(s.requests.Close(), s.log.Close()) }

// Events returns what was done so far, in order.
func (s *PowerSwitch) Events() []PowerEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]PowerEvent(nil), s.events...)
}

// Off returns the first time at or after since when the node was switched off.
func (s *PowerSwitch) Off(node string, since time.Time) (PowerEvent, bool) {
	for _, e := range s.Events() {
		if e.Node == node && e.Action == "off" && e.Err == nil && !e.Time.Before(since) {
			return e, true
		}
	}
	return PowerEvent{}, false
}

func (s *PowerSwitch) serve() {
	lines := bufio.NewScanner(s.requests)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 4 && !strings.Contains(f[2], "/") {
			go s.answer(f[0], f[1], f[2], f[3])
		}
	}
}

// answer does what was asked and tells the asker. The asker holds its pipe open
// in both directions, so the write cannot wait; an asker that is gone is no error.
func (s *PowerSwitch) answer(action, node, pipe, asker string) {
	code, text := s.do(action, node, asker)
	f, err := os.OpenFile(filepath.Join(s.lab.Shared(), "power", pipe), os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%d %s\n", code, text)
}

// do carries out one request; the status is that of fence agents: 0 done or on,
// 1 failed, 2 off.
func (s *PowerSwitch) do(action, name, asker string) (code int, text string) {
	if action == "list" {
		var names []string
		for _, n := range s.lab.Members() {
			names = append(names, n.Name()+",")
		}
		return 0, strings.Join(names, " ")
	}
	n := s.lab.Node(name)
	if n == nil {
		return 1, fmt.Sprintf("no node %q on this switch", name)
	}
	ctx := context.Background() // PowerOn and PowerOff have their own limits
	var err error
	switch action {
	case "status":
		if n.On() {
			return 0, "Status: ON"
		}
		return 2, "Status: OFF"
	case "off":
		err = n.PowerOff(ctx)
	case "on":
		err = n.PowerOn(ctx)
	default:
		return 1, fmt.Sprintf("the switch cannot %q", action)
	}
	s.record(PowerEvent{Time: time.Now(), Action: action, Node: name, By: asker, Err: err})
	if err != nil {
		return 1, err.Error()
	}
	return 0, "Success: " + action
}

func (s *PowerSwitch) record(e PowerEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.log, e)
	s.events = append(s.events, e)
}
