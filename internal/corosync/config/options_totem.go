package config

import "github.com/pacesync/pacesync/internal/corosync/cmap"

// u32t is a row for a totem timer or counter that can change at run time.
func u32t(name string, t timer, dflt, doc string) Option {
	return Option{Key: "totem." + name, Type: cmap.Uint32, sec: secTotem, change: live, timer: &t, Default: dflt, Doc: doc}
}

// totemTimers are the volatile totem parameters (totemconfig.c:
// totem_volatile_config_read). Each has a key runtime.config.KEY with its
// effective value.
func totemTimers() []Option {
	return []Option{
		u32t("token_retransmits_before_loss_const", timer{dflt: 4}, "4",
			"How often a token is sent again before it counts as lost. Gives token_retransmit its default."),
		u32t("token", timer{dflt: 3000, add: tokenSurcharge, min: minTimeout, what: "token timeout parameter"}, "3000 ms",
			"Time after which the token counts as lost and the nodes form a new membership. "+
				"With more than two nodes the effective time is token + (nodes - 2) * token_coefficient."),
		u32t("token_warning", timer{dflt: 75, zero: true}, "75 %",
			"Part of the token time, in per cent, after which a late token is logged; 0 turns it off, 100 is the most."),
		u32t("max_network_delay", timer{dflt: 50, min: minTimeout, what: "max_network_delay parameter"}, "50 ms",
			"Worst delay of a packet between two nodes; used with heartbeat_failures_allowed only."),
		u32t("window_size", timer{dflt: 50}, "50", "Messages that may be on their way in one rotation of the token, all nodes together."),
		u32t("max_messages", timer{dflt: 17}, "17", "Messages that one node may send per token."),
		u32t("miss_count_const", timer{dflt: 5}, "5", "Token rotations that a message may be missed before it is asked for again."),
		u32t("knet_pmtud_interval", timer{dflt: 30}, "30 s", "knet: seconds between two searches for the path MTU."),
		u32t("knet_mtu", timer{}, "0 (search)", "knet: fixed packet size instead of the search for the path MTU."),
		u32t("token_retransmit", timer{def: defTokenRetransmit, min: minTimeout, what: "token retransmit timeout parameter"},
			"token / (token_retransmits_before_loss_const + 0.2)",
			"Time after which a token that seems lost is sent again."),
		u32t("hold", timer{def: defHold, min: minHold, what: "token hold timeout parameter"}, "token_retransmit * 0.8 - 10 ms",
			"How long the representative holds the token while the ring is idle."),
		u32t("join", timer{dflt: 50, min: minTimeout, what: "join timeout parameter"}, "50 ms", "Time between two join messages while a membership forms."),
		u32t("consensus", timer{def: defConsensus, min: minTimeout, what: "consensus timeout parameter"}, "1.2 * token",
			"Time to agree on a membership before the attempt starts over. Not less than join."),
		u32t("merge", timer{dflt: 200, min: minTimeout, what: "merge timeout parameter"}, "200 ms", "Time between two searches for other partitions."),
		u32t("downcheck", timer{dflt: 1000, min: minTimeout, what: "downcheck timeout parameter"}, "1000 ms",
			"Time between two looks whether a network interface that was down is back."),
		u32t("fail_recv_const", timer{dflt: 2500}, "2500", "Token rotations without messages that should have come before a node is taken for failed to receive."),
		u32t("seqno_unchanged_const", timer{dflt: 30}, "30", "Token rotations without traffic before the token is held."),
		u32t("send_join", timer{zero: true}, "0 ms", "Upper bound of a random wait before a join message, to spread load in large rings."),
		u32t("heartbeat_failures_allowed", timer{zero: true}, "0 (off)", "Heartbeats that may fail before the token counts as lost; 0 turns heartbeats off."),
		u32t("knet_compression_threshold", timer{zero: true}, "0 (100 bytes)", "knet: smallest packet that is compressed; 1 compresses all."),
		{Key: "totem.knet_compression_level", Type: cmap.Int32, sec: secTotem, timer: &timer{zero: true}, Default: "0",
			Doc: "knet: level of compression; its meaning depends on the model."},
		{Key: "totem.knet_compression_model", Type: cmap.String, sec: secTotem, timer: &timer{}, Default: "none",
			Values: []string{"none", "zlib", "lz4", "lz4hc", "lzo2", "lzma", "bzip2", "zstd"},
			Bad:    "Invalid compression model. Should be zlib, lz4, lz4hc, lzo2, lzma, bzip2 or zstd",
			Doc:    "knet: how packets are compressed. To turn compression off leave the key out: the original's parser refuses the word none, and so does this one."},
		{Key: "totem.block_unlisted_ips", Type: cmap.String, sec: secTotem, timer: &timer{dflt: 1}, Default: "yes", Words: []string{"yes", "no"},
			Doc: "yes: packets from addresses that are not in the nodelist are dropped."},
		{Key: "totem.cancel_token_hold_on_retransmit", Type: cmap.String, sec: secTotem, timer: &timer{}, Default: "no", Words: []string{"yes", "no"},
			Doc: "yes: a message that must be sent again ends the holding of the token."},
	}
}

