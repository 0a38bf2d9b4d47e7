package bmctest

import (
	"sync"
	"time"

	"github.com/pacesync/pacesync/ipmi/wire"
)

// Switch is the chassis behind a BMC. Its methods are called by one goroutine.
type Switch interface {
	// On tells whether the chassis has power.
	On(now time.Time) bool
	// Control does what the command says, or refuses.
	Control(now time.Time, c wire.Control) wire.Completion
}

// Machine is a Switch without hardware. The zero value is off and quick. Its
// fields are set before it is used, later inside Set.
type Machine struct {
	OffDelay time.Duration // from the command to the loss of power
	OnDelay  time.Duration
	OffTime  time.Duration // how long a cycle stays off
	Stuck    bool          // accepts commands and does nothing: a relay that sticks
	Refuse   wire.Completion
	Changed  func(on bool, c wire.Control) // told of each command that was accepted

	mu   sync.Mutex
	on   bool
	plan []change
	done []wire.Control
}

type change struct {
	at time.Time
	on bool
}

// NewMachine is a machine that has power.
func NewMachine() *Machine { return &Machine{on: true} }

// Set runs f while no command is executed, to change the machine's fields.
func (m *Machine) Set(f func(m *Machine)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

// SetOn sets the power by hand, whatever was planned.
func (m *Machine) SetOn(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.on, m.plan = on, nil
}

// On see Switch.
func (m *Machine) On(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settle(now)
}

func (m *Machine) settle(now time.Time) bool {
	for len(m.plan) > 0 && !now.Before(m.plan[0].at) {
		m.on, m.plan = m.plan[0].on, m.plan[1:]
	}
	return m.on
}

// Control see Switch.
func (m *Machine) Control(now time.Time, c wire.Control) wire.Completion {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Refuse != wire.Done {
		return m.Refuse
	}
	on := m.settle(now)
	if !on && (c == wire.ControlCycle || c == wire.ControlReset || c == wire.ControlDiag) {
		return wire.WrongState
	}
	m.done = append(m.done, c)
	if m.Changed != nil {
		m.Changed(on, c)
	}
	if m.Stuck {
		return wire.Done
	}
	off := now.Add(m.OffDelay)
	switch c {
	case wire.ControlOff, wire.ControlSoft:
		m.plan = []change{{off, false}}
	case wire.ControlOn:
		m.plan = []change{{now.Add(m.OnDelay), true}}
	case wire.ControlCycle:
		m.plan = []change{{off, false}, {off.Add(m.OffTime).Add(m.OnDelay), true}}
	case wire.ControlReset, wire.ControlDiag: // the power stays
	default:
		return wire.InvalidField
	}
	return wire.Done
}

// Done lists the commands that were accepted, in order.
func (m *Machine) Done() []wire.Control {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]wire.Control(nil), m.done...)
}
