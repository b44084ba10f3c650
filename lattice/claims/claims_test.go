package claims_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/claims"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// component is a component without anything in it but a custom section, whose
// length is written with a byte too many.
var component = []byte("\x00asm\x0d\x00\x01\x00" + "\x00\x85\x00\x04name")

// reencoded is the component with the length in its shortest form.
var reencoded = []byte("\x00asm\x0d\x00\x01\x00" + "\x00\x05\x04name")

type signer struct {
	t       testing.TB
	account nkeys.KeyPair
	issuer  string
	subject string
}

func newSigner(t testing.TB) *signer {
	account, err := nkeys.CreateAccount()
	require.NoError(t, err)
	issuer, err := account.PublicKey()
	require.NoError(t, err)
	return &signer{t, account, issuer, "M" + issuer[1:]}
}

// sign makes a token of a payload, in which ISS and SUB stand for keys.
func (s *signer) sign(header, payload string) string {
	payload = strings.NewReplacer("ISS", s.issuer, "SUB", s.subject).Replace(payload)
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sig, err := s.account.Sign([]byte(text))
	require.NoError(s.t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

const header = `{"typ":"jwt","alg":"Ed25519"}`

func payload(hash string) string {
	return `{"jti":"x","iat":1,"iss":"ISS","sub":"SUB","wascap":{"name":"one","hash":"` + hash +
		`","tags":["a","b"],"rev":7,"ver":"1.2.3","call_alias":"al","prov":false},"wascap_revision":3}`
}

func embed(wasm []byte, name, text string) []byte {
	content := append(append([]byte{byte(len(name))}, name...), text...)
	size := len(content)
	return append(append(slices.Clone(wasm), 0, byte(size&0x7f|0x80), byte(size>>7)), content...)
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

func TestSignedComponent(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	token := s.sign(header, payload(hashOf(reencoded)))
	for _, wasm := range [][]byte{
		embed(component, "wasmcloud_jwt", token), embed(component, "jwt", token),
		embed(embed(component, "wasmcloud_jwt", token), "jwt", "older"),
	} {
		got, err := claims.OfComponent(wasm, now)
		require.NoError(t, err)
		require.Equal(t, s.subject, got.Subject)
		require.Equal(t, s.issuer, got.Issuer)
		require.Equal(t, "one 1.2.3 7 al [a b]", fmt.Sprint(got.Name, " ", got.Version, " ", got.Revision, " ", got.CallAlias, " ", got.Tags))
	}
	got, err := claims.OfComponent(component, now)
	require.NoError(t, err)
	require.Nil(t, got, "who is not signed says nothing")
}

func TestRefused(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	good := payload(hashOf(reencoded))
	other := newSigner(t)
	parts := strings.Split(s.sign(header, good), ".")
	for name, tc := range map[string]struct{ token, want string }{
		"other bytes":                         {s.sign(header, payload(hashOf(nil))), "made for other bytes"},
		"no hash":                             {s.sign(header, payload("")), "made for other bytes"},
		"expired":                             {s.sign(header, strings.Replace(good, `"iat":1`, `"exp":1700000000`, 1)), "expired on 2023-11-14"},
		"not yet":                             {s.sign(header, strings.Replace(good, `"iat":1`, `"nbf":2000000000`, 1)), "not good before 2033"},
		"another algorithm":                   {s.sign(`{"typ":"jwt","alg":"none"}`, good), "Ed25519"},
		"no type":                             {s.sign(`{}`, good), "Ed25519"},
		"foreign signature":                   {other.sign(header, strings.ReplaceAll(good, "ISS", s.issuer)), "signature"},
		"issuer is no key":                    {s.sign(header, strings.ReplaceAll(good, "ISS", "me")), "no account's public key"},
		"issuer signs for itself as a module": {s.sign(header, strings.ReplaceAll(good, "ISS", s.subject)), "no account's public key"},
		"subject is no key":                   {s.sign(header, strings.ReplaceAll(good, "SUB", "me")), "no public key of a module"},
		"two parts":                           {parts[0] + "." + parts[1], "three parts"},
		"four parts":                          {strings.Join(append(parts, "x"), "."), "three parts"},
		"no base64":                           {"!." + parts[1] + "." + parts[2], "illegal base64"},
		"no JSON":                             {s.sign(header, "{"), "JSON"},
		"changed":                             {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(good)) + "." + parts[2], "no account's public key"},
		"no token":                            {"x", "three parts"},
	} {
		_, err := claims.OfComponent(embed(component, "wasmcloud_jwt", tc.token), now)
		require.Error(t, err, name)
		require.ErrorContains(t, err, tc.want, name)
	}
	_, err := claims.OfComponent([]byte("\x00asm\x0d\x00\x01\x00\x00\xff"), now)
	require.ErrorIs(t, err, lattice.ErrInvalid)
	_, err = claims.OfComponent([]byte("MZ"), now)
	require.ErrorIs(t, err, lattice.ErrInvalid)
}

// Tokens of older formats have no hash that could be checked.
func TestOlderFormat(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	token := s.sign(header, strings.Replace(payload("nothing"), `"wascap_revision":3`, `"wascap_revision":2`, 1))
	got, err := claims.OfComponent(embed(component, "jwt", token), now)
	require.NoError(t, err)
	require.Equal(t, "one", got.Name)
}

func FuzzOfComponent(f *testing.F) {
	s := newSigner(f)
	f.Add(embed(component, "wasmcloud_jwt", s.sign(header, payload(hashOf(reencoded)))))
	f.Add(component)
	f.Fuzz(func(t *testing.T, wasm []byte) {
		got, err := claims.OfComponent(wasm, now)
		if err != nil {
			require.Nil(t, got)
		}
	})
}
