package martest

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/mar"
)

// Message is one message of a kind: what it looks like and how to read it.
type Message struct {
	Name  string
	Bytes []byte
	Size  int
	Need  int            // shortest length that can be read
	At    map[int]string // bytes that belong at an offset, as gdb's ptype /o shows the C structure
	Want  any
	Parse func([]byte) (any, error)
}

// Of makes a Message; want is what parse reads from the bytes.
func Of[T any](name string, bytes []byte, size, need int, at map[int]string, want T, parse func([]byte) (T, error)) Message {
	return Message{name, bytes, size, need, at, want, func(b []byte) (any, error) { return parse(b) }}
}

// Layouts checks size, header and fields of all messages, and that they are read again.
func Layouts(t *testing.T, messages []Message) {
	t.Helper()
	for _, m := range messages {
		if len(m.Bytes) != m.Size {
			t.Errorf("%s: %d bytes, want %d", m.Name, len(m.Bytes), m.Size)
			continue
		}
		if got := (mar.View{B: m.Bytes}).U32(8); int(got) != m.Size {
			t.Errorf("%s: header says %d bytes, want %d", m.Name, got, m.Size)
		}
		for off, want := range m.At {
			if got := m.Bytes[off : off+len(want)]; string(got) != want {
				t.Errorf("%s @%d: %x, want %x", m.Name, off, got, want)
			}
		}
		if got, err := m.Parse(m.Bytes); err != nil || !reflect.DeepEqual(got, m.Want) {
			t.Errorf("%s: parsed %+v, %v, want %+v", m.Name, got, err, m.Want)
		}
	}
}

// AllTruncated cuts every message at every place before Need: an error, no panic.
func AllTruncated(t *testing.T, messages []Message) {
	t.Helper()
	for _, m := range messages {
		Truncated(t, m.Name, m.Bytes, m.Need, func(b []byte) error { _, err := m.Parse(b); return err })
	}
}

// Fuzz reads any bytes as a message of any kind: no panic, and twice the same.
func Fuzz(f *testing.F, kinds []Message) {
	for i, m := range kinds {
		f.Add(uint8(i), m.Bytes)
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		m := kinds[int(kind)%len(kinds)]
		first, err := m.Parse(b)
		if err != nil {
			return
		}
		second, err := m.Parse(bytes.Clone(b))
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Errorf("%s: %+v then %+v, %v", m.Name, first, second, err)
		}
	})
}
