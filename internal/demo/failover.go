package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
)

// calm is how long the client must get every answer before and after the
// interesting times.
const calm = 2 * time.Second

// cutCable takes one of two cables from the active node: nobody may notice.
func (s *story) cutCable(ctx context.Context) error {
	s.chapter("One of the two cables of the active node breaks")
	n := s.lab.Node(s.place(ctx, s.lab.Node("n1"), "server"))
	if n == nil {
		return errors.New("the web server runs nowhere")
	}
	if err := s.linked(ctx, n, true); err != nil {
		return err
	}
	ring := n.Membership(ctx).Ring
	cut := time.Now()
	if err := s.lab.CutNet(n.Name(), lab.Any, secondNet); err != nil {
		return err
	}
	if err := s.linked(ctx, n, false); err != nil {
		return err
	}
	s.say("%s has lost link %d after %.2f s and goes on over link %d", n.Name(), secondNet, time.Since(cut).Seconds(), serviceNet)
	if err := s.lab.Heal(); err != nil {
		return err
	}
	if err := s.linked(ctx, n, true); err != nil {
		return err
	}
	_, lost := outage(s.client.since(cut))
	if now := n.Membership(ctx).Ring; now != ring || lost > 0 {
		return fmt.Errorf("a cable of two broke: ring %s before, %s now; %d requests lost", ring, now, lost)
	}
	s.say("the link is back; still ring %s, no request lost", ring)
	return nil
}

// linked waits until a node has all links to all nodes, or the second one to none.
func (s *story) linked(ctx context.Context, n *lab.Node, all bool) error {
	down, what := len(s.lab.Members())-1, "the link to be given up"
	if all {
		down, what = 0, "all links to be up"
	}
	return s.wait(ctx, 30*time.Second, what, func() bool {
		res, _ := n.Exec(ctx, "corosync-cfgtool", "-s") // its status tells of links that are down
		return strings.Contains(res.Stdout, "LINK ID 1") && strings.Count(res.Stdout, "disconnected") == down
	})
}

// cutNode cuts the active node off and measures how the others take over.
func (s *story) cutNode(ctx context.Context) error {
	s.chapter("The active node loses the network")
	victim := s.lab.Node(s.place(ctx, s.lab.Node("n1"), "server"))
	if victim == nil {
		return errors.New("the web server runs nowhere")
	}
	var others []*lab.Node
	for _, n := range s.lab.Members() {
		if n.Name() != victim.Name() {
			others = append(others, n)
		}
	}
	calmSince := time.Now()
	if err := s.wait(ctx, 20*time.Second, "a calm moment", func() bool { return s.isCalm(calmSince) }); err != nil {
		return err
	}
	logEnd := logSize(others[0])
	cut := time.Now()
	if err := s.lab.Cut(victim.Name(), lab.Any); err != nil {
		return err
	}
	s.at(cut, "%s is cut off: no packet in or out; it still runs the web server", victim.Name())
	detected, err := s.detect(ctx, others, logEnd, victim)
	if err != nil {
		return err
	}
	off, err := s.fenced(ctx, victim, cut)
	if err != nil {
		return err
	}
	var first request
	err = s.wait(ctx, 30*time.Second, "an answer from another node", func() bool {
		var ok bool
		first, ok = s.client.answered(cut, func(node string) bool { return node != victim.Name() })
		return ok
	})
	if err != nil {
		return err
	}
	if err := s.startedAfterOff(cut, off.Time); err != nil {
		return err
	}
	s.at(first.end, "the client has an answer from %s", first.node)
	if err := s.settled(ctx, others[0]); err != nil {
		return err
	}
	s.fig.detect, s.fig.fence, s.fig.start = detected.Sub(cut), off.Time.Sub(detected), first.end.Sub(off.Time)
	s.fig.outage, s.fig.lost = outage(s.client.since(cut.Add(-calm)))
	s.say("%d requests lost, %.2f s without an answer; now %s", s.fig.lost, s.fig.outage.Seconds(), s.places(ctx, others[0]))
	return nil
}

// isCalm says that calm has passed since t and every request since was answered.
func (s *story) isCalm(t time.Time) bool {
	rs := s.client.since(t)
	_, lost := outage(rs)
	return time.Since(t) > calm && len(rs) > int(calm/askEvery)/2 && lost == 0
}

// logSize is the present length of a node's corosync log.
func logSize(n *lab.Node) int64 {
	st, err := os.Stat(n.Path("/var/log/corosync/corosync.log"))
	if err != nil {
		return 0
	}
	return st.Size()
}

// detect waits for the others' new membership without the victim: first the log
// line, whose time counts, then the tools' word for it, and for quorum.
func (s *story) detect(ctx context.Context, others []*lab.Node, logEnd int64, victim *lab.Node) (time.Time, error) {
	var at time.Time
	want := fmt.Sprintf("Members left: %d", victim.ID())
	err := s.wait(ctx, 30*time.Second, "the others to form a ring without it", func() bool {
		b, err := os.ReadFile(others[0].Path("/var/log/corosync/corosync.log"))
		at = time.Now()
		return err == nil && int64(len(b)) > logEnd && strings.Contains(string(b[logEnd:]), want)
	})
	if err != nil {
		return at, err
	}
	if err := s.lab.WaitRing(ctx, others...); err != nil {
		return at, err
	}
	m := others[0].Membership(ctx)
	if !m.Quorate {
		return at, fmt.Errorf("the two others have no quorum: %+v", m)
	}
	s.at(at, "%s and %s have a ring without it (%s); votes %d, quorum %d: they keep quorum", others[0].Name(), others[1].Name(), m.Ring, m.Votes, m.Quorum)
	return at, nil
}

