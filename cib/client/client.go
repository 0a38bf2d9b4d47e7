// Package client is the connection to the CIB manager: requests with and without
// waiting for the answer, and news of changes.
//
// Daemons and tools call it, on our CIB manager and on the original. It replaces
// lib/cib/cib_native.c and the parts of cib_utils.c and cib_client.c that make
// requests and read answers. A daemon:
//
//	c, err := client.Dial(ctx, "attrd", client.Options{Notify: []string{client.DiffNotify}})
//	c.Pump(func(ev client.Event) { events <- ev })       // answers and news, to the loop
//	id := c.Send(client.Call{Op: client.Modify, Section: "status", Data: update})
//
// A tool:
//
//	cib, err := c.Do(ctx, client.Call{Op: client.Query, Options: client.ScopeLocal})
//	if errors.Is(err, unix.ENXIO) { … }                   // an error of the CIB manager is a pcmk.RC
package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/callopt"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Operations.
const (
	Query   = "cib_query"
	Create  = "cib_create"
	Modify  = "cib_modify"
	Replace = "cib_replace"
	Delete  = "cib_delete"
)

// News that can be subscribed to.
const (
	DiffNotify    = "cib_diff_notify"    // every change
	ReplaceNotify = "cib_refresh_notify" // sections were replaced as a whole
)

// Opt are the options of a request.
type Opt = callopt.Opt

// The options that clients use.
const (
	Verbose        = callopt.Verbose
	XPath          = callopt.XPath
	Multiple       = callopt.Multiple
	CanCreate      = callopt.CanCreate
	DiscardReply   = callopt.DiscardReply
	NoChildren     = callopt.NoChildren
	XPathAddress   = callopt.XPathAddress
	MixedUpdate    = callopt.MixedUpdate
	ScopeLocal     = callopt.ScopeLocal
	DryRun         = callopt.DryRun
	SyncCall       = callopt.SyncCall
	InhibitNotify  = callopt.InhibitNotify
	QuorumOverride = callopt.QuorumOverride
	InhibitBcast   = callopt.InhibitBcast
)

// Acting is on whose behalf the call is made (cib_client.c: cib_internal_op).
func (c *Call) Acting() string {
	if c.User == "" {
		return os.Getenv("CIB_user")
	}
	return c.User
}

// Services of the CIB manager.
const (
	ReadWrite = "cib_rw"
	ReadOnly  = "cib_ro"
	Shared    = "cib_shm"
)

// Call is one request.
type Call struct {
	Op      string
	Host    string // a node whose CIB is meant; empty: this one or all, as the operation has it
	Section string
	Data    *xmltree.Node // becomes part of the request
	Options Opt
	User    string // on whose behalf, only for the privileged; empty: CIB_user of the environment
}

// Options of a connection.
type Options struct {
	Service string   // default ReadWrite
	Notify  []string // news to subscribe to
}

// EventKind says what an Event tells.
type EventKind uint8

// The kinds.
const (
	Reply  EventKind = iota + 1 // answer to Send: ID, RC, Data
	Notify                      // news: Type, XML
	Lost                        // the connection ended: Err; the last event
)

// Event is what comes without being waited for.
type Event struct {
	Kind EventKind
	ID   int
	RC   pcmk.RC
	Data *xmltree.Node // the result, nil for none
	Type string
	XML  *xmltree.Node
	Err  error
}

// Conn is a connection. Its methods may be called from any goroutine.
type Conn struct {
	ipc  *crmipc.Conn
	id   string // that the CIB manager gave
	last atomic.Int64

	mu    sync.Mutex
	queue []queued
	wake  chan struct{}
	done  chan struct{}
	once  sync.Once
}

type queued struct {
	id   int
	doc  *xmltree.Node
	done chan struct{} // of Flush, instead of a request
}

