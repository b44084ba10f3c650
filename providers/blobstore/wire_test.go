package blobstore_test

import (
	"testing"

	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/providers/blobstore/blobstoretest"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

func TestMemoryAcrossTheWire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		maxPayload int32
		only       string
	}{
		"payloads of 8 MiB": {}, "payloads of 4 KiB": {maxPayload: 4 << 10}, "version 0.1.0": {only: contract.Interface010.Name},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := blobstoretest.NewWire(t, c.maxPayload)
			w.Only = c.only
			t.Run("behaviour", func(t *testing.T) { blobstoretest.Run(t, w.Remote(memory(blobstore.MemoryConfig{}))) })
			t.Run("limits", func(t *testing.T) { blobstoretest.RunLimits(t, smallLimits, w.Remote(memory(small))) })
		})
	}
}
