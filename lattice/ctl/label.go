package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lathhost/lath/lattice"
)

// coreLabel starts the labels that the host gives itself.
const coreLabel = "hostcore."

// PutLabel sets a label of a host, until the host ends.
type PutLabel struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (r *PutLabel) validate() error {
	return errors.Join(required("key", r.Key), ownLabel(r.Key), length("key", r.Key, maxText), length("value", r.Value, maxText))
}

// DeleteLabel takes a label of a host back.
type DeleteLabel struct {
	Key string `json:"key"`
}

func (r *DeleteLabel) validate() error {
	return errors.Join(required("key", r.Key), ownLabel(r.Key), length("key", r.Key, maxText))
}

func ownLabel(key string) error {
	if len(key) >= len(coreLabel) && strings.EqualFold(key[:len(coreLabel)], coreLabel) {
		return errors.New("hostcore.* labels cannot be set dynamically")
	}
	return nil
}

func putLabel(ctx context.Context, s *Server, r *request) (answer, error) {
	var req PutLabel
	if err := decodeChecked("put label request", r.body, &req); err != nil {
		return answer{}, err
	}
	return s.once(ctx, r, req.Key, func() (answer, error) {
		return answer{message: "successfully put label"}, s.cfg.Handler.PutLabel(ctx, &req)
	})
}

func deleteLabel(ctx context.Context, s *Server, r *request) (answer, error) {
	var req DeleteLabel
	if err := decodeChecked("delete label request", r.body, &req); err != nil {
		return answer{}, err
	}
	r.ends = true
	return s.once(ctx, r, req.Key, func() (answer, error) {
		known, err := s.cfg.Handler.DeleteLabel(ctx, &req)
		if !known {
			return answer{message: "successfully deleted label (no such label)"}, err
		}
		return answer{message: "successfully deleted label"}, err
	})
}

// PutLabel sets a label of a host.
func (c *Client) PutLabel(ctx context.Context, host, key, value string) error {
	req := PutLabel{Key: key, Value: value}
	if err := req.validate(); err != nil {
		return fmt.Errorf("put label: %w", err)
	}
	_, err := c.commandHost(ctx, lattice.KindLabel, "put", host, req)
	return err
}

// DeleteLabel takes a label of a host back; it is no error if there is none.
func (c *Client) DeleteLabel(ctx context.Context, host, key string) error {
	req := DeleteLabel{Key: key}
	if err := req.validate(); err != nil {
		return fmt.Errorf("delete label: %w", err)
	}
	_, err := c.commandHost(ctx, lattice.KindLabel, "del", host, req)
	return err
}
