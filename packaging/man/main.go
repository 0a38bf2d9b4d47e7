// Command man writes the manual pages of the packages: man DIR BINARY. packaging/build
// calls it. What a page says comes from where the programs themselves have it: the
// overview and the help texts of the binary, docs/corosync.conf.md, which is generated
// from the table of options, the metadata of Pacemaker's daemons, the table of exit
// statuses. What is more is in pages/. It replaces the originals' man folder and
// their calls of help2man.
package main

import (
	"compress/gzip"
	"embed"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/daemon"
)

//go:embed pages
var texts embed.FS

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: man DIR BINARY")
		os.Exit(64)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "man: %v\n", err)
		os.Exit(1)
	}
}

func run(dir, binary string) error {
	options, err := os.ReadFile("docs/corosync.conf.md")
	if err != nil {
		return err
	}
	_, manual, _ := strings.Cut(string(options), "\n\nThe file is ") // before it stands how it is made
	pages, err := collect(binary, "The file is "+manual)
	if err != nil {
		return err
	}
	for _, p := range pages {
		if err := write(dir, p); err != nil {
			return err
		}
	}
	return nil
}

// write puts a page where man looks for it; the same page has the same bytes.
func write(dir string, p page) error {
	path := filepath.Join(dir, fmt.Sprintf("man%d", p.section), fmt.Sprintf("%s.%d.gz", p.name, p.section))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(render(p)))
	return errors.Join(err, z.Close(), f.Close())
}

// collect makes all pages.
func collect(binary, options string) ([]page, error) {
	pages := []page{
		{"corosync.conf", 5, "the configuration file of corosync", options},
		{"votequorum", 5, "how many votes a cluster needs, and the options for it", text("votequorum.md") + "\n## Options\n\n" + section(options, "quorum")},
		{"corosync.xml", 5, "the configuration of corosync as XML", text("corosync.xml.md")},
		{"cmap_keys", 7, "the keys of corosync's configuration map", text("cmap_keys.md")},
		{"corosync_overview", 7, "what corosync does and where to read on", text("corosync_overview.md")},
	}
	out, err := exec.Command(binary).Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", binary, err)
	}
	pages = append(pages, page{"pacesync", 8, "Corosync and Pacemaker in one binary", text("pacesync.md") + "\n## Programs\n\n" + fenced(string(out))})
	list, err := exec.Command(binary, "links", "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("%s links: %w", binary, err)
	}
	for path := range strings.Lines(string(list)) {
		path = strings.TrimSpace(path)
		name := filepath.Base(path)
		if filepath.Base(filepath.Dir(path)) == "pacemaker" {
			continue // daemons that nobody calls, but for their options below
		}
		summary := find(string(out), name)
		body := strings.ReplaceAll(text(name+".md"), "@STATUSES@", statuses())
		if help := help(binary, name); help != "" {
			body += "\n## Usage\n\n" + fenced(help)
		}
		pages = append(pages, page{name, 8, summary, body})
	}
	for _, name := range []string{"pacemaker-controld", "pacemaker-schedulerd", "pacemaker-fenced"} {
		p, err := metadata(binary, name)
		if err != nil {
			return nil, err
		}
		pages = append(pages, p)
	}
	return pages, nil
}

// text is a file of pages/; there need not be one.
func text(name string) string {
	b, err := texts.ReadFile("pages/" + name)
	if err != nil {
		return ""
	}
	return string(b)
}

func fenced(s string) string { return "```\n" + strings.Trim(s, "\n") + "\n```\n" }

// find is what the overview says of a program.
func find(overview, name string) string {
	for line := range strings.Lines(overview) {
		if first, rest, _ := strings.Cut(strings.TrimSpace(line), " "); first == name {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// section is the part of docs/corosync.conf.md about one section of the file.
func section(options, name string) string {
	_, after, _ := strings.Cut(options, "\n## "+name+" { ")
	_, after, _ = strings.Cut(after, "\n")
	part, _, _ := strings.Cut(after, "\n## ")
	return part
}

// help is what a program says of its options: corosync's with -h, Pacemaker's with
// --help-all, or --help where there is only one part.
func help(binary, name string) string {
	say := func(arg string) (string, error) {
		out, err := exec.Command(binary, name, arg).CombinedOutput()
		return string(out), err
	}
	switch {
	case name == "corosync-blackbox": // has no options
		return ""
	case strings.HasPrefix(name, "corosync"):
		out, _ := say("-h") // corosync itself ends with status 1
		_, usage, found := strings.Cut(out, "usage:")
		if name == "corosync" && found {
			out = "usage:" + usage
		}
		return out
	}
	if out, err := say("--help-all"); err == nil {
		return out
	}
	out, _ := say("--help")
	return out
}

// statuses is the table of corosync's exit statuses.
func statuses() string {
	var b strings.Builder
	b.WriteString("| status | meaning |\n|---|---|\n")
	for _, s := range daemon.Statuses() {
		fmt.Fprintf(&b, "| %d | %s |\n", s.Code, s.Text)
	}
	return b.String()
}

// metadata is the page about the cluster options that a daemon of Pacemaker reads.
func metadata(binary, name string) (page, error) {
	out, err := exec.Command(binary, name, "metadata").Output()
	if err != nil {
		return page{}, fmt.Errorf("%s metadata: %w", name, err)
	}
	var doc struct {
		Short      string `xml:"shortdesc"`
		Long       string `xml:"longdesc"`
		Parameters []struct {
			Name    string `xml:"name,attr"`
			Short   string `xml:"shortdesc"`
			Long    string `xml:"longdesc"`
			Content struct {
				Type    string `xml:"type,attr"`
				Default string `xml:"default,attr"`
			} `xml:"content"`
		} `xml:"parameters>parameter"`
	}
	if err := xml.Unmarshal(out, &doc); err != nil {
		return page{}, fmt.Errorf("%s metadata: %w", name, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n\n## Options\n\n| option | type | default | meaning |\n|---|---|---|---|\n", strings.TrimSuffix(doc.Long, "."))
	for _, p := range doc.Parameters {
		meaning := p.Short
		if p.Long != "" && p.Long != p.Short {
			meaning = strings.TrimSuffix(meaning, ".") + ". " + p.Long
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", p.Name, p.Content.Type, p.Content.Default, strings.ReplaceAll(strings.Join(strings.Fields(meaning), " "), "|", "/"))
	}
	return page{name, 7, doc.Short, b.String()}, nil
}
