package wire

import (
	"bytes"
	"testing"
)

// FuzzExec parses every message between nodes in both byte orders; what is
// accepted must survive being written and read again.
func FuzzExec(f *testing.F) {
	p := Proc{false, MustName("g"), 1, ReasonJoin}
	f.Add(p.Append(nil), false)
	f.Add(AppendJoinList(nil, []JoinEntry{{1, MustName("g")}}), false)
	d := DownList{3, []uint32{2}}
	f.Add(d.Append(nil), true)
	var h [McastSize]byte
	m := Mcast{MustName("g"), 1, Source{1, 2}, []byte("x")}
	m.PutHeader(&h)
	f.Add(append(h[:], 'x'), false)
	f.Fuzz(func(t *testing.T, b []byte, swapped bool) {
		if p, err := ParseProc(b, swapped); err == nil {
			if q, err := ParseProc(p.Append(nil), false); err != nil || q != p {
				t.Errorf("%+v became %+v, %v", p, q, err)
			}
		}
		if l, err := ParseJoinList(b, swapped); err == nil {
			var list []JoinEntry
			for i := range l.Len() {
				list = append(list, l.At(i))
			}
			if again, err := ParseJoinList(AppendJoinList(nil, list), false); err != nil || again.Len() != len(list) {
				t.Errorf("join list: %v", err)
			}
		}
		if d, err := ParseDownList(b, swapped); err == nil {
			if _, err := ParseDownList(d.Append(nil), false); err != nil {
				t.Error(err)
			}
		}
		if m, err := ParseMcast(b, swapped); err == nil {
			var h [McastSize]byte
			m.PutHeader(&h)
			if again, err := ParseMcast(append(h[:], m.Data...), false); err != nil || !bytes.Equal(again.Data, m.Data) || again.Group != m.Group {
				t.Errorf("mcast: %v", err)
			}
		}
		if m, err := ParsePartialMcast(b, swapped); err == nil {
			var h [PartialMcastSize]byte
			m.PutHeader(&h)
			if again, err := ParsePartialMcast(append(h[:], m.Data...), false); err != nil || !bytes.Equal(again.Data, m.Data) || again.Total != m.Total {
				t.Errorf("partial mcast: %v", err)
			}
		}
	})
}

// FuzzLib parses every library message; bad ones are refused without panic.
func FuzzLib(f *testing.F) {
	j := JoinReq{MustName("g"), 1, 0}
	f.Add(j.Append(nil))
	c := Confchg{MustName("g"), []Address{{1, 2, 0}}, nil, nil}
	f.Add(c.Append(nil))
	f.Add(AppendMembershipRes(nil, nil, 1)[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		ParseJoinReq(b)
		ParseLeaveReq(b)
		ParseMcastReq(b)
		ParsePartialMcastReq(b)
		ParseZCAllocReq(b)
		ParseZCFreeReq(b)
		ParseZCExecuteReq(b)
		ParseMembershipReq(b)
		ParseIterInitReq(b)
		ParseIterHandleReq(b)
		ParseMembershipRes(b)
		ParseLocalGetRes(b)
		ParseIterInitRes(b)
		ParseIterNextRes(b)
		ParseConfchg(b)
		ParseDeliver(b)
		ParseTotemConfchg(b)
		ParsePartialDeliver(b)
	})
}
