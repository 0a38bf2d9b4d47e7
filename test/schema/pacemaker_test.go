package schema

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func load(t testing.TB) *schema.Set {
	t.Helper()
	set, err := schemafiles.Load(schemafiles.Dir())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestVerdictsOfCrmVerify compares whether crm_verify finds a CIB valid, over
// all ways in which a CIB names its schema.
func TestVerdictsOfCrmVerify(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_verify")
	const most = 30
	files, set, rnd := cases(t), load(t), rand.New(rand.NewPCG(1, 5))
	valid := 0
	for i := range most {
		root := parse(t, files[rnd.IntN(len(files))])
		switch names := set.Versions(); rnd.IntN(8) {
		case 0:
			root.Set("validate-with", names[rnd.IntN(len(names))].Name)
		case 1:
			root.Unset("validate-with")
		case 2:
			root.Set("validate-with", []string{"pacemaker-9.9", "PACEMAKER-3.9", "NONE", "transitional-0.6", "pacemaker"}[rnd.IntN(5)])
		}
		if rnd.IntN(3) > 0 {
			mutate(rnd, root)
		}
		file := filepath.Join(t.TempDir(), fmt.Sprintf("%d.xml", i))
		if err := os.WriteFile(file, root.Append(nil), 0o644); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command("/usr/sbin/crm_verify", "-V", "-x", file).CombinedOutput()
		want := !strings.Contains(string(out), "CIB did not pass schema validation")
		name := root.Attr("validate-with")
		faults := set.Validate(root)
		if got := len(faults) == 0; got != want {
			t.Errorf("validate-with=%q: crm_verify says %v, we say %v\n%v\n%.600s", name, want, got, faults, out)
		}
		if want {
			valid++
		}
	}
	t.Logf("%d of %d valid", valid, most)
	if valid < most/5 || valid > most*4/5 {
		t.Errorf("%d of %d valid: too one-sided to show anything", valid, most)
	}
}

// xsltproc applies the installed stylesheets of a step.
func xsltproc(t *testing.T) schema.Transformer {
	return func(step schema.Version, root *xmltree.Node) (*xmltree.Node, []schema.Remark, error) {
		for _, sheet := range []string{step.Enter, step.Transform, step.Leave} {
			if sheet == "" {
				continue
			}
			cmd := exec.Command("/usr/bin/xsltproc", filepath.Join(schemafiles.Dir(), sheet+".xsl"), "-")
			cmd.Stdin = strings.NewReader(root.String())
			out, err := cmd.Output()
			if err != nil {
				return nil, nil, err
			}
			if root, err = xmltree.Parse(out, xmltree.Limits{}); err != nil {
				return nil, nil, err
			}
		}
		return root, nil, nil
	}
}

// TestUpgradePath compares which schema a CIB is brought to with what cibadmin
// does, the steps themselves made by xsltproc.
func TestUpgradePath(t *testing.T) {
	labtest.Need(t, "/usr/sbin/cibadmin", "/usr/bin/xsltproc")
	const most = 12
	files, set, rnd := cases(t), load(t), rand.New(rand.NewPCG(3, 5))
	reached := map[string]int{}
	for i := range most {
		root := parse(t, files[rnd.IntN(len(files))])
		set.Validate(root) // a CIB without validate-with becomes one with none, as cibadmin has it
		names := set.Versions()
		root.Set("validate-with", names[rnd.IntN(set.Latest()+1)].Name)
		if len(set.Validate(root)) > 0 {
			continue // cibadmin does not read it
		}
		file := filepath.Join(t.TempDir(), fmt.Sprintf("%d.xml", i))
		if err := os.WriteFile(file, root.Append(nil), 0o644); err != nil {
			t.Fatal(err)
		}
		was := root.Attr("validate-with")
		cmd := exec.Command("/usr/sbin/cibadmin", "--upgrade", "--force")
		cmd.Env = append(os.Environ(), "CIB_file="+file)
		out, _ := cmd.CombinedOutput()
		want := parse(t, file).Attr("validate-with")
		got := set.Upgrade(root, 0, xsltproc(t))
		reached[was+" to "+want]++
		if got.CIB.Attr("validate-with") != want {
			t.Errorf("from %s: cibadmin comes to %s, we to %s (outcome %d)\n%.300s", was, want, got.CIB.Attr("validate-with"), got.Outcome, out)
		}
	}
	t.Log(reached)
	if len(reached) < 6 {
		t.Error("too few different upgrades to show anything")
	}
}
