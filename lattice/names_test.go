package lattice_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

func TestValidNames(t *testing.T) {
	t.Parallel()
	for _, ok := range []string{"a", "http_hello", "My-App-2", strings.Repeat("x", lattice.MaxIDLen)} {
		require.NoError(t, lattice.ValidID(ok))
	}
	for bad, why := range map[string]string{
		"": "it is empty", "a.b": "separates the tokens", "a b": "white space", "a\n": "white space",
		"*": "wildcard", ">": "wildcard", "ü": "not allowed", "a/b": "not allowed", "a\x00": "not allowed",
		"$JS": "not allowed", "\xff": "not allowed",
		strings.Repeat("x", lattice.MaxIDLen+1): "the limit is 256",
	} {
		for _, check := range []func(string) error{
			lattice.ValidLattice, lattice.ValidID, lattice.ValidLinkName, lattice.ValidConfigName,
		} {
			err := check(bad)
			require.ErrorIs(t, err, lattice.ErrInvalid, "%q", bad)
			require.ErrorContains(t, err, why)
			require.Less(t, len(err.Error()), 300, "a hostile name does not flood the log")
		}
	}
}

func TestLinkJSON(t *testing.T) {
	t.Parallel()
	var link lattice.Link
	require.NoError(t, json.Unmarshal([]byte(
		`{"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"keyvalue","interfaces":["store"],"new":1}`), &link))
	require.Equal(t, lattice.Link{
		SourceID: "a", Target: "b", Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue",
		Interfaces: []string{"store"}, SourceConfig: []string{}, TargetConfig: []string{},
	}, link)
	data, err := lattice.EncodeJSON(lattice.Link{SourceID: "a", Target: "b", WITNamespace: "wasi", WITPackage: "keyvalue"})
	require.NoError(t, err)
	require.Equal(t, `{"source_id":"a","target":"b","name":"default","wit_namespace":"wasi","wit_package":"keyvalue",`+
		`"interfaces":[],"source_config":[],"target_config":[]}`, string(data))
	for _, bad := range []string{
		`null`, `[]`, `{}`, `{"source_id":"a"}`, `{"source_id":"a","target":"b","wit_namespace":"w","wit_package":7}`,
	} {
		require.Error(t, json.Unmarshal([]byte(bad), &link), bad)
	}
	require.Equal(t, "a -(default)-> b for wasi:keyvalue", link.String())
	require.Equal(t, "wasi:keyvalue/store", link.Interface("store"))
}

func TestLinkRelations(t *testing.T) {
	t.Parallel()
	link := func(target string, interfaces ...string) lattice.Link {
		return lattice.Link{SourceID: "a", Target: target, Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: interfaces}
	}
	one := link("b", "store", "atomics")
	require.True(t, one.ConflictsWith(link("c", "atomics")))
	require.False(t, one.ConflictsWith(link("c", "batch")))
	require.False(t, one.ConflictsWith(link("b", "store")))
	require.True(t, one.Replaces(link("b")))
	require.False(t, one.Replaces(link("c", "store")))
	other := link("c", "store")
	other.Name = "other"
	require.False(t, one.ConflictsWith(other))

	copied := one.Clone()
	copied.Interfaces[0] = "changed"
	require.Equal(t, "store", one.Interfaces[0])
	require.False(t, one.Equal(copied))
	require.True(t, one.Equal(one.Clone()))
}

func TestLinkValidateReportsAll(t *testing.T) {
	t.Parallel()
	many := make([]string, 300)
	for i := range many {
		many[i] = "x"
	}
	err := lattice.Link{
		SourceID: "a.b", Name: "n n", WITNamespace: "wasi", WITPackage: "keyvalue@0.2.0",
		Interfaces: many, TargetConfig: []string{"ok", "*"},
	}.Validate()
	for _, text := range []string{"link source", "link target", "link name", "wit package", "300 of them", "config name"} {
		require.ErrorContains(t, err, text)
	}
}

func TestInventoryJSON(t *testing.T) {
	t.Parallel()
	data, err := lattice.EncodeJSON(lattice.Inventory{Components: []lattice.ComponentDescription{{ID: "<c>"}}})
	require.NoError(t, err)
	require.Equal(t, `{"components":[{"id":"<c>","image_ref":"","annotations":{},"revision":0,"max_instances":0,"limits":null}],`+
		`"providers":[],"host_id":"","friendly_name":"","labels":{},"version":"","uptime_human":"","uptime_seconds":0}`, string(data))
	var old lattice.Inventory
	require.NoError(t, json.Unmarshal([]byte(`{"actors":[{"id":"a"}],"providers":[{"id":"p"}],"host_id":"N"}`), &old))
	require.Equal(t, "a", old.Components[0].ID)
	require.Equal(t, "p", old.Providers[0].ID)
	require.Equal(t, "N", old.HostID)
}

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	var v map[string]int
	require.NoError(t, lattice.DecodeJSON([]byte(`{"a":1}`), 7, &v))
	require.ErrorIs(t, lattice.DecodeJSON([]byte(`{"a":1}`), 6, &v), lattice.ErrInvalid)
	require.ErrorIs(t, lattice.DecodeJSON([]byte(`{"a":1}x`), 100, &v), lattice.ErrInvalid)
	require.ErrorIs(t, lattice.DecodeJSON([]byte(strings.Repeat(`[`, 1<<20)), 1<<21, new(any)), lattice.ErrInvalid)
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	one, err := lattice.NewIdentity("")
	require.NoError(t, err)
	require.NoError(t, lattice.ValidHostID(one.ID))
	again, err := lattice.NewIdentity(one.Seed())
	require.NoError(t, err)
	require.Equal(t, one, again, "a seed is the whole identity, name included")
	require.Regexp(t, `^[a-z]+-[a-z]+-\d{4}$`, one.Name)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(format, one), one.Seed(), "the seed does not leak into logs")
	}
	two, err := lattice.NewIdentity("")
	require.NoError(t, err)
	require.NotEqual(t, one.ID, two.ID)

	for _, bad := range []string{"x", one.Seed()[:20], one.ID, "SUAM5CLRMTH54YJC24CSECO2JCGNCBXFKBKSPKIAEXVDFNWGSVXEYEMGNQ"} {
		_, err := lattice.NewIdentity(bad)
		require.ErrorIs(t, err, lattice.ErrInvalid)
		if len(bad) > 10 {
			require.NotContains(t, err.Error(), bad)
		}
	}
	require.ErrorIs(t, lattice.ValidHostID("N"+strings.Repeat("A", 55)), lattice.ErrInvalid)
}

func TestHumanDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 900 * time.Millisecond: "0s", 10 * time.Second: "10s", 184 * time.Second: "3m 4s",
		time.Hour: "1h", 25*time.Hour + time.Second: "1day 1h 1s", 49 * time.Hour: "2days 1h",
	} {
		require.Equal(t, want, lattice.HumanDuration(d))
	}
}
