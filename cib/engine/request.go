package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/cib/acl"
	"github.com/pacesync/pacesync/cib/callopt"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// request is one message on its way through the engine.
type request struct {
	xml    *xmltree.Node
	name   string // of the operation
	op     operation
	opts   callopt.Opt
	client *client // nil: it came from a peer
	now    time.Time

	process bool // carry it out here and now
	reply   bool // a peer waits for the answer
	notify  bool // a client of ours waits for the answer
	forward bool // send it to others instead
}

func (r *request) attr(name string) string { return r.xml.Attr(name) }

// origin is who sent a request, for the log.
func (r *request) origin() string {
	from := r.attr("src")
	if from == "" {
		from = "local"
	}
	return from + "/" + null(r.attr("cib_clientname")) + "/" + null(r.attr("cib_callid"))
}

// null is how the original's log writes a text that is not there.
func null(s string) string {
	if s == "" {
		return "(null)"
	}
	return s
}

// Request takes a request of a client. id is the number its answer must bear,
// wants says that the client waits for an answer (based_callbacks.c:
// cib_common_callback). The message is the engine's.
func (e *Engine) Request(now time.Time, clientID string, id uint32, wants bool, msg *xmltree.Node) {
	if w := (waiting{clientID, id, wants, msg}); !e.catch.hold(w) {
		e.request(now, w)
	}
}

func (e *Engine) request(now time.Time, w waiting) {
	c, id, msg := e.clients[w.client], w.id, w.msg
	if c == nil {
		return
	}
	opts := callopt.Opt(number(msg, "cib_callopt"))
	if opts.Has(callopt.SyncCall) {
		c.waiting = id
	}
	e.nameClient(c, msg)
	msg.Set("cib_clientid", c.ID)
	msg.Set("cib_clientname", c.name)
	setUser(msg, c)
	switch msg.Attr("cib_op") {
	case opRegister:
		if w.wants {
			c.waiting = 0
			e.put(Reply{c.ID, id, xmltree.New("cib_common_callback_worker", attr("cib_op", opRegister), attr("cib_clientid", c.ID))})
		}
		return
	case opNotify:
		e.subscribe(c, id, msg)
		return
	}
	msg.Set("src", e.cfg.Node)
	e.handle(&request{xml: msg, opts: opts, client: c, now: now})
}

// nameClient notes what a client calls itself, with its first message.
func (e *Engine) nameClient(c *client, msg *xmltree.Node) {
	if c.name != "" {
		return
	}
	if c.name = msg.Attr("cib_clientname"); c.name == "" {
		c.name = strconv.Itoa(c.PID)
	} else if pcmk.IsDaemonName(c.name) {
		c.daemon = true
		e.put(Daemon{c.ID})
	}
}

// setUser notes whose rights count: the client's, unless it is privileged and
// speaks for somebody else (acl.c: pcmk__update_acl_user).
func setUser(msg *xmltree.Node, c *client) {
	user, ok := msg.Get("acl_target")
	if !ok {
		user, ok = msg.Get("cib_user")
	}
	if !ok || !c.Privileged {
		user = c.User
	}
	msg.Set("acl_target", user)
	msg.Set("cib_user", user)
}

func (e *Engine) subscribe(c *client, id uint32, msg *xmltree.Node) {
	bit := watchOf(msg.Attr("cib_notify_type"))
	status := pcmk.ExitOK
	switch on := number(msg, "cib_notify_activate"); {
	case bit == 0:
		status = pcmk.ExitInvalidParam
	case on != 0:
		c.watch |= bit
	default:
		c.watch &^= bit
	}
	e.put(Ack{c.ID, id, int(status)})
}

// Message takes a message of the group, our own among them (based_callbacks.c:
// cib_peer_callback). The message is the engine's.
func (e *Engine) Message(now time.Time, from string, msg *xmltree.Node) {
	if !e.catch.message(e, now, from, msg) {
		e.message(now, from, msg)
	}
}

func (e *Engine) message(now time.Time, from string, msg *xmltree.Node) {
	msg.Set("src", from)
	if _, ok := msg.Get("cib_clientname"); !ok {
		msg.Set("cib_clientname", from)
	}
	e.handle(&request{xml: msg, opts: callopt.Opt(number(msg, "cib_callopt")), now: now})
}

// handle decides what becomes of a request (based_callbacks.c: cib_process_request).
func (e *Engine) handle(r *request) {
	r.name = r.attr("cib_op")
	op, ok := operationOf(r.name)
	if !ok {
		e.log(Error, "Operation "+null(r.name)+" is not valid")
		return
	}
	r.op, r.process, r.reply = op, true, true
	if r.client != nil {
		e.routeLocal(r)
	} else if !e.routePeer(r) {
		return
	}
	if r.opts.Has(callopt.DiscardReply) {
		r.reply, r.notify = false, false
	}
	if r.forward {
		e.forwardRequest(r)
		return
	}
	answer := r.xml // of a peer, passed on
	if e.status != patch.OK {
		answer = e.unusable(r)
	} else if r.process {
		answer = e.perform(r)
	}
	if answer == nil {
		return
	}
	if r.client == nil && !op.modifies && r.reply && !e.cfg.StandAlone && !r.opts.Has(callopt.DiscardReply) {
		if to := r.attr("src"); to != "" {
			back := borrow(answer)
			back.Attrs = append(back.Attrs[:len(back.Attrs):len(back.Attrs)], attr("cib_isreplyto", to))
			e.put(Send{To: to, XML: back})
		}
	}
	if r.notify {
		e.answerClient(r, answer)
	}
}

