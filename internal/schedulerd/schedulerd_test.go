package schedulerd

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/unpack"
)

// TestMetadataAsInstalled compares with the original.
func TestMetadataAsInstalled(t *testing.T) {
	if got := metadata(); got != testneed.Output(t, "/usr/lib/pacemaker/"+program, "metadata") {
		t.Errorf("metadata differs:\n%s", got)
	}
}

// TestDefaultsAreThoseOfTheEngine: what is described is what applies.
func TestDefaultsAreThoseOfTheEngine(t *testing.T) {
	engine := unpack.Options()
	for i, o := range options() {
		if i >= len(engine) || engine[i].Name != o.Name || engine[i].Default != o.Default {
			t.Errorf("option %d: %s=%s is not the engine's", i, o.Name, o.Default)
		}
	}
}

// cibText is a CIB with one node and nothing to do; %s is its options.
const cibText = `<cib validate-with="pacemaker-3.0" crm_feature_set="3.16.1" epoch="1" num_updates="0" admin_epoch="0" have-quorum="1">` +
	`<configuration><crm_config><cluster_property_set id="o">%s</cluster_property_set></crm_config><nodes><node id="1" uname="n1"/></nodes>` +
	`<resources/><constraints/></configuration><status/></cib>`

func option(name, value string) string {
	return `<nvpair id="o-` + name + `" name="` + name + `" value="` + value + `"/>`
}

func testComputer(t *testing.T) *computer {
	set := schema.NewSet([]string{"pacemaker-2.10.rng", "pacemaker-3.0.rng", "pacemaker-3.9.rng", "upgrade-2.10.xsl"}, func(string) ([]byte, error) { return nil, os.ErrNotExist })
	return &computer{dir: t.TempDir(), now: func() time.Time { return time.Unix(1_700_000_000, 0) }, schemas: set, log: daemonkit.DiscardLog()}
}

func ask(t *testing.T, c *computer, cib string) *xmltree.Node {
	t.Helper()
	n, err := xmltree.ParseString(cib, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return c.compute(crmipc.NewRequest("pe_calc", "", "pengine", "crmd", "", n))
}

// TestOldConfiguration has one that must be upgraded before it can be computed, and
// one that cannot be.
func TestOldConfiguration(t *testing.T) {
	c := testComputer(t)
	c.schemas = schema.Builtin()
	old := strings.Replace(fmt.Sprintf(cibText, option("stonith_enabled", "false")+option("transition_idle_timeout", "42s")), "pacemaker-3.0", "pacemaker-2.10", 1)
	if g := crmipc.Data(ask(t, c, old)); g == nil || g.Attr("cluster-delay") != "42s" {
		t.Errorf("%s", g)
	}
	bad := ask(t, c, strings.Replace(old, "<constraints/>", "<bogus/>", 1))
	if g := crmipc.Data(bad); bad.Attr("config-errors") != "1" || g.First != nil {
		t.Errorf("it does not conform: %s", bad)
	}
}

func TestCompute(t *testing.T) {
	c := testComputer(t)
	quiet := fmt.Sprintf(cibText, option("stonith-enabled", "false"))
	first := ask(t, c, quiet)
	if got, want := first.Attr("crm-tgraph-in"), c.dir+"/pe-input-0.bz2"; got != want {
		t.Errorf("input %q, want %q\n%s", got, want, first)
	}
	if g := crmipc.Data(first); g == nil || g.Name != "transition_graph" || g.Attr("transition_id") != "0" {
		t.Errorf("graph: %s", g)
	}
	again := ask(t, c, quiet)
	if again.Attr("crm-tgraph-in") != first.Attr("crm-tgraph-in") || crmipc.Data(again).Attr("transition_id") != "1" {
		t.Errorf("the same input is saved once: %s", again)
	}
	other := ask(t, c, fmt.Sprintf(cibText, option("stonith-enabled", "false")+option("x", "y")))
	if got, want := other.Attr("crm-tgraph-in"), c.dir+"/pe-input-1.bz2"; got != want {
		t.Errorf("input %q, want %q", got, want)
	}
	none := ask(t, c, fmt.Sprintf(cibText, option("stonith-enabled", "false")+option("pe-input-series-max", "0")))
	if _, has := none.Get("crm-tgraph-in"); has {
		t.Errorf("nothing is to be saved: %s", none)
	}
	bad := ask(t, c, `<cib validate-with="pacemaker-2.10"><configuration/></cib>`)
	if g := crmipc.Data(bad); bad.Attr("config-errors") != "1" || g.Attr("cluster-delay") != "0" || g.First != nil {
		t.Errorf("a configuration of no known schema: %s", bad)
	}
	if got := c.compute(crmipc.NewRequest("pe_calc", "", "pengine", "crmd", "", nil)); got != nil {
		t.Errorf("a request without CIB: %s", got)
	}
}
