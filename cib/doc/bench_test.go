package doc

import (
	"fmt"
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// large is a CIB of n resources with two operations each in the history of one node.
func large(n int) *xmltree.Node {
	cib := Empty("none")
	rs := cib.Path("configuration", "resources")
	history := cib.Child("status").AddNew("node_state", xmltree.Attr{Name: "id", Value: "1"}, xmltree.Attr{Name: "uname", Value: "n1"}).
		AddNew("lrm", xmltree.Attr{Name: "id", Value: "1"}).AddNew("lrm_resources")
	for i := range n {
		id := fmt.Sprintf("rsc%d", i)
		p := rs.AddNew("primitive", xmltree.Attr{Name: "id", Value: id}, xmltree.Attr{Name: "class", Value: "ocf"}, xmltree.Attr{Name: "provider", Value: "pacemaker"}, xmltree.Attr{Name: "type", Value: "Dummy"})
		p.AddNew("operations").AddNew("op", xmltree.Attr{Name: "id", Value: id + "-m"}, xmltree.Attr{Name: "name", Value: "monitor"}, xmltree.Attr{Name: "interval", Value: "10s"})
		r := history.AddNew("lrm_resource", xmltree.Attr{Name: "id", Value: id}, xmltree.Attr{Name: "type", Value: "Dummy"}, xmltree.Attr{Name: "class", Value: "ocf"})
		for _, op := range []string{"start_0", "monitor_10000"} {
			r.AddNew("lrm_rsc_op", xmltree.Attr{Name: "id", Value: id + "_" + op}, xmltree.Attr{Name: "operation_key", Value: id + "_" + op}, xmltree.Attr{Name: "operation", Value: "start"},
				xmltree.Attr{Name: "transition-key", Value: "5:1:0:3e0ba40a-7c8a-4c5b-8f2a-0f6d2e3a1b2c"}, xmltree.Attr{Name: "rc-code", Value: "0"}, xmltree.Attr{Name: "op-digest", Value: "f2317cad3d54cec5d7d7aa7d0bf35cf8"})
		}
	}
	return cib
}

func BenchmarkModify(b *testing.B) {
	for _, n := range []int{100, 2600} {
		for _, c := range []struct{ section, input string }{
			{"status", `<status><node_state id="1"><lrm id="1"><lrm_resources><lrm_resource id="rsc50"><lrm_rsc_op id="rsc50_monitor_10000" rc-code="%d"/></lrm_resource></lrm_resources></lrm></node_state></status>`},
			{"resources", `<primitive id="rsc50" description="%d"/>`},
		} {
			b.Run(fmt.Sprintf("%s/%d", c.section, n), func(b *testing.B) {
				d := New(large(n))
				b.ReportAllocs()
				i := 1
				for b.Loop() {
					in, err := xmltree.ParseString(fmt.Sprintf(c.input, i), xmltree.Limits{})
					if err != nil {
						b.Fatal(err)
					}
					i++
					res, err := d.Do(Request{Op: Modify, Section: c.section, Input: in, ManageVersion: true})
					if err != nil || !res.Changed {
						b.Fatal(err, res.Changed)
					}
				}
			})
		}
	}
}
