package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lathhost/lath/lattice"
)

// The bounds of settings. A config must fit one message of NATS besides.
const (
	maxLabel      = 4 << 10 // bytes of a label's key, or value
	maxSettings   = 4096    // keys of one config
	maxRegistries = 1024
)

// coreLabel starts the labels that the host gives itself.
const coreLabel = "hostcore."

// PutLabel sets a label of a host, until the host ends.
type PutLabel struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (r *PutLabel) validate() error {
	return errors.Join(required("key", r.Key), ownLabel(r.Key), atMost("key", len(r.Key), maxLabel), atMost("value", len(r.Value), maxLabel))
}

// DeleteLabel takes a label of a host back.
type DeleteLabel struct {
	Key string `json:"key"`
}

func (r *DeleteLabel) validate() error {
	return errors.Join(required("key", r.Key), ownLabel(r.Key))
}

func ownLabel(key string) error {
	if len(key) >= len(coreLabel) && strings.EqualFold(key[:len(coreLabel)], coreLabel) {
		return errors.New("hostcore.* labels cannot be set dynamically")
	}
	return nil
}

func atMost(what string, n, limit int) error {
	if n > limit {
		return fmt.Errorf("%s: %w: %d, the limit is %d", what, lattice.ErrInvalid, n, limit)
	}
	return nil
}

// RegistryAuth is how to log in to one image registry.
type RegistryAuth struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Token    string `json:"token,omitempty"`
	// Type is "oci", or empty for it.
	Type string `json:"registryType,omitempty"`
}

// String hides what is secret.
func (RegistryAuth) String() string { return "(registry credentials)" }

// GoString hides what is secret.
func (r RegistryAuth) GoString() string { return r.String() }

func putLabel(ctx context.Context, s *Server, _ string, body []byte) (answer, error) {
	var req PutLabel
	if err := decodeChecked("put label request", body, &req); err != nil {
		return answer{}, err
	}
	return answer{message: "successfully put label"}, s.cfg.Handler.PutLabel(ctx, &req)
}

func deleteLabel(ctx context.Context, s *Server, _ string, body []byte) (answer, error) {
	var req DeleteLabel
	if err := decodeChecked("delete label request", body, &req); err != nil {
		return answer{}, err
	}
	known, err := s.cfg.Handler.DeleteLabel(ctx, &req)
	if !known {
		return answer{message: "successfully deleted label (no such label)"}, err
	}
	return answer{message: "successfully deleted label"}, err
}

func putConfig(ctx context.Context, s *Server, name string, body []byte) (answer, error) {
	var values map[string]string
	if err := lattice.DecodeJSON(body, MaxRequestSize, &values); err != nil || values == nil {
		return answer{}, fmt.Errorf("config data should be a map of string -> string: %w", errors.Join(lattice.ErrInvalid, err))
	}
	if err := errors.Join(lattice.ValidConfigName(name), atMost("config", len(values), maxSettings)); err != nil {
		return answer{}, err
	}
	return answer{message: "successfully put config"}, s.cfg.Handler.PutConfig(ctx, name, values)
}

func getConfig(ctx context.Context, s *Server, name string, _ []byte) (answer, error) {
	if err := lattice.ValidConfigName(name); err != nil {
		return answer{}, err
	}
	values, err := s.cfg.Handler.Config(ctx, name)
	if errors.Is(err, lattice.ErrNotFound) {
		return answer{message: configNotFound}, nil
	}
	return answer{response: lattice.StringMap(values)}, err
}

// configNotFound is v1's answer where there is no such config, a success.
const configNotFound = "Configuration not found"

func deleteConfig(ctx context.Context, s *Server, name string, _ []byte) (answer, error) {
	if err := lattice.ValidConfigName(name); err != nil {
		return answer{}, err
	}
	return answer{message: "successfully deleted config"}, s.cfg.Handler.DeleteConfig(ctx, name)
}

