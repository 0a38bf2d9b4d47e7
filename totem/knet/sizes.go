package knet

const (
	ipv4Header, ipv6Header = 20, 40
	udpHeader              = 8
	// sctpHeader counts in the smallest MTU, which has to suit all transports
	// (transport_sctp.h: KNET_PMTUD_SCTP_OVERHEAD).
	sctpHeader       = 28
	minIPv4, minIPv6 = 576, 1280 // packets that every network takes (onwire.h: KNET_PMTUD_MIN_MTU_*)
	maxBlock         = 64        // no cipher has a greater block
)

// sizes is what sealing costs at the moment.
type sizes struct {
	c     Crypto // nil: nothing
	extra int    // salt and hash
	block int    // what packets are padded to; 0: they are not
}

// sizesOf asks the cipher.
func sizesOf(c Crypto) sizes {
	s := sizes{c: c}
	if c == nil {
		return s
	}
	s.extra = c.Sealed(0)
	for n := 1; n <= maxBlock; n++ {
		// Without padding, every byte makes the packet longer; with it, only one of each block.
		if c.Sealed(n) != c.Sealed(0) {
			if n > 1 {
				s.block = n
				s.extra -= n
			}
			break
		}
	}
	return s
}

// sealed is the length of a packet of n bytes on the wire (onwire.c: calc_data_outlen).
func (s sizes) sealed(n int) int {
	if s.c == nil {
		return n
	}
	return s.c.Sealed(n)
}

// seals tells whether packets are sealed.
func (s sizes) seals() bool { return s.extra > 0 || s.block > 0 }

// mtu is how much data an IP packet of onwire bytes carries. The largest header is
// taken off whatever the packet (onwire.c: calc_max_data_outlen).
func (s sizes) mtu(onwire int, six bool) int { return s.payload(onwire - ipHeader(six)) }

func (s sizes) payload(n int) int {
	if s.c != nil {
		n = s.c.Plain(n)
	}
	return max(n-allHeader, 0)
}

// minMTU is what is sent before anything is known of the network, whatever the
// addresses and transports (onwire.c: calc_min_mtu).
func (s sizes) minMTU() int { return s.payload(minIPv4 - ipv6Header - sctpHeader) }

// firstMTU is the MTU of a link before the first discovery (links.c: knet_link_set_config).
func (s sizes) firstMTU(six bool) int {
	if six {
		return s.mtu(minIPv6, six)
	}
	return s.mtu(minIPv4, six)
}

// ipHeader is what is before our packet.
func ipHeader(six bool) int {
	if six {
		return ipv6Header + udpHeader
	}
	return ipv4Header + udpHeader
}
