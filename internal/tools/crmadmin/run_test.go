package crmadmin

import (
	"testing"

	"github.com/pacesync/pacesync/internal/applet/applettest"
)

// TestTextsEqualTheOriginals compares with what the original wrote.
func TestTextsEqualTheOriginals(t *testing.T) {
	applettest.Texts(t, Run, "crmadmin", map[string]string{"--help-all": "help-all.txt", "--version": "version.txt"})
}
