package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/corosync/daemon"
)

var (
	record = flag.Bool("record", false, "record testdata/oracle.txt anew with the installed corosync 3.1.7")
	live   = flag.Bool("live", false, "compare every case with the installed corosync 3.1.7, not a sample")
)

// liveSample: one case of so many is compared with the installed original too.
const liveSample = 16

const oracleFile = "testdata/oracle.txt"

// oracleCase is a configuration and what `corosync -t` of 3.1.7 says about it.
type oracleCase struct {
	name  string
	raw   bool     // nothing is appended to the file
	files []string // names, the first is corosync.conf
	data  map[string]string
	want  string // standard error without times, then "status N"
	see   string // lines that begin with a file and line, which the original does not have
}

// readCases reads testdata/oracle.txt:
//
//	=== NAME [raw]
//	contents of corosync.conf
//	--- FILE        contents of another file beside it
//	---             what the original says
//	--- see         what we say in addition: where it stands, what was meant
//
// In contents @DIR@ is the directory, @N*TEXT@ is TEXT repeated, \xHH a byte.
func readCases(t *testing.T) (cases []*oracleCase) {
	t.Helper()
	data, err := os.ReadFile(oracleFile)
	if err != nil {
		t.Fatal(err)
	}
	var c *oracleCase
	part := ""
	for _, line := range strings.SplitAfter(string(data), "\n") {
		trimmed := strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "=== "):
			name, raw := strings.CutSuffix(trimmed[4:], " raw")
			c = &oracleCase{name: name, raw: raw, files: []string{"corosync.conf"}, data: map[string]string{}}
			cases = append(cases, c)
			part = "corosync.conf"
		case c == nil: // heading
		case strings.HasPrefix(line, "---"):
			part = strings.TrimSpace(trimmed[3:])
			if part != "" && part != "see" {
				c.files = append(c.files, part)
			}
		case part == "":
			c.want += line
		case part == "see":
			c.see += line
		default:
			c.data[part] += line
		}
	}
	return cases
}

// expand makes a file's real contents.
func expand(s, dir string) string {
	s = strings.ReplaceAll(s, "@DIR@", dir)
	s = regexp.MustCompile(`@(\d+)\*([^@\n]*)@`).ReplaceAllStringFunc(s, func(m string) string {
		count, text, _ := strings.Cut(strings.Trim(m, "@"), "*")
		n, _ := strconv.Atoi(count)
		return strings.Repeat(text, n)
	})
	return regexp.MustCompile(`\\x[0-9a-f]{2}`).ReplaceAllStringFunc(s, func(m string) string {
		n, _ := strconv.ParseUint(m[2:], 16, 8)
		return string([]byte{byte(n)})
	})
}

// appendix keeps a test away from the machine's directories and its syslog.
const appendix = "system {\n\tstate_dir: @DIR@\n}\nlogging {\n\tto_syslog: no\n}\n"

