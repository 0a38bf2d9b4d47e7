package main

import (
	"github.com/pacesync/pacesync/cib"
	"github.com/pacesync/pacesync/crmd"
	fenced "github.com/pacesync/pacesync/fencing/daemon"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/attrd"
	"github.com/pacesync/pacesync/internal/bmccmd"
	"github.com/pacesync/pacesync/internal/corosync/daemon"
	"github.com/pacesync/pacesync/internal/demo"
	"github.com/pacesync/pacesync/internal/labcmd"
	"github.com/pacesync/pacesync/internal/pacemakerd"
	"github.com/pacesync/pacesync/internal/schedulerd"
	"github.com/pacesync/pacesync/internal/tools/attrdupdater"
	"github.com/pacesync/pacesync/internal/tools/blackbox"
	"github.com/pacesync/pacesync/internal/tools/cfgtool"
	"github.com/pacesync/pacesync/internal/tools/cibadmin"
	"github.com/pacesync/pacesync/internal/tools/cmapctl"
	"github.com/pacesync/pacesync/internal/tools/cpgtool"
	"github.com/pacesync/pacesync/internal/tools/crmadmin"
	"github.com/pacesync/pacesync/internal/tools/crmattribute"
	"github.com/pacesync/pacesync/internal/tools/crmdiff"
	"github.com/pacesync/pacesync/internal/tools/crmerror"
	"github.com/pacesync/pacesync/internal/tools/crmmon"
	"github.com/pacesync/pacesync/internal/tools/crmnode"
	"github.com/pacesync/pacesync/internal/tools/crmresource"
	"github.com/pacesync/pacesync/internal/tools/crmrule"
	"github.com/pacesync/pacesync/internal/tools/crmscripts"
	"github.com/pacesync/pacesync/internal/tools/crmshadow"
	"github.com/pacesync/pacesync/internal/tools/crmsimulate"
	"github.com/pacesync/pacesync/internal/tools/crmticket"
	"github.com/pacesync/pacesync/internal/tools/crmverify"
	"github.com/pacesync/pacesync/internal/tools/ctsexec"
	"github.com/pacesync/pacesync/internal/tools/ctsfence"
	"github.com/pacesync/pacesync/internal/tools/explaincmd"
	"github.com/pacesync/pacesync/internal/tools/iso8601cmd"
	"github.com/pacesync/pacesync/internal/tools/keygen"
	"github.com/pacesync/pacesync/internal/tools/lintcmd"
	"github.com/pacesync/pacesync/internal/tools/notifyd"
	"github.com/pacesync/pacesync/internal/tools/quorumtool"
	"github.com/pacesync/pacesync/internal/tools/stonithadmin"
	"github.com/pacesync/pacesync/internal/tools/vqsim"
	"github.com/pacesync/pacesync/internal/tools/xmlproc"
	"github.com/pacesync/pacesync/lrmd"
)

// Installation directories of the original packages (Debian 12 and Fedora agree on these).
const (
	sbin    = "/usr/sbin"
	bin     = "/usr/bin"
	libexec = "/usr/lib/pacemaker"
)

