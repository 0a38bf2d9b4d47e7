package cmap

import (
	"fmt"

	"github.com/pacesync/pacesync/totem/knet"
)

// knetField is one counter of a link or of the whole of knet.
type knetField[T any] struct {
	name string
	typ  Type
	get  func(*T) Value
}

// knetLinkFields are the counters of a link (stats.c: cs_knet_stats).
func knetLinkFields() []knetField[knet.LinkStatus] {
	type field = knetField[knet.LinkStatus]
	u32 := func(name string, get func(*knet.LinkStats) uint32) field {
		return field{name, Uint32, func(s *knet.LinkStatus) Value { return U32(get(&s.Stats)) }}
	}
	u64 := func(name string, get func(*knet.LinkStats) uint64) field {
		return field{name, Uint64, func(s *knet.LinkStatus) Value { return U64(get(&s.Stats)) }}
	}
	return []field{
		{"enabled", Uint8, func(s *knet.LinkStatus) Value { return flag(s.Enabled) }},
		{"connected", Uint8, func(s *knet.LinkStatus) Value { return flag(s.Connected) }},
		{"mtu", Uint32, func(s *knet.LinkStatus) Value { return U32(uint32(s.MTU)) }},
		u64("tx_data_packets", func(s *knet.LinkStats) uint64 { return s.TxDataPackets }),
		u64("rx_data_packets", func(s *knet.LinkStats) uint64 { return s.RxDataPackets }),
		u64("tx_data_bytes", func(s *knet.LinkStats) uint64 { return s.TxDataBytes }),
		u64("rx_data_bytes", func(s *knet.LinkStats) uint64 { return s.RxDataBytes }),
		u64("tx_ping_packets", func(s *knet.LinkStats) uint64 { return s.TxPingPackets }),
		u64("rx_ping_packets", func(s *knet.LinkStats) uint64 { return s.RxPingPackets }),
		u64("tx_ping_bytes", func(s *knet.LinkStats) uint64 { return s.TxPingBytes }),
		u64("rx_ping_bytes", func(s *knet.LinkStats) uint64 { return s.RxPingBytes }),
		u64("tx_pong_packets", func(s *knet.LinkStats) uint64 { return s.TxPongPackets }),
		u64("rx_pong_packets", func(s *knet.LinkStats) uint64 { return s.RxPongPackets }),
		u64("tx_pong_bytes", func(s *knet.LinkStats) uint64 { return s.TxPongBytes }),
		u64("rx_pong_bytes", func(s *knet.LinkStats) uint64 { return s.RxPongBytes }),
		u64("tx_pmtu_packets", func(s *knet.LinkStats) uint64 { return s.TxPMTUPackets }),
		u64("rx_pmtu_packets", func(s *knet.LinkStats) uint64 { return s.RxPMTUPackets }),
		u64("tx_pmtu_bytes", func(s *knet.LinkStats) uint64 { return s.TxPMTUBytes }),
		u64("rx_pmtu_bytes", func(s *knet.LinkStats) uint64 { return s.RxPMTUBytes }),
		u64("tx_total_packets", func(s *knet.LinkStats) uint64 { return s.TxTotalPackets }),
		u64("rx_total_packets", func(s *knet.LinkStats) uint64 { return s.RxTotalPackets }),
		u64("tx_total_bytes", func(s *knet.LinkStats) uint64 { return s.TxTotalBytes }),
		u64("rx_total_bytes", func(s *knet.LinkStats) uint64 { return s.RxTotalBytes }),
		u64("tx_total_errors", func(s *knet.LinkStats) uint64 { return s.TxTotalErrors }),
		u64("rx_total_retries", func(s *knet.LinkStats) uint64 { return s.TxTotalRetries }), // the original's name for it
		u32("tx_pmtu_errors", func(s *knet.LinkStats) uint32 { return s.TxPMTUErrors }),
		u32("tx_pmtu_retries", func(s *knet.LinkStats) uint32 { return s.TxPMTURetries }),
		u32("tx_ping_errors", func(s *knet.LinkStats) uint32 { return s.TxPingErrors }),
		u32("tx_ping_retries", func(s *knet.LinkStats) uint32 { return s.TxPingRetries }),
		u32("tx_pong_errors", func(s *knet.LinkStats) uint32 { return s.TxPongErrors }),
		u32("tx_pong_retries", func(s *knet.LinkStats) uint32 { return s.TxPongRetries }),
		u32("tx_data_errors", func(s *knet.LinkStats) uint32 { return s.TxDataErrors }),
		u32("tx_data_retries", func(s *knet.LinkStats) uint32 { return s.TxDataRetries }),
		u32("latency_min", func(s *knet.LinkStats) uint32 { return s.LatencyMin }),
		u32("latency_max", func(s *knet.LinkStats) uint32 { return s.LatencyMax }),
		u32("latency_ave", func(s *knet.LinkStats) uint32 { return s.LatencyAve }),
		u32("latency_samples", func(s *knet.LinkStats) uint32 { return s.LatencySamples }),
		u32("down_count", func(s *knet.LinkStats) uint32 { return s.DownCount }),
		u32("up_count", func(s *knet.LinkStats) uint32 { return s.UpCount }),
	}
}

