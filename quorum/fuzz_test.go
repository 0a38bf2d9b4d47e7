package quorum

import (
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
	"github.com/pacesync/pacesync/quorum/wire"
)

// FuzzEngines feeds both engines a sequence of messages of peers, requests of a
// client, sync rounds and time, cut from the input: nothing that peers or
// clients send may make them panic.
func FuzzEngines(f *testing.F) {
	info := wire.NodeInfo{Node: 2, Votes: 1, Expected: 3, Flags: wire.FlagQuorate}
	reg := wire.AppendQdeviceNameReq(nil, wire.VoteReqQdeviceRegister, "Q")
	cut := func(kind byte, b []byte) []byte {
		return append([]byte{kind, byte(len(b)), byte(len(b) >> 8)}, b...)
	}
	seed := cut(3, []byte{1})
	seed = append(seed, cut(1, info.Append(nil))...)
	seed = append(seed, cut(4, nil)...)
	seed = append(seed, cut(5, reg)...)
	seed = append(seed, cut(6, []byte{30})...)
	f.Add(byte(0), seed)
	f.Fuzz(func(t *testing.T, options byte, in []byte) {
		m := cmap.NewMap()
		_ = m.Set("quorum.provider", cmap.Str("corosync_votequorum"))
		_ = m.Set("quorum.expected_votes", cmap.U32(uint32(options&3)+1))
		for i, key := range []string{"two_node", "wait_for_all", "last_man_standing", "auto_tie_breaker", "allow_downscale"} {
			_ = m.Set("quorum."+key, cmap.U8(options>>(2+i)&1))
		}
		host := servicetest.NewHost(1)
		list := NewEngines(host, Options{Map: m}).List()
		for _, e := range list {
			if e.Start() != nil {
				return
			}
		}
		vote, quorum := list[0], list[1]
		vc, qc := host.NewConn(), host.NewConn()
		vote.Opened(vc)
		quorum.Opened(qc)
		request := func(e *service.Engine, c *servicetest.Conn, msg []byte) {
			if len(msg) >= 16 {
				if fn := int(msg[0]) % len(e.Lib); len(msg) >= e.Lib[fn].MinSize {
					e.Lib[fn].Handle(c, msg)
				}
			}
		}
		for len(in) >= 3 {
			kind, n := in[0]%8, int(in[1])|int(in[2])<<8
			n = min(n, len(in)-3)
			msg := in[3 : 3+n]
			in = in[3+n:]
			switch kind {
			case 0, 1, 2:
				if n >= 16 {
					if fn := int(msg[0]) % len(vote.Exec); n >= vote.Exec[fn].MinSize {
						vote.Exec[fn].Deliver(uint32(kind)+1, msg, msg[4]&1 != 0)
					}
				}
			case 3:
				members := []uint32{1, 2, 3}[:1+n%3]
				quorum.Sync.SyncInit(nil, members, service.RingID{Rep: 1, Seq: 8})
				vote.Sync.SyncInit(nil, members, service.RingID{Rep: 1, Seq: 8})
			case 4:
				if vote.Sync.SyncProcess() {
					quorum.Sync.SyncActivate()
					vote.Sync.SyncActivate()
				}
			case 5:
				request(vote, vc, msg)
			case 6:
				if n > 0 {
					host.Advance(time.Duration(msg[0]) * time.Second)
				}
			case 7:
				request(quorum, qc, msg)
			}
		}
	})
}