// applets returns every program that this binary can be, in the order of the overview.
// A name with a directory is installed as a hard link there; one without is a
// sub-command of pacesync.
func applets() []applet.Applet {
	return []applet.Applet{
		{Name: "corosync", Dir: sbin, Summary: "the cluster communication daemon: ring, groups, quorum", Run: daemon.Run},
		{Name: "corosync-cfgtool", Dir: sbin, Summary: "links, nodes, reload, shutdown of a running corosync", Run: cfgtool.Run},
		{Name: "corosync-cmapctl", Dir: sbin, Summary: "show, change and track the configuration map", Run: cmapctl.Run},
		{Name: "corosync-cpgtool", Dir: sbin, Summary: "show process groups and their members", Run: cpgtool.Run},
		{Name: "corosync-quorumtool", Dir: sbin, Summary: "show, monitor and change quorum and votes", Run: quorumtool.Run},
		{Name: "corosync-blackbox", Dir: bin, Summary: "the last log lines of a running corosync, or of one that crashed", Run: blackbox.Run},
		{Name: "corosync-keygen", Dir: sbin, Summary: "write the key that the nodes of a cluster share", Run: keygen.Run},
		{Name: "corosync-notifyd", Dir: sbin, Summary: "tells of nodes, quorum, programs and links: log, D-Bus signals, SNMP traps", Run: notifyd.Run},
		{Name: "corosync-vqsim", Dir: bin, Summary: "try on simulated nodes what a quorum configuration does", Run: vqsim.Run},
		{Name: "corosync-xmlproc", Dir: bin, Summary: "make a corosync.conf of a corosync.xml", Run: xmlproc.Run},
		{Name: "pacemaker-fenced", Dir: libexec, Summary: "the fencer: devices, levels, the conversation about who fences whom", Run: fenced.Run},
		{Name: "pacemakerd", Dir: sbin, Summary: "starts and supervises Pacemaker's daemons", Run: pacemakerd.Run},
		{Name: "attrd_updater", Dir: sbin, Summary: "show and change node attributes", Run: attrdupdater.Run},
		{Name: "crm_attribute", Dir: sbin, Summary: "show and change cluster options and node attributes", Run: crmattribute.Run},
		{Name: "crm_mon", Dir: sbin, Summary: "the state of the cluster: nodes, resources, failures", Run: crmmon.Run},
		{Name: "crm_diff", Dir: sbin, Summary: "compare two configurations, or apply such a difference", Run: crmdiff.Run},
		{Name: "crm_error", Dir: sbin, Summary: "what the numbers of errors mean", Run: crmerror.Run},
		{Name: "crm_failcount", Dir: sbin, Summary: "how often a resource failed on a node", Run: crmscripts.Failcount},
		{Name: "crm_master", Dir: sbin, Summary: "the promotion score of a resource, for agents", Run: crmscripts.Master},
		{Name: "crm_standby", Dir: sbin, Summary: "whether a node may host resources", Run: crmscripts.Standby},
		{Name: "crm_shadow", Dir: sbin, Summary: "try changes of the configuration on a copy", Run: crmshadow.Run},
		{Name: "crm_ticket", Dir: sbin, Summary: "show and change the tickets of a cluster among several", Run: crmticket.Run},
		{Name: "crm_rule", Dir: sbin, Summary: "tell whether rules are in effect", Run: crmrule.Run},
		{Name: "crm_verify", Dir: sbin, Summary: "check a configuration for errors", Run: crmverify.Run},
		{Name: "crm_resource", Dir: sbin, Summary: "show resources and change how the cluster treats them", Run: crmresource.Run},
		{Name: "crm_simulate", Dir: sbin, Summary: "what the policy engine makes of a CIB, and what it leads to", Run: crmsimulate.Run},
		{Name: "pacemaker-attrd", Dir: libexec, Summary: "keeps node attributes alike on all nodes and in the CIB", Run: attrd.Run},
		{Name: "pacemaker-controld", Dir: libexec, Summary: "coordinates the cluster's response to events", Run: crmd.Run},
		{Name: "pacemaker-execd", Dir: libexec, Summary: "runs resource agents for the controller", Run: lrmd.Run},
		{Name: "cts-exec-helper", Dir: libexec, Summary: "one call of the executor's interface, for regression tests", Run: ctsexec.Run},
		{Name: "cts-fence-helper", Dir: libexec, Summary: "calls of the fencer's interface, for regression tests", Run: ctsfence.Run},
		{Name: "pacemaker-schedulerd", Dir: libexec, Summary: "computes what the cluster has to do", Run: schedulerd.Run},
		{Name: "cibadmin", Dir: sbin, Summary: "read and change the CIB, of the cluster or in a file", Run: cibadmin.Run},
		{Name: "pacemaker-based", Dir: libexec, Summary: "the CIB daemon: configuration and status, the same on every node", Run: cib.Run},
		{Name: "stonith_admin", Dir: sbin, Summary: "fence devices, fencing by hand, its history", Run: stonithadmin.Run},
		{Name: "crm_node", Dir: sbin, Summary: "this node's name and id, the known nodes, quorum", Run: crmnode.Run},
		{Name: "crmadmin", Dir: sbin, Summary: "what the controllers and pacemakerd say of themselves", Run: crmadmin.Run},
		{Name: "iso8601", Dir: sbin, Summary: "show dates, periods and durations", Run: iso8601cmd.Run},
		{Name: "explain", Summary: "why a resource is where it is, why not elsewhere, what would change it: pacesync explain --help", Run: explaincmd.Run},
		{Name: "lint", Summary: "mistakes and suspicious things in a corosync.conf: pacesync lint --help", Run: lintcmd.Run},
		{Name: "links", Summary: "make a hard link for every installed name: pacesync links DIR [--root]", Run: runLinks},
		{Name: "lab", Summary: "a cluster on this machine, its nodes made of namespaces: pacesync lab --help", Run: labcmd.Run},
		{Name: "demo", Summary: "the main job on real parts, measured: pacesync demo --help", Run: demo.Run},
		{Name: "bmc", Summary: "a simulated BMC for trying fence devices: pacesync bmc -h", Run: bmccmd.Run},
	}
}
