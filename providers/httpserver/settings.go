package httpserver

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Defaults of settings.
const (
	DefaultAddress       = "0.0.0.0:8000" // as in v1
	DefaultHeaderTimeout = 10 * time.Second
	DefaultBodyTimeout   = 30 * time.Second
	DefaultIdleTimeout   = 2 * time.Minute
	DefaultMaxHeader     = 64 << 10
	DefaultMaxConns      = 16 << 10
	defaultCORSAge       = 300 * time.Second // as in v1
)

// Bounds of settings.
const (
	maxWeight = 1_000_000
	maxTime   = 24 * time.Hour
)

// Keys are the settings, of the provider, for all its links, and of a link, which
// count more. Names are in lower case; any case is read. Durations end in _ms,
// sizes in _bytes. Lists are JSON arrays, or words with commas.
//
// v1's: routing_mode (of the provider: address, path, host), default_address (of
// the provider), header (of the provider, in host mode), address, port, path, host,
// cache_control, readonly_mode, timeout_ms, cors_allowed_origins,
// cors_allowed_headers, cors_allowed_methods, cors_exposed_headers,
// cors_max_age_secs, tls_cert_file, tls_priv_key_file, disable_keepalive,
// config_json, config_b64.
//
// Lath's: path_prefix, methods, header.NAME (its value, or *), weight,
// max_body_bytes, max_header_bytes, header_timeout_ms, body_timeout_ms,
// idle_timeout_ms (of a connection whose client sends no request, or takes nothing of
// a response; 0: no bound), max_connections, http2 (over TLS; default true), h2c
// (default false), access_log (default false).
func Keys() []string {
	return []string{"routing_mode", "default_address", "header", "address", "port", "path", "host", "cache_control", "readonly_mode",
		"timeout_ms", "cors_allowed_origins", "cors_allowed_headers", "cors_allowed_methods", "cors_exposed_headers", "cors_max_age_secs",
		"tls_cert_file", "tls_priv_key_file", "disable_keepalive", "config_json", "config_b64",
		"path_prefix", "methods", "weight", "max_body_bytes", "max_header_bytes", "header_timeout_ms", "body_timeout_ms",
		"idle_timeout_ms", "max_connections", "http2", "h2c", "access_log"}
}

// headerKey starts a key that names a header.
const headerKey = "header."

// settings are those of one link, read.
type settings struct {
	listen listening
	rule   Rule
	weight int

	timeout      time.Duration // 0: the host's
	bodyTimeout  time.Duration
	maxBody      int64 // 0: no bound
	readOnly     bool
	cacheControl string
	cors         *cors // nil: none
	accessLog    bool
	hostHeader   string // whose value is the host of a rule; empty: Host
}

// listening is what the links of one address must agree on.
type listening struct {
	address       string
	certFile, key string // files
	http2, h2c    bool
	noKeepalive   bool // of TCP
	headerTimeout time.Duration
	idleTimeout   time.Duration
	maxHeader     int
	maxConns      int
	hostHeader    string
}

// reader takes settings out of a map, and keeps what is wrong with them.
type reader struct {
	values map[string]string // by lower-case key
	errs   []error
}

// readSettings reads the settings of a link over those of its provider.
func readSettings(provider, link map[string]string) (*settings, error) {
	r := &reader{values: map[string]string{}}
	r.add(provider)
	r.add(link)
	s := &settings{
		timeout: r.time("timeout_ms", 0), bodyTimeout: r.time("body_timeout_ms", DefaultBodyTimeout),
		maxBody: int64(r.number("max_body_bytes", 0, 1<<50)), readOnly: r.flag("readonly_mode", false),
		cacheControl: r.text("cache_control"), accessLog: r.flag("access_log", false),
		weight: r.number("weight", 0, maxWeight),
	}
	s.cors = r.cors()
	s.rule = r.rule(link)
	if r.mode() == "host" && !strings.EqualFold(r.text("header"), "host") {
		s.hostHeader = http.CanonicalHeaderKey(r.text("header"))
	}
	s.listen = r.listening()
	s.listen.hostHeader = s.hostHeader
	return s, errors.Join(r.errs...)
}

// add takes values over those that are there. A whole object of settings comes
// before single ones.
func (r *reader) add(values map[string]string) {
	lower := make(map[string]string, len(values))
	for _, k := range slices.Sorted(maps.Keys(values)) {
		lower[strings.ToLower(k)] = values[k]
	}
	if text, ok := lower["config_b64"]; ok {
		data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			r.fail("config_b64", "it is not base64")
		}
		r.object("config_b64", data)
	} else if text, ok := lower["config_json"]; ok {
		r.object("config_json", []byte(text))
	}
	maps.Copy(r.values, lower)
}

// object reads v1's object of settings, also in its older form with groups.
func (r *reader) object(key string, data []byte) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		r.fail(key, "it is no JSON object")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		group := strings.ToLower(name)
		if group != "tls" && group != "cors" {
			r.field(group, fields[name])
			continue
		}
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(fields[name], &inner); err != nil {
			r.fail(key, name+" is no object")
		}
		for _, k := range slices.Sorted(maps.Keys(inner)) {
			if full := group + "_" + strings.ToLower(k); fields[full] == nil {
				r.field(full, inner[k])
			}
		}
	}
}

