package core_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	bin "github.com/lathhost/lath/host/component/binary/binarytest"
	"github.com/lathhost/lath/host/component/core"
)

func TestCustomSections(t *testing.T) {
	t.Parallel()
	wasm := bin.Module(bin.Raw(0, bin.Cat("a", []byte("first"))), bin.Section(1, []byte{0x60, 0, 0}),
		bin.Raw(0, bin.Cat("b", []byte("other"))), bin.Raw(0, bin.Cat("a", []byte("second"))), bin.Raw(0, bin.Cat("empty")))
	m, err := core.Parse(wasm, core.Limits{})
	require.NoError(t, err)
	require.Equal(t, "first", string(m.Custom("a")))
	require.Equal(t, "other", string(m.Custom("b")))
	require.Empty(t, m.Custom("empty"))
	require.Nil(t, m.Custom("c"))
	r, err := core.Rewrite(m, core.Plan{})
	require.NoError(t, err)
	again, err := core.Parse(r.Bytes, core.Limits{})
	require.NoError(t, err)
	require.Nil(t, again.Custom("a"), "none of them gets to the engine")
}

func TestFunctionsTimesExportsAreBounded(t *testing.T) {
	t.Parallel()
	many := func(funcs, exports int) error {
		types, bodies, list := make([][]byte, funcs), make([][]byte, funcs), make([][]byte, exports)
		for i := range funcs {
			types[i], bodies[i] = []byte{0}, []byte{2, 0, 0x0b}
		}
		for i := range exports {
			list[i] = bin.Cat(fmt.Sprint(i), byte(0), 0)
		}
		m, err := core.Parse(bin.Module(bin.Section(1, []byte{0x60, 0, 0}), bin.Section(3, types...),
			bin.Section(7, list...), bin.Section(10, bodies...)), core.Limits{})
		require.NoError(t, err)
		_, err = core.Rewrite(m, core.Plan{})
		return err
	}
	require.NoError(t, many(100_000, 1_000))
	requireRefused(t, many(100_000, 20_000), core.LimitExceeded, "100000 functions, 20000 exports and 0 globals")
}
