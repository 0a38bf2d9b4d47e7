package explain

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
)

// Finding is one reason. Which fields are set depends on its kind.
type Finding struct {
	Kind  Kind
	Score score.Score // what it adds to the score of a node; minus infinity is a ban
	Node  string
	Rsc   string // another resource, or a ticket
	Role  string // of the other resource
	ID    string // in the CIB: of the constraint, rule, attribute
	Of    string // of the constraint that a rule belongs to; or another node
	Op    string // operation or task
	Value string
	Count string
	Limit string
	Until int64 // epoch seconds, 0 for never
}

// Scored says whether the finding is part of a score.
func (f *Finding) Scored() bool { return f.Kind >= NodeScore && f.Kind <= FailStop }

// Ban says whether the finding rules a node out.
func (f *Finding) Ban() bool {
	return f.Kind < NodeScore || (f.Scored() && f.Score <= -score.Infinity)
}

// Field is a field of a finding by the name that it has in texts, XML and JSON.
type Field struct{ Name, Value string }

// Fields lists the fields that are set, but for kind and score.
func (f *Finding) Fields() []Field {
	until := ""
	if f.Until != 0 {
		until = Date(f.Until)
	}
	all := []Field{{"node", f.Node}, {"rsc", f.Rsc}, {"role", f.Role}, {"id", f.ID}, {"of", f.Of}, {"op", f.Op}, {"value", f.Value},
		{"count", f.Count}, {"limit", f.Limit}, {"until", until}}
	out := all[:0]
	for _, x := range all {
		if x.Value != "" {
			out = append(out, x)
		}
	}
	return out
}

// Date writes epoch seconds for people and programs.
func Date(at int64) string { return iso8601.Time{Unix: at}.String() }

// Text is the finding in words.
func (f *Finding) Text() string {
	text, _ := expand(f.Kind.Info().Text, f.Fields())
	return text
}

// expand replaces {name}; a part in brackets is left out when a field in it is not
// set. whole is false when a field outside brackets was missing.
func expand(t string, fields []Field) (out string, whole bool) {
	var b strings.Builder
	whole = true
	for t != "" {
		i := strings.IndexAny(t, "{[")
		if i < 0 {
			b.WriteString(t)
			break
		}
		b.WriteString(t[:i])
		end := closing(t, i)
		inner := t[i+1 : end]
		if t[i] == '[' {
			if s, ok := expand(inner, fields); ok {
				b.WriteString(s)
			}
		} else {
			value := ""
			for _, f := range fields {
				if f.Name == inner {
					value = f.Value
				}
			}
			whole = whole && value != ""
			b.WriteString(value)
		}
		t = t[end+1:]
	}
	return b.String(), whole
}

// closing is where the bracket at i ends.
func closing(t string, i int) int {
	if t[i] == '{' {
		return i + strings.IndexByte(t[i:], '}')
	}
	depth := 0
	for j := i; ; j++ {
		switch t[j] {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return j
			}
		}
	}
}

func itoa[T ~int | ~int32](n T) string { return strconv.Itoa(int(n)) }
