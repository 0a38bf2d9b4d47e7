package tools

import (
	"fmt"
	"strings"
)

// lines makes rows of commands that need no preparation.
func lines(text string) []row {
	var rows []row
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			rows = append(rows, row{cmd: line})
		}
	}
	return rows
}

// withBefore gives all rows the same preparation.
func withBefore(before string, rows []row) []row {
	for i := range rows {
		rows[i].before = before
	}
	return rows
}

// usageRows need no daemon: help, wrong options, wrong arguments.
func usageRows() []row {
	return lines(`
corosync-notifyd -h
corosync-notifyd -x
corosync-notifyd -m
corosync-notifyd -c
corosync-notifyd -dh
corosync-notifyd -n 2>/dev/null
corosync-notifyd -fn 2>/dev/null
corosync-notifyd -o 2>&1
corosync-notifyd -os 2>&1
corosync-vqsim -h
corosync-vqsim -x
corosync-vqsim -nx
corosync-vqsim -o /nonexistent/x
: | corosync-vqsim -c nofile 2>/dev/null
(sleep 0.3; echo show; echo bogus; echo autofence on; echo '# x'; echo; echo down 1) | corosync-vqsim -c nofile 2>/dev/null
corosync-xmlproc | sed s,.*/,,
corosync-xmlproc '' x | sed s,.*/,,
corosync-xmlproc /nonexistent
corosync-xmlproc /run/lab/x/corosync.xml /run/lab/x/new/made.conf; echo $?; sed 's/ at 2.*//' /run/lab/x/new/made.conf; rm -r /run/lab/x/new
corosync-xmlproc /run/lab/x/text >/dev/null 2>&1
corosync-cmapctl -h
corosync-cmapctl -x
corosync-cmapctl -hx
corosync-cmapctl -xh
corosync-cmapctl -g
corosync-cmapctl -s
corosync-cmapctl -d
corosync-cmapctl -D
corosync-cmapctl -t
corosync-cmapctl -T
corosync-cmapctl -p
corosync-cmapctl -m
corosync-cmapctl -C
corosync-cmapctl -m bogus
corosync-cmapctl -m ''
corosync-cmapctl -C bogus
corosync-cmapctl -C ''
corosync-cfgtool
corosync-cfgtool -h
corosync-cfgtool -x
corosync-cfgtool -b
corosync-cfgtool -r
corosync-cfgtool -i
corosync-cfgtool -i 10.0.0.1
corosync-cfgtool --if
corosync-cfgtool --if=10.0.0.1
corosync-cfgtool --force
corosync-cfgtool --force=1
corosync-cfgtool --s
corosync-cfgtool --re
corosync-cfgtool --bogus
corosync-cfgtool --bogus=1
corosync-cfgtool --nodes=1
corosync-cfgtool -k
corosync-cfgtool -k 0
corosync-cfgtool -k abc
corosync-cfgtool -k -5
corosync-cfgtool -k 4294967296
corosync-cfgtool -k ''
corosync-cfgtool --kill
corosync-cfgtool -a
corosync-cfgtool -a 0
corosync-cfgtool -a 1x
corosync-cfgtool --address ''
corosync-cfgtool -sx
corosync-cfgtool extra words
corosync-quorumtool -h
corosync-quorumtool -x
corosync-quorumtool -V
corosync-quorumtool -VV -h
corosync-quorumtool -e
corosync-quorumtool -e 0
corosync-quorumtool -e abc
corosync-quorumtool -e -1
corosync-quorumtool -e 2147483648
corosync-quorumtool -v
corosync-quorumtool -v x
corosync-quorumtool -v -1
corosync-quorumtool -v 2147483648
corosync-quorumtool -n
corosync-quorumtool -n 0
corosync-quorumtool -n x
corosync-quorumtool -n 4294967296
corosync-quorumtool -o
corosync-quorumtool -o x
corosync-quorumtool -o ''
corosync-cpgtool -h
corosync-cpgtool -x
corosync-cpgtool -d
corosync-cpgtool -nh
corosync-cmapctl -h >/dev/full
corosync-quorumtool -x 2>&1
/usr/bin/env -a 2>/dev/null; corosync-cfgtool -x 2>&1
corosync-keygen -h
corosync-keygen --help
corosync-keygen --he
corosync-keygen -x
corosync-keygen -k
corosync-keygen -s
corosync-keygen -s 127
corosync-keygen -s 4097
corosync-keygen -s abc
corosync-keygen -s ''
corosync-keygen -s 256x
corosync-keygen -s 99999999999999999999
corosync-keygen --size
corosync-keygen --bogus
corosync-keygen -r /nonexistent -k /run/lab/x/key
corosync-keygen -r / -k /run/lab/x/key
corosync-keygen -k /nonexistent/key
corosync-keygen -k /
corosync-keygen -k ''
corosync-keygen -k /run/lab/x/key; stat -c '%a %s %u' /run/lab/x/key
corosync-keygen -l -k /run/lab/x/key; stat -c '%a %s' /run/lab/x/key
corosync-keygen --less-secure --size=128 --key-file=/run/lab/x/key; stat -c '%a %s' /run/lab/x/key
corosync-keygen -s 4096 -k /run/lab/x/key; stat -c '%a %s' /run/lab/x/key
corosync-keygen -s ' 200' -k /run/lab/x/key; stat -c '%a %s' /run/lab/x/key
corosync-keygen -r /run/lab/x/random -k /run/lab/x/key; sha256sum /run/lab/x/key
corosync-keygen --random-file /run/lab/x/random -s 1000 -k /run/lab/x/key; sha256sum /run/lab/x/key
corosync-keygen -r /dev/random -k /run/lab/x/key
corosync-keygen -k /run/lab/x/key extra words
corosync-keygen -k /dev/full 2>&1
`)
}

