package service

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/pacesync/pacesync/lrmd/agent"
	"github.com/pacesync/pacesync/lrmd/agent/lsb"
	"github.com/pacesync/pacesync/lrmd/agent/ocf"
)

// MetadataTimeout is how long an agent may take to describe itself, in ms
// (lrmd.h: CRMD_METADATA_CALL_TIMEOUT).
const MetadataTimeout = 30000

// Standards lists the classes that are there, fence agents apart
// (resources_list_standards).
func (r *Runner) Standards() []string {
	out := []string{"ocf", "lsb", "service"}
	if len(r.Systemd.Agents()) > 0 {
		out = append(out, "systemd")
	}
	if len(r.nagiosAgents()) > 0 {
		out = append(out, "nagios")
	}
	return out
}

// Providers lists the providers of a class; only ocf has any.
func (r *Runner) Providers(class string) []string {
	if strings.EqualFold(class, "ocf") {
		return ocf.Providers(r.OCFPath)
	}
	return nil
}

// Agents lists the agents of a class, and of a provider if that is not empty;
// without class those of all classes (resources_list_agents). Fence agents are
// the fencer's.
func (r *Runner) Agents(class, provider string) []string {
	switch strings.ToLower(class) {
	case "":
		out := append(lsb.Agents(r.LSBDir), ocf.Agents(r.OCFPath, "")...)
		return append(out, r.Systemd.Agents()...)
	case "service":
		return append(lsb.Agents(r.LSBDir), r.Systemd.Agents()...)
	case "ocf":
		return ocf.Agents(r.OCFPath, provider)
	case "lsb":
		return lsb.Agents(r.LSBDir)
	case "systemd":
		return r.Systemd.Agents()
	case "nagios":
		return r.nagiosAgents()
	}
	return nil
}

// Errors of Metadata.
var (
	ErrNoAgent    = errors.New("no such agent")                // EINVAL of the original
	ErrNoMetadata = errors.New("the agent gives no meta-data") // EIO
)

// Metadata has an agent describe itself; where agents cannot, it is made of
// what is known (lrmd_client.c: lrmd_api_get_metadata_params).
func (r *Runner) Metadata(a agent.Action) (string, error) {
	a.Rsc, a.Name = a.Type, "meta-data"
	if a.Timeout == 0 {
		a.Timeout = MetadataTimeout
	}
	class := r.Class(a.Class, a.Type)
	switch class {
	case "lsb":
		text, err := lsb.Metadata(r.LSBDir, a.Type)
		if errors.Is(err, syscall.ENOENT) {
			err = ErrNoMetadata
		}
		return text, err
	case "nagios":
		text, err := os.ReadFile(nagiosMetadata + "/" + a.Type + ".xml")
		if err != nil || len(text) == 0 {
			return "", ErrNoMetadata
		}
		return string(text), nil
	}
	a.Class = class
	res := r.Start(a).Do()
	switch {
	case res.Final:
		return "", ErrNoAgent
	case res.RC != 0 || res.Stdout == "":
		return "", ErrNoMetadata
	}
	return res.Stdout, nil
}
