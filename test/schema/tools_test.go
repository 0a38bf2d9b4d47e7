package schema

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// TestToolsOnOldCIBs compares our tools with the originals on random CIBs of 2.10:
// what they say, the status, and what is left in the file.
func TestToolsOnOldCIBs(t *testing.T) {
	labtest.Need(t, "/usr/sbin/cibadmin", "/usr/sbin/crm_verify", "/usr/sbin/crm_simulate")
	set, upgraded := load(t), 0
	for seed := range amount(6, 150) {
		root := oldCIB(rand.New(rand.NewPCG(uint64(seed), 214)))
		if len(set.Validate(root)) > 0 {
			continue
		}
		text := root.Append(nil)
		for _, line := range []string{"cibadmin --upgrade --force", "crm_verify -x cib.xml", "crm_simulate -x cib.xml -S"} {
			args := strings.Fields(line)
			want := tool(t, "/usr/sbin", args, text)
			got := tool(t, labtest.Bin(t), args, text)
			if got != want {
				keep(t, "tools", root)
				t.Errorf("seed %d: %s\n got %s\nwant %s", seed, line, got, want)
			}
		}
		upgraded++
	}
	t.Logf("%d CIBs", upgraded)
	if upgraded == 0 {
		t.Error("no valid CIB to show anything")
	}
}

// tool runs a tool on a copy of a CIB and returns what came of it.
func tool(t *testing.T, bin string, args []string, cib []byte) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, args[0]), args[1:]...)
	cmd.Args[0], cmd.Dir = args[0], t.TempDir()
	file := filepath.Join(cmd.Dir, "cib.xml")
	if err := os.WriteFile(file, cib, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "CIB_file=cib.xml", "LC_ALL=C", "TZ=UTC")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // its status is compared
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// What libxml2 has against the schema it has in words of its own.
	faults := regexp.MustCompile(`(?m)^.*(Relax-NG validity error|: validity error : |line [0-9]+: <|\(xml_log\)).*\n|(?m)^<[a-z_]+( id="[^"]*")?> .*\n`)
	return cmd.ProcessState.String() + "\n" + out.String() + "\n" + faults.ReplaceAllString(errs.String(), "") + "\n" +
		regexp.MustCompile(` (cib-last-written|update-origin|update-client|update-user)="[^"]*"`).ReplaceAllString(string(after), "")
}