// anyDaemon are commands that make sense whatever the daemon says: they run
// with none, without a provider, without quorum, as nobody.
func anyDaemon(prefix string) []row {
	var rows []row
	for _, r := range lines(`
corosync-cmapctl
corosync-cmapctl -g totem.version
corosync-cmapctl -m stats -g stats.ipcs.global.active
corosync-cmapctl -s test.x u8 1
corosync-cmapctl -d test.x
corosync-cmapctl -D test.
corosync-cmapctl -p /run/lab/x/load
corosync-cmapctl -C all
corosync-cmapctl -t test.x
corosync-cfgtool -s
corosync-cfgtool -sb
corosync-cfgtool -n
corosync-cfgtool -a 1
corosync-cfgtool -k 99
corosync-cfgtool -R
corosync-cfgtool -L
corosync-quorumtool
corosync-quorumtool -s
corosync-quorumtool -l
corosync-quorumtool -p
corosync-quorumtool -lp
corosync-quorumtool -e 3
corosync-quorumtool -v 1
corosync-quorumtool -f
corosync-cpgtool
corosync-cpgtool -n
`) {
		rows = append(rows, row{cmd: prefix + r.cmd + " </dev/null", before: "corosync-cmapctl -s test.x u8 1"})
	}
	return rows
}

// downRows need a daemon that does not run.
func downRows() []row {
	return append(anyDaemon(""), lines(`
corosync-cfgtool -H
corosync-cfgtool -H --force
corosync-quorumtool -m
corosync-notifyd -fl
corosync-notifyd -fos 2>&1 | grep -v '^.debug'
corosync-notifyd -fod 2>&1 | grep -v '^.debug'
corosync-notifyd -l
corosync-blackbox | grep -v Dumping
corosync-blackbox x -h >/dev/null
corosync-cfgtool -k 1 2>&1
corosync-cfgtool -R 2>&1
corosync-cpgtool -d ,
`)...)
}

