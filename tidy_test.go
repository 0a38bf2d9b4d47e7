// Package pacesync_test holds the hygiene rules of the repository, as tests.
package pacesync_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/testneed"
)

const (
	maxFileLines = 800 // a longer file is a sign to split, by state or phase
	maxFuncLines = 70  // a longer function likewise
)

// pureDirs are the packages without goroutines, clocks, sockets, files, global
// randomness and logs. A trailing /... covers everything below.
var pureDirs = []string{
	"totem/wire", "totem/srp", "totem/pg", "totem/knet", "totem/knet/crypt", "totem/knet/compress",
	"internal/corosync/config", "internal/corosync/cmap", "internal/corosync/cfg",
	"internal/corosync/resource", "internal/corosync/blackbox", "internal/corosync/mon", "internal/corosync/wd", "internal/corosync/pload",
	"internal/corosync/mar", "internal/corosync/cmap/wire", "internal/corosync/cfg/wire",
	"cpg/group", "cpg/wire", "quorum/vote", "quorum/wire",
	"pengine/...", "internal/score", "internal/rules", "internal/xmltree", "internal/xpath",
	"cib/callopt", "cib/doc", "cib/patch", "cib/digest", "cib/schema", "cib/acl", "cib/engine",
	"crmd/fsa", "crmd/election/...", "crmd/join", "crmd/transition", "crmd/history",
	"lrmd/opqueue", "lrmd/wire", "fencing/topology", "fencing/remoteop", "fencing/device", "fencing/history",
	"internal/pacemakerd/super",
	"ipmi/wire", "ipmi/session", "internal/attrd/core", "internal/attrd/wire",
}

// forbidden tells what pure code may not import, and why.
var forbidden = map[string]string{
	"net":                   "sockets belong to the shell",
	"net/http":              "sockets belong to the shell",
	"os":                    "files and environment belong to the shell",
	"os/exec":               "children belong to the shell",
	"log":                   "cores return traces, shells log them",
	"log/slog":              "cores return traces, shells log them",
	"sync":                  "a core has one owner and needs no lock",
	"math/rand":             "randomness is an argument: math/rand/v2 *rand.Rand",
	"crypto/rand":           "randomness is an argument",
	"syscall":               "system calls belong to the shell",
	"golang.org/x/sys/unix": "system calls belong to the shell",
}

// forbiddenCalls are functions that pure code may not call.
var forbiddenCalls = map[string]string{
	"time.Now": "now is an argument", "time.Since": "now is an argument", "time.Until": "now is an argument",
	"time.Sleep": "cores never wait", "time.After": "cores return deadlines", "time.NewTimer": "cores return deadlines",
	"time.AfterFunc": "cores return deadlines", "time.NewTicker": "cores return deadlines",
	"rand.Int": "global randomness", "rand.IntN": "global randomness", "rand.Uint32": "global randomness",
	"rand.Uint64": "global randomness", "rand.Float64": "global randomness", "rand.Perm": "global randomness",
	"rand.Shuffle": "global randomness", "rand.N": "global randomness",
}

type source struct {
	path string // relative, with slashes
	file *ast.File
	fset *token.FileSet
}

func (s source) test() bool           { return strings.HasSuffix(s.path, "_test.go") }
func (s source) dir() string          { return filepath.ToSlash(filepath.Dir(s.path)) }
func (s source) line(p token.Pos) int { return s.fset.Position(p).Line }

// sources parses every Go file of the repository.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "build" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		out = append(out, source{filepath.ToSlash(path), f, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func isPure(dir string) bool {
	for _, p := range pureDirs {
		if base, ok := strings.CutSuffix(p, "/..."); ok {
			if dir == base || strings.HasPrefix(dir, base+"/") {
				return true
			}
		} else if dir == p {
			return true
		}
	}
	return false
}

func TestEveryPackageHasOneDoc(t *testing.T) {
	docs := map[string]int{}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		docs[s.dir()] += 0
		if s.file.Doc != nil {
			docs[s.dir()]++
		}
	}
	for dir, n := range docs {
		switch {
		case n == 0:
			t.Errorf("%s: no package comment: say what it owns, who calls it, which upstream file it replaces", dir)
		case n > 1:
			t.Errorf("%s: %d files carry a package comment, one should", dir, n)
		}
	}
}

func TestPureCoresStayPure(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() || !isPure(s.dir()) {
			continue
		}
		for _, imp := range s.file.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			if why, bad := forbidden[path]; bad {
				t.Errorf("%s:%d: imports %s: %s", s.path, s.line(imp.Pos()), path, why)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s:%d: starts a goroutine: concurrency belongs to the shell", s.path, s.line(n.Pos()))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok {
					if why, bad := forbiddenCalls[x.Name+"."+n.Sel.Name]; bad {
						t.Errorf("%s:%d: uses %s.%s: %s", s.path, s.line(n.Pos()), x.Name, n.Sel.Name, why)
					}
				}
			}
			return true
		})
	}
}

