package keys_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/keys"
)

// What NATS knows it reads, and what it makes is read.
func TestKeysAreNATS(t *testing.T) {
	t.Parallel()
	for _, kind := range keys.Kinds() {
		k, err := keys.New(kind)
		require.NoError(t, err)
		require.Equal(t, string(kind.Letter), k.Public[:1])
		require.Equal(t, "S"+string(kind.Letter), k.Seed()[:2])
		for _, text := range []string{k.Seed(), " " + k.Seed() + "\n"} {
			again, err := keys.Parse(text)
			require.NoError(t, err)
			require.Equal(t, k, again)
		}
		public, err := keys.Parse(k.Public)
		require.NoError(t, err)
		require.Equal(t, &keys.Key{Kind: kind, Public: k.Public}, public)
		require.Empty(t, public.Seed())
		for _, shown := range []string{fmt.Sprint(k), fmt.Sprintf("%#v", k), fmt.Sprintf("%+v", k)} {
			require.NotContains(t, shown, k.Seed())
		}
		if kind.Letter == 'M' || kind.Letter == 'V' { // wasmCloud's alone
			require.True(t, nkeys.IsValidEncoding([]byte(k.Public)))
			require.True(t, nkeys.IsValidEncoding([]byte(k.Seed())))
			continue
		}
		var pair nkeys.KeyPair
		if kind.Curve {
			pair, err = nkeys.FromCurveSeed([]byte(k.Seed()))
		} else {
			pair, err = nkeys.FromSeed([]byte(k.Seed()))
		}
		require.NoError(t, err)
		theirs, err := pair.PublicKey()
		require.NoError(t, err)
		require.Equal(t, theirs, k.Public)
	}
}

func TestKindsHaveNames(t *testing.T) {
	t.Parallel()
	for name, letter := range map[string]byte{"server": 'N', "host": 'N', "module": 'M', "service": 'V', "curve": 'X', "account": 'A'} {
		k, err := keys.ParseKind(name)
		require.NoError(t, err)
		require.Equal(t, letter, k.Letter)
	}
	_, err := keys.ParseKind("door")
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.ErrorContains(t, err, "want account, user, host, component, provider, xkey")
}

// Nothing of what might be a secret is repeated.
func TestBadKeys(t *testing.T) {
	t.Parallel()
	k, err := keys.New(keys.Kinds()[0])
	require.NoError(t, err)
	seed := k.Seed()
	other := map[bool]string{true: "B", false: "A"}[seed[20] == 'A']
	for _, bad := range []string{"", "S", seed[:57], seed + "A", seed[:20] + other + seed[21:], strings.ToLower(seed), strings.Repeat("1", 56), strings.Repeat("A", 55) + "B", strings.Repeat("S", 58), "A" + strings.Repeat("\n", 54) + "A"} {
		_, err := keys.Parse(bad)
		require.ErrorIs(t, err, lattice.ErrInvalid, bad)
		require.NotContains(t, err.Error(), seed[5:25])
	}
}

// FuzzParse reads any text: what is taken for a key writes itself the same way.
func FuzzParse(f *testing.F) {
	for _, kind := range keys.Kinds() {
		k, err := keys.New(kind)
		require.NoError(f, err)
		f.Add(k.Public)
		f.Add(k.Seed())
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := keys.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, lattice.ErrInvalid)
			return
		}
		require.Contains(t, []string{k.Public, k.Seed()}, strings.TrimSpace(text))
	})
}
