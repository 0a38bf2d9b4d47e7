package core

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/internal/attrd/wire"
)

// view is the membership as elections want it.
func (c *Core) view() election.View {
	v := election.View{}
	for _, k := range slices.Sorted(maps.Keys(c.peers)) {
		p := c.peers[k]
		v.Peers = append(v.Peers, election.Peer{Name: p.name, Active: p.active})
		if k == key(c.cfg.Self) && p.id != 0 {
			v.ID = strconv.FormatUint(uint64(p.id), 10)
		}
	}
	return v
}

// runElection carries out what the election wants.
func (c *Core) runElection() {
	out := c.election.Take()
	for _, t := range out.Trace {
		c.emit(Trace{t.Level(), t.Text("election-attrd")})
	}
	for _, m := range out.Send {
		c.emit(Ballot{m})
	}
	if !out.Won {
		return
	}
	c.tracef(election.LevelNotice, "Recorded local node as attribute writer (was %s)", cmp.Or(c.writer, "unset"))
	c.writer = c.cfg.Self
	c.sync("")
	c.writeAll(true, false)
}

func (c *Core) vote() {
	c.election.Vote(c.at, c.view())
	c.runElection()
}

// electIfNeeded starts an election when nobody writes (attrd_start_election_if_needed).
func (c *Core) electIfNeeded() {
	if c.writer != "" || c.election.State() == election.InProgress || c.stopping {
		return
	}
	c.tracef(election.LevelInfo, "Starting an election to determine the writer")
	c.vote()
}

// Ballot counts a vote or no-vote of a peer (attrd_handle_election_op).
func (c *Core) Ballot(at election.Moment, m election.Message) {
	c.at = at
	before := c.election.State()
	state := c.election.Count(at, c.view(), m, !c.stopping)
	c.runElection()
	switch state {
	case election.Start:
		c.tracef(election.LevelDebug, "Unsetting writer (was %s) and starting new election", cmp.Or(c.writer, "unset"))
		c.writer = ""
		c.vote()
	case election.Lost:
		// Lost just now, as far as one can tell: presume the voter writes, so that this node starts no new election.
		if c.writer == "" || before != election.Lost {
			c.writer = m.From
			c.tracef(election.LevelDebug, "Election lost, presuming %s is writer for now", c.writer)
		}
	case election.InProgress:
		c.election.Check(c.view())
		c.runElection()
	default:
		c.tracef(election.LevelInfo, "Ignoring election op from %s due to error", m.From)
	}
}

// noteWriter learns from a peer's state whether it writes (attrd_check_for_new_writer).
func (c *Core) noteWriter(from string, state election.State) bool {
	if state != election.Won {
		return false
	}
	switch {
	case c.Writes() && !strings.EqualFold(from, c.cfg.Self):
		c.tracef(election.LevelNotice, "Detected another attribute writer (%s), starting new election", from)
		c.vote()
	case !strings.EqualFold(from, c.writer):
		c.tracef(election.LevelNotice, "Recorded new attribute writer: %s (was %s)", from, cmp.Or(c.writer, "unset"))
		c.writer = from
	}
	return true
}

// Joined notes a member of the group (attrd_peer_change_cb). The writer tells it everything.
func (c *Core) Joined(at election.Moment, name string, id uint32) {
	c.at = at
	p := c.learn(name, id)
	if p.active {
		return
	}
	p.active = true
	c.tracef(election.LevelDebug, "Node %s is now a peer", name)
	if c.Writes() {
		c.sync(name)
	}
}

// Left notes that a member left the group: its vote, its values and what was
// known about it go (attrd_remove_voter, attrd_peer_remove).
func (c *Core) Left(at election.Moment, name string) {
	c.at = at
	p := c.peers[key(name)]
	if p == nil || !p.active {
		return
	}
	p.active = false
	c.tracef(election.LevelDebug, "Node %s is no longer a peer", name)
	c.loseVoter(name)
	c.removeValues(name, "loss")
	c.loseVoter(name)
	delete(c.peers, key(name))
}

func (c *Core) loseVoter(name string) {
	c.election.Forget(name)
	switch {
	case c.writer != "" && strings.EqualFold(name, c.writer):
		c.writer = ""
		c.tracef(election.LevelNotice, "Lost attribute writer %s", name)
		// It may have just won: without this all others would give way to nobody. And it may
		// have left without writing what it was told: so each node that sees it go votes.
		c.election.ClearDampening()
		c.electIfNeeded()
	case c.election.State() == election.InProgress:
		c.tracef(election.LevelDebug, "Checking election status upon loss of voter %s", name)
		c.election.Check(c.view())
		c.runElection()
	}
}

// learn returns the peer of that name, made if it was unknown, and notes its id.
func (c *Core) learn(name string, id uint32) *peer {
	p := c.peers[key(name)]
	if p == nil {
		p = &peer{name: name}
		c.peers[key(name)] = p
	}
	if id != 0 {
		p.id = id
	}
	return p
}

// sync tells a peer, or all, every value (attrd_peer_sync).
func (c *Core) sync(to string) {
	m := wire.Message{Root: "attrd_peer_sync", Value: wire.Value{Task: wire.SyncResponse}}
	for _, a := range c.sorted() {
		for _, v := range a.hosts() {
			m.Ops = append(m.Ops, a.entry(v, false))
		}
	}
	c.tracef(election.LevelDebug, "Syncing values to %s", cmp.Or(to, "everyone"))
	c.send(to, m)
}
