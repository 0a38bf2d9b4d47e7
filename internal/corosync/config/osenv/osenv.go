// Package osenv is config.Env on the real machine: files, users, host name,
// interfaces, name service. The daemon's start-up and its reload worker call
// it; its methods may block for as long as the name service does.
//
// Upstream: the system calls of exec/coroparse.c, exec/totemconfig.c and
// exec/totemip.c.
package osenv

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/libc"
)

// Env is the machine. Safe for concurrent use.
type Env struct{}

var _ config.Env = Env{}

// nameTimeout bounds one question to the name service. The original waits as
// long as the resolver's own limits, which are of this size.
const nameTimeout = 10 * time.Second

func (Env) ReadFile(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, sysError(err)
	}
	defer f.Close()
	data, err := whole(f, limit)
	if errors.Is(err, syscall.EISDIR) {
		return nil, config.ErrDirectory
	}
	return data, sysError(err)
}

// firstRead is enough for most files at once: what is read in several pieces may be
// of two versions.
const firstRead = 64 << 10

// maxReads bounds how often a file is read that somebody keeps writing.
const maxReads = 5

// whole reads a file. A regular one is read until two reads give the same, so that a
// file that is being written is not seen as the beginning of one version and the end
// of another.
func whole(f *os.File, limit int) ([]byte, error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return io.ReadAll(io.LimitReader(f, int64(limit)))
	}
	var last []byte
	for range maxReads {
		b := bytes.NewBuffer(make([]byte, 0, max(firstRead, int(min(info.Size(), int64(limit)))+bytes.MinRead)))
		if _, err := b.ReadFrom(io.NewSectionReader(f, 0, int64(limit))); err != nil {
			return nil, err
		}
		if last != nil && bytes.Equal(last, b.Bytes()) {
			break
		}
		last = b.Bytes()
	}
	return last, nil
}

// sysError is an error with the system's own text.
func sysError(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(libc.Strerror(err))
}

func (Env) ListFiles(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.Mode().IsRegular() {
			out = append(out, e.Name())
		}
	}
	return out
}

func (Env) UserID(name string) (uint32, bool) {
	if u, err := user.Lookup(name); err == nil {
		return parseID(u.Uid)
	}
	return getent("passwd", name)
}

func (Env) GroupID(name string) (uint32, bool) {
	if g, err := user.LookupGroup(name); err == nil {
		return parseID(g.Gid)
	}
	return getent("group", name)
}

// getent asks the system's own name service, which knows users that are in no
// file (sssd, LDAP); a program without libc does not.
func getent(db, name string) (uint32, bool) {
	if name == "" || name[0] == '-' {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), nameTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", db, name).Output()
	fields := strings.Split(string(out), ":")
	if err != nil || len(fields) < 3 {
		return 0, false
	}
	return parseID(fields[2])
}

func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

func (Env) Hostname() string {
	name, _ := os.Hostname()
	return name
}

func (Env) LocalAddrs() []netip.Addr {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, ip.Unmap())
			}
		}
	}
	// getifaddrs lists all IPv4 addresses before the IPv6 ones.
	slices.SortStableFunc(out, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return out
}

func (Env) NameOf(a netip.Addr) string {
	ctx, cancel := context.WithTimeout(context.Background(), nameTimeout)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, a.String())
	if err != nil || len(names) == 0 {
		return ""
	}
	return strings.TrimSuffix(names[0], ".")
}

func (Env) Resolve(name string, v4, v6 bool) []netip.Addr {
	if a, ok := Literal(name); ok {
		if a.Is4() && v4 || a.Is6() && v6 {
			return []netip.Addr{a}
		}
		return nil
	}
	network := "ip"
	switch {
	case !v6:
		network = "ip4"
	case !v4:
		network = "ip6"
	}
	ctx, cancel := context.WithTimeout(context.Background(), nameTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, network, name)
	if err != nil {
		return nil
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return addrs
}

// Literal reads an address the way getaddrinfo does: IPv6, and IPv4 with one
// to four parts, each decimal, octal (0…) or hexadecimal (0x…).
func Literal(s string) (netip.Addr, bool) {
	if strings.Contains(s, ":") {
		a, err := netip.ParseAddr(s)
		return a, err == nil
	}
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var n uint64
	for i, p := range parts {
		last := i == len(parts)-1
		bits := 8
		if last {
			bits = 8 * (5 - len(parts))
		}
		v, ok := part(p)
		if !ok || v >= 1<<bits {
			return netip.Addr{}, false
		}
		n = n<<bits | v
	}
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), true
}

func part(p string) (uint64, bool) {
	if p == "" || p[0] < '0' || p[0] > '9' {
		return 0, false
	}
	base := 10
	switch {
	case len(p) > 2 && (p[:2] == "0x" || p[:2] == "0X"):
		base, p = 16, p[2:]
	case len(p) > 1 && p[0] == '0':
		base, p = 8, p[1:]
	}
	v, err := strconv.ParseUint(p, base, 33)
	return v, err == nil
}
