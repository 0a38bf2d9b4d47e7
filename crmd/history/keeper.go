package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// State is what the state of the controller means for operations.
type State struct {
	Name     string // of the controller's state, for the log
	Leaving  bool   // the node shuts down: nothing is started
	Execute  bool   // operations are begun; otherwise stops alone
	LockRscs bool   // the option shutdown-lock
}

// Keeper keeps the history of one executor. It is owned by the controller's loop.
type Keeper struct {
	node, id string // name and id of the node
	remote   bool
	state    State

	known   map[string]Agent  // resources that the executor has
	parked  map[string][]step // what waits for a resource to become known
	entries map[string]*record
	pending map[string]*active // by stopID
	agents  map[string]*Metadata
	removal map[string]*Request // by reference: deletions that wait for an operation to end

	tokens  int
	exec    map[int]*starting
	wait    map[int]func(rc pcmk.RC) // by token: what goes on with an answer
	opens   map[int]*Request         // by token: what waits for an agent's description
	early   []Event                  // results that came before their operation's number
	now     time.Time
	out     []Effect
	quitted bool
}

// step is a request that waits for its resource.
type step struct{ r *Request }

// record is what is remembered of a resource (rsc_history_t).
type record struct {
	agent      Agent
	last       *Op
	failed     *Op
	recurring  []Op // newest first
	stopParams map[string]string
	lastCall   int
}

// active is an operation under way (active_op_t).
type active struct {
	op        Op
	lock      int64
	cancelled bool // by us
	remove    bool // its entry is to be removed when it is gone
}

// starting is an operation that the executor has not numbered yet.
type starting struct {
	r  *Request
	op Op
}

// New returns a Keeper for the executor of a node.
func New(node, id string, remote bool) *Keeper {
	return &Keeper{
		node: node, id: id, remote: remote,
		known: map[string]Agent{}, parked: map[string][]step{}, entries: map[string]*record{}, pending: map[string]*active{},
		agents: map[string]*Metadata{}, removal: map[string]*Request{},
		exec: map[int]*starting{}, wait: map[int]func(pcmk.RC){}, opens: map[int]*Request{},
	}
}

// SetState tells the Keeper what the controller may do. It is called before Step.
func (k *Keeper) SetState(s State) { k.state = s }

// Take returns what is to be done, in order, and forgets it.
func (k *Keeper) Take() []Effect {
	out := k.out
	k.out = nil
	return out
}

// Reset forgets what it knows of an executor that is gone, but not the history
// (lrm_state_reset_tables).
func (k *Keeper) Reset() {
	clear(k.known)
	clear(k.parked)
	clear(k.pending)
	clear(k.agents)
	clear(k.removal)
	clear(k.exec)
	clear(k.wait)
	clear(k.opens)
	clear(k.entries)
	k.early, k.quitted = nil, false
}

// Step takes an event.
func (k *Keeper) Step(now time.Time, in Input) {
	k.now = now
	switch in := in.(type) {
	case Request:
		k.request(&in)
	case Info:
		k.info(in)
	case Registered:
		k.registered(in)
	case Unregistered:
		k.answered(in.Token, in.RC)
	case Described:
		k.described(in)
	case Started:
		k.started(in)
	case Cancelled:
		k.answered(in.Token, in.RC)
	case Deletable:
		k.answered(in.Token, in.RC)
	case Event:
		k.event(in)
	case ClearFailure:
		k.clearFailure(in)
	case Refuse:
		k.fake(&in.Request, in.Status, in.RC, in.Reason)
	case Quit:
		k.quitted = true
		k.stopRecurring("", "lrm disconnect")
	default:
		panic(fmt.Sprintf("history: unknown input %T", in))
	}
}

func (k *Keeper) token(then func(pcmk.RC)) int {
	k.tokens++
	if then != nil {
		k.wait[k.tokens] = then
	}
	return k.tokens
}

func (k *Keeper) answered(token int, rc pcmk.RC) {
	then := k.wait[token]
	delete(k.wait, token)
	if then != nil {
		then(rc)
	}
}

// Pending is how many operations are under way that do not recur.
func (k *Keeper) Pending() int {
	n := len(k.exec) + len(k.opens)
	for _, p := range k.pending {
		if p.op.Interval == 0 {
			n++
		}
	}
	return n
}

// PendingNames lists the operations under way, with their ids.
func (k *Keeper) PendingNames() []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(k.pending)) {
		out = append(out, id+" ("+k.pending[id].op.opKey()+")")
	}
	return out
}

// Active lists the resources that are active here, as far as is known (is_rsc_active).
func (k *Keeper) Active() []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(k.entries)) {
		if k.entries[id].active() {
			out = append(out, id)
		}
	}
	return out
}

func (e *record) active() bool {
	o := e.last
	switch {
	case o == nil:
		return false
	case o.RC == pcmk.OCFOK && (strings.EqualFold(o.Task, taskStop) || strings.EqualFold(o.Task, taskMigrateTo)):
		return false
	case o.RC == pcmk.OCFNotRunning:
		return false
	case o.Interval == 0 && o.RC == pcmk.OCFNotConfigured:
		return false // what is configured badly cannot be stopped reliably
	}
	return true
}
