package ctl_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

const statsHost = "NAHDLC3SLFGP3WD62IBZ34KRCW53AV2OBXJK3IPCKFQF37XXS5KWSICR"

func component(id string) lattice.ComponentStats {
	return lattice.ComponentStats{ID: id, ImageRef: "file:///a.wasm", Since: time.Unix(1000, 0).UTC(), MaxInstances: 2, Running: 1, Calls: 7,
		Errors: map[string]uint64{"busy": 2}, CPUNanoseconds: 5, MemoryPeak: 65536, Pool: lattice.PoolStats{Reuse: "pristine", Hits: 6, Misses: 1}}
}

func TestStats(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	client := newClient(t, nc)
	_, err := client.Stats(t.Context(), statsHost, "")
	require.ErrorIs(t, err, lattice.ErrNotFound)
	_, err = client.Stats(t.Context(), "no host", "")
	require.ErrorIs(t, err, lattice.ErrInvalid)

	all := lattice.HostStats{HostID: statsHost, FriendlyName: "calm-cedar-0001", MemoryInUse: 9,
		Components: []lattice.ComponentStats{component("a"), component("b"), component("c")}}
	s, err := ctl.ServeLists(nc, testLattice, statsHost, ctl.Lists{Stats: func() lattice.HostStats { return all }})
	require.NoError(t, err)
	got, err := client.Stats(t.Context(), statsHost, "")
	require.NoError(t, err)
	require.Equal(t, &all, got)
	got, err = client.Stats(t.Context(), statsHost, "b")
	require.NoError(t, err)
	require.Equal(t, []lattice.ComponentStats{component("b")}, got.Components)
	for _, id := range []string{"aa", "0", "d"} {
		got, err = client.Stats(t.Context(), statsHost, id)
		require.NoError(t, err)
		require.Empty(t, got.Components)
	}
	m, err := nc.Request(lattice.StatsSubject(testLattice, statsHost), []byte("{"), time.Second)
	require.NoError(t, err)
	require.Contains(t, string(m.Data), `"success":false,"message":"stats: `)

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err = client.Stats(t.Context(), statsHost, "")
	require.ErrorIs(t, err, lattice.ErrNotFound)
}

// What one message cannot carry comes in several.
func TestStatsInPages(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 8<<10))
	var all lattice.HostStats
	for i := range 100 {
		all.Components = append(all.Components, component(fmt.Sprintf("c%03d", i)))
	}
	s, err := ctl.ServeLists(nc, testLattice, statsHost, ctl.Lists{Stats: func() lattice.HostStats { return all }})
	require.NoError(t, err)
	defer s.Close()
	got, err := newClient(t, nc).Stats(t.Context(), statsHost, "")
	require.NoError(t, err)
	require.Equal(t, all.Components, got.Components)

	all.Components[50].ImageRef = strings.Repeat("x", 8<<10)
	_, err = newClient(t, nc).Stats(t.Context(), statsHost, "")
	require.ErrorContains(t, err, "one item takes more than the 7168 bytes that NATS carries")
}

// A host that would have a client ask for ever is not asked again.
func TestStatsOfAPeerThatRepeatsItself(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	_, err := nc.Subscribe(lattice.StatsSubject(testLattice, statsHost), func(m *nats.Msg) {
		_ = m.Respond([]byte(`{"success":true,"message":"","response":{"host_id":"x","components":[{"id":"a"}],"more":true}}`))
	})
	require.NoError(t, err)
	_, err = newClient(t, nc).Stats(t.Context(), statsHost, "")
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.ErrorContains(t, err, "its components are not in order")
}
