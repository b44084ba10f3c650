package ctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/lathhost/lath/lattice"
)

// maxSettings bounds the keys of one config, which must fit one message of NATS
// besides.
const maxSettings = 4096

func putConfig(ctx context.Context, s *Server, r *request) (answer, error) {
	var values map[string]string
	if err := lattice.DecodeJSON(r.body, MaxRequestSize, &values); err != nil || values == nil {
		return answer{}, fmt.Errorf("config data should be a map of string -> string: %w", errors.Join(lattice.ErrInvalid, err))
	}
	if err := errors.Join(lattice.ValidConfigName(r.name), atMost("config", len(values), maxSettings)); err != nil {
		return answer{}, err
	}
	return s.once(ctx, r, r.name, func() (answer, error) {
		return answer{message: "successfully put config"}, s.cfg.Handler.PutConfig(ctx, r.name, values)
	})
}

func getConfig(ctx context.Context, s *Server, r *request) (answer, error) {
	if err := lattice.ValidConfigName(r.name); err != nil {
		return answer{}, err
	}
	values, err := s.cfg.Handler.Config(ctx, r.name)
	if errors.Is(err, lattice.ErrNotFound) {
		return answer{message: configNotFound}, nil
	}
	return answer{response: lattice.StringMap(values)}, err
}

// configNotFound is v1's answer where there is no such config, a success.
const configNotFound = "Configuration not found"

func deleteConfig(ctx context.Context, s *Server, r *request) (answer, error) {
	if err := lattice.ValidConfigName(r.name); err != nil {
		return answer{}, err
	}
	r.ends = true
	return s.once(ctx, r, r.name, func() (answer, error) {
		return answer{message: "successfully deleted config"}, s.cfg.Handler.DeleteConfig(ctx, r.name)
	})
}

// PutConfig stores a config under a name, in the place of what was there.
func (c *Client) PutConfig(ctx context.Context, name string, values map[string]string) error {
	if err := errors.Join(lattice.ValidConfigName(name), atMost("config", len(values), maxSettings)); err != nil {
		return fmt.Errorf("put config: %w", err)
	}
	_, err := c.ask(ctx, c.asCommand(c.aboutConfig("put", name)), lattice.StringMap(values))
	return err
}

// Config returns the config of a name. The error matches lattice.ErrNotFound
// where there is none.
func (c *Client) Config(ctx context.Context, name string) (map[string]string, error) {
	if err := lattice.ValidConfigName(name); err != nil {
		return nil, fmt.Errorf("get config: %w", err)
	}
	e, err := c.ask(ctx, c.aboutConfig("get", name), nil)
	switch {
	case err != nil:
		return nil, err
	case e.Response == nil:
		return nil, fmt.Errorf("config %s: %w: %s", name, lattice.ErrNotFound, shorten(e.Message))
	}
	var values map[string]string
	if err := lattice.DecodeJSON(e.Response, MaxResponseSize, &values); err != nil {
		return nil, fmt.Errorf("config %s: %w", name, err)
	}
	return lattice.StringMap(values), nil
}

// DeleteConfig removes a config; it is no error if there is none.
func (c *Client) DeleteConfig(ctx context.Context, name string) error {
	if err := lattice.ValidConfigName(name); err != nil {
		return fmt.Errorf("delete config: %w", err)
	}
	_, err := c.ask(ctx, c.asCommand(c.aboutConfig("del", name)), nil)
	return err
}

// aboutConfig is a verb about a config, which one host of the lattice answers.
func (c *Client) aboutConfig(verb, name string) *CallError {
	return &CallError{Verb: "config." + verb, ID: c.cfg.Lattice, What: "host in lattice",
		Subject: c.subjects.Named(lattice.KindConfig, verb, name)}
}
