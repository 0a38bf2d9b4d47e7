// Package lsb knows init scripts: where they are, what their status means, and
// the meta-data that can be made of their comments. lrmd/agent/service runs
// them.
//
// It replaces lib/services/services_lsb.c.
package lsb

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/agent"
)

// File is the script of an agent.
func File(dir, typ string) string {
	if strings.HasPrefix(typ, "/") {
		return typ
	}
	return dir + "/" + typ
}

// Exists says whether there is such a script.
func Exists(dir, typ string) bool {
	_, err := os.Stat(File(dir, typ))
	return err == nil
}

// Agents lists the scripts.
func Agents(dir string) []string { return agent.List(dir, true) }

// Status is the meaning of a script's status after an action (services__lsb2ocf;
// 150 and 151 are Pacemaker's own).
func Status(action string, code int) pcmk.OCF {
	if action != "status" && action != "monitor" {
		if code < 0 || code > 7 {
			return pcmk.OCFError
		}
		return pcmk.OCF(code)
	}
	switch code {
	case 0:
		return pcmk.OCFOK
	case 1, 2, 3: // dead with a pid file, with a lock file, stopped
		return pcmk.OCFNotRunning
	case 150:
		return pcmk.OCFNotInstalled
	case 151:
		return pcmk.OCFInsufficientPriv
	}
	return pcmk.OCFError
}

// header are the comments of a script between its INIT INFO marks.
type header struct {
	short, long                                                                     string
	provides, reqStart, reqStop, shouldStart, shouldStop, defaultStart, defaultStop string
}

// lineLimit is how much of a line counts (services_lsb.c: buffer in
// services__get_lsb_metadata).
const lineLimit = 1023

func parse(file string) (header, error) {
	var h header
	f, err := os.Open(file)
	if err != nil {
		return h, err
	}
	defer f.Close()
	fields := []struct {
		prefix string
		value  *string
	}{
		{"# Provides:", &h.provides}, {"# Required-Start:", &h.reqStart}, {"# Required-Stop:", &h.reqStop},
		{"# Should-Start:", &h.shouldStart}, {"# Should-Stop:", &h.shouldStop},
		{"# Default-Start:", &h.defaultStart}, {"# Default-Stop:", &h.defaultStop},
		{"# Short-Description:", &h.short},
	}
	r := bufio.NewReader(f)
	in, describing := false, false
next:
	for {
		line, err := r.ReadString('\n')
		if line == "" && err != nil {
			return h, nil
		}
		line = line[:min(len(line), lineLimit)]
		if describing && (strings.HasPrefix(line, "#  ") || strings.HasPrefix(line, "#\t")) {
			h.long += line[1:]
			continue
		}
		describing = false
		if strings.HasPrefix(line, "### BEGIN INIT INFO") {
			in = true
			continue
		}
		if !in {
			continue
		}
		for _, f := range fields {
			if v, ok := strings.CutPrefix(line, f.prefix); ok && *f.value == "" {
				*f.value = v
				continue next
			}
		}
		if v, ok := strings.CutPrefix(line, "# Description:"); ok && h.long == "" {
			h.long, describing = v, true
			continue
		}
		if strings.HasPrefix(line, "### END INIT INFO") || !strings.HasPrefix(line, "#") {
			return h, nil
		}
	}
}

// Metadata describes a script as an OCF agent would itself
// (services__get_lsb_metadata).
func Metadata(dir, typ string) (string, error) {
	h, err := parse(File(dir, typ))
	if err != nil {
		return "", err
	}
	or := func(s, other string) string {
		if s == "" {
			return other
		}
		return escape(s)
	}
	var b strings.Builder
	b.WriteString("<?xml version='1.0'?>\n<!DOCTYPE resource-agent SYSTEM 'ra-api-1.dtd'>\n" +
		"<resource-agent name='" + typ + "' version='0.1'>\n  <version>1.0</version>\n" +
		"  <longdesc lang='en'>\n" + or(h.long, typ) + "  </longdesc>\n" +
		"  <shortdesc lang='en'>" + or(h.short, typ) + "</shortdesc>\n" +
		"  <parameters>\n  </parameters>\n  <actions>\n")
	for _, a := range [...]string{
		"'meta-data'    timeout='5'", "'start'        timeout='15'", "'stop'         timeout='15'", "'status'       timeout='15'",
		"'restart'      timeout='15'", "'force-reload' timeout='15'", "'monitor'      timeout='15' interval='15'",
	} {
		b.WriteString("    <action name=" + a + " />\n")
	}
	b.WriteString("  </actions>\n  <special tag='LSB'>\n")
	for _, f := range [...][2]string{
		{"Provides", h.provides}, {"Required-Start", h.reqStart}, {"Required-Stop", h.reqStop}, {"Should-Start", h.shouldStart},
		{"Should-Stop", h.shouldStop}, {"Default-Start", h.defaultStart}, {"Default-Stop", h.defaultStop},
	} {
		b.WriteString("    <" + f[0] + ">" + escape(f[1]) + "</" + f[0] + ">\n")
	}
	b.WriteString("  </special>\n</resource-agent>\n")
	return b.String(), nil
}

// escape makes text of a script safe in XML, as libxml2 does
// (xmlEncodeEntitiesReentrant without a document).
func escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '\r':
			b.WriteString("&#13;")
		case r == utf8.RuneError:
			b.WriteString("&#" + strconv.Itoa(int(s[i])) + ";")
		case r >= 0x80:
			b.WriteString("&#x" + strings.ToUpper(strconv.FormatInt(int64(r), 16)) + ";")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
