package pacemakerd

import (
	"testing"

	"github.com/pacesync/pacesync/internal/applet/applettest"
)

// TestTextsEqualTheOriginals compares with what the original wrote.
func TestTextsEqualTheOriginals(t *testing.T) {
	applettest.Texts(t, Run, "pacemakerd", map[string]string{"--help-all": "help-all.txt", "--version": "version.txt", "-F": "features.txt", "-F --output-as=xml": "features.xml"})
}

func TestBadUsage(t *testing.T) {
	applettest.Check(t, Run, "pacemakerd", []applettest.Case{
		{Args: "--bogus", Status: 64, Stderr: "pacemakerd: Unknown option --bogus\n"},
		{Args: "--output-as=nothing -F", Status: 1, Stderr: "pacemakerd: Error creating output format nothing: Unknown output format\n"},
	}...)
}
