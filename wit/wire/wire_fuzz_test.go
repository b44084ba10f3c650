package wire_test

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
)

var fuzzTypes = []*wit.Type{
	kvGet, brokerMsg, httpReq, httpResp, strs, trailers, wit.Char, wit.S16, wit.U64,
	must(wit.NewMap(wit.S32, must(wit.NewFixedList(wit.F32, 3)))),
	must(wit.NewFlags("a", "b", "c", "d", "e", "f", "g", "h", "i")),
	must(wit.NewStream(nil)), must(wit.NewList(must(wit.NewResult(nil, nil)))),
	must(wit.NewList(wit.NewOwn(&wit.Resource{Name: "r"}))), wit.ErrorContext,
}

func seed(f *testing.F) {
	for i := range fuzzTypes {
		f.Add(uint8(i), []byte{0, 0, 0, 1, 2, 0x2f, 0x61, 1, 0})
		f.Add(uint8(i), []byte{1, 2, 4, 0x62, 0x6f, 0x6f, 0x6d})
		f.Add(uint8(i), []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0x80})
	}
}

// FuzzDecode: what decodes is written back as a value that decodes to the
// same, in no more bytes.
func FuzzDecode(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		typ := fuzzTypes[int(which)%len(fuzzTypes)]
		v, rest, err := wire.Decode(typ, b, wire.Limits{Values: 1 << 12})
		if err != nil {
			return
		}
		out, err := wire.Append(nil, typ, v)
		require.NoError(t, err)
		require.LessOrEqual(t, len(out), len(b)-len(rest))
		again, rest, err := wire.Decode(typ, out, wire.Limits{Values: 1 << 12})
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, v, again)
	})
}

// FuzzSkip: Skip, Skipper in pieces and Decode agree on the end and on the
// error.
func FuzzSkip(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		typ := fuzzTypes[int(which)%len(fuzzTypes)]
		types := []*wit.Type{typ, wit.U8, typ}
		n, err := wire.Skip(types, b)

		_, rest, derr := wire.DecodeAll(types, b, wire.Limits{})
		require.Equal(t, errText(err), errText(derr))
		if err == nil {
			require.Equal(t, len(b)-len(rest), n)
		}

		s := wire.NewSkipper(types)
		for i := range len(b) + 1 {
			sn, serr := s.Skip(b[:i])
			if errors.Is(serr, io.ErrUnexpectedEOF) && i < len(b) {
				continue
			}
			require.Equal(t, errText(err), errText(serr))
			require.Equal(t, n, sn)
		}
	})
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
