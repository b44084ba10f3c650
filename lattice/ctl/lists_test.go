package ctl_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// serveLists tells lists, on a server that carries little.
func serveLists(t *testing.T, lists ctl.Lists) (*ctl.Client, *nats.Conn) {
	t.Helper()
	nc := connect(t, startNATS(t, 8<<10))
	s, err := ctl.ServeLists(nc, testLattice, statsHost, lists)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return newClient(t, nc), nc
}

func manyLinks(n int) []lattice.Link {
	var links []lattice.Link
	for i := range n {
		l := storeLink(fmt.Sprintf("source%d", i%3), fmt.Sprintf("target%04d", n-i))
		l.Name = fmt.Sprintf("name%d", i)
		links = append(links, l)
	}
	return links
}

// All links arrive once, whatever the size of a message, also with states, which
// are found for a part at a time.
func TestLinksInParts(t *testing.T) {
	t.Parallel()
	all := manyLinks(700)
	client, _ := serveLists(t, ctl.Lists{
		Links: func() []lattice.Link { return slices.Clone(all) },
		LinkStates: func(_ context.Context, links []lattice.Link) ([]lattice.LinkStatus, error) {
			if len(links) > 256 {
				return nil, fmt.Errorf("%d at once", len(links))
			}
			var states []lattice.LinkStatus
			for _, l := range links {
				states = append(states, lattice.LinkStatus{Link: l, State: lattice.LinkPending, Reason: "to " + l.Target})
			}
			return states, nil
		},
	})
	got, err := client.LinksFrom(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, got, len(all))
	for _, l := range all {
		require.True(t, slices.ContainsFunc(got, l.Equal), l.Name)
	}
	got, err = client.LinksFrom(t.Context(), "source1")
	require.NoError(t, err)
	require.Len(t, got, 233)
	require.Equal(t, "source1", got[0].SourceID)
	states, err := client.LinkStatuses(t.Context())
	require.NoError(t, err)
	require.Len(t, states, len(all))
	for i, s := range states {
		require.Equal(t, "to "+s.Target, s.Reason)
		require.Equal(t, lattice.LinkPending, s.State)
		if i > 0 {
			require.LessOrEqual(t, states[i-1].SourceID, s.SourceID)
		}
	}
}

func TestInventoryInParts(t *testing.T) {
	t.Parallel()
	inv := ctl.Inventory{Inventory: lattice.Inventory{HostID: statsHost, FriendlyName: "calm-cedar-0001", Labels: map[string]string{"zone": "a"}, UptimeSeconds: 7},
		ComponentConfigs: map[string][]string{}, ProviderConfigs: map[string][]string{}}
	for i := range 200 {
		id := fmt.Sprintf("c%03d", i)
		inv.Components = append(inv.Components, lattice.ComponentDescription{ID: id, ImageRef: "r:" + id, MaxInstances: uint32(i), Annotations: map[string]string{}})
		inv.Providers = append(inv.Providers, lattice.ProviderDescription{ID: id, ImageRef: "p:" + id, Annotations: map[string]string{}})
		inv.ComponentConfigs[id] = []string{"base", id}
	}
	inv.ProviderConfigs["c007"] = []string{"bond"}
	client, _ := serveLists(t, ctl.Lists{Inventory: func() ctl.Inventory { return inv }})
	got, err := client.FullInventory(t.Context(), statsHost)
	require.NoError(t, err)
	require.Equal(t, &inv, got)
	_, err = client.FullInventory(t.Context(), "nobody")
	require.ErrorIs(t, err, lattice.ErrInvalid)
	_, err = client.LinksFrom(t.Context(), "")
	require.ErrorIs(t, err, lattice.ErrNotFound, "a list that is nil is not told")
}

func TestConfigsAndClaimsInParts(t *testing.T) {
	t.Parallel()
	var configs []ctl.ConfigInfo
	var claims []map[string]string
	for i := range 500 {
		configs = append(configs, ctl.ConfigInfo{Name: fmt.Sprintf("config%03d", 499-i), Settings: i, Version: uint64(i)})
		claims = append(claims, map[string]string{"sub": fmt.Sprintf("M%03d", i), "name": strings.Repeat("n", 40)})
	}
	client, _ := serveLists(t, ctl.Lists{
		Configs: func() []ctl.ConfigInfo { return slices.Clone(configs) },
		Claims:  func(context.Context) ([]map[string]string, error) { return slices.Clone(claims), nil },
	})
	got, err := client.Configs(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 500)
	require.Equal(t, ctl.ConfigInfo{Name: "config000", Settings: 499, Version: 499}, got[0])
	all, err := client.AllClaims(t.Context())
	require.NoError(t, err)
	require.Equal(t, claims, all)
}

// A peer whose list has no end is not asked for ever, and what does not fit or
// makes no sense is told.
func TestListsOfBadPeers(t *testing.T) {
	t.Parallel()
	client, nc := serveLists(t, ctl.Lists{Configs: func() []ctl.ConfigInfo {
		return []ctl.ConfigInfo{{Name: strings.Repeat("x", 9<<10)}}
	}})
	_, err := client.Configs(t.Context())
	require.ErrorContains(t, err, "configs: one item takes more than the 7168 bytes that NATS carries (max_payload)")
	for _, page := range []string{`{"items":[],"next":"a"}`, `{"items":[{"name":"a"}],"next":""}`, `{"items":[{"name":"a"}],"next":"a"}`, `{"items":[{"name":"a b"}]}`, `[]`} {
		sub, err := nc.Subscribe(lattice.ConfigListSubject("bad"), func(m *nats.Msg) {
			_ = m.Respond([]byte(`{"success":true,"message":"","response":` + page + `}`))
		})
		require.NoError(t, err)
		bad, err := ctl.NewClient(ctl.ClientConfig{Conn: nc, Lattice: "bad"})
		require.NoError(t, err)
		got, err := bad.Configs(t.Context())
		if strings.Contains(page, `"next":""`) {
			require.NoError(t, err)
			require.Len(t, got, 1)
		} else {
			require.ErrorIs(t, err, lattice.ErrInvalid, page)
		}
		require.NoError(t, sub.Unsubscribe())
	}
	for _, subject := range []string{lattice.ConfigListSubject(testLattice)} {
		msg, err := nc.RequestWithContext(t.Context(), subject, []byte(`{"after":7}`))
		require.NoError(t, err)
		require.Contains(t, string(msg.Data), `{"success":false,"message":"configs: JSON: invalid`)
	}
}

// Hosts that others no longer hear are told with those that they do.
func TestPeersInParts(t *testing.T) {
	t.Parallel()
	var peers []ctl.Peer
	for i := range 150 {
		id, err := lattice.NewIdentity("")
		require.NoError(t, err)
		peers = append(peers, ctl.Peer{ID: id.ID, FriendlyName: fmt.Sprintf("host-%d", i), State: "unreachable", SilentMS: int64(i)})
	}
	client, _ := serveLists(t, ctl.Lists{Peers: func() []ctl.Peer { return slices.Clone(peers) }})
	got, err := client.Peers(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, peers, got)
	bad, _ := serveLists(t, ctl.Lists{Peers: func() []ctl.Peer { return []ctl.Peer{{ID: "x"}} }})
	_, err = bad.Peers(t.Context())
	require.ErrorIs(t, err, lattice.ErrInvalid)
}