// layOut writes the files of a case and returns the path of corosync.conf.
func (c *oracleCase) layOut(t *testing.T) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range c.files {
		text := c.data[name]
		if name == "corosync.conf" && !c.raw {
			text += appendix
		}
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(expand(text, dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, filepath.Join(dir, "corosync.conf")
}

// normal takes times and the directory out of what was printed.
func normal(stderr, dir string, status int) string {
	stderr = regexp.MustCompile(`(?m)^[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d(\.\d{3})? `).ReplaceAllString(stderr, "")
	stderr = strings.ReplaceAll(stderr, dir, "@DIR@")
	if stderr != "" && !strings.HasSuffix(stderr, "\n") {
		stderr += "\n"
	}
	stderr = regexp.MustCompile(`[^\n -~]`).ReplaceAllStringFunc(stderr, func(m string) string {
		return fmt.Sprintf(`\x%x`, m)
	})
	return fmt.Sprintf("%sstatus %d\n", stderr, status)
}

// ours is `corosync -t -c FILE` of this project. The lines that only we have are
// apart.
func (c *oracleCase) ours(t *testing.T) (out, see string) {
	dir, path := c.layOut(t)
	t.Chdir(dir)
	var stdout, stderr bytes.Buffer
	status := daemon.Run(&applet.Env{Name: "corosync", Args: []string{"-t", "-c", path}, Stdout: &stdout, Stderr: &stderr})
	if stdout.Len() > 0 {
		t.Errorf("standard output: %q", stdout.String())
	}
	thisHost := regexp.MustCompile(`This host is \S+:`)
	own := regexp.MustCompile(`^(?:(?:error  |warning) \[MAIN  \] )?((?:see )?@DIR@/\S+:\d+: |see pacesync lint )`)
	for _, line := range strings.SplitAfter(normal(stderr.String(), dir, status), "\n") {
		if m := own.FindStringSubmatchIndex(line); m != nil {
			see += thisHost.ReplaceAllString(line[m[2]:], "This host is HOST:")
		} else {
			out += line
		}
	}
	return out, see
}

// original runs the installed program; ok is false when it is another version.
func (c *oracleCase) original(t *testing.T) (out string, ok bool) {
	version, err := exec.Command("corosync", "-v").Output()
	if err != nil || !strings.Contains(string(version), "version '3.1.7'") {
		return "", false
	}
	dir, path := c.layOut(t)
	cmd := exec.Command("corosync", "-t", "-c", path)
	var stderr bytes.Buffer
	cmd.Stderr, cmd.Dir = &stderr, dir
	_ = cmd.Run()
	return normal(stderr.String(), dir, cmd.ProcessState.ExitCode()), true
}

// TestAgainstOracle compares text and status of `corosync -t` with the
// original's, recorded and, where it is installed, live.
func TestAgainstOracle(t *testing.T) {
	cases := readCases(t)
	if len(cases) < 120 {
		t.Errorf("%d cases only", len(cases))
	}
	if *record {
		recordCases(t, cases)
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, see := c.ours(t)
			if got != c.want {
				t.Errorf("ours:\n%s\noriginal:\n%s", got, c.want)
			}
			if see != c.see {
				t.Errorf("where it stands, ours:\n%s\nrecorded:\n%s", see, c.see)
			}
			if i%liveSample != 0 && !*live {
				return
			}
			if now, ok := c.original(t); ok && now != c.want {
				t.Errorf("recorded:\n%s\nthe installed original says:\n%s", c.want, now)
			}
		})
	}
}

func recordCases(t *testing.T, cases []*oracleCase) {
	var b strings.Builder
	head, err := os.ReadFile(oracleFile)
	if err != nil {
		t.Fatal(err)
	}
	intro, _, _ := strings.Cut(string(head), "=== ")
	b.WriteString(intro)
	for _, c := range cases {
		out, ok := c.original(t)
		if !ok {
			t.Fatal("-record needs corosync 3.1.7")
		}
		c.want = out
		flag := ""
		if c.raw {
			flag = " raw"
		}
		fmt.Fprintf(&b, "=== %s%s\n%s", c.name, flag, c.data["corosync.conf"])
		for _, name := range c.files[1:] {
			fmt.Fprintf(&b, "--- %s\n%s", name, c.data[name])
		}
		fmt.Fprintf(&b, "---\n%s", c.want)
		t.Run("record "+c.name, func(t *testing.T) { _, c.see = c.ours(t) })
		if c.see != "" {
			fmt.Fprintf(&b, "--- see\n%s", c.see)
		}
	}
	if err := os.WriteFile(oracleFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRelativeFile: the file is found again after the daemon has gone to its state
// directory.
func TestRelativeFile(t *testing.T) {
	c := &oracleCase{name: "relative", files: []string{"corosync.conf"}, data: map[string]string{
		"corosync.conf": "totem {\nversion: 2\ntransport: udpu\ntoken: 10\n}\nnodelist {\nnode {\nring0_addr: 127.0.0.1\nnodeid: 1\n}\n}\nsystem {\nstate_dir: /\n}\n"}}
	dir, path := c.layOut(t)
	t.Chdir(dir)
	var stderr bytes.Buffer
	if status := daemon.Run(&applet.Env{Name: "corosync", Args: []string{"-t", "-c", "corosync.conf"}, Stdout: &stderr, Stderr: &stderr}); status != 8 ||
		!strings.Contains(stderr.String(), "see "+path+":4: totem.token: 10") {
		t.Errorf("status %d:\n%s", status, stderr.String())
	}
}
