package patch

import (
	"errors"
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

const (
	before1 = `<cib admin_epoch="0" epoch="5" num_updates="3"><configuration><nodes><node id="1" uname="a" gone="1" x="1"/><node id="2" uname="b"/><!--old--></nodes><resources><primitive id="p1" a="1"><op id="o"/></primitive><primitive id="p2"/></resources></configuration><status/></cib>`
	after1  = `<cib admin_epoch="0" epoch="6" num_updates="3"><configuration><nodes><node id="1" x="2" uname="a"/><node id="3" uname="b"/><!--new--></nodes><resources><primitive id="p1"><op id="o"/></primitive><primitive id="p2" b="1"/></resources></configuration><status/></cib>`
)

// As crm_diff 2.1.5 prints it for the two, with the attributes that are gone among
// those that are new; test/cib compares many more.
const between1 = `<diff crm_feature_set="3.16.1" format="1" digest="37f74cca46434b0933b4efb871477cce">
  <diff-removed admin_epoch="0" epoch="5" num_updates="3">
    <cib epoch="5" admin_epoch="0" num_updates="3">
      <configuration>
        <nodes>
          <node id="1" gone="1" x="1"/>
          <node id="2" uname="b" __crm_diff_marker__="removed:top"/>
          <!--old-->
        </nodes>
        <resources>
          <primitive id="p1" a="1"/>
        </resources>
      </configuration>
    </cib>
  </diff-removed>
  <diff-added admin_epoch="0" epoch="6" num_updates="3">
    <cib admin_epoch="0" epoch="6" num_updates="3">
      <configuration>
        <nodes>
          <node id="1" x="2" uname="a" gone="1"/>
          <node id="3" uname="b" __crm_diff_marker__="added:top"/>
          <!--new-->
        </nodes>
        <resources>
          <primitive id="p2" b="1"/>
        </resources>
      </configuration>
    </cib>
  </diff-added>
</diff>
`

func TestPatch1Text(t *testing.T) {
	d, err := Compare(parse(t, before1), parse(t, after1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(d.Document().AppendPacemaker(nil, xmltree.TextOptions{Format: true})); got != between1 {
		t.Errorf("got\n%s\nwant\n%s", got, between1)
	}
	// For want of a way to tell that attributes are gone, it does not lead to the target.
	_, err = Apply(parse(t, before1), parse(t, between1), true)
	var e *Error
	if !errors.As(err, &e) || e.Code != DiffFailed {
		t.Errorf("applied: %v", err)
	}
	if _, err = Apply(parse(t, after1), parse(t, between1), true); !errors.As(err, &e) || e.Code != OldData {
		t.Errorf("applied to what it leads to: %v", err)
	}
}

// TestPatch1 applies what format 1 can tell: new and gone elements, new values.
func TestPatch1(t *testing.T) {
	const from = `<cib epoch="1"><a><b id="1" x="1"/><b id="2"/></a></cib>`
	const to = `<cib epoch="2"><a><b id="1" x="2"/><b id="3"><c/></b></a></cib>`
	d, err := Compare(parse(t, from), parse(t, to), Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Apply(parse(t, from), d.Document(), true)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != to {
		t.Errorf("got %s", got)
	}
	p := d.Document()
	StripVersions(p)
	if p.Unset("digest"); versioned(p) != nil {
		t.Errorf("a version is left: %s", p)
	}
	two := parse(t, `<diff><diff-removed><cib/><cib/></diff-removed></diff>`)
	var e *Error
	if _, err := Apply(parse(t, from), two, false); !errors.As(err, &e) || e.Code != notUnique {
		t.Errorf("two trees: %v", err)
	}
	none := parse(t, `<diff><diff-removed><cib __crm_diff_marker__="removed:top"/></diff-removed></diff>`)
	if _, err := Apply(parse(t, from), none, false); !errors.As(err, &e) || e.Code != DiffFailed {
		t.Errorf("nothing left: %v", err)
	}
}

// versioned is the first element that still has a version.
func versioned(p *xmltree.Node) *xmltree.Node {
	return p.Find(func(n *xmltree.Node) bool {
		_, ok := n.Get("epoch")
		return ok
	})
}
