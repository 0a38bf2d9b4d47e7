package pcmk

import (
	"strings"

	"github.com/pacesync/pacesync/internal/lab"
)

// wrongCIB is a shell line that gives cibadmin or crm_verify the running
// configuration with one thing changed by sed.
func wrongCIB(sed, tool string) string {
	return `cibadmin -Q | sed '` + sed + `' >/run/wrong.xml; ` + tool
}

const (
	replaceWrong = `cibadmin --replace --xml-file /run/wrong.xml`
	verifyWrong  = `crm_verify -V --xml-file /run/wrong.xml`
	noSchema     = "Update does not conform to the configured schema"
)

func cibMistakes() []mistake {
	fix := "Nothing was changed. Correct the place that the message names; `crm_verify -V --xml-file FILE` checks a file before it is loaded."
	return []mistake{
		{
			title: "The file is no XML", short: true, prep: "echo hello >/run/wrong.xml", cmd: replaceWrong,
			code: 78, says: "Couldn't parse input from /run/wrong.xml",
			means: "The file is empty, cut off or no XML; the line above says where reading stopped.", todo: fix,
		},
		{
			title: "The file does not exist", cmd: "cibadmin --replace --xml-file /run/nosuch.xml",
			code: 78, says: "no such file or directory", debian: map[string]string{"says": "Couldn't parse input from /run/nosuch.xml"},
			means: "The name is wrong, or the file cannot be read by this user.", todo: "Check the name and the rights of the file.",
		},
		{
			title: "An element or attribute that the schema does not know", short: true, prep: wrongCIB("s|</resources>|<bogus/></resources>|", ":"), cmd: replaceWrong,
			code: 78, says: "<bogus> is not allowed in <resources>", debian: map[string]string{"says": noSchema},
			means: "The configuration would not fit its schema (validate-with). Each fault has a line of its own; below them: " + noSchema + ".", todo: fix,
		},
		{
			title: "The same, found by crm_verify", prep: wrongCIB("s|</resources>|<bogus/></resources>|", ":"), cmd: verifyWrong,
			code: 78, says: "<bogus> is not allowed in <resources>", debian: map[string]string{"says": "element bogus: Relax-NG validity error"},
			means: "As above; crm_verify names file and line.", todo: "Correct the file.",
		},
		{
			title: "A constraint on a resource that does not exist", short: true, cmd: `cibadmin --create --scope constraints --xml-text '<rsc_location id="l" rsc="nosuch" node="n1" score="5"/>'`,
			code: 78, says: `rsc="nosuch": nothing has this id`, debian: map[string]string{"says": noSchema},
			means: "The id is misspelt, or what it names is created later.", todo: "Create what is referred to first, or in the same change.",
		},
		{
			title: "A template or a set of attributes that does not exist", cmd: `cibadmin --create --scope resources --xml-text '<primitive id="t" template="nosuch"/>'`,
			code: 78, says: `template="nosuch": nothing has this id`, debian: map[string]string{"says": noSchema},
			means: "As above, for template and id-ref.", todo: "Create the template first.",
		},
		{
			title: "An id that is there already", cmd: `cibadmin --create --scope resources --xml-text '<primitive id="good" class="ocf" provider="pacemaker" type="Dummy"/>'`,
			code: 108, says: "File exists",
			means: "--create does not change what exists.", todo: "Use --modify, or another id.",
		},
		{
			title: "The same id twice", prep: wrongCIB(`s|<primitive id="good".*/>|&&|`, ":"), cmd: replaceWrong,
			code: 78, says: `id="good" is already the id of <primitive>`, debian: map[string]string{"says": noSchema},
			means: "Ids are unique in the whole configuration, across all kinds of elements.", todo: "Give one of the two another id.",
		},
		{
			title: "A schema that this version does not know", prep: wrongCIB("s|validate-with=\"[^\"]*\"|validate-with=\"pacemaker-99.1\"|", ":"), cmd: replaceWrong,
			code: 78, says: `validate-with="pacemaker-99.1" is not a known schema`, debian: map[string]string{"says": noSchema},
			means: "The file comes from a newer version, or the name is misspelt.", todo: "Use a schema that is listed in the message, or update the cluster first.",
		},
		{
			title: "An older configuration than the one in use", short: true, prep: wrongCIB(`s| epoch="[^"]*"| epoch="0"|`, ":"), cmd: replaceWrong,
			code: 103, says: "Update was older than existing configuration",
			means: "admin_epoch, epoch and num_updates of the file are lower than those of the cluster: somebody has changed the configuration since the file was saved.",
			todo:  "Take a new copy (`cibadmin --query`) and make the change there. To go back on purpose, raise admin_epoch in the file.",
		},
	}
}

