package http_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/http"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

func requireHeaderError(t *testing.T, tag contract.HeaderErrorTag, err error) {
	t.Helper()
	require.Equal(t, contract.HeaderError{Tag: tag}, err)
}

// entry is one entry of fields.
func entry(name, value string) contract.TupleStringBytes {
	return contract.TupleStringBytes{F0: name, F1: []byte(value)}
}

func newFields(t testing.TB, h *http.Host, entries ...contract.TupleStringBytes) contract.Fields {
	t.Helper()
	f, err := h.FieldsFromList(t.Context(), entries)
	require.NoError(t, err)
	return f
}

func TestFields(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := newFields(t, http.New(http.Config{}), entry("Accept", "a"), entry("x", ""))
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
	require.Equal(t, []contract.TupleStringBytes{entry("accept", "c")}, all)
	all, err = f.Entries(ctx)
	require.NoError(t, err)
	require.Len(t, all, 3, "a clone is a copy")
	has, err := f.Has(ctx, "X")
	require.NoError(t, err)
	require.True(t, has)
}

func TestFieldsAreChecked(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := http.New(http.Config{})
	f := newFields(t, h, entry("accept", "a"), entry("accept", "b"))
	for _, name := range []string{"Host", "connection", "Keep-Alive", "transfer-encoding", "Upgrade", "proxy-connection", "HTTP2-Settings"} {
		requireHeaderError(t, contract.HeaderErrorForbidden, f.Append(ctx, name, nil))
		requireHeaderError(t, contract.HeaderErrorForbidden, f.Delete(ctx, name))
	}
	for _, e := range []contract.TupleStringBytes{
		entry("a b", ""), entry("", ""), entry("a", "x\r\ny"), entry("a", "\x00"), entry("ä", ""), entry("a:", ""),
		entry("Content-Length", ""), entry("content-length", "+5"), entry("content-length", "5 "),
	} {
		requireHeaderError(t, contract.HeaderErrorInvalidSyntax, f.Append(ctx, e.F0, e.F1))
		_, err := h.FieldsFromList(ctx, []contract.TupleStringBytes{e})
		requireHeaderError(t, contract.HeaderErrorInvalidSyntax, err)
	}
	require.NoError(t, f.Append(ctx, "a", []byte("\tü~ ")))
	requireHeaderError(t, contract.HeaderErrorInvalidSyntax, f.Set(ctx, "accept", []contract.FieldValue{[]byte("ok"), {0}}))
	got, err := f.Get(ctx, "accept")
	require.NoError(t, err)
	require.Len(t, got, 2, "a refused set changes nothing")

	r, err := h.NewOutgoingRequest(ctx, f)
	require.NoError(t, err)
	of, err := r.Headers(ctx)
	require.NoError(t, err)
	requireHeaderError(t, contract.HeaderErrorImmutable, of.Append(ctx, "b", nil))
	requireHeaderError(t, contract.HeaderErrorImmutable, of.Set(ctx, "b", nil))
	requireHeaderError(t, contract.HeaderErrorImmutable, of.Delete(ctx, "a"))
	of.Drop()
	got, err = f.Get(ctx, "accept")
	require.NoError(t, err)
	require.Len(t, got, 2, "a handle of the headers is not the headers")
	r.Drop()
}

func TestFieldsAreBounded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := newFields(t, http.New(http.Config{}))
	var err error
	n := 0
	for ; err == nil; n++ {
		err = f.Append(ctx, "n"+strconv.Itoa(n), nil)
	}
	requireHeaderError(t, contract.HeaderErrorInvalidSyntax, err)
	require.Less(t, n, 4000)
	require.NoError(t, f.Delete(ctx, "n0"))
	require.NoError(t, f.Append(ctx, "n0", nil), "what was deleted no longer counts")
	requireHeaderError(t, contract.HeaderErrorInvalidSyntax, f.Set(ctx, "n0", make([]contract.FieldValue, 5000)))
}

// FuzzFields checks that whatever fields take can be sent, and that they keep
// count of what they hold.
func FuzzFields(f *testing.F) {
	f.Add("accept", []byte("text/html"), "Accept", []byte("*/*"))
	f.Add("Content-Length", []byte("10"), "x\n", []byte("a\r\nb"))
	f.Add("", []byte(nil), "transfer-encoding", []byte("chunked"))
	h := http.New(http.Config{})
	f.Fuzz(func(t *testing.T, name string, value []byte, other string, more []byte) {
		ctx := t.Context()
		fs, err := h.NewFields(ctx)
		require.NoError(t, err)
		var entries []contract.TupleStringBytes
		for _, e := range []contract.TupleStringBytes{{F0: name, F1: value}, {F0: other, F1: more}} {
			if fs.Append(ctx, e.F0, e.F1) == nil {
				require.NotContains(t, e.F0+string(e.F1), "\n")
				require.NotContains(t, e.F0+string(e.F1), "\r")
				require.NotContains(t, e.F0, " ")
				entries = append(entries, e)
			}
		}
		again, err := h.FieldsFromList(ctx, entries)
		require.NoError(t, err)
		want, err := fs.Entries(ctx)
		require.NoError(t, err)
		got, err := again.Entries(ctx)
		require.NoError(t, err)
		require.Equal(t, want, got)
		for _, e := range entries {
			require.NoError(t, fs.Delete(ctx, e.F0))
		}
		left, err := fs.Entries(ctx)
		require.NoError(t, err)
		require.Empty(t, left)
	})
}
