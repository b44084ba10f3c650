package oci

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

// closedRegistry is one that only ann may use, with an artifact in it.
func closedRegistry(t *testing.T) (reg *testRegistry, ref string) {
	t.Helper()
	reg = newRegistry(t, withBasicAuth("ann", "secret"))
	ref = reg.addr + "/a:1"
	c := newClient(t, Config{Insecure: []string{reg.addr}, Credentials: map[string]Credential{reg.addr: {"ann", "secret"}}})
	_, err := c.Push(t.Context(), ref, wasm("closed"), Meta{}, nil)
	require.NoError(t, err)
	return reg, ref
}

func dockerConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func auths(addr, user, password string) string {
	return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, addr, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

func TestCredentialsOfDockersFile(t *testing.T) {
	t.Parallel()
	reg, ref := closedRegistry(t)
	file := dockerConfig(t, auths("ghcr.io", "bob", "x"))
	c := newClient(t, Config{Insecure: []string{reg.addr}, DockerConfig: file})
	_, err := c.Pull(t.Context(), ref, nil)
	require.ErrorIs(t, err, lattice.ErrDenied, "it has another's")

	// What "docker login" writes later counts at once.
	require.NoError(t, os.WriteFile(file, []byte(auths(reg.addr, "ann", "secret")), 0o600))
	_, err = c.Pull(t.Context(), ref, nil)
	require.NoError(t, err)

	wrong := newClient(t, Config{Insecure: []string{reg.addr}, DockerConfig: file, Credentials: map[string]Credential{reg.addr: {"ann", "guess"}}})
	_, err = wrong.Pull(t.Context(), ref, nil)
	require.ErrorIs(t, err, lattice.ErrDenied, "what was given counts more")
	wrong.AddCredentials(map[string]Credential{reg.addr: {"ann", "secret"}})
	_, err = wrong.Pull(t.Context(), ref, nil)
	require.NoError(t, err)
}

func TestCredentialsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	closed, ref := closedRegistry(t)
	open := newRegistry(t, nil)
	openRef, _ := open.push(t, "a:1", wasm("open"))
	for name, tc := range map[string]struct{ config, want string }{
		"no JSON":                    {"{", "cannot be read"},
		"a helper that is not there": {`{"credsStore":"lath-nowhere"}`, "docker-credential-lath-nowhere"},
	} {
		file := dockerConfig(t, tc.config)
		c := newClient(t, Config{Insecure: []string{closed.addr, open.addr}, DockerConfig: file})
		_, err := c.Pull(t.Context(), openRef, nil)
		require.NoError(t, err, "%s: who is open to all needs none", name)
		_, err = c.Pull(t.Context(), ref, nil)
		require.ErrorIs(t, err, lattice.ErrDenied, name)
		require.ErrorContains(t, err, tc.want, name)
		require.ErrorContains(t, err, file)
	}
	none := newClient(t, Config{Insecure: []string{closed.addr}, DockerConfig: filepath.Join(t.TempDir(), "nowhere")})
	_, err := none.Pull(t.Context(), ref, nil)
	require.ErrorIs(t, err, lattice.ErrDenied)
	require.NotContains(t, err.Error(), "cannot be read", "no file is no fault")
}

// TestCredentialHelpers: the programs that docker's file names are asked, as docker
// asks them. It is not parallel, since they are found by the environment.
func TestCredentialHelpers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the helper of this test is a shell script")
	}
	reg, ref := closedRegistry(t)
	dir := t.TempDir()
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	helper := func(name, script string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "docker-credential-"+name), []byte("#!/bin/sh\n"+script), 0o700)) //nolint:gosec // it is to be run
	}
	helper("lath-good", `read server; test "$1 $server" = "get `+reg.addr+`" && echo '{"ServerURL":"","Username":"ann","Secret":"secret"}'`)
	helper("lath-bad", "echo 'the keyring is locked' >&2; exit 1")
	for name, config := range map[string]string{
		"store":                `{"credsStore":"lath-good"}`,
		"helper":               fmt.Sprintf(`{"credHelpers":{%q:"lath-good"}}`, reg.addr),
		"helper before stores": fmt.Sprintf(`{"credsStore":"lath-bad","credHelpers":{%q:"lath-good"}}`, reg.addr),
	} {
		c := newClient(t, Config{Insecure: []string{reg.addr}, DockerConfig: dockerConfig(t, config)})
		_, err := c.Pull(t.Context(), ref, nil)
		require.NoError(t, err, name)
	}
	c := newClient(t, Config{Insecure: []string{reg.addr}, DockerConfig: dockerConfig(t, `{"credsStore":"lath-bad"}`)})
	_, err := c.Pull(t.Context(), ref, nil)
	require.ErrorIs(t, err, lattice.ErrDenied)
	require.ErrorContains(t, err, "cannot be read")
}

func TestDockerHubHasManyNames(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{Credentials: map[string]Credential{"docker.io": {"ann", "secret"}}})
	for _, addr := range []string{"docker.io", "registry-1.docker.io", "Index.docker.io"} {
		found, err := c.known.find(t.Context(), addr)
		require.NoError(t, err)
		require.Equal(t, "ann", found.Username, addr)
	}
	found, err := c.known.find(t.Context(), "example.com")
	require.NoError(t, err)
	require.Empty(t, found)
}
