package lattice_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/test/harness"
)

func TestProvider(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	closed := make(chan struct{})
	n := l.Host(func(c *host.Config) {
		c.Builtins = append(c.Builtins, provider.Builtin{Name: "empty",
			Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
				return &provider.Capabilities{KeyvalueStore: noStore{}, Close: func() error { close(closed); return nil }}, nil
			}}, provider.Builtin{Name: "broken",
			Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
				return nil, errors.New("no disk")
			}}, provider.Builtin{Name: "panics",
			Start: func(context.Context, provider.Config) (*provider.Capabilities, error) { panic("oh") }})
	})
	told := l.Events()
	next := func(name, data string) {
		e := told.Next()
		require.Equal(t, "com.wasmcloud.lattice."+name, e.Type)
		require.JSONEq(t, data, string(e.Data))
	}

	require.NoError(t, n.StartProvider("kv", "empty"))
	next("provider_started", `{"host_id":"`+n.ID+`","image_ref":"lath+builtin://empty","provider_id":"kv","annotations":{}}`)
	inv, err := l.Control.Inventory(t.Context(), n.ID)
	require.NoError(t, err)
	require.Equal(t, []lattice.ProviderDescription{{ID: "kv", ImageRef: "lath+builtin://empty", Annotations: map[string]string{}}}, inv.Providers)
	contract, err := l.Control.Contract(t.Context(), "kv")
	require.NoError(t, err)
	require.Equal(t, []string{"wrpc:keyvalue/store@0.2.0-draft"}, contract.Exports)

	require.EqualError(t, n.StartProvider("kv", "empty"), "provider.start: provider with that ID is already running")
	require.EqualError(t, l.Control.StopProvider(t.Context(), n.ID, "nobody"), "provider.stop: provider with that ID is not running")

	require.NoError(t, l.Control.StopProvider(t.Context(), n.ID, "kv"))
	<-closed
	next("provider_stopped", `{"host_id":"`+n.ID+`","provider_id":"kv","annotations":{},"reason":"stop","instance_id":"kv","public_key":"kv","link_name":"default"}`)
	inv, err = l.Control.Inventory(t.Context(), n.ID)
	require.NoError(t, err)
	require.Empty(t, inv.Providers)
	_, err = l.Control.Contract(t.Context(), "kv")
	require.ErrorIs(t, err, lattice.ErrNotFound)

	failed := func(id, ref, reason string) {
		require.NoError(t, l.Control.StartProvider(t.Context(), n.ID, ctl.StartProvider{ProviderID: id, ProviderRef: ref}))
		next("provider_start_failed", `{"host_id":"`+n.ID+`","provider_ref":"`+ref+`","provider_id":"`+id+`","link_name":"default","error":"`+reason+`"}`)
	}
	failed("a", "lath+builtin://nothing", `start provider \"a\": lath+builtin://nothing: not found: no built-in of that name; there is empty, broken, panics`)
	failed("b", "file:///nowhere", `start provider \"b\": pull provider \"file:///nowhere\": file /nowhere: not found`)
	failed("c", "lath+builtin://broken", `start provider \"c\": no disk`)
	failed("d", "lath+builtin://panics", "internal error of host "+n.ID+", see its log")
	failed("c", "lath+builtin://broken", `start provider \"c\": no disk`) // its id is free again
}

// Two commands that race for one id start one provider.
func TestProviderStartsOnce(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	var mu sync.Mutex
	starts := 0
	n := l.Host(func(c *host.Config) {
		c.Builtins = append(c.Builtins, provider.Builtin{Name: "empty",
			Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
				mu.Lock()
				defer mu.Unlock()
				starts++
				return &provider.Capabilities{KeyvalueStore: noStore{}}, nil
			}})
	})
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			errs[i] = l.Control.StartProvider(t.Context(), n.ID, ctl.StartProvider{ProviderID: "kv", ProviderRef: "lath+builtin://empty"})
		})
	}
	wg.Wait()
	accepted := 0
	for _, err := range errs {
		if err == nil {
			accepted++
		}
	}
	require.Equal(t, 1, accepted)
	l.Eventually("it runs", func() bool {
		inv, err := l.Control.Inventory(t.Context(), n.ID)
		return err == nil && len(inv.Providers) == 1
	})
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 1, starts)
}
