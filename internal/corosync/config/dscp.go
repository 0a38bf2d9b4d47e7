package config

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// dscpKey marks the packets of the ring for routers and switches.
const dscpKey = "totem.ip_dscp"

// readDSCP reads a code point: a number, decimal, hexadecimal or octal, or its name
// in the IANA's registry (coroparse.c of 3.1.10: get_dscp_value).
func readDSCP(s string) (v cmap.Value, ok bool) {
	n, ok := dscpName(s)
	if !ok {
		digits, base := s, 10
		if hex, is := strings.CutPrefix(strings.ToLower(s), "0x"); is {
			digits, base = hex, 16
		} else if len(s) > 1 && s[0] == '0' {
			base = 8
		}
		num, err := strconv.ParseUint(digits, base, 8)
		n, ok = uint8(num), err == nil
	}
	return cmap.U8(n), ok && n <= 63
}

// dscpName reads csN (RFC 2474), afCD (RFC 2597) and ef (RFC 3246).
func dscpName(s string) (n uint8, ok bool) {
	digit := func(i int, lo, hi byte) uint8 {
		ok = ok && s[i] >= lo && s[i] <= hi
		return s[i] - '0'
	}
	switch ok = true; {
	case s == "ef":
		return 46, true
	case len(s) == 3 && s[:2] == "cs":
		return 8 * digit(2, '0', '7'), ok
	case len(s) == 4 && s[:2] == "af":
		return 8*digit(2, '1', '4') + 2*digit(3, '1', '3'), ok
	}
	return 0, false
}
