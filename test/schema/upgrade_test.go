package schema

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// TestUpgradeTo20 compares the step from 1.3 with the installed stylesheet, on
// random ACLs, valid and not, within real CIBs.
func TestUpgradeTo20(t *testing.T) {
	labtest.Need(t, "/usr/bin/xsltproc")
	files, set, rnd := cases(t), load(t), rand.New(rand.NewPCG(1, 3))
	step := set.Versions()[set.Find("pacemaker-1.3")]
	apply := xsltproc(t)
	valid := 0
	for range 120 {
		root := parse(t, files[rnd.IntN(len(files))])
		root.Set("validate-with", "pacemaker-1.3")
		if c := root.Child("configuration"); c != nil {
			c.Add(acls(rnd))
		}
		if rnd.IntN(4) == 0 {
			mutate(rnd, root)
		}
		before := root.String()
		want, _, err := apply(step, root)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := schema.Step(step, root)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Append(nil), want.Append(nil)) {
			t.Fatalf("differs\n got %s\nwant %s", got.Child("configuration").Child("acls"), want.Child("configuration").Child("acls"))
		}
		if len(set.ValidateWith(want, set.Find("pacemaker-2.0"))) == 0 {
			valid++
		}
		if root.String() != before {
			t.Fatal("the input changed")
		}
	}
	t.Logf("%d of 120 valid in 2.0", valid)
}

// TestRemarksOfTo20 compares what is said during the step.
func TestRemarksOfTo20(t *testing.T) {
	labtest.Need(t, "/usr/bin/xsltproc")
	rnd := rand.New(rand.NewPCG(2, 3))
	for range 20 {
		root := acls(rnd)
		cmd := exec.Command("/usr/bin/xsltproc", "/usr/share/pacemaker/upgrade-1.3.xsl", "-")
		var said bytes.Buffer
		cmd.Stdin, cmd.Stderr = strings.NewReader(root.String()), &said
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		_, remarks := schema.UpgradeTo20(root)
		if got := told(remarks); got != said.String() {
			t.Errorf("%s\n got %s\nwant %s", root, got, said.String())
		}
	}
}

// told is what a tool shows of the remarks.
func told(remarks []schema.Remark) string {
	var b strings.Builder
	for _, r := range remarks {
		b.WriteString(r.String() + "\n")
	}
	return b.String()
}

func acls(rnd *rand.Rand) *xmltree.Node {
	all := xmltree.New("acls")
	for i := range rnd.IntN(6) {
		id := xmltree.Attr{Name: "id", Value: fmt.Sprintf("acl-%d", i)}
		n := all.AddNew([]string{"acl_user", "acl_user", "acl_role"}[rnd.IntN(3)], id)
		refs := rnd.IntN(3) == 0
		for j := range rnd.IntN(4) {
			id := xmltree.Attr{Name: "id", Value: fmt.Sprintf("acl-%d-%d", i, j)}
			if refs || rnd.IntN(12) == 0 {
				n.AddNew("role_ref", id)
				continue
			}
			p := n.AddNew([]string{"read", "write", "deny"}[rnd.IntN(3)], id)
			for _, name := range []string{"tag", "ref", "xpath", "attribute"} {
				if rnd.IntN(5) < 2 {
					p.Set(name, "v"+name)
				}
			}
		}
	}
	return all
}
