// Package crmrule is the program crm_rule: it says whether rules of the
// configuration are in effect at a time. pcs calls it to find expired constraints.
//
// Upstream: tools/crm_rule.c, lib/pacemaker/pcmk_rule.c, crm_rule(8).
package crmrule

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// maxInput bounds what is read from standard input.
const maxInput = 256 << 20

// tool is one run.
type tool struct {
	goption.Common
	fancy bool
	check bool
	text  *string
	date  *string
	rules []string

	env *applet.Env
	s   *session.Session
	now iso8601.Time
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	t := &tool{env: e}
	if _, status, ok := t.context().Run(e.Args, "drX", e.Stdout, e.Stderr); !ok {
		return status
	}
	s, status, ok := session.Begin(e, &t.Common, t.fancy, pcmkout.Text, pcmkout.XML, pcmkout.None)
	if !ok {
		return int(status)
	}
	t.s = s
	if t.Version {
		s.Out.ShowVersion(false)
		return s.End(pcmk.ExitOK, "")
	}
	switch {
	case !t.check:
		return s.End(pcmk.ExitUsage, "No mode operation given")
	case len(t.rules) == 0:
		return s.End(pcmk.ExitUsage, "--check requires use of --rule=")
	}
	now := time.Now()
	_, offset := now.Zone()
	t.now = iso8601.Time{Unix: now.Unix(), Offset: offset}
	if t.date != nil {
		var err error
		if t.now, err = iso8601.Parse(*t.date, t.now); err != nil {
			return s.End(pcmk.ExitDataErr, fmt.Sprintf("Invalid date specified: '%s'", *t.date))
		}
	}
	cib, status, text := t.input()
	if cib == nil {
		return s.End(status, text)
	}
	return s.End(t.checkAll(cib), "")
}

func (t *tool) context() *goption.Context {
	c := goption.Pacemaker("crm_rule", "evaluate rules from the Pacemaker configuration", "text (default), xml", "", &t.Common)
	c.AddOutput(goption.Entry{Long: "text-fancy", Dest: &t.fancy, Help: "Use more highly formatted output (requires --output-as=text)"})
	c.AddGroup("modes", "Modes (mutually exclusive):", "Show modes of operation",
		goption.Entry{Long: "check", Short: 'c', Flags: goption.NoArg, Dest: func(goption.Value) error { t.check = true; return nil },
			Help: "Check whether a rule is in effect"})
	c.AddGroup("data", "Data:", "Show data options",
		goption.Entry{Long: "xml-text", Short: 'X', Dest: &t.text, Help: "Use argument for XML (or stdin if '-')"})
	c.AddGroup("additional", "Additional Options:", "Show additional options",
		goption.Entry{Long: "date", Short: 'd', Dest: &t.date, Help: "Whether the rule is in effect on a given date"},
		goption.Entry{Long: "rule", Short: 'r', Dest: &t.rules, Help: "The ID of the rule to check (may be specified multiple times)"})
	return c
}

// input is the CIB to look at; nil with the status and text that end the program.
func (t *tool) input() (*xmltree.Node, pcmk.Exit, string) {
	switch {
	case t.text == nil:
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c, err := session.OpenCIB(ctx, t.env)
		if err == nil {
			defer c.Close()
			var cib *xmltree.Node
			if cib, err = c.Do(ctx, client.Call{Op: client.Query, Options: client.ScopeLocal}); err == nil {
				return cib, pcmk.ExitOK, ""
			}
		}
		t.s.Out.Err("CIB query failed: " + pcmk.RCNoInput.Error()) // whatever the reason, as the original
		return nil, pcmk.RCNoInput.Exit(), ""
	case *t.text == "-":
		data, err := io.ReadAll(io.LimitReader(t.env.Stdin, maxInput))
		if err == nil {
			var cib *xmltree.Node
			if cib, err = xmltree.Parse(data, xmltree.Limits{}); err == nil {
				return cib, pcmk.ExitOK, ""
			}
		}
		return nil, pcmk.ExitDataErr, "Couldn't parse input from STDIN\n"
	}
	cib, err := xmltree.ParseString(*t.text, xmltree.Limits{})
	if err != nil {
		return nil, pcmk.ExitDataErr, "Couldn't parse input string: " + *t.text + "\n"
	}
	return cib, pcmk.ExitOK, ""
}

// checkAll tells of each rule; the last one that is not simply in effect gives the status.
func (t *tool) checkAll(cib *xmltree.Node) pcmk.Exit {
	last := pcmk.OK
	for _, id := range t.rules {
		rc, why := t.eval(cib, id)
		t.show(id, rc, why)
		if rc != pcmk.OK {
			last = rc
		}
	}
	return last.Exit()
}

// eval looks at one rule, which has to be simple enough: one date expression,
// and no date_spec but one with a year and without a moon (pcmk_rule.c: eval_rule).
func (t *tool) eval(cib *xmltree.Node, id string) (pcmk.RC, string) {
	constraints := cib.Path("configuration", "constraints")
	found := collect(constraints, func(n *xmltree.Node) bool { return n.Name == "rule" && n.ID() == id })
	switch len(found) {
	case 0:
		return pcmk.RC(unix.ENXIO), "Rule not found"
	case 1:
	default:
		return pcmk.RCDuplicateID, "Found more than one rule with matching ID"
	}
	dates := collect(found[0], func(n *xmltree.Node) bool { return n.Name == "date_expression" })
	switch len(dates) {
	case 0:
		return pcmk.RC(unix.EOPNOTSUPP), "Rule does not have a date expression"
	case 1:
	default:
		return pcmk.RC(unix.EOPNOTSUPP), "Rule has more than one date expression"
	}
	op, given := dates[0].Get("operation")
	spec := dates[0].Child("date_spec")
	_, years := spec.Get("years")
	_, moon := spec.Get("moon")
	if !given || op == "date_spec" && (!years || moon) {
		return pcmk.RC(unix.EOPNOTSUPP), "Rule must either not use date_spec, or use date_spec with years= but not moon="
	}
	switch rules.Date(dates[0], &rules.Env{Now: t.now}) {
	case rules.BeforeRange:
		return pcmk.RCBeforeRange, ""
	case rules.WithinRange:
		return pcmk.RCWithinRange, ""
	case rules.AfterRange:
		return pcmk.RCAfterRange, ""
	case rules.Satisfied:
		return pcmk.OK, ""
	}
	return pcmk.RCUndetermined, "Error parsing rule"
}

// collect returns what is below n and fits, in document order.
func collect(n *xmltree.Node, ok func(*xmltree.Node) bool) (out []*xmltree.Node) {
	n.Elements(func(c *xmltree.Node) {
		if ok(c) {
			out = append(out, c)
		}
		out = append(out, collect(c, ok)...)
	})
	return out
}

// show tells what a rule came to (pcmk_output.c: rule_check_default, rule_check_xml).
func (t *tool) show(id string, rc pcmk.RC, why string) {
	text := ""
	switch rc {
	case pcmk.RCWithinRange:
		text = "is still in effect"
	case pcmk.OK:
		text = "satisfies conditions"
	case pcmk.RCAfterRange:
		text = "is expired"
	case pcmk.RCBeforeRange:
		text = "has not yet taken effect"
	}
	if t.s.Out.Format == pcmkout.XML {
		t.s.Out.Node("rule-check", "rule-id", id, "rc", rc.Exit().Itoa())
	} else if text != "" {
		t.s.Out.Info("Rule " + id + " " + text)
	}
	if text == "" {
		t.s.Out.Err("Could not determine whether rule " + id + " is in effect: " + why)
	}
}
