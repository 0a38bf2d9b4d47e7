package schema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Builtin is the set of schemas that is used where none are installed: the
// versions that Pacemaker 2.1.5 knows, which accept what its schemas accept. They
// are one text, builtingrammar.go, whose parts say in which versions they hold.
func Builtin() *Set {
	files := []string{"upgrade-1.3.xsl", "upgrade-2.10.xsl", "upgrade-2.10-enter.xsl", "upgrade-2.10-leave.xsl"}
	for _, v := range builtinVersions() {
		files = append(files, v+".rng")
	}
	return NewSet(files, func(name string) ([]byte, error) {
		number, ok := strings.CutPrefix(strings.TrimSuffix(name, ".rng"), "pacemaker-")
		v, err := versionNumber(number)
		if !ok || err != nil {
			return nil, fmt.Errorf("there is no schema %q", name)
		}
		return builtinText(builtinGrammar, v)
	})
}

// builtinVersions are the names of all versions, oldest first.
func builtinVersions() []string {
	list := []string{"pacemaker-1.0", "pacemaker-1.2", "pacemaker-1.3"}
	for minor := range 11 {
		list = append(list, "pacemaker-2."+strconv.Itoa(minor))
	}
	for minor := range 10 {
		list = append(list, "pacemaker-3."+strconv.Itoa(minor))
	}
	return list
}

// versionNumber makes numbers of versions that compare as the versions do.
func versionNumber(text string) (int, error) {
	if text == "next" {
		return 1 << 30, nil
	}
	major, minor, _ := strings.Cut(text, ".")
	a, err := strconv.ParseUint(major, 10, 16)
	b, err2 := strconv.ParseUint(minor, 10, 16)
	if err != nil || err2 != nil {
		return 0, fmt.Errorf("%q is not a version", text)
	}
	return int(a)<<16 + int(b), nil
}

// builtinText is the grammar of one version as RelaxNG.
func builtinText(text string, version int) ([]byte, error) {
	n := &notation{
		defines: map[string][]defineLine{}, made: map[string]bool{},
		root: xmltree.New("grammar", xmltree.Attr{Name: "xmlns", Value: rngSpace},
			xmltree.Attr{Name: "datatypeLibrary", Value: "http://www.w3.org/2001/XMLSchema-datatypes"}),
	}
	n.read(text)
	n.read("schemas = '" + strings.Join(append(builtinVersions(), None, "pacemaker-next", "pacemaker-0.6", "transitional-0.6", "pacemaker-0.7", "pacemaker-1.1"), "|") + "'")
	n.root.AddNew("start").AddNew("ref", xmltree.Attr{Name: "name", Value: n.define("start", version, "")})
	for len(n.todo) > 0 && n.err == nil {
		next := n.todo[0]
		n.todo = n.todo[1:]
		next()
	}
	if n.err != nil {
		return nil, n.err
	}
	return n.root.Append(nil), nil
}

// notation turns the text of the grammar into RelaxNG. The first error stays.
type notation struct {
	defines map[string][]defineLine
	made    map[string]bool // definitions that are in root, or in todo
	todo    []func()
	root    *xmltree.Node
	err     error
}

// defineLine is one definition: NAME(PARAMETER)[VERSIONS] = PATTERN.
type defineLine struct {
	param, versions, pattern string
}

func (n *notation) fail(format string, args ...any) {
	if n.err == nil {
		n.err = fmt.Errorf("schema: the grammar that is built in: %s", fmt.Sprintf(format, args...))
	}
}

// read splits the text into definitions; a line that begins with a blank goes on
// with the one before.
func (n *notation) read(text string) {
	text = strings.ReplaceAll(text, "\n\t", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		head, pattern, ok := strings.Cut(line, " = ")
		if !ok {
			n.fail("no definition: %s", line)
			return
		}
		var d defineLine
		d.pattern = pattern
		head, d.versions, _ = strings.Cut(strings.TrimSuffix(head, "]"), "[")
		head, d.param, _ = strings.Cut(strings.TrimSuffix(head, ")"), "(")
		n.defines[head] = append(n.defines[head], d)
	}
}

// define has a definition made for a version and an argument, and returns the
// name it gets. The last line that holds in the version counts.
func (n *notation) define(name string, version int, arg string) string {
	key := fmt.Sprintf("%s %x %s", name, version, arg)
	if n.made[key] {
		return key
	}
	n.made[key] = true
	var found *defineLine
	for i := range n.defines[name] {
		if d := &n.defines[name][i]; n.within(d.versions, version) {
			found = d
		}
	}
	if found == nil {
		n.fail("%s is not defined", name)
		return key
	}
	n.todo = append(n.todo, func() {
		p := &patternText{notation: n, rest: found.pattern, version: version, param: found.param, arg: arg}
		node := n.root.AddNew("define", xmltree.Attr{Name: "name", Value: key})
		p.alternatives(node)
		if p.rest != "" {
			n.fail("%s: %q is left over", name, p.rest)
		}
		if node.First == nil {
			node.AddNew("empty")
		}
	})
	return key
}

// within says whether a version is in one of the ranges 1.2-2.10, 3.0-, -2.10, 3.4
// of a list; an empty list holds for all.
func (n *notation) within(list string, version int) bool {
	for r := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(r, "-")
		if !isRange {
			to = from
		}
		low, high := 0, 1<<30
		var err error
		if from != "" {
			low, err = versionNumber(from)
		}
		if to != "" && err == nil {
			high, err = versionNumber(to)
		}
		if err != nil {
			n.fail("%v", err)
		}
		if low <= version && version <= high {
			return true
		}
	}
	return false
}
