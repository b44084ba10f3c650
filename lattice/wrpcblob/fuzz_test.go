package wrpcblob

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit/wire"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// FuzzDecode: whatever a peer sends ends in a value or in an error of the
// decoder, holds no more than it sent, and what was read is written alike.
func FuzzDecode(f *testing.F) {
	f.Add(appendID(nil, contract.ObjectID{Container: "pics", Object: "a.txt"}))
	f.Add(appendOutcome(nil, nil))
	f.Add(appendOutcome(nil, errors.New("no such object")))
	f.Add([]byte{3, 1, 'a', 0, 1, 'b'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 1, 'a'})
	f.Add([]byte{1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(b)
		if id := readID(&r); r.Err() == nil {
			again := wire.NewReader(appendID(nil, id))
			require.Equal(t, id, readID(&again))
		}
		r = wire.NewReader(b)
		if v := readOption(&r); r.Err() == nil {
			again := wire.NewReader(appendOption(nil, v))
			require.Equal(t, v, readOption(&again))
		}
		r = wire.NewReader(b)
		if list := readStrings(&r); r.Err() == nil {
			require.LessOrEqual(t, len(list), len(b))
		} else {
			require.Empty(t, list)
		}
		err := readOutcome(b)
		if _, told := errors.AsType[contract.Error](err); told {
			require.Error(t, readOutcome(appendOutcome(nil, err)))
		} else if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
		}
	})
}
