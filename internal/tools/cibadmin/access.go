package cibadmin

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/acl"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/internal/libc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// oldestACL is the first schema whose access rules can be shown.
const oldestACL = "pacemaker-2.0"

// knownStyle says whether a value of --show-access is one.
func knownStyle(s string) bool {
	switch s {
	case "auto", "namespace", "text", "color":
		return true
	}
	return false
}

// style is how to show access: with colours on a terminal if nothing else was asked for.
func (p *program) style() acl.Style {
	switch {
	case p.o.style == "namespace":
		return acl.Namespaces
	case p.o.style == "color", p.o.style != "text" && libc.Terminal(p.env.Stdout):
		return acl.Color
	}
	return acl.Plain
}

// ponder looks before a request whether access can be shown: the CIB is read with
// the caller's rights, so that they should have no limits, and for nobody else.
func (p *program) ponder() pcmk.Exit {
	if acl.Required(pcmk.UserName(uint32(os.Geteuid()))) {
		const skewed = "The supplied command can provide skewed result since it is run under user that also gets guarded per ACLs "
		if !p.o.force {
			p.complain(skewed + "in their own right. To accept the risk of such a possible distortion (without even knowing it at this time), use the --force flag.\n")
			return pcmk.ExitUnsafe
		}
		p.complain(skewed + "on their own right. Continuing since --force flag was provided.\n")
	}
	if !p.o.hasUser {
		p.complain("The supplied command requires -U user specified.\n")
		return pcmk.ExitUsage
	}
	p.o.subject, p.o.hasSubject = p.o.call.User, true
	p.o.call.User = ""
	return pcmk.ExitOK
}

// showAccess prints what the subject may do with an answer, by the rules within
// it (pcmk_acl.c: pcmk__acl_annotate_permissions).
func (p *program) showAccess(answer *xmltree.Node) pcmk.Exit {
	rc, subject := pcmk.OK, p.o.subject
	if !p.o.hasSubject {
		subject = "(null)"
	}
	switch {
	case !p.o.hasSubject || strings.ContainsAny(subject, "<>&"):
		rc = pcmk.RC(unix.EINVAL)
	case !acl.Required(subject):
		rc = pcmk.RCAlready
	case !canHaveACLs(answer):
		rc = pcmk.RCSchemaValidation
	}
	if rc == pcmk.OK {
		text, ok := acl.For(answer, subject, pcmk.InGroup).Render(answer, subject, p.style())
		if ok {
			fmt.Fprintln(p.env.Stdout, text)
			return pcmk.ExitOK
		}
		rc = pcmk.RC(unix.EINVAL)
	}
	p.complain("Could not evaluate access per request (%s, error: %v)\n", subject, rc)
	return pcmk.ExitConfig
}

func canHaveACLs(answer *xmltree.Node) bool {
	set, err := schemafiles.Load(schemafiles.Dir())
	if err != nil {
		return false
	}
	name, named := answer.Get("validate-with")
	return !named || name != "" && set.Find(name) >= set.Find(oldestACL)
}