func TestNoInitFunctions(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" && !s.test() {
				t.Errorf("%s:%d: init(): every start of every tool pays for it", s.path, s.line(f.Pos()))
			}
		}
	}
}

// TestSizes holds files and functions to their limits. What is over them is
// listed in testdata/oversize.txt with its size, which may only shrink.
func TestSizes(t *testing.T) {
	allowed := readRatchet(t, filepath.Join("testdata", "oversize.txt"))
	seen := map[string]bool{}
	check := func(key string, size, limit int) {
		if size <= limit {
			return
		}
		seen[key] = true
		if old, ok := allowed[key]; !ok {
			t.Errorf("%s: %d lines, limit %d: split it by state or phase", key, size, limit)
		} else if size > old {
			t.Errorf("%s: grew from %d to %d lines, limit %d: split it", key, old, size, limit)
		}
	}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		check(s.path, s.fset.File(s.file.Pos()).LineCount(), maxFileLines)
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				key := fmt.Sprintf("%s:%s", s.path, funcName(f))
				check(key, s.line(f.Body.Rbrace)-s.line(f.Body.Lbrace)+1, maxFuncLines)
			}
		}
	}
	for _, key := range sortedKeys(allowed) {
		if !seen[key] {
			t.Errorf("testdata/oversize.txt: %s is within the limit now: remove the line", key)
		}
	}
}

func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return f.Name.Name
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "." + f.Name.Name
	}
	return f.Name.Name
}

// readRatchet reads lines of "KEY SIZE"; a missing file is an empty list.
func readRatchet(t *testing.T, path string) map[string]int {
	t.Helper()
	out := map[string]int{}
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return out
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var key string
		var size int
		if _, err := fmt.Sscan(line, &key, &size); err != nil {
			t.Fatalf("%s: %q: want KEY SIZE", path, line)
		}
		out[key] = size
	}
	return out
}

func sortedKeys(m map[string]int) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// TestNoSleepInTests: a test waits for a condition with a deadline.
// internal/testwait is the one place that may sleep between two looks.
func TestNoSleepInTests(t *testing.T) {
	for _, s := range sources(t) {
		if !s.test() {
			continue
		}
		usesSynctest := false
		for _, imp := range s.file.Imports {
			usesSynctest = usesSynctest || imp.Path.Value == `"testing/synctest"`
		}
		if usesSynctest {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && sel.Sel.Name == "Sleep" {
					t.Errorf("%s:%d: time.Sleep in a test: wait for a condition with a deadline (internal/testwait)", s.path, s.line(sel.Pos()))
				}
			}
			return true
		})
	}
}

// TestSkipsAreTold holds tests to internal/testneed: what is missing skips a test
// loudly and fails it in CI. Who skips for another reason is listed here.
func TestSkipsAreTold(t *testing.T) {
	allowed := map[string]string{
		"internal/testneed/testneed.go":       "their home",
		"internal/lab/labtest/labtest.go":     "E2E, E2E_LONG",
		"test/ipc/sandbox_test.go":            "E2E",
		"test/pcmk/execdcost_test.go":         "E2E_LONG",
		"test/pcmk/fenced_test.go":            "E2E_LONG",
		"test/e2e/tools_test.go":              "MIX",
		"totem/totemtest/planted_test.go":     "a flag",
		"cmd/pacesync/startup_test.go":        "-short",
		"crmd/client/client_test.go":          "a cluster runs on this machine",
		"internal/corosync/loop/loop_test.go": "the kernel's choice",
	}
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Skip" || sel.Sel.Name == "Skipf" || sel.Sel.Name == "SkipNow") {
				if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "t" || x.Name == "b" || x.Name == "tb") && allowed[s.path] == "" {
					t.Errorf("%s:%d: skips by itself: use internal/testneed", s.path, s.line(n.Pos()))
				}
			}
			return true
		})
	}
}

// TestNothingBuiltIsTracked: what git keeps is text that somebody wrote, or test data.
func TestNothingBuiltIsTracked(t *testing.T) {
	const largest = 128 << 10
	list := testneed.Output(t, "git", "-c", "safe.directory=*", "ls-files", "-z")
	for name := range strings.SplitSeq(strings.TrimRight(list, "\x00"), "\x00") {
		if strings.Contains(name, "testdata/") {
			continue
		}
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and not yet told to git
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > largest || bytes.IndexByte(data, 0) >= 0 {
			t.Errorf("%s: %d bytes, text: %v; built files and dumps don't belong here", name, len(data), bytes.IndexByte(data, 0) < 0)
		}
	}
}
