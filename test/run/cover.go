package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// cover measures which statements under a folder the tests reach: its own, those of
// the tools and of test/NAME, and the tools run by the end-to-end tests that ask them about CIBs in
// files, which are built to count as well. All of them are part of make test.
func cover(folder string, out io.Writer) error {
	tmp, err := os.MkdirTemp("", "cover")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	under := "./" + path.Clean(folder) + "/..."
	tools := filepath.Join(tmp, "bin")
	counts := filepath.Join(tmp, "counts")
	for _, dir := range []string{tools, counts} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	unit, live := filepath.Join(tmp, "unit"), filepath.Join(tmp, "live")
	asked := "^Test(Simulate|SimulateTexts|Verify|MonOffline|MonMistakes|ResourceOffline|ResourceChanges|CliSuite)$"
	packages := []string{under, "./internal/tools/..."}
	if _, err := os.Stat(filepath.Join("test", path.Base(folder))); err == nil {
		packages = append(packages, "./test/"+path.Base(folder))
	}
	for _, args := range [][]string{
		append([]string{"go", "test", "-count=1", "-coverpkg=" + under, "-coverprofile=" + unit}, packages...),
		{"go", "build", "-cover", "-coverpkg=" + under + ",./cmd/pacesync", "-o", filepath.Join(tools, "pacesync"), "./cmd/pacesync"},
		{filepath.Join(tools, "pacesync"), "links", tools},
		{"go", "test", "-count=1", "-timeout=20m", "-run=" + asked, "./test/pcmk"},
		{"go", "tool", "covdata", "textfmt", "-i=" + counts, "-o=" + live},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "E2E=1", "PACESYNC_BIN="+tools, "GOCOVERDIR="+counts)
		cmd.Stderr = os.Stderr
		if text, err := cmd.Output(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, text)
		}
	}
	blocks := map[string]block{}
	for _, name := range []string{unit, live} {
		if err := readProfile(name, blocks); err != nil {
			return err
		}
	}
	if name := os.Getenv("COVERPROFILE"); name != "" {
		if err := writeProfile(name, blocks); err != nil {
			return err
		}
	}
	coverTable(blocks, out)
	return nil
}

// block is a stretch of code without branches: how many statements, and whether a
// test was there.
type block struct {
	statements int
	reached    bool
}

// readProfile adds a profile: lines FILE:FROM,TO STATEMENTS COUNT behind one that
// says how it was counted.
func readProfile(name string, blocks map[string]block) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			continue
		}
		n, err := strconv.Atoi(fields[1])
		if err != nil {
			return fmt.Errorf("%s: %q: %w", name, lines.Text(), err)
		}
		if strings.Contains(fields[0], "/cmd/pacesync/") {
			continue // measured because nothing is counted in a program whose main package is not
		}
		b := blocks[fields[0]]
		blocks[fields[0]] = block{n, b.reached || fields[2] != "0"}
	}
	return lines.Err()
}

// writeProfile keeps the sum for `go tool cover -html`.
func writeProfile(name string, blocks map[string]block) error {
	b := []byte("mode: set\n")
	for at, k := range blocks {
		count := 0
		if k.reached {
			count = 1
		}
		b = fmt.Appendf(b, "%s %d %d\n", at, k.statements, count)
	}
	return os.WriteFile(name, b, 0o644)
}

// coverTable shows for each package how many of its statements and of its blocks,
// each arm of a branch being one, were reached.
func coverTable(blocks map[string]block, out io.Writer) {
	names, sums := packageSums(blocks)
	fmt.Fprintln(out, "| package | statements | reached | blocks | reached |\n|---|---:|---:|---:|---:|")
	for _, name := range names {
		s := sums[name]
		short := strings.TrimPrefix(name, module)
		fmt.Fprintf(out, "| %s | %d | %.1f %% | %d | %.1f %% |\n", short, s.statements, percent(s.reached, s.statements), s.blocks, percent(s.reachedBlocks, s.blocks))
	}
}

// sum is what was reached of a package, or of all together.
type sum struct{ statements, reached, blocks, reachedBlocks int }

// packageSums adds blocks up by package and together; names are sorted.
func packageSums(blocks map[string]block) (names []string, sums map[string]sum) {
	sums = map[string]sum{}
	for at, k := range blocks {
		file, _, _ := strings.Cut(at, ":")
		for _, name := range []string{path.Dir(file), "together"} {
			s, seen := sums[name]
			if !seen {
				names = append(names, name)
			}
			s.statements, s.blocks = s.statements+k.statements, s.blocks+1
			if k.reached {
				s.reached, s.reachedBlocks = s.reached+k.statements, s.reachedBlocks+1
			}
			sums[name] = s
		}
	}
	slices.Sort(names)
	return names, sums
}

func percent(part, of int) float64 { return 100 * float64(part) / float64(of) }
