package crmd

import (
	"context"
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// cibOpt are the options of a CIB request.
type cibOpt = client.Opt

const (
	cibXPath          = client.XPath
	cibMultiple       = client.Multiple
	cibCanCreate      = client.CanCreate
	cibDiscardReply   = client.DiscardReply
	cibNoChildren     = client.NoChildren
	cibMixedUpdate    = client.MixedUpdate
	cibScopeLocal     = client.ScopeLocal
	cibDryRun         = client.DryRun
	cibQuorumOverride = client.QuorumOverride

	// cibAnon is how the controller writes what it knows for sure
	// (controld_utils.h: fsa_cib_anon_update).
	cibAnon = cibScopeLocal | cibQuorumOverride | cibCanCreate
)

// cibResult is the answer to a CIB request.
type cibResult struct {
	rc     pcmk.RC
	output *xmltree.Node // nil when there is none
	call   int
}

func (r cibResult) ok() bool { return r.rc == pcmk.OK }

// cibCall is one request: op, and what it is about.
type cibCall struct {
	op      string // cib_modify, …
	host    string
	section string // or an XPath expression with cibXPath
	data    *xmltree.Node
	opts    cibOpt
	user    string // ACL user to do it as
}

// cibWait is a request whose answer is awaited.
type cibWait struct {
	cibCall
	done  func(cibResult)
	timer *timer
}

// cibConn is the connection to the CIB manager. Requests are asynchronous: each
// has a number, and its answer goes to a function on the loop.
//
// A CIB manager that ends is started again and has the CIB of its peers before it
// answers anybody. So the connection is made again, and what was not answered is
// asked again, in the same order: all requests of the controller mean the same the
// second time. The original ends instead, and its node's controller is missed.
type cibConn struct {
	c       *Controller
	conn    cibLink                                // nil while there is none
	dial    func(context.Context) (cibLink, error) // dialCIB but in tests
	busy    bool                                   // connecting
	last    int                                    // number of the newest request
	waiting map[int]cibWait
	numbers map[int]int // of the connection's requests, as the controller knows them
	tries   int
	lostAt  time.Time // when the connection was lost that is to be made again, else zero
	idle    []func()  // called when no answer is awaited
}

func newCIBConn(c *Controller) *cibConn {
	return &cibConn{c: c, dial: dialCIB, waiting: map[int]cibWait{}, numbers: map[int]int{}}
}

// cibLink is one connection, a client.Conn.
type cibLink interface {
	Send(client.Call) int
	Pump(func(client.Event))
	Flush(context.Context)
	Close() error
}

func dialCIB(ctx context.Context) (cibLink, error) {
	conn, err := client.Dial(ctx, "crmd", client.Options{Service: client.Shared, Notify: []string{client.ReplaceNotify, client.DiffNotify}})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// How long connecting may take (controld_based.c: do_cib_control, which tries 30
// times with 2 s between; every second counts for a controller that others wait for).
const (
	cibPatience = time.Minute
	cibRetry    = 250 * time.Millisecond
	// cibReturn is how long a CIB manager that was lost may be away: after that it
	// will not come back, and another node had better be DC.
	cibReturn   = 20 * time.Second
	dialTimeout = 10 * time.Second
	cibFarewell = time.Second // for our last words
)

// connected says whether requests can be made; while the connection is made again
// they wait.
func (k *cibConn) connected() bool { return k.conn != nil || !k.lostAt.IsZero() }

// connect begins to connect; cibConnected follows.
func (k *cibConn) connect() {
	if k.conn != nil || k.busy {
		return
	}
	k.busy = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		conn, err := k.dial(ctx)
		k.c.post(func() { k.dialled(conn, err) })
	}()
}

func (k *cibConn) dialled(conn cibLink, err error) {
	k.busy = false
	c := k.c
	if err != nil {
		k.notDialled(err)
		return
	}
	again := !k.lostAt.IsZero()
	if c.leaving || c.shuttingDown() && !again {
		_ = conn.Close()
		return
	}
	k.conn, k.tries, k.lostAt = conn, 0, time.Time{}
	c.log.info("Successfully connected to CIB manager for crmd")
	conn.Pump(func(ev client.Event) {
		c.post(func() { k.incoming(conn, ev) })
	})
	if !again {
		c.cibConnected()
		return
	}
	for _, id := range slices.Sorted(maps.Keys(k.waiting)) {
		q := k.waiting[id].cibCall
		if q.data != nil {
			q.data = q.data.Copy() // it is part of the first request, which may be on its way
		}
		k.send(id, q)
	}
	c.cibBack()
}

// notDialled tries again, unless that has been going on for too long.
func (k *cibConn) notDialled(err error) {
	c := k.c
	k.tries++
	c.log.info("Could not connect to the CIB manager: %v", err)
	switch {
	case !k.lostAt.IsZero() && time.Since(k.lostAt) > cibReturn:
		k.lostAt = time.Time{}
		k.forgetAll()
		c.log.crit(msgLostCIB)
		c.input(fsa.Error, fsa.CauseInternal, "crmd_cib_connection_destroy")
	case k.tries >= int(cibPatience/cibRetry):
		c.log.err("Could not complete CIB registration %d times... hard error", k.tries)
		c.fail(fsa.Error, "do_cib_control")
	default:
		c.after(cibRetry, k.connect)
	}
}

// incoming is an answer, a notification or the end of the connection.
func (k *cibConn) incoming(conn cibLink, ev client.Event) {
	if conn != k.conn {
		return
	}
	switch ev.Kind {
	case client.Lost:
		k.lost()
	case client.Notify:
		k.c.cibNotify(ev.XML)
	case client.Reply:
		id := k.numbers[ev.ID]
		delete(k.numbers, ev.ID)
		if w, ok := k.waiting[id]; ok {
			k.finish(id, w, cibResult{rc: ev.RC, output: ev.Data, call: id})
		}
	}
}

func (k *cibConn) lost() {
	_ = k.conn.Close()
	k.conn = nil
	clear(k.numbers)
	if k.c.leaving || k.c.state() == fsa.Stopping || k.c.state() == fsa.Terminate {
		k.forgetAll()
		k.c.log.info("Connection to the CIB manager terminated")
		return
	}
	k.c.log.warn("Lost the connection to the CIB manager, connecting again: %d requests wait", len(k.waiting))
	k.lostAt = time.Now()
	k.connect()
}

func (k *cibConn) forgetAll() {
	for id, w := range k.waiting {
		w.timer.stop()
		delete(k.waiting, id)
	}
}

func (k *cibConn) finish(call int, w cibWait, r cibResult) {
	delete(k.waiting, call)
	w.timer.stop()
	w.done(r)
	if len(k.waiting) == 0 {
		idle := k.idle
		k.idle = nil
		for _, f := range idle {
			f()
		}
	}
}

// pending is how many answers are awaited.
func (k *cibConn) pending() int { return len(k.waiting) }

// whenIdle has f called as soon as no answer is awaited.
func (k *cibConn) whenIdle(f func()) { k.idle = append(k.idle, f) }

// minCIBTimeout is the least time an answer may take (controld_utils.c:
// cib_op_timeout).
const minCIBTimeout = 30 * time.Second

// request sends a request and returns its number, 0 when that is not possible.
// done may be nil; it is called in any case, with a failure if need be.
func (k *cibConn) request(q cibCall, done func(cibResult)) int {
	if k.conn == nil && k.lostAt.IsZero() {
		k.c.log.err("Couldn't perform %s operation: not connected to the CIB manager", q.op)
		if done != nil {
			k.c.defer_(func() { done(cibResult{rc: pcmk.RC(syscall.ENOTCONN)}) })
		}
		return 0
	}
	k.last++
	call := k.last
	if k.conn != nil {
		k.send(call, q)
	}
	if done != nil {
		limit := max(minCIBTimeout, time.Duration(1+k.c.peers.Active())*10*time.Second)
		w := cibWait{cibCall: q, done: done}
		w.timer = k.c.after(limit, func() {
			k.c.log.warn("CIB call %d (%s) timed out after %s", call, q.op, limit)
			k.finish(call, w, cibResult{rc: pcmk.RC(syscall.ETIME), call: call})
		})
		k.waiting[call] = w
	}
	return call
}

func (k *cibConn) send(id int, q cibCall) {
	n := k.conn.Send(client.Call{Op: q.op, Host: q.host, Section: q.section, Data: q.data, Options: q.opts, User: q.user})
	if q.opts&cibDiscardReply == 0 {
		k.numbers[n] = id
	}
}

// modify merges data into a section.
func (k *cibConn) modify(section string, data *xmltree.Node, opts cibOpt, done func(cibResult)) int {
	return k.request(cibCall{op: "cib_modify", section: section, data: data, opts: opts}, done)
}

// remove deletes what data or, with cibXPath, section names.
func (k *cibConn) remove(section string, data *xmltree.Node, opts cibOpt, done func(cibResult)) int {
	return k.request(cibCall{op: "cib_delete", section: section, data: data, opts: opts}, done)
}

// query reads a section, everything when it is empty.
func (k *cibConn) query(section string, opts cibOpt, done func(cibResult)) int {
	return k.request(cibCall{op: "cib_query", section: section, opts: opts}, done)
}

// setSecondary and setPrimary tell the CIB manager here whether it orders the
// updates of all.
func (k *cibConn) setSecondary() {
	if k.conn != nil {
		k.request(cibCall{op: "cib_slave", opts: cibScopeLocal}, nil)
	}
}

func (k *cibConn) setPrimary() { k.request(cibCall{op: "cib_master", opts: cibScopeLocal}, nil) }

// disconnect leaves the CIB manager once what the executor unit wrote is
// answered; false while it is not.
func (k *cibConn) disconnect() bool {
	if k.conn != nil && k.c.exec.updatesPending() {
		k.c.log.info("Waiting for resource updates to complete")
		return false
	}
	k.close()
	return true
}

func (k *cibConn) close() {
	k.forgetAll()
	k.lostAt = time.Time{}
	if k.conn == nil {
		return
	}
	k.c.log.info("Disconnecting from the CIB manager")
	k.request(cibCall{op: "cib_slave", opts: cibScopeLocal | cibDiscardReply}, nil)
	conn := k.conn
	k.conn = nil
	ctx, cancel := context.WithTimeout(context.Background(), cibFarewell)
	defer cancel()
	conn.Flush(ctx)
	_ = conn.Close()
	k.c.log.notice("Disconnected from the CIB manager")
}

// smartOpts are the options of an update that must reach the CIB although
// nobody may order the cluster's updates now (crmd_cib_smart_opt).
func (c *Controller) smartOpts() cibOpt {
	if s := c.state(); s == fsa.Election || s == fsa.Pending {
		c.log.info("Sending update to local CIB in state: %s", s)
		return cibQuorumOverride | cibScopeLocal
	}
	return cibQuorumOverride
}
