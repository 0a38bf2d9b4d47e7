package crmticket

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// number reads a time, 0 for what is none.
func number(s string) int64 {
	n, _ := score.LeadingInt(s)
	return n
}

// date is a time as asctime writes it.
func date(s string) string { return "'" + time.Unix(number(s), 0).Format(time.ANSIC) + "'" }

// details are the attributes of a ticket in the order of the original's table.
func details(k *model.Ticket) (list []string) {
	names := slices.Sorted(maps.Keys(k.State))
	for _, i := range model.HashOrder(names) {
		value := k.State[names[i]]
		if n := strings.ToLower(names[i]); n == "last-granted" || n == "expires" {
			value = date(value)
		}
		list = append(list, names[i]+"="+value)
	}
	return list
}

// warn tells what a command would do; it wants --force (ticket_warning).
func (t *tool) warn(action string) {
	id, text, word := *t.id, "", "from"
	if action == "grant" {
		text, word = "This command cannot help you verify whether '"+id+"' has been already granted elsewhere.\n", "to"
	} else {
		text = "Revoking '" + id + "' can trigger the specified 'loss-policy'(s) relating to '" + id + "'.\n\n" +
			"You can check that with:\ncrm_ticket --ticket " + id + " --constraints\n\n" +
			"Otherwise before revoking '" + id + "', you may want to make '" + id + "' standby with:\n" +
			"crm_ticket --ticket " + id + " --standby\n\n"
	}
	fmt.Fprintf(t.env.Stdout, "%sIf you really want to %s '%s' %s this site now, and you know what you are doing,\nplease specify --force.\n",
		text, action, id, word)
}

// call carries out a change.
func (t *tool) call(c client.Call) error {
	_, err := t.cib.Do(t.ctx, c)
	return err
}

// cleanup deletes all that is known of a ticket.
func (t *tool) cleanup() error {
	if t.id == nil {
		return fail(pcmk.ExitUsage, "Must supply ticket ID with -t")
	}
	if !t.force {
		k := t.c.Tickets[*t.id]
		if k == nil {
			return fail(pcmk.ExitNoSuch, "No such ticket '%s'", *t.id)
		}
		if k.Granted {
			t.warn("revoke")
			return &failure{status: pcmk.ExitInsufficientPriv}
		}
	}
	x, err := t.state()
	if err != nil && session.RC(err) == pcmk.RC(unix.ENXIO) {
		return nil
	}
	if err == nil {
		err = t.call(client.Call{Op: client.Delete, Section: "status", Data: x})
	}
	if err != nil {
		return failed("Could not clean up ticket", err)
	}
	fmt.Fprintf(t.env.Stdout, "Cleaned up %s\n", *t.id)
	return nil
}

// change sets and deletes attributes.
func (t *tool) change() error {
	name, value := text(t.name), text(t.value)
	if !t.modified {
		switch {
		case name == "":
			return fail(pcmk.ExitUsage, "Must supply a command")
		case t.id == nil:
			return fail(pcmk.ExitUsage, "Must supply ticket ID with -t")
		case value == "":
			return fail(pcmk.ExitUsage, "Must supply value with -v for -S %s", name)
		}
		return nil
	}
	switch {
	case t.id == nil:
		return fail(pcmk.ExitUsage, "Must supply ticket ID with -t")
	case t.value != nil && name == "":
		return fail(pcmk.ExitUsage, "Must supply attribute name with -S for -v %s", value)
	case t.name != nil && value == "":
		return fail(pcmk.ExitUsage, "Must supply attribute value with -v for -S (null)")
	case !t.allowed():
		return fail(pcmk.ExitInsufficientPriv, "Ticket modification not allowed")
	}
	return failed("Could not modify ticket", t.modify())
}

// allowed refuses to grant and to revoke without --force (allow_modification).
func (t *tool) allowed() bool {
	if t.force {
		return true
	}
	if v, ok := t.set.get("granted"); ok {
		if model.True(v) {
			t.warn("grant")
		} else {
			t.warn("revoke")
		}
		return false
	}
	if slices.ContainsFunc(t.remove, func(n string) bool { return strings.EqualFold(n, "granted") }) {
		t.warn("revoke")
		return false
	}
	return true
}

// modify writes the ticket as it will be (modify_ticket_state).
func (t *tool) modify() error {
	x, err := t.state()
	found := err == nil
	doc := x
	switch {
	case found:
		x = x.Copy()
		doc = x
	case session.RC(err) != pcmk.RC(unix.ENXIO):
		return err
	case len(t.set) == 0:
		return nil
	default:
		doc = xmltree.New("status")
		x = doc.AddNew("tickets").AddNew("ticket_state", xmltree.Attr{Name: "id", Value: *t.id})
	}
	for _, n := range t.remove {
		x.Unset(n)
	}
	k := t.c.Tickets[*t.id]
	for _, a := range t.set.ordered() {
		x.Set(a.Name, a.Value)
		if strings.EqualFold(a.Name, "granted") && (k == nil || !k.Granted) && model.True(a.Value) {
			x.Set("last-granted", strconv.FormatInt(time.Now().Unix(), 10))
		}
	}
	if found && len(t.remove) > 0 {
		return t.call(client.Call{Op: client.Replace, Section: "status", Data: x})
	}
	return t.call(client.Call{Op: client.Modify, Section: "status", Data: doc})
}