// fenced waits until the switch has seen the victim's power off.
func (s *story) fenced(ctx context.Context, victim *lab.Node, cut time.Time) (lab.PowerEvent, error) {
	var off lab.PowerEvent
	err := s.wait(ctx, 40*time.Second, victim.Name()+" to be fenced", func() bool {
		var ok bool
		off, ok = s.power.Off(victim.Name(), cut)
		return ok
	})
	if err != nil {
		return off, err
	}
	s.at(off.Time, "power switch: %s is off, asked by %s; all its processes have ended", victim.Name(), off.By)
	if n := len(victim.Ps()); n > 0 || victim.On() {
		return off, fmt.Errorf("%s was fenced, but %d of its processes live", victim.Name(), n)
	}
	return off, nil
}

// startedAfterOff checks the rule of rules in the agents' own ledger.
func (s *story) startedAfterOff(cut, off time.Time) error {
	entries, err := readLedger(filepath.Join(s.lab.Shared(), "ledger"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.action != "start" || e.at.Before(cut) {
			continue
		}
		s.at(e.at, "ledger: the group starts on %s, %.3f s after the power was seen off", e.node, e.at.Sub(off).Seconds())
		if e.at.Before(off) {
			return fmt.Errorf("the group started on %s at %s, before the power of the old node was seen off at %s",
				e.node, e.at.Format("15:04:05.000"), off.Format("15:04:05.000"))
		}
		return nil
	}
	return errors.New("the ledger has no start after the cut, yet the client gets answers")
}

// rejoin lets the fenced node return. Nothing may move.
func (s *story) rejoin(ctx context.Context) error {
	s.chapter("The node returns")
	var victim, other *lab.Node
	for _, n := range s.lab.Members() {
		if n.On() {
			other = n
		} else {
			victim = n
		}
	}
	if victim == nil {
		return errors.New("no node is off")
	}
	places := s.places(ctx, other)
	before, err := readLedger(filepath.Join(s.lab.Shared(), "ledger"))
	if err != nil {
		return err
	}
	on := time.Now()
	if err := errors.Join(s.lab.Heal(), victim.PowerOn(ctx), victim.Start(ctx, lab.PartAll)); err != nil {
		return err
	}
	s.say("the cable of %s is back, so is its power; corosync and pacemaker start", victim.Name())
	if err := s.lab.WaitRing(ctx, s.lab.Members()...); err != nil {
		return err
	}
	s.say("ring %s of all three", victim.Membership(ctx).Ring)
	err = s.wait(ctx, 40*time.Second, victim.Name()+" to be online in the cluster", func() bool {
		res, _ := other.Exec(ctx, "crm_mon", "-1", "--output-as=xml")
		tag := tagOf(res.Stdout, `<node name="`+victim.Name()+`"`)
		return strings.Contains(tag, `online="true"`) && strings.Contains(tag, `pending="false"`)
	})
	if err != nil {
		return err
	}
	s.fig.rejoin = time.Since(on)
	s.say("%s is online", victim.Name())
	if err := s.settled(ctx, other); err != nil {
		return err
	}
	settled := time.Now()
	if err := s.wait(ctx, 20*time.Second, "a calm moment", func() bool { return s.isCalm(settled) }); err != nil {
		return err
	}
	after, err := readLedger(filepath.Join(s.lab.Shared(), "ledger"))
	if err != nil {
		return err
	}
	_, lost := outage(s.client.since(on))
	if now := s.places(ctx, other); now != places || len(after) != len(before) || lost > 0 {
		return fmt.Errorf("the return of %s disturbed the cluster: before: %s; now: %s; ledger lines: %d and %d; requests lost: %d",
			victim.Name(), places, now, len(before), len(after), lost)
	}
	s.say("nothing moved, no request lost: %s", places)
	return nil
}

// tagOf returns the XML start tag that begins with prefix.
func tagOf(xml, prefix string) string {
	_, rest, ok := strings.Cut(xml, prefix)
	if !ok {
		return ""
	}
	tag, _, _ := strings.Cut(rest, ">")
	return tag
}

// account closes the books: the group was never active twice.
func (s *story) account(context.Context) error {
	s.fig.asked = len(s.client.since(time.Time{}))
	entries, err := readLedger(filepath.Join(s.lab.Shared(), "ledger"))
	if err != nil {
		return err
	}
	if err := errors.Join(judge(entries, s.power.Events()), s.watch.verdict()); err != nil {
		return err
	}
	s.say("ledger of the agents: %d lines, the group was never active twice; the address was never on two nodes (%d looks)", len(entries), s.watch.seen)
	return nil
}
