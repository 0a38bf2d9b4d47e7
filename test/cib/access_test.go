package cib_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/cib/file"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// accessCIB makes a CIB with random rules for the user tony.
func accessCIB(rng *rand.Rand) string {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	var rules strings.Builder
	for i := range 1 + rng.IntN(4) {
		what := pick(`xpath="/cib"`, `xpath="//nodes"`, `xpath="//nvpair[@name='a']"`, `xpath="//primitive"`, `xpath="/cib/configuration"`, `xpath="//status"`, `xpath="//["`,
			`reference="p1"`, `reference="g1"`, `reference="1"`, `object-type="primitive"`, `object-type="nvpair"`, `object-type="node"`, `object-type="meta_attributes" attribute="id"`)
		fmt.Fprintf(&rules, `<acl_permission id="r%d" kind="%s" %s/>`, i, pick("read", "read", "write", "write", "deny"), what)
	}
	acls := `<acls><acl_target id="` + pick("tony", "tony", "other") + `"><role id="r"/></acl_target><acl_role id="r">` + rules.String() + `</acl_role></acls>`
	s := strings.Replace(base, `<crm_config>`, `<crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="e" name="enable-acl" value="`+pick("true", "true", "true", "false")+`"/></cluster_property_set>`, 1)
	return strings.Replace(s, "</configuration>", acls+"</configuration>", 1)
}

// accessCalls are requests of tony's, as options of cibadmin and as a call.
func accessCall(rng *rand.Rand, cib string) ([]string, client.Call) {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	input := pick(`<node id="1" uname="z"/>`, `<node id="5"/>`, `<node id="5" uname="z"/>`, `<primitive id="p1"><meta_attributes id="p1-m"><nvpair id="p1-m-1" name="a" value="9"/></meta_attributes></primitive>`,
		`<primitive id="p1"><meta_attributes id="new"/></primitive>`, `<primitive id="p2" class="ocf" type="other"/>`, `<group id="g1"><primitive id="p9" class="lsb"/></group>`,
		`<nvpair id="opts-a" name="a" value="2"/>`, `<nodes/>`)
	expr := pick("//nvpair", "//primitive", "//node[@id='1']", "//meta_attributes", "//group/primitive", "/cib", "//acls")
	op := pick(client.Query, client.Query, client.Modify, client.Create, client.Replace, client.Delete, "cib_bump", "cib_erase")
	call := client.Call{Op: op, User: "tony"}
	flag := map[string]string{client.Query: "-Q", client.Modify: "-M", client.Create: "-C", client.Replace: "-R", client.Delete: "-D", "cib_bump": "-B", "cib_erase": "-E"}[op]
	args := []string{flag, "--force", "-U", "tony"}
	switch {
	case op == "cib_bump" || op == "cib_erase":
		return args, call
	case rng.IntN(3) == 0 && op != client.Create && (op != client.Replace || expr != "/cib"):
		args = append(args, "-A", expr)
		call.Section, call.Options = expr, client.XPath
	case op == client.Query:
		call.Section = pick("", "resources", "nodes")
	case op == client.Create || rng.IntN(2) == 0:
		call.Section = pick("nodes", "resources", "status")
	}
	if call.Section != "" && call.Options == 0 {
		args = append(args, "-o", call.Section)
	}
	if op == client.Replace && call.Section == "" && rng.IntN(2) == 0 {
		input = strings.NewReplacer(`uname="n1"`, `uname="`+pick("n1", "zz")+`"`, `epoch="4"`, `epoch="9"`, "<primitive id=\"p2\"", pick("<primitive id=\"p2\"", "<primitive id=\"p7\"")).Replace(cib)
	}
	if op != client.Query {
		args = append(args, "-X", input)
		call.Data = xmltree.New("later") // made by the caller
		call.Data.Name = input
	}
	return args, call
}

