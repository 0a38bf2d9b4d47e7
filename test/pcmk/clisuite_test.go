package pcmk

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testneed"
)

// cliGroups are the parts of Pacemaker's own suite for the command-line tools.
const cliGroups = "daemons dates error_codes tools crm_mon acls validity upgrade rules feature_set"

// TestCliSuite runs Pacemaker's own suite for the command-line tools with the originals
// and with ours: every command says the same, ends the same and leaves the same CIB. Those
// that differ are listed in testdata/cts-cli.txt, which may only shrink.
func TestCliSuite(t *testing.T) {
	labtest.Long(t, "TestSmallTools, TestResourceChanges and the other tests of tools on files")
	labtest.Need(t, "/usr/sbin/crm_mon", "/usr/lib/pacemaker/pacemaker-based")
	testneed.Program(t, "xmllint")
	text, err := os.ReadFile(filepath.Join("testdata", "cts-cli.txt"))
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Split(strings.TrimSpace(string(text)), "\n")
	want, got := cliSuite(t, "/usr/lib/pacemaker"), cliSuite(t, labtest.Bin(t)+":/usr/lib/pacemaker")
	if len(want) < 500 {
		t.Fatalf("only %d tests ran", len(want))
	}
	equal := 0
	for name, text := range want {
		switch differs, listed := got[name] != text, slices.Contains(known, name); {
		case differs && !listed:
			t.Errorf("%s: %s", name, firstDifference(outcome{stdout: text}, outcome{stdout: got[name]}))
		case !differs && listed:
			t.Errorf("%s is equal now: remove the line from testdata/cts-cli.txt", name)
		case !differs:
			equal++
		}
	}
	t.Logf("RESULT %d of %d tests of Pacemaker's suite for its tools are equal", equal, len(want))
}

// cliSuite runs the suite with programs first from path, and returns what each of its
// tests printed, by group and description.
func cliSuite(t *testing.T, path string) map[string]string {
	t.Helper()
	cts, dir := testneed.Suites(t), t.TempDir()
	program, err := os.ReadFile(filepath.Join(cts, "cts-cli.in"))
	if err != nil {
		t.Fatal(err)
	}
	// The log, which it sends to standard error, is not compared.
	program = []byte(strings.NewReplacer("@BASH_PATH@", "/bin/bash", "@CRM_DAEMON_DIR@", path, "@CRM_SCHEMA_DIRECTORY@", "/usr/share/pacemaker",
		"export PCMK_stderr=1", "").Replace(string(program)))
	if err := os.WriteFile(filepath.Join(dir, "cts-cli"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "cli"), os.DirFS(filepath.Join(cts, "cli"))); err != nil {
		t.Fatal(err)
	}
	// It makes its files with names that show: equally long ones, in the same folder.
	cmd := exec.CommandContext(labtest.Context(t, 15*time.Minute), "./cts-cli", "-s", "-t", cliGroups)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=" + dir, "TMPDIR=" + t.TempDir()}
	if out, err := cmd.CombinedOutput(); cmd.ProcessState == nil {
		t.Fatalf("%v: %s", err, out)
	}
	results := map[string]string{}
	for group := range strings.FieldsSeq(cliGroups) {
		readSuite(t, filepath.Join(dir, "cli", "regression."+group+".exp"), group, results, strings.NewReplacer(dir, "DIR", cmd.Env[4][len("TMPDIR="):], "TMP"))
	}
	return results
}

// readSuite takes the output of a group apart.
func readSuite(t *testing.T, file, group string, results map[string]string, paths *strings.Replacer) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begin, blank := regexp.MustCompile(`^=#=#=#= Begin test: (.*) =#=#=#=$`), regexp.MustCompile(`\s+`)
	name := ""
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := begin.FindStringSubmatch(lines.Text()); m != nil {
			name = group + ": " + m[1]
			for i := 2; results[name] != ""; i++ {
				name = fmt.Sprintf("%s: %s #%d", group, m[1], i)
			}
		}
		if name != "" {
			results[name] += blank.ReplaceAllString(paths.Replace(lines.Text()), " ") + "\n" // as the suite compares: diff -w
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
