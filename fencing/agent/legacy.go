package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/fencing/wire"
)

// legacyDir has the plugins of Linux-HA's fencing, which the agent fence_legacy
// runs (lib/fencing/st_lha.c).
const legacyDir = "/usr/lib/stonith/plugins"

// legacyAgent is the agent that runs them.
const legacyAgent = "fence_legacy"

// Legacy names the installed plugins in order: those of stonith2, the external
// ones as external/NAME.
func Legacy() []string {
	libs, err := os.ReadDir(filepath.Join(legacyDir, "stonith2"))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range libs {
		name, ok := strings.CutSuffix(e.Name(), ".so")
		switch {
		case !ok || name == "rhcs": // fence agents seen through this door
		case name == "external":
			out = append(out, external()...)
		default:
			out = append(out, name)
		}
	}
	return out
}

func external() []string {
	files, err := os.ReadDir(filepath.Join(legacyDir, "external"))
	if err != nil {
		return nil
	}
	var out []string
	for _, f := range files {
		if st, err := f.Info(); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			out = append(out, "external/"+f.Name())
		}
	}
	return out
}

// Adapt makes a device whose agent is such a plugin one of fence_legacy, with
// the plugin as parameter (create_device_registration_xml).
func (r *Runner) Adapt(reg *wire.Registration) {
	if reg == nil || reg.Agent == "" || reg.Agent == wire.WatchdogAgentInternal || r.Installed(reg.Agent) || !slices.Contains(Legacy(), reg.Agent) {
		return
	}
	reg.Params = append([]wire.Pair{{Name: "plugin", Value: reg.Agent}}, reg.Params...)
	reg.Agent, reg.Namespace = legacyAgent, "heartbeat"
}
