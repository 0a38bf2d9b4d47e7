package pcmk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testneed"
)

// scripted is what commands of a shell did: what they said, and the files they left.
type scripted struct {
	outcome
	files string
}

// script runs commands in a folder of their own, with programs first from bin. A CIB,
// if one is given, is at $CIB_file; shadow copies are made in the folder.
func script(t *testing.T, bin, cib, commands string) scripted {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("bash", "-c", commands)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + bin + ":/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC", "SHELL=/bin/false", "CIB_shadow_dir=" + dir}
	if cib != "" {
		text, err := os.ReadFile(filepath.Join("testdata", cib))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cib.xml"), text, 0o666); err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "CIB_file="+dir+"/cib.xml")
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	mask := regexp.MustCompile(` (cib-last-written|update-[a-z]+|last-granted)="[^"]*"`)
	clean := func(s string) string { return mask.ReplaceAllString(strings.ReplaceAll(s, dir, "DIR"), "") }
	files := ""
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files += f.Name() + ":\n" + clean(string(text))
	}
	return scripted{outcome{cmd.ProcessState.ExitCode(), clean(out.String()), clean(errs.String())}, files}
}

// TestSmallTools compares crm_error, crm_diff, crm_shadow, crm_ticket and the scripts of
// old with the originals: text, status and the files they leave.
func TestSmallTools(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_shadow", "/usr/sbin/crm_ticket")
	testneed.Program(t, "bash")
	const x = "crm_shadow -b -e x >made; export CIB_shadow=x; "
	const y = "crm_shadow -b -c y >made; export CIB_shadow=y; "
	for cib, list := range map[string][]string{
		"": {"crm_error -n -- 201 202 205 211 -22 22 0 999 abc 12x", "crm_error -l -n", "crm_error -l -r -n --output-as=xml", "crm_error -X -l", "crm_error -X -- 1 255 130",
			"crm_error -V -n -r -- -1005 -10000", "crm_error --help-all", "crm_error --version", "crm_error -x", "crm_error --output-as=html 5", "crm_error",
			`crm_diff -O '<a x="1"/>' -N '<a y="2"/>'`, `crm_diff -u -O '<cib epoch="1"><a/></cib>' -N '<cib epoch="2"><b/></cib>'`, "crm_diff -o none -N '<b/>'",
			"crm_diff -u -c -O '<a/>' -N '<a/>'", "crm_diff --help-all", "crm_diff --version", "crm_diff -x", "crm_diff",
			"crm_shadow -b -e x", x + "crm_shadow -w; crm_shadow -p; crm_shadow -F", "crm_shadow -w", "crm_shadow -b -e x; crm_shadow -b -e x",
			"crm_shadow -b -e x; crm_shadow -b -f -e x -v pacemaker-2.0", x + "crm_shadow -D x; crm_shadow -D y -f; crm_shadow -D x -f", x + "crm_shadow -d",
			"crm_shadow --help", "crm_shadow", "crm_shadow -x", "crm_shadow -V a b", x + "EDITOR=cat crm_shadow -E; crm_shadow -E", x + "PS1='shadow[x] # ' crm_shadow -b -s x",
			x + "PS1='shadow[x] # ' crm_shadow -D x -f", "crm_failcount --help", "crm_standby --help", "crm_master --help", "crm_master", "crm_standby -y"},
		"tickets.xml": {"crm_ticket -l; crm_ticket -L; crm_ticket -w", "crm_ticket -l -t no", "crm_ticket -q -t tA", "crm_ticket -q -t no", "crm_ticket -c", "crm_ticket -c -t no",
			"crm_ticket -G granted -t tA; crm_ticket -G x -t tA -d 5; crm_ticket -G x -t tA", "crm_ticket -G granted", "crm_ticket -t tB -g", "crm_ticket -t tB -g -f",
			"crm_ticket -t tA -r", "crm_ticket -t tA -r -s -f", "crm_ticket -t tC -a", "crm_ticket -t tC -v y -S owner", "crm_ticket -t tC -S owner", "crm_ticket -t tC -v y",
			"crm_ticket -S owner -v y", "crm_ticket -t tA -D owner", "crm_ticket -t tA -D granted", "crm_ticket -t tA -D granted -D owner -f", "crm_ticket -t tA -C",
			"crm_ticket -t tC -C", "crm_ticket -t no -C", "crm_ticket", "crm_ticket --help-all", "crm_ticket -Z",
			y + "crm_shadow -d; crm_attribute -n a -v 5; crm_shadow -d; crm_shadow -b -r y; crm_shadow -d; cibadmin -Q", y + "sed -i s/tA/tD/ $CIB_shadow_dir/shadow.y; crm_shadow -d",
			"crm_shadow -b -c y -f; crm_shadow -b -s y; crm_shadow -b -s z"},
		"failcounts.xml": {"crm_failcount -G -r p -N n1; crm_failcount -G -r p -N n1 -n monitor -I 10s; crm_failcount -qG -r q -N n1; crm_failcount -G -r old -N n1",
			"crm_failcount -G", "crm_failcount --quer -r p -N n1 -l x -v 5", "crm_failcount -G -r p -N n1 -n start -I abc", "crm_failcount -x",
			"crm_standby -N n1 -v on; crm_standby -N n1; crm_standby -N n1 -q -D; crm_standby -N n1", "crm_standby -N n1 -v true -l reboot",
			"crm_master -r p -N n1 -v 10; crm_master -r p -N n1 -G; crm_master -r p -N n1 -D", "OCF_RESOURCE_INSTANCE=z crm_master -N n1 -v 5 -l reboot", "crm_master --bad"},
	} {
		for _, commands := range list {
			t.Run(commands, func(t *testing.T) {
				t.Parallel()
				want, got := script(t, "/usr/sbin", cib, commands), script(t, labtest.Bin(t), cib, commands)
				if got.outcome != want.outcome {
					t.Errorf("status %d, want %d:\n%s", got.status, want.status, firstDifference(want.outcome, got.outcome))
				}
				if got.files != want.files {
					t.Errorf("files differ: %s", firstDifference(outcome{stdout: want.files}, outcome{stdout: got.files}))
				}
			})
		}
	}
}

// TestUserOfEnvironment: access rules hold for whom CIB_user names, whichever tool asks.
func TestUserOfEnvironment(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_attribute")
	testneed.Root(t, "to act for others")
	const acls = `crm_attribute -n enable-acl -v true; cibadmin -M -c -o acls -X '<acls><acl_role id="r"><acl_permission id="rp" kind="read" xpath="/cib"/>` +
		`</acl_role><acl_target id="nobody"><role id="r"/></acl_target></acls>'; export CIB_user=nobody; `
	for _, commands := range []string{"crm_attribute -n a -v 5", "crm_resource -r p -m -p x -v 1", "cibadmin -Q", "crm_ticket -t x -s", "crm_resource -L",
		"CIB_user=games cibadmin -C -o resources -X '<primitive id=\"d\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\"/>'", "CIB_user=games cibadmin -Q"} {
		want, got := script(t, "/usr/sbin", "failcounts.xml", acls+commands), script(t, labtest.Bin(t), "failcounts.xml", acls+commands)
		if want != got {
			t.Errorf("%s: status %d, want %d:\n%s", commands, got.status, want.status, firstDifference(want.outcome, got.outcome))
		}
	}
}
