package state

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
)

// maxClaims bounds the claims that one question reads.
const maxClaims = 10_000

// Claims are what a signed component or provider says of itself.
type Claims struct {
	Subject, Issuer, Name, Revision, Version string
	// IsComponent tells components, which alone have an alias and tags.
	IsComponent bool
	CallAlias   string
	Tags        []string
	// ConfigSchema is a provider's.
	ConfigSchema string
}

// claimsJSON is v1's form; a list of tags, also an empty one, makes it a
// component's. The older names are read, not written.
type claimsJSON struct {
	CallAlias    string          `json:"call_alias,omitempty"`
	Issuer       string          `json:"issuer"`
	Name         string          `json:"name"`
	Revision     string          `json:"revision"`
	Subject      string          `json:"subject"`
	Tags         json.RawMessage `json:"tags,omitempty"`
	Version      string          `json:"version"`
	ConfigSchema json.RawMessage `json:"config_schema,omitempty"`

	Iss string `json:"iss,omitempty"`
	Rev string `json:"rev,omitempty"`
	Sub string `json:"sub,omitempty"`
}

func (c *Claims) encode() ([]byte, error) {
	out := claimsJSON{CallAlias: c.CallAlias, Issuer: c.Issuer, Name: c.Name, Revision: c.Revision, Subject: c.Subject, Version: c.Version}
	if c.IsComponent {
		tags := c.Tags
		if tags == nil {
			tags = []string{}
		}
		var err error
		if out.Tags, err = lattice.EncodeJSON(tags); err != nil {
			return nil, err
		}
	}
	if c.ConfigSchema != "" {
		out.ConfigSchema = json.RawMessage(c.ConfigSchema)
	}
	return lattice.EncodeJSON(out)
}

func decodeClaims(subject string, data []byte, limit int) (*Claims, error) {
	var in claimsJSON
	if err := lattice.DecodeJSON(data, limit, &in); err != nil {
		return nil, err
	}
	c := &Claims{Subject: cmp.Or(in.Subject, in.Sub), Issuer: cmp.Or(in.Issuer, in.Iss), Name: in.Name,
		Revision: cmp.Or(in.Revision, in.Rev), Version: in.Version, CallAlias: in.CallAlias}
	if c.Subject != subject {
		return nil, fmt.Errorf("%w: it is of %.80q", lattice.ErrInvalid, c.Subject)
	}
	if len(in.ConfigSchema) > 0 && string(in.ConfigSchema) != "null" {
		c.ConfigSchema = string(in.ConfigSchema)
	}
	if len(in.Tags) == 0 {
		return c, nil
	}
	c.IsComponent = true
	var joined string
	if json.Unmarshal(in.Tags, &joined) == nil {
		c.Tags = slices.DeleteFunc(strings.Split(joined, ","), func(t string) bool { return t == "" })
		return c, nil
	}
	return c, lattice.DecodeJSON(in.Tags, limit, &c.Tags)
}

// Flat returns the claims in the form in which v1 answers claims.get.
func (c *Claims) Flat() map[string]string {
	flat := map[string]string{"iss": c.Issuer, "issuer": c.Issuer, "name": c.Name, "rev": c.Revision, "revision": c.Revision,
		"sub": c.Subject, "subject": c.Subject, "version": c.Version}
	if c.IsComponent {
		flat["call_alias"], flat["tags"] = c.CallAlias, strings.Join(c.Tags, ",")
	}
	if c.ConfigSchema != "" {
		flat["config_schema"] = c.ConfigSchema
	}
	return flat
}

// PutClaims stores what a signed thing says of itself. Errors are PutLink's.
func (s *Store) PutClaims(ctx context.Context, c *Claims) error {
	if err := lattice.ValidID(c.Subject); err != nil {
		return fmt.Errorf("put claims: %w", err)
	}
	data, err := c.encode()
	if err != nil {
		return fmt.Errorf("put claims of %s: %w", c.Subject, err)
	}
	if limit := s.maxValue(); len(data) > limit {
		return fmt.Errorf("put claims of %s: %w: %d bytes, the limit is %d", c.Subject, lattice.ErrInvalid, len(data), limit)
	}
	ctx, cancel := s.request(ctx)
	defer cancel()
	if _, err := s.specBucket.Put(ctx, lattice.ClaimsKey(c.Subject), data); err != nil {
		return fmt.Errorf("put claims of %s: %w", c.Subject, s.explain(ctx, err))
	}
	return nil
}

// Claims reads all claims of the lattice, ordered by subject. Those that make no
// sense are left out.
func (s *Store) Claims(ctx context.Context) ([]*Claims, error) {
	ctx, cancel := s.request(ctx)
	defer cancel()
	keys, err := s.specBucket.ListKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list claims: %w", s.explain(ctx, err))
	}
	defer func() { _ = keys.Stop() }() // it fails where the watch has ended
	var subjects []string
	for key := range keys.Keys() {
		if subject, ok := strings.CutPrefix(key, lattice.ClaimsKey("")); ok && len(subjects) < maxClaims {
			subjects = append(subjects, subject)
		}
	}
	slices.Sort(subjects)
	var list []*Claims
	for _, subject := range subjects {
		kve, err := s.specBucket.Get(ctx, lattice.ClaimsKey(subject))
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read claims of %.80s: %w", subject, s.explain(ctx, err))
		}
		if c, err := decodeClaims(subject, kve.Value(), s.opts.MaxSpecSize); err == nil {
			list = append(list, c)
		}
	}
	return list, nil
}
