package pengine

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

var flagRewrite = flag.Bool("rewrite", false, "write what ours says about the CIBs of the classes")

// class is a kind of CIB on which the original fails and ours has an answer. There
// is one of each in testdata/classes, more where there are several ways into it,
// and a line in docs/compatibility.md.
type class struct {
	name   string
	faults []string                 // how what the original says of itself begins
	cause  func(*xmltree.Node) bool // nil where the fault says enough
}

func classes() []class {
	return []class{
		{"missing-node", []string{"pe_node_attribute_calculated: ", "add_sort_index_to_node_weight: "}, nil},
		{"migration-record", []string{"unpack_migrate_to_success: ", "unpack_migrate_to_failure: ", "unpack_migrate_from_failure: "}, nil},
		{"order-after-itself", []string{"order_actions: "}, nil},
		{"unique-clone-history", []string{"add_resource_details: "}, nil},
		{"found-twice", []string{"find_anonymous_clone: ", "find_existing_action: "}, nil},
		{"display-of-missing-action", []string{"write_sim_dotfile: ", "rsc_action_item: "}, nil},
		{"simulation-refused", []string{"pcmk__inject_node: ", "simulate_resource_action: ", "simulate_fencing_action: "}, nil},
		{"version-of-words", []string{endless}, comparesVersions},
		{"replica-history-recursion", []string{"segmentation fault"}, hasGuests},
		{"schema-words", []string{invalid}, nil}, // no fault: libxml2's words for what is wrong
	}
}

func comparesVersions(cib *xmltree.Node) bool {
	return cib.Find(func(n *xmltree.Node) bool { return n.Name == "expression" && n.Attr("type") == "version" }) != nil
}

func hasGuests(cib *xmltree.Node) bool {
	return cib.Find(func(n *xmltree.Node) bool { return n.Name == "bundle" || n.Attr("name") == "remote-node" }) != nil
}

// classOf names the classes of all the faults of the original, empty when it has none
// or one that is in no class.
func classOf(v verdict, cib *xmltree.Node) string {
	var names []string
	for _, f := range v.faults {
		i := slices.IndexFunc(classes(), func(c class) bool {
			return slices.ContainsFunc(c.faults, func(begin string) bool { return strings.HasPrefix(f, begin) }) && (c.cause == nil || c.cause(cib))
		})
		if i < 0 {
			return ""
		}
		if name := classes()[i].name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// TestClasses shows of each class how the original fails and what ours says.
func TestClasses(t *testing.T) {
	labtest.Need(t, original)
	doc := text("../../docs/compatibility.md")
	all := classes()
	if len(all) > 10 {
		t.Errorf("%d classes, more than ten", len(all))
	}
	for _, c := range all {
		if !strings.Contains(doc, "`"+c.name+"`") {
			t.Errorf("%s is not in docs/compatibility.md", c.name)
		}
		files, err := filepath.Glob(filepath.Join("testdata", "classes", c.name+"*.xml"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s has no CIB: %v", c.name, err)
		}
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".xml"), func(t *testing.T) { c.shown(t, file) })
		}
	}
}

// shown holds one CIB of a class to what it stands for.
func (c class) shown(t *testing.T, file string) {
	how := full(t.TempDir())
	how.cpu = 1
	v := how.file(file)
	if got := classOf(v, parse(t, file)); got != c.name {
		t.Errorf("class %q: %q", got, v.faults)
	}
	mine := how.said(ours, file, 0)
	if mine.status != 0 && mine.status != how.said(how.originals, file, 0).status {
		t.Errorf("ours ends with %d: %s", mine.status, mine.stderr)
	}
	golden := strings.TrimSuffix(file, ".xml") + ".out"
	if *flagRewrite {
		if err := os.WriteFile(golden, []byte(mine.stdout), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := text(golden); mine.stdout != want {
		t.Errorf("ours says%s", firstDifference(want, mine.stdout))
	}
}
