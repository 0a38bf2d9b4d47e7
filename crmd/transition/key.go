package transition

import (
	"fmt"
	"strconv"
	"strings"
)

// Key says which action of which transition an operation belongs to.
type Key struct {
	Action, Transition, TargetRC int
	UUID                         string
}

// Outside is the transition of operations that no transition asked for.
const Outside = -1

// String is the form in messages and in the CIB (pcmk__transition_key).
func (k Key) String() string {
	return fmt.Sprintf("%d:%d:%d:%-36s", k.Action, k.Transition, k.TargetRC, k.UUID)
}

// ParseKey reads a transition key (decode_transition_key).
func ParseKey(s string) (k Key, ok bool) {
	rest := s
	for _, dst := range []*int{&k.Action, &k.Transition, &k.TargetRC} {
		part, after, found := strings.Cut(rest, ":")
		n, err := strconv.ParseInt(part, 10, 32)
		if !found || err != nil {
			return Key{}, false
		}
		*dst, rest = int(n), after
	}
	k.UUID, _, _ = strings.Cut(strings.TrimLeft(rest, " \t\n"), " ")
	if len(k.UUID) > 36 {
		k.UUID = k.UUID[:36]
	}
	return k, k.UUID != ""
}
