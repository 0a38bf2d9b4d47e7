package crmd

import (
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/crmd/join"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// quorumPause is how long the DC waits for more nodes once one brought quorum
// (controld_membership.c: crm_update_quorum).
const quorumPause = 5 * time.Second

func sameName(a, b string) bool { return a != "" && strings.EqualFold(a, b) }

// joinQueryPause gives the cluster layer time to tell the DC of us before we
// ask for it (do_cl_join_query).
const joinQueryPause = time.Second

// queryDC asks who is DC. Whoever was so far is forgotten, or the answer of
// another would be refused.
func (c *Controller) queryDC() {
	c.forgetDC()
	c.after(joinQueryPause, func() {
		if c.dc() != "" || c.leading {
			return // somebody was faster
		}
		c.log.debug("Querying for a DC")
		c.send("", request("join_announce", nil, "", "dc", "crmd"))
	})
}

// announce tells a DC that we are here (do_cl_join_announce).
func (c *Controller) announce() {
	switch {
	case c.state() != fsa.Pending:
		c.log.warn("Not announcing cluster join because in state %s", c.state())
	case c.starting:
		c.log.warn("Delaying announce of cluster join until local startup is complete")
	default:
		c.log.debug("Announcing availability")
		c.forgetDC()
		c.send("", request("join_announce", nil, "", "dc", "crmd"))
	}
}

// forgetDC: who is DC is not known any more (update_dc without a message).
func (c *Controller) forgetDC() {
	if c.joiner == nil {
		return
	}
	if was := c.joiner.Unset(); was != "" {
		c.log.info("Unset DC (was %s)", was)
	}
}

// followDC takes a DC's message; false when there is another DC (update_dc).
func (c *Controller) followDC(m *message) bool {
	changed, err := c.joiner.Follow(m.from, m.version)
	if err != nil {
		if c.leading {
			c.log.err("%v", err)
		} else {
			c.log.warn("%v", err)
		}
		c.fsa.Require(fsa.JoinQuery, fsa.DCTimerStart)
		return false
	}
	if changed {
		c.log.info("Set DC to %s (%s)", m.from, m.version)
		c.setExpected(c.peerOf(m.from), "member")
	}
	return true
}

// noteLeaving: a DC that is about to leave is not to be fenced by who comes
// after it (update_dc_expected).
func (c *Controller) noteLeaving(m *message) {
	if c.dc() != "" && pcmk.IsTrue(m.root.Attr("dc-leaving")) {
		c.setExpected(c.peerOf(c.dc()), "down")
	}
}

// acceptOffer answers a DC's offer with our CIB's version.
func (c *Controller) acceptOffer(m *message) {
	if m == nil {
		return
	}
	if !c.followDC(m) {
		c.log.warn("Discarding cluster join offer from node %s (expected %s)", m.from, c.dc())
		return
	}
	c.noteLeaving(m)
	id := m.root.Attr("join_id")
	n := c.joiner.Ask()
	c.cib.query("", cibScopeLocal|cibNoChildren, func(r cibResult) { c.answerOffer(n, id, r) })
	c.fsa.Require(fsa.DCTimerStop)
}

func (c *Controller) answerOffer(n int, id string, r cibResult) {
	if !r.ok() || r.output == nil {
		c.log.err("Could not retrieve version details for join-%s: %s (%d)", id, r.rc, r.rc.Legacy())
		c.fail(fsa.Error, "join_query_callback")
		return
	}
	dc, ok := c.joiner.Answer(n)
	if !ok {
		c.log.debug("Membership is in flux or the offer superseded, not continuing join-%s", id)
		return
	}
	c.log.debug("Respond to join offer join-%s from %s", id, dc)
	m := request("join_request", xmltree.New("generation_tuple", r.output.Attrs...), dc, "dc", "crmd")
	m.root.Set("join_id", id)
	m.root.Set("crm_feature_set", pcmk.FeatureSet)
	c.send(dc, m)
}

// joinResult is the DC's answer to our request (do_cl_join_finalize_respond).
func (c *Controller) joinResult(m *message, cause fsa.Cause) {
	if m == nil || m.task != "join_ack_nack" {
		return
	}
	id := m.root.Attr("join_id")
	if !pcmk.IsTrue(m.root.Attr("join_ack_nack")) {
		c.log.err("Shutting down because cluster join with leader %s failed | join-%s NACK'd", m.from, id)
		c.fail(fsa.Error, "do_cl_join_finalize_respond")
		return
	}
	if !c.leading && sameName(m.from, c.self) {
		c.log.warn("Discarding our own welcome - we're no longer the DC")
		return
	}
	if !c.followDC(m) {
		c.log.warn("Discarding %s from node %s (expected from %s)", m.task, m.from, c.dc())
		return
	}
	c.noteLeaving(m)
	c.attrd.update(c.self, "#feature-set", pcmk.FeatureSet, "", false)
	state := c.exec.nodeState()
	if state == nil {
		c.log.err("Could not confirm join-%s with %s: Local operation history failed", id, c.dc())
		c.fail(fsa.Fail, "do_cl_join_finalize_respond")
		return
	}
	c.log.debug("Confirming join-%s: sending local operation history to %s", id, c.dc())
	if c.firstJoin && !c.shuttingDown() {
		c.firstJoin = false
		c.setStartState(pcmk.Env(pcmk.EnvNodeStart))
	}
	confirm := request("join_confirm", state, c.dc(), "dc", "crmd")
	confirm.root.Set("join_id", id)
	c.send(c.dc(), confirm)
	if !c.leading {
		c.inputFirst(fsa.Joined, cause, "do_cl_join_finalize_respond")
	}
}

// setStartState sets this node's standby as PCMK_node_start_state wants
// (set_join_state).
func (c *Controller) setStartState(want string) {
	value := ""
	switch strings.ToLower(want) {
	case "standby":
		value = "on"
	case "online":
		value = "off"
	case "", "default":
		c.log.debug("Not forcing a starting state on node %s", c.self)
		return
	default:
		c.log.warn("Unrecognized start state '%s', using 'default' (%s)", want, c.self)
		return
	}
	c.log.notice("Forcing node %s to join in %s state per configured environment", c.self, want)
	id := c.nodeID()
	n := xmltree.New("node", xmltree.Attr{Name: "id", Value: id})
	set := n.AddNew("instance_attributes", xmltree.Attr{Name: "id", Value: "nodes-" + id})
	set.AddNew("nvpair", xmltree.Attr{Name: "id", Value: "nodes-" + id + "-standby"}, xmltree.Attr{Name: "name", Value: "standby"}, xmltree.Attr{Name: "value", Value: value})
	c.cib.modify("nodes", n, cibQuorumOverride, c.logFailure("Setting the start state"))
}

// members is the membership as joining sees it.
func (c *Controller) members() join.Members {
	m := join.Members{Seq: c.seq}
	for _, p := range c.peers.All() {
		m.Peers = append(m.Peers, join.Peer{Name: p.Name, Active: p.Active(), Lost: p.Expected == "" && p.State.String() == "lost"})
	}
	return m
}

// setJoin notes how far a node has come.
func (c *Controller) setJoin(name string, p join.Phase) {
	if err := c.leader.Set(name, p); err != nil {
		c.log.warn("Rejecting phase update: %v", err)
	}
}

// offer carries out an offering.
func (c *Controller) offer(o join.Offer) {
	for _, s := range o.Skipped {
		c.log.info("%s", s)
	}
	for _, name := range o.Down {
		c.setExpected(c.peers.ByName(name), "down")
	}
	for _, name := range o.To {
		m := c.dcMessage("join_offer", name)
		m.root.Set("crm_feature_set", pcmk.FeatureSet)
		c.log.info("Sending join-%d offer to %s", c.leader.Round(), name)
		c.send(name, m)
	}
}

// dcMessage begins a message of the DC to who joins.
func (c *Controller) dcMessage(task, to string) *message {
	m := request(task, nil, to, "crmd", "dc")
	m.root.Set("join_id", strconv.Itoa(c.leader.Round()))
	m.root.Set("dc-leaving", boolText(c.shuttingDown()))
	return m
}

func (c *Controller) offerAll() {
	c.haveCIB, c.askedCIB = false, false
	c.forgetDC()
	c.offer(c.leader.OfferAll(c.members()))
	c.waitingFor()
}

func (c *Controller) offerOne(m *message) {
	if m == nil {
		c.log.info("Making join-%d offers to any unconfirmed nodes because an unknown node joined", c.leader.Round())
		c.offer(c.leader.OfferMissing(c.members()))
		c.checkJoin()
		return
	}
	if m.from == "" {
		c.log.err("Can't make join-%d offer to unknown node", c.leader.Round())
		return
	}
	c.peerOf(m.from)
	c.offer(c.leader.OfferOne(c.members(), m.from))
	c.te.abort(infinity, completeRestart, "Node join", nil)
	c.waitingFor()
}

func (c *Controller) waitingFor() {
	n := c.leader.Count(join.Welcomed)
	c.log.info("Waiting on join-%d requests from %d outstanding node%s", c.leader.Round(), n, plural(n))
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// takeRequest is a node's answer to our offer.
func (c *Controller) takeRequest(m *message) {
	if m == nil || m.from == "" {
		c.log.err("Ignoring invalid join request without node name")
		return
	}
	p := c.peerOf(m.from)
	id, _ := m.number("join_id")
	v := c.leader.Request(join.Request{
		From: m.from, Active: p.Active(), Round: id, Features: m.root.Attr("crm_feature_set"), CIB: generation(m.data), Ref: m.ref,
	})
	switch {
	case v.Severe:
		c.log.err("%s", v.Reason)
	default:
		c.log.debug("%s", v.Reason)
	}
	switch {
	case v.Ignored:
	case v.Accepted:
		c.setExpected(p, "member")
	default:
		c.setExpected(p, "banned")
	}
	c.checkJoin()
}

// generation reads the version of a CIB from its attributes, nil when there is
// none.
func generation(n *xmltree.Node) *join.Generation {
	if n == nil {
		return nil
	}
	num := func(name string) int64 {
		v, err := strconv.ParseInt(n.Attr(name), 10, 64)
		if err != nil {
			return -1
		}
		return v
	}
	return &join.Generation{AdminEpoch: num("admin_epoch"), Epoch: num("epoch"), Updates: num("num_updates")}
}

// checkJoin goes on with the round when it can (check_join_state).
func (c *Controller) checkJoin() join.Progress {
	p := c.leader.Check(c.stage(), c.seq, c.haveCIB)
	switch p {
	case join.NewMembership:
		c.log.debug("join-%d: Membership changed from %d to %d", c.leader.Round(), c.leader.Seq(), c.seq)
		c.inputFirst(fsa.NodeJoin, fsa.CauseInternal, "check_join_state")
	case join.AllIntegrated:
		c.log.debug("join-%d: Integration of %d peers complete", c.leader.Round(), c.leader.Count(join.Integrated))
		c.inputFirst(fsa.Integrated, fsa.CauseInternal, "check_join_state")
	case join.AllConfirmed:
		c.log.debug("join-%d: Complete", c.leader.Round())
		c.input(fsa.Finalized, fsa.CauseInternal, "check_join_state")
	}
	return p
}

// finalize has all nodes get the best CIB; true while it has to wait.
func (c *Controller) finalize() (stall bool) {
	round, integrated := c.leader.Round(), c.leader.Count(join.Integrated)
	switch welcomed := c.leader.Count(join.Welcomed); {
	case welcomed != 0:
		c.log.debug("Waiting on join-%d requests from %d outstanding nodes before finalizing join", round, welcomed)
		return false
	case integrated == 0:
		c.log.debug("Finalization not needed for join-%d at the current time", round)
		c.checkJoin()
		return false
	}
	from, _ := c.leader.Best()
	c.haveCIB = from == "" || sameName(from, c.self)
	if c.te.active() {
		c.log.warn("Delaying join-%d finalization while transition in progress", round)
		return true
	}
	if c.haveCIB {
		from = c.self
		c.log.debug("Finalizing join-%d for %d nodes (sync'ing from local CIB)", round, integrated)
	} else {
		c.askedCIB = true
		c.log.notice("Finalizing join-%d for %d node%s (sync'ing CIB from %s)", round, integrated, plural(integrated), from)
	}
	c.cib.request(cibCall{op: "cib_sync", host: from, opts: cibQuorumOverride}, func(r cibResult) { c.synchronised(from, r) })
	return false
}

// synchronised: all have the same CIB, so the nodes can be accepted
// (finalize_sync_callback).
func (c *Controller) synchronised(from string, r cibResult) {
	c.askedCIB = false
	round := c.leader.Round()
	switch {
	case r.rc == pcmk.RCOldData:
		c.log.warn("Could not sync CIB from %s in join-%d: %s", from, round, r.rc)
		c.fail(fsa.ElectionDC, "finalize_sync_callback")
	case !r.ok():
		c.log.err("Could not sync CIB from %s in join-%d: %s", from, round, r.rc)
		c.fail(fsa.ElectionDC, "finalize_sync_callback")
	case !c.leading, c.state() != fsa.FinalizeJoin:
		c.log.debug("Sync'ed CIB for join-%d but no longer finalizing (%s)", round, c.state())
	default:
		c.haveCIB = true
		if p := c.checkJoin(); p == join.AllConfirmed || p == join.NoCIB {
			return
		}
		for _, name := range c.leader.In(join.Integrated) {
			c.acceptNode(name)
		}
	}
}

// acceptNode tells a node that it is a member (finalize_join_for).
func (c *Controller) acceptNode(name string) {
	p := c.peerOf(name)
	if p.UUID() != "" {
		n := xmltree.New("node", xmltree.Attr{Name: "id", Value: p.UUID()}, xmltree.Attr{Name: "uname", Value: name})
		c.cib.modify("nodes", n, cibAnon, c.logFailure("Node update"))
	}
	if !p.Active() {
		// A refusal would be for nothing: the next membership event starts over.
		c.setExpected(p, "pending")
		return
	}
	c.log.debug("Acknowledging join-%d request from %s", c.leader.Round(), name)
	m := c.dcMessage("join_ack_nack", name)
	m.root.Set("join_ack_nack", "true")
	if err := c.leader.Accept(name); err != nil {
		c.log.warn("%v", err)
	}
	c.setExpected(p, "member")
	c.send(name, m)
}

// takeHistory is a node's confirmation, with what its executor did
// (do_dc_join_ack).
func (c *Controller) takeHistory(m *message) {
	if m == nil || m.task != "join_confirm" {
		return
	}
	id, ok := m.number("join_id")
	if m.from == "" || !ok {
		c.log.warn("Ignoring join confirmation from %s without valid join ID", m.from)
		return
	}
	v := c.leader.Confirm(m.from, id)
	switch {
	case v.Severe:
		c.log.err("%s", v.Reason)
	case v.Ignored:
		c.log.info("%s", v.Reason)
	}
	if !v.Accepted {
		return
	}
	part := sectionLRM
	if c.opt.shutdownLock {
		part = sectionLRMUnlocked
	}
	c.deleteState(m.from, part, cibScopeLocal)
	state := m.data
	if sameName(m.from, c.self) {
		if now := c.exec.nodeState(); now != nil {
			state = now // newer than what was sent
		}
	}
	if state == nil {
		c.log.warn("join-%d confirmation from %s without history", id, m.from)
		c.checkJoin()
		return
	}
	if state.Parent != nil {
		state = state.Copy()
	}
	c.cib.modify("status", state, cibAnon, func(r cibResult) {
		if !r.ok() {
			c.log.err("join-%d node history update (via CIB call %d) failed: %s (next transition may determine resource status incorrectly)", id, r.call, r.rc)
			c.fail(fsa.Error, "join_update_complete_callback")
			return
		}
		c.log.debug("join-%d node history update (via CIB call %d) complete", id, r.call)
		c.checkJoin()
	})
}

// integrationOver: time for answers is over.
func (c *Controller) integrationOver() {
	welcomed := c.leader.Count(join.Welcomed)
	c.log.info("Welcomed: %d, Integrated: %d", welcomed, c.leader.Count(join.Integrated))
	if welcomed == 0 {
		c.fail(fsa.Elect, "crm_timer_popped") // not even ourselves
		return
	}
	c.inputFirst(fsa.Integrated, fsa.CauseTimer, "crm_timer_popped")
}

func (c *Controller) enterIntegrated() {
	if n := c.leader.Count(join.Welcomed); n > 0 {
		c.log.warn("%d cluster node%s failed to respond to join offer", n, plural(n))
		c.logPhases()
		return
	}
	c.log.debug("All cluster nodes (%d) responded to join offer", c.leader.Count(join.Integrated))
}

func (c *Controller) logPhases() {
	for _, s := range c.leader.Report() {
		c.log.notice("%s", s)
	}
}

// checkJoinCounts: the round is over, see whether all have joined
// (check_join_counts).
func (c *Controller) checkJoinCounts() {
	if n := c.leader.Count(join.Finalized); n > 0 {
		c.log.err("%d cluster node%s failed to confirm join", n, plural(n))
		c.logPhases()
		return
	}
	active, confirmed := c.peers.Active(), c.leader.Count(join.Confirmed)
	switch {
	case confirmed == active:
		c.log.debug("All %d active cluster nodes are fully joined", confirmed)
	case confirmed > active:
		c.log.err("New election needed because more nodes confirmed join than are in membership (%d > %d)", confirmed, active)
		c.input(fsa.Elect, fsa.CauseInternal, "check_join_counts")
	case c.leader.Seq() != c.seq:
		c.log.info("New join needed because membership changed (%d -> %d)", c.leader.Seq(), c.seq)
		c.inputFirst(fsa.NodeJoin, fsa.CauseInternal, "check_join_counts")
	default:
		c.log.warn("Only %d of %d active cluster nodes fully joined (%d did not respond to offer)", confirmed, active, c.leader.Count(join.Welcomed))
	}
}
