package ctl

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
)

const fuzzHost = "NAHDLC3SLFGP3WD62IBZ34KRCW53AV2OBXJK3IPCKFQF37XXS5KWSICR"

// FuzzControlRequest sends any body to any subject, with any command id. Every
// request has an answer that is an envelope, none is answered by the handler of a
// panic, what reaches the host has been checked, and what has an id is stored whole,
// and not done a second time.
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
		f.Add(subject, []byte(body), "", "")
		f.Add(subject, []byte(body), "01ARZ3NDEKTSV4RRFFQ69G5FAV", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		f.Add(subject, []byte(body), "op.>", strings.Repeat("x", maxHeaders))
	}
	f.Fuzz(func(t *testing.T, subject string, body []byte, id, trace string) {
		store := &memoryStore{ops: map[string]lattice.Op{}}
		s := &Server{
			cfg:      ServerConfig{HostID: fuzzHost, Lattice: "default", Handler: checkingHost{t}, Ops: store, Timeout: DefaultRequestTimeout, Now: time.Now, Log: zap.NewNop()},
			subjects: base, verbs: verbs(), ctx: t.Context(),
		}
		msg := &nats.Msg{Subject: subject, Data: body, Header: nats.Header{lattice.HeaderCommandID: {id}, lattice.HeaderTraceParent: {trace}}}
		e, silent := s.handle(msg)
		require.NotContains(t, e.Message, "internal error")
		data, err := lattice.EncodeJSON(e)
		require.NoError(t, err)
		back, err := decodeEnvelope(data)
		require.NoError(t, err)
		require.Equal(t, e.Success, back.Success)
		if !e.Success {
			require.NotEmpty(t, e.Message)
		}
		for id, op := range store.ops {
			require.NoError(t, op.Validate())
			require.Equal(t, strings.ToUpper(msg.Header.Get(lattice.HeaderCommandID)), id)
			require.True(t, op.Answered)
		}
		stored := store.writes
		again, stillSilent := s.handle(msg)
		require.Equal(t, silent, stillSilent)
		require.Equal(t, e.Success, again.Success, "%s, then %s", e.Message, again.Message)
		require.Equal(t, stored, store.writes, "a repeat stores nothing")
	})
}

// memoryStore keeps commands as state does.
type memoryStore struct {
	ops    map[string]lattice.Op
	writes int
}

func (s *memoryStore) CreateOp(ctx context.Context, op lattice.Op) (lattice.Op, error) {
	if earlier, ok := s.ops[op.ID]; ok {
		return earlier, lattice.ErrConflict
	}
	return lattice.Op{}, s.PutOp(ctx, op)
}

func (s *memoryStore) PutOp(_ context.Context, op lattice.Op) error {
	op.Clip()
	s.ops[op.ID] = op
	s.writes++
	return nil
}

func (s *memoryStore) Op(_ context.Context, id string) (lattice.Op, error) { return s.ops[id], nil }

func (s *memoryStore) Ops(context.Context, string, int) ([]lattice.Op, bool, error) {
	return nil, false, nil
}

// FuzzOp reads what a store or a peer may hold for a command: what is taken is
// written again the same.
func FuzzOp(f *testing.F) {
	f.Add([]byte(`{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","verb":"link.put","host_id":"` + fuzzHost + `","state":"accepted","digest":"` + strings.Repeat("0", 64) + `","accepted":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","verb":"x","host_id":"` + fuzzHost + `","state":"failed","answered":true,"refused":true,"cause":"c","digest":"` + strings.Repeat("f", 64) + `","accepted":"2026-01-02T03:04:05Z","ended":"2026-01-02T03:04:06Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		op, err := lattice.DecodeOp(data)
		if err != nil {
			require.ErrorIs(t, err, lattice.ErrInvalid)
			return
		}
		back, err := lattice.EncodeJSON(op)
		require.NoError(t, err)
		again, err := lattice.DecodeOp(back)
		require.NoError(t, err)
		require.Equal(t, op, again)
	})
}

// FuzzListQuestion asks lists for any part: an answer fits its room, or is an error.
func FuzzListQuestion(f *testing.F) {
	for _, query := range []string{``, `{}`, `{"after":"a/default/wasi/keyvalue/b"}`, `{"id":"a","states":true}`, `{"after":7}`} {
		f.Add([]byte(query), 700)
	}
	all := make([]lattice.Link, 300)
	for i := range all {
		all[i] = lattice.Link{SourceID: "s" + strings.Repeat("x", i%7), Target: "t" + strings.Repeat("y", i), Name: "default", WITNamespace: "n", WITPackage: "p", Interfaces: []string{"i"}}
	}
	lists := Lists{
		Links: func() []lattice.Link { return slices.Clone(all) },
		LinkStates: func(_ context.Context, links []lattice.Link) ([]lattice.LinkStatus, error) {
			out := make([]lattice.LinkStatus, len(links))
			for i := range links {
				out[i].Link = links[i]
			}
			return out, nil
		},
		Configs:   func() []ConfigInfo { return []ConfigInfo{{Name: "a"}, {Name: "b"}} },
		Claims:    func(context.Context) ([]map[string]string, error) { return []map[string]string{{"sub": "a"}}, nil },
		Inventory: func() Inventory { return Inventory{} },
		Stats: func() lattice.HostStats {
			return lattice.HostStats{Components: []lattice.ComponentStats{{ID: "a"}, {ID: "b"}}}
		},
		Ops: &memoryStore{ops: map[string]lattice.Op{}},
	}
	f.Fuzz(func(t *testing.T, body []byte, room int) {
		for _, q := range lists.questions("default", fuzzHost) {
			var query listQuery
			if lattice.DecodeJSON(body, MaxRequestSize, &query) != nil {
				return
			}
			data, err := q.answer(t.Context(), query, room)
			if err == nil {
				require.LessOrEqual(t, len(data), max(room, 0))
				require.True(t, json.Valid(data))
			}
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

func (h checkingHost) StopProvider(_ context.Context, req *StopProvider, _ Outcome) error {
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
