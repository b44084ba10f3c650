package par_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/par"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/claims"
)

// file is an entry of an archive.
type file struct {
	name, content string
	typ           byte
}

// pack makes a tar as wasmCloud's packer does.
func pack(t testing.TB, files ...file) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Size: int64(len(f.content)), Typeflag: f.typ, Format: tar.FormatGNU}
		if f.typ == tar.TypeSymlink {
			h.Linkname, h.Size = f.content, 0
		}
		require.NoError(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := io.WriteString(w, f.content)
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return buf.Bytes()
}

func compress(t testing.TB, plain []byte) []byte {
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

// signed is a claims.jwt for some files, as wash writes it; change, if not nil,
// spoils it before it is signed.
func signed(t testing.TB, targets map[string]string, change func(payload map[string]any)) file {
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
	return file{name: "claims.jwt", content: text + "." + base64.RawURLEncoding.EncodeToString(sig)}
}

const script = "#!/bin/sh\necho hello\n"

var here = par.Here() + ".bin"

func good(t testing.TB) []byte {
	return pack(t, signed(t, map[string]string{par.Here(): script, "world.wasm": "world", "sparc-plan9": "x"}, nil),
		file{name: "world.wasm", content: "world"}, file{name: "sparc-plan9.bin", content: "x"}, file{name: here, content: script})
}

func extract(t testing.TB, archive []byte, l par.Limits) (*par.Archive, string, error) {
	t.Helper()
	var out bytes.Buffer
	a, err := par.Extract(t.Context(), bytes.NewReader(archive), par.Here(), &out, l)
	return a, out.String(), err
}

func TestTargets(t *testing.T) {
	t.Parallel()
	for of, want := range map[[2]string]string{
		{"linux", "amd64"}: "x86_64-linux", {"linux", "arm64"}: "aarch64-linux", {"darwin", "arm64"}: "aarch64-macos", {"windows", "amd64"}: "x86_64-windows",
	} {
		require.Equal(t, want, par.Target(of[0], of[1]))
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	for name, archive := range map[string][]byte{"plain": good(t), "gzip": compress(t, good(t))} {
		a, out, err := extract(t, archive, par.Limits{})
		require.NoError(t, err, name)
		require.Equal(t, script, out)
		require.Equal(t, "world", string(a.World))
		require.Equal(t, "sha256:"+strings.ToLower(hash(script)), a.Digest)
		require.EqualValues(t, len(script), a.Size)
		require.Equal(t, "one acme 1.2.3", a.Claims.Name+" "+a.Claims.Vendor+" "+a.Claims.Version)
		require.EqualValues(t, 4, a.Claims.Revision)
		require.JSONEq(t, `{"type":"object"}`, string(a.Claims.ConfigSchema))
	}
}

// Claims may stand anywhere, and what is needless may be anything.
func TestOrderAndCompany(t *testing.T) {
	t.Parallel()
	claim := signed(t, map[string]string{par.Here(): script}, nil)
	a, out, err := extract(t, pack(t, file{name: "./", typ: tar.TypeDir}, file{name: "./" + here, content: script},
		file{name: "README.md", content: "hi"}, file{name: "dir/" + here, content: "another"}, claim), par.Limits{})
	require.NoError(t, err)
	require.Equal(t, script, out)
	require.Nil(t, a.World)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	targets := map[string]string{par.Here(): script}
	claim, binary := signed(t, targets, nil), file{name: here, content: script}
	is := func(change func(p map[string]any)) file { return signed(t, targets, change) }
	foreign := strings.Split(claim.content, ".")
	foreign[2] = strings.Split(signed(t, targets, nil).content, ".")[2]
	whole := good(t)
	for name, tc := range map[string]struct {
		archive []byte
		want    string
		kind    error
		limits  par.Limits
	}{
		"empty":                  {archive: nil, want: "neither a tar"},
		"text":                   {archive: []byte("hello"), want: "neither a tar"},
		"gzip of text":           {archive: compress(t, []byte("hello")), want: "unexpected EOF"},
		"half a gzip":            {archive: compress(t, whole)[:300], want: "unexpected EOF"},
		"spoilt gzip":            {archive: spoil(compress(t, whole), 40), want: ""},
		"half a tar":             {archive: whole[:len(whole)/2], want: ""},
		"spoilt header":          {archive: spoil(whole, 3), want: "invalid tar header"},
		"another binary":         {archive: pack(t, claim, file{name: here, content: script + "#"}), want: "made for another"},
		"unknown to its claims":  {archive: pack(t, signed(t, map[string]string{"a-b": script}, nil), binary), want: "do not say what"},
		"another world":          {archive: pack(t, signed(t, map[string]string{par.Here(): script, "world.wasm": "a"}, nil), file{name: "world.wasm", content: "b"}, binary), want: "made for another"},
		"a world without a hash": {archive: pack(t, claim, file{name: "world.wasm", content: "b"}, binary), want: "do not say what"},
		"no claims":              {archive: pack(t, binary), want: "no claims.jwt"},
		"two claims":             {archive: pack(t, claim, claim, binary), want: "two claims.jwt"},
		"two binaries":           {archive: pack(t, binary, binary, claim), want: "two binaries"},
		"two worlds":             {archive: pack(t, file{name: "world.wasm"}, file{name: "world.wasm"}, claim, binary), want: "two world.wasm"},
		"only for others":        {archive: pack(t, claim, file{name: "sparc-plan9.bin", content: "x"}), want: `it has some for "sparc-plan9"`, kind: lattice.ErrNotFound},
		"nothing":                {archive: pack(t, claim), want: "no binaries"},
		"an empty binary":        {archive: pack(t, claim, file{name: here}), want: "has 0 bytes"},
		"a link":                 {archive: pack(t, claim, file{name: here, content: "/bin/sh", typ: tar.TypeSymlink}), want: "no binaries"},
		"too large":              {archive: whole, want: "want 1 to 3", limits: par.Limits{MaxBinary: 3}},
		"too long":               {archive: whole, want: "too long", limits: par.Limits{MaxTotal: 2048}},
		"a component's claims":   {archive: pack(t, is(func(p map[string]any) { p["sub"] = "M" + p["sub"].(string)[1:] }), binary), want: "of a component"},
		"expired": {archive: pack(t, is(func(p map[string]any) { p["exp"] = 1700000000 }), binary), want: "expired on 2023",
			kind: claims.ErrExpired},
		"not yet":           {archive: pack(t, is(func(p map[string]any) { p["nbf"] = time.Now().Unix() + 3600 }), binary), want: "not good before"},
		"foreign signature": {archive: pack(t, file{name: "claims.jwt", content: strings.Join(foreign, ".")}, binary), want: "signature"},
		"no token":          {archive: pack(t, file{name: "claims.jwt", content: "x"}, binary), want: "three parts"},
		"a long token":      {archive: pack(t, file{name: "claims.jwt", content: strings.Repeat("x", 300<<10)}, binary), want: "the limit is 262144"},
		"many entries":      {archive: pack(t, append(make([]file, 0, 300), many(300)...)...), want: "more than 256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, _, err := extract(t, tc.archive, tc.limits)
			require.Nil(t, a)
			require.Error(t, err)
			require.ErrorContains(t, err, tc.want)
			kind := tc.kind
			if kind == nil {
				kind = lattice.ErrInvalid
			}
			require.ErrorIs(t, err, kind)
		})
	}
}

func spoil(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x55
	return b
}

func many(n int) []file {
	list := make([]file, n)
	for i := range list {
		list[i].name = "f"
	}
	return list
}

// A small file that decompresses to much is not decompressed for long.
func TestABombIsNotSetOff(t *testing.T) {
	t.Parallel()
	bomb := compress(t, pack(t, file{name: "zeros", content: strings.Repeat("\x00", 8<<20)}))
	require.Less(t, len(bomb), 64<<10)
	_, _, err := extract(t, bomb, par.Limits{MaxTotal: 1 << 20})
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.ErrorContains(t, err, "too long when it is decompressed")
}

func TestErrorsOfOthersAreTold(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full")
	_, err := par.Extract(t.Context(), io.MultiReader(bytes.NewReader(good(t)[:2000]), iotest.ErrReader(cause)), par.Here(), io.Discard, par.Limits{})
	require.ErrorIs(t, err, cause)
	require.NotErrorIs(t, err, lattice.ErrInvalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = par.Extract(ctx, bytes.NewReader(good(t)), par.Here(), io.Discard, par.Limits{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "bin")
	s := par.NewStore(dir, 0, par.Limits{})
	x, err := s.Put(t.Context(), bytes.NewReader(compress(t, good(t))))
	require.NoError(t, err)
	require.NotNil(t, x.Claims)
	content, err := os.ReadFile(x.Path)
	require.NoError(t, err)
	require.Equal(t, script, string(content))
	before, err := os.Stat(x.Path)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.EqualValues(t, 0o700, before.Mode().Perm())
	}

	// The same program, as it is, is the same file, which may be running.
	if runtime.GOOS != "windows" {
		again, err := s.Put(t.Context(), strings.NewReader(script))
		require.NoError(t, err)
		require.Nil(t, again.Claims)
		require.Equal(t, x.Path, again.Path)
		require.Equal(t, x.Size, again.Size)
		after, err := os.Stat(x.Path)
		require.NoError(t, err)
		require.True(t, os.SameFile(before, after), "it was replaced")
	}

	// What was changed since is replaced.
	require.NoError(t, os.WriteFile(x.Path, []byte("#!/bin/sh\nrm -rf /\n"), 0o700))
	_, err = s.Put(t.Context(), bytes.NewReader(good(t)))
	require.NoError(t, err)
	content, err = os.ReadFile(x.Path)
	require.NoError(t, err)
	require.Equal(t, script, string(content))

	// What failed leaves nothing.
	_, err = s.Put(t.Context(), bytes.NewReader(pack(t, file{name: here, content: "\x7fELF another"})))
	require.ErrorIs(t, err, lattice.ErrInvalid)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestTheStoreRunsThisProgram(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	f, err := os.Open(self)
	require.NoError(t, err)
	defer f.Close()
	x, err := par.NewStore(t.TempDir(), 0, par.Limits{}).Put(t.Context(), f)
	require.NoError(t, err)
	require.Eventually(t, func() bool { // see Executable.Path
		return exec.CommandContext(t.Context(), x.Path, "-test.run", "^TestTargets$").Run() == nil
	}, time.Minute, 10*time.Millisecond)
}

func TestStoreRefuses(t *testing.T) {
	t.Parallel()
	elf := "\x7fELF\x02\x01\x01\x00" + strings.Repeat("\x00", 8) + "\x02\x00"
	for name, tc := range map[string]struct{ image, want string }{
		"empty":           {"", "neither a provider archive nor a program"},
		"text":            {"hello there", "begins with 68 65 6c 6c 6f"},
		"a component":     {"\x00asm\x0d\x00\x01\x00", "lath start component"},
		"another machine": {elf + "\x08\x00", "it is a program for EM_MIPS"},
		"too large":       {script + strings.Repeat(" ", 200), "more than 100 bytes"},
	} {
		if runtime.GOOS != "linux" && strings.HasPrefix(tc.image, "\x7fELF") {
			continue
		}
		_, err := par.NewStore(t.TempDir(), 0, par.Limits{MaxBinary: 100}).Put(t.Context(), strings.NewReader(tc.image))
		require.ErrorIs(t, err, lattice.ErrInvalid, name)
		require.ErrorContains(t, err, tc.want, name)
	}
	if runtime.GOOS == "windows" {
		return
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777)) //nolint:gosec // that is the point
	_, err := par.NewStore(dir, 0, par.Limits{}).Put(t.Context(), strings.NewReader(script))
	require.ErrorIs(t, err, lattice.ErrDenied)
}

func TestTheStoreIsBounded(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("scripts are no programs there")
	}
	s := par.NewStore(t.TempDir(), 2*int64(len(script)), par.Limits{})
	var paths []string
	for i := range 3 {
		x, err := s.Put(t.Context(), strings.NewReader(strings.Replace(script, "hello", "hell"+string(rune('0'+i)), 1)))
		require.NoError(t, err)
		at := time.Now().Add(time.Duration(i-10) * time.Minute)
		require.NoError(t, os.Chtimes(x.Path, at, at))
		paths = append(paths, x.Path)
	}
	require.NoFileExists(t, paths[0])
	require.FileExists(t, paths[1])
	require.FileExists(t, paths[2])
}

func FuzzPAR(f *testing.F) {
	f.Add(good(f))
	f.Add(compress(f, good(f)))
	f.Add(pack(f, signed(f, nil, nil), file{name: here, content: script}))
	f.Add(pack(f, file{name: here, content: "x", typ: tar.TypeSymlink}, file{name: "world.wasm", content: "x"}))
	limits := par.Limits{MaxBinary: 1 << 16, MaxTotal: 1 << 18}
	f.Fuzz(func(t *testing.T, archive []byte) {
		var out bytes.Buffer
		a, err := par.Extract(t.Context(), bytes.NewReader(archive), par.Here(), &out, limits)
		require.LessOrEqual(t, out.Len(), 1<<16)
		if err != nil {
			require.Nil(t, a)
			return
		}
		sum := sha256.Sum256(out.Bytes())
		require.NoError(t, a.Claims.CheckFile(par.Here(), sum[:]))
	})
}