// knetHandleFields are the counters of knet as a whole (stats.c:
// cs_knet_handle_stats).
func knetHandleFields() []knetField[knet.Stats] {
	type field = knetField[knet.Stats]
	u64 := func(name string, get func(*knet.Stats) uint64) field {
		return field{name, Uint64, func(s *knet.Stats) Value { return U64(get(s)) }}
	}
	out := []field{
		u64("tx_uncompressed_packets", func(s *knet.Stats) uint64 { return s.TxUncompressedPackets }),
		u64("tx_compressed_packets", func(s *knet.Stats) uint64 { return s.TxCompressedPackets }),
		u64("tx_compressed_original_bytes", func(s *knet.Stats) uint64 { return s.TxCompressedOriginalBytes }),
		u64("tx_compressed_size_bytes", func(s *knet.Stats) uint64 { return s.TxCompressedSizeBytes }),
		u64("rx_compressed_packets", func(s *knet.Stats) uint64 { return s.RxCompressedPackets }),
		u64("rx_compressed_original_bytes", func(s *knet.Stats) uint64 { return s.RxCompressedOriginalBytes }),
		u64("rx_compressed_size_bytes", func(s *knet.Stats) uint64 { return s.RxCompressedSizeBytes }),
		u64("tx_crypt_byte_overhead", func(s *knet.Stats) uint64 { return s.TxCryptByteOverhead }),
		u64("tx_crypt_packets", func(s *knet.Stats) uint64 { return s.TxCryptPackets }),
		u64("rx_crypt_packets", func(s *knet.Stats) uint64 { return s.RxCryptPackets }),
	}
	times := func(name string, t func(*knet.Stats) *knet.Timing) {
		out = append(out,
			u64(name+"_min", func(s *knet.Stats) uint64 { return t(s).Min }),
			u64(name+"_max", func(s *knet.Stats) uint64 { return t(s).Max }),
			u64(name+"_ave", func(s *knet.Stats) uint64 { return t(s).Ave }))
	}
	times("tx_compress_time", func(s *knet.Stats) *knet.Timing { return &s.TxCompressTime })
	times("rx_compress_time", func(s *knet.Stats) *knet.Timing { return &s.RxCompressTime })
	times("tx_crypt_time", func(s *knet.Stats) *knet.Timing { return &s.TxCryptTime })
	times("rx_crypt_time", func(s *knet.Stats) *knet.Timing { return &s.RxCryptTime })
	return out
}

func knetLinkKey(host uint32, link int) string {
	return fmt.Sprintf("stats.knet.node%d.link%d.", host, link)
}

// AddKnet adds the keys of knet as a whole; read fills in the counters.
func (s *Stats) AddKnet(read func(*knet.Stats)) {
	for _, f := range knetHandleFields() {
		s.add("stats.knet.handle."+f.name, f.typ, func() Value {
			var st knet.Stats
			read(&st)
			return f.get(&st)
		})
	}
}

// AddKnetLink adds the keys of a link; read fills in the counters until RemoveKnetLink.
func (s *Stats) AddKnetLink(host uint32, link int, read func(*knet.LinkStatus)) {
	base := knetLinkKey(host, link)
	for _, f := range knetLinkFields() {
		s.add(base+f.name, f.typ, func() Value {
			var st knet.LinkStatus
			read(&st)
			return f.get(&st)
		})
	}
}

// RemoveKnetLink removes the keys of a link.
func (s *Stats) RemoveKnetLink(host uint32, link int) {
	base := knetLinkKey(host, link)
	for _, f := range knetLinkFields() {
		s.remove(base + f.name)
	}
}