// TestAccessEqualsCibadmin has a user read and change a file under random rules,
// with Debian's cibadmin and with ours.
func TestAccessEqualsCibadmin(t *testing.T) {
	labtest.Need(t, cibadmin)
	testneed.Root(t, "to act for others")
	rounds := uint64(150)
	if os.Getenv("E2E_LONG") != "" {
		rounds = 3000
	}
	for seed := range rounds {
		rng := rand.New(rand.NewPCG(seed, 17))
		text := accessCIB(rng)
		args, call := accessCall(rng, text)
		if call.Data != nil {
			call.Data = parse(t, call.Data.Name)
		}
		dir := t.TempDir()
		theirs, ours := filepath.Join(dir, "theirs.xml"), filepath.Join(dir, "ours.xml")
		if err := errors.Join(os.WriteFile(theirs, []byte(text), 0o600), os.WriteFile(ours, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(cibadmin, args...)
		cmd.Env = append(os.Environ(), "CIB_file="+theirs)
		var out, complaint bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaint
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if cmd.ProcessState.ExitCode() < 0 {
			continue // rules that deny what lies in what they deny: the original frees it twice
		}
		f, err := file.Open(ours)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := f.Do(context.Background(), call)
		var rc pcmk.RC
		if !errors.As(err, &rc) && err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		said := ""
		if answer != nil && rc == pcmk.OK {
			said = string(answer.AppendPacemaker(nil, xmltree.TextOptions{Format: true}))
		}
		wantFile, gotFile := load(t, theirs).String(), load(t, ours).String()
		want := out.String()
		if cmd.ProcessState.ExitCode() != 0 {
			want = ""
		}
		if int(rc.Exit()) != cmd.ProcessState.ExitCode() || said != want || wantFile != gotFile {
			t.Errorf("seed %d: %q on\n%s\ntheirs %d %s %s\n%s\nours %v %s\n%s", seed, args, text, cmd.ProcessState.ExitCode(), complaint.String(), want, wantFile, rc, said, gotFile)
		}
	}
}

// TestShowAccess has Debian's cibadmin and ours tell what a user may do by random
// rules, in every form of the answer and of the request.
func TestShowAccess(t *testing.T) {
	labtest.Need(t, cibadmin)
	testneed.Root(t, "to see a CIB without limits")
	path := filepath.Join(t.TempDir(), "cib.xml")
	t.Setenv("CIB_file", path)
	compare := func(cib string, args ...string) {
		if err := os.WriteFile(path, []byte(cib), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, want := cibadmins(t, path, args); got != want {
			t.Errorf("cibadmin %q on\n%s\n ours   %+v\n theirs %+v", args, cib, got, want)
		}
	}
	rounds := uint64(15)
	if os.Getenv("E2E_LONG") != "" {
		rounds = 1000
	}
	for seed := range rounds {
		rng := rand.New(rand.NewPCG(seed, 18))
		cib := accessCIB(rng)
		if rng.IntN(2) == 0 {
			cib = strings.Replace(cib, "<nodes>", "<!-- first --><nodes><!--second-->", 1)
			cib = strings.Replace(cib, `name="a"`, `name="&lt;a&gt;&amp;&quot;&#10;'"`, 1)
		}
		compare(cib, "-Q", "-U", "tony", "--show-access="+[]string{"text", "color", "namespace"}[rng.IntN(3)])
	}
	cib := accessCIB(rand.New(rand.NewPCG(1, 18)))
	for _, line := range []string{"-S -Q -U tony -o nodes", "-S -Q -U tony -A //node", "-S -Q -U nobody", "-S -Q -U root", "-S -Q -U a<b", "-S -Q -U hacluster",
		"-S -Q", "-S -U tony", "-S -B -U tony", "-S -Q -U tony -X <a/>", "-S -Q -U tony -e -A //node", "-S -Q -U tony -A //nothing", "-Q -S text -U tony",
		"-S -Q -U tony -n", "-S -5 -U tony", "--show-access= -Q -U tony", "-S -M -U tony -X <node/>", "-Q --show-access=color --show-access=auto -U tony -A //acls"} {
		compare(cib, strings.Fields(line)...)
	}
	compare(cib, "-S", "-Q", "-U", "")
	for _, schema := range []string{"pacemaker-1.2", "pacemaker-2.0", "none", "pacemaker-9.9"} {
		compare(strings.Replace(cib, `validate-with="`, `validate-with="`+schema+`" was="`, 1), "-S", "-Q", "-U", "tony")
	}
}
