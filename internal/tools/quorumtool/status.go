package quorumtool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum"
	"github.com/pacesync/pacesync/quorum/wire"
)

// awaitQuorum waits for a quorum event and keeps what it says.
func (p *program) awaitQuorum(ctx context.Context) error {
	e, err := p.q.Next(ctx)
	if err != nil {
		p.complain("Unable to dispatch quorum status: %s", libipc.Strerror(err))
		return err
	}
	p.view, p.quorate, p.ring.Seq = e.Members, e.Quorate, e.Ring.Seq
	return nil
}

// awaitVotes waits for votequorum's list of nodes, which has the ring's
// representative.
func (p *program) awaitVotes(ctx context.Context) error {
	for {
		e, err := p.vote.Next(ctx)
		if err != nil {
			p.complain("Unable to dispatch votequorum status: %s", libipc.Strerror(err))
			return err
		}
		if e.Kind == quorum.VoteRingChange {
			p.ring.Rep = e.Ring.Rep
			return nil
		}
	}
}

// trackVotes starts votequorum events. Without a provider the original calls
// the library with a handle that it never opened.
func (p *program) trackVotes(ctx context.Context, flags uint32) error {
	err := error(service.ErrBadHandle)
	if p.vote != nil {
		err = p.vote.TrackStart(ctx, 0, flags)
	}
	if err != nil {
		p.complain("Unable to start votequorum status tracking: %s", libipc.Strerror(err))
	}
	return err
}

// usesVotes: also when the provider could not be found out, as the original's
// -1 counts as true. Other providers do not exist in this release.
func (p *program) usesVotes(ctx context.Context) bool {
	name := p.provider(ctx)
	return name == "" || name == votequorumProvider
}

// current fetches the state of now.
func (p *program) current(ctx context.Context) error {
	if err := p.q.TrackStart(ctx, quorum.TrackCurrent); err != nil {
		p.complain("Unable to start quorum status tracking: %s", libipc.Strerror(err))
		return err
	}
	return p.awaitQuorum(ctx)
}

func (p *program) showStatus(ctx context.Context) int {
	quorate, err := p.q.Quorate(ctx)
	if err != nil {
		p.complain("Unable to get cluster quorate status: %s", libipc.Strerror(err))
		return exitFailure
	}
	err = p.current(ctx)
	if stopErr := p.q.TrackStop(ctx); stopErr != nil {
		p.complain("Unable to stop quorum status tracking: %s", libipc.Strerror(err))
	}
	if p.usesVotes(ctx) {
		if err = p.trackVotes(ctx, quorum.TrackCurrent); err == nil {
			err = p.awaitVotes(ctx)
		}
	}
	if err != nil {
		return exitFailure
	}
	if p.display(ctx, quorate) != nil {
		return exitFailure
	}
	if !quorate {
		return exitNotQuorate
	}
	return exitOK
}

// monitor prints the state now and after every change, until the daemon ends.
func (p *program) monitor(ctx context.Context) int {
	if !p.q.HasProvider() {
		fmt.Fprint(p.out, "\nQuorum is not configured - cannot monitor\n")
		return p.showStatus(ctx)
	}
	if err := p.q.TrackStart(ctx, quorum.TrackChanges); err != nil {
		p.complain("Unable to start quorum status tracking: %s", libipc.Strerror(err))
		return exitFailure
	}
	if p.usesVotes(ctx) && p.trackVotes(ctx, quorum.TrackChanges) != nil {
		return exitFailure
	}
	for {
		if p.awaitQuorum(ctx) != nil {
			return exitFailure
		}
		if p.usesVotes(ctx) && p.awaitVotes(ctx) != nil {
			return exitFailure
		}
		err := p.display(ctx, p.quorate)
		fmt.Fprint(p.out, "\n")
		p.out.Flush()
		if err != nil {
			p.complain("Unable to display quorum data: %s", libipc.Strerror(err))
			return exitFailure
		}
	}
}

func (p *program) showNodes(ctx context.Context) int {
	if p.current(ctx) != nil {
		return exitFailure
	}
	p.members(ctx)
	return exitOK
}

// display prints the whole status.
func (p *program) display(ctx context.Context, quorate bool) error {
	provider := p.provider(ctx)
	if provider == "" {
		provider = "Not configured"
	}
	node := fmt.Sprintf("%d", p.self)
	if p.hex {
		node = fmt.Sprintf("0x%08x", p.self)
	}
	ring := fmt.Sprintf("%x", p.ring.Seq)
	if p.vote != nil {
		ring = fmt.Sprintf("%x.%x", p.ring.Rep, p.ring.Seq)
	}
	yes := "No"
	if quorate {
		yes = "Yes"
	}
	fmt.Fprintf(p.out, "Quorum information\n------------------\n"+
		"Date:             %s\n"+
		"Quorum provider:  %s\n"+
		"Nodes:            %d\n"+
		"Node ID:          %s\n"+
		"Ring ID:          %s\n"+
		"Quorate:          %s\n", time.Now().Format(time.ANSIC), provider, len(p.view), node, ring, yes)
	if p.vote == nil {
		return nil
	}
	info, err := p.vote.Info(ctx, p.self)
	if err != nil && !errors.Is(err, service.ErrNotExist) {
		p.complain("Unable to get node info: %s", libipc.Strerror(err))
	} else {
		p.votequorum(&info)
	}
	p.members(ctx)
	return err
}

// votequorum prints the part about votes. The blanks at the ends of lines
// belong to it: pcs reads them.
func (p *program) votequorum(info *wire.VoteInfo) {
	activity := "Activity blocked"
	if info.Flags&wire.InfoQuorate != 0 {
		activity = " "
	}
	fmt.Fprintf(p.out, "\nVotequorum information\n----------------------\n"+
		"Expected votes:   %d\n"+
		"Highest expected: %d\n"+
		"Total votes:      %d\n"+
		"Quorum:           %d %s\n"+
		"Flags:            ", int32(info.Expected), int32(info.HighestExpected), int32(info.TotalVotes), int32(info.Quorum), activity)
	for _, f := range [...]struct {
		flag wire.InfoFlags
		name string
	}{
		{wire.InfoTwoNode, "2Node "}, {wire.InfoQuorate, "Quorate "}, {wire.InfoWaitForAll, "WaitForAll "},
		{wire.InfoLastManStanding, "LastManStanding "}, {wire.InfoAutoTieBreaker, "AutoTieBreaker "},
		{wire.InfoAllowDownscale, "AllowDownscale "}, {wire.InfoQdeviceRegistered, "Qdevice "},
	} {
		if info.Flags&f.flag != 0 {
			fmt.Fprint(p.out, f.name)
		}
	}
	fmt.Fprint(p.out, "\n")
}
