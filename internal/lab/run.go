package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Wait looks at cond again and again until it is true. It fails when ctx ends
// before, naming what it waited for.
func Wait(ctx context.Context, what string, cond func() bool) error {
	start := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if cond() {
			return nil
		}
		select {
		case <-ctx.Done():
			if cond() {
				return nil
			}
			return fmt.Errorf("lab: waited %.1f s in vain for %s", time.Since(start).Seconds(), what)
		case <-time.After(pause):
		}
	}
}

// run executes a command of the machine and returns its output; what it said on
// standard error is in the error.
func run(input string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = environment("")
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("lab: %s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// marker is the environment variable by which every process of a lab can be
// found again: PACESYNC_LAB_NODE=LAB/NODE.
const marker = "PACESYNC_LAB_NODE"

// environment is what programs get: nothing of the caller's but the path.
func environment(mark string) []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=" + os.Getenv("TERM")}
	if mark != "" {
		env = append(env, marker+"="+mark)
	}
	return env
}