// wrongFiles are the agents that misbehave.
func wrongFiles() []lab.File {
	files := []lab.File{{Path: "/usr/sbin/fence_never", Mode: 0o755, Content: neverAgent}}
	for _, kind := range []string{"badmeta", "strange", "hang", "notconf", "noexec"} {
		mode := lab.File{Path: "/usr/lib/ocf/resource.d/test/" + kind, Mode: 0o755, Content: wrongAgent}
		if kind == "noexec" {
			mode.Mode = 0o644
		}
		files = append(files, mode)
	}
	return files
}

// wrongAgent misbehaves as its name says.
const wrongAgent = `#!/bin/bash
up=/run/wrong-$OCF_RESOURCE_INSTANCE kind=${0##*/}
case $1 in
meta-data)
	[ $kind = badmeta ] && echo "this is <no XML" && exit 0
	echo '<resource-agent name="'$kind'" version="1"><version>1.1</version><parameters/><actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/>'
	echo '<action name="monitor" timeout="20s" interval="10s"/><action name="meta-data" timeout="5s"/></actions></resource-agent>';;
start)
	case $kind in
	strange) exit 77;;
	hang) sleep 100;;
	notconf) echo "ocf-exit-reason:parameter directory is not set" >&2; exit 6;;
	esac
	touch $up;;
stop) rm -f $up;;
monitor) [ -e $up ] || exit 7;;
*) exit 3;;
esac
exit 0
`

// failedOp is a resource of that kind, and how crm_mon shows its failure. What
// cannot be stopped is left alone: the only node would be fenced for it.
func failedOp(m mistake, id, class, kind, shown string) mistake {
	provider := ""
	if class == "ocf" {
		provider = ` provider="test"`
	}
	m.cib = `<primitive id="` + id + `" class="` + class + `"` + provider + ` type="` + kind + `"><operations><op id="` + id + `-s" name="start" interval="0" timeout="3s"/><op id="` + id + `-t" name="stop" interval="0" timeout="3s" on-fail="block"/></operations></primitive>`
	if shown != "" {
		m.mon = id + " " + shown
	}
	return m
}

func agentMistakes() []mistake {
	again := "then `crm_resource --cleanup -r ID`: the cluster tries again."
	return []mistake{
		failedOp(mistake{
			title: "An OCF agent that is not installed", short: true, cmd: "crm_mon -1 -r -o", says: "noocf	(ocf:test:nothere):	 Stopped (not installed)",
			xml: `rc="5" rc_text="not installed"`, log: "Result of probe operation for noocf on n1: Not installed (",
			means: "There is no file /usr/lib/ocf/resource.d/PROVIDER/TYPE on that node: a package is missing, or provider and type are misspelt.",
			todo:  "Install the package on every node that may run the resource (`crm_resource --list-agents ocf:PROVIDER` lists what there is), " + again,
		}, "noocf", "ocf", "nothere", ""),
		failedOp(mistake{
			title: "An LSB script that is not there", cmd: "crm_mon -1 -r -o", says: "nolsb	(lsb:nothere):	 Stopped (not installed)",
			xml: `rc="5" rc_text="not installed"`, log: "Result of probe operation for nolsb on n1: Not installed (",
			means: "There is no /etc/init.d/TYPE.", todo: "Install it, or use the class systemd or service; " + again,
		}, "nolsb", "lsb", "nothere", ""),
		failedOp(mistake{
			title: "A systemd unit on a node without systemd", xml: `op_key="nounit_stop_0" node="n1" exitstatus="error" exitreason="No DBus connection"`,
			log:   "Result of stop operation for nounit on n1: Error (No DBus connection)",
			means: "Nobody answers on the system's D-Bus.", todo: "Start systemd's D-Bus (`systemctl status dbus`), " + again,
		}, "nounit", "systemd", "nothere", "stop on n1 could not be executed (Error: No DBus connection)"),
		failedOp(mistake{
			title: "An agent that is not executable", xml: `op_key="noexec_stop_0" node="n1" exitstatus="insufficient privileges"`,
			log:   "Result of stop operation for noexec on n1: insufficient privileges",
			means: "The file is there, but may not be executed. Since the cluster can neither ask nor stop it, the node is fenced, unless the operation stop has on-fail=block as here.", todo: "`chmod 755` it on that node; " + again,
		}, "noexec", "ocf", "noexec", "stop on n1 returned 'insufficient privileges' (Child process was unable to execute file)"),
		{
			title: "An agent that describes itself in broken XML",
			cib:   `<primitive id="badmeta" class="ocf" provider="test" type="badmeta"/>`, cmd: "crm_resource -W -r badmeta", says: "is running on: n1", log: "badmeta",
			means: "The resource runs, but the cluster does not know which of its parameters can be changed without a restart.",
			todo:  "Mend what `AGENT meta-data` prints.",
		},
		failedOp(mistake{
			title: "An agent that ends with a status that nobody knows", short: true, xml: `op_key="strange_start_0"`, log: "Result of start operation for strange on n1: error",
			means: "OCF agents end with 0 to 9, 190 or 191; anything else is a failure of the agent.", todo: "Run the agent by hand (`crm_resource --force-start -r ID -V`), mend it, " + again,
		}, "strange", "ocf", "strange", "start on n1 returned 'error'"),
		failedOp(mistake{
			title: "An agent that hangs", short: true, xml: `exitreason="Resource agent did not complete within 3s"`, log: "Result of start operation for hang on n1: Timed Out",
			means: "The operation took longer than its timeout; the agent and what it had started were killed.",
			todo:  "Find out what it waits for (`crm_resource --force-start -r ID -V`); if it only is slow, raise the timeout of the operation; " + again,
		}, "hang", "ocf", "hang", "start on n1 could not be executed (Timed Out: Resource agent did not complete within 3s)"),
		failedOp(mistake{
			title: "A parameter that is missing or wrong", short: true, xml: `exitreason="parameter directory is not set"`, log: "Unexpected result (not configured: parameter directory is not set) was recorded for start of notconf on n1",
			means: "The agent refuses its parameters, and says why. This status holds for all nodes: the resource is not tried elsewhere.",
			todo:  "Set the parameter (`crm_resource -r ID -p NAME -v VALUE`), " + again,
		}, "notconf", "ocf", "notconf", "start on n1 returned 'not configured' (parameter directory is not set)"),
	}
}

