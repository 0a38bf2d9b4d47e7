package lrmd

import (
	"fmt"
	"io"
	"os"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/pcmk"
)

type options struct {
	verbose  int
	logFiles []string
}

const helpText = `pacemaker-execd - resource agent executor daemon for Pacemaker cluster nodes
Usage: pacemaker-execd [options]
Options:
 -?, --help		This text
 -$, --version		Version information
 -V, --verbose		Increase debug output
 -l, --logfile=value		Send logs to the additional named logfile

Report bugs to users@clusterlabs.org
`

// parseOptions reads the command line; ok false: the program is over.
func parseOptions(e *applet.Env) (o options, status int, ok bool) {
	p := getopt.New(e.Argv0, e.Args, "?$Vl:", []getopt.Long{
		{Name: "help", Val: '?'}, {Name: "version", Val: '$'}, {Name: "verbose", Val: 'V'}, {Name: "logfile", Arg: getopt.RequiredArg, Val: 'l'},
	}, e.Stderr)
	help := func(w io.Writer, status pcmk.Exit) (options, int, bool) {
		fmt.Fprint(w, helpText)
		return options{}, int(status), false
	}
	for {
		switch p.Next() {
		case getopt.End:
			return o, 0, true
		case 'V':
			o.verbose++
		case 'l':
			if f, err := os.OpenFile(p.Arg, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o660); err != nil {
				fmt.Fprintf(e.Stderr, "Logging to %s is disabled: %v\n", p.Arg, err)
			} else {
				_ = f.Close()
				o.logFiles = append(o.logFiles, p.Arg)
			}
		case '$':
			fmt.Fprint(e.Stdout, pcmk.VersionText())
			return o, 0, false
		case '?':
			if p.Opt != 0 && p.Opt != '?' {
				return help(e.Stderr, pcmk.ExitUsage)
			}
			return help(e.Stdout, pcmk.ExitOK)
		default:
			return help(e.Stderr, pcmk.ExitUsage)
		}
	}
}
