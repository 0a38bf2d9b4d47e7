package crmresource

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/lrmd/agent"
	"github.com/pacesync/pacesync/lrmd/agent/service"
	"github.com/pacesync/pacesync/lrmd/wire"
	"github.com/pacesync/pacesync/pengine/model"
)

// defaultTimeout is that of an operation without one (CRM_DEFAULT_OP_TIMEOUT_S).
const defaultTimeout = 20000

// checkConfigured checks a configuration that is given on the command line.
func (p *program) checkConfigured() error {
	o := p.o
	class, prov, typ := text(o.class), text(o.provider), text(o.agent)
	switch {
	case o.id != nil:
		return usage("--resource cannot be used with --class, --agent, and --provider")
	case o.command != execute:
		return usage("--class, --agent, and --provider can only be used with --validate and --force-*")
	case class == "stonith":
		if o.provider != nil {
			return usage("stonith does not support providers")
		}
		if !slices.Contains(fenceAgents(), typ) {
			return usage("%s is not a known stonith agent", typ)
		}
	case class == "" || typ == "" || !slices.Contains(service.Default().Agents(class, prov), typ):
		return usage("%s:%s:%s is not a known resource", class, prov, typ)
	}
	return nil
}

// action is the agent's action behind --force-X and --validate.
func (o *options) action() string {
	switch o.act {
	case "validate":
		return "validate-all"
	case "force-check":
		return "monitor"
	}
	return strings.TrimPrefix(o.act, "force-")
}

// execute runs the agent past the cluster (cli_resource_execute).
func (p *program) execute() error {
	o := p.o
	a := agent.Action{Rsc: "test", Class: text(o.class), Provider: text(o.provider), Type: text(o.agent), Name: o.action(), Timeout: int(o.timeoutMS)}
	params, name := map[string]string{}, ""
	for _, kv := range o.params {
		k, v, _ := strings.Cut(kv, "=")
		params[k] = v
	}
	if !o.configured {
		r, err := p.executable()
		if err != nil {
			return err
		}
		a.Class, a.Provider, a.Type = r.Class, r.Prov, r.Type
		for k, v := range r.Params(nil) {
			params[k] = v
		}
		for k, v := range r.Meta {
			params["CRM_meta_"+strings.ReplaceAll(k, "-", "_")] = v
		}
		if a.Timeout == 0 {
			a.Timeout = configuredTimeout(r, a.Name)
		}
		name = r.ID
		if r.Parent.IsAnonClone() {
			name = *o.id
		}
		a.Rsc = name
	}
	if a.Timeout == 0 {
		a.Timeout = defaultTimeout
	}
	params["CRM_meta_timeout"], params["crm_feature_set"] = strconv.Itoa(a.Timeout), pcmk.FeatureSet
	for _, kv := range o.rest {
		k, v := override(kv)
		params[k] = v
	}
	for k, v := range params {
		a.Params = append(a.Params, wire.Param{Name: k, Value: v})
	}
	p.environment()
	return p.ran(a, name, p.runAgent(a))
}

// executable is the primitive to run; the first of a clone.
func (p *program) executable() (*model.Resource, error) {
	r, o := p.rsc, p.o
	switch o.act {
	case "force-start", "force-demote", "force-promote":
		if r.IsClone() && len(p.spots()) > 0 && !o.force {
			p.out.Errf("It is not safe to %s %s here: the cluster claims it is already active", o.act, r.ID)
			p.out.Err("Try setting target-role=Stopped first or specifying the force option")
			return nil, &failure{status: pcmk.ExitUnsafe}
		}
	}
	if r.IsClone() && len(r.Children) > 0 {
		r = r.Children[0]
	}
	what := ""
	switch {
	case r.Variant == model.Group:
		what = "group"
	case r.Variant == model.Bundle || r.Bundled():
		what = "bundled"
	default:
		return r, nil
	}
	p.out.Errf("Sorry, the %s option doesn't support %s resources", o.act, what)
	return nil, &failure{status: pcmk.ExitUnimplemented}
}

// configuredTimeout is the timeout of an operation as configured, 0 for none.
func configuredTimeout(r *model.Resource, task string) int {
	for _, op := range r.Ops {
		if op.Name == task && op.Timeout != "" {
			ms, _ := iso8601.MSec(op.Timeout)
			return int(ms)
		}
	}
	return 0
}

