package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/testneed"
)

func TestRender(t *testing.T) {
	got := render(page{"x-y", 8, "does it", "# x\nA `b-c` **d**\nand.\n\n.e\n\n## See it\n\n- one\n- two\n  more\n\n    a  'b'\n\n    .c\n\n| key | type | text |\n|---|---|---|\n| `k` | u8 | what… |\n\n```\n\\n\n```\nend\n"})
	want := `.TH X-Y 8 "" pacesync "Corosync and Pacemaker"
.SH NAME
x\-y \- does it
.SH DESCRIPTION
.PP
A \fBb\-c\fR \fBd\fR
and.
.PP
\&.e
.SH SEE IT
.IP \(bu 2
one
.IP \(bu 2
two
more
.PP
.RS 4
.nf
a  \(aqb\(aq

\&.c

.fi
.RE
.TP
.B \fBk\fR
what...
.br
(type: u8)
.PP
.RS 4
.nf
\en
.fi
.RE
.PP
end
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// built is the binary that the tests of packages use.
func built(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("../../bin/pacesync"); err != nil {
		testneed.Missing(t, "bin/pacesync: make build")
	}
	path, err := filepath.Abs("../../bin/pacesync")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPages: every program that somebody calls has a page that says what it is and
// how it is called; every option of the table stands in corosync.conf(5); man shows
// all of them without a complaint.
func TestPages(t *testing.T) {
	binary := built(t)
	t.Chdir("../..")
	options, err := os.ReadFile("docs/corosync.conf.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := collect(binary, string(options))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range pages {
		names = append(names, p.name)
		roff := render(p)
		if p.summary == "" || len(p.body) < 100 {
			t.Errorf("%s: no summary or hardly a text: %q", p.name, p.body)
		}
		for _, left := range []string{"@", "**", "`"} {
			if left != "@" && strings.Contains(roff, left) && !strings.Contains(p.body, "```") || strings.Contains(roff, "@STATUSES@") {
				t.Errorf("%s: %q is left", p.name, left)
			}
		}
		out, err := groff(t, roff)
		if err != nil || out != "" {
			t.Errorf("%s: %v\n%s", p.name, err, out)
		}
	}
	for _, o := range config.Options() {
		last := o.Key[strings.LastIndexByte(o.Key, '.')+1:]
		if !strings.Contains(pages[0].body, o.Key) {
			t.Errorf("corosync.conf(5) lacks %s", last)
		}
	}
	debian(t, names)
}

// groff shows a page and returns what it complains of.
func groff(t *testing.T, roff string) (complaints string, err error) {
	if _, err := exec.LookPath("groff"); err != nil {
		return "", nil // looked at where it is installed
	}
	cmd := exec.CommandContext(t.Context(), "groff", "-man", "-ww", "-z", "-Tutf8", "-K", "utf8")
	cmd.Stdin = strings.NewReader(roff)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// debian: each page of Debian's packages about something that we install is there.
func debian(t *testing.T, have []string) {
	out, err := exec.Command("dpkg", "-L", "corosync", "corosync-notifyd", "corosync-vqsim", "pacemaker", "pacemaker-cli-utils").Output()
	if err != nil {
		testneed.Missing(t, "Debian's packages (make deps)")
	}
	lack := []string{"cibsecret", "crm_report", "fence_legacy", "fence_watchdog", "ocf_pacemaker_controld", "ocf_pacemaker_o2cb", "ocf_pacemaker_remote"} // not ours
	seen := 0
	for line := range strings.Lines(string(out)) {
		file, found := strings.CutSuffix(strings.TrimSpace(line), ".gz")
		if !found || !strings.Contains(file, "/man/man") {
			continue
		}
		seen++
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		if !slices.Contains(have, name) && !slices.Contains(lack, name) {
			t.Errorf("Debian has a page %s, we have none", filepath.Base(file))
		}
	}
	if seen < 30 {
		t.Errorf("only %d pages of Debian's seen", seen)
	}
}
