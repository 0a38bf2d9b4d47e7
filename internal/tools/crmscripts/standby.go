package crmscripts

import (
	"fmt"
	"io"

	"github.com/pacesync/pacesync/internal/applet"
)

const standbyUsage = `Usage: crm_standby <command> [options]

Common options:
 --help                 Display this text, then exit
 --version              Display version information, then exit
 -V, --verbose          Specify multiple times to increase debug output
 -q, --quiet            Print only the standby status (if querying)

Commands:
 -G, --query            Query the current value of standby mode (on/off)
 -v, --update=VALUE     Update the value of standby mode (on/off)
 -D, --delete           Let standby mode use default value

Additional Options:
 -N, --node=NODE        Operate on the named node instead of the current one
 -l, --lifetime=VALUE   Until when should the setting take effect
                        (valid values: reboot, forever)
 -i, --id=VALUE         (Advanced) XML ID used to identify standby attribute`

// Standby is the program crm_standby: whether a node may host resources.
func Standby(e *applet.Env) int {
	s := &script{env: e, usage: standbyUsage, wrong: 1}
	var args []string
	command, target, lifetime := byte(0), "", false
	o := options{"help version verbose quiet query delete get-value delete-attr", "update node lifetime id uname attr-value attr-id", "VqGv:DN:l:i:U:Q"}
	status, done := s.each(o, func(name, value string) (int, bool) {
		switch name {
		case "--help":
			fmt.Fprintf(e.Stdout, "crm_standby - Query, enable, or disable standby mode for a node\n\nNodes in standby mode may not host cluster resources.\n\n%s\n\n", s.usage)
			return 0, true
		case "--version":
			s.version()
			return 0, true
		case "-N", "--node", "-U", "--uname":
			target = value
		case "-G", "--query", "--get-value":
			args, command = append(args, "--query"), 'g'
		case "-v", "--update", "--attr-value":
			args, command = append(args, "--update", value), 'u'
		case "-D", "--delete", "--delete-attr":
			args, command = append(args, "--delete"), 'd'
		case "-l", "--lifetime":
			args, lifetime = append(args, "--lifetime", value), true
		case "-i", "--id", "--attr-id":
			args = append(args, "--id", value)
		default:
			args = append(args, name)
		}
		return 0, false
	})
	if done {
		return status
	}
	if target == "" {
		target = s.localNode(e.Stderr)
	}
	args = append([]string{"-N", target, "-n", "standby"}, args...)
	if command == 0 {
		args, command = append(args, "-G"), 'g'
	}
	with := func(more ...string) []string { return append(args[:len(args):len(args)], more...) }
	if !lifetime {
		switch command {
		case 'g': // the one for ever, else the one until the next start, else none
			if s.attribute(io.Discard, io.Discard, with("-l", "forever")...) == 0 {
				args = with("-l", "forever")
			} else {
				args = with("-l", "reboot", "-d", "off")
			}
		case 'u':
			args = with("-l", "forever")
		case 'd':
			s.attribute(e.Stdout, e.Stderr, with("-l", "forever")...)
			s.attribute(e.Stdout, e.Stderr, with("-l", "reboot")...)
			return 0
		}
	}
	return s.attribute(e.Stdout, e.Stderr, args...)
}
