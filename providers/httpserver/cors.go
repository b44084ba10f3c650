package httpserver

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cors says which pages of other sites may use a route (Fetch, "CORS protocol").
// An empty list allows everything, as in v1.
type cors struct {
	origins, methods, headers, exposed []string
	age                                time.Duration
}

// cors reads its settings. Without any, requests and responses pass untouched: a
// component that has its own rules keeps them.
func (r *reader) cors() *cors {
	is := false
	for k := range r.values {
		is = is || strings.HasPrefix(k, "cors_")
	}
	if !is {
		return nil
	}
	c := &cors{
		origins: r.list("cors_allowed_origins"), methods: r.list("cors_allowed_methods"), headers: r.list("cors_allowed_headers"),
		exposed: r.list("cors_exposed_headers"),
		age:     time.Duration(r.number("cors_max_age_secs", int(defaultCORSAge.Seconds()), int(maxTime.Seconds()))) * time.Second,
	}
	for key, list := range map[string][]string{"cors_allowed_methods": c.methods, "cors_allowed_headers": c.headers, "cors_exposed_headers": c.exposed} {
		if slices.ContainsFunc(list, func(s string) bool { return !token(s) && s != "*" }) {
			r.fail(key, "it has something that is no name")
		}
	}
	if slices.ContainsFunc(c.origins, func(s string) bool { return strings.ContainsAny(s, "\r\n ,") }) {
		r.fail("cors_allowed_origins", "it has something that is no origin")
	}
	return c
}

// apply adds the headers of a response, and answers a question that a browser asks
// before a request. It reports whether it has.
func (c *cors) apply(w http.ResponseWriter, r *http.Request) (answered bool) {
	h := w.Header()
	origin := r.Header.Get("Origin")
	anyone := len(c.origins) == 0 || slices.Contains(c.origins, "*")
	if !anyone {
		h.Add("Vary", "Origin")
	}
	preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	switch {
	case origin == "":
		return false
	case anyone:
		h.Set("Access-Control-Allow-Origin", "*")
	case slices.Contains(c.origins, origin):
		h.Set("Access-Control-Allow-Origin", origin)
	case preflight:
		w.WriteHeader(http.StatusForbidden)
		return true
	default:
		return false // the browser keeps the response from the page
	}
	if !preflight {
		h.Set("Access-Control-Expose-Headers", orStar(c.exposed))
		return false
	}
	h.Set("Access-Control-Allow-Methods", orStar(c.methods))
	h.Set("Access-Control-Allow-Headers", orStar(c.headers))
	h.Set("Access-Control-Max-Age", strconv.Itoa(int(c.age.Seconds())))
	w.WriteHeader(http.StatusNoContent)
	return true
}

func orStar(list []string) string {
	if len(list) == 0 {
		return "*"
	}
	return strings.Join(list, ", ")
}
