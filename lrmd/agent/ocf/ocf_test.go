package ocf

import (
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/agent"
	"github.com/pacesync/pacesync/lrmd/wire"
)

func TestExitReason(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"no mark\n":             "",
		"ocf-exit-reason:one\n": "one",
		"x ocf-exit-reason:one": "one",
		"ocf-exit-reason:one\nocf-exit-reason:two\nmore\n":   "two",
		"ocf-exit-reason:one\nocf-exit-reason:\n":            "",
		"ocf-exit-reason:" + strings.Repeat("a", 200) + "\n": strings.Repeat("a", 128),
	} {
		if got := ExitReason(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestStatus(t *testing.T) {
	for code, want := range map[int]pcmk.OCF{0: 0, 7: 7, 9: 9, 10: 1, 127: 1, 190: 190, 191: 191, 192: 1, -1: 1} {
		if got := Status(code); got != want {
			t.Errorf("%d: %d, want %d", code, got, want)
		}
	}
}

func TestEnv(t *testing.T) {
	env := Env([]string{"PATH=/bin", "OCF_ROOT=/elsewhere"}, agent.Action{Rsc: "r:1", Provider: "p", Type: "T",
		Params: wire.Params{{Name: "ip", Value: "1.2.3.4"}, {Name: "OCF_CHECK_LEVEL", Value: "10"}, {Name: "a=b", Value: "no"}}})
	want := []string{"PATH=/bin", "OCF_ROOT=/usr/lib/ocf", "OCF_RESKEY_ip=1.2.3.4", "OCF_CHECK_LEVEL=10", "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1",
		"OCF_EXIT_REASON_PREFIX=ocf-exit-reason:", "OCF_RESOURCE_INSTANCE=r:1", "OCF_RESOURCE_TYPE=T", "OCF_RESOURCE_PROVIDER=p"}
	if !slices.Equal(env, want) {
		t.Errorf("%q\nwant %q", env, want)
	}
}
