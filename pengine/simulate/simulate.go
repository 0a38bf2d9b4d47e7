// Package simulate shows what the policy engine sees and decides, and carries a
// transition out on a CIB instead of a cluster.
//
// crm_simulate is made of it. It replaces lib/pacemaker/pcmk_simulate.c,
// pcmk_injections.c and the messages of pcmk_output.c that crm_simulate alone
// shows; the state of the cluster is shown by pengine/show. Pure: it writes to the
// output that it is given and changes the tree that it is given.
package simulate

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/graph"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/show"
)

// Options say what to simulate and what to show.
type Options struct {
	Out         *pcmkout.Out   // what is shown goes there; nil for nowhere
	CIB         *xmltree.Node  // is changed when actions are executed or events injected
	Clock       iso8601.Time   // the time now
	Zone        *time.Location // of times that are shown; nil for UTC
	Date        *string        // pretended time, nil for none
	Process     bool           // decide what to do
	Execute     bool           // and do it
	Scores      bool
	Utilization bool
	Pending     bool          // show operations that are under way
	Sections    show.Sections // of the state, besides nodes and resources
	Sanitized   bool          // the CIB is a file, its private values may be missing
	Dot         graph.DotOptions
	Inject      Injections
	Fail        []string // operations that fail when executed

	// Where the CIB as the decision saw it, the graph and its drawing are kept; nil
	// for nowhere. An error ends the simulation.
	SaveInput, SaveGraph, SaveDot func([]byte) error
	// Problem hears what is wrong with the configuration or the state; may be nil.
	Problem func(model.Problem)
}

// Outcome is what became of a simulation.
type Outcome struct {
	Complete bool // the transition came to its end, or was not executed
	Changed  bool // the CIB is not what it was
}

// run is one simulation.
type run struct {
	Options
	t       teller
	mute    bool // do not tell of the date in the CIB
	shown   *model.Shown
	changed bool
}

// Run simulates (pcmk__simulate). The error is that of a Save function, or says
// that the CIB is none.
func Run(o Options) (Outcome, error) {
	s := start(o)
	complete, err := s.all()
	return Outcome{Complete: complete, Changed: s.changed}, err
}

// Transition lets the engine decide and carries that out, and shows nothing but
// what it executes (pcmk__simulate_transition).
func Transition(o Options) (Outcome, error) {
	s := start(o)
	r, err := s.read()
	if err != nil {
		return Outcome{}, err
	}
	r.Decide()
	r.Draw(0)
	complete := s.carryOut(r)
	return Outcome{Complete: complete, Changed: s.changed}, nil
}

