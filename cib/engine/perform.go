package engine

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/cib/callopt"
	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const (
	invalid patch.Code = patch.Invalid // EINVAL
	notHere patch.Code = 1             // EPERM
)

// perform carries a request out here and returns the answer, nil when none is
// wanted (based_callbacks.c: cib_process_command).
func (e *Engine) perform(r *request) *xmltree.Node {
	var rc patch.Code
	var output *xmltree.Node
	switch {
	case r.op.privileged && r.client != nil && !r.client.Write:
		rc = doc.Denied
	case r.op.modifies:
		rc, output = e.change(r)
	default:
		rc, output = e.read(r)
	}
	section := r.attr("cib_section")
	if section == "" {
		section = "'all'"
	}
	if r.op.modifies {
		level := Info
		if rc != patch.OK {
			level = Warning
		}
		e.log(level, fmt.Sprintf("Completed %s operation for section %s: %s (rc=%d, origin=%s, version=%s)",
			r.name, section, text(rc), -int(rc), r.origin(), version(e.Root())))
	}
	if r.opts.Has(callopt.DiscardReply) {
		return nil
	}
	return newReply(r, rc, output)
}

// read carries out what changes nothing.
func (e *Engine) read(r *request) (patch.Code, *xmltree.Node) {
	access := e.access(r.attr("cib_user"))
	if access != nil && r.name != "cib_query" && access.Filter(e.Root()) == nil {
		return doc.Denied, nil
	}
	switch r.name {
	case "cib_query":
		section := r.attr("cib_section")
		if !r.opts.Has(callopt.XPath) && strings.EqualFold(section, "all") {
			section = ""
		}
		res, err := doc.Perform(e.Root(), doc.Request{Op: doc.Query, Section: section, XPath: r.opts.Has(callopt.XPath),
			NoChildren: r.opts.Has(callopt.NoChildren), XPathAddress: r.opts.Has(callopt.XPathAddress), Access: access})
		return codeOf(err), res.Answer
	case opPing:
		return patch.OK, e.pong(r)
	case opSyncAll:
		e.sendCIB(r.xml, true)
	case opSyncOne:
		e.sendCIB(r.xml, false)
	case opIsPrimary:
		if !e.primary {
			return notHere, nil
		}
	case opSecondary, opAllSecondary:
		e.setPrimary(false)
	case opShutdown:
		return e.goodbye(r), nil
	}
	return patch.OK, nil
}

// setPrimary notes whether this instance is the DC's (based_messages.c:
// cib_process_readwrite).
func (e *Engine) setPrimary(yes bool) {
	switch {
	case yes && !e.primary:
		e.log(Info, "We are now in R/W mode")
	case !yes && e.primary:
		e.log(Info, "We are now in R/O mode")
	}
	e.primary = yes
}

// goodbye is a peer's leave, or a peer's answer to ours.
func (e *Engine) goodbye(r *request) patch.Code {
	from := r.attr("src")
	if _, isReply := r.xml.Get("cib_isreplyto"); !isReply {
		e.log(Info, "Peer "+from+" is requesting to shut down")
		return patch.OK
	}
	if !e.leaving {
		e.log(Error, "Peer "+from+" mistakenly thinks we wanted to shut down")
		return invalid
	}
	e.log(Info, "Peer "+from+" has acknowledged our shutdown request")
	e.end()
	return patch.OK
}

// codeOf is the code of an operation's error, OK for none.
func codeOf(err error) patch.Code {
	var e *doc.Error
	switch {
	case err == nil:
		return patch.OK
	case errors.As(err, &e):
		return e.Code
	}
	return patch.Code(-pcmk.RCError.Legacy())
}

// inputOf finds the data of a request (based_common.c: cib_prepare_common).
func (r *request) inputOf() *xmltree.Node {
	field := "cib_calldata"
	switch {
	case r.op.input == noInput:
		return nil
	case r.op.input == patchInput && pcmk.IsTrue(r.attr("cib_update")):
		field = "cib_update_diff"
	}
	n := attached(r.xml, field)
	if n != nil {
		switch strings.ToLower(n.Name) {
		case "cib_fragment", "crm_xml", "cib_calldata":
			return n.Child("cib")
		}
	}
	return n
}

