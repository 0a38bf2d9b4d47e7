package explaincmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet/applettest"
	"github.com/pacesync/pacesync/internal/bz2"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const cib = `<cib admin_epoch="0" epoch="1" num_updates="0" crm_feature_set="3.16.1" validate-with="pacemaker-3.9" have-quorum="1" execution-date="1700000000"><configuration>
<crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="node1"/><node id="2" uname="node2"/></nodes>
<resources><primitive id="web" class="ocf" provider="heartbeat" type="Dummy"/></resources>
<constraints><rsc_location id="cli-ban-web-on-node2" rsc="web" node="node2" score="-INFINITY"/></constraints></configuration>
<status><node_state id="1" uname="node1" in_ccm="true" crmd="online" join="member" expected="member"/>
<node_state id="2" uname="node2" in_ccm="true" crmd="online" join="member" expected="member"/></status></cib>`

// run calls the program with a file of that content.
func run(t *testing.T, content string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return applettest.Run(Run, "explain", content, args...)
}

func TestAnswers(t *testing.T) {
	status, out, err := run(t, cib, "web", "--node", "node2", "-x", "-")
	if status != 0 || err != "" {
		t.Fatalf("status %d, %s", status, err)
	}
	for _, want := range []string{"web (primitive) is not running; it will be on node1 (Started).", "-INFINITY  location constraint cli-ban-web-on-node2",
		"crm_resource --clear --resource web --node node2"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if status, out, _ = run(t, cib, "-x", "-"); status != 0 || !strings.Contains(out, "web       on node1 (Started)  chosen: the only node that may run it\n") {
		t.Errorf("status %d, table:\n%s", status, out)
	}
}

func TestForms(t *testing.T) {
	for _, args := range [][]string{{"-x", "-"}, {"web", "-x", "-"}, {"web", "-N", "node2", "-x", "-"}} {
		status, out, err := run(t, cib, append(args, "--output-as=json")...)
		var v any
		if status != 0 || err != "" || json.Unmarshal([]byte(out), &v) != nil {
			t.Errorf("%v: status %d, %s\n%s", args, status, err, out)
		}
		status, out, err = run(t, cib, append(args, "--output-as=xml")...)
		x, bad := xmltree.ParseString(out, xmltree.Limits{})
		if status != 0 || err != "" || bad != nil || x.Child("explanation").Attr("resource") != "web" || x.Child("status").Attr("code") != "0" {
			t.Errorf("%v: status %d, %s\n%s", args, status, err, out)
		}
	}
}

func TestPacked(t *testing.T) {
	packed, err := bz2.Compress([]byte(cib), 9)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pe-input-1.bz2")
	if err := os.WriteFile(file, packed, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, stderr := run(t, "", "web", "-x", file); status != 0 || !strings.Contains(out, "node1") {
		t.Errorf("status %d, %s%s", status, out, stderr)
	}
}

func TestErrors(t *testing.T) {
	t.Setenv("CIB_file", filepath.Join(t.TempDir(), "none.xml"))
	for _, c := range []struct {
		content string
		args    []string
		status  int
		text    string
	}{
		{cib, []string{"wbe", "-x", "-"}, 105, "there is no resource 'wbe'; did you mean web?"},
		{cib, []string{"database", "-x", "-"}, 105, "there is no resource 'database'; there are web"},
		{cib, []string{"web", "-N", "nod2", "-x", "-"}, 105, "there is no node 'nod2'; did you mean node"},
		{cib, []string{"web", "db", "-x", "-"}, 64, "one resource at a time"},
		{cib, []string{"-N", "node1", "-x", "-"}, 64, "--node needs the name of a resource"},
		{cib, []string{"--nonsense"}, 64, "--nonsense"},
		{cib, []string{"web", "-x", "-", "-t", "gestern"}, 64, "--set-datetime"},
		{"<cib", []string{"web", "-x", "-"}, 65, "standard input is not XML that can be used"},
		{" ", []string{"web", "-x", "-"}, 65, "standard input is empty"},
		{"<status/>", []string{"web", "-x", "-"}, 65, "standard input holds <status>, not a whole CIB"},
		{"", []string{"web", "-x", filepath.Join(t.TempDir(), "missing.xml")}, 66, "no such file or directory"},
		{"", []string{"web"}, 66, "none.xml (CIB_file): no such file or directory"},
	} {
		status, out, err := run(t, c.content, c.args...)
		if status != c.status || !strings.Contains(err, c.text) || out != "" || !strings.HasPrefix(err, "pacesync explain: ") {
			t.Errorf("%v: status %d, want %d; %s%s", c.args, status, c.status, out, err)
		}
	}
	if status, out, _ := run(t, "", "--help"); status != 0 || !strings.Contains(out, "pe-input") {
		t.Errorf("help: status %d\n%s", status, out)
	}
}

// TestNoCluster says so where nothing answers and no file is named.
func TestNoCluster(t *testing.T) {
	t.Setenv("CIB_file", "") // so that it is as before afterwards
	os.Unsetenv("CIB_file")
	status, out, err := run(t, "", "web")
	if running := status == 0 || status == 105; running {
		return // a cluster answered; what it said is the business of the end-to-end tests
	}
	if status != 102 || out != "" || !strings.Contains(err, "no cluster answers on this node") {
		t.Errorf("status %d\n%s%s", status, out, err)
	}
}

// TestFaultyCIB explains what violates the schema, and names what does, however the
// CIB was named.
func TestFaultyCIB(t *testing.T) {
	faulty := strings.Replace(cib, `<primitive id="web"`, `<primitive colour="red" id="web"`, 1)
	file := filepath.Join(t.TempDir(), "cib.xml")
	if err := os.WriteFile(file, []byte(faulty), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CIB_file", file)
	for _, c := range []struct {
		args   []string
		source string
	}{{[]string{"web", "-x", file}, file + " "}, {[]string{"web"}, file + " (CIB_file) "}, {[]string{"web", "-x", "-"}, "standard input "}} {
		status, out, err := run(t, faulty, c.args...)
		if status != 0 || !strings.Contains(out, "node1") || !strings.Contains(err, c.source+"does not conform to its schema") || !strings.Contains(err, "attribute colour is not allowed") {
			t.Errorf("%q: status %d\n%s%s", c.args, status, out, err)
		}
	}
	t.Setenv("CIB_file", filepath.Join(filepath.Dir(file), "broken.xml"))
	if err := os.WriteFile(os.Getenv("CIB_file"), []byte("<cib"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, err := run(t, "", "web"); status != 65 || !strings.Contains(err, "broken.xml (CIB_file) is not XML that can be used") {
		t.Errorf("status %d\n%s", status, err)
	}
}
