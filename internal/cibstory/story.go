// Package cibstory is how tests tell stories about CIBs: a few elements, what a
// program is asked about them, and what the original answered.
//
// The tests of pengine play the stories of pengine/testdata/stories with our
// programs; test/pengine plays them with the installed originals, which wrote the
// answers. The tests of the engine's phases take their CIBs from here as well. It has
// no upstream.
package cibstory

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Answer is what a program said and ended with.
type Answer struct {
	Stdout, Stderr string
	Status         int
}

// Step is one command line and its answer.
type Step struct {
	Line string
	Answer
}

// Story is a CIB and what is asked about it.
type Story struct {
	Name  string
	Text  []string // its lines from the title to the first command, as they are written
	Steps []Step
	snip  strings.Builder
}

// File is the stories of a file, and the comment before them.
type File struct {
	Head    string
	Stories []*Story
}

// Append writes a file as Parse reads it.
func (f *File) Append(b []byte) []byte {
	b = append(b, f.Head...)
	for _, s := range f.Stories {
		b = s.append(b)
	}
	return b
}

// Make returns the CIB.
func (s *Story) Make() (*xmltree.Node, error) { return CIB(s.snip.String()) }

// Make is CIB for tests.
func Make(t testing.TB, snippet string) *xmltree.Node {
	t.Helper()
	cib, err := CIB(snippet)
	if err != nil {
		t.Fatal(err)
	}
	return cib
}

// Parse reads stories. Each begins with a line "== NAME"; then come lines of comment
// ("# …") and of XML (see CIB), then commands ("$ …") with what they answered: lines
// of standard output ("| …"), of standard error ("! …"), and a status that is not 0
// ("= 78").
func Parse(text string) (*File, error) {
	f := &File{}
	var s *Story
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\n")
		title, isTitle := strings.CutPrefix(line, "== ")
		switch {
		case isTitle:
			s = &Story{Name: title, Text: []string{line}}
			f.Stories = append(f.Stories, s)
		case s == nil && (line == "" || line[0] == '#'):
			f.Head += line + "\n"
		case s == nil:
			return nil, fmt.Errorf("line %d: before the first story", number)
		default:
			if err := s.read(line); err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
		}
	}
	return f, nil
}

func (s *Story) read(line string) error {
	if command, ok := strings.CutPrefix(line, "$ "); ok {
		s.Steps = append(s.Steps, Step{Line: command})
		return nil
	}
	if len(s.Steps) == 0 {
		s.Text = append(s.Text, line)
		if !strings.HasPrefix(line, "#") {
			s.snip.WriteString(line + "\n")
		}
		return nil
	}
	last := &s.Steps[len(s.Steps)-1]
	mark, rest := line[:min(1, len(line))], strings.TrimPrefix(line[min(1, len(line)):], " ")
	switch mark {
	case "":
	case "|":
		last.Stdout += rest + "\n"
	case "!":
		last.Stderr += rest + "\n"
	case "=":
		_, err := fmt.Sscan(rest, &last.Status)
		return err
	default:
		return fmt.Errorf("%q is no answer", line)
	}
	return nil
}

func (s *Story) append(b []byte) []byte {
	for _, l := range s.Text {
		b = append(append(b, l...), '\n')
	}
	for _, step := range s.Steps {
		b = append(append(append(b, "$ "...), step.Line...), '\n')
		b = marked(b, '|', step.Stdout)
		b = marked(b, '!', step.Stderr)
		if step.Status != 0 {
			b = fmt.Appendf(b, "= %d\n", step.Status)
		}
	}
	return append(b, '\n')
}

// marked writes each line of a text behind a mark.
func marked(b []byte, mark byte, text string) []byte {
	for l := range strings.Lines(text) {
		b = append(b, mark)
		if l = strings.TrimRight(l, "\n"); l != "" {
			b = append(append(b, ' '), l...)
		}
		b = append(b, '\n')
	}
	return b
}

// Program answers a command line; the CIB is the file cib.xml in the working directory.
type Program func(args []string) Answer

// Play asks everything anew and returns the answers, each message once. What a line like "cat FILE" says
// is what a command before it wrote.
func (s *Story) Play(t testing.TB, program Program) []Answer {
	t.Helper()
	cib, err := s.Make()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cib.xml"), cib.AppendIndent(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("CIB_file", "cib.xml")
	t.Setenv("TZ", "UTC")
	t.Setenv("LC_ALL", "C")
	var out []Answer
	for _, step := range s.Steps {
		args := words(step.Line)
		if file, ok := strings.CutPrefix(step.Line, "cat "); ok {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Error(err)
			}
			out = append(out, Answer{Stdout: whole(string(text))})
			continue
		}
		a := program(args)
		a.Stdout, a.Stderr = whole(a.Stdout), once(whole(a.Stderr))
		out = append(out, a)
	}
	return out
}

// whole is a text that ends with a line end, which the answers do not keep.
func whole(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}

// once leaves out lines that were there before: the original repeats what it meets
// again, and it meets things as often as it happens to read them.
func once(text string) string {
	var lines []string
	for l := range strings.Lines(text) {
		if !slices.Contains(lines, l) {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "")
}

// words splits a command line at blanks; a part in quotes is one.
func words(line string) (out []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

// Files reads every file of stories in a folder.
func Files(t testing.TB, dir string) map[string]*File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no stories in %s", dir)
	}
	all := map[string]*File{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = Parse(string(text)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all
}
