package pengine

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pacesync/pacesync/internal/cibstory"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// TestStories asks the originals what is asked in the stories of the engine, whose
// answers have to be theirs; -rewrite writes the answers down.
func TestStories(t *testing.T) {
	labtest.Need(t, original, "/usr/sbin/crm_mon", "/usr/sbin/crm_resource", "/usr/sbin/crm_verify")
	top, err := filepath.Abs("../../pengine/testdata/stories")
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range cibstory.Files(t, top) {
		for _, s := range file.Stories {
			t.Run(filepath.Base(name)+"/"+s.Name, func(t *testing.T) {
				for i, got := range s.Play(t, originalTool(t)) {
					if *flagRewrite {
						s.Steps[i].Answer = got
					} else if want := s.Steps[i]; got != want.Answer {
						t.Errorf("%s\nthe original ends with %d, not %d, and says%s%s", want.Line, got.Status, want.Status,
							firstDifference(got.Stdout, want.Stdout), firstDifference(got.Stderr, want.Stderr))
					}
				}
			})
		}
		if *flagRewrite {
			if err := os.WriteFile(name, file.Append(nil), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// originalTool runs one of the installed programs in the working directory. One that
// dies of a signal has no answer, and no place in a story.
func originalTool(t *testing.T) cibstory.Program {
	return func(args []string) cibstory.Answer {
		cmd := exec.Command("/usr/sbin/"+args[0], args[1:]...)
		cmd.Args[0] = args[0]
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if !cmd.ProcessState.Exited() {
			t.Errorf("%q: the original ends with %v: %s", args, err, stderr.String())
		}
		return cibstory.Answer{Stdout: stdout.String(), Stderr: stderr.String(), Status: cmd.ProcessState.ExitCode()}
	}
}
