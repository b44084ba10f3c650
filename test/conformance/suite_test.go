package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The scripts in testdata/scripts are kept as convert.mjs writes them, since
// tests have no assembler:
//
//	node convert.mjs JCO testdata/scripts testdata/scripts
func playFile(t *testing.T, source string, skips, differs list) (*suite, string, error) {
	t.Helper()
	files := os.DirFS("testdata/scripts")
	scripts, err := load(files, false)
	require.NoError(t, err)
	out := &bytes.Buffer{}
	s, err := newSuite(files, true, out)
	require.NoError(t, err)
	s.skips, s.differs = skips, differs
	for _, x := range scripts {
		if x.Source == source {
			err := s.play(t.Context(), []script{x})
			return s, out.String(), err
		}
	}
	t.Fatalf("no script %s", source)
	return nil, "", nil
}

func TestRightScriptPasses(t *testing.T) {
	t.Parallel()
	s, out, err := playFile(t, "right.wast", nil, nil)
	require.NoError(t, err, out)
	sum := s.total.sum()
	require.Zero(t, sum.failed+sum.skipped, out)
	require.Equal(t, 34, sum.passed, out)
	require.Equal(t, 21, s.total["assert_return"].passed, out)
}

func TestWrongExpectationsFail(t *testing.T) {
	t.Parallel()
	s, out, err := playFile(t, "wrong.wast", nil, nil)
	require.Error(t, err)
	for kind, n := range s.total {
		if kind == "component" {
			require.Equal(t, tally{passed: 1, failed: 1}, n, out)
			continue
		}
		require.Zero(t, n.passed, "%s\n%s", kind, out)
	}
	require.Contains(t, out, "got 1, want 2")
	require.Contains(t, out, "wrong.wast:11 assert_return")
}

func TestLists(t *testing.T) {
	t.Parallel()
	all := list{{"wrong.wast", 1, 100, "why not"}}
	s, out, err := playFile(t, "wrong.wast", all, nil)
	require.ErrorContains(t, err, "1 failures", "the component that passes")
	require.Equal(t, 1, s.total.sum().failed)
	require.Contains(t, out, "FAIL wrong.wast:3 component: passes, but is listed")

	s, out, err = playFile(t, "wrong.wast", nil, list{{"wrong.wast", 11, 100, "why not"}})
	require.NoError(t, err, out)
	require.Zero(t, s.total.sum().skipped)
	require.NotZero(t, s.total.sum().failed, "what differs has failed all the same")

	l, err := parseList("# comment\n\na/b.wast:3 one\na/b.wast:5-7 two words\n")
	require.NoError(t, err)
	reason, ok := l.reason(place{"a/b.wast", 6})
	require.True(t, ok)
	require.Equal(t, "two words", reason)
	_, ok = l.reason(place{"a/b.wast", 4})
	require.False(t, ok)
	for _, text := range []string{"a.wast:3", "a.wast why", "a.wast:x why", "a.wast:3-2 why"} {
		_, err := parseList(text)
		require.Error(t, err, text)
	}
}
