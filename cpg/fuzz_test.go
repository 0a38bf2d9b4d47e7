package cpg

import (
	"testing"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
)

// FuzzEngine feeds the engine a sequence of messages of peers, requests of a
// client and steps of sync rounds, cut from the input: nothing that peers or
// clients send may make it panic.
func FuzzEngine(f *testing.F) {
	g := wire.MustName("g")
	join := wire.JoinReq{Group: g, PID: 7}
	proc := wire.Proc{Group: g, PID: 7, Reason: wire.ReasonJoin}
	down := wire.DownList{OldMembers: 1}
	cut := func(ops ...[]byte) []byte {
		var out []byte
		for _, op := range ops {
			out = append(out, op[0], byte(len(op)-1), byte((len(op)-1)>>8))
			out = append(out, op[1:]...)
		}
		return out
	}
	op := func(kind byte, b []byte) []byte { return append([]byte{kind}, b...) }
	f.Add(cut(op(6, join.Append(nil)), op(1, proc.Append(nil)), op(3, nil), op(1, down.Append(nil)),
		op(2, wire.AppendJoinList(nil, []wire.JoinEntry{{PID: 9, Group: g}})), op(4, nil), op(5, nil), op(7, nil)))
	f.Fuzz(func(t *testing.T, in []byte) {
		host := servicetest.NewHost(1)
		e := NewEngine(host, nil)
		c := host.NewConn()
		e.Opened(c)
		open := true
		for len(in) >= 3 {
			kind, n := in[0]%8, int(in[1])|int(in[2])<<8
			n = min(n, len(in)-3)
			msg := in[3 : 3+n]
			in = in[3+n:]
			switch kind {
			case 0, 1, 2: // a message of node kind+1
				if n >= 16 {
					if fn := int(msg[0]) % len(e.Exec); n >= e.Exec[fn].MinSize {
						e.Exec[fn].Deliver(uint32(kind)+1, msg, msg[4]&1 != 0)
					}
				}
			case 3:
				e.Sync.SyncInit([]uint32{1}, []uint32{1, 2}[:1+n%2], service.RingID{Rep: 1, Seq: 8})
			case 4:
				e.Sync.SyncProcess()
			case 5:
				e.Sync.SyncActivate()
			case 6:
				if n >= 16 && open {
					if fn := int(msg[0]) % len(e.Lib); n >= e.Lib[fn].MinSize {
						e.Lib[fn].Handle(c, msg)
					}
				}
			case 7:
				if n%4 == 0 && open {
					e.Closed(c)
					open = false
				} else {
					e.Sync.SyncAbort()
				}
			}
		}
	})
}
