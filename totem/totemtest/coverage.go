package totemtest

import (
	"time"

	"github.com/pacesync/pacesync/totem/pg"
	"github.com/pacesync/pacesync/totem/srp"
)

// Coverage counts which event met which state.
type Coverage struct{}

func (c *Coverage) event(n *node, state State, ev srp.Event, now time.Time) {}

func stateOf(e *pg.Engine) State { return Operational }

// Add adds another count.
func (c *Coverage) Add(o *Coverage) {}
