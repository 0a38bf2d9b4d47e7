package crmscripts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/tools/crmresource"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const failcountUsage = `Usage: crm_failcount <command> [<options>]
Common options:
 --help                 Display this text, then exit
 --version              Display version information, then exit
 -V, --verbose          Specify multiple times to increase debug output
 -q, --quiet            Print only the value (if querying)

Commands:
 -G, --query            Query the current value of the resource's fail count
 -D, --delete           Delete resource's recorded failures

Additional Options:
 -r, --resource=value   Name of the resource to use (required)
 -n, --operation=value  Name of operation to use (instead of all operations)
 -I, --interval=value   If operation is specified, its interval
 -N, --node=value       Use failcount on named node (instead of local node)`

// infinity is what counts as the largest score.
const infinity = 1000000

// failcount is one run.
type failcount struct {
	*script
	quiet, verbose   []string
	command          byte
	resource, target string
	operation        string
	interval         string
	intervalMS       int64
}

// Failcount is the program crm_failcount: how often a resource failed on a node.
func Failcount(e *applet.Env) int {
	f := &failcount{script: &script{env: e, usage: failcountUsage, wrong: int(pcmk.ExitUsage)}, interval: "0"}
	f.target = f.localNode(io.Discard)
	o := options{"help version verbose quiet query delete delete-attr get-value",
		"resource node operation interval resource-id uname lifetime attr-value attr-id", "qDGQVN:U:v:i:l:r:n:I:"}
	if status, done := f.each(o, f.option); done {
		return status
	}
	switch {
	case f.command == 0:
		return f.mistake("must specify a command")
	case f.resource == "":
		return f.mistake("resource name required")
	case f.target == "":
		return f.mistake("node name required")
	}
	ms, ok := milliseconds(f.interval)
	if !ok {
		f.warn("Unrecognized interval, using 0")
	}
	f.intervalMS = ms
	if f.command == 'G' {
		return f.query()
	}
	args := append(append(f.quiet, f.verbose...), "--cleanup", "-N", f.target, "-r", f.resource)
	if f.operation != "" {
		args = append(args, "-n", f.operation, "-I", fmt.Sprintf("%dms", f.intervalMS))
	}
	return crmresource.Run(&applet.Env{Name: "crm_resource", Argv0: "crm_resource", Args: args, Stdin: e.Stdin, Stdout: e.Stdout, Stderr: e.Stderr})
}

func (f *failcount) warn(text string) { fmt.Fprintln(f.env.Stderr, "warning: "+text) }

func (f *failcount) option(name, value string) (status int, done bool) {
	switch name {
	case "--help":
		fmt.Fprintf(f.env.Stdout, "crm_failcount - Query or delete resource fail counts\n\n%s\n", f.usage)
		return 0, true
	case "--version":
		return f.version(), true
	case "-q", "-Q", "--quiet":
		f.quiet = []string{"--quiet"}
	case "-V", "--verbose":
		f.verbose = append(f.verbose, name)
	case "-G", "--query", "--get-value":
		f.command = 'G'
	case "-D", "--delete", "--delete-attr":
		f.command = 'D'
	case "-r", "--resource", "--resource-id":
		f.resource = value
	case "-n", "--operation":
		f.operation = value
	case "-I", "--interval":
		f.interval = value
	case "-N", "--node", "-U", "--uname":
		f.target = value
	case "-v", "--attr-value":
		if value == "0" {
			f.command = 'D'
		} else {
			f.warn("ignoring deprecated option '" + name + "' with nonzero value")
		}
	case "-i", "--attr-id", "-l", "--lifetime":
		f.warn("ignoring deprecated option '" + name + "'")
	}
	return 0, false
}

// milliseconds reads an interval: a number with or without a unit, or a duration of
// ISO 8601 in which a month has 30 days.
func milliseconds(s string) (ms int64, ok bool) {
	if m := regexp.MustCompile(`^[ \t]*([0-9]+)[ \t]*(|s|sec|ms|msec|m|min|h|hr|us|usec)[ \t]*$`).FindStringSubmatch(s); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 64)
		switch m[2] {
		case "ms", "msec":
			return n, true
		case "m", "min":
			return n * 60000, true
		case "h", "hr":
			return n * 3600000, true
		case "us", "usec":
			return n / 1000, true
		}
		return n * 1000, true
	}
	if m := regexp.MustCompile(`^P([0-9]+)W$`).FindStringSubmatch(s); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 64)
		return n * 604800000, true
	}
	m := regexp.MustCompile(`^P(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)D)?T?(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?$`).FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	for i, unit := range []int64{31536000000, 2592000000, 86400000, 3600000, 60000, 1000} {
		n, _ := strconv.ParseInt(m[i+1], 10, 64)
		ms += n * unit
	}
	return ms, true
}

// query shows the count.
func (f *failcount) query() int {
	old := "fail-count-" + f.resource // before 1.1.17 there was one for all operations
	name, count := old, ""
	if f.operation != "" {
		name = fmt.Sprintf("%s#%s_%d", old, f.operation, f.intervalMS)
		count = f.one(name)
	} else {
		var status pcmk.Exit
		if count, status = f.sum(old + "#"); status != pcmk.ExitOK {
			fmt.Fprintln(f.env.Stderr, "error: could not query CIB for fail counts")
			return int(status)
		}
	}
	if count == "0" {
		if count = f.one(old); count != "0" {
			name = old
		}
	}
	if f.quiet == nil {
		count = "scope=status  name=" + name + " value=" + count
	}
	fmt.Fprintln(f.env.Stdout, count)
	return 0
}

// one is the value of an attribute, 0 if there is none.
func (f *failcount) one(name string) string {
	var out bytes.Buffer
	f.attribute(&out, f.env.Stderr, append(f.verbose, "--quiet", "--query", "-t", "status", "-d", "0", "-N", f.target, "-n", name)...)
	return strings.TrimSpace(out.String())
}

// sum adds up the counts of all operations.
func (f *failcount) sum(prefix string) (string, pcmk.Exit) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cib, err := session.OpenCIB(ctx, f.env)
	if err != nil {
		return "", session.RC(err).Exit()
	}
	defer cib.Close()
	found, err := cib.Do(ctx, client.Call{Op: client.Query, Options: client.XPath | client.ScopeLocal,
		Section: "/cib/status/node_state[@uname='" + f.target + "']/transient_attributes/instance_attributes/nvpair[starts-with(@name,'" + prefix + "')]"})
	switch {
	case err != nil && session.RC(err) == pcmk.RC(unix.ENXIO), found == nil && err == nil:
		return "0", pcmk.ExitOK
	case err != nil:
		return "", session.RC(err).Exit()
	}
	total := int64(0)
	add := func(p *xmltree.Node) {
		if p.Attr("value") == "INFINITY" {
			total = infinity
		}
		if n, err := strconv.ParseInt(p.Attr("value"), 10, 32); err == nil && n > 0 {
			total += n
		}
	}
	if found.Name == "nvpair" {
		add(found)
	}
	found.Elements(add)
	if total >= infinity {
		return "INFINITY", pcmk.ExitOK
	}
	return strconv.FormatInt(total, 10), pcmk.ExitOK
}
