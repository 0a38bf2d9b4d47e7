// Package doc is the CIB as a document: a tree, and the operations that lead from
// one to the next.
//
// An operation works on a copy, and only its success makes the copy the CIB; or it
// notes what it does and takes it back. So a failure leaves nothing behind. Every
// node of a cluster carries out the same requests in the same order and must
// come to the same bytes; so the order in which things are merged is part of
// the format, with its oddities. The CIB daemon and the tools on files use it; it
// replaces lib/cib/cib_ops.c and the operations of lib/cib/cib_utils.c.
package doc

import (
	"errors"
	"strconv"

	"github.com/pacesync/pacesync/cib/acl"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// FeatureSet is the newest feature set this code knows; a CIB of a newer one is
// refused (crm.h: CRM_FEATURE_SET of 2.1.5).
const FeatureSet = "3.16.1"

// Op is an operation by its name on the wire.
type Op string

// The operations. Upgrade needs Request.Upgrade, since this package knows no schemas.
const (
	Query      Op = "cib_query"
	Modify     Op = "cib_modify"
	Create     Op = "cib_create"
	Replace    Op = "cib_replace"
	Delete     Op = "cib_delete"
	ApplyPatch Op = "cib_apply_diff"
	Bump       Op = "cib_bump"
	Erase      Op = "cib_erase"
	Upgrade    Op = "cib_upgrade"
)

// Code is a result as it goes over the wire, see patch.Code.
type Code = patch.Code

// The codes of operations, besides those of patchsets.
const (
	NoSuch      Code = 6  // ENXIO: what the request names is not there
	Denied      Code = 13 // EACCES: the user may not
	Exists      Code = 17 // EEXIST: what is to be created is there already
	Unsupported Code = 93 // EPROTONOSUPPORT: unknown operation, or CIB of a newer feature set
	BadSchema   Code = 203
)

// Error is a refused request.
type Error struct {
	Code Code
	Text string
	// Failed tells the client of a creation what could not be created and why,
	// in the form of the original's answer; nil otherwise.
	Failed *xmltree.Node
	// Rejected is the CIB that was refused because it does not conform to its
	// schema, as far as the user may see it; nil otherwise.
	Rejected *xmltree.Node
	// Patch is the change that came to nothing, for those who watch changes;
	// nil when it did not come that far.
	Patch *xmltree.Node
}

func (e *Error) Error() string { return "cib: " + e.Text }

// Request is one operation. Input is not changed.
type Request struct {
	Op      Op
	Section string // part of the CIB, empty for no restriction; with XPath an expression
	Input   *xmltree.Node

	XPath        bool // Section is an XPath
	Multiple     bool // with XPath: all that it finds, not the first alone
	XPathAddress bool // query by XPath for the places and not what is there
	CanCreate    bool // modify may add what it does not find
	NoChildren   bool // query without children
	MixedUpdate  bool // modify deletes what carries the attribute __delete__
	// Digest of the replacing CIB, empty: none is known; DigestVersion is the
	// feature set it was made by.
	Digest, DigestVersion string

	// ManageVersion raises epoch or num_updates with the change. Changes that
	// bring their own version, from peers, do without.
	ManageVersion bool
	// Access is what the user may do; nil: everything.
	Access *acl.List
	// PatchDigest puts the digest of the result into the patch.
	PatchDigest bool
	// Stamp notes in the result who changed the configuration and when. It may
	// touch nothing that counts in digests. nil: nothing is noted.
	Stamp func(cib *xmltree.Node)
	// Validate says whether the result conforms to its schema; nil: not asked.
	// It is left out for the section status, as in the original.
	Validate func(cib *xmltree.Node) error
	// Upgrade brings a CIB to a newer schema. The code is OK where the CIB it
	// returns is of a newer schema.
	Upgrade func(cib *xmltree.Node) (*xmltree.Node, Code)
}

// Result is what a request led to.
type Result struct {
	// CIB is the CIB after it, the old one if it is the same. It may differ
	// where Changed is false: an element without attributes that is added counts
	// for nothing until something else changes, see tracker.
	CIB           *xmltree.Node
	Answer        *xmltree.Node // of a query; part of the CIB unless a copy was needed
	Changed       bool
	ConfigChanged bool
	Patch         *xmltree.Node // format 2, nil if nothing changed
}

// Document holds the CIB. It is owned by one goroutine.
type Document struct{ root *xmltree.Node }

// New makes a document of a tree, which it owns from now on.
func New(cib *xmltree.Node) *Document { return &Document{cib} }

// Root is the CIB as it stands. It must not be changed, and is good until the
// next request.
func (d *Document) Root() *xmltree.Node { return d.root }

// Set makes a tree the CIB.
func (d *Document) Set(cib *xmltree.Node) { d.root = cib }

// Do carries out a request. On an error, which is an *Error, nothing changed.
// Most requests there are change something small in the status: those are done
// in the tree itself, without a copy of it.
func (d *Document) Do(r Request) (Result, error) {
	if inPlace(r) {
		return d.edit(r)
	}
	res, err := Perform(d.root, r)
	if err == nil {
		d.root = res.CIB
	}
	return res, err
}

// inPlace says whether a request can be carried out without a copy of the CIB:
// it adds and changes, but takes nothing away.
func inPlace(r Request) bool {
	if r.Op != Modify && r.Op != Create || r.Section != "status" || r.XPath || r.MixedUpdate || r.Access != nil || r.Input == nil || r.Input.Name == "cib" {
		return false
	}
	return r.Input.Find(func(n *xmltree.Node) bool {
		_, ok := n.Get("replace")
		return ok || n.Kind == xmltree.Text || n.Kind == xmltree.CData
	}) == nil
}

// edit is Perform in the tree itself.
func (d *Document) edit(r Request) (Result, error) {
	cib := d.root
	if err := tooNew(cib); err != nil {
		return Result{CIB: cib}, err
	}
	t := &tracker{cib: cib}
	t.edit()
	var err error
	if r.Op == Modify {
		err = modify(t, r)
	} else {
		err = create(t, r)
	}
	if err != nil {
		t.undo()
		return Result{CIB: cib}, err
	}
	for n := range t.edits.Attrs {
		expandOwn(t, n)
	}
	for n := range t.edits.Created {
		expandAll(t, n)
	}
	diff := patch.Edited(cib, *t.edits)
	res := Result{CIB: cib, Changed: t.dirty && diff.Changed()}
	if res.Changed {
		if r.ManageVersion {
			diff.SetRoot("num_updates", strconv.Itoa(number(cib, "num_updates")+1))
		}
		res.Patch = diff.Patch()
	}
	return res, nil
}

// Perform carries out a request on a CIB, which stays as it is
// (cib_utils.c: cib_perform_op).
func Perform(cib *xmltree.Node, r Request) (Result, error) {
	if r.Section != "" && r.Input != nil && r.Input.Name == "cib" {
		r.Input = find(r.Input, r.Section) // of a whole CIB only the section counts
	}
	if r.Op == Query {
		return read(cib, r)
	}
	t, err := change(cib, r)
	next := t.cib
	if err != nil {
		return Result{CIB: cib}, err
	}
	if err := tooNew(next); err != nil {
		return Result{CIB: cib}, err
	}
	if r.Access != nil {
		d, err := patch.Compare(cib, next, patch.Options{})
		if err != nil || !r.Access.Permit(cib, next, d, t.replaced) {
			return Result{CIB: cib}, &Error{Code: Denied, Text: "the user may not make this change"}
		}
	}
	old, now := patch.VersionOf(cib), patch.VersionOf(next)
	if now[0] < old[0] || now[0] == old[0] && now[1] < old[1] {
		return Result{CIB: cib}, &Error{Code: patch.OldData, Text: "the version would go back from " + old.String() + " to " + now.String()}
	}
	next.StripText()
	if wanted := next.Find(wantsIncrement) != nil; wanted {
		// What is replaced by a request to add counts as changed, even if the sum is what it was.
		if d, err := patch.Compare(cib, next, patch.Options{}); err == nil && !tracked(t, r.Op) {
			t.before = d
		}
		expandAll(t, next)
	}
	return finish(cib, t, r)
}

// tooNew refuses a CIB of a feature set that this code does not know.
func tooNew(cib *xmltree.Node) error {
	if v := cib.Attr("crm_feature_set"); rules.CompareVersions(v, FeatureSet) > 0 {
		return &Error{Code: Unsupported, Text: "the update has feature set " + v + ", newer than " + FeatureSet}
	}
	return nil
}

// tracked says whether the tracker knows what changed, and not the comparison.
func tracked(t *tracker, op Op) bool { return !t.replaced && (op == Modify || op == Create) }

// read answers a query with what the user may see.
func read(cib *xmltree.Node, r Request) (Result, error) {
	seen := cib
	if r.Access != nil {
		if seen = r.Access.Filter(cib); seen == nil {
			return Result{CIB: cib}, &Error{Code: Denied, Text: "the user may read nothing"}
		}
	}
	answer, err := query(seen, r)
	return Result{CIB: cib, Answer: answer}, err
}

// finish compares both CIBs and raises the version.
func finish(cib *xmltree.Node, t *tracker, r Request) (Result, error) {
	next := t.cib
	d, err := patch.Compare(cib, next, patch.Options{})
	if err != nil {
		return Result{CIB: cib}, &Error{Code: patch.Invalid, Text: "the result is no CIB: " + err.Error()}
	}
	res := Result{CIB: cib, Changed: t.dirty && d.Changed(), ConfigChanged: t.config}
	if !tracked(t, r.Op) {
		res.Changed, res.ConfigChanged = d.Changed(), d.ConfigChanged()
		if t.before != nil {
			res.Changed, res.ConfigChanged = t.before.Changed() || t.dirty, t.before.ConfigChanged() || t.config
		}
	}
	if res.Changed && r.ManageVersion {
		if res.ConfigChanged {
			d.SetRoot("num_updates", "0")
			d.SetRoot("epoch", strconv.Itoa(number(next, "epoch")+1))
		} else {
			d.SetRoot("num_updates", strconv.Itoa(number(next, "num_updates")+1))
		}
	}
	if res.Changed {
		res.Patch = d.Patch()
		if r.PatchDigest {
			d.AddDigest(res.Patch)
		}
	}
	if res.ConfigChanged && r.Stamp != nil {
		r.Stamp(next)
	}
	if r.Validate != nil && r.Section != "status" {
		if err := r.Validate(next); err != nil {
			e := &Error{Code: BadSchema, Text: err.Error(), Rejected: next, Patch: res.Patch}
			if r.Access != nil {
				e.Rejected = r.Access.Filter(next)
			}
			return Result{CIB: cib}, e
		}
	}
	if d.Changed() {
		res.CIB = next
	}
	return res, nil
}

func number(n *xmltree.Node, name string) int {
	s, ok := n.Get(name)
	if !ok {
		return 0
	}
	return patch.Int(s)
}

// change makes the changed copy, which is never nil.
func change(cib *xmltree.Node, r Request) (*tracker, error) {
	t := &tracker{cib: cib}
	switch r.Op {
	case Bump:
		t.cib = cib.Copy()
		raise(t.cib, "epoch")
		return t, nil
	case Erase:
		t.cib, t.replaced = Empty(cib.Attr("validate-with")), true
		t.merge(t.cib, cib.Attrs)
		raise(t.cib, "admin_epoch")
		return t, nil
	case Upgrade:
		return upgrade(t, cib, r)
	case Modify, Create, Replace, Delete, ApplyPatch:
		if r.Input == nil && !(r.XPath && (r.Op == Delete || r.Op == Replace)) {
			return t, &Error{Code: patch.Invalid, Text: string(r.Op) + " without data"}
		}
	default:
		return t, &Error{Code: Unsupported, Text: "unknown operation " + string(r.Op)}
	}
	if r.Op == ApplyPatch {
		next, err := patch.Apply(cib, r.Input, true)
		var e *patch.Error
		if errors.As(err, &e) {
			return t, &Error{Code: e.Code, Text: e.Error()}
		}
		t.cib, t.replaced = next, true
		return t, nil
	}
	t.cib = cib.Copy()
	if r.XPath && r.Op != Create {
		return t, byXPath(t, r)
	}
	switch r.Op {
	case Modify:
		return t, modify(t, r)
	case Create:
		return t, create(t, r)
	case Delete:
		remove(t.cib, r)
		return t, nil
	}
	next, err := replace(cib, t.cib, r)
	if err != nil {
		return t, err
	}
	t.replaced = next != t.cib
	t.cib = next
	return t, nil
}

// upgrade brings the CIB to a newer schema, which starts a version of its own
// (cib_ops.c: cib_process_upgrade).
func upgrade(t *tracker, cib *xmltree.Node, r Request) (*tracker, error) {
	if r.Upgrade == nil {
		return t, &Error{Code: Unsupported, Text: "schemas are not known here"}
	}
	next, code := r.Upgrade(cib.Copy())
	if code != patch.OK {
		return t, &Error{Code: code, Text: "the CIB was not upgraded"}
	}
	t.cib, t.replaced = next, true
	raise(next, "admin_epoch")
	next.Set("epoch", "1")
	next.Set("num_updates", "1")
	return t, nil
}

// Empty is a CIB without content (cib_utils.c: createEmptyCib).
func Empty(schema string) *xmltree.Node {
	cib := xmltree.New("cib",
		xmltree.Attr{Name: "crm_feature_set", Value: FeatureSet}, xmltree.Attr{Name: "validate-with", Value: schema},
		xmltree.Attr{Name: "epoch", Value: "0"}, xmltree.Attr{Name: "num_updates", Value: "0"}, xmltree.Attr{Name: "admin_epoch", Value: "0"})
	config := cib.AddNew("configuration")
	cib.AddNew("status")
	for _, name := range [...]string{"crm_config", "nodes", "resources", "constraints"} {
		config.AddNew(name)
	}
	return cib
}

// raise adds one to a number of the version (cib_ops.c: cib_update_counter).
func raise(cib *xmltree.Node, name string) {
	cib.Set(name, strconv.Itoa(number(cib, name)+1))
}