// change carries out what changes the CIB, the same on every node.
func (e *Engine) change(r *request) (patch.Code, *xmltree.Node) {
	input := r.inputOf()
	section := r.attr("cib_section")
	if r.op.input == patchInput {
		section = ""
	}
	manage := !r.opts.Has(callopt.InhibitBcast)
	if pcmk.IsTrue(r.attr("cib_update")) {
		manage = false
		r.opts |= callopt.ForceDiff
	}
	e.ping.modified = true
	r.opts &^= callopt.ZeroCopy
	if strings.EqualFold(section, "status") && !r.opts.Has(callopt.DryRun) {
		r.opts |= callopt.ZeroCopy // tells clients how the original did it
	}
	switch {
	case r.name == opPrimary:
		e.setPrimary(true)
		e.armDigest(r)
		return patch.OK, nil
	case r.name == opDeleteAlt:
		return invalid, nil
	case r.name == "cib_upgrade" && r.attr("cib_schema_max") == "":
		return e.offerUpgrade(r), nil
	case r.name == "cib_apply_diff" && e.passOver(input):
		return patch.DiffResync, nil
	}
	old := e.Root()
	res, err := e.run(r, section, input, manage)
	rc := codeOf(err)
	if r.name == "cib_apply_diff" && rc == patch.DiffResync {
		if e.primary {
			rc = patch.DiffFailed
		} else {
			e.askForCIB("")
		}
	}
	var output *xmltree.Node
	var refused *doc.Error
	diff := res.Patch
	if errors.As(err, &refused) {
		output, diff = refused.Failed, refused.Patch
		if rc == doc.BadSchema {
			output = refused.Rejected
		}
	}
	if diff != nil {
		for _, line := range patch.Describe(diff) {
			e.log(Info, line)
		}
	}
	var replaced parts
	if rc == patch.OK && !r.opts.Has(callopt.DryRun) {
		replaced = e.activate(r, input, old, res)
	}
	if !r.opts.Has(callopt.InhibitNotify) && !r.opts.Has(callopt.DryRun) {
		e.notifyDiff(r, input, rc, diff)
	}
	if replaced != 0 {
		e.notifyReplace(r, rc, diff, replaced)
	}
	return rc, output
}

// run hands the request to the document.
func (e *Engine) run(r *request, section string, input *xmltree.Node, manage bool) (doc.Result, error) {
	user := r.attr("cib_user")
	req := doc.Request{
		Op: doc.Op(r.name), Section: section, Input: input,
		XPath: r.opts.Has(callopt.XPath), Multiple: r.opts.Has(callopt.Multiple), CanCreate: r.opts.Has(callopt.CanCreate), MixedUpdate: r.opts.Has(callopt.MixedUpdate),
		ManageVersion: manage, Access: e.access(user), Validate: e.validate,
	}
	if r.name == "cib_replace" {
		req.Digest, req.DigestVersion = r.attr("digest"), r.attr("crm_feature_set")
		if req.DigestVersion == "" {
			req.DigestVersion = doc.FeatureSet
		}
	}
	if !r.opts.Has(callopt.ZeroCopy) && !r.now.Before(e.withDigest) {
		req.PatchDigest = true
		e.withDigest = r.now.Add(digestPause)
	}
	if !r.opts.Has(callopt.NoMtime) {
		req.Stamp = func(cib *xmltree.Node) { e.stamp(cib, r, user) }
	}
	if req.Op == doc.Upgrade {
		limit := e.cfg.Schemas.Find(r.attr("cib_schema_max"))
		req.Upgrade = func(cib *xmltree.Node) (*xmltree.Node, doc.Code) { return e.upgrade(cib, limit) }
	}
	if r.opts.Has(callopt.DryRun) {
		return doc.Perform(e.Root(), req)
	}
	return e.doc.Do(req)
}

// stamp notes who changed the configuration and when.
func (e *Engine) stamp(cib *xmltree.Node, r *request, user string) {
	cib.Set("cib-last-written", r.now.Local().Format("Mon Jan _2 15:04:05 2006"))
	if i := e.cfg.Schemas.Find(cib.Attr("validate-with")); i < 0 || i < e.cfg.Schemas.Find("pacemaker-1.2") {
		return
	}
	for _, a := range [...]xmltree.Attr{attr("update-origin", r.attr("src")), attr("update-client", r.attr("cib_clientname")), attr("update-user", user)} {
		if a.Value == "" {
			cib.Unset(a.Name)
		} else {
			cib.Set(a.Name, a.Value)
		}
	}
}

// validate says what keeps a CIB from conforming to its schema.
func (e *Engine) validate(cib *xmltree.Node) error {
	faults := e.cfg.Schemas.Validate(cib)
	if len(faults) == 0 {
		return nil
	}
	for i, f := range faults {
		if i == 5 {
			e.log(Warning, fmt.Sprintf("%d further faults", len(faults)-i))
			break
		}
		f.Line = 0 // of a text that nobody has
		e.log(Warning, "CIB: "+f.String())
	}
	e.log(Warning, "Updated CIB does not validate against "+null(cib.Attr("validate-with"))+" schema")
	return errors.New(faults[0].Text)
}

// upgrade brings a CIB to the newest schema up to limit; the code is OK where
// that is newer than the one it has.
func (e *Engine) upgrade(cib *xmltree.Node, limit int) (*xmltree.Node, doc.Code) {
	have := max(e.cfg.Schemas.Find(cib.Attr("validate-with")), 0)
	r := e.cfg.Schemas.Upgrade(cib, max(limit, 0), schema.Step)
	for _, remark := range r.Remarks {
		level := Debug
		switch remark.Severity {
		case schema.Warning:
			level = Warning
		case schema.Info:
			level = Info
		}
		e.log(level, "CIB upgrade: "+remark.Text)
	}
	switch {
	case r.Best > have:
		return r.CIB, patch.OK
	case r.Outcome == schema.TransformFailed:
		return nil, patch.Code(-pcmk.RCTransformFailed.Legacy())
	case r.Outcome == schema.InvalidCIB:
		return nil, doc.BadSchema
	}
	return nil, patch.Code(-pcmk.RCSchemaUnchanged.Legacy())
}

