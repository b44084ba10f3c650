package io_test

import (
	"bytes"
	goio "io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/io"
)

// closing is a reader that says whether it is closed.
type closing struct {
	goio.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestDirectInputReadsWhenAsked(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 20_000)
	src := &closing{Reader: iotest.DataErrReader(strings.NewReader(text))}
	in := io.DirectInputStream(src)
	p, err := in.Subscribe(t.Context())
	require.NoError(t, err)
	ready, err := p.Ready(t.Context())
	require.NoError(t, err)
	require.True(t, ready, "a file always is")
	b, err := in.Read(t.Context(), 3)
	require.NoError(t, err)
	require.Equal(t, "012", string(b))
	n, err := in.Skip(t.Context(), 7)
	require.NoError(t, err)
	require.EqualValues(t, 7, n)
	var got bytes.Buffer
	for {
		b, err := in.BlockingRead(t.Context(), math.MaxUint64)
		if err != nil {
			requireClosed(t, err)
			break
		}
		require.LessOrEqual(t, len(b), 64<<10)
		got.Write(b)
	}
	require.Equal(t, text[10:], got.String())
	b, err = in.Read(t.Context(), 0)
	require.NoError(t, err)
	require.Empty(t, b)
	in.Drop()
	require.True(t, src.closed)
}

func TestDirectInputTellsItsFailureOnce(t *testing.T) {
	t.Parallel()
	in := io.DirectInputStream(goio.MultiReader(strings.NewReader("last words"), iotest.ErrReader(errDisk)))
	b, err := in.Read(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, "last words", string(b))
	_, err = in.Read(t.Context(), 100)
	requireFailed(t, err)
	_, err = in.Read(t.Context(), 100)
	requireClosed(t, err)
	in.Drop()
}
