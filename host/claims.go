package host

import (
	"context"
	"strconv"
	"time"

	"github.com/lathhost/lath/lattice/claims"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/state"
)

// storedClaims is a token as the lattice stores it.
func storedClaims(t *claims.Token) *state.Claims {
	return &state.Claims{Subject: t.Subject, Issuer: t.Issuer, Name: t.Name, Version: t.Version, IsComponent: !t.IsProvider(),
		Revision: strconv.Itoa(int(t.Revision)), CallAlias: t.CallAlias, Tags: t.Tags, ConfigSchema: string(t.ConfigSchema)}
}

// providerClaims is a provider's token as events tell it, or nothing: wadm drops
// the event of a provider whose claims lack a name or a version.
func providerClaims(t *claims.Token) *event.ProviderClaims {
	if t == nil || t.Name == "" || t.Version == "" {
		return nil
	}
	return &event.ProviderClaims{Issuer: t.Issuer, Name: t.Name, Version: t.Version, NotBefore: human(t.NotBefore), Expires: human(t.Expires)}
}

// claimsOf is a component's token as events tell it, or nothing.
func claimsOf(t *claims.Token) (publicKey string, c *event.ComponentClaims) {
	if t == nil {
		return "", nil
	}
	tags := t.Tags
	if tags == nil {
		tags = []string{}
	}
	return t.Subject, &event.ComponentClaims{CallAlias: t.CallAlias, Issuer: t.Issuer, Tags: tags, Name: t.Name, Version: t.Version,
		Revision: max(t.Revision, 0), NotBefore: human(t.NotBefore), Expires: human(t.Expires)}
}

// human is a time as v1 tells it: seconds since 1970 in digits, or never.
func human(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// Claims implements ctl.Handler.
func (c *control) Claims(ctx context.Context) ([]map[string]string, error) {
	list, err := c.store.Claims(ctx)
	if err != nil {
		return nil, err
	}
	flat := make([]map[string]string, len(list))
	for i, claims := range list {
		flat[i] = claims.Flat()
	}
	return flat, nil
}
