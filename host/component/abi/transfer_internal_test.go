package abi

import (
	"testing"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/stretchr/testify/require"
)

// TestTransferIsBounded stands for a realloc that gives one place again and
// again: what may be written is counted, not what is there.
func TestTransferIsBounded(t *testing.T) {
	t.Parallel()
	m := transferer{left: 10}
	require.NoError(t, m.spend(4))
	require.NoError(t, m.spend(6))
	err := m.spend(1)
	require.ErrorIs(t, err, &trap.Error{Code: trap.Limit})
}
