package goption

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Common are the options that all of Pacemaker's tools have (pcmk__common_args_t).
type Common struct {
	Version   bool
	Quiet     bool // --quiet, where the tool offers it
	Verbosity int
	OutputAs  *string // --output-as; nil: not given
	OutputTo  *string // --output-to; nil: not given
}

// Pacemaker makes the context of a tool with --version and --verbose, and, where
// formats is not empty, a group of output options; formats is the tool's list as
// it is shown, such as "text (default), xml". Tools add options that belong to
// their formats with AddOutput (cmdline.c: pcmk__build_arg_context).
func Pacemaker(program, summary, formats, parameters string, common *Common) *Context {
	c := &Context{
		Program: program, Summary: summary, Parameters: parameters,
		Description: "Report bugs to users@clusterlabs.org\n",
		Main: Group{Entries: []Entry{
			{Long: "version", Short: '$', Dest: &common.Version, Help: "Display software version and exit"},
			{Long: "verbose", Short: 'V', Flags: NoArg, Dest: func(Value) error { common.Verbosity++; return nil },
				Help: "Increase debug output (may be specified multiple times)"},
		}},
	}
	if formats != "" {
		c.Groups = append(c.Groups, &Group{Name: "output", Title: "Output Options:", Help: "Show output help", Entries: []Entry{
			{Long: "output-as", Dest: &common.OutputAs, Help: "Specify output format as one of: " + formats, Arg: "FORMAT"},
			{Long: "output-to", Dest: &common.OutputTo, Help: "Specify file name for output (or \"-\" for stdout)", Arg: "DEST"},
		}})
	}
	return c
}

// AddMain adds options without a group.
func (c *Context) AddMain(entries ...Entry) { c.Main.Entries = append(c.Main.Entries, entries...) }

// AddOutput adds options to the group of the output options.
func (c *Context) AddOutput(entries ...Entry) {
	for _, g := range c.Groups {
		if g.Name == "output" {
			g.Entries = append(g.Entries, entries...)
			return
		}
	}
	panic("goption: " + c.Program + " has no output options")
}

// AddGroup adds a group of options.
func (c *Context) AddGroup(name, title, help string, entries ...Entry) {
	c.Groups = append(c.Groups, &Group{Name: name, Title: title, Help: help, Entries: entries})
}

// Run parses args after Preprocess with special, writes help to stdout and an error
// to stderr, as all tools do. ok is false if the program is to end with status:
// 0 after help, 64 (CRM_EX_USAGE) after an error.
func (c *Context) Run(args []string, special string, stdout, stderr io.Writer) (rest []string, status int, ok bool) {
	rest, err := c.Parse(Preprocess(args, special))
	if help := (*HelpError)(nil); errors.As(err, &help) {
		io.WriteString(stdout, Console(help.Text))
		return nil, 0, false
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", c.Program, err)
		return nil, 64, false
	}
	return rest, 0, true
}

// Preprocess splits joined short options, which GOption does not know, so that
// "-Nn1" works for a tool that lists 'N' in special: letters with a value
// (cmdline.c: pcmk__cmdline_preproc).
func Preprocess(args []string, special string) []string {
	out := make([]string, 0, len(args)+4)
	value := false // the next argument is the value of a special letter
	for i, arg := range args {
		switch {
		case arg == "--":
			return append(out, args[i:]...)
		case value:
			value = false
			out = append(out, arg)
		case arg == "-", !strings.HasPrefix(arg, "-"), strings.HasPrefix(arg, "--"), negative(arg):
			out = append(out, arg)
		default:
			out, value = explode(out, arg[1:], special)
		}
	}
	return out
}

// explode makes one argument of each letter; value says that the last one's value follows.
func explode(out []string, letters, special string) (_ []string, value bool) {
	for i := range len(letters) {
		out = append(out, "-"+letters[i:i+1])
		if strings.IndexByte(special, letters[i]) < 0 {
			continue
		}
		if i+1 < len(letters) {
			return append(out, letters[i+1:]), value
		}
		value = true
	}
	return out, value
}

// negative tells numbers such as -10 from options; -05 counts as options.
func negative(arg string) bool {
	digits := arg[1:]
	return digits != "" && digits[0] != '0' && strings.Trim(digits, "0123456789") == ""
}
