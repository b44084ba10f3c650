package blobstore_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/providers/blobstore/blobstoretest"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// counted is a store in memory that counts those that are open.
type counted struct {
	*blobstore.Memory
	open *atomic.Int64
}

// Close implements blobstore.Backend.
func (c counted) Close() error {
	c.open.Add(-1)
	return nil
}

func newLinked(t testing.TB, open *atomic.Int64, own provider.Settings) *blobstore.Linked {
	t.Helper()
	s, err := blobstore.NewLinked(own, func(s provider.Settings) (blobstore.Opener, error) {
		cfg, err := blobstore.ParseMemoryConfig(s)
		return func(context.Context) (blobstore.Backend, error) {
			open.Add(1)
			return counted{blobstore.NewMemory(cfg), open}, nil
		}, err
	})
	require.NoError(t, err)
	return s
}

func TestLinkedIsAStore(t *testing.T) {
	t.Parallel()
	linked := func(settings map[string]string) func(testing.TB) contract.Store {
		return func(t testing.TB) contract.Store {
			var open atomic.Int64
			s := newLinked(t, &open, provider.Settings{Config: settings})
			t.Cleanup(func() {
				require.NoError(t, s.Close())
				require.Zero(t, open.Load(), "all that was read was given back")
			})
			return s
		}
	}
	t.Run("behaviour", func(t *testing.T) { blobstoretest.Run(t, linked(nil)) })
	t.Run("limits", func(t *testing.T) {
		blobstoretest.RunLimits(t, smallLimits, linked(map[string]string{"max_object_bytes": "100000", "max_name_bytes": "100",
			"max_bytes": "150000", "max_objects": "7", "max_containers": "4"}))
	})
}

// TestLinkedReaders: what is being read keeps its store, though its link has another.
func TestLinkedReaders(t *testing.T) {
	t.Parallel()
	var open atomic.Int64
	s := newLinked(t, &open, provider.Settings{})
	link := provider.Link{Link: lattice.Link{SourceID: "gallery", Target: "blobs", Name: "default", WITNamespace: "wasi", WITPackage: "blobstore",
		Interfaces: []string{"blobstore"}}}
	relink := func(bytes string) {
		link.Settings = provider.Settings{Config: map[string]string{"max_bytes": bytes}}
		require.NoError(t, errors.Join(s.Relink(provider.Settings{}, []provider.Link{link})...))
	}
	relink("1000")
	ctx := wrpc.ContextWithMeta(t.Context(), wrpc.Meta{SourceID: "gallery", LinkName: "default"})
	id := contract.ObjectID{Container: "box", Object: "o"}
	require.NoError(t, s.CreateContainer(ctx, "box"))
	require.NoError(t, s.WriteContainerData(ctx, id, strings.NewReader("hello")))
	r, err := s.GetContainerData(ctx, id, 0, 100)
	require.NoError(t, err)
	names, err := s.ListContainerObjects(ctx, "box", wit.None[uint64](), wit.None[uint64]())
	require.NoError(t, err)
	relink("2000")
	_, err = s.GetContainerInfo(ctx, "box")
	require.ErrorContains(t, err, "no container", "of the new store")
	require.EqualValues(t, 2, open.Load())
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))
	require.NoError(t, errors.Join(r.Close(), r.Close()))
	require.EqualValues(t, 2, open.Load(), "the names are still read")
	require.NoError(t, errors.Join(names.Close(), names.Close()))
	require.NoError(t, s.Close())
	require.Zero(t, open.Load())
}