// environment is what agents find besides their parameters (set_agent_environment).
func (p *program) environment() {
	if p.o.level >= 0 {
		os.Setenv("OCF_CHECK_LEVEL", strconv.Itoa(p.o.level))
	}
	debug := "0"
	if p.o.Verbosity > 0 {
		debug = "1"
	}
	os.Setenv("HA_debug", debug)
	if p.o.Verbosity > 1 {
		os.Setenv("OCF_TRACE_RA", "1")
	}
	if _, ok := os.LookupEnv("OCF_TRACE_FILE"); !ok {
		os.Setenv("OCF_TRACE_FILE", "/dev/stderr")
	}
}

func (p *program) runAgent(a agent.Action) agent.Result {
	runner := service.Default()
	class := runner.Class(a.Class, a.Type)
	if !strings.EqualFold(class, "ocf") && !strings.EqualFold(class, "lsb") {
		return agent.Result{RC: pcmk.OCFUnimplemented, Status: pcmk.ExecError, Reason: "Manual execution of the " + class + " standard is unsupported"}
	}
	return runner.Start(a).Do()
}

// ran shows how the agent ended (message "resource-agent-action").
func (p *program) ran(a agent.Action, name string, res agent.Result) error {
	xml := p.out.Format == pcmkout.XML
	if xml {
		x := p.out.Parent("resource-agent-action", "action", p.o.act, "class", a.Class, "type", a.Type)
		setIf(x, "rsc", name)
		setIf(x, "provider", a.Provider)
	}
	p.overrides(name)
	p.agentStatus(a, name, res)
	if xml || p.o.Verbosity > 0 || !strings.EqualFold(p.o.act, "validate-all") {
		p.agentOutput(res)
	}
	if xml {
		p.out.Pop()
	}
	if res.RC == 0 {
		return nil
	}
	return &failure{status: pcmk.Exit(res.RC)}
}

func (p *program) overrides(name string) {
	if p.o.configured && len(p.o.rest) == 0 && p.o.command != execute {
		return
	}
	p.out.Begin("overrides")
	var keys []string
	values := map[string]string{}
	for _, kv := range p.o.rest {
		k, v := override(kv)
		if _, have := values[k]; !have {
			keys = append(keys, k)
		}
		values[k] = v
	}
	for _, i := range model.HashOrder(keys) {
		k := keys[i]
		switch {
		case p.out.Format == pcmkout.XML:
			setIf(p.out.Node("override", "name", k, "value", values[k]), "rsc", name)
		case name == "":
			p.out.Item("", "Overriding the cluster configuration with '"+k+"' = '"+values[k]+"'")
		default:
			p.out.Item("", "Overriding the cluster configuration for '"+name+"' with '"+k+"' = '"+values[k]+"'")
		}
	}
	p.out.End()
}

func (p *program) agentStatus(a agent.Action, name string, res agent.Result) {
	if p.out.Format == pcmkout.XML {
		x := p.out.Node("agent-status", "code", strconv.Itoa(int(res.RC)), "message", res.RC.String(),
			"execution_code", strconv.Itoa(int(res.Status)), "execution_message", res.Status.String())
		setIf(x, "reason", res.Reason)
		return
	}
	what := p.o.act
	if name != "" {
		what += " for " + name
	}
	what += " (" + a.Class
	if a.Provider != "" {
		what += ":" + a.Provider
	}
	what += ":" + a.Type + ")"
	reason := ""
	if res.Reason != "" {
		reason = ": " + res.Reason
	}
	if res.Status == pcmk.ExecDone {
		p.out.Infof("Operation %s returned %d (%s%s)", what, int(res.RC), res.RC.String(), reason)
	} else {
		p.out.Errf("Operation %s could not be executed (%s%s)", what, res.Status.String(), reason)
	}
}

func (p *program) agentOutput(res agent.Result) {
	if res.Stdout == "" && res.Stderr == "" {
		return
	}
	if res.Stdout != "" {
		if _, err := xmltree.ParseString(res.Stdout, xmltree.Limits{}); err == nil {
			p.out.Document("command", res.Stdout)
			return
		}
	}
	some := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	p.out.Subprocess(int(res.RC), some(res.Stdout), some(res.Stderr))
}
