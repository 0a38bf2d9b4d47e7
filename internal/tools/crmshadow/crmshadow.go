// Package crmshadow is the program crm_shadow: it makes copies of the configuration
// on which the other tools work instead of on the cluster, shows how they differ from
// it, and puts them into force.
//
// Upstream: tools/crm_shadow.c, crm_shadow(8).
package crmshadow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/cib/file"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// callLimit bounds a request to the CIB manager.
const callLimit = 2 * time.Minute

// fileMode is that of a new copy: the configuration may hold secrets.
const fileMode = 0o640

func longOptions() []getopt.Long {
	with := getopt.RequiredArg
	return []getopt.Long{
		{Name: "help", Val: 'H'}, {Name: "version", Val: '$'}, {Name: "verbose", Val: 'V'}, {Name: "which", Val: 'w'}, {Name: "display", Val: 'p'},
		{Name: "edit", Val: 'E'}, {Name: "diff", Val: 'd'}, {Name: "file", Val: 'F'}, {Name: "create", Arg: with, Val: 'c'},
		{Name: "create-empty", Arg: with, Val: 'e'}, {Name: "commit", Arg: with, Val: 'C'}, {Name: "delete", Arg: with, Val: 'D'},
		{Name: "reset", Arg: with, Val: 'r'}, {Name: "switch", Arg: with, Val: 's'}, {Name: "force", Val: 'f'}, {Name: "batch", Val: 'b'},
		{Name: "all", Val: 'a'}, {Name: "validate-with", Arg: with, Val: 'v'},
	}
}

const shortOptions = "?$VwpEdFc:e:C:D:r:s:fbav:"

// program is one run.
type program struct {
	env               *applet.Env
	command           int
	name              string // of the copy
	named             bool
	schema            string
	force, batch, all bool
	dangerous         bool
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	p := &program{env: e}
	if len(e.Args) == 0 {
		fmt.Fprint(e.Stderr, help)
		return int(pcmk.ExitUsage)
	}
	if status, done := p.parse(); done {
		return int(status)
	}
	return int(p.run())
}

func (p *program) complain(format string, args ...any) { fmt.Fprintf(p.env.Stderr, format, args...) }
func (p *program) say(format string, args ...any)      { fmt.Fprintf(p.env.Stdout, format, args...) }

// parse reads the command line; done: the program ends with the status.
func (p *program) parse() (status pcmk.Exit, done bool) {
	opts := getopt.New(p.env.Argv0, p.env.Args, shortOptions, longOptions(), p.env.Stderr)
	for c := opts.Next(); c != getopt.End; c = opts.Next() {
		switch c {
		case 'H':
			p.say("%s", help)
			return pcmk.ExitOK, true
		case '$':
			p.say("%s", pcmk.VersionText())
			return pcmk.ExitOK, true
		case '?':
			p.complain("%s", help)
			return pcmk.ExitUsage, true
		case 'd', 'E', 'p', 'w', 'F':
			p.command = c
			if p.name, p.named = os.LookupEnv("CIB_shadow"); !p.named {
				p.complain("No active shadow configuration defined\n")
				return pcmk.ExitNoSuch, true
			}
		case 'e', 'c', 's', 'r', 'C', 'D':
			p.command, p.name, p.named = c, opts.Arg, true
			p.dangerous = p.dangerous || c == 'C' || c == 'D'
		case 'a':
			p.all = true
		case 'v':
			p.schema = opts.Arg
		case 'f':
			p.force = true
		case 'b':
			p.batch = true
		}
	}
	if rest := opts.Rest(); len(rest) > 0 {
		p.say("non-option ARGV-elements: %s \n", strings.Join(rest, " "))
		p.complain("%s", help)
		return pcmk.ExitUsage, true
	}
	return 0, false
}

// refused says whether the command needs --force, and has told so.
func (p *program) refused() bool {
	const needed = " the --force flag is required in order to proceed.\n"
	active, ok := os.LookupEnv("CIB_shadow")
	switch {
	case p.force:
		return false
	case p.command != 's' && p.command != 'c' && ok && !strings.EqualFold(active, p.name):
		p.complain("The supplied shadow instance (%s) is not the same as the active one (%s).\n"+
			"  To prevent accidental destruction of the cluster,"+needed, p.name, active)
	case p.dangerous:
		p.complain("The supplied command is considered dangerous.  To prevent accidental destruction of the cluster," + needed)
	default:
		return false
	}
	return true
}

// run carries out the command.
func (p *program) run() pcmk.Exit {
	switch {
	case p.command == 'w':
		p.say("%s\n", p.name)
		return pcmk.ExitOK
	case !p.named:
		p.complain("No shadow instance provided\n")
		return pcmk.ExitNoSuch
	case p.refused():
		return pcmk.ExitUsage
	}
	path := file.Shadow(p.name)
	switch p.command {
	case 'D':
		return p.remove(path)
	case 'F':
		p.say("%s\n", path)
		return pcmk.ExitOK
	case 'd', 'r', 'c', 'C':
		return p.withCluster(path)
	}
	if status := p.exists(path); status != pcmk.ExitOK {
		return status
	}
	switch p.command {
	case 'e':
		return p.empty(path)
	case 'E':
		return p.edit(path)
	case 's':
		return p.enter(true)
	}
	return p.display(path)
}