func (r *reader) field(name string, v json.RawMessage) {
	var text string
	switch {
	case string(v) == "null":
	case json.Unmarshal(v, &text) == nil:
		r.values[name] = text
	default:
		r.values[name] = string(v) // a number, a boolean or a list
	}
}

func (r *reader) fail(key, why string) {
	r.errs = append(r.errs, fmt.Errorf("setting %s: %s", key, why))
}

func (r *reader) text(key string) string { return r.values[key] }

// flag reads as v1 does: what is not true is false.
func (r *reader) flag(key string, def bool) bool {
	v, ok := r.values[key]
	if !ok {
		return def
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		r.fail(key, fmt.Sprintf("%.40q is neither true nor false", v))
	}
	return b
}

func (r *reader) number(key string, def, most int) int {
	v, ok := r.values[key]
	if !ok {
		return def
	}
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil || n > uint64(most) { //nolint:gosec // most is a constant
		r.fail(key, fmt.Sprintf("%.40q is no number from 0 to %d", v, most))
		return def
	}
	return int(n) //nolint:gosec // bounded by most
}

func (r *reader) time(key string, def time.Duration) time.Duration {
	return time.Duration(r.number(key, int(def.Milliseconds()), int(maxTime.Milliseconds()))) * time.Millisecond
}

// list reads a JSON array of texts, or words with commas.
func (r *reader) list(key string) []string {
	v := strings.TrimSpace(r.values[key])
	if v == "" {
		return nil
	}
	var out []string
	if strings.HasPrefix(v, "[") {
		if err := json.Unmarshal([]byte(v), &out); err != nil {
			r.fail(key, `it is no list such as ["a","b"]`)
		}
		return out
	}
	for word := range strings.SplitSeq(v, ",") {
		out = append(out, strings.TrimSpace(word))
	}
	return out
}

// mode is how v1 finds targets.
func (r *reader) mode() string {
	switch m := strings.ToLower(r.text("routing_mode")); m {
	case "", "address":
		return "address"
	case "path", "host":
		return m
	default:
		r.fail("routing_mode", fmt.Sprintf("%.40q is none of address, path and host", m))
		return "address"
	}
}

func (r *reader) listening() listening {
	l := listening{
		certFile: r.text("tls_cert_file"), key: r.text("tls_priv_key_file"),
		http2: r.flag("http2", true), h2c: r.flag("h2c", false), noKeepalive: !r.flag("disable_keepalive", true),
		headerTimeout: r.time("header_timeout_ms", DefaultHeaderTimeout), idleTimeout: r.time("idle_timeout_ms", DefaultIdleTimeout),
		maxHeader: r.number("max_header_bytes", DefaultMaxHeader, 16<<20), maxConns: r.number("max_connections", DefaultMaxConns, 1<<24),
	}
	if (l.certFile == "") != (l.key == "") {
		r.fail("tls_cert_file", "it goes with tls_priv_key_file, and one of them is missing")
	}
	l.address = r.text("address")
	if l.address == "" {
		l.address = r.text("default_address")
	}
	if port := r.text("port"); l.address == "" && port != "" {
		l.address = "127.0.0.1:" + port
	}
	if l.address == "" {
		l.address = DefaultAddress
	}
	at, err := netip.ParseAddrPort(l.address)
	if err != nil {
		r.fail("address", fmt.Sprintf("%.80q is no address with a port, such as 0.0.0.0:8000", l.address))
		return l
	}
	l.address = at.String()
	return l
}

// rule reads what a link is for. In v1's modes of path and host, a link must say
// its own.
func (r *reader) rule(link map[string]string) Rule {
	rule := Rule{Path: r.text("path"), Prefix: r.text("path_prefix"), Host: strings.ToLower(r.text("host"))}
	own := func(key string) bool {
		for k := range link {
			if strings.EqualFold(k, key) {
				return true
			}
		}
		return false
	}
	switch mode := r.mode(); {
	case mode == "path" && !own("path") && !own("path_prefix"):
		r.fail("path", "the provider finds targets by path (routing_mode), and the link has none")
	case mode == "host" && !own("host"):
		r.fail("host", "the provider finds targets by host (routing_mode), and the link has none")
	}
	for key, v := range map[string]string{"path": rule.Path, "path_prefix": rule.Prefix} {
		if v != "" && v[0] != '/' {
			r.fail(key, fmt.Sprintf("%.80q does not begin with a slash", v))
		}
	}
	if rule.Path != "" && rule.Prefix != "" {
		r.fail("path", "it does not go with path_prefix")
	}
	if strings.Contains(strings.TrimPrefix(rule.Host, "*."), "*") {
		r.fail("host", fmt.Sprintf("%.80q: a star stands for the first part of a name, as in *.example.com", rule.Host))
	}
	for _, m := range r.list("methods") {
		if !token(m) {
			r.fail("methods", fmt.Sprintf("%.40q is no method", m))
		}
		rule.Methods = append(rule.Methods, strings.ToUpper(m))
	}
	slices.Sort(rule.Methods)
	rule.Methods = slices.Compact(rule.Methods)
	for _, k := range slices.Sorted(maps.Keys(r.values)) {
		if name, ok := strings.CutPrefix(k, headerKey); ok {
			if !token(name) {
				r.fail(k, "it names no header")
			}
			rule.Headers = append(rule.Headers, HeaderRule{Name: http.CanonicalHeaderKey(name), Value: r.values[k]})
		}
	}
	return rule
}

// token reports whether s may name a method or a header.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}
