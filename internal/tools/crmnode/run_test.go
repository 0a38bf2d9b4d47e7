package crmnode

import (
	"testing"

	"github.com/pacesync/pacesync/internal/applet/applettest"
)

// TestTextsEqualTheOriginals compares with what the original wrote.
func TestTextsEqualTheOriginals(t *testing.T) {
	applettest.Texts(t, Run, "crm_node", map[string]string{"--help-all": "help-all.txt", "--version": "version.txt"})
}

func TestBadUsage(t *testing.T) {
	applettest.Check(t, Run, "crm_node", []applettest.Case{
		{Args: "--bogus", Status: 64, Stderr: "crm_node: Unknown option --bogus\n"},
		{Args: "-R n7", Status: 64, Stderr: "The supplied command is considered dangerous.  To prevent accidental destruction of the cluster, the --force flag is required in order to proceed.\n"},
	}...)
}

func TestNameFromTheAgentsEnvironment(t *testing.T) {
	t.Setenv("OCF_RESKEY_CRM_meta_on_node", "n9")
	applettest.Check(t, Run, "crm_node", applettest.Case{Args: "-n", Stdout: "n9\n"})
}
