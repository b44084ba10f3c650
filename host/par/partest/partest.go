// Package partest makes provider archives for tests, good ones and others.
package partest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
)

// File is an entry of an archive.
type File struct {
	Name, Content string
	// Type is the tar's; 0 is a regular file. The content of a link is its target.
	Type byte
}

// Pack makes a tar as wasmCloud's packer does.
func Pack(t testing.TB, files ...File) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Size: int64(len(f.Content)), Typeflag: f.Type, Format: tar.FormatGNU}
		if f.Type == tar.TypeSymlink {
			h.Linkname, h.Size = f.Content, 0
		}
		require.NoError(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := io.WriteString(w, f.Content)
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// Compress compresses by gzip.
func Compress(t testing.TB, plain []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return buf.Bytes()
}

func hash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// Signed is a claims.jwt for some files, as wash writes it; change, if not nil,
// spoils it before it is signed.
func Signed(t testing.TB, targets map[string]string, change func(payload map[string]any)) File {
	t.Helper()
	account, err := nkeys.CreateAccount()
	require.NoError(t, err)
	issuer, err := account.PublicKey()
	require.NoError(t, err)
	hashes := map[string]string{}
	for name, content := range targets {
		hashes[name] = hash(content)
	}
	payload := map[string]any{"jti": "x", "iat": 1, "iss": issuer, "sub": "V" + issuer[1:], "wascap_revision": 3,
		"wascap": map[string]any{"name": "one", "capid": "", "vendor": "acme", "rev": 4, "ver": "1.2.3", "target_hashes": hashes,
			"config_schema": map[string]any{"type": "object"}}}
	if change != nil {
		change(payload)
	}
	body, err := json.Marshal(payload)
	require.NoError(t, err)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"jwt","alg":"Ed25519"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sig, err := account.Sign([]byte(text))
	require.NoError(t, err)
	return File{Name: "claims.jwt", Content: text + "." + base64.RawURLEncoding.EncodeToString(sig)}
}
