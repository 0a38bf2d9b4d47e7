package cib_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const base = `<cib crm_feature_set="3.16.1" validate-with="none" epoch="4" num_updates="2" admin_epoch="1" have-quorum="1">
<configuration><crm_config><cluster_property_set id="opts"><nvpair id="opts-a" name="a" value="1"/><nvpair id="opts-b" name="b" value="x"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="n1" score="5"/><node id="2" uname="n2"/><!-- note --></nodes>
<resources><primitive id="p1" class="ocf" type="Dummy"><meta_attributes id="p1-m"><nvpair id="p1-m-1" name="x" value="1"/></meta_attributes></primitive>
<group id="g1"><primitive id="p2" class="ocf" type="Dummy"/><primitive id="p3" class="lsb" type="x"/></group></resources><constraints/></configuration>
<status><node_state id="1" uname="n1" crmd="online"><lrm id="1"><lrm_resources/></lrm></node_state></status></cib>`

// request is a call of cibadmin and the same for doc.
type request struct {
	op      doc.Op
	section string
	input   string
	create  bool
}

func (r request) args() []string {
	var args []string
	switch r.op {
	case doc.Create:
		args = append(args, "-C")
	case doc.Modify:
		args = append(args, "-M")
	case doc.Replace:
		args = append(args, "-R")
	case doc.Delete:
		args = append(args, "-D")
	case doc.Bump:
		args = append(args, "-B")
	case doc.Erase:
		args = append(args, "-E", "--force")
	case doc.ApplyPatch:
		args = append(args, "-P")
	}
	if r.section != "" {
		args = append(args, "-o", r.section)
	}
	if r.create {
		args = append(args, "-c")
	}
	if r.input != "" {
		args = append(args, "-X", r.input)
	}
	return args
}

var named = []request{
	{op: doc.Bump}, {op: doc.Erase},
	{op: doc.Modify, input: `<node id="1" uname="x"/>`},
	{op: doc.Modify, input: `<node id="9" uname="x"/>`},
	{op: doc.Modify, input: `<node id="9" uname="x"/>`, create: true},
	{op: doc.Modify, section: "nodes", input: `<node id="9" uname="x"/>`, create: true},
	{op: doc.Modify, section: "tags", input: `<tags><tag id="t"/></tags>`},
	{op: doc.Modify, section: "acls", input: `<acl_role id="t"/>`, create: true},
	{op: doc.Modify, section: "nodes", input: `<nodes><node id="1" score="score++"/><node id="2" score="score+=7"/><node id="3" n="n++"/></nodes>`},
	{op: doc.Modify, input: `<node id="1" score="score+=INFINITY"/>`},
	{op: doc.Modify, input: `<nodes><!-- NOTE --><!--other--></nodes>`},
	{op: doc.Modify, input: `<cib have-quorum="0"/>`},
	{op: doc.Modify, input: `<cib epoch="1"/>`},
	{op: doc.Modify, input: `<cib admin_epoch="0" epoch="9"/>`},
	{op: doc.Modify, input: `<cib admin_epoch="7" epoch="1"/>`},
	{op: doc.Modify, input: `<cib crm_feature_set="3.99.0"/>`},
	{op: doc.Modify, input: `<cib crm_feature_set="3.16.1"/>`},
	{op: doc.Modify, section: "status", input: `<node_state id="1" crmd="offline"/>`},
	{op: doc.Modify, section: "resources", input: `<cib><configuration><resources><primitive id="p1" z="1"/></resources></configuration></cib>`},
	{op: doc.Modify, section: "tags", input: `<cib><configuration/></cib>`},
	{op: doc.Create, section: "nodes", input: `<node id="3" uname="n3"/>`},
	{op: doc.Create, section: "nodes", input: `<node id="1" uname="n3"/>`},
	{op: doc.Create, section: "nodes", input: `<nodes><node id="3"/><node id="1"/><node id="4"/></nodes>`},
	{op: doc.Create, section: "resources", input: `<primitive id="p2" class="x"/>`},
	{op: doc.Create, section: "tags", input: `<tag id="t"/>`},
	{op: doc.Create, section: "constraints", input: `<rsc_location id="l"><!-- why --><rule id="r"/></rsc_location>`},
	{op: doc.Create, input: `<node id="3"/>`},
	{op: doc.Create, input: `<node id="2" more="1"/>`},
	{op: doc.Create, section: "crm_config", input: `<cluster_property_set id="o2"><nvpair id="a"/><nvpair id="b" b="b++"/></cluster_property_set>`},
	{op: doc.Replace, input: `<primitive id="p2" class="new"/>`},
	{op: doc.Replace, input: `<primitive id="none" class="new"/>`},
	{op: doc.Replace, section: "resources", input: `<resources><primitive id="only"/></resources>`},
	{op: doc.Replace, section: "tags", input: `<tags><tag id="only"/></tags>`},
	{op: doc.Replace, input: `<nodes/>`},
	{op: doc.Replace, input: strings.Replace(base, `epoch="4"`, `epoch="3"`, 1)},
	{op: doc.Replace, input: strings.Replace(base, `epoch="4"`, `epoch="8"`, 1)},
	{op: doc.Replace, input: strings.Replace(base, `num_updates="2"`, `num_updates="1"`, 1)},
	{op: doc.Replace, input: strings.Replace(base, `uname="n2"`, `uname="n3"`, 1)},
	{op: doc.Replace, input: base},
	{op: doc.Delete, input: `<primitive id="p2"/>`},
	{op: doc.Delete, input: `<primitive id="P2"/>`},
	{op: doc.Delete, input: `<primitive id="p3" class="LSB"/>`},
	{op: doc.Delete, input: `<primitive id="p3" class="ocf"/>`},
	{op: doc.Delete, input: `<primitive/>`},
	{op: doc.Delete, section: "nodes", input: `<nodes><node id="1"/><node id="2"/></nodes>`},
	{op: doc.Delete, section: "nodes", input: `<primitive id="p1"/>`},
	{op: doc.Delete, section: "tags", input: `<tag id="p1"/>`},
	{op: doc.Delete, input: `<resources/>`},
	{op: doc.Delete, input: `<cib/>`},
	{op: doc.ApplyPatch, input: `<diff format="2"><version><source admin_epoch="1" epoch="4" num_updates="2"/><target admin_epoch="1" epoch="5" num_updates="0"/></version><change operation="delete" path="/cib/configuration/nodes/node[@id='1']"/></diff>`},
	{op: doc.ApplyPatch, input: `<diff format="2"><version><source admin_epoch="1" epoch="5" num_updates="2"/><target admin_epoch="1" epoch="6" num_updates="0"/></version></diff>`},
	{op: doc.ApplyPatch, input: `<diff format="2"><version><source admin_epoch="1" epoch="3" num_updates="2"/><target admin_epoch="1" epoch="6" num_updates="0"/></version></diff>`},
	{op: doc.ApplyPatch, input: `<diff format="2"><version><source admin_epoch="1" epoch="4" num_updates="2"/><target admin_epoch="1" epoch="5" num_updates="0"/></version><change operation="modify" path="/cib/x"/></diff>`},
}