// routeLocal decides about a client's request (based_callbacks.c:
// parse_local_options_v2).
func (e *Engine) routeLocal(r *request) {
	host := r.attr("cib_host")
	switch {
	case e.cfg.StandAlone || r.name == opPrimary:
		r.reply, r.notify = false, true
	case r.op.modifies:
		r.forward, r.process = true, false
	case host != "" && !strings.EqualFold(host, e.cfg.Node):
		r.notify, r.reply, r.forward, r.process = true, false, true, false
	default:
		r.notify, r.reply = true, false
	}
}

// routePeer decides about a peer's message; false: it is not for us
// (based_callbacks.c: parse_peer_options_v2).
func (e *Engine) routePeer(r *request) bool {
	delegated := r.attr("cib_delegated_from")
	replyTo, hasReplyTo := r.xml.Get("cib_isreplyto")
	isReply := hasReplyTo && strings.EqualFold(replyTo, e.cfg.Node)
	switch {
	case r.name == "cib_replace":
		if hasReplyTo {
			delegated = replyTo
		}
		return e.forUs(r, delegated, isReply)
	case r.name == opSyncAll:
	case isReply && r.name == opPing:
		e.processPong(r.xml)
		return false
	case r.name == "cib_upgrade":
		_, hasMax := r.xml.Get("cib_schema_max")
		rc, rejected := r.xml.Get("cib_upgrade_rc")
		switch {
		case rejected: // the DC's answer to a request of ours
			r.xml.Set("cib_rc", rc)
		case hasMax || e.primary:
			return e.forUs(r, delegated, isReply)
		default:
			return false
		}
	case pcmk.IsTrue(r.attr("cib_update")):
		e.log(Info, fmt.Sprintf("Detected legacy %s global update from %s", r.name, r.attr("src")))
		e.askForCIB("")
		return false
	case isReply && r.op.modifies:
		return false
	case r.name == opShutdown:
		r.notify, r.reply = false, !hasReplyTo
		return true
	}
	if isReply {
		r.process, r.reply, r.notify = false, false, true
		return true
	}
	return e.forUs(r, delegated, isReply)
}

// forUs is the end of routePeer: whom a request is addressed to.
func (e *Engine) forUs(r *request, delegated string, isReply bool) bool {
	r.process, r.reply = true, false
	r.notify = delegated != "" && strings.EqualFold(delegated, e.cfg.Node)
	if host, ok := r.xml.Get("cib_host"); ok {
		r.reply = strings.EqualFold(host, e.cfg.Node)
		return r.reply
	}
	r.reply = !isReply && r.name == opPing
	return true
}

// forwardRequest sends a request to the group, or to the node it names
// (based_callbacks.c: forward_request).
func (e *Engine) forwardRequest(r *request) {
	host := r.attr("cib_host")
	section, to := r.attr("cib_section"), host
	if section == "" {
		section = "'all'"
	}
	if to == "" {
		to = "all"
	}
	level := Info
	if r.name == opNoop {
		level = Debug
	}
	e.log(level, fmt.Sprintf("Forwarding %s operation for section %s to %s (origin=%s)", r.name, section, to, r.origin()))
	r.xml.Set("cib_delegated_from", e.cfg.Node)
	e.put(Send{To: host, XML: r.xml})
}

// answerClient sends an answer to the client of ours it is for
// (based_callbacks.c: do_local_notify).
func (e *Engine) answerClient(r *request, answer *xmltree.Node) {
	c := e.clients[r.attr("cib_clientid")]
	if c == nil {
		return
	}
	if !r.opts.Has(callopt.SyncCall) {
		e.put(Reply{c.ID, 0, answer})
		return
	}
	if c.waiting != 0 {
		e.put(Reply{c.ID, c.waiting, answer})
		c.waiting = 0
	}
}

// newReply makes an answer (based_callbacks.c: cib_process_command).
func newReply(r *request, rc patch.Code, output *xmltree.Node) *xmltree.Node {
	re := xmltree.New("cib-reply", attr("t", "cib"), attr("cib_op", r.name))
	for _, name := range [...]string{"cib_callid", "cib_clientid"} {
		if v, ok := r.xml.Get(name); ok {
			re.Set(name, v)
		}
	}
	re.Set("cib_callopt", strconv.Itoa(int(r.opts)))
	re.Set("cib_rc", strconv.Itoa(-int(rc)))
	if output != nil {
		attach(re, "cib_calldata", output)
	}
	return re
}

// unusable answers while the configuration on disk is invalid.
func (e *Engine) unusable(r *request) *xmltree.Node {
	e.log(Error, "Operation ignored, cluster configuration is invalid. Please repair and restart: "+text(e.status))
	var seen *xmltree.Node
	if root := e.Root(); root != nil {
		seen = root
		if user := r.attr("cib_user"); acl.Required(user) && pcmk.IsTrue(e.options["enable-acl"]) {
			seen = acl.For(root, user, e.cfg.InGroup).Filter(root)
		}
	}
	return newReply(r, e.status, seen)
}

func text(code patch.Code) string { return pcmk.RCFromLegacy(-int(code)).Error() }
