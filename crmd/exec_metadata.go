package crmd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pacesync/pacesync/crmd/history"
	fenceagent "github.com/pacesync/pacesync/fencing/agent"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// metadataTimeout is how long an agent may take to describe itself
// (lrmd_client.c: CRMD_METADATA_CALL_TIMEOUT).
const metadataTimeout = 30 * time.Second

// maxDescription bounds what an agent says of itself: the longest known has 60 KiB.
const maxDescription = 4 << 20

// describe asks an agent to describe itself, as a child of this process as in the
// original.
func (u *execUnit) describe(f history.Describe) {
	go func() {
		text, err := description(f.Agent)
		var meta *history.Metadata
		if err == nil {
			meta, err = history.ParseMetadata(f.Agent.Class, text)
		}
		u.c.post(func() {
			if err != nil {
				u.c.log.warn("Unable to update metadata for %s (%s): %v", f.Rsc, f.Agent.Key(), err)
			}
			if u.keeper != nil {
				u.step(history.Described{Token: f.Token, Agent: f.Agent, Meta: meta})
			}
		})
	}()
}

// description runs an agent for its description.
func description(a history.Agent) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), metadataTimeout)
	defer cancel()
	if a.Class == "stonith" {
		r := fenceagent.Runner{}
		x, err := r.Metadata(ctx, a.Type, metadataTimeout)
		if err != nil {
			return "", err
		}
		return x.String(), nil
	}
	if a.Class == "nagios" {
		b, err := os.ReadFile(filepath.Join("/usr/share/nagios/plugins-metadata", filepath.Base(a.Type)+".xml"))
		return string(b), err
	}
	dir := pcmk.OCFRADir
	cmd := exec.CommandContext(ctx, filepath.Join(dir, filepath.Base(a.Provider), filepath.Base(a.Type)), "meta-data")
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1", "OCF_ROOT="+pcmk.OCFRoot,
		"OCF_EXIT_REASON_PREFIX=ocf-exit-reason:", "OCF_RESOURCE_TYPE="+a.Type, "OCF_RESOURCE_PROVIDER="+a.Provider)
	out := &limited{}
	cmd.Stdout = out
	err := cmd.Run()
	return out.String(), err
}

// limited keeps the first bytes that are written to it.
type limited struct{ b strings.Builder }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxDescription - l.b.Len(); room > 0 {
		l.b.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

func (l *limited) String() string { return l.b.String() }