// longKey is a key of n bytes.
func longKey(n int) string { return "test." + strings.Repeat("k", n-5) }

// cmapRows read and write the map of a daemon.
func cmapRows() []row {
	rows := lines(`
corosync-cmapctl -b
corosync-cmapctl totem.
corosync-cmapctl totem. nodelist.
corosync-cmapctl nosuch
corosync-cmapctl nosuch totem.
corosync-cmapctl nosuch nosuch2
corosync-cmapctl ''
corosync-cmapctl '' nosuch
corosync-cmapctl -q totem.
corosync-cmapctl -g totem.version nodelist.node.0.nodeid nodelist.node.0.name
corosync-cmapctl -qg totem.cluster_name
corosync-cmapctl -gq totem.version
corosync-cmapctl -g nosuch
corosync-cmapctl -g totem.version nosuch totem.version
corosync-cmapctl -g totem.version nosuch totem.version 2>&1
corosync-cmapctl -g ''
corosync-cmapctl totem.version -g
POSIXLY_CORRECT=1 corosync-cmapctl totem.version -g
corosync-cmapctl -- -g
corosync-cmapctl -m icmap -g totem.version
corosync-cmapctl -m default -g totem.version
corosync-cmapctl -m icmap -m bogus -g totem.version
corosync-cmapctl -m stats nosuch
corosync-cmapctl -m stats -g nosuch
corosync-cmapctl -m stats -g totem.version
corosync-cmapctl -m stats -s stats.x u8 1
corosync-cmapctl -m stats -d stats.ipcs.global.active
corosync-cmapctl -C knet
corosync-cmapctl -C ipc
corosync-cmapctl -C totem
corosync-cmapctl -C schedmiss
corosync-cmapctl -C all
corosync-cmapctl -m icmap -C all -m icmap
corosync-cmapctl -s test.x
corosync-cmapctl -s test.x u8
corosync-cmapctl -s test.x bogus 1
corosync-cmapctl -s test.x U8 1
corosync-cmapctl -s test.x '' 1
corosync-cmapctl -s t u8 1
corosync-cmapctl -s 'te st' u8 1
corosync-cmapctl -s 'test.ä' u8 1
corosync-cmapctl -s test.i8 i8 128
corosync-cmapctl -s test.i8 i8 -129
corosync-cmapctl -s test.i8 i8 300
corosync-cmapctl -s test.u8 u8 256
corosync-cmapctl -s test.u8 u8 -1
corosync-cmapctl -s test.i16 i16 32768
corosync-cmapctl -s test.u16 u16 65536
corosync-cmapctl -s test.i32 i32 2147483648
corosync-cmapctl -s test.u32 u32 4294967296
corosync-cmapctl -s test.u32 u32 abc
corosync-cmapctl -s test.i64 i64 ''
corosync-cmapctl -s test.flt flt x
corosync-cmapctl -s test.flt flt infin
corosync-cmapctl -s test.dbl dbl .
corosync-cmapctl -s totem.version u32 3
corosync-cmapctl -d totem.version
corosync-cmapctl -d nosuch
corosync-cmapctl -D nosuch
corosync-cmapctl -D totem.token
corosync-cmapctl -s test.bin bin /nonexistent
corosync-cmapctl -s test.bin bin /
corosync-cmapctl -s test.bin bin /run/lab/x/empty
corosync-cmapctl -s test.bin bin - </dev/null
corosync-cmapctl -s test.bin bin /run/lab/x/big
`)
	for _, n := range []int{254, 255, 256, 300} {
		k := longKey(n)
		rows = append(rows, lines(fmt.Sprintf(`
corosync-cmapctl -s %[1]s u8 1; corosync-cmapctl -g %[1]s; corosync-cmapctl %[1]s; corosync-cmapctl -d %[1]s
corosync-cmapctl -D %[1]s
corosync-cmapctl -t %[1]s </dev/null
`, k))...)
	}
	// What is stored, read back in all ways.
	for _, value := range []string{
		"i8 -128", "i8 127x", "u8 255", "i16 -32768", "u16 65535", "i32 ' 12'", "u32 4294967295", "i64 -9223372036854775808",
		"i64 99999999999999999999", "u64 18446744073709551615", "u64 -1", "u64 99999999999999999999", "flt 1.5", "flt -0",
		"flt 0.1", "flt 1e30", "flt inf", "flt -nan", "flt 0x1p4", "flt 1e400", "dbl 1e300", "dbl -0.1", "dbl 1e", "dbl nan", "str hello",
		"str 'a b  c'", "str ''", "str 'ä\t\\'", "str -x", "bin /run/lab/x/random128", "bin /run/lab/x/text", "bin - </run/lab/x/bytes",
		"bin /run/lab/x/page", "bin /run/lab/x/limit",
	} {
		rows = append(rows, row{
			cmd: "corosync-cmapctl -s -- test.v " + value + "; echo $?; corosync-cmapctl test.; corosync-cmapctl -b test.; " +
				"corosync-cmapctl -g test.v; corosync-cmapctl -bg test.v; corosync-cmapctl -qg test.v; corosync-cmapctl -bqg test.v",
			before: "corosync-cmapctl -d test.v",
		})
	}
	rows = append(rows, withBefore("corosync-cmapctl -D test.; corosync-cmapctl -s test.a u8 1; corosync-cmapctl -s test.b.c str x; corosync-cmapctl -s test.b.d str y", lines(`
corosync-cmapctl -d test.a; corosync-cmapctl test.
corosync-cmapctl -d test.a nosuch test.b.c; corosync-cmapctl test.
corosync-cmapctl -D test.b; corosync-cmapctl test.
corosync-cmapctl -D test.b.c test.a; corosync-cmapctl test.
corosync-cmapctl -s test.a u8 1 extra words; corosync-cmapctl test.
corosync-cmapctl -s test.a str other; corosync-cmapctl test.
`))...)
	for _, file := range []string{"load", "badtype", "badvalue", "novalue", "noteof", "blanks", "longline", "deletes", "empty", "tabs"} {
		rows = append(rows, row{
			cmd:    "corosync-cmapctl -p /run/lab/x/" + file + "; echo $?; corosync-cmapctl -b test.",
			before: "corosync-cmapctl -D test.; corosync-cmapctl -s test.del.a u8 1; corosync-cmapctl -s test.del.b u8 2; corosync-cmapctl -s test.one u8 3",
		})
	}
	rows = append(rows, lines(`
corosync-cmapctl -p /nonexistent
corosync-cmapctl -p /
corosync-cmapctl -p /run/lab/x/empty totem.
`)...)
	return append(rows,
		row{cmd: "corosync-cmapctl -m stats", sorted: true},
		row{cmd: "corosync-cmapctl -m stats stats.pg. stats.srp.", sorted: true},
		row{cmd: "corosync-cmapctl runtime.services."},
	)
}

