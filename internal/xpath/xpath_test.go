package xpath

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const document = `<cib epoch="4" admin_epoch="0"><!--head--><configuration><crm_config><cluster_property_set id="opts">` +
	`<nvpair id="o1" name="enable-acl" value="true"/><nvpair id="o2" name="timeout" value="20"/></cluster_property_set></crm_config>` +
	`<nodes><node id="1" uname="n1"/><node id="2" uname="n2"><instance_attributes id="n2-a"><nvpair id="o3" name="x" value="7"/></instance_attributes></node></nodes>` +
	`<resources><primitive id="p1" class="ocf" type="Dummy"><operations><op id="m1" name="monitor" interval="10s"/><op id="m2" name="start" interval="0"/></operations></primitive>` +
	`<group id="g1"><primitive id="p2" class="ocf"/><primitive id="p3" class="lsb"><meta_attributes id="mm"><nvpair id="o4" name="target-role" value="Stopped"/></meta_attributes></primitive></group>` +
	`<clone id="c1"><group id="g2"><primitive id="p4" class="ocf"/></group></clone></resources>` +
	`<constraints><rsc_location id="l1" rsc="p1" node="n1" score="100"/><rsc_location id="l2" rsc="g1" node="n2" score="-INFINITY"/></constraints></configuration>` +
	`<status><node_state id="1" uname="n1"><lrm id="1"><lrm_resources/></lrm></node_state><node_state id="2" uname="n2">text</node_state></status></cib>`

