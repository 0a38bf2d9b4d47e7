package schedulerd

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/model"
)

// computer runs the policy engine for one request after the other and keeps the
// inputs. It is owned by the worker goroutine.
type computer struct {
	dir        string
	now        func() time.Time
	schemas    *schema.Set
	log        *daemonkit.Logger
	digest     string // of the last input that could be used
	file       string // where that one is saved, empty for nowhere
	transition int    // number of the next graph
}

// outcome is what one input led to.
type outcome struct {
	graph   *xmltree.Node
	cluster *model.Cluster // nil when the configuration cannot be used
	number  int            // of the graph
	actions []string
	faults  faults
}

// faults counts what was wrong: in the configuration, and in the run (the
// original's four global flags).
type faults struct{ configError, configWarning, runError, runWarning bool }

// compute answers a pe_calc request (schedulerd_messages.c: handle_pecalc_request).
func (c *computer) compute(request *xmltree.Node) *xmltree.Node {
	cib := crmipc.Data(request)
	if cib == nil {
		c.log.Error("Ignoring pe_calc request without a CIB from " + request.Attr("crm_sys_from"))
		return nil
	}
	now := c.now()
	out, repeated := c.run(cib, now)
	kind := seriesInput
	switch {
	case out.faults.runError:
		kind = seriesError
	case out.faults.runWarning:
		kind = seriesWarn
	}
	s := allSeries()[kind]
	limit := s.limit
	if out.cluster != nil {
		limit = limitOption(out.cluster.Opt.All[s.option], limit)
	}
	seq, err := s.sequence(c.dir)
	if err != nil {
		c.log.Debug("Could not read series file: " + err.Error())
	}
	switch {
	case limit == 0:
		c.file = ""
	case !repeated:
		c.file = s.file(c.dir, seq)
	}
	reply := crmipc.NewReply(request, out.graph)
	if c.file != "" {
		reply.Set("crm-tgraph-in", c.file)
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"graph-errors", out.faults.runError}, {"graph-warnings", out.faults.runWarning},
		{"config-errors", out.faults.configError}, {"config-warnings", out.faults.configWarning}} {
		reply.Set(f.name, strconv.Itoa(btoi(f.set)))
	}
	c.tell(out)
	switch {
	case limit == 0:
		c.log.Debug("Not saving input to disk (disabled by configuration)")
	case repeated:
		c.log.Info("Input has not changed since last time, not saving to disk")
	default:
		c.keep(s, seq, limit, cib, now)
	}
	return reply
}

// run computes the graph. repeated: the input is that of the last time.
func (c *computer) run(cib *xmltree.Node, now time.Time) (out outcome, repeated bool) {
	sum := digest.Versioned(cib, pcmk.FeatureSet)
	usable, err := c.accept(cib, &out.faults)
	var result *pengine.Result
	if err == nil {
		_, offset := now.Zone()
		result, err = pengine.Run(pengine.Input{CIB: usable, Now: iso8601.Time{Unix: now.Unix(), Offset: offset}, Transition: c.transition})
	}
	if err != nil {
		c.log.Error(err.Error())
		out.faults.configError = true
		out.number = max(c.transition-1, 0)
		out.graph = xmltree.New("transition_graph", xmltree.Attr{Name: "transition_id", Value: "0"}, xmltree.Attr{Name: "cluster-delay", Value: "0"})
		return out, false
	}
	repeated = digest.Same(sum, c.digest)
	c.digest = sum
	out.number = c.transition
	c.transition++
	out.cluster, out.graph, out.actions = result.Cluster, result.Graph.XML(), result.Changes.Lines()
	for _, p := range result.Cluster.Problems {
		out.faults.configError = out.faults.configError || p.ConfigError()
		out.faults.configWarning = out.faults.configWarning || p.ConfigWarning()
		out.faults.runError = out.faults.runError || p.RunError()
		out.faults.runWarning = out.faults.runWarning || p.RunWarning()
		if p.Error() {
			c.log.Error(p.Text)
		} else {
			c.log.Warn(p.Text)
		}
	}
	return out, repeated
}

// accept brings the configuration to a schema that the engine works with.
func (c *computer) accept(cib *xmltree.Node, f *faults) (*xmltree.Node, error) {
	usable, n := c.schemas.Accept(cib, schema.Step)
	for _, r := range n.Remarks {
		switch text := "CIB upgrade: " + r.Text; r.Severity {
		case schema.Warning:
			c.log.Warn(text)
		case schema.Info:
			c.log.Info(text)
		case schema.Debug:
			c.log.Debug(text)
		}
	}
	switch {
	case n.Error:
		return nil, errors.New(n.Text)
	case n.Warning:
		f.configWarning = true
		c.log.Warn(n.Text)
	case n.Text != "":
		c.log.Info(n.Text)
	}
	return usable, nil
}

func limitOption(value string, byDefault int) int {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return byDefault
	}
	return max(int(n), -1)
}

// tell writes what was decided (pcmk_graph_producer.c: pcmk__log_transition_summary).
func (c *computer) tell(out outcome) {
	for _, line := range out.actions {
		c.log.Notice("Actions: " + line)
	}
	where := ""
	if c.file != "" {
		where = ", saving inputs in " + c.file
	}
	switch text := "Calculated transition " + strconv.Itoa(out.number); {
	case out.faults.runError:
		c.log.Error(text + " (with errors)" + where)
	case out.faults.runWarning:
		c.log.Warn(text + " (with warnings)" + where)
	default:
		c.log.Notice(text + where)
	}
	if out.faults.configError {
		c.log.Notice(`Configuration errors found during scheduler processing,  please run "crm_verify -L" to identify issues`)
	}
}

// keep saves the input with the time of the run, and counts it. An input that
// cannot be saved does not hold the cluster up.
func (c *computer) keep(s series, seq uint32, limit int, cib *xmltree.Node, now time.Time) {
	saved := cib.Copy()
	saved.Set("execution-date", strconv.FormatInt(now.Unix(), 10))
	if err := save(c.file, saved); err != nil {
		c.log.Error(fmt.Sprintf("Could not save scheduler input %s: %v", c.file, err))
	}
	if err := s.advance(c.dir, seq, limit); err != nil {
		c.log.Error(fmt.Sprintf("Cannot open series file %s for writing: %v", s.sequenceFile(c.dir), err))
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
