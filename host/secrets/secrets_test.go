package secrets_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/secrets"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
)

// finder finds for "c" what it is granted.
func finder(t *testing.T, p secrets.Places, granted ...string) *secrets.Finder {
	t.Helper()
	f, err := secrets.New(secrets.Config{Places: p, Lattice: "default",
		LookupEnv: func(name string) (string, bool) {
			v, ok := map[string]string{"DB_PASS": "from-env", "DB_JSON": `{"user":"u","pass":"from-field","port":5432}`, "EMPTY": ""}[name]
			return v, ok
		},
		Granted: func(id string) []string {
			if id == "c" {
				return granted
			}
			return nil
		}})
	require.NoError(t, err)
	return f
}

func get(f *secrets.Finder, id, backend, key, field, version string) (provider.Secret, error) {
	return f.Get(context.Background(), secret.Request{Entity: secret.Entity{ID: id},
		Reference: secret.Reference{Name: "s", Backend: backend, Key: key, Field: field, Version: version}})
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	f := finder(t, secrets.Places{}, "env:DB_*", "env:NONE")
	is := func(want, key, field string) {
		t.Helper()
		s, err := get(f, "c", "env", key, field, "")
		require.NoError(t, err)
		text, ok := s.Text()
		require.True(t, ok)
		require.Equal(t, want, text)
	}
	is("from-env", "DB_PASS", "")
	is("from-field", "DB_JSON", "pass")
	is("5432", "DB_JSON", "port")
	for _, bad := range []struct {
		id, key, field, version string
		want                    error
	}{
		{"d", "DB_PASS", "", "", lattice.ErrDenied}, {"c", "EMPTY", "", "", lattice.ErrDenied}, {"c", "NONE", "", "", lattice.ErrNotFound},
		{"c", "DB_JSON", "nope", "", lattice.ErrNotFound}, {"c", "DB_PASS", "x", "", lattice.ErrInvalid}, {"c", "DB_PASS", "", "1", lattice.ErrUnsupported},
	} {
		_, err := get(f, bad.id, "env", bad.key, bad.field, bad.version)
		require.ErrorIs(t, err, bad.want, bad)
		require.NotContains(t, err.Error(), "from-")
	}
	_, err := get(f, "d", "env", "DB_PASS", "", "")
	require.ErrorContains(t, err, `components: {d: {secrets: ["env:DB_PASS"]}}`)
}

func TestFolder(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir := filepath.Join(base, "secrets")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	for name, content := range map[string]string{
		"secrets/text": "words\r\n", "secrets/two": "a\n\n", "secrets/sub/bytes": "\xff\x00\n", "outside": "from-outside",
		"secrets/large": strings.Repeat("x", secret.MaxValue+1), "secrets/full": strings.Repeat("x", secret.MaxValue),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(base, name), []byte(content), 0o600))
	}
	require.NoError(t, os.Symlink(filepath.Join(base, "outside"), filepath.Join(dir, "link")))
	f := finder(t, secrets.Places{Dir: dir}, "file:*")
	s, err := get(f, "c", "file", "text", "", "")
	require.NoError(t, err)
	require.Equal(t, "words", string(s.Bytes()))
	s, err = get(f, "c", "file", "two", "", "")
	require.NoError(t, err)
	require.Equal(t, "a\n", string(s.Bytes()), "one line end is no part of a text")
	s, err = get(f, "c", "file", "sub/bytes", "", "")
	require.NoError(t, err)
	_, isText := s.Text()
	require.False(t, isText)
	require.Equal(t, "\xff\x00\n", string(s.Bytes()))
	_, err = get(f, "c", "file", "full", "", "")
	require.NoError(t, err)
	for _, key := range []string{"link", "../outside", filepath.Join(base, "outside"), "sub", "none", "large"} {
		_, err := get(f, "c", "file", key, "", "")
		require.Error(t, err, key)
		require.NotContains(t, err.Error(), "from-outside")
	}
	_, err = get(f, "c", "file", "none", "", "")
	require.ErrorIs(t, err, lattice.ErrNotFound)
	_, err = get(f, "d", "file", "text", "", "")
	require.ErrorIs(t, err, lattice.ErrDenied)
}