// TestOperationsEqualCibadmin carries out named and random requests on a file
// with cibadmin and on the same CIB with doc: exit status and resulting CIB.
func TestOperationsEqualCibadmin(t *testing.T) {
	labtest.Need(t, cibadmin)
	for _, r := range named {
		t.Run(strings.Join(r.args(), " "), func(t *testing.T) {
			t.Parallel()
			compareOperation(t, parse(t, base), r)
		})
	}
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("random ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 3))
			cib := parse(t, base)
			for range 12 {
				cib = compareOperation(t, cib, randomRequest(rng, cib))
			}
		})
	}
}

// randomRequest takes an element of the CIB, changes it and asks for something with it.
func randomRequest(rng *rand.Rand, cib *xmltree.Node) request {
	var all []*xmltree.Node
	cib.Find(func(n *xmltree.Node) bool {
		if n != cib {
			all = append(all, n)
		}
		return false
	})
	in := all[rng.IntN(len(all))].Copy()
	for range rng.IntN(4) {
		mutate(rng, in)
	}
	if rng.IntN(2) == 0 {
		in.Set("id", fmt.Sprint("new", rng.IntN(5)))
	}
	ops := []doc.Op{doc.Create, doc.Modify, doc.Replace, doc.Delete}
	sections := []string{"", "nodes", "resources", "constraints", "crm_config", "configuration", "status", "op_defaults"}
	return request{ops[rng.IntN(4)], sections[rng.IntN(len(sections))], in.String(), rng.IntN(2) == 0}
}

func parse(t *testing.T, s string) *xmltree.Node {
	t.Helper()
	n, err := xmltree.ParseString(s, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// compareOperation returns the CIB after r.
func compareOperation(t *testing.T, cib *xmltree.Node, r request) *xmltree.Node {
	t.Helper()
	cib.StripText()
	file := save(t, t.TempDir(), "cib.xml", cib)
	cmd := exec.Command(cibadmin, r.args()...)
	cmd.Env = append(os.Environ(), "CIB_file="+file)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	req := doc.Request{Op: r.op, Section: r.section, CanCreate: r.create, ManageVersion: true}
	if r.input != "" {
		req.Input = parse(t, r.input)
	}
	before := cib.String()
	d := doc.New(cib.Copy())
	_, err = d.Do(req)
	var e *doc.Error
	status := 0
	if errors.As(err, &e) {
		status = cibadminStatus(e.Code)
	} else if err != nil {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Fatalf("%v\ncibadmin ends with %d: %s\nwe with %d: %v", r.args(), got, out, status, err)
	}
	want, got := load(t, file).AppendIndent(nil), d.Root().AppendIndent(nil)
	if !bytes.Equal(got, want) {
		t.Fatalf("%v on\n%s\n%s", r.args(), before, firstDifference(got, want))
	}
	return d.Root()
}

// cibadminStatus is the exit status for a code (results.c: pcmk_rc2exitc).
func cibadminStatus(c doc.Code) int {
	switch c {
	case 22:
		return 70
	case 42, doc.Unsupported:
		return 76
	case doc.NoSuch:
		return 105
	case doc.Exists:
		return 108
	case 205:
		return 103
	case doc.BadSchema:
		return 78
	}
	return 1
}
