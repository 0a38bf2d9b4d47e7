// Command client is a guest of the daemon for the comparison of the tools: it
// joins groups, plays a quorum device or vetoes shutdowns until its standard
// input ends. It says "ready" once it is what it should be.
//
//	client join NAME…      names in Go syntax without quotes: a\x00
//	client device NAME     votes as a quorum device
//	client veto            says no to every shutdown
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/cpg"
	"github.com/pacesync/pacesync/internal/corosync/cfg/cfgclient"
	"github.com/pacesync/pacesync/quorum"
	"github.com/pacesync/pacesync/quorum/wire"
)

func main() {
	ctx := context.Background()
	var err error
	switch {
	case len(os.Args) > 2 && os.Args[1] == "join":
		err = join(ctx, os.Args[2:])
	case len(os.Args) == 3 && os.Args[1] == "device":
		err = device(ctx, os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "veto":
		err = veto(ctx)
	default:
		err = fmt.Errorf("usage: client join NAME… | device NAME | veto")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// join enters each group on a connection of its own and waits until it is in.
func join(ctx context.Context, names []string) error {
	for _, quoted := range names {
		name, err := strconv.Unquote(`"` + quoted + `"`)
		if err != nil {
			return fmt.Errorf("%s: %w", quoted, err)
		}
		c, err := cpg.Dial(ctx, cpg.ClientOptions{})
		if err != nil {
			return err
		}
		if err := c.Join(ctx, name); err != nil {
			return err
		}
		for in := false; !in; {
			e, err := c.Next(ctx)
			if err != nil {
				return err
			}
			in = e.Kind == cpg.Confchg
		}
	}
	return nil
}

// device registers and keeps itself alive.
func device(ctx context.Context, name string) error {
	c, err := quorum.DialVote(ctx)
	if err != nil {
		return err
	}
	if err := c.TrackStart(ctx, 0, quorum.TrackChanges); err != nil {
		return err
	}
	if err := c.RegisterDevice(ctx, name); err != nil {
		return err
	}
	var e quorum.VoteEvent
	for e.Kind != quorum.VoteRingChange {
		if e, err = c.Next(ctx); err != nil {
			return err
		}
	}
	poll := func() error { return c.PollDevice(ctx, name, true, e.Ring) }
	if err := poll(); err != nil {
		return err
	}
	for {
		info, err := c.Info(ctx, 0)
		if err != nil {
			return err
		}
		if info.Flags&wire.InfoQdeviceCastVote != 0 {
			break
		}
	}
	go func() {
		for range time.Tick(time.Second) {
			if poll() != nil {
				return
			}
		}
	}()
	return nil
}

// veto answers every shutdown with no.
func veto(ctx context.Context) error {
	c, err := cfgclient.Dial(ctx)
	if err != nil {
		return err
	}
	if err := c.TrackStart(ctx); err != nil {
		return err
	}
	go func() {
		for {
			if _, err := c.Next(ctx); err != nil {
				return
			}
			if c.ReplyToShutdown(ctx, cfgclient.ShutdownNo) != nil {
				return
			}
		}
	}()
	return nil
}
