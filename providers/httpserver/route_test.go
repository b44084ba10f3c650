package httpserver_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/providers/httpserver"
)

// rule reads "METHOD,METHOD host/path", where a path that ends in * is a prefix,
// and headers after it: "GET a.example/x with X-A: 1".
func rule(text string) httpserver.Rule {
	var r httpserver.Rule
	rest, headers, _ := strings.Cut(text, " with ")
	if methods, target, ok := strings.Cut(rest, " "); ok {
		r.Methods, rest = strings.Split(methods, ","), target
	}
	host, path, _ := strings.Cut(rest, "/")
	r.Host = host
	if prefix, ok := strings.CutSuffix("/"+path, "*"); ok {
		r.Prefix = prefix
	} else {
		r.Path = prefix
	}
	if headers != "" {
		for h := range strings.SplitSeq(headers, " with ") {
			name, value, _ := strings.Cut(h, ": ")
			r.Headers = append(r.Headers, httpserver.HeaderRule{Name: name, Value: value})
		}
	}
	return r
}

func build(t testing.TB, rules ...string) (*httpserver.Table, []error) {
	t.Helper()
	routes := make([]httpserver.Route, len(rules))
	for i, text := range rules {
		routes[i] = httpserver.Route{Rule: rule(text), Owner: text}
	}
	return httpserver.Build(routes)
}

func TestMatch(t *testing.T) {
	t.Parallel()
	rules := []string{
		"/*",
		"/api/*",
		"/api/v1/*",
		"/api/v1/users",
		"a.example/*",
		"a.example:81/*",
		"*.example/*",
		"*.b.example/*",
		"GET,HEAD /only",
		"POST /both",
		"/both",
		"/canary/*",
		"/canary/* with X-Canary: yes",
		"/canary/* with X-A: * with X-Canary: yes",
		"b.example/deep/*",
	}
	table, errs := build(t, rules...)
	for _, err := range errs {
		require.NoError(t, err)
	}
	for _, test := range []struct {
		request string // METHOD host/path with headers
		want    string
	}{
		{"GET x.test/", "/*"},
		{"GET /", "/*"},
		{"GET x.test/apis", "/*"},
		{"GET x.test/api", "/api/*"},
		{"GET x.test/api/", "/api/*"},
		{"GET x.test/api/v2", "/api/*"},
		{"GET x.test/api/v1", "/api/v1/*"},
		{"GET x.test/api/v1/users", "/api/v1/users"},
		{"GET x.test/api/v1/users/", "/api/v1/*"},
		{"GET A.Example/api", "a.example/*"},
		{"GET a.example:81/", "a.example:81/*"},
		{"GET a.example:82/", "a.example/*"},
		{"GET a.example./", "a.example/*"},
		{"GET x.example/", "*.example/*"},
		{"GET x.b.example/", "*.b.example/*"},
		{"GET example/", "/*"},
		{"GET .example/", "/*"},
		{"GET x.test/only", "GET,HEAD /only"},
		{"POST x.test/only", "/*"}, // the longer path has no such method, a shorter one takes all
		{"POST x.test/both", "POST /both"},
		{"PUT x.test/both", "/both"},
		{"GET x.test/canary/1", "/canary/*"},
		{"GET x.test/canary/1 with X-Canary: no", "/canary/*"},
		{"GET x.test/canary/1 with X-Canary: yes", "/canary/* with X-Canary: yes"},
		{"GET x.test/canary/1 with X-A: 7 with X-Canary: yes", "/canary/* with X-A: * with X-Canary: yes"},
		{"GET b.example/deep/x", "b.example/deep/*"},
		{"GET b.example/other", "*.example/*"}, // its own host has no such path
	} {
		req := rule(test.request)
		header := http.Header{}
		for _, h := range req.Headers {
			header.Add(h.Name, h.Value)
		}
		got, _ := table.Match(req.Methods[0], req.Host, req.Path, header, 0)
		require.GreaterOrEqual(t, got, 0, test.request)
		require.Equal(t, test.want, rules[got], test.request)
	}
}

