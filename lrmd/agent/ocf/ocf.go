// Package ocf knows OCF resource agents: where they are, the environment they
// run in, and how to read what they say. lrmd/agent/service runs them.
//
// It replaces lib/services/services_ocf.c and the OCF parts of
// services_linux.c.
package ocf

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/agent"
)

// Version of the resource agent interface that agents are told
// (services.h: PCMK_OCF_MAJOR_VERSION, PCMK_OCF_MINOR_VERSION).
const (
	major = "1"
	minor = "1"
)

const (
	reasonPrefix = "ocf-exit-reason:"
	maxReason    = 128 // services_linux.c: EXIT_REASON_MAX_LEN
)

// Find returns the file of an agent, searching a path of directories; false when
// there is none.
func Find(path, provider, typ string) (string, bool) {
	for _, dir := range filepath.SplitList(path) {
		file := dir + "/" + provider + "/" + typ
		if _, err := os.Stat(file); err == nil {
			return file, true
		}
	}
	return "", false
}

// Env is the environment of an agent: the base, OCF's variables, and the
// parameters (services_linux.c: add_action_env_vars).
func Env(base []string, a agent.Action) []string {
	set := make([]string, 0, len(a.Params)+7)
	for _, p := range a.Params {
		name := "OCF_RESKEY_" + p.Name
		if p.Name == "OCF_CHECK_LEVEL" {
			name = p.Name
		}
		if !strings.Contains(p.Name, "=") {
			set = append(set, name+"="+p.Value)
		}
	}
	set = append(set,
		"OCF_RA_VERSION_MAJOR="+major, "OCF_RA_VERSION_MINOR="+minor,
		"OCF_ROOT="+pcmk.OCFRoot, "OCF_EXIT_REASON_PREFIX="+reasonPrefix,
		"OCF_RESOURCE_INSTANCE="+a.Rsc, "OCF_RESOURCE_TYPE="+a.Type, "OCF_RESOURCE_PROVIDER="+a.Provider)
	return agent.MergeEnv(base, set)
}

// ExitReason is what an agent gives as the reason of its status: the text after
// the last mark in what it wrote to standard error.
func ExitReason(stderr string) string {
	i := strings.LastIndex(stderr, reasonPrefix)
	if i < 0 {
		return ""
	}
	text, _, _ := strings.Cut(stderr[i+len(reasonPrefix):], "\n")
	return text[:min(len(text), maxReason)]
}

// Status is the meaning of an agent's status; one that OCF does not know is an
// error (services__ocf2ocf).
func Status(code int) pcmk.OCF {
	rc := pcmk.OCF(code)
	switch {
	case rc == pcmk.OCFDegraded, rc == pcmk.OCFDegradedPromoted, rc >= 0 && rc <= pcmk.OCFFailedPromoted:
		return rc
	}
	return pcmk.OCFError
}

// Providers lists the providers of a path of directories.
func Providers(path string) []string {
	var out []string
	for _, dir := range filepath.SplitList(path) {
		out = append(out, agent.List(dir, false)...)
	}
	return out
}

// Agents lists the agents of a provider, or of all providers without one.
func Agents(path, provider string) []string {
	var out []string
	if provider == "" {
		for _, p := range Providers(path) {
			out = append(out, Agents(path, p)...)
		}
		return out
	}
	for _, dir := range filepath.SplitList(path) {
		out = append(out, agent.List(dir+"/"+provider, true)...)
	}
	return out
}
