package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/bind"
	postgresbind "github.com/lathhost/lath/lattice/bind/wasmcloud/postgres"
	"github.com/lathhost/lath/providers/postgres/postgrestest"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// loop is a server of the contract in memory, which keeps what it was called with.
type loop struct {
	query  bind.Handler
	params []contract.PgValue
	sent   []byte
}

func newLoop(t testing.TB) *loop {
	t.Helper()
	w := &loop{}
	require.NoError(t, postgresbind.ServeQuery(w, w))
	return w
}

// Handle implements bind.Registrar.
func (w *loop) Handle(_, function string, _ []*wit.Type, h bind.Handler) error {
	if function == "query" {
		w.query = h
	}
	return nil
}

var errServed = errors.New("served")

// Query implements contract.Query.
func (w *loop) Query(_ context.Context, _ string, params []contract.PgValue) ([]contract.ResultRow, error) {
	w.params = params
	return nil, errServed
}

// QueryBatch implements contract.Query.
func (w *loop) QueryBatch(context.Context, string) error { return nil }

// Invoke implements bind.Invoker.
func (w *loop) Invoke(ctx context.Context, _, _ string, params []byte) ([]byte, error) {
	w.sent = slices.Clone(params)
	return w.query(ctx, params)
}

// pass sends a value over the wire, and returns what arrived and its bytes.
func (w *loop) pass(t testing.TB, v contract.PgValue) (contract.PgValue, []byte) {
	t.Helper()
	_, err := postgresbind.NewQueryClient(w).Query(t.Context(), "", []contract.PgValue{v})
	require.ErrorContains(t, err, "served")
	require.Len(t, w.params, 1)
	return w.params[0], w.sent
}

func types() []uint32 { return slices.Sorted(maps.Keys(decoders)) }

func arrayOf(oid uint32, element ...byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 1, 0, 0, 0, 0}, oid)
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(len(element)))
	return append(b, element...)
}

// FuzzDecode gives every decoder any bytes, as a server may that is none. What comes out
// is a value of the contract, that travels as it is, and is counted for what it takes.
func FuzzDecode(f *testing.F) {
	list := map[uint32]decoder{0: anyText, firstUserOID: hstore}
	maps.Copy(list, decoders)
	for _, oid := range types() {
		f.Add(arrayOf(oid, make([]byte, 4)...))
		f.Add(arrayOf(oid, make([]byte, 8)...))
	}
	for _, seed := range [][]byte{
		{}, {0}, {0, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 16), make([]byte, 24), make([]byte, 32), []byte("{1.5,2}"), {2, 32, 0, 4, 10, 0, 0, 1}, {1, '{', '}'},
		[]byte("\x00\x00\x00\x01word\x00\x00\x02\x00\x01\xc0\x05"), []byte("\x02\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00\x02"),
		[]byte("\x00\x00\x00\x01\x00\x00\x00\x01a\xff\xff\xff\xff"),
	} {
		f.Add(seed)
	}
	w := newLoop(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for oid, d := range list {
			v, err := d.decode(raw, 2)
			if err != nil {
				require.True(t, utf8.ValidString(err.Error()))
				continue
			}
			arrived, sent := w.pass(t, v)
			require.LessOrEqual(t, int64(len(sent)), 64+8*size(v, len(raw)), "type %d, %d bytes", oid, len(raw))
			_, again := w.pass(t, arrived)
			require.Equal(t, sent, again, "type %d", oid)
		}
	})
}

// FuzzParams gives the provider any bytes of a caller's. What it makes of them for the
// server is what they say, and within its limit.
func FuzzParams(f *testing.F) {
	w := newLoop(f)
	for _, v := range postgrestest.Values() {
		_, sent := w.pass(f, v.In)
		f.Add(sent)
	}
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, sent []byte) {
		w := newLoop(t)
		if _, err := w.query(t.Context(), sent); err != nil || w.params == nil {
			return
		}
		const room = 1 << 16
		for _, oid := range []uint32{pgtype.TextOID, pgtype.ByteaOID, moneyOID, moneyArrayOID} {
			expected := make([]uint32, len(w.params))
			for i := range expected {
				expected[i] = oid
			}
			p, err := encodeParams(w.params, expected, 2, room)
			if err != nil {
				require.Contains(t, err.Error(), "parameter $")
				continue
			}
			sum := 0
			for i, v := range w.params {
				require.Equal(t, v.Tag == contract.PgValueNull, p.values[i] == nil)
				sum += len(p.values[i])
				checkQuoted(t, v, p.values[i])
			}
			require.LessOrEqual(t, sum, room)
		}
	})
}

// checkQuoted checks that a server which reads an array finds the texts in it.
func checkQuoted(t *testing.T, v contract.PgValue, literal []byte) {
	t.Helper()
	if v.Tag != contract.PgValueTextArray {
		return
	}
	got, ok := readLiteral(string(literal))
	require.True(t, ok, "%q", literal)
	require.Equal(t, len(v.TextArray()), len(got), "%q", literal)
	for i, s := range v.TextArray() {
		require.Equal(t, s, got[i], "%q", literal)
	}
}

// readLiteral reads an array as PostgreSQL's manual has it (8.15.6), of elements that
// are all quoted.
func readLiteral(s string) (list []string, ok bool) {
	s, ok = strings.CutPrefix(s, "{")
	for s != "}" {
		if len(list) > 0 {
			s, ok = strings.CutPrefix(s, ",")
		}
		if !ok || s == "" || s[0] != '"' {
			return nil, false
		}
		var element strings.Builder
		for s = s[1:]; s != "" && s[0] != '"'; s = s[1:] {
			if s[0] == '\\' {
				s = s[1:]
			}
			if s == "" {
				return nil, false
			}
			element.WriteByte(s[0])
		}
		if s == "" {
			return nil, false
		}
		list, s = append(list, element.String()), s[1:]
	}
	return list, ok
}

// TestBytes pins what values are on the wire, counted by hand from v1's WIT and the
// protocol's section 5.5: no other host would know them by other numbers.
func TestBytes(t *testing.T) {
	t.Parallel()
	w := newLoop(t)
	for _, test := range []struct {
		value contract.PgValue
		bytes string
	}{
		{contract.PgValue{}, "\x00"},
		{contract.NewPgValueInt4(5), "\x11\x05"},
		{contract.NewPgValueInt8(-1), "\x02\x7f"},
		{contract.NewPgValueFloat8(hashable64(0.5)), "\x0a\x80\x80\x80\x80\x80\x80\x80\x08\x4b\x01"},
		{contract.NewPgValueVarchar(contract.TupleOptionU32Bytes{F0: wit.Some[uint32](300), F1: []byte("ab")}), "\x28\x01\xac\x02\x02ab"},
		{contract.NewPgValueDate(contract.Date{Tag: contract.DateYmd, Ymd: contract.TupleS32U32U32{F0: 2024, F1: 2, F2: 29}}), "\x40\x02\xe8\x0f\x02\x1d"},
		{contract.NewPgValueText("hi"), "\x58\x02hi"},
		{contract.NewPgValueHstore([]contract.TupleStringOptionString{{F0: "k"}}), "\x60\x01\x01k\x00"},
	} {
		_, sent := w.pass(t, test.value)
		require.Equal(t, "\x00\x01"+test.bytes, string(sent), "%s", test.value.Tag)
	}
}
