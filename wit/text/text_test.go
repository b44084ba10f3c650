package text_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/internal/wittest"
	"github.com/lathhost/lath/wit/text"
)

const store, user, streams = "test:app/store@1.0.0-rc.1", "test:app/user@1.0.0-rc.1", "test:io/streams@0.2.0"

func resource(t *testing.T, i *wit.Interface, name string) *wit.Resource {
	t.Helper()
	for _, d := range i.Types {
		if d.Name == name {
			require.NotNil(t, d.Resource)
			return d.Resource
		}
	}
	t.Fatalf("no resource %s", name)
	return nil
}

func TestLoad(t *testing.T) {
	t.Parallel()
	w, err := text.Load(t.Context(), filepath.Join("testdata", "app"), "app")
	require.NoError(t, err)
	require.Equal(t, "test:app/app@1.0.0-rc.1", w.Name)

	in, out, io := w.Import(store).Interface, w.Export(store).Interface, w.Import(streams).Interface
	require.Equal(t, "Keeps things.", in.Docs)
	require.NotSame(t, resource(t, in, "bucket"), resource(t, out, "bucket"), "each side has its own resources")
	require.Same(t, resource(t, io, "output"), resource(t, in, "out"))
	require.Same(t, resource(t, io, "output"), resource(t, out, "out"), "what is only imported is shared")
	require.Same(t, resource(t, out, "bucket"), resource(t, w.Export(user).Interface, "bucket"), "an export uses the export")
	require.Equal(t, wit.TypeDef{Name: "out", Resource: resource(t, io, "output"), Owner: streams, OwnerName: "output"}, in.Types[0])

	require.Equal(t, "Gets all of them.", in.Func("all").Docs)
	require.Equal(t, "all: func(b: borrow<bucket>, c: color, m: modes) -> items", in.Func("all").String())
	require.Equal(t, "[method]bucket.get: func(self: borrow<bucket>, key: string) -> result<option<item>, error>", in.Func("[method]bucket.get").String())
	require.Equal(t, "feed: func(s: stream<u8>, f: future<result>) -> result<_, error>", in.Func("feed").String())
	require.Equal(t, "record { key: string, value: list<u8>, at: option<tuple<u64, char>> }", w.Types[0].Type.Structure())
	require.Equal(t, "ping", w.Import("inline").Interface.Funcs[0].Name)
	require.Equal(t, "func() -> result<u32>", w.Export("run").Func.Signature())

	// The small parser reads what is printed of it.
	printed, err := wit.Print(w)
	require.NoError(t, err)
	again, err := wit.ParseWorld(printed)
	require.NoError(t, err, printed)
	require.Equal(t, len(w.Imports), len(again.Imports))
	second, err := wit.Print(again)
	require.NoError(t, err)
	require.Equal(t, printed, second)
}

func TestLoadChoosesWorlds(t *testing.T) {
	t.Parallel()
	app := filepath.Join("testdata", "app")
	w, err := text.Load(t.Context(), app, "test:app/small@1.0.0-rc.1")
	require.NoError(t, err)
	require.Len(t, w.Imports, 3)
	_, err = text.Load(t.Context(), app, "")
	require.ErrorIs(t, err, text.ErrNoWorld)
	require.ErrorContains(t, err, "2 match, there are test:app/app@1.0.0-rc.1, test:app/small@1.0.0-rc.1")
	_, err = text.Load(t.Context(), app, "other")
	require.ErrorIs(t, err, text.ErrNoWorld)
	_, err = text.Load(t.Context(), filepath.Join(t.TempDir(), "none"), "")
	require.ErrorContains(t, err, "none")
	_, err = text.Read(t.Context(), "x", strings.NewReader("package a:b; interface i { f: func(a: x); }"), "")
	require.ErrorContains(t, err, "name `x` is not defined")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = text.Load(ctx, app, "app")
	require.ErrorIs(t, err, context.Canceled)
}

func TestLoadInterfaces(t *testing.T) {
	t.Parallel()
	list, err := text.LoadInterfaces(t.Context(), filepath.Join("testdata", "app"))
	require.NoError(t, err)
	var names []string
	for _, i := range list {
		if i.Name != "" {
			names = append(names, i.Name)
		}
	}
	require.Equal(t, []string{streams, store, user}, names)
	require.Same(t, resource(t, list[1], "bucket"), resource(t, list[2], "bucket"))
}

// Ordinary tools accept what wit.Print writes, and read the same from it.
func TestPrintedTextIsWIT(t *testing.T) {
	t.Parallel()
	worlds := rapid.Custom(func(t *rapid.T) *wit.World { return wittest.World(t, true) })
	for seed := range 8 {
		w := worlds.Example(seed)
		printed, err := wit.Print(w)
		require.NoError(t, err)
		got, err := text.Read(t.Context(), "printed", strings.NewReader(printed), "root")
		require.NoError(t, err, printed)
		got.Name = "root"
		again, err := wit.Print(got)
		require.NoError(t, err)
		parsed, err := wit.ParseWorld(again)
		require.NoError(t, err)
		for _, e := range w.Exports {
			require.NotNil(t, parsed.Export(e.Name), again)
		}
	}
}
