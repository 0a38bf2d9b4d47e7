package getopt

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/testneed"
)

// table is the one in testdata/oracle.c.
var table = []Long{
	{"if", RequiredArg, 'i'}, {"status", NoArg, 's'}, {"start", NoArg, 'S'}, {"nodes", NoArg, 'n'},
	{"reload", NoArg, 'R'}, {"reopen", NoArg, 'R'}, {"opt", OptionalArg, 'o'}, {"force", NoArg, 0},
	{"reset", RequiredArg, 'r'},
}

// run prints what the oracle prints for the same command line.
func run(short string, wide bool, args []string) (stdout, stderr string) {
	var out, errs bytes.Buffer
	var long []Long
	if wide {
		long = table
	}
	p := New("prog", args, short, long, &errs)
	for c := p.Next(); c != End; c = p.Next() {
		fmt.Fprint(&out, c)
		if p.HasArg {
			fmt.Fprintf(&out, "=[%s]", p.Arg)
		}
		if c == '?' || c == ':' {
			fmt.Fprintf(&out, " opt=%d", p.Opt)
		}
		fmt.Fprintln(&out)
	}
	for _, w := range p.Rest() {
		fmt.Fprintf(&out, "rest [%s]\n", w)
	}
	return out.String(), errs.String()
}

func TestTexts(t *testing.T) {
	for _, tt := range []struct {
		short  string
		wide   bool
		args   string
		stdout string
		stderr string
	}{
		{"hsa:", false, "-x", "63 opt=120\n", "prog: invalid option -- 'x'\n"},
		{"hsa:", false, "-a", "63 opt=97\n", "prog: option requires an argument -- 'a'\n"},
		{"hsa:", false, "--s", "63 opt=45\n115\n", "prog: invalid option -- '-'\n"},
		{":hsa:", false, "-a", "58 opt=97\n", ""},
		{"hsa:", false, "one -sa two three -- -h", "115\n97=[two]\nrest [one]\nrest [three]\nrest [-h]\n", ""},
		{"+hsa:", false, "-s one -h", "115\nrest [one]\nrest [-h]\n", ""},
		{"-hsa:", false, "one -s", "1=[one]\n115\n", ""},
		{"s", true, "--help", "63 opt=0\n", "prog: unrecognized option '--help'\n"},
		{"s", true, "--help=1", "63 opt=0\n", "prog: unrecognized option '--help=1'\n"},
		{"s", true, "--status=1", "63 opt=115\n", "prog: option '--status' doesn't allow an argument\n"},
		{"s", true, "--if", "63 opt=105\n", "prog: option '--if' requires an argument\n"},
		{"s", true, "--st", "63 opt=0\n", "prog: option '--st' is ambiguous; possibilities: '--status' '--start'\n"},
		{"s", true, "--re=5", "63 opt=0\n", "prog: option '--re=5' is ambiguous; possibilities: '--reload' '--reset'\n"},
		{"s", true, "--rel --i=4 --fo", "82\n105=[4]\n0\n", ""},
	} {
		stdout, stderr := run(tt.short, tt.wide, strings.Fields(tt.args))
		if stdout != tt.stdout || stderr != tt.stderr {
			t.Errorf("%q %v %s: got %q, %q\nwant %q, %q", tt.short, tt.wide, tt.args, stdout, stderr, tt.stdout, tt.stderr)
		}
	}
}

// TestAgainstGlibc runs random command lines through the C library as well.
func TestAgainstGlibc(t *testing.T) {
	cc := testneed.Program(t, "cc")
	oracle := filepath.Join(t.TempDir(), "oracle")
	if out, err := exec.Command(cc, "-o", oracle, "testdata/oracle.c").CombinedOutput(); err != nil {
		testneed.Missing(t, fmt.Sprintf("testdata/oracle.c does not compile here (libc6-dev): %v: %s", err, out))
	}
	words := strings.Split("-s|-sn|-i|-i5|-o|-o5|-x|-sxi|--|-|--status|--st|--sta|--start|--re|--rel|--r=1|--reset|--reset=|"+
		"--opt|--opt=1|--o|--if|--if=a|--nope|--status=1|-n-|a|b|-r|--f|--force|-s:|-;|--=|", "|")
	shorts := []string{"i:snRo::r:", ":i:snRo::r:", "+i:sn", "-i:sno::", "si", "+:i:s"}
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 400 {
		var args []string
		for range 1 + rng.IntN(5) {
			args = append(args, words[rng.IntN(len(words))])
		}
		short, wide := shorts[rng.IntN(len(shorts))], rng.IntN(3) > 0
		mode := "s"
		if wide {
			mode = "l"
		}
		var out, errs bytes.Buffer
		cmd := exec.Command(oracle, append([]string{short, mode}, args...)...)
		cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, []string{}
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		stdout, stderr := run(short, wide, args)
		if stdout != out.String() || stderr != errs.String() {
			t.Errorf("case %d: %q wide=%v %q:\n got %q\n     %q\nwant %q\n     %q", n, short, wide, args, stdout, stderr, out.String(), errs.String())
		}
	}
}
