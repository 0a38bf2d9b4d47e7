package pcmk

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// oracle reads a list as crm_error --list --name writes it: code, name, text.
func oracle(t *testing.T, file string, f func(code int, name, text string)) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		number, rest, _ := strings.Cut(strings.TrimSpace(line), ": ")
		code, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("%s: %q: %v", file, line, err)
		}
		name, text, _ := strings.Cut(rest, " ")
		f(code, name, strings.TrimSpace(text))
	}
}

func TestExitCodesEqualCrmError(t *testing.T) {
	n := 0
	oracle(t, "exit.txt", func(code int, name, text string) {
		n++
		if e := Exit(code); e.Name() != name || e.String() != text {
			t.Errorf("%d: %s %q, crm_error says %s %q", code, e.Name(), e, name, text)
		}
	})
	if n != len(ExitCodes()) {
		t.Errorf("crm_error knows %d codes, we %d", n, len(ExitCodes()))
	}
}

func TestResultsEqualCrmError(t *testing.T) {
	oracle(t, "rc.txt", func(code int, name, text string) {
		if rc := RC(code); rc.Name() != name || rc.Error() != text {
			t.Errorf("%d: %s %q, crm_error says %s %q", code, rc.Name(), rc.Error(), name, text)
		}
	})
	oracle(t, "legacy.txt", func(code int, name, text string) {
		if rc := RCFromLegacy(-code); rc.Error() != text {
			t.Errorf("legacy %d (%s): %q, crm_error says %q", code, name, rc.Error(), text)
		}
	})
}

func TestLegacyRoundTrip(t *testing.T) {
	for _, rc := range []RC{OK, RCNoQuorum, RCOldData, RCSchemaValidation, RC(syscall.ENXIO), RCUnknownFormat} {
		if got := RCFromLegacy(rc.Legacy()); got != rc {
			t.Errorf("%v became %d became %v", rc, rc.Legacy(), got)
		}
	}
	if n := RCDuplicateID.Legacy(); n != -201 {
		t.Errorf("a result without legacy number: %d, want -201", n)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		program, message string
		typ              MsgType
	}{
		{"pacemaker-based", "cib", MsgCIB}, {"pacemaker-controld", "crmd", MsgCRMD}, {"pacemaker-execd", "lrmd", MsgLRMD},
		{"pacemaker-attrd", "attrd", MsgAttrd}, {"pacemaker-fenced", "stonith-ng", MsgStonithNG},
		{"pacemaker-schedulerd", "pengine", MsgPEngine}, {"crm_node", "crm_node", MsgNone}, {"", "unknown", MsgNone},
		{"dc", "dc", MsgCRMD}, {"4711", "4711", 4711}, {"9", "9", MsgNone},
	} {
		if m, typ := MessageName(c.program), TypeOfName(c.program); m != c.message || typ != c.typ {
			t.Errorf("%q: %q %d, want %q %d", c.program, m, typ, c.message, c.typ)
		}
	}
	if !IsDaemonName("pacemaker-attrd") || !IsDaemonName("dc") || IsDaemonName("crm_mon") {
		t.Error("IsDaemonName")
	}
}

func TestEnv(t *testing.T) {
	t.Setenv("HA_debug", "pacemaker-attrd,crmd")
	if !EnvEnabled("pacemaker-attrd", EnvDebug) || EnvEnabled("pacemaker-based", EnvDebug) {
		t.Error("a list of daemons")
	}
	t.Setenv("PCMK_debug", "no")
	if EnvEnabled("pacemaker-attrd", EnvDebug) {
		t.Error("PCMK_ goes before HA_")
	}
	for value, want := range map[string]int{"": 131072, "x": 131072, "-5": 131072, "100": 12288, "500000": 500000} {
		t.Setenv("PCMK_ipc_buffer", value)
		if n := IPCBuffer(); n != want {
			t.Errorf("PCMK_ipc_buffer=%q: %d, want %d", value, n, want)
		}
	}
}
