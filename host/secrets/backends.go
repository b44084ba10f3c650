package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
)

// The names of the backends of every host.
const (
	Lath  = "lath"
	Env   = "env"
	File  = "file"
	Vault = "vault"
)

// Backend is a place of secrets. It is asked by many at a time.
type Backend interface {
	// Get returns a secret. Errors match those of package lattice where they are one
	// of them, and never have a value.
	Get(ctx context.Context, r secret.Request) (provider.Secret, error)
}

// Places are where a host looks for secrets.
type Places struct {
	// Key opens the lattice's sealed secrets. Nil: there are none for this host.
	Key *secret.Key
	// Dir is the folder of the backend "file". Empty: there is none.
	Dir string
	// Vault is the server of the backend "vault". Nil: there is none.
	Vault *VaultServer
	// Topic is the base of the subjects of v1's backends. Empty: there are none.
	Topic string
}

// Config says what [New] makes a finder of.
type Config struct {
	Places
	Conn            *lattice.Conn
	Lattice, Domain string
	Host            *lattice.Identity
	// LookupEnv finds a variable; os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// Granted returns what the operator grants an id: "backend:key", where a star at
	// the end stands for any rest.
	Granted func(id string) []string
}

// Finder finds secrets. It is safe for concurrent use.
type Finder struct {
	backends map[string]Backend
	other    Backend // nil: there is none
	granted  func(id string) []string
}

// New makes a finder. It does no I/O.
func New(cfg Config) (*Finder, error) {
	f := &Finder{granted: cfg.Granted, backends: map[string]Backend{Env: env{cfg.LookupEnv}}}
	if cfg.Key != nil {
		store, err := secret.NewStore(cfg.Conn, cfg.Lattice, cfg.Domain, 0)
		if err != nil {
			return nil, err
		}
		f.backends[Lath] = &sealed{store, cfg.Key}
	}
	if cfg.Dir != "" {
		f.backends[File] = folder{cfg.Dir}
	}
	if cfg.Vault != nil {
		v, err := newVault(*cfg.Vault)
		if err != nil {
			return nil, err
		}
		f.backends[Vault] = v
	}
	if cfg.Topic != "" {
		c, err := secret.NewClient(cfg.Conn, cfg.Topic, cfg.Host)
		if err != nil {
			return nil, err
		}
		f.other = c
	}
	return f, nil
}

// Get returns the secret that a reference names, if the entity may have it.
func (f *Finder) Get(ctx context.Context, r secret.Request) (provider.Secret, error) {
	s, err := f.get(ctx, r)
	if err != nil {
		return provider.Secret{}, fmt.Errorf("secret %s of %s: %w", r.Name, r.Entity.ID, err)
	}
	return s, nil
}

func (f *Finder) get(ctx context.Context, r secret.Request) (s provider.Secret, err error) {
	if err := r.Validate(); err != nil {
		return s, err
	}
	b, local := f.backends[r.Backend]
	if !local {
		if f.other == nil {
			return s, f.unknown(r.Backend)
		}
		return f.other.Get(ctx, r) // which decides by itself, and knows fields
	}
	if place := r.Backend + ":" + r.Key; r.Backend != Lath && !secret.Allows(f.granted(r.Entity.ID), place) {
		return s, fmt.Errorf("%w: this host does not grant %s; its operator does so in the --grants file: components: {%s: {secrets: [%q]}}",
			lattice.ErrDenied, place, r.Entity.ID, place)
	}
	if s, err = b.Get(ctx, r); err != nil {
		return s, err
	}
	return field(s, r.Field)
}

func (f *Finder) unknown(backend string) error {
	have := []string{}
	for name := range f.backends {
		have = append(have, name)
	}
	slices.Sort(have)
	hint := "those of wasmCloud v1 need --secrets-topic"
	switch backend {
	case Lath:
		hint = "this one needs --secrets-key"
	case File:
		hint = "this one needs --secrets-dir"
	case Vault:
		hint = "this one needs --vault-addr or --secrets-topic"
	}
	return fmt.Errorf("%w: this host has no backend %q; it has %s: %s", lattice.ErrUnsupported, backend, strings.Join(have, ", "), hint)
}

// field returns one value of a secret that is a JSON object; the secret itself for
// an empty name.
func field(s provider.Secret, name string) (provider.Secret, error) {
	if name == "" {
		return s, nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(s.Bytes(), &fields) != nil {
		return provider.Secret{}, fmt.Errorf("field %.60q: %w: the secret is no JSON object", name, lattice.ErrInvalid)
	}
	raw, is := fields[name]
	if !is {
		return provider.Secret{}, fmt.Errorf("field %.60q: %w", name, lattice.ErrNotFound)
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw) // a number, or more of JSON
	}
	return provider.TextSecret(text), nil
}

// fromBytes makes a secret of what stood in a file: a text, without one line end at
// its end, or else bytes as they are.
func fromBytes(data []byte) (provider.Secret, error) {
	if len(data) > secret.MaxValue {
		return provider.Secret{}, fmt.Errorf("%w: more than %d bytes", lattice.ErrInvalid, secret.MaxValue)
	}
	if !utf8.Valid(data) {
		return provider.BytesSecret(data), nil
	}
	text := strings.TrimSuffix(string(data), "\n")
	return provider.TextSecret(strings.TrimSuffix(text, "\r")), nil
}

// sealed is the lattice's own bucket.
type sealed struct {
	store *secret.Store
	key   *secret.Key
}

// Get implements Backend.
func (b *sealed) Get(ctx context.Context, r secret.Request) (provider.Secret, error) {
	entry, err := b.store.Get(ctx, r.Key, r.Version)
	if errors.Is(err, lattice.ErrNotFound) {
		return provider.Secret{}, fmt.Errorf("%w: store it by: lath secret put %s", err, r.Key)
	}
	if err != nil {
		return provider.Secret{}, err
	}
	opened, err := entry.Open(r.Key, b.key)
	if err != nil {
		return provider.Secret{}, err
	}
	if !opened.Allows(r.Entity.ID) {
		return provider.Secret{}, fmt.Errorf("%w: it was stored for other ids; put it again with --for %s", lattice.ErrDenied, r.Entity.ID)
	}
	return opened.Value, nil
}