// files are what the rows read from /run/lab/x.
func files() map[string]string {
	bytes := make([]byte, 256)
	for i := range bytes {
		bytes[i] = byte(i)
	}
	random := strings.Repeat("0123456789abcdef", 600)
	return map[string]string{
		"corosync.xml": "<corosync><totem version=\"2\"><interface linknumber=\"1\"/></totem><nodelist><node nodeid=\"1\" name=\"a &amp; b\"/></nodelist></corosync>\n",
		"random":       random, "random128": random[:128], "text": "some \\text\n", "bytes": string(bytes), "empty": "",
		"page": random[:4096], "limit": strings.Repeat("x", 16*1024), "big": strings.Repeat("x", 2<<20),
		"load":     "# a comment\n   # another\n\n\t\ntest.a u8 5\n  test.b str word more words\ntest.c i32 -7\n^test.one\n^^test.del.\n^nosuch ignored words\ntest.d bin /run/lab/x/text\n",
		"badtype":  "test.a u8 5\ntest.b bogus 1\ntest.c u8 1\n",
		"badvalue": "test.a u8 5\ntest.b u8 300\ntest.c u8 1\n",
		"novalue":  "test.a u8 5\ntest.b u8\n",
		"noteof":   "test.a u8 5\ntest.b u8 6",
		"blanks":   "test.a u8 5\n   ",
		"tabs":     "test.a\tu8\t5\n",
		"longline": "test.a str " + strings.Repeat("v", 1500) + "\ntest.b u8 1\n",
		"deletes":  "^test.one\n^test.one\n^^test.del\n^\n^^nosuch\n",
	}
}

