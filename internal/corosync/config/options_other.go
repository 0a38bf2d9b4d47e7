package config

import "github.com/pacesync/pacesync/internal/corosync/cmap"

func quorumOptions() []Option {
	opt := func(name string, t cmap.Type, ch change, dflt, doc string) Option {
		return Option{Key: "quorum." + name, Type: t, sec: secQuorum, change: ch, Default: dflt, Doc: doc}
	}
	dev := func(name string, t cmap.Type, dflt, doc string) Option {
		return Option{Key: "quorum.device." + name, Type: t, sec: secDevice, change: onReload, Default: dflt, Doc: doc}
	}
	return []Option{
		word(opt("provider", cmap.String, fixed, "none", "corosync_votequorum, or unset: then the cluster is always quorate."), "corosync_votequorum"),
		opt("expected_votes", cmap.Uint32, onReload, "sum of the nodelist", "Votes of the whole cluster."),
		opt("votes", cmap.Uint32, onReload, "1", "Votes of the local node, without a nodelist."),
		opt("two_node", cmap.Uint8, onReload, "0", "Not 0: two nodes, of which one alone is quorate. Turns wait_for_all on unless that is set."),
		opt("wait_for_all", cmap.Uint8, onStart, "0", "Not 0: the cluster is quorate for the first time only when all nodes are there."),
		opt("last_man_standing", cmap.Uint8, onStart, "0", "Not 0: after last_man_standing_window the expected votes follow the nodes that are left."),
		opt("last_man_standing_window", cmap.Uint32, onStart, "10000 ms", "See last_man_standing."),
		opt("auto_tie_breaker", cmap.Uint8, onStart, "0", "Not 0: exactly half of the votes is enough for the half with auto_tie_breaker_node."),
		opt("auto_tie_breaker_node", cmap.String, onStart, "lowest", "lowest, highest, or a list of node ids."),
		opt("allow_downscale", cmap.Uint8, onStart, "0", "Not 0: a node that leaves cleanly takes its votes from the expected ones."),
		opt("expected_votes_tracking", cmap.Uint8, onStart, "0", "Not 0: the highest expected votes seen are kept over restarts."),
		opt("leaving_timeout", cmap.Uint32, onStart, "10000 ms", "Ignored."),
		dev("model", cmap.String, "none", "Kind of the quorum device (net); corosync-qdevice reads the rest of the section."),
		dev("timeout", cmap.Uint32, "10000 ms", "Time after which a quorum device that does not call is dead."),
		dev("sync_timeout", cmap.Uint32, "30000 ms", "The same while a membership change is in work."),
		dev("votes", cmap.Uint32, "nodes - 1", "Votes of the device."),
		dev("master_wins", cmap.Uint8, "0", "Not 0: the partition whose node the device prefers is quorate."),
	}
}

func loggingOptions() []Option {
	var out []Option
	opt := func(name, dflt, doc string) {
		out = append(out, logWords(Option{Key: "logging." + name, Type: cmap.String, sec: secLogging, change: live, Default: dflt, Doc: doc}, name))
	}
	opt("to_stderr", "yes", "Log to standard error; yes, on, no or off, as for the other two.")
	opt("to_syslog", "yes", "Log to syslog.")
	opt("to_logfile", "no", "Log to the file of logfile.")
	opt("logfile", "none", "Path of the log file.")
	opt("logfile_priority", "info", "Least important lines that go to the file and to standard error: alert, crit, debug, emerg, err, info, notice, warning.")
	opt("syslog_facility", "daemon", "Facility in syslog.")
	opt("syslog_priority", "info", "Least important lines that go to syslog.")
	opt("debug", "off", "on: debug lines too; trace: even more; off.")
	opt("timestamp", "hires", "hires: with milliseconds; on: seconds; off: none.")
	opt("fileline", "off", "on: lines name the file and line of the source, after the subsystem.")
	opt("function_name", "off", "on: lines name the function.")
	opt("blackbox", "on", "on: the last lines of all levels are kept in memory, for corosync-blackbox and crashes; off.")
	opt("to_file", "no", "Old name of to_logfile; a warning is logged.")
	opt("syslog_level", "info", "Old name of syslog_priority; a warning is logged.")
	for _, name := range []string{"subsys", "debug", "to_stderr", "to_syslog", "to_logfile", "logfile", "logfile_priority", "syslog_facility", "syslog_priority",
		"to_file", "syslog_level"} {
		doc := "The same for one subsystem."
		if name == "subsys" {
			doc = "Name of the subsystem as it stands in brackets in log lines: MAIN, TOTEM, QB, CPG, CFG, CMAP, QUORUM, VOTEQ, SERV, SYNC, KNET, …"
		}
		o := Option{Key: "logging.logger_subsys.NAME." + name, Type: cmap.String, sec: secLoggerSubsys, change: live, Default: "as in logging", Doc: doc}
		out = append(out, logWords(o, name))
	}
	return out
}

