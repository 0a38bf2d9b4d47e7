// Package crmticket is the program crm_ticket: it shows the tickets of a cluster
// that is one of several, and grants and revokes them. booth calls it.
//
// Upstream: tools/crm_ticket.c, crm_ticket(8).
package crmticket

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/cibconn"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/model"
)

// callLimit bounds the whole run.
const callLimit = 2 * time.Minute

// tool is one run.
type tool struct {
	goption.Common
	env     *applet.Env
	command byte
	options

	ctx context.Context
	cib session.CIB
	c   *model.Cluster
}

// failure ends the run with a status and, if there is one, a text.
type failure struct {
	status pcmk.Exit
	text   string
}

func (f *failure) Error() string { return f.text }

func fail(status pcmk.Exit, format string, args ...any) error {
	return &failure{status, fmt.Sprintf(format, args...)}
}

// failed tells of a request that was refused.
func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	rc := session.RC(err)
	return fail(rc.Exit(), "%s: %s", what, rc.Error())
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	t := &tool{env: e, command: 'S'}
	if _, status, ok := t.context().Run(e.Args, "dintvxCDGS", e.Stdout, e.Stderr); !ok {
		return status
	}
	if t.Version {
		fmt.Fprint(e.Stdout, pcmk.VersionText())
		return int(pcmk.ExitOK)
	}
	var cancel context.CancelFunc
	t.ctx, cancel = context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	status, text := pcmk.ExitOK, ""
	if err := t.run(); err != nil {
		f, ok := err.(*failure)
		if !ok {
			f = &failure{status: session.RC(err).Exit()}
		}
		status, text = f.status, f.text
	}
	if t.cib != nil {
		if err := t.cib.Close(); err != nil && status == pcmk.ExitOK {
			status, text = pcmk.ExitIOErr, err.Error()
		}
	}
	if text != "" {
		fmt.Fprintf(e.Stderr, "%s: %s\n", e.Name, text)
	}
	return int(status)
}

// run reads the cluster and carries the command out.
func (t *tool) run() error {
	if err := t.read(); err != nil {
		return err
	}
	switch t.command {
	case 'l', 'L', 'w':
		return t.list()
	case 'q':
		return t.queryXML()
	case 'c':
		return t.constraints()
	case 'G':
		return t.attribute()
	case 'C':
		return t.cleanup()
	}
	return t.change()
}

// read reads the tickets: those of the status section, and those that constraints name.
func (t *tool) read() (err error) {
	if t.cib, err = session.OpenCIB(t.ctx, t.env); err != nil {
		t.cib = nil
		return failed("Could not connect to the CIB", err)
	}
	var root *xmltree.Node
	if t.xmlFile != nil {
		data, err := os.ReadFile(*t.xmlFile)
		if err == nil {
			root, err = xmltree.Parse(data, xmltree.Limits{})
		}
		if err != nil {
			return fail(pcmk.ExitConfig, "Could not update local CIB to latest schema version")
		}
		root.StripText()
	} else if root, err = t.cib.Do(t.ctx, client.Call{Op: client.Query, Options: client.ScopeLocal}); err != nil {
		return failed("Could not get local CIB", err)
	}
	root, said, ok := cibconn.Upgrade(root)
	if said != "" {
		fmt.Fprintln(t.env.Stderr, said)
	}
	if !ok {
		return fail(pcmk.ExitConfig, "Could not update local CIB to latest schema version")
	}
	now := time.Now()
	_, offset := now.Zone()
	r, err := pengine.Status(pengine.Input{CIB: root, Now: iso8601.Time{Unix: now.Unix(), Offset: offset}})
	if err != nil {
		return fail(pcmk.ExitConfig, "Could not update local CIB to latest schema version")
	}
	r.Constraints()
	t.c = r.Cluster
	return nil
}

// list shows one ticket or all.
func (t *tool) list() error {
	if t.id != nil {
		ticket := t.c.Tickets[*t.id]
		if ticket == nil {
			return fail(pcmk.ExitNoSuch, "No such ticket '%s'", *t.id)
		}
		t.print(ticket)
		return nil
	}
	for _, i := range model.HashOrder(t.c.TicketIDs) {
		t.print(t.c.Tickets[t.c.TicketIDs[i]])
	}
	return nil
}

func (t *tool) print(k *model.Ticket) {
	if t.command == 'w' {
		fmt.Fprintln(t.env.Stdout, k.ID)
		return
	}
	state, standby := "revoked", "         "
	if k.Granted {
		state = "granted"
	}
	if k.Standby {
		standby = "[standby]"
	}
	line := k.ID + "\t" + state + " " + standby
	if t.command == 'L' && len(k.State) > 0 {
		line += " (" + strings.Join(details(k), ", ") + ")"
	} else if at, ok := k.State["last-granted"]; ok && number(at) > -1 {
		line += " last-granted=" + date(at)
	}
	fmt.Fprintln(t.env.Stdout, line)
}

// query finds elements by XPath; several come below one.
func (t *tool) query(path string) (*xmltree.Node, error) {
	return t.cib.Do(t.ctx, client.Call{Op: client.Query, Section: path, Options: client.XPath | client.ScopeLocal})
}

// state is what the status section says of the ticket (find_ticket_state).
func (t *tool) state() (*xmltree.Node, error) {
	path := "/cib/status/tickets"
	if t.id != nil {
		path += `/ticket_state[@id="` + *t.id + `"]`
	}
	x, err := t.query(path)
	if err == nil && t.id != nil && x.HasElements() {
		fmt.Fprintf(t.env.Stdout, "Multiple ticket_states match ticket_id=%s\n", *t.id)
	}
	return x, err
}

func (t *tool) show(title string, x *xmltree.Node) {
	fmt.Fprintf(t.env.Stdout, "%s\n\n%s", title, x.AppendPacemaker(nil, xmltree.TextOptions{Format: true}))
}

func (t *tool) queryXML() error {
	x, err := t.state()
	if x == nil || err != nil {
		return failed("Could not query ticket XML", err)
	}
	t.show("State XML:", x)
	return nil
}

func (t *tool) constraints() error {
	path := "/cib/configuration/constraints/rsc_ticket"
	if t.id != nil {
		path += `[@ticket="` + *t.id + `"]`
	}
	x, err := t.query(path)
	if x == nil || err != nil {
		return failed("Could not show ticket constraints", err)
	}
	t.show("Constraints XML:", x)
	return nil
}

// attribute shows one attribute of a ticket.
func (t *tool) attribute() error {
	if t.id == nil {
		return fail(pcmk.ExitNoSuch, "Must supply ticket ID with -t")
	}
	var value string
	ok := false
	if k := t.c.Tickets[*t.id]; k != nil {
		value, ok = k.State[t.get]
	}
	switch {
	case ok:
	case t.otherwise != nil:
		value = *t.otherwise
	default:
		return &failure{status: pcmk.ExitNoSuch}
	}
	fmt.Fprintln(t.env.Stdout, value)
	return nil
}
