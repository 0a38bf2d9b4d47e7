package crmscripts

import (
	"fmt"
	"os"

	"github.com/pacesync/pacesync/internal/applet"
)

const masterUsage = `Usage: crm_master <command> [<options>]

This command is deprecated. Use crm_attribute with the --promotion option
instead.`

// Master is the program crm_master: the promotion score of a resource.
func Master(e *applet.Env) int {
	s := &script{env: e, usage: masterUsage, wrong: 1}
	args := []string{"--lifetime", "forever"}
	resource := os.Getenv("OCF_RESOURCE_INSTANCE")
	o := options{"help version verbose quiet query delete get-value delete-attr", "update node lifetime id resource uname attr-value attr-id", "VqGv:DN:l:i:r:U:Q"}
	status, done := s.each(o, func(name, value string) (int, bool) {
		switch name {
		case "--help":
			fmt.Fprintf(e.Stdout, "crm_master - Query, update, or delete a resource's promotion score\n\n%s\n", s.usage)
			return 0, true
		case "--version":
			return s.version(), true
		case "-r", "--resource":
			resource = value
		case "-v", "--update", "-N", "--node", "-l", "--lifetime", "-i", "--id", "-U", "--uname", "--attr-value", "--attr-id":
			args = append(args, name, value)
		default:
			args = append(args, name)
		}
		return 0, false
	})
	switch {
	case done:
		return status
	case resource == "":
		return s.mistake("No resource specified")
	}
	return s.attribute(e.Stdout, e.Stderr, append([]string{"-n", "master-" + resource}, args...)...)
}
