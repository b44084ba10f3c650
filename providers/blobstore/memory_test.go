package blobstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/providers/blobstore/blobstoretest"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// small are limits that tests can reach.
var small = blobstore.MemoryConfig{
	Limits:   blobstore.Limits{MaxObjectBytes: 100_000, MaxNameBytes: 100},
	Capacity: blobstore.Capacity{MaxBytes: 150_000, MaxObjects: 7, MaxContainers: 4},
}

var smallLimits = blobstoretest.Limits{ObjectBytes: 100_000, NameBytes: 100, Bytes: 150_000, Objects: 7, Containers: 4}

func memory(cfg blobstore.MemoryConfig) func(testing.TB) contract.Store {
	return func(testing.TB) contract.Store { return blobstore.NewMemory(cfg) }
}

func TestMemory(t *testing.T) {
	t.Parallel()
	t.Run("behaviour", func(t *testing.T) { blobstoretest.Run(t, memory(blobstore.MemoryConfig{})) })
	t.Run("limits", func(t *testing.T) { blobstoretest.RunLimits(t, smallLimits, memory(small)) })
}

func TestMemoryConfig(t *testing.T) {
	t.Parallel()
	cfg, err := blobstore.ParseMemoryConfig(provider.Settings{Config: map[string]string{"max_object_bytes": "5", "MAX_BYTES": "6", "max_objects": "7", "max_containers": "8", "max_name_bytes": "9"}})
	require.NoError(t, err)
	require.Equal(t, blobstore.MemoryConfig{Limits: blobstore.Limits{MaxObjectBytes: 5, MaxNameBytes: 9},
		Capacity: blobstore.Capacity{MaxBytes: 6, MaxObjects: 7, MaxContainers: 8}}, cfg)
	for name, value := range map[string]string{"max_objects": "0", "max_byte": "1"} {
		_, err := blobstore.ParseMemoryConfig(provider.Settings{Config: map[string]string{name: value}})
		require.ErrorContains(t, err, name)
	}
}
