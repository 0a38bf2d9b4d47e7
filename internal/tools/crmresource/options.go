package crmresource

import (
	"fmt"
	"strings"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
)

// command is what crm_resource is asked to do.
type command uint8

const (
	noCommand command = iota
	list
	listRaw
	listCTS
	activeOps
	allOps
	standards
	providers
	agents
	alternatives
	metadata
	queryXML
	queryRaw
	getParam
	getProperty
	locate
	constraints
	stack
	why
	execute
	cleanup
	refresh
	setParam
	deleteParam
	setProperty
	move
	ban
	clearAll
	remove
	fail
	restart
	wait
	digests
)

// finding says which resources a name stands for.
type finding uint8

const (
	noResource finding = iota // the name is not looked up
	anonymous                 // names without number stand for anonymous instances
	anyName                   // names without number stand for any instance
)

// needs are what a command cannot do without.
type needs struct {
	cib, cluster, resource, node, controller bool
	find                                     finding
}

func (c command) needs() needs {
	n := needs{cib: true, cluster: true, resource: true}
	switch c {
	case noCommand, list, listRaw, listCTS, activeOps, allOps:
		n.resource = false
	case standards, providers, agents, alternatives, metadata:
		return needs{}
	case queryXML, queryRaw, getParam, getProperty, setParam, deleteParam:
		n.find = anyName
	case setProperty, remove:
		n.cluster, n.find = false, anyName
	case why:
		n.resource, n.find = false, anonymous
	case cleanup, refresh:
		n.resource, n.controller, n.find = false, true, anonymous
	case fail:
		n.controller, n.node = true, true
	case wait:
		n.resource, n.cluster = false, false
	case digests:
		n.node, n.find = true, anonymous
	default:
		n.find = anonymous
	}
	return n
}

// options are what the command line says.
type options struct {
	goption.Common
	fancy, simple, substitute, legacy bool
	command                           command
	id                                *string
	rest                              []string
	node, lifetime, element, value    *string
	operation, interval, set, pair    *string
	xmlFile, spec                     *string
	name                              string // of the parameter or property
	kind                              string // of the set of parameters
	promoted, recursive, force        bool
	expired, configured               bool
	class, agent, provider            *string
	params                            []string // NAME=VALUE
	timeoutMS                         int64
	level                             int
	act                               string // what execute does: validate, force-start, …
}

func (o *options) context(e *applet.Env) *goption.Context {
	c := goption.Pacemaker(e.Name, "crm_resource - perform tasks related to Pacemaker cluster resources", "text (default), xml", "", &o.Common)
	c.Description = description
	c.AddMain(goption.Entry{Long: "quiet", Short: 'Q', Dest: &o.Quiet, Help: "Be less descriptive in output."},
		goption.Entry{Long: "resource", Short: 'r', Dest: &o.id, Help: "Resource ID", Arg: "ID"},
		goption.Entry{Dest: &o.rest})
	c.AddOutput(goption.Entry{Long: "text-fancy", Dest: &o.fancy, Help: "Use more highly formatted output (requires --output-as=text)"},
		goption.Entry{Long: "xml-legacy", Flags: goption.Hidden, Dest: &o.legacy},
		goption.Entry{Long: "xml-simple-list", Flags: goption.Hidden, Dest: &o.simple},
		goption.Entry{Long: "xml-substitute", Flags: goption.Hidden, Dest: &o.substitute})
	c.AddGroup("queries", "Queries:", "Show query help", o.queries()...)
	c.AddGroup("commands", "Commands:", "Show command help", o.commands()...)
	c.AddGroup("locations", "Locations:", "Show location help", o.locations()...)
	c.AddGroup("advanced", "Advanced:", "Show advanced option help", o.advanced()...)
	c.AddGroup("additional", "Additional Options:", "Show additional options", o.additional()...)
	return c
}

// choose makes an option select a command.
func (o *options) choose(c command) goption.Callback {
	return func(v goption.Value) error {
		o.command = c
		switch c {
		case stack:
			o.command, o.recursive = constraints, true
		case getParam, getProperty, setParam, deleteParam, setProperty:
			o.name = v.Arg
		case agents, alternatives, metadata:
			o.spec = &v.Arg
		case execute:
			o.act = strings.TrimPrefix(v.Option, "--")
			if v.Given {
				n, ok := score.LeadingInt(v.Arg)
				if !ok || n < 0 {
					return fmt.Errorf("Invalid check level setting: %s", v.Arg)
				}
				o.level = int(n)
			}
		}
		return nil
	}
}

// kindOf makes an option choose the kind of parameters.
func (o *options) kindOf(kind string) goption.Callback {
	return func(goption.Value) error { o.kind = kind; return nil }
}

// config makes an option part of a configuration on the command line.
func (o *options) config(dest **string) goption.Callback {
	return func(v goption.Value) error { *dest, o.configured = &v.Arg, true; return nil }
}

func (o *options) option(v goption.Value) error {
	if name, _, ok := strings.Cut(v.Arg, "="); !ok || name == "" {
		return fmt.Errorf("Error parsing option %s", v.Option)
	}
	o.params = append(o.params, v.Arg)
	return nil
}

func (o *options) setTimeout(v goption.Value) error {
	o.timeoutMS, _ = iso8601.MSec(v.Arg)
	return nil
}

func (o *options) setExpired(goption.Value) error { o.expired = true; return nil }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