func parse(t testing.TB, s string) *xmltree.Node {
	n, err := xmltree.ParseString(s, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// generator makes random expressions that are sets of nodes.
type generator struct{ r *rand.Rand }

func (g generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }

func (g generator) name() string {
	return g.pick("cib", "configuration", "primitive", "group", "nvpair", "node", "op", "clone", "node_state", "resources", "*", "*", "status")
}

func (g generator) attr() string { return g.pick("id", "name", "value", "class", "uname", "rsc", "*") }

func (g generator) step(depth int) string {
	s := ""
	switch g.r.IntN(12) {
	case 0:
		return g.pick(".", "..")
	case 1:
		s = "@" + g.attr()
	case 2, 3, 4:
		s = g.pick("ancestor", "ancestor-or-self", "descendant", "descendant-or-self", "following", "following-sibling",
			"preceding", "preceding-sibling", "parent", "self", "child") + "::" + g.pick(g.name(), g.name(), "node()", "text()", "comment()")
	default:
		s = g.name()
	}
	for depth > 0 && g.r.IntN(3) == 0 {
		s += "[" + g.predicate(depth-1) + "]"
	}
	return s
}

func (g generator) predicate(depth int) string {
	switch g.r.IntN(11) {
	case 0:
		return g.pick("1", "2", "last()", "last()-1", "position()=2", "position() mod 2 = 1", "position()!=last()")
	case 1, 2:
		return "@" + g.attr() + g.pick("='p1'", "='1'", "!='ocf'", "='n2'", "")
	case 3:
		return g.pick("not", "boolean") + "(" + g.set(depth) + ")"
	case 4:
		return "count(" + g.set(depth) + ")" + g.pick(">1", "=2", "<=3", "!=0")
	case 5:
		return g.pick("starts-with(@id,'p')", "contains(@id,'1')", "string-length(@id)=2", "substring(@id,2)='1'",
			"translate(@class,'of','OF')='OcF'", "normalize-space(concat(' ',@id,'  x '))='p1 x'", "name()='primitive'", "local-name(..)='resources'",
			"substring-after(@name,'-')='acl'", "substring-before(@id,'1')='g'", "sum(//@epoch|@value)>5", "round(@value div 3)=2", "floor(-@value)=-7", "number(@value)<10")
	case 6:
		return g.predicate(depth) + g.pick(" and ", " or ") + g.predicate(depth)
	case 7:
		return "@value " + g.pick("=", "<", ">", ">=") + " //@value"
	case 8:
		return g.set(depth) + g.pick("=", "!=", "<") + g.pick("'p1'", "7", "@id", "true()", "20 - 13")
	}
	return g.set(depth)
}

func (g generator) set(depth int) string {
	s := g.pick("/", "//", "//", "//", "")
	s += g.step(depth)
	for range g.r.IntN(3) {
		s += g.pick("/", "//") + g.step(depth)
	}
	switch g.r.IntN(9) {
	case 0:
		s = "(" + s + ")[" + g.predicate(0) + "]"
	case 1:
		s += " | " + g.pick("//", "") + g.step(0)
	}
	return s
}

// describe is what both sides print of a node, in the words of XPath.
const describe = `concat(name(),'#',count(ancestor::node()),'#',count(preceding::node()),'#',string(.),';')`

// libxml2 evaluates expressions with xsltproc, all in one run.
func libxml2(t *testing.T, exprs []string) []string {
	t.Helper()
	testneed.Program(t, "xsltproc")
	var b strings.Builder
	b.WriteString(`<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:output method="text"/><xsl:template match="/">`)
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;")
	for _, e := range exprs {
		fmt.Fprintf(&b, `<xsl:for-each select="%s"><xsl:value-of select="%s"/></xsl:for-each><xsl:text>&#10;</xsl:text>`, escape.Replace(e), describe)
	}
	b.WriteString(`</xsl:template></xsl:stylesheet>`)
	dir := t.TempDir()
	sheet, in := filepath.Join(dir, "s.xsl"), filepath.Join(dir, "in.xml")
	if err := errors.Join(os.WriteFile(sheet, []byte(b.String()), 0o600), os.WriteFile(in, []byte(document), 0o600)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("xsltproc", sheet, in).CombinedOutput()
	if err != nil {
		t.Fatalf("xsltproc: %v\n%s", err, out)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// TestEqualsLibxml2 evaluates random expressions on both sides.
func TestEqualsLibxml2(t *testing.T) {
	root := parse(t, document)
	words, err := Compile(describe)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(4) {
		g := generator{rand.New(rand.NewPCG(seed, 7))}
		var exprs []string
		for range 1000 {
			e := g.set(2)
			if strings.Contains(e, ".//.") { // libxml2 leaves out the context node itself
				e = "//op"
			}
			exprs = append(exprs, e)
		}
		for i, want := range libxml2(t, exprs) {
			e, err := Compile(exprs[i])
			if err != nil {
				t.Errorf("%s: %v", exprs[i], err)
				continue
			}
			items, err := e.Nodes(root)
			if err != nil {
				t.Errorf("%s: %v", exprs[i], err)
				continue
			}
			got := ""
			for _, it := range items {
				v, err := words.Eval(it)
				if err != nil {
					t.Fatal(err)
				}
				got += v.Text()
			}
			if got != want {
				t.Errorf("seed %d: %s\n got  %s\n want %s", seed, exprs[i], got, want)
			}
		}
	}
}

// TestValuesEqualLibxml2: strings, numbers and booleans.
func TestValuesEqualLibxml2(t *testing.T) {
	exprs := []string{
		"1 div 3", "2 div 3", "-7 mod 3", "7 mod -3", "1 div 0", "-1 div 0", "0 div 0", "1000000 * 1000000", "0.1 + 0.2", "1 div 7000000", "123456789.125",
		"3 - -2", "--3", "number('  12.50 ')", "number('1e3')", "number('')", "number('+1')", "number('.5')", "number('-.5')", "number('5.')", "12345.678",
		"substring('12345', 1.5, 2.6)", "substring('12345', 0, 3)", "substring('12345', 0 div 0, 3)", "substring('12345', -42, 1 div 0)", "substring('äöü', 2)",
		"string-length('äöü')", "translate('bar','abc','AB')", "normalize-space('  a  b ')", "concat('a','b',1,true())", "round(2.5)", "round(-2.5)", "round(-0.2)",
		"floor(-1.5)", "ceiling(1.2)", "boolean('')", "boolean('0')", "not(//nothing)", "'a' = 'a'", "'2' = 2.0", "true() = 'x'", "//node = ''", "//@value > 19",
		"string(//nothing)", "count(//*)", "sum(//@epoch)", "name(//@*)", "local-name(/*)", "starts-with('abc','')", "contains('','')", "substring-before('abc','')",
		"substring-after('abc','')", "lang('en')", "string(//status)", "2147483647", "2147483648", "-2147483649", "0.00001", "0.000001", "100000.5", "1 < 2 and 2 < 1 or 1 = 1",
		"1234567890.5", "999999999999999999", "5 * -1", "2*3", "count(/ | //cib)", "//primitive[2]/@id", "string(/)",
	}
	want := libxml2Values(t, exprs)
	root := parse(t, document)
	for i, s := range exprs {
		e, err := Compile(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		v, err := e.Eval(Item{root, Document})
		if err != nil {
			t.Errorf("%s: %v", s, err)
		} else if v.Text() != want[i] {
			t.Errorf("%s = %q, want %q", s, v.Text(), want[i])
		}
	}
}

func libxml2Values(t *testing.T, exprs []string) []string {
	t.Helper()
	xmllint := testneed.Program(t, "xmllint")
	var out []string
	for _, e := range exprs {
		cmd := exec.Command(xmllint, "--noblanks", "--xpath", "string("+e+")", "-")
		cmd.Stdin = strings.NewReader(document)
		got, _ := cmd.Output() // status 11 for an empty string
		out = append(out, strings.TrimSuffix(string(got), "\n"))
	}
	return out
}

func TestSyntaxErrors(t *testing.T) {
	for expr, want := range map[string]string{
		"": "step is missing", "//": "step is missing", "/cib[": "missing", "a b": "operator", "'x": "not closed", "f()": "no function f",
		"count()": "arguments", "count('a')": "set of nodes", "a::b": "no axis", "$x": "variables", "a[1": "] is missing", "(a": ") is missing", "a]": "unexpected", "#": "unexpected",
		strings.Repeat("(", 300) + "a" + strings.Repeat(")", 300): "too deep", strings.Repeat("a", maxLength+1): "too long",
	} {
		_, err := Compile(expr)
		var se *SyntaxError
		if !errors.As(err, &se) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want ...%s...", expr, err, want)
		}
	}
	if _, err := Find(parse(t, document), "1 + 1"); err == nil || !strings.Contains(err.Error(), "not a set") {
		t.Errorf("a number as a set: %v", err)
	}
}

// TestElements: what is found stands for its element.
func TestElements(t *testing.T) {
	root := parse(t, document)
	for expr, want := range map[string]string{"/": "cib", "//@uname": "node node node_state node_state", "//text()": "node_state", "//op/..": "operations", "//nothing": ""} {
		found, err := Find(root, expr)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, n := range found {
			names = append(names, n.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", expr, got, want)
		}
	}
}

func TestWorkIsBounded(t *testing.T) {
	root := xmltree.New("a")
	for range 20000 {
		root.AddNew("b")
	}
	e, err := Compile("//b[following::b[following::b]]")
	if err != nil {
		t.Fatal(err)
	}
	e.limit = 1 << 18
	if _, err := e.Nodes(root); !errors.Is(err, ErrWork) {
		t.Errorf("an expression of cubic cost ended with %v", err)
	}
}

// FuzzFind: any expression is evaluated or refused.
func FuzzFind(f *testing.F) {
	for _, s := range []string{"//primitive[@id='p1']", "/cib/configuration//nvpair[@name='x' and ../@id]", "(//op | //node)[last()]", "count(//*) + 1", "//*[position() mod 2 = 1]/ancestor::*[1]"} {
		f.Add(s)
	}
	root := parse(f, document)
	f.Fuzz(func(t *testing.T, expr string) {
		e, err := Compile(expr)
		if err != nil {
			return
		}
		v, err := e.Eval(Item{root, Document})
		if err != nil {
			return
		}
		for i, it := range v.Nodes {
			if it.Node == nil || it.Attr >= int32(len(it.Node.Attrs)) || i > 0 && v.Nodes[i-1] == it {
				t.Fatalf("%q: item %d is %+v", expr, i, it)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	root := xmltree.New("cib")
	rs := root.AddNew("configuration").AddNew("resources")
	for i := range 5000 {
		p := rs.AddNew("primitive", xmltree.Attr{Name: "id", Value: fmt.Sprintf("p%d", i)})
		p.AddNew("meta_attributes").AddNew("nvpair", xmltree.Attr{Name: "name", Value: "x"})
	}
	for _, expr := range []string{"//primitive[@id='p4000']", "/cib/configuration/resources/primitive[@id='p4000']", "//primitive[@id='p4000']//nvpair", "//nvpair[@name='x' and @value]"} {
		e, err := Compile(expr)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(expr, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Nodes(root); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
