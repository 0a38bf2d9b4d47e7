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
