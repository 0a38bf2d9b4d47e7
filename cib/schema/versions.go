package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// None is the validate-with that turns validation off.
const None = "none"

// attrValidation is the attribute of <cib> that names its schema.
const attrValidation = "validate-with"

// Version is one schema that a CIB may claim to conform to.
type Version struct {
	Name         string // pacemaker-3.9
	Major, Minor int
	Next         int    // index of the version it upgrades to, -1: none
	Transform    string // stylesheet that the step to Next is made with, empty: a new name is all
	Enter, Leave string // stylesheets before and after it, empty: none
	off          bool   // none
}

// Set is the list of known schemas, oldest first; pacemaker-next and none are
// its last (schemas.c: crm_schema_init). It compiles a schema when it is first
// asked for, and belongs to one goroutine.
type Set struct {
	list     []Version
	open     Open
	compiled map[int]*Schema
}

// NewSet makes the list from the names of the files in the folder of schemas.
// A major version whose upgrade stylesheet is missing is the last.
func NewSet(files []string, open Open) *Set {
	s := &Set{open: open, compiled: map[int]*Schema{}}
	for _, f := range files {
		if v, ok := versionOf(f); ok {
			s.list = append(s.list, v)
		}
	}
	slices.SortFunc(s.list, func(a, b Version) int { return (a.Major-b.Major)*1000 + a.Minor - b.Minor })
	has := func(name string) string {
		if slices.Contains(files, name+".xsl") {
			return name
		}
		return ""
	}
	for i := range s.list {
		v := &s.list[i]
		v.Next = i + 1
		if i+1 == len(s.list) {
			v.Next = -1
		} else if v.Major < s.list[i+1].Major {
			number := fmt.Sprintf("upgrade-%d.%d", v.Major, v.Minor)
			if v.Transform = has(number); v.Transform == "" {
				v.Next = -1
				s.list = s.list[:i+1]
				break
			}
			if v.Enter, v.Leave = has(number+"-enter"), has(number+"-leave"); v.Enter == "" {
				v.Enter, v.Leave = has("upgrade-enter"), has("upgrade-leave")
			}
			if v.Enter == "" {
				v.Leave = ""
			}
		}
	}
	s.list = append(s.list, Version{Name: "pacemaker-next", Next: -1}, Version{Name: None, Next: -1, off: true})
	return s
}

// versionOf takes a file name apart: pacemaker-MAJOR.MINOR.rng.
func versionOf(file string) (Version, bool) {
	name, ok := strings.CutSuffix(file, ".rng")
	number, ok2 := strings.CutPrefix(name, "pacemaker-")
	major, minor, ok3 := strings.Cut(number, ".")
	if !ok || !ok2 || !ok3 {
		return Version{}, false
	}
	a, err := strconv.ParseUint(major, 10, 8)
	b, err2 := strconv.ParseUint(minor, 10, 8)
	return Version{Name: name, Major: int(a), Minor: int(b)}, err == nil && err2 == nil
}

// Versions lists the schemas; an index elsewhere is one into it.
func (s *Set) Versions() []Version { return s.list }

// Find is the index of a schema by its name, in any case of letters; no name
// is none. -1: unknown.
func (s *Set) Find(name string) int {
	if name == "" {
		name = None
	}
	return slices.IndexFunc(s.list, func(v Version) bool { return strings.EqualFold(v.Name, name) })
}

// Latest is the newest schema, which new configurations use. -1: there is none.
func (s *Set) Latest() int { return len(s.list) - 3 }

// Minimum is the oldest schema that is understood without an upgrade: the
// first of the newest major version.
func (s *Set) Minimum() int {
	best := s.Latest()
	for i := best; i >= 0 && s.list[i].Major == s.list[s.Latest()].Major; i-- {
		best = i
	}
	return best
}

// Schema compiles the schema at index i, nil for none.
func (s *Set) Schema(i int) (*Schema, error) {
	if i < 0 || i >= len(s.list) {
		return nil, fmt.Errorf("schema: no schema with number %d", i)
	}
	if s.list[i].off {
		return nil, nil
	}
	if got := s.compiled[i]; got != nil {
		return got, nil
	}
	got, err := Compile(s.open, s.list[i].Name+".rng")
	if err != nil {
		return nil, err
	}
	s.compiled[i] = got
	return got, nil
}

