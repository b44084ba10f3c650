package guests

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/host/component/core"
)

func TestWithData(t *testing.T) {
	t.Parallel()
	small, err := Component("callee")
	require.NoError(t, err)
	big, err := WithData(small)
	require.NoError(t, err)
	c, err := binary.Decode(big, binary.Limits{})
	require.NoError(t, err)
	inside, ok := c.Defs[0].(*binary.CoreModule)
	require.True(t, ok)
	module, err := Core(big)
	require.NoError(t, err)
	require.True(t, bytes.Equal(inside.Bytes, module))
	m, err := core.Parse(module, core.Limits{})
	require.NoError(t, err)
	data := core.Data(m, core.Plan{StripData: true})
	require.Len(t, data, 1)
	require.Equal(t, uint32(DataStart), data[0].Offset)
	require.Len(t, data[0].Bytes, DataSize)
	require.NotContains(t, data[0].Bytes, byte(0), "no page is all zeros")
	alone, err := Core(small)
	require.NoError(t, err)
	alone, err = WithData(alone)
	require.NoError(t, err)
	require.True(t, bytes.Equal(module, alone), "of a module as of a component")
}

func TestDistinct(t *testing.T) {
	t.Parallel()
	wasm, err := Component("callee")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, n := range []int{0, 1, 63, 64, 999, -1} {
		one, err := Distinct(wasm, n)
		require.NoError(t, err)
		module, err := Core(one)
		require.NoError(t, err)
		require.False(t, seen[string(module)], n)
		seen[string(module)] = true
		_, err = core.Parse(module, core.Limits{})
		require.NoError(t, err)
	}
}

func TestWhatIsNoGuest(t *testing.T) {
	t.Parallel()
	wasm, err := Component("callee")
	require.NoError(t, err)
	for _, bad := range [][]byte{wasm[:9], wasm[:len(wasm)-1]} {
		_, err := WithData(bad)
		require.ErrorIs(t, err, errShort)
	}
	_, err = Core(nil)
	require.ErrorContains(t, err, "no core module")
	_, err = Component("nobody")
	require.Error(t, err)
}