// fakeVault answers as HashiCorp's KV engine of version 2 does.
func fakeVault(t *testing.T, token func() string) *httptest.Server {
	t.Helper()
	versions := []map[string]any{{"password": "vault-old"}, {"password": "vault-new", "port": 5432}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail := func(status int, errs ...string) {
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"errors": errs})
		}
		switch {
		case r.Header.Get("X-Vault-Token") != token():
			fail(http.StatusForbidden, "permission denied")
		case r.URL.Path == "/v1/secret/data/away":
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusTemporaryRedirect)
		case r.URL.Path == "/v1/secret/data/sealed":
			fail(http.StatusServiceUnavailable, "Vault is sealed")
		case r.URL.Path == "/v1/secret/data/v1":
			_, _ = w.Write([]byte(`{"data":{"password":"vault-flat"}}`))
		case r.URL.Path == "/v1/secret/data/garbage":
			_, _ = w.Write([]byte("<html>vault-html"))
		case r.URL.Path == "/v1/secret/data/huge":
			_, _ = w.Write([]byte(strings.Repeat(" ", 2<<20)))
		case r.URL.Path == "/v1/secret/data/app/db" && r.Header.Get("X-Vault-Namespace") == "team":
			version := map[string]int{"": 1, "0": 1, "1": 0, "2": 1}
			at, ok := version[r.URL.Query().Get("version")]
			if !ok {
				fail(http.StatusNotFound)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"data": versions[at], "metadata": map[string]any{"version": at + 1}}})
		default:
			fail(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestVault(t *testing.T) {
	t.Parallel()
	token := "t-1"
	server := fakeVault(t, func() string { return token })
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("t-1\n"), 0o600))
	f := finder(t, secrets.Places{Vault: &secrets.VaultServer{Addr: server.URL, TokenFile: file, Namespace: "team", Client: server.Client()}}, "vault:secret/*")
	is := func(want, field, version string) {
		t.Helper()
		s, err := get(f, "c", "vault", "secret/app/db", field, version)
		require.NoError(t, err)
		require.Equal(t, want, string(s.Bytes()))
	}
	is("vault-new", "password", "")
	is("vault-old", "password", "1")
	is("5432", "port", "2")
	is(`{"password":"vault-old"}`, "", "1")
	for key, want := range map[string]error{
		"secret/none": lattice.ErrNotFound, "other/app/db": lattice.ErrDenied, "secret/v1": lattice.ErrInvalid, "secret/garbage": lattice.ErrInvalid,
		"secret/../app": lattice.ErrInvalid, "secret/": lattice.ErrInvalid, "secret//db": lattice.ErrInvalid, "secret/huge": lattice.ErrInvalid,
	} {
		_, err := get(f, "c", "vault", key, "", "")
		require.ErrorIs(t, err, want, key)
		require.NotContains(t, err.Error(), "vault-", key)
	}
	for version, want := range map[string]error{"9": lattice.ErrNotFound, "x": lattice.ErrInvalid, "1&list=true": lattice.ErrInvalid} {
		_, err := get(f, "c", "vault", "secret/app/db", "", version)
		require.ErrorIs(t, err, want, version)
	}
	_, err := get(f, "c", "vault", "secret/sealed", "", "")
	require.ErrorContains(t, err, "status 503: Vault is sealed")
	_, err = get(f, "c", "vault", "secret/away", "", "")
	require.ErrorContains(t, err, "another server", "its token goes nowhere else")

	// The token is renewed by whoever writes the file.
	token = "t-2"
	_, err = get(f, "c", "vault", "secret/app/db", "password", "")
	require.ErrorIs(t, err, lattice.ErrDenied)
	require.NotContains(t, err.Error(), "t-1")
	require.NoError(t, os.WriteFile(file, []byte("t-2"), 0o600))
	is("vault-new", "password", "")
	require.NoError(t, os.Remove(file))
	_, err = get(f, "c", "vault", "secret/app/db", "", "")
	require.ErrorContains(t, err, "its token")
	require.NoError(t, os.WriteFile(file, []byte("t-2"), 0o600))
	server.Close()
	_, err = get(f, "c", "vault", "secret/app/db", "", "")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "t-2")
}

func TestBadPlaces(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", "vault:8200", "ftp://vault", "https://user:pass@vault", "http://"} {
		_, err := secrets.New(secrets.Config{Places: secrets.Places{Vault: &secrets.VaultServer{Addr: addr, TokenFile: "t"}}})
		require.ErrorIs(t, err, lattice.ErrInvalid, addr)
		require.NotContains(t, err.Error(), "pass")
	}
	host, err := lattice.NewIdentity("")
	require.NoError(t, err)
	for _, topic := range []string{"a b", "a.>", ".a", "*"} {
		_, err := secrets.New(secrets.Config{Host: host, Places: secrets.Places{Topic: topic}})
		require.ErrorIs(t, err, lattice.ErrInvalid, topic)
	}
}