// word is a row whose words the parser does not check.
func word(o Option, words ...string) Option {
	o.Words = words
	return o
}

// tokenSurcharge is what each node beyond two adds to the token time.
func tokenSurcharge(v *numbers) uint32 {
	if v.members <= 2 {
		return 0
	}
	return uint32(v.members-2) * v.coefficient
}

func defTokenRetransmit(v *numbers) uint32 {
	return truncate(float64(v.get("totem.token")) / (float64(v.get("totem.token_retransmits_before_loss_const")) + 0.2))
}

func defHold(v *numbers) uint32 { return truncate(float64(v.get("totem.token_retransmit"))*0.8 - 10) }

func defConsensus(v *numbers) uint32 {
	return truncate(float64(float32(1.2 * float64(v.get("totem.token")))))
}

func totemOptions() []Option {
	str := func(name string, ch change, dflt, doc string) Option {
		return Option{Key: "totem." + name, Type: cmap.String, sec: secTotem, change: ch, Default: dflt, Doc: doc}
	}
	u32 := func(name string, ch change, dflt, doc string) Option {
		return Option{Key: "totem." + name, Type: cmap.Uint32, sec: secTotem, change: ch, Default: dflt, Doc: doc}
	}
	cipher := str("crypto_cipher", onReload, "none", "knet: encryption of packets. Needs a crypto_hash other than none.")
	cipher.Values = []string{"none", "aes256", "aes192", "aes128"}
	cipher.Bad = "Invalid cipher type. Should be none, aes256, aes192 or aes128"
	hash := str("crypto_hash", onReload, "none", "knet: authentication of packets.")
	hash.Values = []string{"none", "md5", "sha1", "sha256", "sha384", "sha512"}
	hash.Bad = "Invalid hash type. Should be none, md5, sha1, sha256, sha384 or sha512"
	model := str("crypto_model", onReload, "nss", "knet: the original's crypto library. Both values mean the same here.")
	model.Values = []string{"nss", "openssl"}
	model.Bad = "Invalid crypto model. Should be nss or openssl"
	ip := str("ip_version", fixed, "ipv6-4 (udp: ipv4)", "Which addresses a name resolves to; with two families the first one is preferred.")
	ip.Values = []string{"ipv4", "ipv6", "ipv6-4", "ipv4-6"}
	ip.Bad = "Invalid ip_version type"
	version := u32("version", fixed, "required", "Version of the file format. Must be 2.")
	dscp := Option{Key: dscpKey, Type: cmap.Uint8, sec: secTotem, change: fixed, read: readDSCP, Default: "0",
		Doc: "Differentiated services code point of all packets (RFC 2474): 0 to 63, cs0 to cs7, af11 to af43, or ef. 0: what the transport does by itself (knet: low delay). An option of the original since 3.1.10."}
	out := []Option{
		version,
		word(str("transport", fixed, "knet", "How nodes talk: knet, udpu (UDP unicast) or udp (UDP multicast)."), "knet", "udpu", "udp"),
		str("cluster_name", fixed, "none", "Name of the cluster; Pacemaker reads it, udp derives its multicast address from it."),
		{Key: "totem.config_version", Type: cmap.Uint64, sec: secTotem, change: onReload, Default: "0",
			Doc: "Version of this file's contents. A node that joins with a lower version than the others' ends itself; 0 turns that off."},
		u32("token_coefficient", live, "650 ms", "Added to the token time for each node beyond two; 0 is allowed."),
		word(str("secauth", onReload, "off", "on: crypto_cipher aes256 and crypto_hash sha256 unless they are set themselves."), "on", "off"),
		model, cipher, hash, dscp,
		str("keyfile", onReload, "/etc/corosync/authkey", "knet: file with the key, 128 to 4096 bytes."),
		str("key", onReload, "none", "knet: the key itself; used when keyfile is absent."),
		word(str("link_mode", onStart, "passive", "knet: passive (best link only), active (all links at once) or rr (in turn)."), "passive", "active", "rr"),
		ip,
		u32("netmtu", fixed, "1500 (knet: 65536)", "Size of a packet before the protocol's own header of 90 bytes is taken off."),
		word(str("clear_node_high_bit", onStart, "no", "udp, udpu: yes clears the highest bit of node ids made from addresses."), "yes", "no"),
		u32("nodeid", onStart, "none", "Ignored since the nodelist exists; a warning is logged."),
		u32("threads", fixed, "none", "Ignored."),
		str("rrp_mode", fixed, "none", "Ignored."),
	}
	for _, name := range []string{"rrp_token_expired_timeout", "rrp_problem_count_timeout", "rrp_problem_count_threshold",
		"rrp_problem_count_mcast_threshold", "rrp_autorecovery_check_timeout"} {
		out = append(out, u32(name, onStart, "none", "Ignored."))
	}
	return out
}

