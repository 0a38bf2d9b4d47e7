package config

import (
	"fmt"
	"slices"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// DefaultKeyFile is read when neither totem.keyfile nor totem.key is set.
const DefaultKeyFile = "/etc/corosync/authkey"

// readCrypto reads the crypto options and the key (totemconfig.c:
// totem_get_crypto, totem_config_keyread). Words that the parser would have refused, as
// they can come through cmap, count as none.
func readCrypto(m *cmap.Map, env Env, c *Crypto, f *fault) string {
	*c = Crypto{Model: "nss", Cipher: "none", Hash: "none"}
	if s, ok := m.Str("totem.crypto_model"); ok {
		c.Model = s
	}
	if s, _ := m.Str("totem.secauth"); s == "on" {
		c.Cipher, c.Hash = "aes256", "sha256"
	}
	if s, ok := m.Str("totem.crypto_cipher"); ok && slices.Contains([]string{"none", "aes256", "aes192", "aes128"}, s) {
		c.Cipher = s
	}
	if s, ok := m.Str("totem.crypto_hash"); ok && slices.Contains([]string{"none", "md5", "sha1", "sha256", "sha384", "sha512"}, s) {
		c.Hash = s
	}
	switch {
	case c.Cipher != "none" && c.Hash == "none":
		return f.at("crypto_cipher requires crypto_hash with value other than none", "totem.crypto_cipher", "totem.crypto_hash")
	case c.Model == "none":
		return f.at("invalid crypto_model", "totem.crypto_model")
	case !c.Enabled():
		return ""
	}
	return readKey(m, env, c, f)
}

func readKey(m *cmap.Map, env Env, c *Crypto, f *fault) string {
	keyfileKeys := []string{"totem.keyfile"}
	path, ok := m.Str("totem.keyfile")
	if !ok { // the default file: why is there to be a key at all?
		keyfileKeys = cryptoKeys()
	}
	if !ok {
		if v, inMap := m.Get("totem.key"); inMap {
			switch {
			case len(v.Raw) > maxKey:
				return f.at("key is too long", "totem.key")
			case len(v.Raw) < minKey:
				return f.at("key is too short", "totem.key")
			}
			c.Key = v.Raw
			return ""
		}
		path = DefaultKeyFile
	}
	data, err := env.ReadFile(path, maxKey)
	if err == ErrDirectory {
		return f.at(fmt.Sprintf("Could not read %s: %v", path, err), keyfileKeys...)
	}
	if err != nil {
		return f.at(fmt.Sprintf("Could not open %s: %v", path, err), keyfileKeys...)
	}
	if len(data) < minKey {
		return f.at(fmt.Sprintf("Could only read %d bits of minimum %d bits from %s.", len(data)*8, minKey*8, path), keyfileKeys...)
	}
	c.Key = string(data)
	return ""
}
