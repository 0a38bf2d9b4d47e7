package main

import (
	"regexp"
	"slices"
	"strings"
)

// share is one part of the end-to-end tests in full count. Together they hold
// every test below test/, each once, and none takes an hour (TestShares).
type share struct {
	part, title string
	packages    []string // below test/
	run, skip   string   // patterns of go test for the names of tests; empty: all, none
}

// Daemons are tested in test/pcmk, one part each; what belongs to none of them is
// pcmk-tools, so a new test is never left out.
const (
	cibTests     = "^Test(CIB|Attrd$)"
	controlTests = "^Test(Controld|Pacemakerd|Schedulerd|Transitions)"
	killTests    = "^TestDaemonKills"
	clusterTests = "^Test(MixedCluster|Story|Takeover)"
	execTests    = "^TestExecutor"
	fenceTests   = "^TestFenced"
	wrongTests   = "^Test(Mistakes|DamagedCIB|Liar|Troubleshooting|DialHelper|Daily)"
	offlineTests = "Offline$"
)

const restartTests = "^TestRingsRestarts$"

// Rings over knet: every configuration; what breaks nothing; links and MTUs that
// change. The rest, what goes wrong at the start and comes from strangers, is a part
// of its own.
const (
	knetOrder = "^TestKnetOrder$"
	knetTests = "^TestKnet(Small|Rekey|LinksAtReload|Stranger|ShortKey|PcsConf|Tools)$"
	knetLinks = "^TestKnet(Policies|LinkDefaults|Flapping|LinkMTU|Ifdown|IfdownOneOfTwo)$"
)

// shares is that list.
func shares() []share {
	named := strings.Join([]string{cibTests, controlTests, killTests, clusterTests, execTests, fenceTests, wrongTests, offlineTests}, "|")
	pcmk := []string{"pcmk"}
	return []share{
		{part: "mixed", title: "mixed rings, 10,000 messages", packages: []string{"e2e"}, run: "^TestMixed"},
		{part: "rings", title: "rings of every mixture over udpu and udp: their life, reloads", packages: []string{"e2e"}, run: "^TestRings", skip: restartTests},
		{part: "vote-rings", title: "votequorum on real rings, random scripts", packages: []string{"e2e"}, run: "^TestVoteScripts$"},
		{part: "restarts", title: "one node of a ring restarts 200 times", packages: []string{"e2e"}, run: restartTests},
		{part: "knet", title: "rings over knet: changes of key, reloads, strangers, pcs, tools", packages: []string{"e2e"}, run: knetTests},
		{part: "knet-order", title: "rings over knet: each encryption and compression", packages: []string{"e2e"}, run: knetOrder},
		{part: "knet-links", title: "rings over knet: links and MTUs that change", packages: []string{"e2e"}, run: knetLinks},
		{part: "knet-faults", title: "rings over knet: start, wrap, hostile packets; our knet and libknet", packages: []string{"e2e", "knet"}, run: "^TestKnet", skip: strings.Join([]string{knetOrder, knetTests, knetLinks}, "|")},
		{part: "hogs", title: "10 minutes under load", packages: []string{"e2e"}, run: "^TestHogs"},
		{part: "ring", title: "corosync: daemon, tools, libraries, lab, IPMI", packages: []string{"e2e", "ipc", "clients", "tools", "ipmi"}, skip: "^Test(Mixed|Rings|VoteScripts|Knet|Hogs)"},
		{part: "clients", title: "unchanged clients: libraries, quorum device, dlm, pcs, crm", packages: []string{"unchanged"}},
		{part: "files", title: "CIB, schemas and patches beside the original's tools", packages: []string{"cib", "schema"}},
		{part: "packages", title: "packages, systemd, the executor's own suite", packages: []string{"nspawn"}},
		{part: "pcmk-cib", title: "CIB manager and attribute manager", packages: pcmk, run: cibTests},
		{part: "pcmk-control", title: "controller, scheduler daemon, pacemakerd", packages: pcmk, run: controlTests},
		{part: "pcmk-kills", title: "daemons killed", packages: pcmk, run: killTests},
		{part: "pcmk-cluster", title: "whole clusters: the story, both Pacemakers, one after the other", packages: pcmk, run: clusterTests},
		{part: "pcmk-exec", title: "executor", packages: pcmk, run: execTests},
		{part: "pcmk-fence", title: "fencer", packages: pcmk, run: fenceTests},
		{part: "pcmk-wrong", title: "what users do wrong, what strangers may, what pcs and crm do", packages: pcmk, run: wrongTests},
		{part: "tools", title: "tools on files, all CIBs", packages: pcmk, run: offlineTests},
		{part: "pcmk-tools", title: "tools on clusters", packages: pcmk, skip: named},
	}
}

// has says whether a test belongs to the part.
func (s share) has(pkg, test string) bool {
	return slices.Contains(s.packages, pkg) &&
		(s.run == "" || regexp.MustCompile(s.run).MatchString(test)) &&
		(s.skip == "" || !regexp.MustCompile(s.skip).MatchString(test))
}

// step is the part as a command.
func (s share) step() step {
	args := []string{"-count=1", "-p=1", "-v", "-timeout=60m"}
	if s.run != "" {
		args = append(args, "-run="+s.run)
	}
	if s.skip != "" {
		args = append(args, "-skip="+s.skip)
	}
	for _, p := range s.packages {
		args = append(args, "./test/"+p)
	}
	return goTest(s.title, []string{"E2E=1", "E2E_LONG=1"}, args...)
}
