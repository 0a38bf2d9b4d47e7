package schema

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// texts are schema files of a test.
type texts map[string]string

func (f texts) open(name string) ([]byte, error) {
	if text, ok := f[name]; ok {
		return []byte(text), nil
	}
	return nil, errors.New("no such file")
}

const head = `<grammar xmlns="http://relaxng.org/ns/structure/1.0" datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">`

// zoo is a small grammar of everything.
func zoo() texts {
	return texts{
		"zoo.rng": head + `
<include href="lib/animals.rng"><define name="food"><attribute name="food"><choice><value>hay</value><value>fish</value></choice></attribute></define></include>
<start><element name="zoo"><attribute name="id"><data type="ID"/></attribute>
 <optional><attribute name="open"><data type="boolean"/></attribute></optional>
 <interleave><zeroOrMore><ref name="animal"/></zeroOrMore><optional><element name="shop"><text/></element></optional>
 <optional><element name="box"><externalRef href="lib/any.rng"/></element></optional></interleave></element></start>
</grammar>`,
		"lib/animals.rng": head + `
<start combine="choice"><notAllowed/></start>
<define name="food" combine="choice"><notAllowed/></define>
<define name="animal" combine="choice"><element name="elephant"><ref name="beast"/></element></define>
<define name="animal" combine="choice"><element name="seal"><ref name="beast"/><element name="pool"><data type="positiveInteger"/></element></element></define>
<define name="animal" combine="choice"><element name="pair"><attribute name="size"><list><data type="integer"/><data type="integer"/></list></attribute>
 <group><ref name="animal"/><ref name="animal"/></group></element></define>
<define name="beast"><attribute name="id"><data type="ID"/></attribute><ref name="food"/>
 <optional><choice><attribute name="of"><data type="IDREF"/></attribute><group><attribute name="age"><data type="nonNegativeInteger"><param name="maxInclusive">90</param></data></attribute>
 <attribute name="name"><data type="string"><param name="pattern">[a-z\-]+</param><param name="maxLength">5</param><except><value>max</value></except></data></attribute></group></choice></optional></define>
</grammar>`,
		"lib/any.rng": head + `<start><ref name="any"/></start><define name="any"><zeroOrMore><choice><text/><attribute><anyName/></attribute>
 <element><anyName><except><name>zoo</name></except></anyName><ref name="any"/></element></choice></zeroOrMore></define></grammar>`,
	}
}

