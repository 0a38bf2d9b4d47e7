package fsa

// Event is an input with where it came from and what belongs to it. D is the
// owner's: the state machine only carries it.
type Event[D any] struct {
	Input  Input
	Cause  Cause
	Origin string // part of the controller that raised it
	Data   D
	Full   bool // Data belongs to the event

	due Set // actions that were due with it when it was put back
}

// Step is what the owner does next: note a change of state, or an action.
type Step[D any] struct {
	Changed  bool // From and To are set, Action is not
	From, To State
	Action   Action
	Event    Event[D] // what it is done for
}

// maxQueue bounds the inputs that wait: each comes from one message or timer,
// and the owner empties the queue after each. More is a loop of inputs that
// raise each other.
const maxQueue = 100000

// Machine is the state machine. It is owned by the controller's loop.
type Machine[D any] struct {
	// ShuttingDown: this node wants to leave. Then it starts nothing, and asks
	// again whenever there is a new DC.
	ShuttingDown bool

	state   State
	queue   []Event[D]
	due     Set
	cur     Event[D]
	busy    bool // cur is not done with
	stalled bool
	changed bool // the change of state of cur was not told yet
	from    State
	wake    bool
}

// New returns a machine in state Starting.
func New[D any]() *Machine[D] { return &Machine[D]{state: Starting} }

// State returns the current state.
func (m *Machine[D]) State() State { return m.state }

// Queued returns how many inputs wait.
func (m *Machine[D]) Queued() int { return len(m.queue) }

// Due returns the actions that wait.
func (m *Machine[D]) Due() Set { return m.due }

// Push appends an input.
func (m *Machine[D]) Push(e Event[D]) {
	m.room()
	m.queue = append(m.queue, e)
	m.wake = true
}

// PushFirst puts an input before all others.
func (m *Machine[D]) PushFirst(e Event[D]) {
	m.room()
	m.queue = append([]Event[D]{e}, m.queue...)
	m.wake = true
}

// PushActions appends actions that are due for an event without being an input
// of their own.
func (m *Machine[D]) PushActions(e Event[D], as ...Action) {
	e.Input, e.due = Null, Of(as...)
	m.Push(e)
}

// Fail puts an input of failure first and takes back the actions that were due:
// they are done after it, in the state it leads to (register_fsa_error).
func (m *Machine[D]) Fail(e Event[D]) {
	if m.due != 0 {
		m.PushFirst(Event[D]{Input: Null, Cause: m.cur.Cause, Origin: m.cur.Origin, Data: m.cur.Data, Full: m.cur.Full, due: m.due})
		m.due = 0
	}
	m.PushFirst(e)
}

// Require makes actions due with whatever comes next.
func (m *Machine[D]) Require(as ...Action) {
	m.due |= Of(as...)
	m.wake = true
}

// Drop takes actions back that are not done yet.
func (m *Machine[D]) Drop(as ...Action) { m.due &^= Of(as...) }

// Wake lets stalled actions be tried again.
func (m *Machine[D]) Wake() { m.wake = true }

// Stall says that a cannot be done yet. Nothing more is done until something
// new arrives; then a is due again, with its event (crmd_fsa_stall).
func (m *Machine[D]) Stall(a Action) {
	m.due |= a.set()
	if m.cur.Full {
		e := m.cur
		e.Input, e.due = WaitForEvent, m.due
		m.due = 0
		m.room()
		if len(m.queue) > 0 {
			m.queue = append(m.queue, e)
		} else {
			m.queue = []Event[D]{e}
		}
	}
	m.stalled = true
}

func (m *Machine[D]) room() {
	if len(m.queue) >= maxQueue {
		panic("fsa: " + m.state.String() + ": inputs raise each other without end: " + m.queue[0].Input.String())
	}
}

// Next returns the next step; false means that nothing is left to do until
// something new arrives.
func (m *Machine[D]) Next() (Step[D], bool) {
	if m.stalled {
		if !m.wake {
			return Step[D]{}, false
		}
		m.stalled, m.wake = false, false
	}
	for {
		if m.changed {
			m.changed = false
			return Step[D]{Changed: true, From: m.from, To: m.state, Event: m.cur}, true
		}
		if m.busy && m.due != 0 {
			a := m.due.first()
			m.due &^= a.set()
			return Step[D]{Action: a, Event: m.cur}, true
		}
		if m.busy = m.take(); !m.busy {
			m.cur = Event[D]{}
			return Step[D]{}, false
		}
	}
}

// take begins with the next input.
func (m *Machine[D]) take() bool {
	switch {
	case len(m.queue) > 0:
		m.cur = m.queue[0]
		m.queue = m.queue[1:]
		if len(m.queue) == 0 {
			m.queue = nil
		}
	case m.due != 0:
		m.cur = Event[D]{Input: Null, Cause: CauseInternal, Origin: "fsa"}
	default:
		return false
	}
	m.wake = false
	to, do := Lookup(m.state, m.cur.Input)
	m.due |= m.cur.due | do
	if to != m.state {
		m.from, m.state, m.changed = m.state, to, true
	}
	if to == Stopping || to == Terminate {
		m.ShuttingDown = true
	}
	if m.ShuttingDown {
		m.due &^= starting
	}
	if m.changed {
		m.enter()
	}
	return true
}

// Lookup is the table: the state that an input leads to, and what is due.
func Lookup(s State, in Input) (State, Set) {
	r := &table[in]
	c := r.in[s]
	if c.to == stay {
		c.to = s
		if c.do == 0 {
			c.do = r.other
		}
	}
	return c.to, c.do &^ nothing
}

// enter adds what the change of state itself brings, whatever the input
// (controld_fsa.c: do_state_transition).
func (m *Machine[D]) enter() {
	from, to := m.from, m.state
	when := func(cond bool, yes, no Set) {
		if cond {
			m.due |= yes
		} else {
			m.due |= no
		}
	}
	when(to != Election && from != ReleaseDC, 1<<ElectionTimerStop, 0)
	when(to == Integration, 1<<IntegrateTimerStart, 1<<IntegrateTimerStop)
	when(to == FinalizeJoin, 1<<FinalizeTimerStart|1<<EnterIntegrated, 1<<FinalizeTimerStop)
	when(to != Pending, 1<<DCTimerStop, 1<<CIBSecondary|1<<ForgetDC)
	when(to == Idle, 1<<RecheckStart, 1<<RecheckStop)
	when(from == FinalizeJoin && to == PolicyEngine, 1<<RecordNodes, 0)
	when(to == Election, 1<<ForgetDC, 0)
	when(to == NotDC, 1<<EnterMember, 0)
	when(to == PolicyEngine, 1<<EnterCalculate, 0)
	when((to == NotDC || to == Idle) && m.ShuttingDown, 1<<AskShutdown, 0)
	switch to {
	case Recovery:
		m.due |= 1 << Recover
	case Pending: // a recovery that is due stays due
	default:
		m.due &^= 1 << Recover
	}
}
