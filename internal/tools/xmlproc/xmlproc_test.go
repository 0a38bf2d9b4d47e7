package xmlproc

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet/applettest"
	"github.com/pacesync/pacesync/internal/testneed"
)

// run is the program in process: status, stdout, stderr.
func run(stdin string, args ...string) (int, string, string) {
	return applettest.Run(Run, "corosync-xmlproc", stdin, args...)
}

// documents, each with what is special about it.
func documents() map[string]string {
	deep := strings.Repeat("<corosync>", 200) + strings.Repeat("</corosync>", 200)
	return map[string]string{
		"usual": `<?xml version="1.0"?>
<corosync>
  <totem version="2" secauth="off" cluster_name="x &amp; &lt;y&gt;">
    <interface ringnumber="0" mcastport="5405"/>
  </totem>
  <nodelist><node ring0_addr="10.0.0.1" nodeid="1"/><node ring0_addr="10.0.0.2" nodeid="2"/></nodelist>
  <quorum provider="corosync_votequorum"></quorum>
</corosync>`,
		"root has options": `<corosync a="1" b=""/>`,
		"empty":            `<corosync/>`,
		"text":             `<corosync>text<a b="1">more<![CDATA[<x>]]></a><!-- c --><?pi x?></corosync>`,
		"blanks":           "<corosync a='1\n2\t3&#10;4'/>",
		"latin1":           "<?xml version='1.0' encoding='iso-8859-1'?><corosync a='\xe4 &#x20ac;'/>",
		"utf8":             `<corosync a="ä€𝄞"/>`,
		"namespaces":       `<corosync xmlns="u" xmlns:f="v" f:a="1"><f:b xml:c="2"/></corosync>`,
		"prefix":           `<corosync xmlns:f="v" f:a="1"><f:b xml:c="2"/></corosync>`,
		"undeclared":       `<corosync><f:a f:b="1" x.y-z="3"/></corosync>`,
		"other root":       `<x a="1"><corosync b="2"><c/></corosync></x>`,
		"within itself":    `<corosync><corosync a="1"><corosync/></corosync></corosync>`,
		"deep":             deep,
		"too deep":         strings.Repeat("<corosync>", 300) + strings.Repeat("</corosync>", 300),
		"nothing":          "",
		"no XML":           "totem {\n}\n",
		"cut short":        "<corosync><a",
		"unclosed":         "<corosync><a></corosync>",
		"twice":            `<corosync><totem a="1" a="2"/></corosync>`,
		"two roots":        `<corosync/><corosync/>`,
		"bad reference":    `<corosync a="&nosuch;"/>`,
	}
}

var date = regexp.MustCompile(`(generated from .* at )[-0-9T:+Z]+\n`)

// TestEqualsOriginal: text and exit status of the script, for each document.
func TestEqualsOriginal(t *testing.T) {
	original := testneed.Program(t, "corosync-xmlproc")
	testneed.Program(t, "xsltproc")
	dir := t.TempDir()
	for name, text := range documents() {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "in.xml"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			outs := []string{""}
			if name == "usual" || name == "other root" || name == "cut short" {
				outs = append(outs, filepath.Join(dir, "new/a/b.conf"))
			}
			for _, out := range outs {
				t.Chdir(dir)
				var wantOut bytes.Buffer
				cmd := exec.Command(original, "in.xml", out)
				cmd.Stdout = &wantOut
				var exit *exec.ExitError
				if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
					t.Fatal(err)
				}
				want, wantStatus := wantOut.String()+content(out), cmd.ProcessState.ExitCode()
				os.RemoveAll(filepath.Join(dir, "new"))
				status, got, errs := run("", "in.xml", out)
				got += content(out)
				os.RemoveAll(filepath.Join(dir, "new"))
				want, got = date.ReplaceAllString(want, "$1\n"), date.ReplaceAllString(got, "$1\n")
				if status != wantStatus || got != want {
					t.Errorf("status %d, want %d; said\n%s\nwant\n%s", status, wantStatus, got, want)
				}
				if (status != 0) != (errs != "") {
					t.Errorf("status %d with %q on stderr", status, errs)
				}
			}
		})
	}
}

// content is what is in a file, with a mark when it is there.
func content(file string) string {
	if file == "" {
		return ""
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return "file: " + string(b)
}

func TestArguments(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "a b.xml")
	if err := os.WriteFile(good, []byte("<corosync/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		stderr string
	}{
		{nil, 1, ""},
		{[]string{"", "x"}, 1, ""},
		{[]string{"--help"}, 1, ""},
		{[]string{"-x"}, 3, "Unknown option -x\n"},
		{[]string{"/nonexistent/x"}, 6, "warning: failed to load external entity \"/nonexistent/x\"\nunable to parse /nonexistent/x\n"},
		{[]string{dir}, 6, "I/O error : Is a directory\nunable to parse " + dir + "\n"},
		{[]string{good, dir}, 11, "I/O error : Is a directory\n" + dir + ": cannot be written\n"},
		{[]string{good, good + "/x"}, 11, "I/O error : Not a directory\n" + good + "/x: cannot be written\n"},
		{[]string{good, "/dev/full"}, 11, "I/O error : No space left on device\n/dev/full: cannot be written\n"},
		{[]string{good}, 0, ""},
		{[]string{"-"}, 0, ""},
		{[]string{"file://" + good}, 0, ""},
	} {
		status, out, errs := run("<corosync/>", c.args...)
		if status != c.status || errs != c.stderr {
			t.Errorf("%q: status %d, want %d, stderr %q, want %q", c.args, status, c.status, errs, c.stderr)
		}
		if status == 0 && !strings.HasPrefix(out, "# Corosync configuration file generated from "+c.args[0]+" at ") {
			t.Errorf("%q: %q", c.args, out)
		}
	}
}

// TestFaultIsShown: the line of a fault, with a mark under its place.
func TestFaultIsShown(t *testing.T) {
	_, _, errs := run("<corosync>\n <totem a=\"1\" a=\"2\"/>\n</corosync>", "-")
	lines := strings.Split(errs, "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "-:2: parser error : ") || lines[1] != " <totem a=\"1\" a=\"2\"/>" ||
		strings.TrimLeft(lines[2], " ") != "^" || lines[3] != "unable to parse -" {
		t.Errorf("said %q", errs)
	}
}
