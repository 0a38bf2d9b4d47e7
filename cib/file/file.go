// Package file is a CIB in a file, for tools that are told to work on one
// (CIB_file, CIB_shadow) instead of on the running cluster.
//
// It takes the requests of cib/client and answers them like the CIB manager. What
// changed is written when it is closed; the live file gets its signature and its
// backup too. It replaces lib/cib/cib_file.c. A CIB is owned by one goroutine.
package file

import (
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/acl"
	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/cib/store"
	"github.com/pacesync/pacesync/internal/bz2"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// maxSize bounds what is read, packed or not.
const maxSize = 256 << 20

// CIB is an open file.
type CIB struct {
	path    string
	doc     *doc.Document
	schemas *schema.Set
	dirty   bool
	// Faults says why the last request, or the file, does not conform to its
	// schema.
	Faults []schema.Fault

	// Remarks tells what an upgrade changed.
	Remarks []schema.Remark

	// Rejected is the CIB that the last request would have made, when the schema refused it.
	Rejected *xmltree.Node
}

// Open reads a CIB and holds it to its schema. The error is a pcmk.RC: ENXIO
// without a file, RCSchemaValidation for one that is no CIB; then Faults of the
// result tell why (cib_file.c: load_file_cib).
func Open(path string) (*CIB, error) {
	c := &CIB{path: path}
	text, err := readFile(path)
	if err != nil {
		return c, err
	}
	root, err := xmltree.Parse(text, xmltree.Limits{})
	if err != nil {
		c.Faults = []schema.Fault{{Text: err.Error()}}
		return c, pcmk.RCSchemaValidation
	}
	root.StripText()
	if root.Child("status") == nil {
		root.AddNew("status")
	}
	if c.schemas, err = schemafiles.Load(schemafiles.Dir()); err != nil {
		c.Faults = []schema.Fault{{Text: err.Error()}}
		return c, pcmk.RCSchemaValidation
	}
	if c.Faults = c.schemas.Validate(root); len(c.Faults) > 0 {
		return c, pcmk.RCSchemaValidation
	}
	c.doc = doc.New(root)
	return c, nil
}

func readFile(path string) ([]byte, error) {
	var in io.Reader = os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, pcmk.RC(unix.ENXIO)
		}
		if err != nil {
			return nil, pcmk.RCSchemaValidation
		}
		defer f.Close()
		in = f
	}
	if strings.HasSuffix(path, ".bz2") {
		in = bzip2.NewReader(in)
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSize+1))
	if err != nil || len(text) > maxSize {
		return nil, pcmk.RCSchemaValidation
	}
	return text, nil
}

// Faults says why the schema refuses what a request would make of a CIB, which it
// takes over; nil when it does not, or when something else is wrong.
func Faults(cib *xmltree.Node, call client.Call) []schema.Fault {
	schemas, err := schemafiles.Load(schemafiles.Dir())
	if err != nil {
		return nil
	}
	c := &CIB{doc: doc.New(cib), schemas: schemas}
	if _, err := c.Do(context.Background(), call); err != pcmk.RCSchemaValidation {
		return nil
	}
	return c.Faults
}

// Root is the CIB as it stands; it must not be changed.
func (c *CIB) Root() *xmltree.Node { return c.doc.Root() }

// Do carries out a request. A refusal is a pcmk.RC; its data may say more
// (cib_file.c: cib_file_perform_op_delegate).
func (c *CIB) Do(_ context.Context, call client.Call) (*xmltree.Node, error) {
	c.Faults, c.Remarks, c.Rejected = nil, nil, nil
	opt := func(bit client.Opt) bool { return call.Options&bit != 0 }
	section := call.Section
	if call.Op == client.Query && !opt(client.XPath) && strings.EqualFold(section, "all") {
		section = ""
	}
	r := doc.Request{
		Op: doc.Op(call.Op), Section: section, Input: call.Data, ManageVersion: true,
		XPath: opt(client.XPath), Multiple: opt(client.Multiple), XPathAddress: opt(client.XPathAddress),
		CanCreate: opt(client.CanCreate), NoChildren: opt(client.NoChildren), MixedUpdate: opt(client.MixedUpdate),
		Validate: c.validate, Upgrade: c.upgrade, PatchDigest: false,
	}
	if user := call.Acting(); acl.Required(user) && c.enforced() {
		r.Access = acl.For(c.Root(), user, pcmk.InGroup)
	}
	before := c.Root()
	res, err := doc.Perform(before, r)
	var e *doc.Error
	if errors.As(err, &e) {
		if r.Op == doc.Upgrade && pcmk.RCFromLegacy(int(e.Code)) == pcmk.RCSchemaUnchanged {
			c.dirty = true // as in the original, which writes the file anew
			return nil, nil
		}
		c.Rejected = e.Rejected
		return e.Failed, pcmk.RCFromLegacy(int(e.Code))
	}
	if err != nil {
		return nil, pcmk.RCError
	}
	if r.Op != doc.Query {
		c.dirty = true
		if !opt(client.DryRun) {
			c.doc.Set(res.CIB)
		}
	}
	if res.Answer != nil {
		return res.Answer.Copy(), nil
	}
	return nil, nil
}

