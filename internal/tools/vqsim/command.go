package vqsim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/libc"
)

const commands = `  All node IDs in the cluster are unique and belong to a numbered 'partition' (default=0)

up         [<partition>:][<nodeid>[,<nodeid>] ...] [[<partition>:][<nodeid>...]] [...]
           bring node(s) online in the specified partition(s)
down       <nodeid>,[<nodeid>...]
           send nodes offline (shut them down)
move/split [<partition>:][<nodeid>[,<nodeid>] ...] [[<partition>:][<nodeid>...]] [...]
           Move nodes from one partition to another (netsplit)
           <partition> here is the partition to move the nodes to
join       <partition> <partition> [<partition>] ... 
           Join partitions together (reverse of a netsplit)
qdevice    on|off [<partition>:][<nodeid>[,<nodeid>] ...] [[<partition>:][<nodeid>...]] [...]
           Enable quorum device in specified nodes
autofence  on|off
           automatically 'down' nodes on inquorate side on netsplit
timeout    <n> (default 250)
           Wait a maximum of <n> milli-seconds for the next command to complete.
sync       on|off (default on)
           enable/disable synchronous execution of commands (wait for completion)
assert     on|off (default off)
           Abort the simulation run if a timeout expires
show       Show current nodes status
exit

`

// outcome is what the program does after a command.
type outcome uint8

const (
	prompt  outcome = iota // ready for the next
	changed                // the cluster changed: show it, when it is to be shown
	quit
)

// command runs a line that is no comment. min is how many words the original
// wants of a command, the name included.
func (p *program) command(now time.Time, line string) outcome {
	words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' })
	if len(words) == 0 {
		return prompt
	}
	args := words[1:]
	name := strings.ToLower(words[0])
	switch {
	case name == "move" || name == "split" || name == "join":
		if len(args) == 0 {
			break
		}
		if name == "join" {
			return p.join(now, args)
		}
		return p.move(now, args)
	case name == "up":
		return p.up(now, args)
	case name == "down":
		return p.down(now, args)
	case name == "qdevice":
		return p.qdevice(now, args)
	case name == "show":
		p.show()
		return prompt
	case name == "timeout": // all is done at once here: it never runs out
		return prompt
	case name == "autofence" || name == "sync" || name == "assert":
		p.switchOption(name, args)
		return prompt
	case name == "exit" || name == "quit" || name == "q":
		return quit
	}
	fmt.Fprint(p.out, commands)
	return prompt
}

// onOff reads the argument of a switch.
func onOff(args []string) (on, ok bool) {
	if len(args) == 0 {
		return false, false
	}
	word := strings.ToLower(args[0])
	return word == "on", word == "on" || word == "off"
}

func (p *program) switchOption(name string, args []string) {
	on, ok := onOff(args)
	if !ok {
		p.complain("ERR: %s value must be 'on' or 'off'", name)
		return
	}
	word := strings.ToLower(args[0])
	switch name {
	case "autofence":
		p.c.autofence = on
		fmt.Fprintf(p.states, "#autofence: %s\n", word)
	case "sync": // which switches autofence too, in the original (vqmain.c: cmd_set_sync)
		p.c.autofence, p.syncOff = on, !on
		fmt.Fprintf(p.states, "#sync: %s\n", word)
	}
}

// parsePartition finds a partition by its number.
func (p *program) parsePartition(word string) *partition {
	n := atoi(word)
	if n < 0 || n >= maxPartitions {
		p.complain("ERR: there is no partition %d, the last is %d", n, maxPartitions-1)
		return nil
	}
	return &p.c.partitions[n]
}

// nodes reads [PARTITION:]ID[,ID…].
func (p *program) nodes(word string) (in *partition, ids []uint32) {
	number, list, ok := strings.Cut(word, ":")
	if !ok {
		number, list = "0", word
	}
	if in = p.parsePartition(number); in == nil {
		return nil, nil
	}
	fields := strings.Split(list, ",")
	if len(fields) > maxNodes {
		return nil, nil
	}
	for _, f := range fields {
		ids = append(ids, uint32(atoi(f)))
	}
	return in, ids
}

// atoi reads a number as atoi(3) does: what is none is 0.
func atoi(s string) int32 {
	n, _, _ := libc.ScanInt(s)
	return int32(n)
}

func (p *program) up(now time.Time, args []string) outcome {
	done := prompt
	for _, word := range args {
		in, ids := p.nodes(word)
		for _, id := range ids {
			if n := p.c.find(id); n != nil {
				p.complain("ERR: nodeid %d already exists in partition %d", id, n.partition.number)
			} else if id == 0 || int32(id) < 0 || len(p.c.all()) >= maxNodes {
				p.complain("ERR: could not create vq instance nodeid %d", id)
			} else {
				p.c.start(now, id, in)
				done = changed
			}
		}
	}
	return done
}

// down ends one node: the original looks at the first word alone, and in it at
// the number before a comma.
func (p *program) down(now time.Time, args []string) outcome {
	if len(args) == 0 {
		return prompt
	}
	id := uint32(atoi(args[0]))
	n := p.c.find(id)
	if n == nil {
		for range args {
			p.complain("ERR: nodeid %d is not up", id)
		}
		return prompt
	}
	if len(args) > 1 || strings.Contains(args[0], ",") {
		p.complain("down: takes one node at a time; only %d goes", id)
	}
	p.c.stop(now, n, "on request")
	return changed
}

func (p *program) join(now time.Time, args []string) outcome {
	to := p.parsePartition(args[0])
	for _, word := range args[1:] {
		if from := p.parsePartition(word); from != nil && to != nil && from != to {
			for _, n := range slices.Clone(from.nodes) {
				n.move(to)
			}
		}
	}
	p.c.informAll(now, true)
	return changed
}

func (p *program) move(now time.Time, args []string) outcome {
	for _, word := range args {
		to, ids := p.nodes(word)
		for _, id := range ids {
			if n := p.c.find(id); n != nil {
				n.move(to)
			} else {
				fmt.Fprintf(p.out, "ERR: node %d does not exist\n", id)
			}
		}
	}
	p.c.informAll(now, true)
	return changed
}

func (p *program) qdevice(now time.Time, args []string) outcome {
	on, ok := onOff(args)
	if !ok {
		p.complain("ERR: qdevice should be 'on' or 'off'")
		return prompt
	}
	for _, word := range args[1:] {
		_, ids := p.nodes(word)
		for _, id := range ids {
			if n := p.c.find(id); n != nil {
				p.c.device(now, n, on)
			}
		}
	}
	p.c.informAll(now, false)
	return prompt
}

// show prints every node's state.
func (p *program) show() {
	for _, n := range p.c.all() {
		p.showNode(n)
	}
	word := "off"
	if p.c.autofence {
		word = "on"
	}
	fmt.Fprintf(p.states, "#autofence: %s\n", word)
}

func (p *program) showNode(n *node) {
	if n.said == nil {
		fmt.Fprintf(p.states, "%d:%d: q=UNINITIALIZED\n", n.partition.number, n.id)
		return
	}
	q := 0
	if n.said.Quorate {
		q = 1
	}
	fmt.Fprintf(p.states, "%d:%d: q=%d ring=[%x.%x] nodes=%d\n", n.partition.number, n.id, q, n.said.Ring.Rep, n.said.Ring.Seq, n.said.Members)
}
