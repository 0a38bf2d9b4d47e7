// Package configtest is a machine for tests of the configuration: files, users,
// names and addresses without the real ones. Tests of config and cfg use it.
package configtest

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// Env is a machine of the test's making. It has the methods of config.Env.
type Env struct {
	Files   map[string]string
	Host    string
	Local   []string            // addresses of its interfaces
	Names   map[string][]string // name -> addresses
	Reverse map[string]string   // address -> name
}

func (e *Env) ReadFile(path string, limit int) ([]byte, error) {
	s, ok := e.Files[path]
	if !ok {
		return nil, errors.New("No such file or directory")
	}
	return []byte(s[:min(limit, len(s))]), nil
}

func (e *Env) ListFiles(dir string) []string {
	var out []string
	for path := range e.Files {
		if rest, ok := strings.CutPrefix(path, dir+"/"); ok {
			out = append(out, rest)
		}
	}
	slices.Sort(out)
	return out
}

func (e *Env) UserID(name string) (uint32, bool)  { return 107, name == "hacluster" }
func (e *Env) GroupID(name string) (uint32, bool) { return 113, name == "haclient" }
func (e *Env) Hostname() string                   { return e.Host }
func (e *Env) NameOf(a netip.Addr) string         { return e.Reverse[a.String()] }

func (e *Env) LocalAddrs() []netip.Addr {
	var out []netip.Addr
	for _, s := range e.Local {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func (e *Env) Resolve(name string, v4, v6 bool) []netip.Addr {
	list := e.Names[name]
	if _, err := netip.ParseAddr(name); err == nil {
		list = []string{name}
	}
	var out []netip.Addr
	for _, s := range list {
		if a := netip.MustParseAddr(s); a.Is4() && v4 || a.Is6() && v6 {
			out = append(out, a)
		}
	}
	return out
}
