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

// toolCorpus is a share of the scheduler's test CIBs where they are at hand: all of
// them with E2E_LONG, otherwise one of sixty.
func toolCorpus(t *testing.T) []string {
	t.Helper()
	all := testneed.CIBs(t)
	if os.Getenv("E2E_LONG") != "" {
		return all
	}
	var some []string
	for i := 0; i < len(all); i += 60 {
		some = append(some, all[i])
	}
	return some
}

// outcome is what a program did.
type outcome struct {
	status         int
	stdout, stderr string
}

// onFile runs a program on a CIB in a file. Names and times that cannot be equal are masked.
func onFile(t *testing.T, path, cib string, args ...string) outcome {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "CIB_file="+cib, "LC_ALL=C", "TZ=UTC")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	mask := regexp.MustCompile(`(Last updated: (?:</span><span>)?|<last_update time=")[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9:]{16}`)
	clean := func(b []byte) string {
		return mask.ReplaceAllString(strings.ReplaceAll(string(b), path, "TOOL"), "${1}T")
	}
	return outcome{cmd.ProcessState.ExitCode(), clean(out.Bytes()), clean(errs.Bytes())}
}

// sameOutcome compares our program with the original on every CIB at hand.
func sameOutcome(t *testing.T, tool string, args ...string) {
	t.Helper()
	ours, original := filepath.Join(labtest.Bin(t), tool), "/usr/sbin/"+tool
	for _, cib := range toolCorpus(t) {
		want, got := onFile(t, original, cib, args...), onFile(t, ours, cib, args...)
		if got != want {
			t.Errorf("%s %s on %s:\n%s", tool, strings.Join(args, " "), filepath.Base(cib), firstDifference(want, got))
		}
	}
}

func firstDifference(want, got outcome) string {
	a, b := strings.Split(want.stdout+want.stderr, "\n"), strings.Split(got.stdout+got.stderr, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "original: " + a[i] + "\nours:     " + b[i]
		}
	}
	return "one is longer, or the exit statuses differ"
}

// TestMonOffline compares crm_mon in every format and with every kind of detail.
func TestMonOffline(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_mon")
	for _, args := range []string{"-1", "--output-as=xml", "-1 --output-as=html -r -R -I all", "-1 -r -n -I all", "-1 -n -b -r",
		"-1 -b -R -A -c -L", "-1 -rR -o -t", "-X", "-s", "-1 -f --exclude=summary,nodes", "-1 -n --output-as=xml --resource=rsc1 --node=node1"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			sameOutcome(t, "crm_mon", strings.Fields(args)...)
		})
	}
}

// TestMonMistakes compares help, version and errors.
func TestMonMistakes(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_mon")
	ours := filepath.Join(labtest.Bin(t), "crm_mon")
	cib := filepath.Join("testdata", "empty.xml")
	for _, args := range []string{"--help", "--help-all", "--help-display", "--help-output", "--version", "-1 --output-as=bad", "-1 -I bad",
		"-1 -U bad", "-1 --bad", "-i x -1", "-1 -m 7", "-w", "-1 --output-as=xml -I nodes,bad", "-1 -I none,nodes", "-1", "-1 --output-as=none"} {
		want, got := onFile(t, "/usr/sbin/crm_mon", cib, strings.Fields(args)...), onFile(t, ours, cib, strings.Fields(args)...)
		if got != want {
			t.Errorf("crm_mon %s: status %d, want %d:\n%s", args, got.status, want.status, firstDifference(want, got))
		}
	}
}

// TestResourceOffline compares crm_resource's lists on every CIB at hand.
func TestResourceOffline(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_resource")
	for _, args := range []string{"-L", "-L --output-as=xml", "-l", "-l --output-as=xml", "-c", "-Y", "-Y --output-as=xml"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			sameOutcome(t, "crm_resource", strings.Fields(args)...)
		})
	}
}

// TestResourceChanges compares what crm_resource says and what it makes of a CIB.
func TestResourceChanges(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_resource")
	ours := filepath.Join(labtest.Bin(t), "crm_resource")
	cib, err := os.ReadFile(filepath.Join("testdata", "small.xml"))
	if err != nil {
		t.Fatal(err)
	}
	stamp := regexp.MustCompile(` (cib-last-written|update-[a-z]+)="[^"]*"`)
	for _, args := range []string{"-W -r web", "-W -r c --output-as=xml", "-WQ -r p1", "-q -r web", "-w -r p2", "-q -r p1 --output-as=xml",
		"-g a -r p1", "-g none -r p1", "-m -g is-managed -r web", "-z -g cpu -r p1 --output-as=xml", "-O -r p1", "-o -N n1 --output-as=xml",
		"-p a -v 2 -r p1", "-p b -v 3 -r p1", "-m -p target-role -v Stopped -r web", "-m -p target-role -v Started -r c", "-m -p x -v 1 -r p3",
		"-z -p cpu -v 4 -r p1", "-d a -r p1", "-m -d is-managed -r web", "-d none -r p1", "-p a -r p1", "-B -r web", "-B -r c", "-B -r p1 -N n2",
		"-B -r p1 -N n2 -Q", "-M -r web -N n2", "-M -r web -N n1", "-M -f -r web -N n2", "-M -r web", "-U -r p4", "-U -r p4 -N n1", "-U -r p4 -N n2",
		"-U --expired", "--expired", "-W", "-W -r none", "-W -r p1 -N none", "-F -r p1", "-W -r p1 more", "--list-standards", "--list-ocf-providers",
		"--list-agents ocf:pacemaker", "--list-agents ocf:none --output-as=xml", "--list-ocf-alternatives Dummy", "--help", "--help-all",
		"--show-metadata ocf:pacemaker:Dummy", "--show-metadata ocf:none:none", "--version", "-D -r p1", "-S class -r p1 -t primitive -v lsb",
		"-G type -r p1", "--output-as=html", "--force-check -r c", "--validate -r web",
		"-a -r p1", "-A -r web", "-a -f -r p3 --output-as=xml", "-a -r none", "-m --recursive -p target-role -v Stopped -r p1", "--recursive -p a -v 1 -r web",
		"--digests -r p1 -N n1", "--digests -r p1 -N n1 --output-as=xml a=5 CRM_meta_interval=10000 CRM_meta_timeout=20000", "--digests -r web -N n1",
		"--digests -r p1", "--digests -r p1 -N n1 a=5 b", "--restart -r p4", "--restart -r c:0", "--restart -r none", "--restart", "--why -r p1",
		"-Y -N n1 --output-as=xml"} {
		var said [2]outcome
		var made [2]string
		for i, path := range []string{"/usr/sbin/crm_resource", ours} {
			file := filepath.Join(t.TempDir(), "cib.xml")
			if err := os.WriteFile(file, cib, 0o666); err != nil {
				t.Fatal(err)
			}
			said[i] = onFile(t, path, file, strings.Fields(args)...)
			after, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			made[i] = stamp.ReplaceAllString(string(after), "")
		}
		if said[0] != said[1] {
			t.Errorf("crm_resource %s: status %d, want %d:\n%s", args, said[1].status, said[0].status, firstDifference(said[0], said[1]))
		}
		if made[0] != made[1] {
			t.Errorf("crm_resource %s: the CIB differs: %s", args, firstDifference(outcome{stdout: made[0]}, outcome{stdout: made[1]}))
		}
	}
}
