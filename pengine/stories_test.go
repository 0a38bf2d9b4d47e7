package pengine_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/cibstory"
	"github.com/pacesync/pacesync/internal/tools/crmmon"
	"github.com/pacesync/pacesync/internal/tools/crmresource"
	"github.com/pacesync/pacesync/internal/tools/crmsimulate"
	"github.com/pacesync/pacesync/internal/tools/crmverify"
)

// TestStories plays the stories of testdata/stories, whose answers are the original's
// (test/pengine holds them to it): small CIBs, one for each thing that may be said,
// decided or shown.
func TestStories(t *testing.T) {
	for name, file := range cibstory.Files(t, "testdata/stories") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			for _, s := range file.Stories {
				t.Run(s.Name, func(t *testing.T) {
					for i, got := range s.Play(t, tool) {
						if want := s.Steps[i]; got != want.Answer {
							t.Errorf("%s\nstatus %d, not %d%s%s", want.Line, got.Status, want.Status,
								unlike("output", want.Stdout, got.Stdout), unlike("errors", want.Stderr, got.Stderr))
						}
					}
				})
			}
		})
	}
}

func unlike(what, want, got string) string {
	if want == got {
		return ""
	}
	return "\n" + what + ": " + difference(want, got)
}

// tool runs one of our programs.
func tool(args []string) cibstory.Answer {
	run, ok := map[string]func(*applet.Env) int{"crm_simulate": crmsimulate.Run, "crm_mon": crmmon.Run,
		"crm_verify": crmverify.Run, "crm_resource": crmresource.Run}[args[0]]
	if !ok {
		return cibstory.Answer{Stderr: "no program " + args[0]}
	}
	var stdout, stderr bytes.Buffer
	status := run(&applet.Env{Name: args[0], Argv0: args[0], Args: args[1:], Stdin: bytes.NewReader(nil), Stdout: &stdout, Stderr: &stderr})
	return cibstory.Answer{Stdout: stdout.String(), Stderr: stderr.String(), Status: status}
}