// logWords adds the words of a logging option.
func logWords(o Option, name string) Option {
	switch name {
	case "to_stderr", "to_syslog", "to_logfile", "to_file":
		return word(o, "yes", "no", "on", "off")
	case "debug":
		return word(o, "on", "off", "trace")
	case "timestamp":
		return word(o, "on", "off", "hires")
	case "fileline", "function_name", "blackbox":
		return word(o, "on", "off")
	case "syslog_facility":
		return word(o, facilities()...)
	case "logfile_priority", "syslog_priority", "syslog_level":
		o.anyCase = true
		return word(o, "emerg", "alert", "crit", "err", "error", "warning", "notice", "info", "debug")
	}
	return o
}

func systemOptions() []Option {
	opt := func(name string, ch change, values []string, bad, dflt, doc string) Option {
		return Option{Key: "system." + name, Type: cmap.String, sec: secSystem, change: ch, Values: values, Bad: bad, Default: dflt, Doc: doc}
	}
	yesno := []string{"yes", "no"}
	return []Option{
		opt("qb_ipc_type", fixed, []string{"native", "shm", "socket"}, "Invalid system.qb_ipc_type", "native (shm)", "How libraries talk to the daemon."),
		opt("sched_rr", fixed, yesno, "Invalid system.sched_rr value", "yes", "yes: run with real-time priority (SCHED_RR)."),
		opt("priority", fixed, nil, "", "none", "max, min or a nice value; used when sched_rr is no or could not be had."),
		opt("move_to_root_cgroup", fixed, []string{"yes", "no", "auto"}, "Invalid system.move_to_root_cgroup", "auto", "Whether the daemon moves itself into the root cgroup, where real-time priority may be had; auto: when it could not be had otherwise."),
		opt("allow_knet_handle_fallback", fixed, yesno, "Invalid system.allow_knet_handle_fallback", "no", "knet: whether an unprivileged knet handle will do."),
		opt("state_dir", fixed, nil, "", "/var/lib/corosync", "Directory of the ring ids and other state; it must exist."),
	}
}

func nozzleOptions() []Option {
	opt := func(name, dflt, doc string) Option {
		return Option{Key: "nozzle." + name, Type: cmap.String, sec: secNozzle, change: onReload, Default: dflt, Doc: doc}
	}
	return []Option{
		opt("name", "none", "knet: name of a virtual Ethernet interface to other nodes, made when it is given. Scripts updown.d/{pre-up.d,up.d,down.d,post-down.d}/NAME beside corosync.conf run when it goes up and down."),
		opt("ipaddr", "required", "Its address: IPv4, whose last bits become the node id, or IPv6 that ends in ::, where the node id follows."),
		opt("ipprefix", "required", "Length of its network, 8 to 30 (IPv6: 64)."),
		opt("macaddr", "54:54:01:00:00:00", "Its hardware address, whose last two bytes become the node id."),
	}
}

func otherOptions() []Option {
	return []Option{
		{Key: "uidgid.config.uid.N", Type: cmap.Uint8, sec: secUIDGID, change: onReload, Default: "none",
			Doc: "uidgid { uid: NAME or NUMBER }: this user may use the libraries. Also in files under uidgid.d beside corosync.conf."},
		{Key: "uidgid.config.gid.N", Type: cmap.Uint8, sec: secUIDGID, change: onReload, Default: "none", Doc: "The same for a group."},
		{Key: "resources.watchdog_timeout", Type: cmap.Uint32, sec: secResources, change: onReload, Default: "6 s", Doc: "Time-out of the watchdog device, 2 to 120 s."},
		{Key: "resources.watchdog_device", Type: cmap.String, sec: secResources, change: onStart, Default: "off", Doc: "Path of the watchdog device; it resets the machine when corosync hangs, dies, or finds a resource failed."},
		{Key: "resources.system.NAME.poll_period", Type: cmap.Uint64, sec: secResourcesSystem, change: onReload, Default: "3000 ms", Doc: "How often memory_used or load_15min is read."},
		{Key: "resources.process.NAME.poll_period", Type: cmap.Uint64, sec: secResourcesProcess, change: onReload, Default: "3000 ms", Doc: "How often a process is looked at."},
		{Key: "cfg.shutdown_timeout", Type: cmap.Uint32, sec: secCmap, change: live, Default: "5000 ms", Doc: "Set in cmap, not in the file: how long clients may take to agree to a shutdown."},
	}
}
