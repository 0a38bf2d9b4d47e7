package crypt

// Overhead is what sealing adds to a packet. The zero value adds nothing.
type Overhead struct {
	Salt  int // bytes before the packet
	Block int // the packet is padded to a multiple of it, with at least one byte; 0: no padding
	Hash  int // bytes after the packet
}

// Sealed is the length of a sealed packet of n bytes (onwire.c: calc_data_outlen).
func (o Overhead) Sealed(n int) int {
	if o.Block != 0 {
		n += o.Block - n%o.Block
	}
	return o.Salt + n + o.Hash
}

// Plain is the length of the longest packet that fits n bytes when it is sealed; 0
// if none does. What onwire.c: calc_max_data_outlen gives is this less the largest
// header of knet.
func (o Overhead) Plain(n int) int {
	n -= o.Salt + o.Hash
	if o.Block != 0 {
		n -= n%o.Block + 1
	}
	return max(n, 0)
}
