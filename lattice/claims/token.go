package claims

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/lathhost/lath/lattice"
)

// maxToken bounds a token, in bytes.
const maxToken = 256 << 10

// hashedSince is the revision of the format from which a component's token has
// the hash of its bytes.
const hashedSince = 3

// ErrExpired means that a token was good once.
var ErrExpired = errors.New("the claims have expired")

// Token is a token whose signature is good.
type Token struct {
	// Subject is the public key of what was signed, a module (M) or a service
	// (V), and Issuer that of the account (A) which signed it.
	Subject, Issuer string
	// NotBefore and Expires bound the time in which it is good; zero: no bound.
	NotBefore, Expires time.Time

	Name, Version string
	Revision      int32
	CallAlias     string
	Tags          []string
	// Vendor and ConfigSchema are a provider's; the schema is JSON, or empty.
	Vendor       string
	ConfigSchema json.RawMessage

	targets map[string]string // hashes of a provider's files, in hexadecimal digits

	// Text is the token as it was read.
	Text string

	hash   string // of a component's bytes, in hexadecimal digits; may be empty
	format int
}

type headerJSON struct {
	Type      string `json:"typ"`
	Algorithm string `json:"alg"`
}

type payloadJSON struct {
	Expires   *int64 `json:"exp"`
	NotBefore *int64 `json:"nbf"`
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Format    *int   `json:"wascap_revision"`
	Metadata  struct {
		Name      string   `json:"name"`
		Hash      string   `json:"hash"`
		Tags      []string `json:"tags"`
		Revision  int32    `json:"rev"`
		Version   string   `json:"ver"`
		CallAlias string   `json:"call_alias"`

		Vendor  string            `json:"vendor"`
		Schema  json.RawMessage   `json:"config_schema"`
		Targets map[string]string `json:"target_hashes"`
	} `json:"wascap"`
}

// Parse reads a token and verifies its signature. Errors match
// lattice.ErrInvalid.
func Parse(text string) (*Token, error) {
	if len(text) > maxToken {
		return nil, fmt.Errorf("claims: %w: %d bytes, the limit is %d", lattice.ErrInvalid, len(text), maxToken)
	}
	signed, sig64, ok := cutLast(text)
	head64, body64, two := strings.Cut(signed, ".")
	if !ok || !two || strings.Contains(body64, ".") {
		return nil, fmt.Errorf("claims: %w: want three parts with dots between them", lattice.ErrInvalid)
	}
	var header headerJSON
	var p payloadJSON
	if err := errors.Join(part(head64, &header), part(body64, &p)); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	if !strings.EqualFold(header.Type, "jwt") || header.Algorithm != "Ed25519" {
		return nil, fmt.Errorf("claims: %w: want a JWT signed by Ed25519, not %.20q by %.20q", lattice.ErrInvalid, header.Type, header.Algorithm)
	}
	if err := verify(p.Issuer, signed, sig64); err != nil {
		return nil, fmt.Errorf("claims: %w: %w", lattice.ErrInvalid, err)
	}
	if !isSubject(p.Subject) {
		return nil, fmt.Errorf("claims: %w: the subject %.60q is no public key of a module or service", lattice.ErrInvalid, p.Subject)
	}
	t := &Token{Subject: p.Subject, Issuer: p.Issuer, NotBefore: at(p.NotBefore), Expires: at(p.Expires), Name: p.Metadata.Name,
		Version: p.Metadata.Version, Revision: p.Metadata.Revision, CallAlias: p.Metadata.CallAlias, Tags: p.Metadata.Tags,
		Vendor: p.Metadata.Vendor, Text: text, targets: p.Metadata.Targets, hash: p.Metadata.Hash}
	if string(p.Metadata.Schema) != "null" {
		t.ConfigSchema = p.Metadata.Schema
	}
	if p.Format != nil {
		t.format = *p.Format
	}
	return t, nil
}

// isSubject checks the form of a module's or service's public key, kinds that
// Go's nkeys does not know. That it is the signer's is what the signature says.
func isSubject(key string) bool {
	const letters = 56
	if len(key) != letters || key[0] != 'M' && key[0] != 'V' {
		return false
	}
	_, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
	return err == nil
}

func cutLast(text string) (before, after string, ok bool) {
	i := strings.LastIndexByte(text, '.')
	if i < 0 {
		return "", "", false
	}
	return text[:i], text[i+1:], true
}

func part(text string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return fmt.Errorf("%w: %w", lattice.ErrInvalid, err)
	}
	return lattice.DecodeJSON(raw, maxToken, into)
}

func verify(issuer, signed, sig64 string) error {
	sig, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(sig64, "="))
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	if !nkeys.IsValidPublicAccountKey(issuer) {
		return fmt.Errorf("the issuer %.60q is no account's public key", issuer)
	}
	key, err := nkeys.FromPublicKey(issuer)
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if err := key.Verify([]byte(signed), sig); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	return nil
}

func at(unix *int64) time.Time {
	if unix == nil {
		return time.Time{}
	}
	return time.Unix(*unix, 0)
}

// Check reports why the token is not good at a time: [ErrExpired], or that it is
// not good yet.
func (t *Token) Check(now time.Time) error {
	switch {
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return fmt.Errorf("%w on %s", ErrExpired, t.Expires.UTC().Format(time.RFC3339))
	case !t.NotBefore.IsZero() && now.Before(t.NotBefore):
		return fmt.Errorf("%w: the claims are not good before %s", lattice.ErrInvalid, t.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// OfComponent returns the claims embedded in a component, which are verified with
// the component's bytes, or nil where it is not signed.
func OfComponent(wasm []byte, now time.Time) (*Token, error) {
	text, rest, err := embedded(wasm)
	if err != nil || text == "" {
		return nil, err
	}
	t, err := Parse(text)
	if err == nil {
		err = t.Check(now)
	}
	if err != nil {
		return nil, err
	}
	if t.IsProvider() {
		return nil, fmt.Errorf("claims: %w: they are of a provider (%s), not of a component", lattice.ErrInvalid, t.Subject)
	}
	if t.format < hashedSince {
		return t, nil
	}
	sum := sha256.New()
	for _, b := range rest {
		sum.Write(b)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, t.hash) {
		return nil, fmt.Errorf("claims: %w: they were made for other bytes (hash %.64s) than these (%s)", lattice.ErrInvalid, t.hash, got)
	}
	return t, nil
}
