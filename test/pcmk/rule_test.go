package pcmk

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// ruleCIB has a rule of every kind that crm_rule knows, and of those it refuses.
func ruleCIB() string {
	rules := ""
	for id, expr := range map[string]string{
		"range":    `<date_expression id="e1" operation="in_range" start="2020-01-01" end="2020-12-31"/>`,
		"future":   `<date_expression id="e2" operation="gt" start="2030-01-01"/>`,
		"past":     `<date_expression id="e3" operation="lt" end="2019-01-01"/>`,
		"duration": `<date_expression id="e4" operation="in_range" start="2020-01-01"><duration id="d4" months="3"/></date_expression>`,
		"spec":     `<date_expression id="e5" operation="date_spec"><date_spec id="s5" years="2020" months="1-6"/></date_expression>`,
		"moon":     `<date_expression id="e6" operation="date_spec"><date_spec id="s6" years="2020" moon="4"/></date_expression>`,
		"yearless": `<date_expression id="e7" operation="date_spec"><date_spec id="s7" hours="9-16"/></date_expression>`,
		"two":      `<date_expression id="e8" operation="gt" start="2020-01-01"/><date_expression id="e9" operation="lt" end="2021-01-01"/>`,
		"no-date":  `<expression id="e10" attribute="#uname" operation="eq" value="n1"/>`,
	} {
		rules += `<rsc_location id="l-` + id + `" rsc="rem"><rule id="` + id + `" score="INFINITY">` + expr + `</rule></rsc_location>`
	}
	return strings.Replace(attrCIB, "<constraints/>", "<constraints>"+rules+"</constraints>", 1)
}

// TestCrmRule compares crm_rule with the installed one, before, within and after
// what the rules are about.
func TestCrmRule(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_rule")
	sameTool(t, "crm_rule", "", `--help
--help-all
--help-modes
--version

-c
-r x
-c -r x
-c -r x --output-as=xml
-c -r x -d nonsense
--output-as=foo
`)
	lines := ""
	for _, rule := range []string{"range", "future", "past", "duration", "spec", "moon", "yearless", "both", "no-date", "nowhere"} {
		for _, date := range []string{"2019-06-01", "2020-02-15", "2020-08-01T10:00:00Z", "2031-01-01"} {
			lines += "-c -r " + rule + " -d " + date + "\n"
		}
		lines += "--check --rule=" + rule + " --date=2020-03-01 --output-as=xml\n"
	}
	sameTool(t, "crm_rule", ruleCIB(), lines+"-c -r range -r future -d 2020-03-01\n-c -r future -r range -d 2020-03-01\n")
}

// TestISO8601 compares iso8601 with the installed one.
func TestISO8601(t *testing.T) {
	labtest.Need(t, "/usr/sbin/iso8601")
	sameTool(t, "iso8601", "", `--help
--help-all
--version
-d 2020-01-01
-d 2020-01-01T10:00:00+02:00 -O
-d 2020-01-01T10:00:00-01:30 -L
-d 2020-02-29 -W -L
-d 2021-01-02 -W
-d 2020-02-29 -S
-d 2020-02-29 -s
-d 2020-W10-3
-d 2020-060
-D P1Y2M3DT4H5M6S
-D PT90S -s
-D PT1S
-D PT61S
-D P1W
-D PT
-D PT -s
-d 2020-01-31 -D PT
-d 2020-01-01T
-D P0D
-d 2020-01-31 -D P1M
-d 2020-02-29 -D P1Y
-d 2020-12-31 -D P1M1D -O
-p 2005-040/2005-043
-p 2005-01-01/P1M
-p P1M/2005-03-01
-p P1M/P2M
-p 2005-01-01
-d 2020-01-01 -E x
-d nonsense
-D foo
-D P1
-p foo
-d epoch
-x
-n -E x -d 2020-01-01
`)
	for _, date := range []string{"2020-01-01  10:30:15Z", "2020-01-01 ", "2020-01-01 10:30:15 +02:00", "2020-01-01 10:30:15 Z", ""} {
		args := []string{"-d", date, "-O"}
		want := runTool(t, "/usr/sbin/iso8601", "iso8601", "", args)
		if got := runTool(t, filepath.Join(labtest.Bin(t), "iso8601"), "iso8601", "", args); got != want {
			t.Errorf("%q: got %+v, want %+v", args, got, want)
		}
	}
}
