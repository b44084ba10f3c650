package validate

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/binary"
)

func TestExternNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]externName{
		"a":                          {},
		"a1-2-3":                     {},
		"HTTP-get":                   {},
		"[constructor]a-b":           {kind: nameConstructor, resource: "a-b"},
		"[method]a.b":                {kind: nameMethod, resource: "a"},
		"[static]A.b":                {kind: nameStatic, resource: "A"},
		"a:b/c":                      {kind: nameInterface},
		"wasi:http/types@0.2.0-rc.1": {kind: nameInterface},
		"a:b/c@1.0.0+build.7":        {kind: nameInterface},
		"a:b/c@1":                    {kind: nameInterface},
		"a:b/c@0.2":                  {kind: nameInterface},
		"a:b/c@0.0.3":                {kind: nameInterface},
	} {
		got, err := parseExternName(name)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	for _, name := range []string{"", "1a", "a-", "-a", "a--b", "aB", "a_b", "é", "a.b", "[method]a", "[static]a.b.c",
		"[method].b", "[constructor]", "[constructor]a.b", "[new]a", "a:b", "a:b/", ":b/c", "A:b/c", "a:B/c", "a:b/c/d",
		"a:b:c/d", "a:b/c@", "a:b/c@0", "a:b/c@0.0", "a:b/c@1.2", "a:b/c@01.0.0", "a:b/c@1.0.0-", "a:b/c@1.0.0-01",
		"url=<https://a>", "integrity=<sha256-x>"} {
		_, err := parseExternName(name)
		require.Error(t, err, name)
	}
}

func TestStronglyUnique(t *testing.T) {
	t.Parallel()
	seen := nameSet{}
	for _, name := range []string{"foo", "foo-bar", "[constructor]foo", "[method]foo.qux", "[static]foo.baz", "foo:bar/baz"} {
		require.NoError(t, seen.add("name", name))
	}
	for _, name := range []string{"FOO", "foo-BAR", "[constructor]FOO", "[method]foo.QUX", "[static]foo.qux", "[method]foo.baz",
		"[method]foo.foo", "[static]foo.FOO", "foo:bar/BAZ"} {
		require.Error(t, seen.add("name", name), name)
	}
}

func TestVersionSuffix(t *testing.T) {
	t.Parallel()
	suffix := func(name, suffix string) error {
		n, err := parseExternName(name)
		require.NoError(t, err)
		return checkAttributes(binary.ExternName{Name: name, VersionSuffix: suffix, Has: binary.AttrVersionSuffix}, n.kind, binary.SortInstance)
	}
	require.NoError(t, suffix("a:b/c@0.2", ".6-rc.1"))
	require.NoError(t, suffix("a:b/c@1", ".2.3"))
	require.NoError(t, suffix("a:b/c@0.0.1", ""))
	require.Error(t, suffix("a:b/c@1", ".2"))
	require.Error(t, suffix("a:b/c@1.2.3", ""))
	require.Error(t, suffix("a:b/c", ".1"))
	require.Error(t, suffix("a", "1.0.0"))
}