func TestNoMatch(t *testing.T) {
	t.Parallel()
	table, _ := build(t, "GET,HEAD a.example/x", "POST a.example/x", "/y with X-A: *")
	i, allow := table.Match("PUT", "a.example", "/x", nil, 0)
	require.Equal(t, -1, i)
	require.Equal(t, []string{"GET", "HEAD", "POST"}, allow)
	for _, target := range []string{"/x", "/y", "a.example/z", "a.example"} {
		host, path, _ := strings.Cut(target, "/")
		i, allow := table.Match("GET", host, "/"+path, nil, 0)
		require.Equal(t, -1, i, target)
		require.Empty(t, allow)
	}
	empty, errs := httpserver.Build(nil)
	require.Empty(t, errs)
	i, _ = empty.Match("GET", "", "*", nil, 0)
	require.Equal(t, -1, i)
}

func TestCollisions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first, second string
		collide       bool
	}{
		{"/*", "/*", true},
		{"/api", "/api", true},
		{"/api/*", "/api*", true}, // the same prefix
		{"/api", "/api/*", false},
		{"a.example/*", "/*", false},
		{"GET /x", "GET,POST /x", true},
		{"GET /x", "POST /x", false},
		{"GET /x", "/x", false},
		{"/x with X-A: 1", "/x with X-A: 2", false},
		{"/x with X-A: 1", "/x with X-A: 1", true},
	} {
		_, errs := build(t, test.first, test.second)
		require.NoError(t, errs[0])
		if !test.collide {
			require.NoError(t, errs[1], "%s and %s", test.first, test.second)
			continue
		}
		c, ok := errors.AsType[*httpserver.Conflict](errs[1])
		require.True(t, ok, "%s and %s", test.first, test.second)
		require.Equal(t, test.first, c.Owner)
		require.ErrorContains(t, errs[1], "is served by "+test.first+" already")
	}
}

func TestWeights(t *testing.T) {
	t.Parallel()
	route := func(weight int) httpserver.Route {
		return httpserver.Route{Rule: rule("/*"), Weight: weight, Owner: "x"}
	}
	table, errs := httpserver.Build([]httpserver.Route{route(90), route(10), route(0)})
	require.NoError(t, errors.Join(errs[:2]...))
	require.Error(t, errs[2], "it has no part")
	_, errs = httpserver.Build([]httpserver.Route{route(0), route(10)})
	require.Error(t, errs[1])
	var got [2]int
	for random := range uint64(1000) {
		i, _ := table.Match("GET", "", "/", nil, random)
		got[i]++
	}
	require.Equal(t, [2]int{900, 100}, got)
}

// TestLongPathsCostWhatRoutesCost: each request asks for as many prefixes as there
// are lengths of them.
func TestLongPathsCostWhatRoutesCost(t *testing.T) { //nolint:paralleltest // it counts allocations
	table, _ := build(t, "/a/*", "/*")
	path := strings.Repeat("/a", 500_000)
	got, _ := table.Match("GET", strings.Repeat("a.", 500_000), path, nil, 0)
	require.Zero(t, got)
	require.Less(t, testing.AllocsPerRun(10, func() { table.Match("GET", "", path, nil, 0) }), 5.0)
}

func FuzzMatch(f *testing.F) {
	f.Add("GET a.example/x\n/x/*\n*.b/y with X-A: 1", "GET", "a.example:1", "/x/y")
	f.Add("/*\n/*", "POST", "", "*")
	f.Fuzz(func(t *testing.T, rules, method, host, path string) {
		list := strings.Split(rules, "\n")
		table, errs := build(t, list[:min(len(list), 50)]...)
		got, allow := table.Match(method, host, path, http.Header{"X-A": {"1"}}, 7)
		if got < 0 {
			require.NotContains(t, allow, method)
			return
		}
		require.NoError(t, errs[got], "a route that is not in the table")
		r := rule(list[got])
		switch {
		case r.Path != "":
			require.Equal(t, r.Path, path)
		default:
			require.True(t, strings.HasPrefix(path, strings.TrimSuffix(r.Prefix, "/")))
		}
		if len(r.Methods) > 0 {
			require.Contains(t, r.Methods, method)
		}
	})
}
