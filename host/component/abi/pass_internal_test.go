package abi

import (
	"errors"
	"testing"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
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

type plainMemory []byte

func (m plainMemory) Bytes() []byte { return m }

// TestTransferIsPolled ends a transfer of many small elements, and one of many
// copies, in the middle.
func TestTransferIsPolled(t *testing.T) {
	t.Parallel()
	stop := errors.New("deadline")
	bools, err := wit.NewList(wit.Bool)
	require.NoError(t, err)
	texts, err := wit.NewList(wit.String)
	require.NoError(t, err)
	for _, elem := range []*wit.Type{bools, texts} {
		const n = 1 << 19 // a poll for each two lists of bools, and for each quarter list of texts
		polls, calls := 0, 0
		src := &Guest{Mem: plainMemory(make([]byte, 8*n))}
		src.Poll = func() error {
			if polls++; polls == 3 {
				return stop
			}
			return nil
		}
		dst := &Guest{Mem: plainMemory(make([]byte, 8*n)), Realloc: func(_, _, _, _ uint32) (uint32, error) {
			calls++
			return 0, nil
		}}
		outer, err := wit.NewTuple(elem, elem, elem, elem, elem, elem, elem)
		require.NoError(t, err)
		pass, err := CompileTransfer([]*wit.Type{outer}, UTF8, UTF8)
		require.NoError(t, err)
		in, out := make([]uint64, 14), make([]uint64, 14)
		for i := 1; i < len(in); i += 2 {
			in[i] = n
		}
		require.ErrorIs(t, pass.Flat(src, dst, in, out), stop)
		require.Equal(t, 3, polls)
		require.Positive(t, calls)
	}
}