// exists holds a new copy to be new, and any other command to have one.
func (p *program) exists(path string) pcmk.Exit {
	_, err := os.Stat(path)
	switch {
	case p.command == 'e' || p.command == 'c':
		if err == nil && !p.force {
			p.complain("A shadow instance '%s' already exists.\n  To prevent accidental destruction of the cluster,"+
				" the --force flag is required in order to proceed.\n", p.name)
			return pcmk.ExitCantCreate
		}
	case err != nil:
		p.complain("Could not access shadow instance '%s': %s\n", p.name, session.FileRC(err).Error())
		return pcmk.ExitNoSuch
	}
	return pcmk.ExitOK
}

func (p *program) remove(path string) pcmk.Exit {
	status := pcmk.ExitOK
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		rc := session.FileRC(err)
		status = rc.Exit()
		p.complain("Could not remove shadow instance '%s': %s\n", p.name, rc.Error())
	}
	p.leave()
	return status
}

// empty makes a copy of nothing.
func (p *program) empty(path string) pcmk.Exit {
	name := schema.None
	if s, err := schemafiles.Load(schemafiles.Dir()); err == nil && s.Latest() >= 0 {
		name = s.Versions()[s.Latest()].Name
	}
	if p.schema != "" {
		name = p.schema
	}
	p.say("Created new %s configuration\n", name)
	return p.store(path, doc.Empty(name), "create")
}

// store writes a copy and enters it.
func (p *program) store(path string, cib *xmltree.Node, verb string) pcmk.Exit {
	text := cib.AppendPacemaker(nil, xmltree.TextOptions{Format: true})
	if err := os.WriteFile(path, text, fileMode); err != nil {
		rc := session.FileRC(err)
		p.complain("Could not %s the shadow instance '%s': %s\n", verb, p.name, rc.Error())
		return rc.Exit()
	}
	return p.enter(false)
}

// read reads a copy, nil if it is none.
func (p *program) read(path string) *xmltree.Node {
	data, err := os.ReadFile(path)
	if err == nil {
		var root *xmltree.Node
		if root, err = xmltree.Parse(bytes.TrimSpace(data), xmltree.Limits{}); err == nil {
			root.StripText()
			return root
		}
	}
	p.complain("Could not read shadow instance '%s': %v\n", p.name, err)
	return nil
}

func (p *program) display(path string) pcmk.Exit {
	root := p.read(path)
	if root == nil {
		return pcmk.ExitDataErr
	}
	p.say("%s", root.AppendPacemaker(nil, xmltree.TextOptions{Format: true}))
	return pcmk.ExitOK
}

// edit becomes the user's editor.
func (p *program) edit(path string) pcmk.Exit {
	editor, ok := os.LookupEnv("EDITOR")
	if !ok {
		p.complain("No value for EDITOR defined\n")
		return pcmk.ExitNotConfigured
	}
	program, err := exec.LookPath(editor)
	if err == nil {
		err = syscall.Exec(program, []string{"--", path}, os.Environ())
	}
	if errors.Is(err, exec.ErrNotFound) {
		err = syscall.ENOENT
	}
	p.complain("Could not invoke EDITOR (%s %s): %s\n", editor, path, session.FileRC(err).Error())
	return pcmk.ExitOSFile
}

// prompt is how a shell shows that it works on a copy.
func (p *program) prompt() string { return fmt.Sprintf("shadow[%.40s] # ", p.name) }

// enter starts a shell that works on the copy, or tells how to go there (shadow_setup).
func (p *program) enter(existing bool) pcmk.Exit {
	p.say("Setting up shadow instance\n")
	shell, ok := os.LookupEnv("SHELL")
	switch {
	case strings.EqualFold(os.Getenv("PS1"), p.prompt()):
		return pcmk.ExitOK
	case !p.batch && ok:
		p.say("Type Ctrl-D to exit the crm_shadow shell\n")
		os.Setenv("PS1", p.prompt())
		os.Setenv("CIB_shadow", p.name)
		args := []string{shell}
		if strings.Contains(shell, "bash") {
			args = append(args, "--norc", "--noprofile")
		}
		_ = syscall.Exec(shell, args, os.Environ()) // when it cannot be, what follows helps
	case existing:
		p.say("To switch to the named shadow instance, paste the following into your shell:\n")
	default:
		p.say("A new shadow instance was created.  To begin using it paste the following into your shell:\n")
	}
	p.say("  CIB_shadow=%s ; export CIB_shadow\n", p.name)
	return pcmk.ExitOK
}

