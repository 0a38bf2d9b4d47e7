// Package labbmc gives every node of a lab a BMC on a management network, which
// answers IPMI and really switches the node's power. It stands for the board
// controllers of real servers; the demo and the end-to-end tests fence with it.
package labbmc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/ipmi/bmctest"
	"github.com/pacesync/pacesync/ipmi/wire"
)

// User and Password open every BMC of a lab.
const (
	User     = "admin"
	Password = "secret-of-the-lab"
)

// Rack is the BMCs of a lab. It is safe for concurrent use.
type Rack struct {
	lab  *lab.Lab
	net  int
	log  *os.File
	bmcs []*bmctest.BMC

	mu     sync.Mutex
	events []lab.PowerEvent
}

// Serve starts a BMC for each member on a network of the lab, which should not
// be the ring's, until Close. What they do is in shared/power.log before they
// answer.
func Serve(l *lab.Lab, network int) (*Rack, error) {
	log, err := os.OpenFile(filepath.Join(l.Shared(), "power.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("labbmc: %w", err)
	}
	r := &Rack{lab: l, net: network, log: log}
	for _, n := range l.Members() {
		if err := r.add(n); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	return r, nil
}

func (r *Rack) add(n *lab.Node) error {
	if err := r.lab.AddSwitchAddr(r.net, r.Addr(n)); err != nil {
		return err
	}
	return r.lab.InSwitch(func() error {
		b, err := bmctest.Listen(r.Addr(n)+":623", bmctest.Config{
			Users: []bmctest.Account{{Name: User, Password: Password}}, Switch: &chassis{r, n.Name()},
		})
		if err == nil {
			r.bmcs = append(r.bmcs, b)
		}
		return err
	})
}

// Addr is the address of the node's BMC, on port 623.
func (r *Rack) Addr(n *lab.Node) string { return lab.Addr(r.net, 100+n.ID()) }

// Close switches the BMCs off.
func (r *Rack) Close() error {
	for _, b := range r.bmcs {
		b.Close()
	}
	r.bmcs = nil
	return r.log.Close()
}

// Events returns what was done so far, in order.
func (r *Rack) Events() []lab.PowerEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]lab.PowerEvent(nil), r.events...)
}

// Off returns the first time at or after since when the node was switched off.
func (r *Rack) Off(node string, since time.Time) (lab.PowerEvent, bool) {
	for _, e := range r.Events() {
		if e.Node == node && e.Action == "off" && e.Err == nil && !e.Time.Before(since) {
			return e, true
		}
	}
	return lab.PowerEvent{}, false
}

// chassis is the power of one node, as its BMC sees it.
type chassis struct {
	rack *Rack
	node string
}

// On see bmctest.Switch.
func (c *chassis) On(time.Time) bool {
	n := c.rack.lab.Node(c.node)
	return n != nil && n.On()
}

// Control see bmctest.Switch. The answer goes out when it is done, and logged.
func (c *chassis) Control(now time.Time, what wire.Control) wire.Completion {
	var actions []string
	switch what {
	case wire.ControlOff, wire.ControlSoft:
		actions = []string{"off"}
	case wire.ControlOn:
		actions = []string{"on"}
	case wire.ControlCycle, wire.ControlReset:
		if !c.On(now) {
			return wire.WrongState
		}
		actions = []string{"off", "on"}
	default:
		return wire.InvalidField
	}
	for _, a := range actions {
		if err := c.rack.do(c.node, a); err != nil {
			return wire.Unspecified
		}
	}
	return wire.Done
}

func (r *Rack) do(node, action string) error {
	n := r.lab.Node(node)
	if n == nil {
		return fmt.Errorf("labbmc: no node %s", node)
	}
	power := n.PowerOff
	if action == "on" {
		power = n.PowerOn
	}
	err := power(context.Background()) // has a limit of its own
	r.mu.Lock()
	defer r.mu.Unlock()
	e := lab.PowerEvent{Time: time.Now(), Action: action, Node: node, By: "its BMC", Err: err}
	r.events = append(r.events, e)
	fmt.Fprintln(r.log, e)
	return err
}
