package crmticket

import (
	"slices"

	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// attributes are those to set; a name counts once.
type attributes []xmltree.Attr

func (a attributes) get(name string) (string, bool) {
	for _, x := range a {
		if x.Name == name {
			return x.Value, true
		}
	}
	return "", false
}

// with sets one of them.
func (a attributes) with(name, value string) attributes {
	if i := slices.IndexFunc(a, func(x xmltree.Attr) bool { return x.Name == name }); i >= 0 {
		a[i].Value = value
		return a
	}
	return append(a, xmltree.Attr{Name: name, Value: value})
}

// ordered are the attributes in the order of the original's table.
func (a attributes) ordered() (out attributes) {
	names := make([]string, len(a))
	for i := range a {
		names[i] = a[i].Name
	}
	for _, i := range model.HashOrder(names) {
		out = append(out, a[i])
	}
	return out
}

// options are what the command line says.
type options struct {
	force, modified, quiet   bool
	id, xmlFile, otherwise   *string
	name, value, setID, pair *string
	get                      string
	set                      attributes
	remove                   []string
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

const indent = "                               "

func (t *tool) context() *goption.Context {
	c := goption.Pacemaker("crm_ticket", "Perform tasks related to cluster tickets\n\nAllows ticket attributes to be queried, modified and deleted.", "", "", &t.Common)
	c.Description = description
	command := func(letter byte) goption.Callback {
		return func(goption.Value) error { t.command = letter; return nil }
	}
	set := func(name, value string) goption.Callback {
		return func(goption.Value) error { t.set, t.modified = t.set.with(name, value), true; return nil }
	}
	c.AddGroup("queries", "Queries:", "Show queries",
		goption.Entry{Long: "info", Short: 'l', Flags: goption.NoArg, Dest: command('l'), Help: "Display the information of ticket(s)"},
		goption.Entry{Long: "details", Short: 'L', Flags: goption.NoArg, Dest: command('L'), Help: "Display the details of ticket(s)"},
		goption.Entry{Long: "raw", Short: 'w', Flags: goption.NoArg, Dest: command('w'), Help: "Display the IDs of ticket(s)"},
		goption.Entry{Long: "query-xml", Short: 'q', Flags: goption.NoArg, Dest: command('q'), Help: "Query the XML of ticket(s)"},
		goption.Entry{Long: "constraints", Short: 'c', Flags: goption.NoArg, Dest: command('c'), Help: "Display the rsc_ticket constraints that apply to ticket(s)"})
	c.AddGroup("commands", "Commands:", "Show command options",
		goption.Entry{Long: "grant", Short: 'g', Flags: goption.NoArg, Dest: set("granted", "true"), Help: "Grant a ticket to this cluster site"},
		goption.Entry{Long: "revoke", Short: 'r', Flags: goption.NoArg, Dest: set("granted", "false"), Help: "Revoke a ticket from this cluster site"},
		goption.Entry{Long: "standby", Short: 's', Flags: goption.NoArg, Dest: set("standby", "true"), Help: "Tell this cluster site this ticket is standby"},
		goption.Entry{Long: "activate", Short: 'a', Flags: goption.NoArg, Dest: set("standby", "false"), Help: "Tell this cluster site this ticket is active"})
	c.AddGroup("advanced", "Advanced Options:", "Show advanced options",
		goption.Entry{Long: "get-attr", Short: 'G', Dest: func(v goption.Value) error { t.get, t.command = v.Arg, 'G'; return nil },
			Arg: "ATTRIBUTE", Help: "Display the named attribute for a ticket"},
		goption.Entry{Long: "set-attr", Short: 'S', Dest: func(v goption.Value) error { t.name = &v.Arg; t.pairUp(); return nil },
			Arg: "ATTRIBUTE", Help: "Set the named attribute for a ticket"},
		goption.Entry{Long: "delete-attr", Short: 'D', Dest: func(v goption.Value) error { t.remove, t.modified = append(t.remove, v.Arg), true; return nil },
			Arg: "ATTRIBUTE", Help: "Delete the named attribute for a ticket"},
		goption.Entry{Long: "cleanup", Short: 'C', Flags: goption.NoArg, Dest: command('C'), Help: "Delete all state of a ticket at this cluster site"})
	c.AddGroup("additional", "Additional Options:", "Show additional options",
		goption.Entry{Long: "attr-value", Short: 'v', Dest: func(v goption.Value) error { t.value = &v.Arg; t.pairUp(); return nil },
			Arg: "VALUE", Help: "Attribute value to use with -S"},
		goption.Entry{Long: "default", Short: 'd', Dest: &t.otherwise, Arg: "VALUE",
			Help: "(Advanced) Default attribute value to display if none is found\n" + indent + "(for use with -G)"},
		goption.Entry{Long: "force", Short: 'f', Dest: &t.force, Help: "(Advanced) Force the action to be performed"},
		goption.Entry{Long: "ticket", Short: 't', Dest: &t.id, Arg: "ID", Help: "Ticket ID"},
		goption.Entry{Long: "xml-file", Short: 'x', Flags: goption.Hidden, Dest: &t.xmlFile})
	c.AddGroup("deprecated", "Deprecated Options:", "Show deprecated options",
		goption.Entry{Long: "set-name", Short: 'n', Dest: &t.setID, Arg: "ID", Help: "(Advanced) ID of the instance_attributes object to change"},
		goption.Entry{Long: "nvpair", Short: 'i', Dest: &t.pair, Arg: "ID", Help: "(Advanced) ID of the nvpair object to change/delete"},
		goption.Entry{Long: "quiet", Short: 'Q', Dest: &t.quiet, Help: "Print only the value on stdout"})
	return c
}

// pairUp makes a change of a name and a value, in whichever order they come.
func (o *options) pairUp() {
	if o.name == nil || o.value == nil {
		return
	}
	o.set, o.modified = o.set.with(*o.name, *o.value), true
	o.name, o.value = nil, nil
}

const description = `Examples:

Display the info of tickets:

	crm_ticket --info

Display the detailed info of tickets:

	crm_ticket --details

Display the XML of 'ticketA':

	crm_ticket --ticket ticketA --query-xml

Display the rsc_ticket constraints that apply to 'ticketA':

	crm_ticket --ticket ticketA --constraints

Grant 'ticketA' to this cluster site:

	crm_ticket --ticket ticketA --grant

Revoke 'ticketA' from this cluster site:

	crm_ticket --ticket ticketA --revoke

Make 'ticketA' standby (the cluster site will treat a granted
'ticketA' as 'standby', and the dependent resources will be
stopped or demoted gracefully without triggering loss-policies):

	crm_ticket --ticket ticketA --standby

Activate 'ticketA' from being standby:

	crm_ticket --ticket ticketA --activate

Get the value of the 'granted' attribute for 'ticketA':

	crm_ticket --ticket ticketA --get-attr granted

Set the value of the 'standby' attribute for 'ticketA':

	crm_ticket --ticket ticketA --set-attr standby --attr-value true

Delete the 'granted' attribute for 'ticketA':

	crm_ticket --ticket ticketA --delete-attr granted

Erase the operation history of 'ticketA' at this cluster site,
causing the cluster site to 'forget' the existing ticket state:

	crm_ticket --ticket ticketA --cleanup

`
