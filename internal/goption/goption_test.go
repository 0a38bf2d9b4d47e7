package goption

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// tool is a context with an entry of each kind.
type tool struct {
	Common
	force, list bool
	name        string
	node        *string
	repeat      int
	tags        []string
	fence       []Value
}

func (t *tool) context() *Context {
	c := Pacemaker("crm_tool", "crm_tool - for tests", "text (default), xml", "", &t.Common)
	c.AddOutput(Entry{Long: "xml-legacy", Flags: Hidden, Dest: new(bool)})
	c.AddMain(Entry{Long: "quiet", Short: 'Q', Dest: &t.Quiet, Help: "Be less descriptive in output."})
	c.AddGroup("queries", "Queries:", "Show query help",
		Entry{Long: "list", Short: 'L', Dest: &t.list, Help: "List all"},
		Entry{Long: "node", Short: 'N', Dest: &t.node, Help: "Node", Arg: "NAME"},
		Entry{Long: "fence", Short: 'm', Flags: OptionalArg, Dest: func(v Value) error { t.fence = append(t.fence, v); return nil }, Help: "Level", Arg: "LEVEL"})
	c.AddGroup("more", "More:", "Show more",
		Entry{Long: "list", Dest: &t.force, Help: "Another list"},
		Entry{Long: "repeat", Dest: &t.repeat, Help: "How often", Arg: "N"},
		Entry{Long: "tag", Short: 't', Dest: &t.tags, Help: "Tag", Arg: "T"},
		Entry{Long: "name", Short: 'n', Dest: &t.name, Help: "Name", Arg: "TEXT"})
	return c
}

func TestParse(t *testing.T) {
	value := func(s string) *string { return &s }
	for _, tc := range []struct {
		args string
		want tool
		rest []string
		err  string
	}{
		{args: "-LQ", want: tool{list: true, Common: Common{Quiet: true}}},
		{args: "-VVV a --list b", want: tool{list: true, Common: Common{Verbosity: 3}}, rest: []string{"a", "b"}},
		{args: "-N n1 --node=n2", want: tool{node: value("n2")}},
		{args: "-Nn1", want: tool{node: value("n1")}},
		{args: "-LNn1", want: tool{list: true, node: value("n1")}},
		{args: "--node= -t a -tb", want: tool{node: value(""), tags: []string{"a", "b"}}},
		{args: "-m 3 --fence -m=1", want: tool{fence: []Value{{"-m", "3", true}, {Option: "--fence"}, {"-m", "=1", true}}}},
		{args: "--fence=2 -m", want: tool{fence: []Value{{"--fence", "2", true}, {Option: "-m"}}}},
		{args: "--more-list --queries-list", want: tool{force: true, list: true}},
		{args: "--list=no", want: tool{list: true}},
		{args: "--repeat 0x10", want: tool{repeat: 16}},
		{args: "--output-as xml -$", want: tool{Common: Common{Version: true, OutputAs: value("xml")}}},
		{args: "a -- b c", rest: []string{"a", "b", "c"}},
		{args: "a -- -b c", rest: []string{"a", "--", "-b", "c"}},
		{args: "-", rest: []string{"-"}},
		{args: "--repeat=x", err: "Cannot parse integer value “x” for --repeat"},
		{args: "--repeat=99999999999", err: "Integer value “99999999999” for --repeat out of range"},
		{args: "--lis", err: "Unknown option --lis"},
		{args: "-Lx", err: "Unknown option -x"},
		{args: "-t", err: "Missing argument for -t"},
		{args: "--node", err: "Missing argument for --node"},
		{args: "--help=3", err: "Unknown option --help=3"},
	} {
		var got tool
		rest, err := got.context().Parse(Preprocess(strings.Fields(tc.args), "mNt"))
		if tc.err != "" {
			if err == nil || err.Error() != tc.err {
				t.Errorf("%s: error %v, want %q", tc.args, err, tc.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tc.want) || !reflect.DeepEqual(rest, tc.rest) {
			t.Errorf("%s:\n got %+v %q %v\nwant %+v %q", tc.args, got, rest, err, tc.want, tc.rest)
		}
	}
}

// TestJoinedValue is what GOption says of a letter with a value that is not the last of its argument.
func TestJoinedValue(t *testing.T) {
	var got tool
	if _, err := got.context().Parse([]string{"-Ntx", "a"}); err == nil || err.Error() != "Error parsing option -t" {
		t.Errorf("error %v", err)
	}
}

func TestPreprocess(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"-Nn1 -VV -1", "-N n1 -V -V -1"},
		{"-10 -05 -1a", "-10 -0 -5 -1 -a"},
		{"-LN -x -Q", "-L -N -x -Q"},
		{"-L -- -Nn1 --", "-L -- -Nn1 --"},
		{"--node n -", "--node n -"},
	} {
		if got := strings.Join(Preprocess(strings.Fields(tc.in), "N"), " "); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.in, got, tc.want)
		}
	}
}

func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	var got tool
	if _, status, ok := got.context().Run([]string{"--help-all"}, "", &out, &errs); ok || status != 0 || errs.Len() > 0 {
		t.Errorf("status %d, %v, %s", status, ok, errs.String())
	}
	const want = `Usage:
  crm_tool [OPTION?]

crm_tool - for tests

Help Options:
  -h, --help             Show help options
  --help-all             Show all help options
  --help-output          Show output help
  --help-queries         Show query help
  --help-more            Show more

Output Options:
  --output-as=FORMAT     Specify output format as one of: text (default), xml
  --output-to=DEST       Specify file name for output (or "-" for stdout)

Queries:
  -L, --list             List all
  -N, --node=NAME        Node
  -m, --fence=LEVEL      Level

More:
  --more-list            Another list
  --repeat=N             How often
  -t, --tag=T            Tag
  -n, --name=TEXT        Name

Application Options:
  -$, --version          Display software version and exit
  -V, --verbose          Increase debug output (may be specified multiple times)
  -Q, --quiet            Be less descriptive in output.

Report bugs to users@clusterlabs.org

`
	if out.String() != want {
		t.Errorf("got:\n%s", out.String())
	}
	out.Reset()
	if _, status, _ := got.context().Run([]string{"-L", "--bad"}, "", &out, &errs); status != 64 || errs.String() != "crm_tool: Unknown option --bad\n" {
		t.Errorf("status %d: %s", status, errs.String())
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"-LNn1 --node=x", "--repeat 5 -- -x", "-m -m 3", "--help-all", "-", "--more-list"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var got tool
		got.context().Parse(Preprocess(strings.Fields(line), "mNt"))
	})
}
