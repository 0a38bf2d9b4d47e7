package crypt

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// FuzzOpen opens anything. What opens was sealed with one of the keys, so sealing
// it with the same salt gives the packet again; what doesn't stays as it was.
func FuzzOpen(f *testing.F) {
	authkey, packets := capture(f, "knetc.hex")
	slots := []Config{{"aes256", "sha256", authkey}, {"none", "md5", key(128)}}
	f.Add([]byte{}, false)
	for _, p := range packets[:6] {
		f.Add(p, true)
	}
	f.Fuzz(func(t *testing.T, packet []byte, both bool) {
		k := keysWith(t, slots[0])
		if both {
			if err := k.Set(2, slots[1]); err != nil {
				t.Fatal(err)
			}
		}
		before := bytes.Clone(packet)
		plain, err := k.Open(packet)
		if err != nil {
			if !bytes.Equal(packet, before) {
				t.Fatal("a packet that was refused was changed")
			}
			return
		}
		for _, cfg := range slots {
			if bytes.Equal(reference(cfg, plain, before), before) {
				return
			}
		}
		t.Fatalf("opened what no key sealed: % x", before)
	})
}

// FuzzMalicious is a peer that has the key: any body gets a good digest.
func FuzzMalicious(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Add([]byte("\x01\x00 a packet that is not a multiple of the block"))
	f.Fuzz(func(t *testing.T, body []byte) {
		cfg := Config{"aes256", "sha256", key(256)}
		k := keysWith(t, cfg)
		packet := slices.Concat(body, k.slots[1].mac.compute(body))
		before := bytes.Clone(packet)
		plain, err := k.Open(packet)
		if err != nil {
			if !bytes.Equal(packet, before) {
				t.Fatal("a packet that was refused was changed")
			}
		} else if !bytes.Equal(reference(cfg, plain, before), before) {
			t.Fatalf("opens to % x, which seals to something else", plain)
		}
	})
}

// FuzzChains compares with the standard library: chains of any lengths, up to any
// number of them together.
func FuzzChains(f *testing.F) {
	f.Add(uint8(0), []byte{1, 0, 5, 0})
	f.Add(uint8(1), []byte{90, 0, 90, 0, 90, 0, 90, 0, 3, 0})
	f.Add(uint8(2), []byte{1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10, 0, 0, 1})
	f.Fuzz(func(t *testing.T, size uint8, lengths []byte) {
		secret := key(32)[:16+8*(int(size)%3)]
		secret[0] = size
		fast, std := newChains(secret), newStdChains(secret)
		var got, want [][]byte
		for len(lengths) >= 2 && len(got) < 40 {
			blocks := 1 + int(binary.LittleEndian.Uint16(lengths))%300
			lengths = lengths[2:]
			chain := key(len(got) + (1+blocks)*blockSize)[len(got):]
			got, want = append(got, chain), append(want, bytes.Clone(chain))
		}
		plain := make([][]byte, len(got))
		for i := range got {
			plain[i] = bytes.Clone(got[i])
		}
		fast.encrypt(got)
		std.encrypt(want)
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("chain %d of %d, %d bytes: encrypted differently", i, len(got), len(got[i]))
			}
			fast.decrypt(got[i])
			if !bytes.Equal(got[i], plain[i]) {
				t.Fatalf("chain %d of %d, %d bytes: decrypted differently", i, len(got), len(got[i]))
			}
			std.decrypt(want[i])
			if !bytes.Equal(want[i], plain[i]) {
				t.Fatalf("chain %d: the standard library decrypts differently", i)
			}
		}
	})
}
