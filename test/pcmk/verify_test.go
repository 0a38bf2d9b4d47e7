package pcmk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testneed"
)

// TestVerify compares crm_verify -VV with the installed one on the scheduler's
// conformance cases: every message, its function and order, and the status. Cases
// whose messages differ are listed in testdata/verify.txt, which may only shrink; their status has to agree.
func TestVerify(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_verify")
	files := testneed.CIBs(t)
	list, err := os.ReadFile("testdata/verify.txt")
	if err != nil {
		t.Fatal(err)
	}
	differs := map[string]bool{}
	for name := range strings.FieldsSeq(string(list)) {
		differs[name] = true
	}
	ours, every := filepath.Join(labtest.Bin(t), "crm_verify"), 8
	if os.Getenv("E2E_LONG") != "" {
		every = 1
	}
	for i, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".xml")
		if i%every != 0 {
			continue
		}
		args := []string{"-VV", "-x", f}
		want := runTool(t, "/usr/sbin/crm_verify", "crm_verify", "", args)
		got := runTool(t, ours, "crm_verify", "", args)
		same := got == want
		switch {
		case got.status != want.status || !same && !differs[name]:
			t.Errorf("%s:\n got %d %s%s\nwant %d %s%s", name, got.status, got.stdout, got.stderr, want.status, want.stdout, want.stderr)
		case same && differs[name]:
			t.Errorf("%s agrees now: take it off testdata/verify.txt", name)
		}
	}
}

// TestVerifyTexts: options and faulty input.
func TestVerifyTexts(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_verify")
	sameTool(t, "crm_verify", "", `--help
--help-all
--help-data
--version

-x /nonexistent
-x /nonexistent --output-as=xml
-X <a/>
-L
-L --output-as=xml
--output-as=html
--nonsense
`)
	sameTool(t, "crm_verify", attrCIB, `-x cib.xml
-x cib.xml -V
-x cib.xml -VV
-L
-L -VV
-S saved.xml -x cib.xml
-x cib.xml --output-as=xml
`)
}

// TestBrokenXML: what is wrong with a broken CIB is told in other words than the
// original's, who goes on with what could be read, mostly to the same status.
func TestBrokenXML(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_verify", "/usr/sbin/crm_simulate")
	for _, line := range []string{"crm_verify -x cib.xml", "crm_verify -x cib.xml --output-as=xml", "crm_simulate -x cib.xml -S"} {
		tool, args := strings.Fields(line)[0], strings.Fields(line)[1:]
		for _, cib := range []string{attrCIB[:len(attrCIB)/2], "hello\n", ""} {
			want := runTool(t, "/usr/sbin/"+tool, tool, cib+" ", args)
			got := runTool(t, filepath.Join(labtest.Bin(t), tool), tool, cib+" ", args)
			if got.status != want.status || got.status == 0 || !strings.Contains(got.stdout+got.stderr, "cib.xml") {
				t.Errorf("%s, %.20q…:\n got %d %q %q\nwant %d %q %q", line, cib, got.status, got.stdout, got.stderr, want.status, want.stdout, want.stderr)
			}
		}
	}
	latin := `<?xml version="1.0" encoding="ISO-8859-1"?>` + strings.Replace(attrCIB, "N2", "N\xfc", 1)
	sameTool(t, "crm_verify", latin, "-x cib.xml -VV\n")
	sameTool(t, "crm_simulate", latin, "-x cib.xml -S\n-x cib.xml -s --output-as=xml\n")
}
