package http

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	contract "github.com/lathhost/lath/wit/wasi/http"
)

// maxText bounds a method, path, scheme or authority, in bytes.
const maxText = 64 << 10

// hostPort takes an authority apart: a name or address, and a port, 0 for none
// (RFC 3986, section 3.2). User information is no part of an HTTP authority.
func hostPort(authority string) (host string, port uint16, ok bool) {
	host, digits := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, digits = authority[:i], authority[i+1:]
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || !isDigits(digits) {
			return "", 0, false
		}
		port = uint16(n)
	}
	if strings.HasPrefix(host, "[") {
		ip, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		return ip.String(), port, err == nil && ip.Is6() && ip.Zone() == "" && strings.HasSuffix(host, "]")
	}
	return host, port, host != "" && len(host) <= 255 && !strings.ContainsFunc(host, func(c rune) bool { return !regName(c) })
}

// regName reports whether c may stand in a name of a host. Percent-encoding is
// not taken: it would be a second way to write a name that a rule is about.
func regName(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
}

// defaultPort is the port of an authority that has none.
func defaultPort(scheme string) uint16 {
	if scheme == "http" {
		return 80
	}
	return 443
}

// validTarget reports whether s may be path and query in a request line.
func validTarget(s string) bool {
	return len(s) <= maxText && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '#' })
}

// validScheme reports whether s is a scheme (RFC 3986, section 3.1).
func validScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != "" && len(s) <= maxText
}

// target makes the URL of a request. Where it is verbatim, the request's line will
// have the path as the guest wrote it; else it may be relative to another, and be
// sent with scheme and authority.
func target(scheme, authority, path string, verbatim bool) (*url.URL, error) {
	u := &url.URL{Scheme: scheme, Host: authority}
	switch {
	case path == "" || path[0] == '?':
		path = "/" + path
	case path[0] != '/' && path != "*":
		return nil, code(contract.ErrorCodeHTTPRequestURIInvalid)
	}
	if verbatim && !strings.HasPrefix(path, "//") || path == "*" {
		u.Opaque = path // a path that is written as it stands
		return u, nil
	}
	raw, query, has := strings.Cut(path, "?")
	plain, err := url.PathUnescape(raw)
	if err != nil {
		return nil, code(contract.ErrorCodeHTTPRequestURIInvalid)
	}
	u.Path, u.RawPath, u.RawQuery, u.ForceQuery = plain, raw, query, has && query == ""
	return u, nil
}
