package wit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
)

func TestParseID(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		want  wit.ID
		track string
		valid bool
	}{
		{"wasi:keyvalue/store", wit.ID{Namespace: "wasi", Package: "keyvalue", Interface: "store"}, "wasi:keyvalue/store", true},
		{"wasi:io/poll@0.2.3", wit.ID{"wasi", "io", "poll", "0.2.3"}, "wasi:io/poll@0.2", true},
		{"a:b/c@1.2.3", wit.ID{"a", "b", "c", "1.2.3"}, "a:b/c@1", true},
		{"a:b/c@0.0.7", wit.ID{"a", "b", "c", "0.0.7"}, "a:b/c@0.0.7", true},
		{"a:b/c@0.2.0-draft", wit.ID{"a", "b", "c", "0.2.0-draft"}, "a:b/c@0.2.0-draft", true},
		{"a:b/c@1.0.0-rc.1+x", wit.ID{"a", "b", "c", "1.0.0-rc.1+x"}, "a:b/c@1.0.0-rc.1", true},
		{"a:b/c@1.2.3+b-1", wit.ID{"a", "b", "c", "1.2.3+b-1"}, "a:b/c@1", true},
		{"a:b/C-d", wit.ID{Namespace: "a", Package: "b", Interface: "C-d"}, "a:b/C-d", true},
		{"A:b/c", wit.ID{Namespace: "A", Package: "b", Interface: "c"}, "A:b/c", false},
		{"a:b/c@1.2", wit.ID{"a", "b", "c", "1.2"}, "a:b/c@1.2", false},
	} {
		id, err := wit.ParseID(tt.name)
		require.NoError(t, err)
		require.Equal(t, tt.want, id)
		require.Equal(t, tt.name, id.String())
		require.Equal(t, tt.track, id.Track())
		require.Equal(t, tt.track, wit.Track(tt.name))
		require.Equal(t, tt.valid, id.Valid(), tt.name)
	}
	for _, name := range []string{"", "a", "a:b", "a/b", ":b/c", "a:/c", "a:b/", "a:b/c@", "a:b/c/d", "a:b:c/d", "@1.0.0"} {
		_, err := wit.ParseID(name)
		require.ErrorContains(t, err, "want namespace:package/interface[@version]", name)
		require.Equal(t, name, wit.Track(name))
	}
}

func TestValidLabel(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "a1", "get-many", "HTTP3", "method-GET", "is-3d", "a-0", "A-b-C1"} {
		require.True(t, wit.ValidLabel(s), s)
	}
	for _, s := range []string{"", "-", "a-", "-a", "a--b", "1a", "3d-is", "aB", "Get", "a_b", "a.b", "é", "a b", "%a"} {
		require.False(t, wit.ValidLabel(s), s)
	}
}

func TestValidVersion(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0.0.0", "1.2.3", "10.20.30", "0.2.0-draft", "1.0.0-rc.1", "1.0.0-0a", "1.0.0--", "1.0.0+001", "1.0.0-a+b.c-d"} {
		require.True(t, wit.ValidVersion(s), s)
	}
	for _, s := range []string{"", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+", "1.2.3+a_b", "v1.2.3", "1.2.x", "-1.2.3"} {
		require.False(t, wit.ValidVersion(s), s)
	}
}

func TestFuncNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		plain string
		want  wit.FuncName
		wire  string
	}{
		{"get-many", wit.FuncName{Name: "get-many"}, "get-many"},
		{"[constructor]bucket", wit.FuncName{Kind: wit.FuncConstructor, Resource: "bucket"}, "bucket"},
		{"[method]bucket.get", wit.FuncName{Kind: wit.FuncMethod, Resource: "bucket", Name: "get"}, "bucket.get"},
		{"[static]bucket.open", wit.FuncName{Kind: wit.FuncStatic, Resource: "bucket", Name: "open"}, "bucket.open"},
	} {
		n, err := wit.ParseFuncName(tt.plain)
		require.NoError(t, err)
		require.Equal(t, tt.want, n)
		require.Equal(t, tt.plain, n.String())
		require.Equal(t, tt.wire, n.Wire())
		require.Equal(t, tt.wire, wit.WireFunc(tt.plain))
	}
	for _, s := range []string{"", "a.b", "[constructor]", "[constructor]a.b", "[method]a", "[method]a.", "[method].b", "[method]a.b.c", "[dtor]a", "[method]A.bC", "Get"} {
		_, err := wit.ParseFuncName(s)
		require.ErrorContains(t, err, "function name", s)
	}
}
