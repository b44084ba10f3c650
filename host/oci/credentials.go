package oci

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"

	"github.com/lathhost/lath/lattice"
)

// Credential is a user and password, or a token in the place of a password.
type Credential struct{ Username, Password string }

// known are the credentials of registries. Those that were given, which may come
// while the client works, count more than those in docker's file.
type known struct {
	file string // empty: none

	mu     sync.Mutex
	by     map[string]auth.Credential
	failed map[string]error // why the file had none to give, by registry
}

// find returns what to send to a registry that asks. Where the file cannot tell,
// it is asked without: it may be open to all. If it is not, why says why.
func (k *known) find(ctx context.Context, addr string) (auth.Credential, error) {
	k.mu.Lock()
	found, ok := k.by[keyOf(addr)]
	k.mu.Unlock()
	if ok || k.file == "" {
		return found, nil
	}
	store, err := credentials.NewStore(k.file, credentials.StoreOptions{})
	if err == nil {
		found, err = credentials.Credential(store)(ctx, addr)
	}
	if ctx.Err() != nil {
		return found, ctx.Err()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if delete(k.failed, keyOf(addr)); err != nil {
		k.failed[keyOf(addr)] = err
		return auth.EmptyCredential, nil
	}
	return found, nil
}

// keyOf is the name under which a registry's credentials are kept: Docker Hub has
// several.
func keyOf(addr string) string {
	addr = strings.ToLower(addr)
	if addr == "registry-1.docker.io" || addr == "index.docker.io" {
		return "docker.io"
	}
	return addr
}

// why adds to a registry's refusal why nothing was sent to it.
func (k *known) why(addr string, err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	cause := k.failed[keyOf(addr)]
	if cause == nil || !errors.Is(err, lattice.ErrDenied) {
		return err
	}
	return fmt.Errorf("%w; the credentials in %s cannot be read: %w", err, k.file, cause)
}

// AddCredentials takes in credentials by registry, host[:port]; what was known of
// a registry before gives way.
func (c *Client) AddCredentials(by map[string]Credential) {
	c.known.mu.Lock()
	defer c.known.mu.Unlock()
	if c.known.by == nil {
		c.known.by, c.known.failed = map[string]auth.Credential{}, map[string]error{}
	}
	for addr, new := range by {
		c.known.by[keyOf(addr)] = auth.Credential{Username: new.Username, Password: new.Password}
	}
}
