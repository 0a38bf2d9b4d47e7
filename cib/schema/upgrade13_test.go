package schema

import (
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

func TestUpgradeTo20(t *testing.T) {
	for _, c := range []struct{ in, want, remarks string }{
		{`<cib validate-with="pacemaker-1.3" epoch="4"><!--c--><status/></cib>`, `<cib validate-with="pacemaker-2.0" epoch="4"><!--c--><status/></cib>`, ""},
		{`<acls><acl_user id="u"><role_ref id="r"/></acl_user></acls>`, `<acls><acl_target id="u"><role id="r"/></acl_target></acls>`, ""},
		{`<acls><acl_user id="u"/></acls>`, `<acls><acl_target id="u"/></acls>`, ""},
		{`<acls><acl_user id="u"><read id="a" xpath="//x"/><deny id="b" xpath="//y" attribute="z"/></acl_user></acls>`,
			`<acls><acl_target id="u"><role id="auto-u"/></acl_target><acl_role id="auto-u"><acl_permission id="a" kind="read" xpath="//x"/>` +
				`<acl_permission id="b" kind="deny" xpath="//y[@z]"/></acl_role></acls>`, "ACLs: @attribute (with @xpath) handling generalized a bit for upgrade-1.3.xsl purposes"},
		{`<acl_role id="r"><write id="a" tag="nvpair" ref="q" attribute="v"/><read id="b" tag="nvpair" attribute="v"/></acl_role>`,
			`<acl_role id="r"><acl_permission id="a" kind="write" reference="q"/><acl_permission id="b" kind="read" object-type="nvpair" attribute="v"/></acl_role>`,
			"ACLs: @attribute cannot accompany @ref for upgrade-1.3.xsl purposes, ignoring; ACLs: @attribute (with @tag) handling generalized a bit for upgrade-1.3.xsl purposes"},
	} {
		root, err := xmltree.ParseString(c.in, xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got, remarks := UpgradeTo20(root)
		if got.String() != c.want || said(remarks) != c.remarks {
			t.Errorf("%s\n got %s\nwant %s\nremarks %q", c.in, got, c.want, remarks)
		}
		if root.String() != c.in {
			t.Errorf("the input became %s", root)
		}
	}
	if _, _, err := Step(Version{Name: "pacemaker-3.10", Transform: "upgrade-3.10"}, xmltree.New("cib")); err == nil {
		t.Error("a step that is not built in")
	}
}
