package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/corosync.conf.md anew")

const docFile = "../../../docs/corosync.conf.md"

// docIntro and docOutro stand around the generated tables.
const docIntro = `# corosync.conf

Generated from the table of options (internal/corosync/config); change it there and run
` + "`go test ./internal/corosync/config -run Doc -update`" + `.

The file is /etc/corosync/corosync.conf, or the one given with ` + "`corosync -c FILE`" + `. ` + "`corosync -t`" + ` checks it and says what is
wrong, with the file and line and what was probably meant; the daemon does the same when it starts, and in the log at a reload
(corosync-cfgtool -R). Of names and words that do not exist, which it takes as the original does, it warns.
` + "`pacesync lint`" + ` lists all mistakes at once, unknown options with what was probably meant, and what the daemon accepts but is suspicious.

- A line is ` + "`name {`, `}` or `key: value`" + `. Blanks around names and values do not count. A line whose first
  character is ` + "`#`" + ` is a comment; after a value it would be part of the value.
- A line has at most 510 characters, the dotted path of a key at most 254.
- A key that is given twice has its last value (in logger_subsys and logging_daemon: its first).
- Unknown keys and sections are kept as strings in cmap and mean nothing to the daemon.

Each option is a key in cmap with the given type. N is a number: of the link (linknumber) in totem.interface, of the
node's position in nodelist, counted from 0 in the order of the file; NAME and M are names and counts. What it says of when it takes effect: **at once** with
corosync-cmapctl and with corosync-cfgtool -R, **reload** with corosync-cfgtool -R, **restart** when the daemon starts.
Times are in milliseconds unless the text says otherwise; 0 means the default except where 0 is named.

Numbers that can change while the daemon runs are shown with their effective value as runtime.config.KEY in cmap; those
are marked with *.
`

const docOutro = `
## Example

    totem {
      version: 2
      cluster_name: demo
      crypto_cipher: aes256
      crypto_hash: sha256
    }
    nodelist {
      node {
        name: n1
        nodeid: 1
        ring0_addr: 192.0.2.1
      }
      node {
        name: n2
        nodeid: 2
        ring0_addr: 192.0.2.2
      }
    }
    quorum {
      provider: corosync_votequorum
      two_node: 1
    }

## Which node am I

The daemon looks for itself in the nodelist: a node whose name or ring0_addr is the host name; then the host name with its
domain taken off part by part; then the nodelist's names without their domains; then a node whose address is one of this host's; then
the names of this host's addresses; then the nodelist's names, resolved. ` + "`corosync-cmapctl nodelist.local_node_pos`" + ` shows what it found.

## Files beside it

- uidgid.d/*: further files with uidgid sections, and nothing else in them.
- authkey: the key of knet, unless keyfile names another file.
`

func docTables() string {
	var b strings.Builder
	b.WriteString(docIntro)
	last := ""
	for _, o := range Options() {
		if s := docSection(&o); s != last {
			last = s
			fmt.Fprintf(&b, "\n## %s\n\n| key | type | default | takes effect | meaning |\n|---|---|---|---|---|\n", s)
		}
		star := ""
		if o.timer != nil {
			star = " *"
		}
		values := ""
		if o.Values != nil {
			values = " One of: " + strings.Join(o.accepted(), ", ") + "."
		}
		fmt.Fprintf(&b, "| %s%s | %s | %s | %s | %s%s |\n", o.Key, star, o.Type, o.Default, o.change, o.Doc, values)
	}
	b.WriteString(docOutro)
	return b.String()
}

// docSection is the heading that an option stands under.
func docSection(o *Option) string {
	switch {
	case strings.HasPrefix(o.Key, "totem.interface."):
		return "totem { interface { … } }"
	case strings.HasPrefix(o.Key, "nodelist."):
		return "nodelist { node { … } }"
	case strings.HasPrefix(o.Key, "logging.logger_subsys."):
		return "logging { logger_subsys { … } }"
	case o.sec == secCmap:
		return "In cmap only"
	}
	name, _, _ := strings.Cut(o.Key, ".")
	return name + " { … }"
}

func TestDocIsUpToDate(t *testing.T) {
	want := docTables()
	if *update {
		if err := os.WriteFile(docFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docFile)
	if err != nil || string(got) != want {
		t.Errorf("docs/corosync.conf.md is not what the table of options gives (%v): go test ./internal/corosync/config -run Doc -update", err)
	}
}

// TestTableIsSound: what the rest derives from the table must hold for every row.
func TestTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range Options() {
		switch {
		case o.Doc == "" || o.Default == "":
			t.Errorf("%s: no text or no default", o.Key)
		case seen[o.Key]:
			t.Errorf("%s stands twice in the table", o.Key)
		case (o.Values == nil) != (o.Bad == ""):
			t.Errorf("%s: values and error text go together", o.Key)
		case strings.Contains(o.Doc+o.Default, "|"):
			t.Errorf("%s: text breaks the manual's table", o.Key)
		case o.timer != nil && o.sec != secTotem:
			t.Errorf("%s: timers are totem's", o.Key)
		}
		seen[o.Key] = true
	}
	for _, key := range checkOrder {
		if !seen[key] {
			t.Errorf("%s is checked and not in the table", key)
		}
	}
	if len(seen) < 110 {
		t.Errorf("%d options", len(seen))
	}
}
