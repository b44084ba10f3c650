package oci

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/lathhost/lath/lattice"
)

// ErrUnreachable: the registry did not answer, or answered that it cannot
// serve now. A later attempt may succeed, and a cached copy may be used.
var ErrUnreachable = errors.New("registry does not answer")

// explain gives an error of a registry request its kind, so that callers can
// match it, and says what to do about it. addr is the registry's name, as the
// user wrote it.
func explain(addr string, err error) error {
	var response *errcode.ErrorResponse
	var transport *url.Error
	var authority x509.UnknownAuthorityError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, lattice.ErrInvalid), // what it sent was checked and is wrong
		errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, ErrUnreachable):
		return fmt.Errorf("registry %s: %w", addr, err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("registry %s speaks plain HTTP, which is off by default: allow it with --insecure %s: %w", addr, addr, lattice.ErrDenied)
	case errors.As(err, &authority):
		return fmt.Errorf("registry %s: certificate not trusted: %w", addr, err)
	case errors.Is(err, errdef.ErrNotFound):
		return fmt.Errorf("%w in registry %s: check the name and the tag", lattice.ErrNotFound, addr)
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return fmt.Errorf("registry %s asks for a user and password: log in with \"docker login %s\", or see --registry-config: %w", addr, addr, lattice.ErrDenied)
	case errors.As(err, &response):
		return explainStatus(addr, response)
	case errors.As(err, &transport):
		return fmt.Errorf("%w: %s: %w: check the address, and that it is up", ErrUnreachable, addr, transport.Err)
	}
	// What is left is ORAS refusing an answer: a wrong digest, length or type.
	return fmt.Errorf("registry %s: %w: %w", addr, lattice.ErrInvalid, err)
}

func explainStatus(addr string, response *errcode.ErrorResponse) error {
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fmt.Errorf("registry %s: %w: check the credentials: %w", addr, lattice.ErrDenied, response)
	case code == http.StatusNotFound:
		return fmt.Errorf("%w in registry %s: %w", lattice.ErrNotFound, addr, response)
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, addr, response)
	}
	return fmt.Errorf("registry %s: %w", addr, response)
}