// cfgRows ask for links and nodes of a ring.
func cfgRows() []row {
	return lines(`
corosync-cfgtool -s
corosync-cfgtool -sb
corosync-cfgtool -b -s
corosync-cfgtool -n
corosync-cfgtool -nb
corosync-cfgtool -s -n
corosync-cfgtool -n -s
corosync-cfgtool -i 10.78.0.1 -s
corosync-cfgtool --status
corosync-cfgtool --stat --brief
corosync-cfgtool --nodes
corosync-cfgtool -s extra
corosync-cfgtool -a 1
corosync-cfgtool -a 2
corosync-cfgtool --address=3
corosync-cfgtool -a 99
corosync-cfgtool -a 4294967295
corosync-cfgtool -k 99
corosync-cfgtool -k 4294967295
corosync-cfgtool --kill=99 2>&1
corosync-cfgtool -L
corosync-cfgtool --reopen
corosync-cfgtool -R
corosync-cfgtool --reload
`)
}

// quorumRows ask for quorum and votes and change them.
func quorumRows() []row {
	rows := lines(`
corosync-quorumtool
corosync-quorumtool -s
corosync-quorumtool -l
corosync-quorumtool -a
corosync-quorumtool -al
corosync-quorumtool -ai
corosync-quorumtool -i
corosync-quorumtool -H
corosync-quorumtool -Hl
corosync-quorumtool -p
corosync-quorumtool -sp
corosync-quorumtool -lp
corosync-quorumtool -lpH
corosync-quorumtool -o a
corosync-quorumtool -o i
corosync-quorumtool -o n
corosync-quorumtool -ln extra
corosync-quorumtool -s extra words
corosync-quorumtool -n 2
corosync-quorumtool -f
corosync-quorumtool -v 2 -n 9
corosync-quorumtool -v 100 -n 2
corosync-quorumtool -e 1
corosync-quorumtool -e 7
`)
	rows = append(rows, withBefore("corosync-quorumtool -v 1 -n 1; corosync-quorumtool -v 1 -n 2; corosync-quorumtool -e 3", lines(`
corosync-quorumtool -e 4; corosync-quorumtool -s
corosync-quorumtool -v 2; corosync-quorumtool -s
corosync-quorumtool -v 2 -n 2; corosync-quorumtool -s -o n; corosync-quorumtool -l -o i
corosync-quorumtool -n 2 -v 0; corosync-quorumtool -s
corosync-quorumtool -v 1 -e 3; corosync-quorumtool -l
corosync-quorumtool -v 1 -n 1; corosync-quorumtool -v 1 -n 2; corosync-quorumtool -e 3; corosync-quorumtool
`))...)
	return rows
}

// cpgRows list groups.
func cpgRows() []row {
	return lines(`
corosync-cpgtool
corosync-cpgtool -n
corosync-cpgtool -e
corosync-cpgtool -ne
corosync-cpgtool -d ,
corosync-cpgtool -d ';:'
corosync-cpgtool -d ''
corosync-cpgtool -nd,
corosync-cpgtool -d: -e
corosync-cpgtool extra words
corosync-cpgtool | od -c
corosync-cpgtool -ne | od -c
`)
}
