package pengine_test

import (
	"errors"
	"testing"

	"github.com/pacesync/pacesync/internal/cibstory"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
)

// TestEntries: what each of the entries decides, and what it leaves alone.
func TestEntries(t *testing.T) {
	in := pengine.Input{Now: iso8601.Time{Unix: 1700000000}, CIB: cibstory.Make(t, dummy("a")+
		`<did node="n1" rsc="a" op="start"/><rsc_location id="l" rsc="a" node="n2" score="7"/><rsc_location id="k" rsc="a" node="n1" score="-INFINITY"/>`+
		`<node_state id="n2" uname="n2" in_ccm="false" crmd="offline" join="down" expected="down"/>`)}
	before := in.CIB.String()
	status, err := pengine.Status(in)
	if err != nil {
		t.Fatal(err)
	}
	if a := status.Cluster.Find("a"); len(a.RunningOn) != 1 || len(status.Cluster.Locations) != 0 || status.Graph != nil {
		t.Errorf("the state holds %+v", a)
	}
	status.Constraints()
	if n := len(status.Cluster.Locations); n != 2 {
		t.Errorf("%d constraints are listed, not 2", n)
	}
	where, err := pengine.Locations(in)
	if err != nil {
		t.Fatal(err)
	}
	a := where.Cluster.Find("a")
	if len(a.RunningOn) != 0 || a.Allowed.Get(where.Cluster.Node("n2")).Score != 7 || a.Allowed.Get(where.Cluster.Node("n1")).Score.String() != "-INFINITY" {
		t.Errorf("the places hold what is going on, or not what is wished: %+v", a)
	}
	in.CheckOnly = true
	checked, err := pengine.Run(in)
	if err != nil || checked.Graph != nil || checked.Changes != nil || len(checked.Cluster.Locations) != 2 {
		t.Errorf("a check decided: %+v, %v", checked, err)
	}
	if in.CIB.String() != before {
		t.Error("the CIB was changed")
	}
}

func TestNoCIB(t *testing.T) {
	for _, cib := range []*xmltree.Node{nil, xmltree.New("configuration")} {
		_, e1 := pengine.Run(pengine.Input{CIB: cib})
		_, e2 := pengine.Locations(pengine.Input{CIB: cib})
		_, e3 := pengine.Status(pengine.Input{CIB: cib})
		for _, err := range []error{e1, e2, e3} {
			if !errors.Is(err, pengine.ErrNoCIB) {
				t.Errorf("%v of %v", err, cib)
			}
		}
	}
}