// leave tells how to work on the cluster again (shadow_teardown).
func (p *program) leave() {
	if strings.Contains(os.Getenv("PS1"), p.prompt()) {
		p.say("Now type Ctrl-D to exit the crm_shadow shell\n")
		return
	}
	p.say("Please remember to unset the CIB_shadow variable by pasting the following into your shell:\n  unset CIB_shadow\n")
}

// withCluster carries out a command for which the cluster's own CIB is needed.
func (p *program) withCluster(path string) (status pcmk.Exit) {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	cib, err := session.OpenRealCIB(ctx, p.env)
	if err != nil {
		rc := session.RC(err)
		p.complain("Could not connect to CIB: %s\n", rc.Error())
		return rc.Exit()
	}
	defer func() {
		if err := cib.Close(); err != nil && status == pcmk.ExitOK {
			p.complain("%v\n", err)
			status = pcmk.ExitIOErr
		}
	}()
	if status := p.exists(path); status != pcmk.ExitOK {
		return status
	}
	if p.command == 'C' {
		return p.commit(ctx, cib, path)
	}
	real, err := cib.Do(ctx, client.Call{Op: client.Query})
	if err != nil {
		rc := session.RC(err)
		what := "connect to the CIB manager"
		if p.command == 'd' {
			what = "query the CIB"
		}
		p.complain("Could not %s: %s\n", what, rc.Error())
		return rc.Exit()
	}
	switch p.command {
	case 'd':
		return p.diff(real, path)
	case 'r':
		return p.store(path, real, "reset")
	}
	return p.store(path, real, "create")
}

// diff shows what the copy would change.
func (p *program) diff(real *xmltree.Node, path string) pcmk.Exit {
	mine := p.read(path)
	if mine == nil {
		return pcmk.ExitDataErr
	}
	d, err := patch.Compare(real, mine, patch.Options{})
	if err != nil {
		p.complain("%v\n", err)
		return pcmk.ExitDataErr
	}
	if !d.Changed() {
		return pcmk.ExitOK
	}
	for _, line := range patch.Describe(d.Patch()) {
		p.say("%s\n", strings.Replace(line, "cib_perform_op:", "  :", 1)) // whoever tells is named
	}
	return pcmk.ExitError
}

// commit puts the copy into force.
func (p *program) commit(ctx context.Context, cib session.CIB, path string) pcmk.Exit {
	input := p.read(path)
	if input == nil {
		return pcmk.ExitDataErr
	}
	call := client.Call{Op: client.Replace, Data: input}
	if !p.all {
		call.Section, call.Data = "configuration", input.Child("configuration")
	}
	if p.force {
		call.Options |= client.QuorumOverride
	}
	status := pcmk.ExitOK
	if _, err := cib.Do(ctx, call); err != nil {
		rc := session.RC(err)
		p.complain("Could not commit shadow instance '%s' to the CIB: %s\n", p.name, rc.Error())
		status = rc.Exit()
	}
	p.leave()
	return status
}

// help is what --help prints, and what follows a complaint.
const help = `crm_shadow - perform Pacemaker configuration changes in a sandbox

This command sets up an environment in which configuration tools (cibadmin,
crm_resource, etc.) work offline instead of against a live cluster, allowing
changes to be previewed and tested for side-effects.

Usage: crm_shadow <query>|<command> [options]
Options:
 -?, --help			This text
 -$, --version			Version information
 -V, --verbose			Increase debug output

Queries:
 -w, --which			Indicate the active shadow copy
 -p, --display			Display the contents of the active shadow copy
 -E, --edit			Edit the contents of the active shadow copy with your favorite $EDITOR
 -d, --diff			Display the changes in the active shadow copy

 -F, --file			Display the location of the active shadow copy file


Commands:
 -c, --create=value		Create the named shadow copy of the active cluster configuration
 -e, --create-empty=value	Create the named shadow copy with an empty cluster configuration. Optional: --validate-with
 -C, --commit=value		Upload the contents of the named shadow copy to the cluster
 -D, --delete=value		Delete the contents of the named shadow copy
 -r, --reset=value		Recreate named shadow copy from the active cluster configuration
 -s, --switch=value		(Advanced) Switch to the named shadow copy

Additional Options:
 -f, --force			(Advanced) Force the action to be performed
 -b, --batch			(Advanced) Don't spawn a new shell
 -a, --all			(Advanced) Upload entire CIB, including status, with --commit
 -v, --validate-with=value	(Advanced) Create an older configuration version

Examples:

Create a blank shadow configuration:

	# crm_shadow --create-empty myShadow

Create a shadow configuration from the running cluster:

	# crm_shadow --create myShadow

Display the current shadow configuration:

	# crm_shadow --display

Discard the current shadow configuration (named myShadow):

	# crm_shadow --delete myShadow --force

Upload current shadow configuration (named myShadow) to running cluster:

	# crm_shadow --commit myShadow


Report bugs to users@clusterlabs.org
`
