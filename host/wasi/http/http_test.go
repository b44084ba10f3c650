package http_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

func requireHeaderError(t *testing.T, tag contract.HeaderErrorTag, err error) {
	t.Helper()
	require.Equal(t, contract.HeaderError{Tag: tag}, err)
}

func TestFields(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f, err := http.Denied{}.FieldsFromList(ctx, []contract.TupleStringBytes{{F0: "Accept", F1: []byte("a")}, {F0: "x", F1: nil}})
	require.NoError(t, err)
	value := []byte("b")
	require.NoError(t, f.Append(ctx, "aCCept", value))
	value[0] = '!' // the guest's memory is its own
	got, err := f.Get(ctx, "ACCEPT")
	require.NoError(t, err)
	require.Equal(t, []contract.FieldValue{[]byte("a"), []byte("b")}, got)

	clone, err := f.Clone(ctx)
	require.NoError(t, err)
	require.NoError(t, clone.Set(ctx, "accept", []contract.FieldValue{[]byte("c")}))
	require.NoError(t, clone.Delete(ctx, "X"))
	all, err := clone.Entries(ctx)
	require.NoError(t, err)
	require.Equal(t, []contract.TupleStringBytes{{F0: "accept", F1: []byte("c")}}, all)
	all, err = f.Entries(ctx)
	require.NoError(t, err)
	require.Len(t, all, 3, "a clone is a copy")
	has, err := f.Has(ctx, "X")
	require.NoError(t, err)
	require.True(t, has)

	requireHeaderError(t, contract.HeaderErrorForbidden, f.Append(ctx, "Host", nil))
	requireHeaderError(t, contract.HeaderErrorInvalidSyntax, f.Append(ctx, "a b", nil))
	requireHeaderError(t, contract.HeaderErrorInvalidSyntax, f.Append(ctx, "", nil))
	requireHeaderError(t, contract.HeaderErrorInvalidSyntax, f.Append(ctx, "a", []byte("x\r\ny")))
	requireHeaderError(t, contract.HeaderErrorInvalidSyntax, f.Set(ctx, "accept", []contract.FieldValue{[]byte("ok"), {0}}))
	got, err = f.Get(ctx, "accept")
	require.NoError(t, err)
	require.Len(t, got, 2, "a refused set changes nothing")
}

func TestFieldsAreBounded(t *testing.T) {
	t.Parallel()
	f, err := http.Denied{}.NewFields(t.Context())
	require.NoError(t, err)
	n := 0
	for ; err == nil; n++ {
		err = f.Append(t.Context(), "n"+strconv.Itoa(n), make([]byte, 0))
	}
	requireHeaderError(t, contract.HeaderErrorInvalidSyntax, err)
	require.Less(t, n, 2000)
	require.NoError(t, f.Delete(t.Context(), "n0"))
	require.NoError(t, f.Append(t.Context(), "n0", nil), "what was deleted no longer counts")
	many := make([]contract.FieldValue, 5000)
	requireHeaderError(t, contract.HeaderErrorInvalidSyntax, f.Set(t.Context(), "n0", many))
}

func TestARequestCanBeBuiltAndIsRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var said string
	d := http.Denied{Refused: func(why string) { said = why }}
	f, err := d.NewFields(ctx)
	require.NoError(t, err)
	r, err := d.NewOutgoingRequest(ctx, f)
	require.NoError(t, err)
	require.NoError(t, r.SetMethod(ctx, contract.Method{Tag: contract.MethodPost}))
	require.Error(t, r.SetMethod(ctx, contract.Method{Tag: contract.MethodOther, Other: "a b"}))
	require.NoError(t, r.SetAuthority(ctx, wit.Some("example.com")))
	require.Error(t, r.SetPathWithQuery(ctx, wit.Some("/\r\n")))
	m, err := r.Method(ctx)
	require.NoError(t, err)
	require.Equal(t, contract.MethodPost, m.Tag)
	headers, err := r.Headers(ctx)
	require.NoError(t, err)
	requireHeaderError(t, contract.HeaderErrorImmutable, headers.Append(ctx, "a", nil))

	b, err := r.Body(ctx)
	require.NoError(t, err)
	_, err = r.Body(ctx)
	require.Error(t, err)
	w, err := b.Write(ctx)
	require.NoError(t, err)
	require.NoError(t, w.BlockingWriteAndFlush(ctx, []byte("text")))
	w.Drop()
	require.NoError(t, d.OutgoingBodyFinish(ctx, b, wit.None[contract.Fields]()))

	o, err := d.NewRequestOptions(ctx)
	require.NoError(t, err)
	require.NoError(t, o.SetConnectTimeout(ctx, wit.Some(uint64(5))))
	_, err = d.Handle(ctx, r, wit.Some(o))
	var code contract.ErrorCode
	require.ErrorAs(t, err, &code)
	require.Equal(t, contract.ErrorCodeInternalError, code.Tag)
	require.Equal(t, "outgoing HTTP is not granted: this host has no grant for it yet", code.InternalError.Value)
	require.Equal(t, "wasi:http: "+code.InternalError.Value, said)
}
