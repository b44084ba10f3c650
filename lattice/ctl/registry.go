package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/lathhost/lath/lattice"
)

// maxRegistries bounds the registries of one request.
const maxRegistries = 1024

// RegistryAuth is how to log in to one image registry.
type RegistryAuth struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Token    string `json:"token,omitempty"`
	// Type is "oci", or empty for it.
	Type string `json:"registryType,omitempty"`
}

// maxSecret bounds a password and a token, in bytes.
const maxSecret = 64 << 10

func (r *RegistryAuth) validate(address string) error {
	at := func(field string) string { return fmt.Sprintf("registry %.80q: %s", address, field) }
	return errors.Join(length(at("username"), r.Username, maxText), length(at("registryType"), r.Type, maxText),
		length(at("password"), r.Password, maxSecret), length(at("token"), r.Token, maxSecret))
}

// String hides what is secret.
func (RegistryAuth) String() string { return "(registry credentials)" }

// GoString hides what is secret.
func (r RegistryAuth) GoString() string { return r.String() }

func putRegistries(ctx context.Context, s *Server, r *request) (answer, error) {
	var auths map[string]RegistryAuth
	if err := decode("registry credentials", r.body, &auths); err != nil {
		return answer{}, err
	}
	if err := atMost("registries", len(auths), maxRegistries); err != nil {
		return answer{}, err
	}
	for address, auth := range auths {
		if err := errors.Join(length("registry", address, maxText), auth.validate(address)); err != nil {
			return answer{}, err
		}
	}
	return answer{message: "successfully put registries"}, s.cfg.Handler.PutRegistries(ctx, auths)
}

// PutRegistries tells all hosts that are there now how to log in to registries,
// and does not wait for them.
func (c *Client) PutRegistries(ctx context.Context, auths map[string]RegistryAuth) error {
	typed := make(map[string]RegistryAuth, len(auths))
	for addr, auth := range auths {
		auth.Type = cmp.Or(auth.Type, "oci") // v1 always writes it
		typed[addr] = auth
	}
	body, err := lattice.EncodeJSON(typed)
	if err == nil {
		err = errors.Join(c.cfg.Conn.Publish(c.subjects.Verb(lattice.KindRegistry, "put"), body), lattice.Flush(ctx, c.cfg.Conn))
	}
	if err != nil {
		return fmt.Errorf("put registries: %w", lattice.Disconnected(err))
	}
	return nil
}
