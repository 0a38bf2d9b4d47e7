package service

import (
	"os"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/agent"
)

// nagiosMetadata is where plugins' descriptions are (NAGIOS_METADATA_DIR).
const nagiosMetadata = "/usr/share/nagios/plugins-metadata"

// nagiosArgs is the most arguments a plugin gets (services_private.h:
// MAX_ARGC less the name and the end).
const nagiosArgs = 253

// nagios runs a plugin: a probe asks for its version, any other monitor or
// start has it look (services__nagios_prepare). A stop does nothing.
func (r *Runner) nagios(a agent.Action) agent.Run {
	file := a.Type
	if !strings.HasPrefix(file, "/") {
		file = r.NagiosDir + "/" + file
	}
	if strings.EqualFold(a.Name, "stop") {
		return done{agent.Result{Status: pcmk.ExecDone, Class: "nagios"}}
	}
	args := []string{file}
	if strings.EqualFold(a.Name, "monitor") && a.Interval == 0 {
		args = append(args, "--version")
	} else {
		for _, p := range a.Params {
			if strings.EqualFold(p.Name, "crm_feature_set") || strings.Contains(p.Name, "CRM_meta_") {
				continue
			}
			if len(args) > nagiosArgs {
				return done{agent.Result{RC: pcmk.OCFError, Status: pcmk.ExecError, Reason: "Argument list too long", Class: "nagios", Final: true}}
			}
			args = append(args, "--"+p.Name, p.Value)
		}
	}
	a.Params = nil
	return r.process(a, "nagios", file, args)
}

func nagiosStatus(code int) pcmk.OCF {
	switch code {
	case 0:
		return pcmk.OCFOK
	case 1: // WARNING
		return pcmk.OCFDegraded
	case 100: // NAGIOS_INSUFFICIENT_PRIV
		return pcmk.OCFInsufficientPriv
	}
	return pcmk.OCFError
}

// nagiosAgents lists the plugins that have a description.
func (r *Runner) nagiosAgents() []string {
	var out []string
	for _, name := range agent.List(r.NagiosDir, true) {
		if _, err := os.Stat(nagiosMetadata + "/" + name + ".xml"); err == nil {
			out = append(out, name)
		}
	}
	return out
}
