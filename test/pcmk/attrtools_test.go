package pcmk

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// attrCIB is what the tools work on: several sets, options twice, a remote node.
const attrCIB = `<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.9" epoch="5" num_updates="3" admin_epoch="0" have-quorum="1" dc-uuid="3">
  <configuration>
    <crm_config>
      <cluster_property_set id="cib-bootstrap-options"><nvpair id="cib-bootstrap-options-a" name="a" value="1"/><nvpair id="b1" name="b" value="1"/></cluster_property_set>
      <cluster_property_set id="two"><nvpair id="b2" name="b" value="2"/></cluster_property_set>
    </crm_config>
    <nodes>
      <node id="1" uname="n1"><instance_attributes id="nodes-1"><nvpair id="nodes-1-x" name="x" value="7"/><nvpair id="nodes-1-xy" name="xy" value="8"/></instance_attributes></node>
      <node id="2" uname="N2"/>
    </nodes>
    <resources><primitive id="rem" class="ocf" provider="pacemaker" type="remote"/></resources>
    <constraints/>
  </configuration>
  <status><node_state id="1" uname="n1" in_ccm="true" crmd="online"><transient_attributes id="1"><instance_attributes id="status-1"><nvpair id="status-1-t" name="t" value="3"/></instance_attributes></transient_attributes></node_state></status>
</cib>
`

// ran is what a tool did.
type ran struct {
	stdout, stderr string
	status         int
	cib            string // the file afterwards
}

// runTool runs a program of that path under its plain name. withCIB gives it
// a CIB in a file; without, there is no cluster to be reached.
func runTool(t *testing.T, path, tool, cib string, args []string) ran {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Args[0] = tool
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	if cib != "" {
		if err := os.WriteFile(filepath.Join(cmd.Dir, "cib.xml"), []byte(cib), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "CIB_file=cib.xml")
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := ran{stdout: out.String(), stderr: errs.String(), status: cmd.ProcessState.ExitCode()}
	if b, err := os.ReadFile(filepath.Join(cmd.Dir, "cib.xml")); err == nil {
		r.cib = regexp.MustCompile(` cib-last-written="[^"]*"`).ReplaceAllString(string(b), "")
	}
	return r
}

// sameTool compares our tool with the installed one for lines of arguments.
func sameTool(t *testing.T, tool, cib, lines string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		args := strings.Fields(line)
		want := runTool(t, "/usr/sbin/"+tool, tool, cib, args)
		got := runTool(t, filepath.Join(labtest.Bin(t), tool), tool, cib, args)
		if got != want {
			t.Errorf("%s %s:\n got %d %q %q\nwant %d %q %q", tool, strings.TrimSpace(line), got.status, got.stdout, got.stderr, want.status, want.stdout, want.stderr)
			if got.cib != want.cib {
				t.Errorf("the CIB is\n%s\nwant\n%s", got.cib, want.cib)
			}
		}
	}
}

// TestAttrdUpdaterTexts: options, texts and statuses of attrd_updater where there
// is no cluster. The values themselves are TestAttrd's.
func TestAttrdUpdaterTexts(t *testing.T) {
	labtest.Need(t, "/usr/sbin/attrd_updater")
	sameTool(t, "attrd_updater", "", `--help
--help-all
--help-command
--help-additional
--help-required
--version
-$
--version --output-as=xml
-n x
-n x --output-as=xml
-n x -U 3
-U 3
-n x -B 3
-n x -Y -D --output-as=xml
-n x -Y -d 5
-nx -U3 -d5 -Nn1
-n x -l foo
-n x -l reboot
-n a --output-as=none
-n a --output-as=foo
-n
--foo
-n x -v
-n x -v 4 -q
-R
-R --output-as=xml
-n x -A -Q
-n x -p -U 7
`)
}

// TestCrmAttributeOnFiles: crm_attribute on a CIB in a file, text, status and
// the file it leaves equal to the original's.
func TestCrmAttributeOnFiles(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_attribute")
	sameTool(t, "crm_attribute", "", `--help
--help-all
--help-selections
--version
-n x
-p -G
-p
-n x -G --output-as=xml
-D
-n x -v
--foo
-z -n cpu -v 3 -N foo
`)
	sameTool(t, "crm_attribute", attrCIB, `-n a -G
-n a -G -q
-n a -G --output-as=xml
-n b -G
-n b -D
-n b -v 3
-n b -v 3 --output-as=xml
-n b -D -i b2
-n b -v 9 -i b1
-n zz -G
-n zz -G -d 5
-n zz -G -d 5 --output-as=xml
-n zz -D
-n zz -v hello
-n zz -v hello -s myset
-n x -G -N n1
-n x -G -N N1
-n x -N n1
-n x -v 9 -N n1
-n y -v 9 -N n1
-n y -v 9 -N n2
-n y -v 9 -N nope
-n y -v 9 -N rem
-n t -G -N n1 -l reboot
-n t -v 4 -N n1 -l reboot
-n u -v 4 -N n1 -l reboot
-n t -D -N n1 -l reboot
-z -n cpu -v 4 -N n1
-z -n cpu -G -N n1
-P x -G -N n1
-P x.* -G -N n1 --output-as=xml
-P x -v 3 -N n1
-P t -v 3 -N n1 -l reboot
-P t -D -N n1 -l reboot
-t op_defaults -n timeout -v 30s
-t rsc_defaults -n r -v 30s
-t op_defaults -n timeout -G
-t tickets -n tk -v 1
-t tickets -n tk -G
-t foo -n tk -G
-t nodes -n x -G
-G
-G -N n1
-p r -v 5 -N n1
-p r -G -N n1
--promotion=r -D -N n1
-D -N n1
-n a:b#c -v 3
-! -n a -v 2
--attr-name a --get-value
--attr-name x --delete-attr -N n1
-n a -v 1
`)
}
