package keys

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/lathhost/lath/lattice"
)

// Kind is what a key stands for.
type Kind struct {
	// Name is what people call it.
	Name string
	// Letter begins its public keys, and its seeds after an S.
	Letter byte
	// Curve tells keys that seal (X25519) from those that sign (Ed25519).
	Curve bool
}

// Kinds returns all kinds, in the order in which help names them.
func Kinds() []Kind {
	return []Kind{
		{Name: "account", Letter: 'A'}, {Name: "user", Letter: 'U'}, {Name: "host", Letter: 'N'},
		{Name: "component", Letter: 'M'}, {Name: "provider", Letter: 'V'}, {Name: "xkey", Letter: 'X', Curve: true},
		{Name: "operator", Letter: 'O'}, {Name: "cluster", Letter: 'C'},
	}
}

// synonyms are what NATS and wasmCloud call some kinds.
func synonyms() map[string]string {
	return map[string]string{"server": "host", "module": "component", "service": "provider", "curve": "xkey"}
}

// ParseKind returns the kind of a name, which may be NATS's or wasmCloud's.
func ParseKind(name string) (Kind, error) {
	if known, is := synonyms()[name]; is {
		name = known
	}
	var names []string
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kind{}, fmt.Errorf("kind of key %.40q: %w: want %s", name, lattice.ErrInvalid, strings.Join(names, ", "))
}

// Key is a public key, and its seed where that is known.
type Key struct {
	Kind   Kind
	Public string
	seed   string
}

// Seed returns the secret, or nothing if only the public key is known.
func (k *Key) Seed() string { return k.seed }

// String returns the public key, never the seed.
func (k *Key) String() string { return k.Public }

// GoString keeps the seed out of %#v.
func (k *Key) GoString() string { return "keys.Key(" + k.Public + ")" }

// rawLen is the length of a key's own bytes, and seedLen and publicLen those of
// its texts.
const (
	rawLen    = 32
	publicLen = 56
	seedLen   = 58
)

// letterS begins a seed.
const letterS = 'S' - 'A'

// New makes a key.
func New(kind Kind) (*Key, error) {
	raw := make([]byte, rawLen)
	if _, err := rand.Read(raw); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return fromRaw(kind, raw)
}

func fromRaw(kind Kind, raw []byte) (*Key, error) {
	letter := kind.Letter - 'A'
	var public []byte
	if kind.Curve {
		pair, err := ecdh.X25519().NewPrivateKey(raw)
		if err != nil {
			return nil, fmt.Errorf("%s key: %w", kind.Name, err)
		}
		public = pair.PublicKey().Bytes()
	} else {
		public = ed25519.NewKeyFromSeed(raw)[rawLen:]
	}
	return &Key{
		Kind:   kind,
		Public: encode([]byte{letter << 3}, public),
		seed:   encode([]byte{letterS<<3 | letter>>2, letter << 6}, raw),
	}, nil
}

// Parse reads a public key or a seed. Errors match lattice.ErrInvalid and never
// repeat what may be a secret.
func Parse(text string) (*Key, error) {
	text = strings.TrimSpace(text)
	if len(text) != publicLen && len(text) != seedLen {
		return nil, fmt.Errorf("key: %w: it has %d characters; a public key has %d, a seed %d and begins with S", lattice.ErrInvalid, len(text), publicLen, seedLen)
	}
	data, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	// The decoder passes over ends of lines, and over bits that are left at the end.
	if err != nil || base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(data) != text {
		return nil, fmt.Errorf("key: %w: want letters A to Z and digits 2 to 7", lattice.ErrInvalid)
	}
	body, sum := data[:len(data)-2], binary.LittleEndian.Uint16(data[len(data)-2:])
	if crc16(body) != sum {
		return nil, fmt.Errorf("key: %w: its checksum is wrong: a character is missing or another one", lattice.ErrInvalid)
	}
	if len(text) == publicLen {
		kind, err := kindOf(body[0] >> 3)
		if err != nil || body[0]&7 != 0 {
			return nil, fmt.Errorf("key: %w: no public key of a known kind", lattice.ErrInvalid)
		}
		return &Key{Kind: kind, Public: text}, nil
	}
	kind, err := kindOf(body[0]<<2&0x1c | body[1]>>6)
	if err != nil || body[0]>>3 != letterS || body[1]&0x3f != 0 {
		return nil, fmt.Errorf("key: %w: no seed of a known kind", lattice.ErrInvalid)
	}
	return fromRaw(kind, body[2:])
}

func kindOf(letter byte) (Kind, error) {
	all := Kinds()
	at := slices.IndexFunc(all, func(k Kind) bool { return k.Letter == 'A'+letter })
	if at < 0 {
		return Kind{}, lattice.ErrInvalid
	}
	return all[at], nil
}

func encode(prefix, raw []byte) string {
	data := append(slices.Clone(prefix), raw...)
	data = binary.LittleEndian.AppendUint16(data, crc16(data))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(data)
}

// crc16 is XMODEM's: polynomial 0x1021, from 0.
func crc16(data []byte) uint16 {
	crc := uint16(0)
	for _, b := range data {
		crc ^= uint16(b) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			if crc <<= 1; carry {
				crc ^= 0x1021
			}
		}
	}
	return crc
}
