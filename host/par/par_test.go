package par_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/par"
	"github.com/lathhost/lath/host/par/partest"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/claims"
)

func hash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

const script = "#!/bin/sh\necho hello\n"

var here = par.Here() + ".bin"

func good(t testing.TB) []byte {
	return partest.Pack(t, partest.Signed(t, map[string]string{par.Here(): script, "world.wasm": "world", "sparc-plan9": "x"}, nil),
		partest.File{Name: "world.wasm", Content: "world"}, partest.File{Name: "sparc-plan9.bin", Content: "x"}, partest.File{Name: here, Content: script})
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
	for name, archive := range map[string][]byte{"plain": good(t), "gzip": partest.Compress(t, good(t))} {
		a, out, err := extract(t, archive, par.Limits{})
		require.NoError(t, err, name)
		require.Equal(t, script, out)
		require.Equal(t, "world", string(a.World))
		require.Equal(t, "sha256:"+hash(script), a.Digest)
		require.EqualValues(t, len(script), a.Size)
		require.Equal(t, "one acme 1.2.3", a.Claims.Name+" "+a.Claims.Vendor+" "+a.Claims.Version)
		require.EqualValues(t, 4, a.Claims.Revision)
		require.JSONEq(t, `{"type":"object"}`, string(a.Claims.ConfigSchema))
	}
}

// Claims may stand anywhere, and what is needless may be anything.
func TestOrderAndCompany(t *testing.T) {
	t.Parallel()
	claim := partest.Signed(t, map[string]string{par.Here(): script}, nil)
	a, out, err := extract(t, partest.Pack(t, partest.File{Name: "./", Type: tar.TypeDir}, partest.File{Name: "./" + here, Content: script},
		partest.File{Name: "README.md", Content: "hi"}, partest.File{Name: "dir/" + here, Content: "another"}, claim), par.Limits{})
	require.NoError(t, err)
	require.Equal(t, script, out)
	require.Nil(t, a.World)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	targets := map[string]string{par.Here(): script}
	claim, binary := partest.Signed(t, targets, nil), partest.File{Name: here, Content: script}
	is := func(change func(p map[string]any)) partest.File { return partest.Signed(t, targets, change) }
	foreign := strings.Split(claim.Content, ".")
	foreign[2] = strings.Split(partest.Signed(t, targets, nil).Content, ".")[2]
	whole := good(t)
	for name, tc := range map[string]struct {
		archive []byte
		want    string
		kind    error
		limits  par.Limits
	}{
		"empty":                  {archive: nil, want: "neither a tar"},
		"text":                   {archive: []byte("hello"), want: "neither a tar"},
		"gzip of text":           {archive: partest.Compress(t, []byte("hello")), want: "unexpected EOF"},
		"half a gzip":            {archive: partest.Compress(t, whole)[:300], want: "unexpected EOF"},
		"spoilt gzip":            {archive: spoil(partest.Compress(t, whole), 40), want: ""},
		"half a tar":             {archive: whole[:len(whole)/2], want: ""},
		"spoilt header":          {archive: spoil(whole, 3), want: "invalid tar header"},
		"another binary":         {archive: partest.Pack(t, claim, partest.File{Name: here, Content: script + "#"}), want: "made for another"},
		"unknown to its claims":  {archive: partest.Pack(t, partest.Signed(t, map[string]string{"a-b": script}, nil), binary), want: "do not say what"},
		"another world":          {archive: partest.Pack(t, partest.Signed(t, map[string]string{par.Here(): script, "world.wasm": "a"}, nil), partest.File{Name: "world.wasm", Content: "b"}, binary), want: "made for another"},
		"a world without a hash": {archive: partest.Pack(t, claim, partest.File{Name: "world.wasm", Content: "b"}, binary), want: "do not say what"},
		"no claims":              {archive: partest.Pack(t, binary), want: "no claims.jwt"},
		"two claims":             {archive: partest.Pack(t, claim, claim, binary), want: "two claims.jwt"},
		"two binaries":           {archive: partest.Pack(t, binary, binary, claim), want: "two binaries"},
		"two worlds":             {archive: partest.Pack(t, partest.File{Name: "world.wasm"}, partest.File{Name: "world.wasm"}, claim, binary), want: "two world.wasm"},
		"only for others":        {archive: partest.Pack(t, claim, partest.File{Name: "sparc-plan9.bin", Content: "x"}), want: `it has some for "sparc-plan9"`, kind: lattice.ErrNotFound},
		"nothing":                {archive: partest.Pack(t, claim), want: "no binaries"},
		"an empty binary":        {archive: partest.Pack(t, claim, partest.File{Name: here}), want: "has 0 bytes"},
		"a link":                 {archive: partest.Pack(t, claim, partest.File{Name: here, Content: "/bin/sh", Type: tar.TypeSymlink}), want: "no binaries"},
		"too large":              {archive: whole, want: "want 1 to 3", limits: par.Limits{MaxBinary: 3}},
		"too long":               {archive: whole, want: "too long", limits: par.Limits{MaxTotal: 2048}},
		"a component's claims":   {archive: partest.Pack(t, is(func(p map[string]any) { p["sub"] = "M" + p["sub"].(string)[1:] }), binary), want: "of a component"},
		"expired": {archive: partest.Pack(t, is(func(p map[string]any) { p["exp"] = 1700000000 }), binary), want: "expired on 2023",
			kind: claims.ErrExpired},
		"not yet":           {archive: partest.Pack(t, is(func(p map[string]any) { p["nbf"] = time.Now().Unix() + 3600 }), binary), want: "not good before"},
		"foreign signature": {archive: partest.Pack(t, partest.File{Name: "claims.jwt", Content: strings.Join(foreign, ".")}, binary), want: "signature"},
		"no token":          {archive: partest.Pack(t, partest.File{Name: "claims.jwt", Content: "x"}, binary), want: "three parts"},
		"a long token":      {archive: partest.Pack(t, partest.File{Name: "claims.jwt", Content: strings.Repeat("x", 300<<10)}, binary), want: "the limit is 262144"},
		"many entries":      {archive: partest.Pack(t, append(make([]partest.File, 0, 300), many(300)...)...), want: "more than 256"},
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

func many(n int) []partest.File {
	list := make([]partest.File, n)
	for i := range list {
		list[i].Name = "f"
	}
	return list
}

// A small file that decompresses to much is not decompressed for long.
func TestABombIsNotSetOff(t *testing.T) {
	t.Parallel()
	bomb := partest.Compress(t, partest.Pack(t, partest.File{Name: "zeros", Content: strings.Repeat("\x00", 8<<20)}))
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
	x, err := s.Put(t.Context(), bytes.NewReader(partest.Compress(t, good(t))))
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
	_, err = s.Put(t.Context(), bytes.NewReader(partest.Pack(t, partest.File{Name: here, Content: "\x7fELF another"})))
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
	f.Add(partest.Compress(f, good(f)))
	f.Add(partest.Pack(f, partest.Signed(f, nil, nil), partest.File{Name: here, Content: script}))
	f.Add(partest.Pack(f, partest.File{Name: here, Content: "x", Type: tar.TypeSymlink}, partest.File{Name: "world.wasm", Content: "x"}))
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
