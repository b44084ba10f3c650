package bindgen_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit/bindgen"
)

const root = "../.."

// TestGenerated writes all bindings to an empty folder, once more over them,
// and compares both with the committed files. It fails if a .wit or the
// generator changed without make generate.
func TestGenerated(t *testing.T) {
	t.Parallel()
	files, err := bindgen.Generate(root, bindgen.Targets)
	require.NoError(t, err)
	require.NotEmpty(t, files)

	dir := t.TempDir()
	for _, room := range []string{"wit", "host/bind", "lattice/bind"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, room), 0o755))
	}
	stale := filepath.Join(dir, "wit", "gone.gen.go")
	require.NoError(t, os.WriteFile(stale, []byte("package gone"), 0o644))
	require.NoError(t, bindgen.Write(dir, files))
	require.NoFileExists(t, stale)

	again, err := bindgen.Generate(root, bindgen.Targets)
	require.NoError(t, err)
	require.Equal(t, files, again, "the same input gives other files")

	written, err := bindgen.Committed(dir)
	require.NoError(t, err)
	committed, err := bindgen.Committed(root)
	require.NoError(t, err)
	require.Equal(t, written, committed, "run make generate")
	for _, path := range committed {
		want, err := os.ReadFile(filepath.Join(dir, path))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s: run make generate", path)
	}
}

// TestRefused checks the words in which the generator refuses what it cannot
// write.
func TestRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, wit string
		stubs     []string
		want      string
	}{
		{"stream", "interface i { f: func(s: stream<u8>); }", nil, "test:p/i@0.1.0: f: parameter s: streams and futures are not supported in bindings yet"},
		{"future", "interface i { f: func() -> future<u8>; }", nil, "f: result: streams and futures are not supported"},
		{"error context", "interface i { f: func(e: error-context); }", nil, "is not supported in bindings"},
		{"fixed list", "interface i { f: func(l: list<u8, 4>); }", nil, "not supported"},
		{"map", "interface i { f: func(l: map<string, u8>); }", nil, "wasm-tools"},
		{"async", "interface i { f: async func(); }", nil, "f: asynchronous functions are not supported"},
		{"resource stub", "interface i { resource r; f: func(); }", []string{"i"}, "test:p/i@0.1.0 has the resource r, which a lattice cannot carry"},
		{"used resource stub", "interface i { resource r; } interface j { use i.{r}; f: func(x: borrow<r>); }", []string{"j"}, "function f passes a resource"},
		{"unknown stub", "interface i { f: func(); }", []string{"k"}, "no interface k"},
		{"drop", "interface i { resource r { drop: func(); } }", nil, "method drop"},
		{"one name twice", "interface i { f: func(x: u8, X: u8); }", nil, "f: two parameters would be called x"},
		{"syntax", "interface i {", nil, "wasm-tools"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "p.wit"), []byte("package test:p@0.1.0;\n"+tt.wit), 0o644))
			_, err := bindgen.Generate(dir, []bindgen.Target{{Dir: "test/p", File: "p.wit", Glue: true, Stubs: tt.stubs}})
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestTupleNames checks that two tuples whose Go names would be the same are
// refused, where no other type has a name of its own for that.
func TestTupleNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(file, text string) bindgen.Target {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file+".wit"), []byte(text), 0o644))
		return bindgen.Target{Dir: "test/" + file, File: file + ".wit"}
	}
	a := write("a", "package test:a@0.1.0;\ninterface i { record point { x: u8 } }")
	b := write("b", `package test:b@0.1.0;
interface j {
  use test:a/i@0.1.0.{point as other};
  record point { y: u8 }
  f: func(t: tuple<point, u8>, u: tuple<other, u8>);
}`)
	_, err := bindgen.Generate(dir, []bindgen.Target{a, b})
	require.EqualError(t, err, "b.wit: two tuples would be called TuplePointU8: name one of them")
}

// TestNoPackage checks what a file without its package line gets.
func TestNoPackage(t *testing.T) {
	t.Parallel()
	_, err := bindgen.Load(bindgen.Source{Path: "x.wit", Text: "interface i {}"})
	require.EqualError(t, err, "x.wit: no package line")
}