func TestValidate(t *testing.T) {
	s, err := Compile(zoo().open, "zoo.rng")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ doc, want string }{
		{`<zoo id="z"/>`, ""},
		{`<zoo id="z" open=" true "><!-- c --><elephant id="a" food="hay"/><shop>tea</shop></zoo>`, ""},
		{`<zoo id="z"><shop/><seal id="a" food="fish"><pool> 7 </pool></seal></zoo>`, ""},
		{`<zoo id="z"><box any="1"><x y="2">t<y/></x></box></zoo>`, ""},
		{`<zoo id="z"><elephant id="a" food="hay" of="z"/></zoo>`, ""},
		{`<zoo id=" z"><elephant id="a" food=" hay " of=" z  "/></zoo>`, ""}, // as libxml2: blanks around do not count
		{`<zoo id="z"><elephant id="a" food="hay" name="a-b" age="90"/></zoo>`, ""},
		{`<zoo id="z"><pair size=" 1  -2 "><elephant id="a" food="hay"/><elephant id="b" food="hay"/></pair></zoo>`, ""},
		{`<barn/>`, `line 1: <barn> is not a root element of this schema; expected <zoo>`},
		{`<zoo/>`, `line 1: <zoo> lacks attribute id`},
		{`<zoo id="1z"/>`, `line 1: <zoo id="1z"> id="1z" is not allowed, expected an id (it begins with a letter or _, then letters, digits, - _ .)`},
		{`<zoo id="z" open="yes"/>`, `line 1: <zoo id="z"> open="yes" is not allowed, expected true, false, 1 or 0`},
		{`<zoo id="z" shut="1"/>`, `line 1: <zoo id="z"> attribute shut is not allowed here, only open`},
		{"<zoo id=\"z\">\n<elephant id=\"a\" food=\"meat\"/></zoo>", `line 2: <elephant id="a"> food="meat" is not allowed, expected "fish" or "hay"`},
		{`<zoo id="z"><elephant id="a"/></zoo>`, `line 1: <elephant id="a"> lacks attribute food`},
		{`<zoo id="z"><elephant id="z" food="hay"/></zoo>`, `line 1: <elephant id="z"> id="z" is already the id of <zoo> at line 1`},
		{`<zoo id="z"><elephant id="a" food="hay" of="q"/></zoo>`, `line 1: <elephant id="a"> of="q": nothing has this id`},
		{`<zoo id="z"><elephant id="a" food="hay" of="z" age="1"/></zoo>`, `line 1: <elephant id="a"> attribute age does not go together with the other attributes here`},
		{`<zoo id="z"><elephant id="a" food="hay" name="x" age="91"/></zoo>`, `line 1: <elephant id="a"> age="91" is not allowed, expected an integer of at least 0`},
		{`<zoo id="z"><elephant id="a" food="hay" name="max" age="1"/></zoo>`, `line 1: <elephant id="a"> name="max" is not allowed, expected text other than "max" of the form [a-z\-]+`},
		{`<zoo id="z"><elephant id="a" food="hay" name="abcdef" age="1"/></zoo>`, `line 1: <elephant id="a"> name="abcdef" is not allowed, expected text other than "max" of the form [a-z\-]+`},
		{`<zoo id="z"><elephant id="a" food="hay" age="1"/></zoo>`, `line 1: <elephant id="a"> lacks attribute name`},
		{`<zoo id="z"><shop/><shop/></zoo>`, `line 1: <shop> is not allowed at this place in <zoo id="z">, expected <box>, <elephant>, <pair> or <seal>`},
		{`<zoo id="z"><seal id="a" food="fish"/></zoo>`, `line 1: <seal id="a"> is incomplete: expected <pool>`},
		{`<zoo id="z"><seal id="a" food="fish"><pool/></seal></zoo>`, `line 1: <pool> holds the text "", expected an integer of at least 1`},
		{`<zoo id="z"><seal id="a" food="fish"><pool>0</pool></seal></zoo>`, `line 1: <pool> holds the text "0", expected an integer of at least 1`},
		{`<zoo id="z"><seal id="a" food="fish"><pool>1</pool><pool>1</pool></seal></zoo>`, `line 1: <pool> is one too many in <seal id="a">`},
		{`<zoo id="z">hello</zoo>`, `line 1: <zoo id="z"> holds the text "hello", none is allowed here`},
		{`<zoo id="z"><box><zoo/></box></zoo>`, `line 1: <zoo> is not allowed in <box>, only <any> or text`},
		{`<zoo id="z"><pair size="1"><elephant id="a" food="hay"/></pair></zoo>`,
			`line 1: <pair> size="1" is not allowed, expected text; line 1: <pair> is incomplete: expected <elephant>, <pair> or <seal>`},
		{`<zoo id="z" xmlns="urn:x"/>`, `line 1: <zoo id="z"> is not a root element of this schema; expected <zoo>`},
		{`<zoo id="z" xmlns:a="urn:x"><a:shop/></zoo>`, `line 1: <a:shop> is not allowed in <zoo id="z">, only <box>, <elephant>, <pair>, <seal> or <shop>`},
	} {
		root, err := xmltree.ParseString(c.doc, xmltree.Limits{})
		if err != nil {
			t.Fatal(c.doc, err)
		}
		if got := join(s.Validate(root)); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.doc, got, c.want)
		}
	}
}

func join(faults []Fault) string {
	var lines []string
	for _, f := range faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "; ")
}

