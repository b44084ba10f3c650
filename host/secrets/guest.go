package secrets

import (
	"context"
	"errors"

	bind "github.com/lathhost/lath/host/bind/wasmcloud/secrets"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	contract "github.com/lathhost/lath/wit/wasmcloud/secrets"
)

// Interfaces are what guests import of wasmcloud:secrets, for one component. Get
// returns the secret of a name; it is called by many at a time, and a name without a
// secret is lattice.ErrNotFound.
func Interfaces(get func(ctx context.Context, name string) (provider.Secret, error)) []component.HostInterface {
	g := guest{get}
	return []component.HostInterface{bind.Store(g), bind.Reveal(g)}
}

type guest struct {
	find func(ctx context.Context, name string) (provider.Secret, error)
}

// Get implements contract.Store.
func (g guest) Get(ctx context.Context, key string) (contract.Secret, error) {
	s, err := g.find(ctx, key)
	switch {
	case err == nil:
		return handle{s}, nil
	case errors.Is(err, lattice.ErrNotFound):
		return nil, contract.SecretsError{Tag: contract.SecretsErrorNotFound}
	case errors.Is(err, lattice.ErrTimeout), errors.Is(err, lattice.ErrDisconnected):
		return nil, contract.SecretsError{Tag: contract.SecretsErrorIO, IO: err.Error()}
	}
	return nil, contract.SecretsError{Tag: contract.SecretsErrorUpstream, Upstream: err.Error()}
}

// Reveal implements contract.Reveal.
func (g guest) Reveal(_ context.Context, s contract.Secret) (contract.SecretValue, error) {
	h, ok := s.(handle)
	if !ok {
		return contract.SecretValue{}, errors.New("a handle of a secret from elsewhere")
	}
	if text, ok := h.secret.Text(); ok {
		return contract.SecretValue{Tag: contract.SecretValueString, String: text}, nil
	}
	return contract.SecretValue{Tag: contract.SecretValueBytes, Bytes: h.secret.Bytes()}, nil
}

// handle is a secret that a guest holds. Its value was fetched before.
type handle struct{ secret provider.Secret }

// Drop implements contract.Secret.
func (handle) Drop() {}
