package secret

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nkeys"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
)

// The limits of one secret.
const (
	// MaxValue is the size of its value, in bytes.
	MaxValue = 64 << 10
	// MaxRecipients is how many keys it may be sealed for.
	MaxRecipients = 32
	// MaxAllowed is how many ids, or starts of ids, may have it.
	MaxAllowed = 64
)

// MaxEntry bounds an entry of the bucket, in bytes: boxes of a value whose bytes
// are written as numbers, in base64. NATS's own limit holds too.
const MaxEntry = 16 << 20

// Key is a curve key that opens what was sealed for it. It is safe for concurrent
// use.
type Key struct {
	pair   nkeys.KeyPair
	public string
}

// NewKey makes a key.
func NewKey() (*Key, error) {
	pair, err := nkeys.CreateCurveKeys()
	if err != nil {
		return nil, fmt.Errorf("make a key for secrets: %w", err)
	}
	return newKey(pair)
}

// ParseKey reads a key's seed (SX…). Errors match lattice.ErrInvalid and do not
// repeat it.
func ParseKey(seed string) (*Key, error) {
	pair, err := nkeys.FromCurveSeed([]byte(seed))
	if err != nil {
		return nil, fmt.Errorf("key for secrets: %w: want the seed of a curve key (SX…), as made by: lath keys new xkey", lattice.ErrInvalid)
	}
	return newKey(pair)
}

func newKey(pair nkeys.KeyPair) (*Key, error) {
	public, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("key for secrets: %w", err)
	}
	return &Key{pair: pair, public: public}, nil
}

// Public returns the public key (X…).
func (k *Key) Public() string { return k.public }

// Seed returns the key itself.
func (k *Key) Seed() (string, error) {
	seed, err := k.pair.Seed()
	return string(seed), err
}

// String returns the public key.
func (k *Key) String() string { return k.public }

// GoString keeps the seed out of %#v.
func (k *Key) GoString() string { return "secret.Key(" + k.public + ")" }

// ValidPublic checks a public curve key.
func ValidPublic(key string) error {
	if !nkeys.IsValidPublicCurveKey(key) {
		return fmt.Errorf("key %.60q: %w: want a public curve key (X…, 56 characters)", key, lattice.ErrInvalid)
	}
	return nil
}

// Sealed is a secret that only the holders of some keys can read.
type Sealed struct {
	// From is the public key that sealed it, which is used once.
	From string `json:"from"`
	// Boxes are by the public keys of those who can open them.
	Boxes map[string][]byte `json:"boxes"`
}

// Recipients returns the public keys that it is sealed for, in order.
func (s *Sealed) Recipients() []string { return slices.Sorted(maps.Keys(s.Boxes)) }

// content is what is sealed.
type content struct {
	Key   string               `json:"key"`
	For   []string             `json:"for"`
	Value provider.PlainSecret `json:"secret"`
}

// Opened is a secret that was sealed.
type Opened struct {
	Value provider.Secret
	// For are the ids of components and providers that may have it; a star at the
	// end of one stands for any rest.
	For []string
}

// Allows says whether the component or provider of that id may have the secret.
func (o Opened) Allows(id string) bool { return Allows(o.For, id) }

// Allows says whether an id is one of a list, in which a star at the end of an id
// stands for any rest.
func Allows(list []string, id string) bool {
	return slices.ContainsFunc(list, func(pattern string) bool { return matches(pattern, id) })
}

func matches(pattern, s string) bool {
	if n := len(pattern) - 1; n >= 0 && pattern[n] == '*' {
		return len(s) >= n && s[:n] == pattern[:n]
	}
	return pattern == s
}

// Seal seals a secret for the holders of keys. Errors match lattice.ErrInvalid, but
// for those of the machine.
func Seal(key string, o Opened, recipients []string) (*Sealed, error) {
	if err := validSecret(key, o, recipients); err != nil {
		return nil, err
	}
	from, err := nkeys.CreateCurveKeys()
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	defer from.Wipe()
	public, err := from.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	plain, err := lattice.EncodeJSON(content{key, o.For, provider.PlainSecret(o.Value)})
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	defer clear(plain)
	s := &Sealed{From: public, Boxes: make(map[string][]byte, len(recipients))}
	for _, to := range recipients {
		if s.Boxes[to], err = from.Seal(plain, to); err != nil {
			return nil, fmt.Errorf("seal for %s: %w", to, err)
		}
	}
	return s, nil
}

func validSecret(key string, o Opened, recipients []string) error {
	if err := lattice.ValidSecretKey(key); err != nil {
		return err
	}
	switch n := len(o.Value.Bytes()); {
	case n > MaxValue:
		return fmt.Errorf("secret %s: %w: %d bytes, the limit is %d", key, lattice.ErrInvalid, n, MaxValue)
	case len(o.For) == 0 || len(o.For) > MaxAllowed:
		return fmt.Errorf("secret %s: %w: it is for %d ids, want 1 to %d", key, lattice.ErrInvalid, len(o.For), MaxAllowed)
	case len(recipients) == 0 || len(recipients) > MaxRecipients:
		return fmt.Errorf("secret %s: %w: it is sealed for %d keys, want 1 to %d", key, lattice.ErrInvalid, len(recipients), MaxRecipients)
	}
	for _, to := range recipients {
		if err := ValidPublic(to); err != nil {
			return fmt.Errorf("secret %s: %w", key, err)
		}
	}
	return nil
}

// DecodeSealed reads an entry of the bucket. Errors match lattice.ErrInvalid.
func DecodeSealed(data []byte) (*Sealed, error) {
	s := &Sealed{}
	if err := lattice.DecodeJSON(data, MaxEntry, s); err != nil {
		return nil, fmt.Errorf("sealed secret: %w", err)
	}
	if err := ValidPublic(s.From); err != nil || len(s.Boxes) == 0 || len(s.Boxes) > MaxRecipients {
		return nil, fmt.Errorf("sealed secret: %w: it names no key that sealed it, or is for %d keys", lattice.ErrInvalid, len(s.Boxes))
	}
	return s, nil
}

// Open opens the secret that is stored under a key. Errors match lattice.ErrDenied
// where it was not sealed for k, and else lattice.ErrInvalid.
func (s *Sealed) Open(key string, k *Key) (Opened, error) {
	box, is := s.Boxes[k.public]
	if !is {
		return Opened{}, fmt.Errorf("secret %s: %w: it is not sealed for key %s; put it again with --recipient %[3]s", key, lattice.ErrDenied, k.public)
	}
	plain, err := k.pair.Open(box, s.From)
	if err != nil {
		return Opened{}, fmt.Errorf("secret %s: %w: it is damaged", key, lattice.ErrInvalid)
	}
	defer clear(plain)
	var c content
	if json.Unmarshal(plain, &c) != nil {
		return Opened{}, fmt.Errorf("secret %s: %w: what was sealed is no secret", key, lattice.ErrInvalid)
	}
	if c.Key != key {
		return Opened{}, fmt.Errorf("secret %s: %w: it was sealed under another name", key, lattice.ErrInvalid)
	}
	return Opened{Value: provider.Secret(c.Value), For: c.For}, nil
}