// enforced says whether the CIB asks for access rules.
func (c *CIB) enforced() bool {
	on := false
	c.Root().Path("configuration", "crm_config").Elements(func(set *xmltree.Node) {
		set.Each("nvpair", func(p *xmltree.Node) {
			if p.Attr("name") == "enable-acl" {
				on = pcmk.IsTrue(p.Attr("value"))
			}
		})
	})
	return on
}

func (c *CIB) validate(cib *xmltree.Node) error {
	if c.Faults = c.schemas.Validate(cib); len(c.Faults) > 0 {
		return errors.New(c.Faults[0].Text)
	}
	return nil
}

func (c *CIB) upgrade(cib *xmltree.Node) (*xmltree.Node, doc.Code) {
	have := max(c.schemas.Find(cib.Attr("validate-with")), 0)
	r := c.schemas.Upgrade(cib, 0, schema.Step)
	c.Faults, c.Remarks = r.Faults, r.Remarks
	switch {
	case r.Best > have:
		return r.CIB, patch.OK
	case r.Outcome == schema.TransformFailed:
		return nil, doc.Code(-pcmk.RCTransformFailed.Legacy())
	case r.Outcome == schema.InvalidCIB:
		return nil, doc.BadSchema
	}
	return nil, doc.Code(-pcmk.RCSchemaUnchanged.Legacy())
}

// Close writes the file if a request changed it (cib_file.c: cib_file_signoff).
func (c *CIB) Close() error {
	if !c.dirty || c.doc == nil {
		return nil
	}
	c.dirty = false
	if live(c.path) {
		return c.closeLive()
	}
	text := c.Root().AppendPacemaker(nil, xmltree.TextOptions{Format: true})
	if strings.HasSuffix(c.path, ".bz2") {
		packed, err := bz2.Compress(text, 5)
		if err != nil {
			return fmt.Errorf("cib: %s: %w", c.path, err)
		}
		text = packed
	}
	return replaceFile(c.path, text)
}

// live says whether a path is the cluster's own file.
func live(path string) bool {
	a, err1 := filepath.EvalSymlinks(path)
	b, err2 := filepath.EvalSymlinks(pcmk.CIBDir + "/cib.xml")
	a, err3 := filepath.Abs(a)
	return err1 == nil && err2 == nil && err3 == nil && a == b
}

// closeLive writes the live file as the CIB manager does, for root and the
// daemons' user alone (cib_file.c: cib_file_write_live).
func (c *CIB) closeLive() error {
	uid, gid, err := pcmk.DaemonUser()
	if err != nil {
		return fmt.Errorf("cib: could not find user %s: %w", pcmk.User, err)
	}
	if me := uint32(os.Geteuid()); me != 0 && me != uid {
		return fmt.Errorf("cib: must be root or %s to modify the live CIB: %w", pcmk.User, unix.EACCES)
	}
	dir := store.Dir{Path: pcmk.CIBDir}
	if os.Geteuid() == 0 {
		dir.Own = func(f *os.File) error { return f.Chown(int(uid), int(gid)) }
	}
	_, err = dir.Write(c.Root(), time.Now())
	return err
}

// replaceFile writes a file in one step, with the mode it had.
func replaceFile(path string, text []byte) error {
	if path == "-" {
		return nil
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	// Not by rename: the file may be a link, or in a folder that is not ours.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o660)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Shadow is where the shadow CIB of a name is kept (cib_utils.c:
// get_shadow_file): beside the cluster's for root and the daemons' user, else at
// home.
func Shadow(name string) string {
	dir := os.Getenv("CIB_shadow_dir")
	if dir == "" {
		uid, _, err := pcmk.DaemonUser()
		me := uint32(os.Geteuid())
		home, homeErr := os.UserHomeDir()
		switch {
		case me == 0 || err == nil && me == uid:
			dir = pcmk.CIBDir
		case homeErr == nil:
			dir = filepath.Join(home, ".cib")
		default:
			dir = os.TempDir()
		}
	}
	return filepath.Join(dir, "shadow."+name)
}