// offerUpgrade is the DC's part of an upgrade: it sees whether it can be done
// and has all nodes do it, or tells the asking node why not (based_messages.c:
// cib_process_upgrade_server).
func (e *Engine) offerUpgrade(r *request) patch.Code {
	host := r.attr("src")
	next, rc := e.upgrade(e.Root().Copy(), 0)
	msg := xmltree.New("cib_process_upgrade_server", attr("t", "cib"), attr("cib_op", "cib_upgrade"))
	if rc == patch.OK {
		e.log(Notice, "Upgrade request from "+host+" verified")
		msg.Set("cib_schema_max", next.Attr("validate-with"))
	}
	msg.Set("cib_delegated_from", host)
	if rc != patch.OK {
		msg.Set("cib_isreplyto", host)
	}
	for _, name := range [...]string{"cib_clientid", "cib_callopt", "cib_callid"} {
		if v, ok := r.xml.Get(name); ok {
			msg.Set(name, v)
		}
	}
	switch {
	case rc == patch.OK && e.cfg.StandAlone:
		msg.Set("src", host)
		res, err := e.run(&request{xml: msg, name: r.name, op: r.op, opts: r.opts, now: r.now}, "", nil, true)
		if rc = codeOf(err); rc == patch.OK {
			e.activate(r, nil, e.Root(), res)
		}
	case rc == patch.OK:
		e.put(Send{XML: msg})
	default:
		e.log(Info, fmt.Sprintf("Rejecting upgrade request from %s: %s", host, text(rc)))
		msg.Set("cib_upgrade_rc", strconv.Itoa(-int(rc)))
		e.put(Send{To: host, XML: msg})
	}
	return rc
}

// passOver says whether a patchset is ignored because a whole CIB is on its way
// (based_messages.c: cib_server_process_diff).
func (e *Engine) passOver(diff *xmltree.Node) bool {
	if e.syncing > maxIgnored {
		e.syncing = 0 // the request may have been lost
	}
	if e.syncing == 0 || e.primary {
		return false
	}
	e.syncing++
	source, target := patch.Version{}, patch.Version{}
	if diff != nil {
		source, target = patch.Versions(diff, source, target)
	}
	e.log(Notice, fmt.Sprintf("Not applying diff %s -> %s (sync in progress)", source, target))
	return true
}

// parts are the parts of the CIB that a replacement changed, as bits
// (cib_types.h: enum cib_change_section_info).
type parts int

const (
	changedNodes parts = 1 << iota
	changedAlerts
	changedStatus
)

// activate makes the result the CIB; it returns what clients must be told about
// a replacement.
func (e *Engine) activate(r *request, input, old *xmltree.Node, res doc.Result) parts {
	if r.name == "cib_replace" && input != nil && strings.EqualFold(input.Name, "cib") {
		e.syncing = 0
	}
	if res.ConfigChanged || r.name == "cib_replace" {
		e.put(Persist{CIB: res.CIB})
	}
	if res.Patch != nil && touchesOptions(res.Patch) {
		e.readOptions(r.now)
	}
	e.armDigest(r)
	switch r.name {
	case "cib_replace":
		return compareParts(old, res.CIB)
	case "cib_erase":
		return changedNodes | changedAlerts | changedStatus
	}
	return 0
}

// touchesOptions says whether a patchset is about cluster options
// (cib_utils.c: cib_internal_config_changed, which misses the first set of them).
func touchesOptions(diff *xmltree.Node) bool {
	return diff.Find(func(n *xmltree.Node) bool {
		return n.Kind == xmltree.Element && (n.Name == "crm_config" || n.Name == "change" && strings.Contains(n.Attr("path"), "/crm_config"))
	}) != nil
}

// compareParts compares the parts of the CIB that other daemons keep copies of.
func compareParts(old, now *xmltree.Node) parts {
	var changed parts
	for _, part := range [...]struct {
		bit  parts
		path []string
	}{{changedNodes, []string{"configuration", "nodes"}}, {changedAlerts, []string{"configuration", "alerts"}}, {changedStatus, []string{"status"}}} {
		a, b := old.Path(part.path...), now.Path(part.path...)
		if a == nil && b == nil {
			continue
		}
		if a == nil || b == nil || digest.Versioned(a, doc.FeatureSet) != digest.Versioned(b, doc.FeatureSet) {
			changed |= part.bit
		}
	}
	return changed
}

func (e *Engine) armDigest(r *request) { e.digestAt = r.now.Add(digestDelay) }
