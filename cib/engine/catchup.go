package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/cib/callopt"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const (
	// groupPatience is how long the group may take to have us and to order our question:
	// a ring that forms anew takes seconds. Longer than that, changes do not get through
	// either.
	groupPatience = 20 * time.Second
	// helperPatience is how long the peer may take then to send its CIB.
	helperPatience = 3 * time.Second
	// maxHelpers is how many peers are asked: clients wait meanwhile, and they
	// give up after ten seconds and come back.
	maxHelpers = 3
	// maxKept bounds what is kept while the CIB is awaited. More than that in so
	// short a time means that the peers are not what is slow.
	maxKept = 1 << 16
)

// catchUp is how a daemon that starts comes to the CIB that the others have. What
// it has from disk is without status and may be old, and every change that is
// carried out on that makes it another CIB with the same version, which no
// comparison of versions finds later.
//
// So one peer is asked for its CIB, in a message to all: peers carry out what they
// are told in one common order, and the answer is the CIB as of the place of the
// question in that order. This node sees its own question at that place; what came
// before it is part of the answer, and what came after is kept and carried out on
// the CIB that comes. That makes an exact copy, whoever changes what meanwhile.
// Requests of clients wait until it is there.
//
// The original begins with what is on its disk, until the next join of the
// controllers or comparison of digests; its daemons answer the question.
type catchUp struct {
	active bool
	ready  bool     // the CIB is there: what was kept is being carried out
	others []string // in the group
	asked  []string // peers, the last one is being waited for
	id     string   // of the question
	mark   int      // how much was kept before the question came back, -1: it did not yet
	until  time.Time
	kept   []keptMessage
	wait   []waiting
}

type keptMessage struct {
	from string
	msg  *xmltree.Node
}

// waiting is a client's request that came too early.
type waiting struct {
	client string
	id     uint32
	wants  bool
	msg    *xmltree.Node
}

// CatchUp has the engine wait for the CIB of its peers, once Group tells who they
// are, before it answers anybody. It is to be called before anything else, if at
// all; from then on Resume is to be called after everything that happens, until it
// returns false, with the effects carried out after each.
func (e *Engine) CatchUp(now time.Time) {
	if e.cfg.StandAlone || e.status != patch.OK {
		return
	}
	e.catch = catchUp{active: true, mark: -1, until: now.Add(groupPatience)}
}

// CaughtUp says whether requests are answered.
func (e *Engine) CaughtUp() bool { return !e.catch.active }

// Group tells which other nodes' daemons are in the group, those first that are
// the likeliest to know the CIB. When this node leaves and nobody is left there
// is nobody to say goodbye to.
func (e *Engine) Group(now time.Time, others []string) {
	if e.leaving && len(others) == 0 && len(e.order) == 0 {
		e.log(Info, "No more peers")
		e.end()
	}
	e.catch.group(e, now, others)
}

func (c *catchUp) group(e *Engine, now time.Time, others []string) {
	if !c.active || c.ready {
		return
	}
	c.others = others
	if n := len(c.asked); n > 0 && slices.Contains(others, c.asked[n-1]) {
		return // still there
	}
	c.ask(e, now)
}

// ask asks the first of the others that was not asked yet.
func (c *catchUp) ask(e *Engine, now time.Time) {
	i := slices.IndexFunc(c.others, func(name string) bool { return !slices.Contains(c.asked, name) })
	if i < 0 || len(c.asked) == maxHelpers {
		if len(c.others) > 0 {
			e.log(Warning, "No peer sent its CIB: beginning with what is on disk")
		}
		c.finish(c.kept)
		return
	}
	c.asked = append(c.asked, c.others[i])
	c.id = strconv.FormatInt(now.UnixMicro()+int64(len(c.asked)), 10)
	c.mark, c.until = -1, now.Add(groupPatience)
	e.log(Info, "Requesting the current CIB from "+c.others[i])
	e.put(Send{XML: xmltree.New("sync-me", attr("t", "cib"), attr("cib_op", opSyncOne), attr("cib_callid", c.id),
		attr("cib_host", c.others[i]), attr("cib_delegated_from", e.cfg.Node))})
}

// tick turns to another peer when the one that was asked does not answer.
func (c *catchUp) tick(e *Engine, now time.Time) {
	if c.active && !c.ready && !now.Before(c.until) {
		c.ask(e, now)
	}
}

// message takes a message of the group; false: it is to be carried out now.
func (c *catchUp) message(e *Engine, now time.Time, from string, msg *xmltree.Node) bool {
	if !c.active {
		return false
	}
	ours := !c.ready && len(c.asked) > 0 && msg.Attr("cib_callid") == c.id
	switch op := msg.Attr("cib_op"); {
	case ours && op == opSyncOne && strings.EqualFold(from, e.cfg.Node):
		c.mark, c.until = len(c.kept), now.Add(helperPatience)
	case ours && op == "cib_replace" && c.mark >= 0 && strings.EqualFold(msg.Attr("cib_isreplyto"), e.cfg.Node):
		c.adopt(e, now, from, msg)
	default:
		c.kept = append(c.kept, keptMessage{from, msg})
		if len(c.kept) > maxKept && !c.ready {
			e.log(Warning, "Too many changes while the CIB of a peer is awaited: beginning with what is on disk")
			c.finish(c.kept)
		}
	}
	return true
}

// adopt makes a peer's CIB ours, unless ours is newer: then the controllers decide
// whose is the cluster's when they join.
func (c *catchUp) adopt(e *Engine, now time.Time, from string, msg *xmltree.Node) {
	msg.Set("src", from)
	op, _ := operationOf("cib_replace")
	before := version(e.Root())
	rc, _ := e.change(&request{xml: msg, name: "cib_replace", op: op, opts: callopt.Opt(number(msg, "cib_callopt")), now: now})
	if rc != patch.OK {
		e.log(Notice, fmt.Sprintf("Not taking the CIB of %s over: %s (ours is %s)", from, text(rc), before))
		c.finish(c.kept)
		return
	}
	e.log(Notice, fmt.Sprintf("Took the current CIB %s over from %s (had %s)", version(e.Root()), from, before))
	c.finish(c.kept[c.mark:])
}

// finish ends the wait: what was kept is to be carried out.
func (c *catchUp) finish(kept []keptMessage) {
	c.ready, c.kept, c.until = true, kept, time.Time{}
}

// Resume carries out one thing of those that waited, false when none is left.
// While some are left what comes is put behind them.
func (e *Engine) Resume(now time.Time) bool {
	c := &e.catch
	switch {
	case !c.active || !c.ready:
		return false
	case len(c.kept) > 0:
		k := c.kept[0]
		c.kept = c.kept[1:]
		e.message(now, k.from, k.msg)
	case len(c.wait) > 0:
		w := c.wait[0]
		c.wait = c.wait[1:]
		e.request(now, w)
	default:
		*c = catchUp{}
		return false
	}
	return true
}

// hold keeps a client's request for later; false: it is to be carried out now.
func (c *catchUp) hold(w waiting) bool {
	if op := w.msg.Attr("cib_op"); !c.active || op == opRegister || op == opNotify {
		return false
	}
	c.wait = append(c.wait, w)
	return true
}
