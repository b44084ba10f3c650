package ctl

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
)

const fuzzHost = "NAHDLC3SLFGP3WD62IBZ34KRCW53AV2OBXJK3IPCKFQF37XXS5KWSICR"

// FuzzControlRequest sends any body to any subject. Every request has an answer
// that is an envelope, none is answered by the handler of a panic, and what
// reaches the host has been checked.
func FuzzControlRequest(f *testing.F) {
	base := lattice.ControlSubjects("", "default")
	for subject, body := range map[string]string{
		base.Verb("host", "ping"):                   ``,
		base.Named("host", "get", fuzzHost):         ``,
		base.Named("host", "stop", fuzzHost):        `{"host_id":"x","timeout":2000}`,
		base.Named("component", "scale", fuzzHost):  `{"component_ref":"r","component_id":"c","count":5,"annotations":{"a":"b"},"config":["c"],"component_limits":{"max_memory_limit":"1"}}`,
		base.Named("provider", "start", fuzzHost):   `{"provider_id":"kv","provider_ref":"lath+builtin://keyvalue"}`,
		base.Named("provider", "stop", fuzzHost):    `{"provider_ref":"kv"}`,
		base.Verb("link", "get"):                    ``,
		base.Verb("link", "put"):                    `{"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"keyvalue","interfaces":["store"]}`,
		base.Verb("link", "del"):                    `{"source_id":"a","wit_namespace":"wasi","wit_package":"keyvalue"}`,
		base.Verb("component", "auction"):           `{"component_ref":"r","component_id":"c","constraints":{"a":"b"}}`,
		base.Verb("provider", "auction"):            `{"provider_ref":"r","provider_id":"c","constraints":{}}`,
		base.Named("component", "update", fuzzHost): `{"component_id":"c","new_component_ref":"r","annotations":{}}`,
		base.Named("label", "put", fuzzHost):        `{"key":"k","value":"v"}`,
		base.Named("label", "del", fuzzHost):        `{"key":"HOSTCORE.os"}`,
		base.Named("config", "put", "c"):            `{"a":"b"}`,
		base.Named("config", "get", "c"):            ``,
		base.Named("config", "del", "c"):            ``,
		base.Verb("claims", "get"):                  ``,
		base.Verb("registry", "put"):                `{"r.example:5000":{"username":"u","password":"p","registryType":"oci"}}`,
		base.Verb("link", "polish"):                 `{}`,
		"elsewhere":                                 `{}`,
		base.Named("component", "scale", "other"):   `{}`,
		base.Named("component", "scale", "a.b.c.d"): `{}`,
	} {
		f.Add(subject, []byte(body))
	}
	f.Fuzz(func(t *testing.T, subject string, body []byte) {
		s := &Server{
			cfg:      ServerConfig{HostID: fuzzHost, Handler: checkingHost{t}, Timeout: DefaultRequestTimeout, Log: zap.NewNop()},
			subjects: base, verbs: verbs(), ctx: t.Context(),
		}
		e, _ := s.handle(&nats.Msg{Subject: subject, Data: body})
		require.NotContains(t, e.Message, "internal error")
		data, err := lattice.EncodeJSON(e)
		require.NoError(t, err)
		back, err := decodeEnvelope(data)
		require.NoError(t, err)
		require.Equal(t, e.Success, back.Success)
		if !e.Success {
			require.NotEmpty(t, e.Message)
		}
	})
}

// FuzzEnvelope reads answers as any peer may send them.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"success":true,"message":"","response":{"components":[],"providers":[]}}`))
	f.Add([]byte(`{"success":true,"message":"","response":{"actors":[{"limits":null}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEnvelope(data)
		if err != nil {
			require.ErrorIs(t, err, lattice.ErrInvalid)
			return
		}
		var inventory lattice.Inventory
		if json.Unmarshal(e.Response, &inventory) == nil {
			_, err := lattice.EncodeJSON(inventory)
			require.NoError(t, err)
		}
	})
}

// checkingHost fails the test when something unchecked reaches it.
type checkingHost struct{ t *testing.T }

func (h checkingHost) PingHost(context.Context) (*Host, error) { return &Host{ID: fuzzHost}, nil }
func (h checkingHost) Inventory(context.Context) (*lattice.Inventory, error) {
	return &lattice.Inventory{}, nil
}

func (h checkingHost) StopHost(_ context.Context, req *StopHost, _ Outcome) error {
	require.Contains(h.t, []string{"", fuzzHost}, req.HostID)
	return nil
}

func (h checkingHost) ScaleComponent(_ context.Context, req *ScaleComponent, _ Outcome) (string, error) {
	require.NoError(h.t, lattice.ValidID(req.ComponentID))
	require.NotEmpty(h.t, req.ComponentRef)
	return "", nil
}

func (h checkingHost) StartProvider(_ context.Context, req *StartProvider, _ Outcome) error {
	require.NoError(h.t, lattice.ValidID(req.ProviderID))
	require.NotEmpty(h.t, req.ProviderRef)
	return nil
}

func (h checkingHost) StopProvider(_ context.Context, req *StopProvider) error {
	require.NoError(h.t, lattice.ValidID(req.ProviderID))
	return nil
}

func (h checkingHost) Links(context.Context) ([]lattice.Link, error) { return nil, nil }

func (h checkingHost) PutLink(_ context.Context, link lattice.Link) error {
	require.NoError(h.t, link.Validate())
	return nil
}

func (h checkingHost) DeleteLink(_ context.Context, key lattice.LinkKey) (bool, error) {
	require.NoError(h.t, lattice.ValidID(key.SourceID))
	require.NotEmpty(h.t, key.Name)
	return true, nil
}

func (h checkingHost) UpdateComponent(_ context.Context, req *UpdateComponent, _ Outcome) (string, error) {
	require.NoError(h.t, lattice.ValidID(req.ComponentID))
	require.NotEmpty(h.t, req.NewComponentRef)
	return "", nil
}

func (h checkingHost) BidForComponent(_ context.Context, req *ComponentAuction) bool {
	require.NoError(h.t, lattice.ValidID(req.ComponentID))
	return len(req.Constraints) == 0
}

func (h checkingHost) BidForProvider(_ context.Context, req *ProviderAuction) bool {
	require.NoError(h.t, lattice.ValidID(req.ProviderID))
	return len(req.Constraints) == 0
}

func (h checkingHost) PutLabel(_ context.Context, req *PutLabel) error {
	require.NotEmpty(h.t, req.Key)
	require.False(h.t, strings.HasPrefix(strings.ToLower(req.Key), "hostcore."))
	return nil
}

func (h checkingHost) DeleteLabel(_ context.Context, req *DeleteLabel) (bool, error) {
	require.NotEmpty(h.t, req.Key)
	return true, nil
}

func (h checkingHost) Config(_ context.Context, name string) (map[string]string, error) {
	require.NoError(h.t, lattice.ValidConfigName(name))
	return nil, lattice.ErrNotFound
}

func (h checkingHost) PutConfig(_ context.Context, name string, values map[string]string) error {
	require.NoError(h.t, lattice.ValidConfigName(name))
	require.NotNil(h.t, values)
	return nil
}

func (h checkingHost) DeleteConfig(_ context.Context, name string) error {
	require.NoError(h.t, lattice.ValidConfigName(name))
	return nil
}

func (h checkingHost) Claims(context.Context) ([]map[string]string, error) { return nil, nil }

func (h checkingHost) PutRegistries(context.Context, map[string]RegistryAuth) error { return nil }
