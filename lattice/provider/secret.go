package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nkeys"

	"github.com/lathhost/lath/lattice"
)

// Secret is the value of a secret, a text or bytes. Printing it does not show
// the value.
type Secret struct {
	text    string
	bytes   []byte
	isBytes bool
}

// TextSecret makes a secret of a text.
func TextSecret(s string) Secret { return Secret{text: s} }

// BytesSecret makes a secret of bytes, which it keeps.
func BytesSecret(b []byte) Secret { return Secret{bytes: b, isBytes: true} }

// Text returns the value of a secret that is a text.
func (s Secret) Text() (text string, ok bool) { return s.text, !s.isBytes }

// Bytes returns the value of a secret, which may be a text.
func (s Secret) Bytes() []byte {
	if s.isBytes {
		return s.bytes
	}
	return []byte(s.text)
}

// redacted is what is shown of a secret.
const redacted = "redacted"

// String hides the value.
func (s Secret) String() string { return redacted }

// GoString hides the value.
func (s Secret) GoString() string { return "provider.Secret{}" }

// The kinds of secrets in JSON.
const (
	kindText  = "String"
	kindBytes = "Bytes"
)

type secretJSON struct {
	Kind  string          `json:"kind"`
	Value json.RawMessage `json:"value"`
}

// Equal says whether both have the same value, of the same kind.
func (s Secret) Equal(o Secret) bool {
	return s.isBytes == o.isBytes && s.text == o.text && bytes.Equal(s.bytes, o.bytes)
}

// MarshalJSON hides the value, so that no logger writes it by the way of JSON. See
// [PlainSecret].
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// PlainSecret is a secret whose JSON, v1's form, has the value in plain text: only
// for what is sealed, and for a pipe to a provider.
type PlainSecret Secret

// String hides the value.
func (s PlainSecret) String() string { return redacted }

// GoString hides the value.
func (s PlainSecret) GoString() string { return "provider.PlainSecret{}" }

// plainSecrets are secrets to be sealed, or piped; never nil.
func plainSecrets(secrets map[string]Secret) map[string]PlainSecret {
	plain := make(map[string]PlainSecret, len(secrets))
	for name, s := range secrets {
		plain[name] = PlainSecret(s)
	}
	return plain
}

// UnmarshalJSON reads v1's form.
func (s *PlainSecret) UnmarshalJSON(data []byte) error { return (*Secret)(s).UnmarshalJSON(data) }

// MarshalJSON writes v1's form.
func (s PlainSecret) MarshalJSON() ([]byte, error) {
	out := secretJSON{Kind: kindText}
	var err error
	if s.isBytes {
		out.Kind = kindBytes
		out.Value, err = marshalNumbers(s.bytes)
	} else {
		out.Value, err = lattice.EncodeJSON(s.text)
	}
	if err != nil {
		return nil, err
	}
	return lattice.EncodeJSON(out)
}

// UnmarshalJSON reads v1's form. Its errors do not repeat the value.
func (s *Secret) UnmarshalJSON(data []byte) error {
	var in secretJSON
	if json.Unmarshal(data, &in) != nil {
		return fmt.Errorf("secret: %w: want an object of kind and value", lattice.ErrInvalid)
	}
	switch in.Kind {
	case kindText:
		var text *string
		if json.Unmarshal(in.Value, &text) != nil || text == nil {
			return fmt.Errorf("secret: %w: its value is no text", lattice.ErrInvalid)
		}
		*s = TextSecret(*text)
	case kindBytes:
		b, err := unmarshalNumbers(in.Value)
		if err != nil {
			return fmt.Errorf("secret: %w: its value is no list of bytes", lattice.ErrInvalid)
		}
		*s = BytesSecret(b)
	default:
		return fmt.Errorf("secret: %w: kind %.20q is neither %s nor %s", lattice.ErrInvalid, in.Kind, kindText, kindBytes)
	}
	return nil
}

// Keys are what one provider's secrets are sealed with: a curve key pair of its
// host, made for this provider alone, and one of the provider, which learns its
// private key from its host data. Source: protocol §10.3.
type Keys struct {
	host           nkeys.KeyPair
	hostPublic     string
	providerPublic string
	providerSeed   string
}

// NewKeys makes keys.
func NewKeys() (*Keys, error) {
	host, err := nkeys.CreateCurveKeys()
	if err != nil {
		return nil, fmt.Errorf("make keys for a provider's secrets: %w", err)
	}
	own, err := nkeys.CreateCurveKeys()
	if err != nil {
		return nil, fmt.Errorf("make keys for a provider's secrets: %w", err)
	}
	defer own.Wipe()
	k := &Keys{host: host}
	var seed []byte
	k.hostPublic, err = host.PublicKey()
	if err == nil {
		k.providerPublic, err = own.PublicKey()
	}
	if err == nil {
		seed, err = own.Seed()
	}
	if err != nil {
		return nil, fmt.Errorf("make keys for a provider's secrets: %w", err)
	}
	k.providerSeed = string(seed)
	return k, nil
}

// ProviderPublic is the public key of the provider (X…), by which its host
// addresses the links that are for this process.
func (k *Keys) ProviderPublic() string { return k.providerPublic }

// Fill tells the provider its part of the keys.
func (k *Keys) Fill(d *HostData) {
	d.HostXKey, d.ProviderXKeySeed = k.hostPublic, k.providerSeed
}

// Seal makes what only the provider can read of secrets, and nil of none.
func (k *Keys) Seal(secrets map[string]Secret) (Sealed, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	plain, err := lattice.EncodeJSON(plainSecrets(secrets))
	if err != nil {
		return nil, fmt.Errorf("seal secrets: %w", err)
	}
	defer clear(plain)
	sealed, err := k.host.Seal(plain, k.providerPublic)
	if err != nil {
		return nil, fmt.Errorf("seal secrets: %w", err)
	}
	return sealed, nil
}

// errSealed says nothing of what was sealed.
var errSealed = errors.New("they are sealed for another provider, or damaged")

// OpenSecrets reads what the host has sealed for the provider of this host data.
func (d *HostData) OpenSecrets(s Sealed) (map[string]Secret, error) {
	if len(s) == 0 {
		return nil, nil
	}
	if d.ProviderXKeySeed == "" {
		return nil, fmt.Errorf("open secrets: %w: the host gave no key to read them with", lattice.ErrInvalid)
	}
	own, err := nkeys.FromCurveSeed([]byte(d.ProviderXKeySeed))
	if err != nil {
		return nil, fmt.Errorf("open secrets: %w: the provider's key is no curve seed (SX…)", lattice.ErrInvalid)
	}
	defer own.Wipe()
	plain, err := own.Open(s, d.HostXKey)
	if err != nil {
		return nil, fmt.Errorf("open secrets: %w: %w", lattice.ErrInvalid, errSealed)
	}
	defer clear(plain)
	var secrets map[string]Secret
	if err := lattice.DecodeJSON(plain, MaxMessage, &secrets); err != nil {
		return nil, fmt.Errorf("open secrets: %w: what was sealed is no map of secrets", lattice.ErrInvalid)
	}
	return secrets, nil
}
