package crmd

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/crmd/election/wire"
	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// view is the membership as elections see it.
func (c *Controller) view() election.View {
	v := election.View{ID: c.nodeID()}
	for _, p := range c.peers.All() {
		if p.Name != "" {
			v.Peers = append(v.Peers, election.Peer{Name: p.Name, Active: p.Active()})
		}
	}
	return v
}

// moment is now, with the user time this process used, which elections call
// its age.
func moment() election.Moment {
	m := election.Moment{Now: time.Now()}
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) == nil {
		m.CPU = time.Duration(u.Utime.Nano())
	}
	return m
}

// afterElection carries out what a step of the election led to.
func (c *Controller) afterElection() {
	o := c.voting.Take()
	for _, t := range o.Trace {
		c.log.syslog(int(t.Level()), t.Text("election-DC"))
	}
	for _, m := range o.Send {
		ref := crmipc.NewRequest(m.Op.String(), "", "crmd", "crmd", "", nil).Attr("reference")
		c.send(m.To, mustDecode(wire.Encode(m, ref)))
	}
	if o.Won {
		c.input(fsa.ElectionDC, fsa.CauseInternal, "election_win_cb")
	}
	c.timers.election.stop()
	if d := c.voting.Deadline(); !d.IsZero() {
		c.timers.election = c.after(time.Until(d), func() {
			c.voting.Expire(time.Now())
			c.afterElection()
		})
	}
}

func mustDecode(n *xmltree.Node) *message {
	m, err := decodeMessage(n)
	if err != nil {
		panic("crmd: own message: " + err.Error())
	}
	return m
}

// vote offers this node as DC (do_election_vote).
func (c *Controller) vote() {
	may := !c.starting && c.voting != nil
	switch c.state() {
	case fsa.Starting, fsa.Recovery, fsa.Stopping, fsa.Terminate:
		c.log.warn("Not voting in election, we're in state %s", c.state())
		may = false
	case fsa.Election, fsa.Integration, fsa.ReleaseDC:
	default:
		c.log.err("Broken? Voting in state %s", c.state())
	}
	switch {
	case may:
		c.voting.Vote(moment(), c.view())
		c.afterElection()
	case c.leading:
		c.input(fsa.Release, fsa.CauseInternal, "do_election_vote")
	default:
		c.input(fsa.BePending, fsa.CauseInternal, "do_election_vote")
	}
}

// countVote takes a vote or its answer (do_election_count_vote).
func (c *Controller) countVote(m *message) {
	if m == nil || c.voting == nil {
		return
	}
	v, err := wire.Decode(m.root, m.from)
	if err != nil {
		c.log.warn("Ignoring vote of %s: %v", m.from, err)
		return
	}
	state := c.state()
	switch c.voting.Count(moment(), c.view(), v, state != fsa.Starting) {
	case election.Start:
		c.voting.Reset()
		c.input(fsa.Elect, fsa.CauseInternal, "do_election_count_vote")
	case election.Lost:
		c.forgetDC()
		if c.leading {
			c.input(fsa.Release, fsa.CauseInternal, "do_election_count_vote")
			c.cib.setSecondary()
		} else if state != fsa.Starting {
			c.input(fsa.BePending, fsa.CauseInternal, "do_election_count_vote")
		}
	}
	c.afterElection()
}

func (c *Controller) checkElection() {
	if c.state() != fsa.Election || c.voting == nil {
		c.log.debug("Ignoring election check because we are not in an election")
		return
	}
	c.voting.Check(c.view())
	c.afterElection()
}

func (c *Controller) stopElectionTimer() {
	if c.voting != nil {
		c.voting.StopTimer()
	}
	c.timers.election.stop()
}

// removeVoter: a node left; if it was the DC the next election starts without
// the memory of who just lost (controld_remove_voter).
func (c *Controller) removeVoter(name string) {
	if c.voting == nil {
		return
	}
	c.voting.Forget(name)
	if sameName(name, c.dc()) {
		c.voting.ClearDampening()
	}
}

// takeOver makes this node the DC (do_dc_takeover).
func (c *Controller) takeOver() {
	c.log.info("Taking over DC status for this partition")
	c.leading = true
	c.joiner.SetLeading(true)
	c.fence.takeOver()
	c.voting.Reset()
	c.afterElection()
	c.cib.setPrimary()
	c.cib.modify("cib", xmltree.New("cib", xmltree.Attr{Name: "crm_feature_set", Value: pcmk.FeatureSet}), cibQuorumOverride, c.orError("Feature update", "feature_update_callback"))
	c.cib.query("crm_config", cibScopeLocal, func(r cibResult) {
		if !r.ok() || !c.leading {
			return
		}
		c.setProperty(r.output, "have-watchdog", boolText(watchdogActive()))
		c.setProperty(r.output, "dc-version", pcmk.Version+"-"+pcmk.Build)
		c.setProperty(r.output, "cluster-infrastructure", "corosync")
		if c.opt.clusterName == "" && c.clusterName != "" {
			c.setProperty(r.output, "cluster-name", c.clusterName)
		}
	})
	c.readOptions()
}

// propertySet is the set that the cluster's own options are kept in.
const propertySet = "cib-bootstrap-options"

// setProperty writes a cluster option, where there is one by its name and
// otherwise into the cluster's own set (cib__update_node_attr).
func (c *Controller) setProperty(config *xmltree.Node, name, value string) {
	set, id := propertySet, propertySet+"-"+name
	if config != nil {
		if nv := config.Find(func(n *xmltree.Node) bool { return n.Name == "nvpair" && n.Attr("name") == name }); nv != nil && nv.Parent != nil {
			set, id = nv.Parent.ID(), nv.ID()
		}
	}
	n := xmltree.New("crm_config")
	n.AddNew("cluster_property_set", xmltree.Attr{Name: "id", Value: set}).
		AddNew("nvpair", xmltree.Attr{Name: "id", Value: id}, xmltree.Attr{Name: "name", Value: name}, xmltree.Attr{Name: "value", Value: value})
	c.cib.modify("crm_config", n, cibQuorumOverride, c.logFailure("Setting "+name))
}

// release gives up to be DC, released is the end of it (do_dc_release).
func (c *Controller) release() {
	c.log.debug("Releasing the role of DC")
	c.leading = false
	c.joiner.SetLeading(false)
	c.sched.expect("")
}

func (c *Controller) released() {
	c.log.info("DC role released")
	if p := c.peers.Self(); c.shuttingDown() && p != nil {
		c.setExpected(p, "down")
		if n := c.nodeState(p, nodeExpected, "do_dc_release"); n != nil {
			c.cib.modify("status", n, cibAnon|cibDiscardReply, nil)
		}
	}
	c.input(fsa.ReleaseSuccess, fsa.CauseInternal, "do_dc_release")
}
