package crmd

import (
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/internal/alerts"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// options are the cluster options that the controller heeds
// (controld_control.c: controller_options).
type options struct {
	election        time.Duration // election-timeout
	recheck         time.Duration // cluster-recheck-interval
	load            float64       // load-threshold, as a fraction
	nodeLimit       int           // node-action-limit, 0 for twice the cores
	maxAttempts     string        // stonith-max-attempts
	panicWhenFenced bool          // fence-reaction
	shutdownLock    bool
	suicide         bool   // no-quorum-policy=suicide under sbd
	clusterName     string // as the CIB has it
	watchdog        string // stonith-watchdog-timeout
}

// Defaults of options that are times.
const (
	defaultDCDeadtime         = 20 * time.Second
	defaultElection           = 2 * time.Minute
	defaultIntegration        = 3 * time.Minute
	defaultFinalization       = 30 * time.Minute
	defaultShutdownEscalation = 20 * time.Minute
	defaultRecheck            = 15 * time.Minute
	defaultLoad               = 0.8
)

func defaultOptions() options {
	return options{election: defaultElection, recheck: defaultRecheck, load: defaultLoad, maxAttempts: "10"}
}

// readOptions asks for the options and alerts as the CIB has them now.
func (c *Controller) readOptions() {
	if !c.cib.connected() {
		return // cibConnected asks
	}
	c.cib.query("//crm_config | //alerts", cibXPath|cibScopeLocal, c.takeOptions)
}

// cibConnected: the connection to the CIB manager is there.
func (c *Controller) cibConnected() {
	c.readOptions()
	if c.cluster != nil {
		c.populateNodes(0, false, "do_ha_control")
	}
}

// cibBack: the connection to the CIB manager was lost and is there again. What
// changed meanwhile was not told: the DC looks for the results that it waits for,
// and has all nodes join again, in case that the CIB manager was alone and came
// back without status.
func (c *Controller) cibBack() {
	c.readOptions()
	if !c.leading {
		return
	}
	c.cib.setPrimary()
	c.cib.query("status", cibScopeLocal, func(r cibResult) {
		if r.ok() && r.output != nil && c.leading {
			c.te.missed(r.output)
		}
	})
	c.populateNodes(nodeAll, true, "cib_native_signon")
	c.input(fsa.Elect, fsa.CauseInternal, "cib_native_signon")
}

// takeOptions reads the options (config_query_callback).
func (c *Controller) takeOptions(r cibResult) {
	if !r.ok() || r.output == nil {
		c.log.err("Local CIB query resulted in an error: %s", r.rc)
		if r.rc == pcmk.RCSchemaValidation || r.rc == pcmk.RC(syscall.EACCES) {
			c.log.err("The cluster is mis-configured - shutting down and staying down")
			c.stayDown = true
		}
		c.fail(fsa.Error, "config_query_callback")
		return
	}
	isA := func(name string) func(*xmltree.Node) bool {
		return func(n *xmltree.Node) bool { return n.Kind == xmltree.Element && n.Name == name }
	}
	config := r.output.Find(isA("crm_config"))
	if config == nil {
		c.log.err("Local CIB query for crm_config section failed")
		c.fail(fsa.Error, "config_query_callback")
		return
	}
	all := map[string]string{}
	lookup := func(tag, id string) *xmltree.Node {
		return config.Find(func(n *xmltree.Node) bool { return n.Name == tag && n.ID() == id })
	}
	now := iso8601.Time{Unix: time.Now().Unix(), Offset: zoneOffset()}
	rules.Apply(rules.ParseSets(config, "cluster_property_set", propertySet, lookup), &rules.Env{Now: now}, all, false)
	c.applyOptions(all)
	c.alerts.set = alerts.Parse(r.output.Find(isA("alerts")), now)
	c.configured = true
}

// applyOptions takes the values; what is missing or invalid has its default.
func (c *Controller) applyOptions(all map[string]string) {
	span := func(name string, def time.Duration) time.Duration {
		v, ok := all[name]
		if !ok {
			return def
		}
		ms, ok := iso8601.IntervalMS(v)
		if !ok {
			c.log.err("Using default value for cluster option %s because '%s' is invalid", name, v)
			return def
		}
		return time.Duration(ms) * time.Millisecond
	}
	// Old names are still taken.
	for _, old := range [...][2]string{{"join-integration-timeout", "crmd-integration-timeout"},
		{"join-finalization-timeout", "crmd-finalization-timeout"}, {"transition-delay", "crmd-transition-delay"}} {
		if v, ok := all[old[1]]; ok && all[old[0]] == "" {
			all[old[0]] = v
		}
	}
	o := defaultOptions()
	c.timers.dc.period = span("dc-deadtime", defaultDCDeadtime)
	c.timers.shutdown.period = span("shutdown-escalation", defaultShutdownEscalation)
	c.timers.transition.period = span("transition-delay", 0)
	c.timers.integration.period = span("join-integration-timeout", defaultIntegration)
	c.timers.finalization.period = span("join-finalization-timeout", defaultFinalization)
	o.election = span("election-timeout", defaultElection)
	o.recheck = span("cluster-recheck-interval", defaultRecheck)
	o.load = percentage(all["load-threshold"], defaultLoad)
	if n, err := strconv.Atoi(all["node-action-limit"]); err == nil {
		o.nodeLimit = n
	}
	o.suicide = strings.EqualFold(all["no-quorum-policy"], "suicide") && watchdogActive()
	o.panicWhenFenced = strings.EqualFold(all["fence-reaction"], "panic")
	if v := all["stonith-max-attempts"]; v != "" {
		o.maxAttempts = v
	}
	o.shutdownLock = pcmk.IsTrue(all["shutdown-lock"])
	o.clusterName = all["cluster-name"]
	o.watchdog = all["stonith-watchdog-timeout"]
	if c.voting != nil && o.election != c.opt.election {
		c.voting.SetTimeout(time.Now(), o.election)
		c.afterElection()
	}
	c.opt = o
	c.throttle.configure()
	c.te.optionsChanged()
}

// percentage reads a number with a percent sign as a fraction.
func percentage(s string, def float64) float64 {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if s == "" || err != nil || v < 0 || v > 100 {
		return def
	}
	return v / 100
}

// cibNotify takes a notification of the CIB manager.
func (c *Controller) cibNotify(n *xmltree.Node) {
	switch n.Attr("subt") {
	case "cib_diff_notify":
		rc, err := strconv.Atoi(n.Attr("cib_rc"))
		if err != nil || rc < 0 {
			return
		}
		if alerts.ConfigChanged(n, true) {
			c.readOptions()
		}
		if c.leading {
			c.te.cibChanged(n)
		}
	case "cib_refresh_notify":
		c.cibReplaced(n)
	}
}

// Sections of the CIB in a notification of replacement (cib/internal.h: enum
// cib_change_section_info).
const (
	changedNodes  = 0x1
	changedStatus = 0x4
)

// cibReplaced: the whole CIB was replaced. The DC then has all nodes join again
// to have their histories (do_cib_replaced).
func (c *Controller) cibReplaced(n *xmltree.Node) {
	if !c.leading || c.state() == fsa.FinalizeJoin && c.askedCIB {
		return
	}
	what := int64(changedNodes | changedStatus)
	if v, err := strconv.ParseInt(n.Attr("cib_change_section"), 10, 64); err == nil && v >= 0 {
		what = v
	}
	if what&(changedNodes|changedStatus) == 0 {
		return
	}
	c.populateNodes(nodeAll, true, "do_cib_replaced")
	c.input(fsa.Elect, fsa.CauseInternal, "do_cib_replaced")
}

func zoneOffset() int {
	_, off := time.Now().Zone()
	return off
}