func TestBadSchemas(t *testing.T) {
	deep := strings.Repeat("<group>", 240) + "<empty/>" + strings.Repeat("</group>", 240)
	files := texts{
		"self.rng":   head + `<include href="self.rng"/><start><empty/></start></grammar>`,
		"ext.rng":    head + `<start><externalRef href="ext.rng"/></start></grammar>`,
		"notxml.rng": `<grammar`,
		"chain0.rng": head + `<start><externalRef href="chain1.rng"/></start></grammar>`,
	}
	for i := 1; i < 600; i++ {
		files[fmt.Sprintf("chain%d.rng", i)] = head + fmt.Sprintf(`<start>%s<externalRef href="chain%d.rng"/></start></grammar>`, deep, i+1)
	}
	bomb := `<start><ref name="d0"/></start>`
	for i := range 60 {
		bomb += fmt.Sprintf(`<define name="d%d"><group><ref name="d%d"/><optional><ref name="d%d"/></optional><ref name="d%d"/></group></define>`, i, i+1, i+1, i+1)
	}
	files["bomb.rng"] = head + bomb + `<define name="d60"><optional><attribute name="a"/></optional></define></grammar>`
	for name, c := range map[string]struct{ body, want string }{
		"loop":    {`<start><ref name="a"/></start><define name="a"><group><ref name="a"/></group></define>`, `line 1: "a" contains itself`},
		"undef":   {`<start><ref name="a"/></start>`, `"a" is not defined`},
		"nostart": {`<define name="a"><empty/></define>`, "has no start"},
		"twice":   {`<start><empty/></start><start><text/></start>`, "without combine"},
		"combine": {`<start combine="choice"><empty/></start><start combine="interleave"><text/></start>`, "does not fit"},
		"type":    {`<start><element name="a"><data type="florin"/></element></start>`, `type "florin" is not known`},
		"param":   {`<start><element name="a"><data type="string"><param name="pattern">(</param></data></element></start>`, "parameter pattern"},
		"href":    {`<start><externalRef href="../../etc/passwd"/></start>`, "is not a file beside"},
		"url":     {`<start><externalRef href="http://x/y.rng"/></start>`, "is not a file beside"},
		"missing": {`<start><externalRef href="gone.rng"/></start>`, `cannot read "gone.rng"`},
		"broken":  {`<start><externalRef href="notxml.rng"/></start>`, "notxml.rng"},
		"include": {`<include href="self.rng"/>`, "includes itself"},
		"extern":  {`<start><externalRef href="ext.rng"/></start>`, "contains itself"},
		"chain":   {`<start><externalRef href="chain0.rng"/></start>`, "nested more than"},
		"parent":  {`<start><parentRef name="a"/></start>`, "no grammar is around"},
		"bogus":   {`<start><blob/></start>`, "<blob> is not a pattern"},
		"noname":  {`<start><element/></start>`, "has no name"},
	} {
		files[name+".rng"] = head + c.body + `</grammar>`
		if _, err := Compile(files.open, name+".rng"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if _, err := Compile(files.open, "bomb.rng"); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("bomb.rng: %v", err)
	}
}

// TestManyShapes shows that documents do not make a schema grow for ever.
func TestManyShapes(t *testing.T) {
	body := ""
	for i := range 40 {
		body += fmt.Sprintf(`<optional><attribute name="a%d"/></optional>`, i)
	}
	files := texts{"a.rng": head + `<start><element name="r"><zeroOrMore><element name="e">` + body + `</element></zeroOrMore></element></start></grammar>`}
	s, err := Compile(files.open, "a.rng")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		root := xmltree.New("r")
		for i := range 4000 {
			e := root.AddNew("e")
			for bit, x := 0, uint64(i+round*4000)*0x9E3779B97F4A7C15; bit < 40; bit++ {
				if x>>bit&1 == 1 {
					e.Set(fmt.Sprintf("a%d", bit), "")
				}
			}
		}
		if f := s.Validate(root); len(f) > 0 {
			t.Fatal(f[0])
		}
		if len(s.pats) > maxPatterns {
			t.Fatalf("%d patterns", len(s.pats))
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, text := range zoo() {
		f.Add(text)
	}
	f.Add(head + `<start><ref name="a"/></start><define name="a"><optional><ref name="a"/></optional></define></grammar>`)
	f.Fuzz(func(t *testing.T, text string) {
		files := zoo()
		files["x.rng"] = text
		s, err := Compile(files.open, "x.rng")
		if err != nil {
			return
		}
		root, _ := xmltree.ParseString(`<zoo id="z"><elephant id="a" food="hay"/>t<b/></zoo>`, xmltree.Limits{})
		_ = s.Validate(root)
	})
}

func FuzzValidate(f *testing.F) {
	f.Add(`<zoo id="z"><seal id="a" food="fish"><pool>1</pool></seal></zoo>`)
	f.Add(`<zoo id="z"><pair size="1 2"><elephant id="a" food="hay" of="z"/><pair/></pair></zoo>`)
	f.Add(`<zoo id="z" xmlns:x="u"><box x:y="1"><x:z>t</x:z></box></zoo>`)
	s, err := Compile(zoo().open, "zoo.rng")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, err := xmltree.ParseString(text, xmltree.Limits{})
		if err != nil {
			return
		}
		first := join(s.Validate(root))
		if again := join(s.Validate(root)); again != first {
			t.Fatalf("first %s\nthen %s", first, again)
		}
		fresh, _ := Compile(zoo().open, "zoo.rng")
		if other := join(fresh.Validate(root)); other != first {
			t.Fatalf("with memory %s\nwithout %s", first, other)
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile(installed(b), "pacemaker-3.9.rng"); err != nil {
			b.Fatal(err)
		}
	}
}

const installedDir = "/usr/share/pacemaker"

// installed opens the schemas of an installed Pacemaker.
func installed(tb testing.TB) Open {
	testneed.File(tb, installedDir+"/pacemaker-3.9.rng")
	return func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(installedDir, name)) }
}

// BenchmarkValidate validates a CIB of 1 MB, again and by a fresh schema.
func BenchmarkValidate(b *testing.B) {
	var text strings.Builder
	text.WriteString(`<cib epoch="1" num_updates="0" admin_epoch="0" validate-with="pacemaker-3.9"><configuration><crm_config/><nodes/><resources>`)
	for i := 0; text.Len() < 1<<20; i++ {
		fmt.Fprintf(&text, `<primitive id="r%d" class="ocf" provider="heartbeat" type="Dummy"><meta_attributes id="m%d"><nvpair id="n%d" name="target-role" value="Started"/></meta_attributes>`+
			`<operations><op id="o%d" name="monitor" interval="10s" timeout="20s"/></operations></primitive>`, i, i, i, i)
	}
	text.WriteString(`</resources><constraints/></configuration><status/></cib>`)
	root, err := xmltree.ParseString(text.String(), xmltree.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	for _, fresh := range []bool{false, true} {
		b.Run(fmt.Sprintf("fresh=%v", fresh), func(b *testing.B) {
			s, err := Compile(installed(b), "pacemaker-3.9.rng")
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			for b.Loop() {
				if fresh {
					s.forget()
					s.memo = newMemo()
				}
				if f := s.Validate(root); len(f) > 0 {
					b.Fatal(f)
				}
			}
		})
	}
}