// ValidateWith holds a CIB to the schema at index i. A schema that cannot be
// read makes every CIB invalid.
func (s *Set) ValidateWith(root *xmltree.Node, i int) []Fault {
	sch, err := s.Schema(i)
	switch {
	case err != nil:
		return []Fault{faultOf(root, err.Error())}
	case sch == nil:
		return nil
	}
	return sch.Validate(root)
}

// Validate holds a CIB to the schema that its validate-with names. A CIB
// without validate-with is tried with all of them, the last that fits is
// written into it: as none always fits, none is what it gets (schemas.c:
// validate_xml). An unknown name is a fault.
func (s *Set) Validate(root *xmltree.Node) []Fault {
	name, ok := root.Get(attrValidation)
	if !ok {
		root.Set(attrValidation, None)
		return nil
	}
	i := s.Find(name)
	if i < 0 || name == "" {
		return []Fault{s.unknown(root, name)}
	}
	return s.ValidateWith(root, i)
}

func (s *Set) unknown(root *xmltree.Node, name string) Fault {
	return faultOf(root, attrValidation+"="+quote(name)+" is not a known schema, expected "+
		s.list[0].Name+" to "+s.list[max(s.Latest(), 0)].Name+" or none")
}

// claimed is the index of the schema that a CIB's validate-with names. Only one
// that is absent means none, an empty one is unknown.
func (s *Set) claimed(name string, given bool) int {
	if given && name == "" {
		return -1
	}
	return s.Find(name)
}

// Outcome is how an upgrade ended.
type Outcome uint8

const (
	Upgraded        Outcome = iota // or there was nothing to do
	InvalidCIB                     // pcmk_err_schema_validation
	TransformFailed                // pcmk_err_transform_failed
)

// Transformer makes a step, and tells what there is to tell about it. The tree it
// is given stays as it was.
type Transformer func(step Version, root *xmltree.Node) (*xmltree.Node, []Remark, error)

// Result is what became of a CIB that was to be upgraded.
type Result struct {
	CIB     *xmltree.Node // the one given, or a new one
	Best    int           // index of the best schema that it conforms to, 0 when there is none
	Outcome Outcome
	Remarks []Remark
	Faults  []Fault // what the schema it claims has against it, or the one that it could not be brought to
}

// Upgrade brings a CIB to the newest schema that it can be brought to, at most
// to the one at index limit when that is above 0 (schemas.c: update_validation).
func (s *Set) Upgrade(root *xmltree.Node, limit int, apply Transformer) Result {
	match := -1
	if name, ok := root.Get(attrValidation); ok {
		match = s.claimed(name, ok)
	}
	if match >= s.Latest() {
		return Result{CIB: root, Best: match}
	}
	r := Result{CIB: root}
	first := max(match, 0)
	for i := first; i <= s.Latest(); {
		if faults := s.ValidateWith(r.CIB, i); len(faults) > 0 {
			if i == first || r.Best > 0 {
				r.Faults = append(r.Faults, faults...)
			}
			if r.Best > 0 {
				break
			}
			r.Outcome = InvalidCIB
			i++
			continue
		}
		r.Outcome, r.Best = Upgraded, i
		next := s.list[i].Next
		if next <= i || limit > 0 && (i == limit || next > limit) {
			break
		}
		if s.list[i].Transform == "" || len(s.ValidateWith(r.CIB, next)) == 0 {
			i = next
			continue
		}
		i = s.step(&r, i, apply)
	}
	if name, ok := root.Get(attrValidation); ok && match < 0 && r.Outcome != Upgraded {
		r.Faults = []Fault{s.unknown(root, name)}
	}
	if r.Best > match && r.Best > 0 {
		r.CIB.Set(attrValidation, s.list[r.Best].Name)
	}
	return r
}

// step transforms the CIB from the schema at index i, and returns the index of
// the one to try next.
func (s *Set) step(r *Result, i int, apply Transformer) int {
	next := s.list[i].Next
	up, remarks, err := apply(s.list[i], r.CIB)
	r.Remarks = append(r.Remarks, remarks...)
	if err != nil || up == nil {
		r.Outcome = TransformFailed
		return i + 1
	}
	if faults := s.ValidateWith(up, next); len(faults) > 0 {
		r.Faults = append(r.Faults, faults...)
		r.Outcome = InvalidCIB
		return i + 1
	}
	r.CIB, r.Best = up, next
	return next
}