func interfaceOptions() []Option {
	opt := func(name string, t cmap.Type, ch change, dflt, doc string) Option {
		return Option{Key: "totem.interface.N." + name, Type: t, sec: secInterface, change: ch, Default: dflt, Doc: doc}
	}
	return []Option{
		opt("linknumber", cmap.Uint8, fixed, "0", "The link, 0 to 7, that this interface section is about. It is the N of the other keys and no key itself."),
		opt("bindnetaddr", cmap.String, fixed, "the local node's ringN_addr", "udp without a nodelist: address or network of the local interface."),
		opt("mcastaddr", cmap.String, fixed, "from cluster_name", "udp: multicast address."),
		word(opt("broadcast", cmap.String, fixed, "no", "udp: yes sends to 255.255.255.255 instead of a multicast address."), "yes", "no"),
		opt("mcastport", cmap.Uint16, fixed, "5405 + N", "UDP port of the link, for every transport."),
		opt("ttl", cmap.Uint8, fixed, "1", "udp: hops that multicast packets may take."),
		opt("knet_link_priority", cmap.Uint8, onReload, "1", "knet, link_mode passive: the connected link with the highest priority is used."),
		opt("knet_ping_interval", cmap.Uint32, onReload, "token / (knet_pong_count * 2)", "knet: ms between two pings of a link."),
		opt("knet_ping_timeout", cmap.Uint32, onReload, "token / knet_pong_count", "knet: ms without an answer after which a link is down."),
		opt("knet_ping_precision", cmap.Uint32, onReload, "2048", "knet: how many values of the latency are averaged."),
		opt("knet_pong_count", cmap.Uint32, onReload, "2", "knet: answers needed before a link is up."),
		word(opt("knet_transport", cmap.String, onStart, "udp", "knet: protocol of the link, udp or sctp."), "udp", "sctp"),
		opt("member.M", cmap.String, onStart, "none", "Old form of a nodelist: member { memberaddr: ADDRESS }. A warning asks to use nodelist."),
	}
}

func nodelistOptions() []Option {
	opt := func(name string, t cmap.Type, dflt, doc string) Option {
		return Option{Key: "nodelist.node.N." + name, Type: t, sec: secNode, change: onReload, Default: dflt, Doc: doc}
	}
	return []Option{
		opt("ringX_addr", cmap.String, "required", "Address or name of the node on link X, 0 to 7. A reload adds and removes nodes and links; it cannot change an address."),
		opt("nodeid", cmap.Uint32, "required (udp, udpu: from the IPv4 address)", "Number of the node, unique, not 0; knet: below 65536."),
		opt("name", cmap.String, "ring0_addr", "Name of the node; needed with more than one link. The local node is the one whose name is the host name, see \"Which node am I\"."),
		opt("quorum_votes", cmap.Uint32, "1", "Votes of the node."),
	}
}
