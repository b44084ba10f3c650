package claims_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/claims"
)

// providerPayload is a provider's, for one file.
func providerPayload(target, content string) string {
	return `{"jti":"x","iat":1,"iss":"ISS","sub":"VUB","wascap":{"name":"one","capid":"","vendor":"acme","rev":-2,"ver":"1.2.3",` +
		`"target_hashes":{"` + target + `":"` + hashOf([]byte(content)) + `"},"config_schema":{"a":[1]}},"wascap_revision":3}`
}

func (s *signer) signProvider(payload string) string {
	return s.sign(header, strings.ReplaceAll(payload, "VUB", "V"+s.issuer[1:]))
}

func TestProvider(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	good := providerPayload("x86_64-linux", "binary")
	token, err := claims.OfProvider(s.signProvider(good), now)
	require.NoError(t, err)
	require.True(t, token.IsProvider())
	require.Equal(t, "one 1.2.3 acme", token.Name+" "+token.Version+" "+token.Vendor)
	require.EqualValues(t, -2, token.Revision)
	require.JSONEq(t, `{"a":[1]}`, string(token.ConfigSchema))

	sum, other := sha256.Sum256([]byte("binary")), sha256.Sum256([]byte("another"))
	require.NoError(t, token.CheckFile("x86_64-linux", sum[:]))
	for name, sum := range map[string][]byte{"x86_64-linux": other[:], "aarch64-linux": sum[:], "": sum[:], "world.wasm": sum[:]} {
		require.ErrorIs(t, token.CheckFile(name, sum), lattice.ErrInvalid, name)
	}
	require.ErrorIs(t, token.CheckFile("x86_64-linux", nil), lattice.ErrInvalid)

	for what, payload := range map[string]string{
		"expired":     strings.Replace(good, `"iat":1`, `"exp":1700000000`, 1),
		"not yet":     strings.Replace(good, `"iat":1`, `"nbf":2000000000`, 1),
		"a component": strings.Replace(good, "VUB", "SUB", 1),
		"hashes":      strings.Replace(good, `{"x86_64-linux"`, `{"x86_64-linux":1,"y"`, 1),
	} {
		_, err := claims.OfProvider(s.signProvider(payload), now)
		require.Error(t, err, what)
	}
	_, err = claims.OfProvider(newSigner(t).signProvider(strings.ReplaceAll(good, "ISS", s.issuer)), now)
	require.ErrorContains(t, err, "signature")
	none, err := claims.OfProvider(s.signProvider(strings.Replace(good, `{"a":[1]}`, "null", 1)), now)
	require.NoError(t, err)
	require.Empty(t, none.ConfigSchema, "no schema is none")

	// What is signed for a provider is no component's.
	_, err = claims.OfComponent(embed(component, "jwt", s.signProvider(strings.Replace(good, `"wascap_revision":3`, `"wascap_revision":2`, 1))), now)
	require.ErrorContains(t, err, "of a provider")
}

func FuzzOfProvider(f *testing.F) {
	s := newSigner(f)
	good := s.signProvider(providerPayload("x86_64-linux", "binary"))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(s.sign(header, payload(hashOf(reencoded))))
	f.Fuzz(func(t *testing.T, text string) {
		token, err := claims.OfProvider(text, now)
		if err != nil {
			require.Nil(t, token)
			return
		}
		require.True(t, token.IsProvider())
	})
}