// wrongDevice is a fence device for a machine that no other device knows.
func wrongDevice(id, agent string, params ...string) string {
	xml := fenceDevice(id, agent, "x-"+id, params...)
	return strings.Replace(xml, `<operations>`, `<operations><op id="`+id+`-s" name="start" interval="0" timeout="4s"/>`, 1)
}

func fenceMistakes() []mistake {
	ipmi := func(id string, params ...string) string {
		return wrongDevice(id, "fence_ipmilan", append([]string{"username", "USER", "lanplus", "1"}, params...)...)
	}
	return []mistake{
		{
			title: "A fence agent that is not installed", cib: wrongDevice("noagent", "fence_nothere"),
			mon: "noagent start on n1 could not be executed (Not installed: /usr/sbin/fence_nothere: No such file or directory)",
			xml: `op_key="noagent_start_0"`, log: "fence_nothere",
			means: "There is no program of that name in /usr/sbin on the node.", todo: "Install the package (`stonith_admin --list-installed` lists what there is), then `crm_resource --cleanup -r ID`.",
		},
		{
			title: "The wrong password of a BMC", short: true, cib: ipmi("badpass", "ip", "BMC", "password", "wrong"),
			mon: `wrong password (of user "admin"; or the BMC hides that it does not know the user)`, xml: `op_key="badpass_start_0"`,
			log: "wrong password (of user", debian: map[string]string{"mon": "badpass start on n1 returned 'error'", "log": "badpass"},
			means: "The BMC refuses user or password: this node could not be fenced by it.",
			todo:  "Try it by hand (`ipmitool -I lanplus -H IP -U USER -P PASSWORD chassis status`), set the parameter password, then `crm_resource --cleanup -r ID`. Many BMCs lock a user after a few failed attempts.",
		},
		{
			title: "A BMC where nobody answers", short: true, cib: ipmi("nobody", "ip", "NOBODY", "password", "PASSWORD"),
			mon: ":623: no answer: check address, port, network and that IPMI over LAN is enabled", xml: `op_key="nobody_start_0"`,
			log: ":623: no answer", debian: map[string]string{"mon": "nobody start on n1 could not be executed (Timed Out: Fence agent did not complete within 4s)", "log": "nobody"},
			means: "Wrong address, cable, VLAN or firewall, or the BMC has hung up.", todo: "`ping` it from every node; reset the BMC (`ipmitool mc reset cold` on its own machine).",
		},
		{
			title: "A BMC whose port is closed", cib: ipmi("closed", "ip", "BMC", "ipport", "624", "password", "PASSWORD"),
			mon: "read: connection refused", xml: `op_key="closed_start_0"`,
			log: "connection refused", debian: map[string]string{"mon": "closed start on n1 could not be executed (Timed Out: Fence agent did not complete within 4s)", "log": "closed"},
			means: "The address is right, but no IPMI over LAN is there: it is switched off in the BMC, or ipport is wrong (623).", todo: "Enable IPMI over LAN in the BMC.",
		},
		{
			title: "Fencing that no device can do", short: true, cmd: "stonith_admin --fence nosuch --timeout 5",
			code: 105, says: "Couldn't fence nosuch: No such device", mon: "turning off of nosuch for stonith_admin", xml: `action="off" target="nosuch"`, log: "nosuch",
			means: "No running device has this node in its list (pcmk_host_list, pcmk_host_map, or what the device itself lists).",
			todo:  "`stonith_admin --list NODE` shows the devices for a node; correct pcmk_host_list or pcmk_host_map.",
		},
		{
			title: "Fencing that fails", short: true, cib: wrongDevice("never", "fence_never"), cmd: "stonith_admin --fence x-never --timeout 10",
			code: 1, says: "Couldn't fence x-never: No data available", mon: "turning off of x-never by n1 for stonith_admin", xml: `target="x-never"`, log: "out of order",
			means: "The device answers, but does not do it. As long as a lost node is not fenced, nothing of it is started elsewhere.",
			todo:  "Mend the device. If you have switched the node off yourself, and only then: `stonith_admin --confirm NODE`.",
		},
	}
}