func getClaims(ctx context.Context, s *Server, _ string, _ []byte) (answer, error) {
	claims, err := s.cfg.Handler.Claims(ctx)
	if claims == nil {
		claims = []map[string]string{}
	}
	return answer{response: claims}, err
}

func putRegistries(ctx context.Context, s *Server, _ string, body []byte) (answer, error) {
	var auths map[string]RegistryAuth
	if err := decode("registry credentials", body, &auths); err != nil {
		return answer{}, err
	}
	if err := atMost("registries", len(auths), maxRegistries); err != nil {
		return answer{}, err
	}
	return answer{message: "successfully put registries"}, s.cfg.Handler.PutRegistries(ctx, auths)
}

// PutLabel sets a label of a host.
func (c *Client) PutLabel(ctx context.Context, host, key, value string) error {
	req := PutLabel{Key: key, Value: value}
	if err := req.validate(); err != nil {
		return fmt.Errorf("put label: %w", err)
	}
	_, err := c.onHost(ctx, lattice.KindLabel, "put", host, req, nil)
	return err
}

// DeleteLabel takes a label of a host back; it is no error if there is none.
func (c *Client) DeleteLabel(ctx context.Context, host, key string) error {
	req := DeleteLabel{Key: key}
	if err := req.validate(); err != nil {
		return fmt.Errorf("delete label: %w", err)
	}
	_, err := c.onHost(ctx, lattice.KindLabel, "del", host, req, nil)
	return err
}

// PutConfig stores a config under a name, in the place of what was there.
func (c *Client) PutConfig(ctx context.Context, name string, values map[string]string) error {
	if err := errors.Join(lattice.ValidConfigName(name), atMost("config", len(values), maxSettings)); err != nil {
		return fmt.Errorf("put config: %w", err)
	}
	_, err := c.named(ctx, "put", name, lattice.StringMap(values), nil)
	return err
}

// Config returns the config of a name. The error matches lattice.ErrNotFound
// where there is none.
func (c *Client) Config(ctx context.Context, name string) (map[string]string, error) {
	if err := lattice.ValidConfigName(name); err != nil {
		return nil, fmt.Errorf("get config: %w", err)
	}
	var values map[string]string
	message, err := c.named(ctx, "get", name, nil, &values)
	if err == nil && values == nil {
		return nil, fmt.Errorf("config %s: %w: %s", name, lattice.ErrNotFound, message)
	}
	return values, err
}

// DeleteConfig removes a config; it is no error if there is none.
func (c *Client) DeleteConfig(ctx context.Context, name string) error {
	if err := lattice.ValidConfigName(name); err != nil {
		return fmt.Errorf("delete config: %w", err)
	}
	_, err := c.named(ctx, "del", name, nil, nil)
	return err
}

// named sends a verb about a config, which one host of the lattice answers.
func (c *Client) named(ctx context.Context, verb, name string, req any, into *map[string]string) (string, error) {
	at := &CallError{Verb: "config." + verb, ID: c.cfg.Lattice, What: "host in lattice",
		Subject: c.subjects.Named(lattice.KindConfig, verb, name)}
	if into == nil {
		return c.call(ctx, at, req, nil)
	}
	return c.call(ctx, at, req, optional{into})
}

// Claims returns the claims that the lattice knows, of components and providers,
// in v1's flat form.
func (c *Client) Claims(ctx context.Context) ([]map[string]string, error) {
	var out []map[string]string
	_, err := c.anyHost(ctx, lattice.KindClaims, "get", nil, &out)
	return out, err
}

// PutRegistries tells all hosts that are there now how to log in to registries,
// and does not wait for them.
func (c *Client) PutRegistries(ctx context.Context, auths map[string]RegistryAuth) error {
	body, err := lattice.EncodeJSON(auths)
	if err == nil {
		err = errors.Join(c.cfg.Conn.Publish(c.subjects.Verb(lattice.KindRegistry, "put"), body), lattice.Flush(ctx, c.cfg.Conn))
	}
	if err != nil {
		return fmt.Errorf("put registries: %w", lattice.Disconnected(err))
	}
	return nil
}
