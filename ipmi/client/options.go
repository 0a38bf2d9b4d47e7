// Package client switches the power of a machine through its BMC: fence_ipmilan
// in process. Each operation logs in, acts, reads the power state back until it
// is what was asked for, and logs out. The fencer calls it; it replaces
// fence_ipmilan and ipmitool, whose options it takes with the same names,
// defaults and meaning.
//
// Differences from fence_ipmilan: method=cycle is read back too; without cipher
// it proposes suite 17, then 3, and nothing weaker; a wrong password is tried
// once and then not again for Options.RefusalHold; the addressing of further
// controllers (target) is refused.
package client

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/ipmi/session"
	"github.com/pacesync/pacesync/ipmi/wire"
)

// Method is how a reboot is done.
type Method string

// The methods of fence_ipmilan.
const (
	MethodOnOff Method = "onoff" // off, read back, on
	MethodCycle Method = "cycle" // the BMC's own power cycle
)

// Options are the parameters of a fence device.
type Options struct {
	Host     string
	Port     int
	Lanplus  bool
	Cipher   int           // 0: 17, then 3
	Auth     wire.AuthType // 1.5; session.AuthAuto: what the BMC offers
	Privlvl  wire.Privilege
	User     string
	Password string
	Kg       []byte

	Method         Method
	Timeout        time.Duration // ipmitool_timeout: wait for the first answer to a packet
	Retries        int           // repetitions of a packet; ipmitool has 4
	PowerWait      time.Duration // after a command, before the first look
	PowerTimeout   time.Duration // the new state must show within it; 0: for ever
	StatusInterval time.Duration // stonith_status_sleep: between two looks
	RetryOn        int           // attempts to power on
	Delay          time.Duration // before the first action of a fencing
	RefusalHold    time.Duration // a refused password is not tried again for so long

	// Trace is told what is done and seen, for a log; may be nil.
	Trace func(format string, args ...any)
}

// Defaults are those of fence_ipmilan.
func Defaults() Options {
	return Options{
		Port: 623, Auth: session.AuthAuto, Privlvl: wire.Administrator, Method: MethodOnOff,
		Timeout: 2 * time.Second, Retries: 4, PowerWait: 2 * time.Second, PowerTimeout: 20 * time.Second,
		StatusInterval: time.Second, RetryOn: 1, RefusalHold: 30 * time.Second,
	}
}

// ErrOption is matched by errors about options.
var ErrOption = errors.New("ipmi: option")

func bad(name, value, want string) error {
	return fmt.Errorf("%w %s=%q: want %s", ErrOption, name, value, want)
}

// Parse reads the parameters of a stonith resource by their names, old names
// included. Names that fence_ipmilan does not act on here (those of other
// agents, of sudo, of ipmitool's path) are returned and otherwise ignored, as
// the agent does. A deprecated name counts only where the new one is not given.
func Parse(params map[string]string) (o Options, ignored []string, err error) {
	o = Defaults()
	names := make([]string, 0, len(params))
	for n := range params {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { // deprecated names first, so that new ones win
		if d := strings.Compare(strconv.Itoa(age(a)), strconv.Itoa(age(b))); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, n := range names {
		known, err := o.set(n, params[n])
		if err != nil {
			return o, nil, err
		}
		if !known {
			ignored = append(ignored, n)
		}
	}
	return o, ignored, o.Valid()
}

func age(name string) int {
	switch name {
	case "ipaddr", "login", "passwd":
		return 0
	}
	return 1
}

// set takes one parameter.
func (o *Options) set(name, v string) (known bool, err error) {
	switch name {
	case "ip", "ipaddr":
		o.Host = v
	case "ipport":
		o.Port, err = number(name, v, 1, 65535)
	case "lanplus":
		o.Lanplus = isTrue(v)
	case "cipher":
		o.Cipher, err = number(name, v, 0, 255)
		if err == nil && o.Cipher == 0 {
			err = bad(name, v, "1, 2, 3, 15, 16 or 17 (suite 0 authenticates nobody)")
		}
	case "auth":
		o.Auth, err = parseAuth(v)
	case "privlvl":
		o.Privlvl, err = parsePrivilege(v)
	case "username", "login":
		o.User = v
	case "password", "passwd":
		o.Password = v
	case "hexadecimal_kg":
		if o.Kg, err = hex.DecodeString(strings.TrimPrefix(v, "0x")); err != nil {
			err = bad(name, "…", "an even number of hexadecimal digits")
		}
	case "method":
		if o.Method = Method(v); o.Method != MethodOnOff && o.Method != MethodCycle {
			err = bad(name, v, "onoff or cycle")
		}
	case "retry_on":
		o.RetryOn, err = number(name, v, 1, 1000)
	case "target":
		if v != "" {
			err = bad(name, v, "none: controllers behind the BMC are not addressed by this device")
		}
	case "passwd_script", "password_script":
		if v != "" {
			err = bad(name, v, "none: set password instead")
		}
	default:
		return o.setTime(name, v)
	}
	return true, err
}

// setTime takes a parameter that is a time in seconds.
func (o *Options) setTime(name, v string) (known bool, err error) {
	var d *time.Duration
	switch name {
	case "ipmitool_timeout":
		d = &o.Timeout
	case "power_wait":
		d = &o.PowerWait
	case "power_timeout":
		d = &o.PowerTimeout
	case "stonith_status_sleep":
		d = &o.StatusInterval
	case "delay":
		d = &o.Delay
	default:
		return false, nil
	}
	s, err := strconv.ParseFloat(strings.TrimSuffix(v, "s"), 64)
	if err != nil || !(s >= 0) || s > 86400 {
		return true, bad(name, v, "a number of seconds")
	}
	*d = time.Duration(s * float64(time.Second))
	return true, nil
}

func number(name, v string, low, high int) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return 0, bad(name, v, fmt.Sprintf("a number from %d to %d", low, high))
	}
	return n, nil
}

// isTrue reads a boolean as the fence agents do.
func isTrue(v string) bool {
	switch strings.ToLower(v) {
	case "1", "on", "yes", "true":
		return true
	}
	return false
}

func parseAuth(v string) (wire.AuthType, error) {
	switch strings.ToLower(v) {
	case "":
		return session.AuthAuto, nil
	case "none":
		return wire.AuthNone, nil
	case "md5":
		return wire.AuthMD5, nil
	case "password":
		return wire.AuthPassword, nil
	}
	return 0, bad("auth", v, "md5, password or none")
}

func parsePrivilege(v string) (wire.Privilege, error) {
	for p := wire.Callback; p <= wire.Administrator; p++ {
		if strings.EqualFold(v, p.String()) {
			return p, nil
		}
	}
	return 0, bad("privlvl", v, "callback, user, operator or administrator")
}

// Valid tells what cannot work.
func (o *Options) Valid() error {
	if o.Host == "" {
		return fmt.Errorf("%w ip: the address of the BMC is missing", ErrOption)
	}
	if o.StatusInterval <= 0 {
		return fmt.Errorf("%w stonith_status_sleep: want more than 0", ErrOption)
	}
	c := o.session()
	if err := c.Valid(); err != nil {
		return fmt.Errorf("%w: %w", ErrOption, err)
	}
	return nil
}