func start(o Options) *run {
	if o.Out == nil {
		o.Out = pcmkout.New(pcmkout.None, pcmkout.Options{Quiet: true}, nil, nil)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &run{Options: o, t: teller{o.Out}}
}

func (s *run) all() (complete bool, err error) {
	r, err := s.read()
	if err != nil {
		return true, err
	}
	printed := false
	if !s.t.quiet() {
		s.before(r.Cluster)
		printed = true
	}
	if s.Inject.any() {
		s.t.spacer(printed)
		s.changed = s.Inject.apply(s.t, s.CIB, r.Cluster, s.Clock.Unix) || s.changed
		printed = true
		if r, err = s.read(); err != nil {
			return true, err
		}
	}
	if s.SaveInput != nil {
		if err := s.SaveInput(s.CIB.AppendPacemaker(nil, xmltree.TextOptions{Format: true})); err != nil {
			return true, err
		}
	}
	if s.Process || s.Execute {
		if printed, err = s.decide(r, printed); err != nil {
			return true, err
		}
	}
	if !s.Execute {
		return true, nil
	}
	s.t.spacer(printed)
	return s.execute(r)
}

// Profile lets the engine decide on a CIB, so many times, and shows only what it
// tells while it does (profile_file).
func Profile(o Options, times int) error {
	s := &run{Options: o, t: teller{o.Out}, mute: true}
	for range times {
		r, err := s.read()
		if err != nil {
			return err
		}
		r.Schedule(0)
		s.t.shown(s.shown)
	}
	return nil
}

// read reads the CIB as it is now.
func (s *run) read() (*pengine.Result, error) {
	s.shown = &model.Shown{Scores: s.Scores, Utilization: s.Utilization}
	r, err := pengine.Status(pengine.Input{CIB: s.CIB, Now: s.now(), Sanitized: s.Sanitized, Shown: s.shown})
	s.t.shown(s.shown)
	if err == nil {
		s.problems(r.Cluster, 0)
	}
	return r, err
}

// problems tells what is wrong, after the first so many.
func (s *run) problems(c *model.Cluster, after int) {
	if s.Problem == nil {
		return
	}
	for _, p := range c.Problems[after:] {
		s.Problem(p)
	}
}

// now is the time that counts: the pretended one, else that of the CIB, else the
// clock. A pretended time that is none is told and does not count.
func (s *run) now() iso8601.Time {
	if s.Date != nil {
		s.t.Info("Setting effective cluster time: " + *s.Date)
		if now, err := iso8601.Parse(*s.Date, s.Clock); err == nil {
			return now
		}
		return s.Clock
	}
	if v, ok := s.CIB.Get("execution-date"); ok {
		if at, ok := score.LeadingInt(v); ok && at != 0 {
			now := iso8601.Time{Unix: at}
			if s.mute {
				return now
			}
			s.t.Info("Using the original execution date of: " + now.String())
			return now
		}
	}
	return s.Clock
}

func (s *run) view(c *model.Cluster, opts show.Opts) *show.View {
	v := &show.View{Out: s.Out, Cluster: c, Now: time.Unix(s.Clock.Unix, 0).In(s.Zone), Nodes: show.Everything, Rscs: show.Everything,
		Sections: s.Sections | show.Nodes | show.Resources, Opts: opts | show.InactiveRscs | show.FailedDetail}
	if s.Sections&(show.Failcounts|show.Operations) != 0 {
		v.Facts = show.ReadFacts(s.CIB)
	}
	return v
}

// before shows the cluster as it is.
func (s *run) before(c *model.Cluster) {
	opts := show.Opts(0)
	if s.Pending {
		opts = show.Pending
	}
	v, printed := s.view(c, opts), false
	if c.Opt.MaintenanceMode {
		printed = v.Maintenance()
	}
	if c.Disabled > 0 || c.Blocked > 0 {
		s.t.spacer(printed)
		printed = s.t.Info(strconv.Itoa(c.Disabled) + " of " + strconv.Itoa(c.Instances) + " resource instances DISABLED and " +
			strconv.Itoa(c.Blocked) + " BLOCKED from further action due to failure")
	}
	s.t.spacer(printed)
	s.t.state(v, "Current cluster status")
}

// state shows a cluster under a title (print_cluster_status).
func (t teller) state(v *show.View, title string) {
	t.Begin(title)
	v.Status()
	t.End()
}

// Status shows the nodes and resources of a cluster under a title.
func Status(out *pcmkout.Out, c *model.Cluster, title string) {
	s := run{Options: Options{Out: out, Zone: time.UTC}, t: teller{out}}
	s.t.state(s.view(c, 0), title)
}

// decide lets the engine decide and shows what it told and will do.
func (s *run) decide(r *pengine.Result, printed bool) (bool, error) {
	title := ""
	switch {
	case s.Scores && s.Utilization:
		title = "Allocation Scores and Utilization Information"
	case s.Scores:
		title = "Allocation Scores"
	case s.Utilization:
		title = "Utilization Information"
	}
	if title != "" {
		s.t.spacer(printed)
		printed = true
		s.t.Begin(title)
	}
	s.shown.Lines = nil
	known := len(r.Cluster.Problems)
	r.Decide()
	if s.Execute || s.SaveGraph != nil || s.SaveDot != nil || s.Problem != nil {
		r.Draw(0)
	}
	s.problems(r.Cluster, known)
	if title != "" {
		s.t.shown(s.shown)
		s.t.End()
	}
	if s.SaveGraph != nil {
		if err := s.SaveGraph(r.Graph.Append(nil)); err != nil {
			return printed, err
		}
	}
	if s.SaveDot != nil {
		if err := s.SaveDot(graph.AppendDot(nil, r.Cluster, s.Dot)); err != nil {
			return printed, err
		}
	}
	if !s.t.quiet() {
		s.t.spacer(printed)
		s.t.Begin("Transition Summary")
		s.t.changes(r.Changes)
		s.t.End()
	}
	return printed, nil
}

// carryOut pretends to execute what the engine decided.
func (s *run) carryOut(r *pengine.Result) (complete bool) {
	if !s.t.quiet() {
		s.t.Begin("Executing Cluster Transition")
		defer s.t.End()
	}
	x := &Execution{tell: s.t, Cluster: r.Cluster, Graph: r.Graph, CIB: s.CIB, Now: s.Clock.Unix, Fail: s.Fail, Nodes: len(s.Inject.Up) > 0}
	complete = x.Run()
	s.changed = s.changed || x.changed
	if !complete {
		s.t.Err("Transition failed: terminated")
		s.t.Err("An invalid transition was produced")
	}
	return complete
}

func (s *run) execute(r *pengine.Result) (complete bool, err error) {
	complete = s.carryOut(r)
	if s.t.quiet() {
		return complete, nil
	}
	after, err := s.read()
	if err != nil {
		return complete, fmt.Errorf("after the transition: %w", err)
	}
	s.t.spacer(true)
	s.t.state(s.view(after.Cluster, 0), "Revised Cluster Status")
	return complete, nil
}