// Dial connects and registers under a name (cib_native.c: cib_native_signon_raw).
func Dial(ctx context.Context, name string, o Options) (*Conn, error) {
	if o.Service == "" {
		o.Service = ReadWrite
	}
	ipc, err := crmipc.Dial(ctx, o.Service, crmipc.DialOptions{Buffer: crmipc.CIBBuffer})
	if err != nil {
		return nil, fmt.Errorf("cib: %w", err)
	}
	c := &Conn{ipc: ipc, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if err := c.register(ctx, name, o.Notify); err != nil {
		return nil, errors.Join(fmt.Errorf("cib: %w", err), ipc.Close())
	}
	go c.post()
	return c, nil
}

func (c *Conn) register(ctx context.Context, name string, news []string) error {
	reply, err := c.ipc.Call(ctx, xmltree.New("cib_command", xmltree.Attr{Name: "t", Value: "cib"},
		xmltree.Attr{Name: "cib_op", Value: "register"}, xmltree.Attr{Name: "cib_clientname", Value: name},
		xmltree.Attr{Name: "cib_callopt", Value: strconv.Itoa(int(SyncCall))}))
	if err != nil {
		return err
	}
	if c.id = reply.Attr("cib_clientid"); reply.Attr("cib_op") != "register" || c.id == "" {
		return fmt.Errorf("unexpected answer to the registration: <%s cib_op=%q>: %w", reply.Name, reply.Attr("cib_op"), unix.EPROTO)
	}
	for _, what := range news {
		if err := c.Subscribe(ctx, what); err != nil {
			return err
		}
	}
	return nil
}

// Subscribe asks for news (cib_native.c: cib_native_register_notification).
func (c *Conn) Subscribe(ctx context.Context, what string) error {
	_, err := c.ipc.Call(ctx, xmltree.New("cib-callback", xmltree.Attr{Name: "cib_op", Value: "cib_notify"},
		xmltree.Attr{Name: "cib_notify_type", Value: what}, xmltree.Attr{Name: "cib_notify_activate", Value: "1"}))
	return err
}

// Close ends the connection.
func (c *Conn) Close() error {
	c.once.Do(func() { close(c.done) })
	return c.ipc.Close()
}

// request builds the XML of a call (cib_utils.c: cib_create_op).
func (c *Conn) request(call Call) (*xmltree.Node, int) {
	id := int(c.last.Add(1))
	n := xmltree.New("cib_command", xmltree.Attr{Name: "__name__", Value: "cib_command"}, xmltree.Attr{Name: "t", Value: "cib"},
		xmltree.Attr{Name: "cib_async_id", Value: c.id}, xmltree.Attr{Name: "cib_op", Value: call.Op})
	for _, a := range [...][2]string{{"cib_host", call.Host}, {"cib_section", call.Section}} {
		if a[1] != "" {
			n.Set(a[0], a[1])
		}
	}
	n.Set("cib_callid", strconv.Itoa(id))
	if user := call.Acting(); user != "" {
		n.Set("cib_user", user)
	}
	n.Set("cib_callopt", strconv.FormatUint(uint64(call.Options), 10))
	if call.Data != nil {
		n.AddNew("cib_calldata").Add(call.Data)
	}
	return n, id
}

// Do makes a request and waits for its answer. A refusal is a pcmk.RC; its data
// may say more, so it is returned with the error.
func (c *Conn) Do(ctx context.Context, call Call) (*xmltree.Node, error) {
	call.Options |= SyncCall
	doc, id := c.request(call)
	reply, err := c.ipc.Call(ctx, doc)
	if err != nil {
		return nil, fmt.Errorf("cib: %s: %w", call.Op, err)
	}
	got, rc, data, err := decodeReply(reply)
	if err != nil {
		return nil, err
	}
	if got != id {
		return nil, fmt.Errorf("cib: %s: answer %d to request %d: %w", call.Op, got, id, unix.EBADMSG)
	}
	return data, rc.Err()
}

// ErrBadReply says that the CIB manager's answer is none.
var ErrBadReply = errors.New("cib: unrecognizable answer of the CIB manager")

// decodeReply reads an answer. That the CIB manager asks for a full refresh after
// a patch is not the client's trouble (cib_native.c: cib_native_perform_op_delegate).
func decodeReply(n *xmltree.Node) (id int, rc pcmk.RC, data *xmltree.Node, err error) {
	v, ok := score.LeadingInt(n.Attr("cib_callid"))
	r, ok2 := score.LeadingInt(n.Attr("cib_rc"))
	if !ok || !ok2 || v != int64(int32(v)) || r != int64(int32(r)) {
		return 0, 0, nil, fmt.Errorf("%w: <%s> with call id %q, result %q", ErrBadReply, n.Name, n.Attr("cib_callid"), n.Attr("cib_rc"))
	}
	if rc = pcmk.RCFromLegacy(int(r)); rc == pcmk.RCDiffResync {
		rc = pcmk.OK
	}
	n.Child("cib_calldata").Elements(func(d *xmltree.Node) {
		if data == nil {
			data = d
		}
	})
	return int(v), rc, data, nil
}

// maxUnsent bounds the requests that the CIB manager has not taken: one that takes
// nothing for so long is as good as gone.
const maxUnsent = 1 << 16

// Send makes a request without waiting: the answer comes through Pump with the
// number that Send returns. It never waits, not even for a busy CIB manager.
func (c *Conn) Send(call Call) int {
	doc, id := c.request(call)
	c.enqueue(queued{id: id, doc: doc})
	return id
}

func (c *Conn) enqueue(q queued) {
	c.mu.Lock()
	stuck := len(c.queue) >= maxUnsent
	if !stuck {
		c.queue = append(c.queue, q)
	}
	c.mu.Unlock()
	if stuck {
		_ = c.ipc.Close() // so that Pump ends with it
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Flush returns when the CIB manager has what was sent before, or the context
// or the connection ends. It is for those who close right after.
func (c *Conn) Flush(ctx context.Context) {
	q := queued{done: make(chan struct{})}
	c.enqueue(q)
	select {
	case <-q.done:
	case <-ctx.Done():
	case <-c.done:
	}
}

// post passes requests on, in a goroutine of its own. A request that cannot be
// sent means that the connection is broken, which Pump tells.
func (c *Conn) post() {
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		c.mu.Lock()
		todo := c.queue
		c.queue = nil
		c.mu.Unlock()
		for _, q := range todo {
			if q.done != nil {
				close(q.done)
				continue
			}
			if err := c.ipc.Post(q.doc); err != nil {
				_ = c.ipc.Close() // so that Pump ends with it
				c.once.Do(func() { close(c.done) })
				return
			}
		}
	}
}

// Pump calls f with every event, in a goroutine of its own; the last one is Lost.
// It is to be called once, if at all.
func (c *Conn) Pump(f func(Event)) {
	c.ipc.Pump(func(in crmipc.Incoming, err error) {
		if err != nil {
			f(Event{Kind: Lost, Err: err})
			return
		}
		if ev, ok := decodeEvent(in.XML); ok {
			f(ev)
		}
	})
}

// decodeEvent reads what the CIB manager sends by itself (cib_native.c:
// cib_native_dispatch_internal); false for what is neither answer nor news.
func decodeEvent(n *xmltree.Node) (Event, bool) {
	switch n.Attr("t") {
	case "cib":
		id, rc, data, err := decodeReply(n)
		return Event{Kind: Reply, ID: id, RC: rc, Data: data}, err == nil
	case "cib_notify":
		return Event{Kind: Notify, Type: n.Attr("subt"), XML: n}, true
	}
	return Event{}, false
}
