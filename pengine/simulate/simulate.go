package simulate

import (
	"fmt"
	"strconv"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/graph"
	"github.com/pacesync/pacesync/pengine/model"
)

// Options say what to simulate and what to show.
type Options struct {
	CIB         *xmltree.Node // is changed when actions are executed or events injected
	Clock       iso8601.Time  // the time now
	Date        string        // pretended time, empty for none
	Quiet       bool
	Process     bool // decide what to do
	Execute     bool // and do it
	Scores      bool
	Utilization bool
	Pending     bool
	Sanitized   bool // the CIB is a file, its private values may be missing
	Dot         graph.DotOptions
	WantGraph   bool
	WantDot     bool
	WantInput   bool
	Inject      Injections
	Fail        []string // operations that fail when executed
}

// Outcome is what a simulation produced.
type Outcome struct {
	Text       []byte
	Graph, Dot []byte // when wanted
	Input      []byte // the CIB as the decision saw it, when wanted
	Complete   bool   // the transition came to its end, or was not executed
}

// Run simulates (pcmk__simulate).
func Run(o Options) (*Outcome, error) {
	t := &Text{Fancy: !o.Scores && !o.Utilization, Quiet: o.Quiet}
	out := &Outcome{Complete: true}
	r, shown, err := o.read(t)
	if err != nil {
		return nil, err
	}
	printed := false
	if !o.Quiet {
		printed = o.before(t, r.Cluster)
	}
	if o.Inject.any() {
		t.Spacer(printed)
		o.Inject.apply(t, o.CIB, r.Cluster, o.Clock.Unix)
		if r, shown, err = o.read(t); err != nil {
			return nil, err
		}
	}
	if o.WantInput {
		out.Input = o.CIB.AppendPacemaker(nil, xmltree.TextOptions{Format: true})
	}
	if o.Process || o.Execute {
		printed = o.decide(t, r, shown, out, printed)
	}
	if o.Execute {
		t.Spacer(printed)
		err = o.execute(t, r, out)
	}
	out.Text = t.Take()
	return out, err
}

// read reads the CIB as it is now.
func (o *Options) read(t *Text) (*pengine.Result, *model.Shown, error) {
	now, err := o.now(t)
	if err != nil {
		return nil, nil, err
	}
	shown := &model.Shown{Scores: o.Scores, Utilization: o.Utilization}
	r, err := pengine.Status(pengine.Input{CIB: o.CIB, Now: now, Sanitized: o.Sanitized, Shown: shown})
	showLines(t, shown)
	return r, shown, err
}

// now is the time that counts: the pretended one, else that of the CIB, else the clock.
func (o *Options) now(t *Text) (iso8601.Time, error) {
	if o.Date != "" {
		now, err := iso8601.Parse(o.Date, o.Clock)
		if err == nil {
			t.Info("Setting effective cluster time: " + o.Date)
		}
		return now, err
	}
	if v, ok := o.CIB.Get("execution-date"); ok {
		if at, ok := score.LeadingInt(v); ok && at != 0 {
			now := iso8601.Time{Unix: at}
			t.Info("Using the original execution date of: " + now.String())
			return now, nil
		}
	}
	return o.Clock, nil
}

// before shows the cluster as it is.
func (o *Options) before(t *Text, c *model.Cluster) bool {
	printed := false
	if c.Opt.MaintenanceMode {
		t.Info("")
		t.Info("              *** Resource management is DISABLED ***")
		t.Info("  The cluster will not attempt to start, stop or recover services")
		printed = true
	}
	if c.Disabled > 0 || c.Blocked > 0 {
		t.Spacer(printed)
		t.Info(strconv.Itoa(c.Disabled) + " of " + strconv.Itoa(c.Instances) + " resource instances DISABLED and " +
			strconv.Itoa(c.Blocked) + " BLOCKED from further action due to failure")
		printed = true
	}
	t.Spacer(printed)
	Status(t, c, "Current cluster status", o.Pending)
	return true
}

func (o *Options) decide(t *Text, r *pengine.Result, shown *model.Shown, out *Outcome, printed bool) bool {
	if o.Scores || o.Utilization {
		t.Spacer(printed)
		printed = true
	}
	switch {
	case o.Scores && o.Utilization:
		t.Begin("Allocation Scores and Utilization Information")
	case o.Scores:
		t.Begin("Allocation Scores")
	case o.Utilization:
		t.Begin("Utilization Information")
	}
	shown.Lines = nil
	r.Schedule(0)
	if o.Scores || o.Utilization {
		showLines(t, shown)
		t.End()
	}
	if o.WantGraph {
		out.Graph = r.Graph.Append(nil)
	}
	if o.WantDot {
		out.Dot = graph.AppendDot(nil, r.Cluster, o.Dot)
	}
	if !o.Quiet {
		t.Spacer(printed)
		t.Begin("Transition Summary")
		for _, l := range r.Changes.Lines() {
			t.Item("%s", l)
		}
		t.End()
	}
	return printed
}

func (o *Options) execute(t *Text, r *pengine.Result, out *Outcome) error {
	if !o.Quiet {
		t.Begin("Executing Cluster Transition")
	}
	x := &Execution{Text: t, Cluster: r.Cluster, Graph: r.Graph, CIB: o.CIB, Now: o.Clock.Unix, Fail: o.Fail, Nodes: len(o.Inject.Up) > 0}
	out.Complete = x.Run()
	if o.Quiet {
		return nil
	}
	t.End()
	after, _, err := o.read(t)
	if err != nil {
		return fmt.Errorf("after the transition: %w", err)
	}
	t.Spacer(true)
	Status(t, after.Cluster, "Revised Cluster Status", false)
	return nil
}

func showLines(t *Text, s *model.Shown) {
	for _, l := range s.Lines {
		if text, ok := model.Notice(l); ok {
			t.Info(text)
		} else {
			t.Item("%s", l)
		}
	}
	s.Lines = nil
}