const fillCIB = `dd if=/dev/zero of=` + cibDir + `/fill bs=1k 2>/dev/null; true`

func diskMistakes() []mistake {
	return []mistake{
		{
			title: "The disk of the CIB is full", prep: fillCIB, cmd: "crm_attribute -n kept -v 1", log: "Could not write CIB to disk",
			undo: "rm " + cibDir + "/fill", healed: "grep -q 'name=\"kept\"' " + cibDir + "/cib.xml",
			debian: map[string]string{"log": "Disabling CIB disk writes after failure", "healed": "-"},
			means:  "The change is in effect on all nodes and on their disks, but not on this one's disk, where the version before it is still whole.",
			todo:   "Make room in /var/lib/pacemaker/cib. It is written within half a minute, or with the next change.",
		},
		{
			title: "The disk of the log is full", prep: "dd if=/dev/zero of=/var/log/pacemaker/fill bs=1k 2>/dev/null; true",
			cmd: "for i in 1 2 3 4 5 6 7 8; do crm_attribute -n nolog -v $i; done", undo: "rm /var/log/pacemaker/fill",
			healed: "crm_attribute -n nolog -v healed && grep -q 'log lines were lost: .*no space left on device' " + wrongLog, debian: map[string]string{"healed": "-"},
			means: "The cluster goes on; lines are missing in the log, and it says how many once there is room.", todo: "Make room in /var/log.",
		},
		{
			title: "/dev/shm is full", prep: "mount -o remount,size=$(($(df --output=used -k /dev/shm | tail -n 1)+16))k /dev/shm", cmd: "cibadmin --query >/dev/null",
			code: 102, says: "Could not connect to the CIB", log: "of 528384 bytes: no space left on device", debian: map[string]string{"log": "/dev/shm"}, undo: "mount -o remount,size=64m /dev/shm", healed: "cibadmin --query >/dev/null",
			means: "Tools talk to the daemons by rings in /dev/shm. Who is connected goes on; new connections fail.", todo: "Remove what others left in /dev/shm (`ls -l /dev/shm`), or mount it larger.",
		},
	}
}

func damageMistakes() []mistake {
	means := "The file was changed or damaged while the cluster was down. It was set aside under the name that the log tells, and the newest good version of the archive is used."
	todo := "Compare both, and make the change that you meant with cibadmin. Never edit cib.xml itself."
	aside := "ls " + cibDir + "/cib.auto.* && crm_resource -W -r good | grep -q 'on: n1'"
	return []mistake{
		{
			title: "cib.xml was edited by hand", stop: true, prep: "sed -i 's/Dummy/Dumny/' " + cibDir + "/cib.xml", cmd: "crm_resource -q -r good | grep -c Dumny",
			code: 1, says: "0", log: "Continuing with last valid configuration archive", healed: aside, means: means, todo: todo,
		},
		{
			title: "cib.xml is cut off", stop: true, prep: "rm -f " + cibDir + "/cib.auto.*; truncate -s 300 " + cibDir + "/cib.xml", log: "cib.xml", healed: aside,
			means: means, todo: todo,
		},
		{
			title: "cib.xml is empty", stop: true, prep: "rm -f " + cibDir + "/cib.auto.*; : >" + cibDir + "/cib.xml", log: "cib.xml", healed: aside,
			means: means, todo: todo,
		},
	}
}
