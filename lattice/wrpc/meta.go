package wrpc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// Meta is what travels with a call beside its parameters. Source and link name
// are claims of the caller: the trust boundary is the NATS account.
type Meta struct {
	SourceID string // id of the calling component or provider
	LinkName string // empty: "default"
	TargetID string // id of the called component; only v1 provider SDKs set it
	// Path is the chain of component ids so far, at most [MaxPath] of them. Only
	// Lath callees see it.
	Path []string
	// TraceParent and TraceState are the W3C trace context.
	TraceParent, TraceState string
}

// Limits of what is read from headers. A header beyond them is dropped and
// counted ([Stats]).
const (
	MaxPath       = 32   // ids in a call path
	MaxID         = 256  // bytes of an id or a link name
	MaxTraceState = 2048 // bytes of tracestate

	maxTraceParent = 128
	maxTimeout     = 24 * time.Hour
)

// Window limits: how many bytes of one stream may be under way.
const (
	DefaultWindow = 256 << 10
	MinWindow     = 1 << 10
	MaxWindow     = 64 << 20
)

// DefaultTimeout is the deadline of a call whose context has none.
const DefaultTimeout = 30 * time.Second

type metaKey struct{}

// metaContext carries a call's meta. It is what context.WithValue makes, but one
// allocation instead of two: calls within a process make one each.
type metaContext struct {
	context.Context //nolint:containedctx // this is a context itself
	meta            Meta
}

// Value implements [context.Context].
func (c *metaContext) Value(key any) any {
	if _, ok := key.(metaKey); ok {
		return &c.meta
	}
	return c.Context.Value(key)
}

// ContextWithMeta returns a context that carries a call's meta to its handler.
func ContextWithMeta(ctx context.Context, m Meta) context.Context {
	return &metaContext{ctx, m}
}

// MetaFromContext returns the meta of the call that the context belongs to.
func MetaFromContext(ctx context.Context) (Meta, bool) {
	m, ok := ctx.Value(metaKey{}).(*Meta)
	if !ok {
		return Meta{}, false
	}
	return *m, true
}

// check refuses what could not be sent as a header or would not be read.
func (m *Meta) check() error {
	for _, f := range [...]struct {
		name, value string
		most        int
	}{
		{"source id", m.SourceID, MaxID}, {"link name", m.LinkName, MaxID}, {"target id", m.TargetID, MaxID},
		{"traceparent", m.TraceParent, maxTraceParent}, {"tracestate", m.TraceState, MaxTraceState},
	} {
		if len(f.value) > f.most || !plainText(f.value) {
			return fmt.Errorf("%s: %w: more than %d bytes or not plain text", f.name, lattice.ErrInvalid, f.most)
		}
	}
	if len(m.Path) > MaxPath {
		return &Error{Code: Refused, Detail: fmt.Sprintf("call path is longer than %d", MaxPath)}
	}
	for _, id := range m.Path {
		if id == "" || len(id) > MaxID || !plainText(id) || strings.Contains(id, ",") {
			return fmt.Errorf("call path: %w id %.40q", lattice.ErrInvalid, id)
		}
	}
	return nil
}

// plainText reports whether a header value survives the journey unchanged.
func plainText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}

// headerCount is the most headers of an invocation, usualHeaders what a small map
// holds without a table.
const (
	headerCount  = 9
	usualHeaders = 8
)

// header builds the headers of an invocation. A window of 0 is not sent.
func (m *Meta) header(timeout time.Duration, window int) nats.Header {
	h := make(nats.Header, usualHeaders)
	values := make([]string, 0, headerCount) // the array behind all the slices of h
	set := func(k, v string) {
		if v != "" {
			values = append(values, v)
			h[k] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	set(lattice.HeaderSourceID, m.SourceID)
	set(lattice.HeaderLinkName, m.LinkName)
	set(lattice.HeaderTargetID, m.TargetID)
	set(lattice.HeaderTraceParent, m.TraceParent)
	set(lattice.HeaderTraceState, m.TraceState)
	set(lattice.HeaderLath, lattice.LathVersion)
	// At least 1: what is left of the last millisecond still counts.
	set(lattice.HeaderTimeout, strconv.FormatInt(max(1, timeout.Milliseconds()), 10))
	set(lattice.HeaderPath, strings.Join(m.Path, ","))
	if window > 0 {
		set(lattice.HeaderWindow, strconv.Itoa(window))
	}
	return h
}

// headerSize is the encoded size of headers, as servers count it.
func headerSize(h nats.Header) int {
	if len(h) == 0 {
		return 0
	}
	n := len("NATS/1.0\r\n") + len("\r\n")
	for k, vs := range h {
		for _, v := range vs {
			n += len(k) + len(": ") + len(v) + len("\r\n")
		}
	}
	return n
}

// invocation is what the headers of an invocation said.
type invocation struct {
	Meta
	lath    bool
	hops    bool          // the caller wants to know them
	timeout time.Duration // 0: not said
	window  int
}

// parseInvocation reads the headers of an invocation and returns how many of
// those that it knows were dropped for being too long or malformed.
func parseInvocation(h nats.Header) (in invocation, dropped int) {
	in.window = DefaultWindow
	if len(h) == 0 {
		return in, 0
	}
	text := func(k string, most int) string {
		v := first(h, k)
		if len(v) > most || !plainText(v) {
			dropped++
			return ""
		}
		return v
	}
	in.SourceID = text(lattice.HeaderSourceID, MaxID)
	in.LinkName = text(lattice.HeaderLinkName, MaxID)
	in.TargetID = text(lattice.HeaderTargetID, MaxID)
	in.TraceParent = text(lattice.HeaderTraceParent, maxTraceParent)
	in.TraceState = text(lattice.HeaderTraceState, MaxTraceState)
	if in.lath = first(h, lattice.HeaderLath) == lattice.LathVersion; !in.lath {
		return in, dropped
	}
	in.hops = first(h, lattice.HeaderHops) == askHops
	if v := first(h, lattice.HeaderTimeout); v != "" {
		ms, err := parseDecimal(v, 1, uint64(maxTimeout/time.Millisecond))
		in.timeout = time.Duration(ms) * time.Millisecond
		dropped += count(err)
	}
	if v := first(h, lattice.HeaderPath); v != "" {
		var err error
		in.Path, err = parsePath(v)
		dropped += count(err)
	}
	if v := first(h, lattice.HeaderWindow); v != "" {
		w, err := parseWindow(v)
		in.window = w
		dropped += count(err)
	}
	return in, dropped
}

func count(err error) int {
	if err != nil {
		return 1
	}
	return 0
}

// first is Header.Get without its nil check: exact case, first value.
func first(h nats.Header, k string) string {
	if vs := h[k]; len(vs) > 0 {
		return vs[0]
	}
	return ""
}

var errDecimal = errors.New("not a decimal number in range")

// parseDecimal reads a plain decimal number, without sign, spaces or leading
// zeros, within bounds.
func parseDecimal(s string, least, most uint64) (uint64, error) {
	if len(s) == 0 || len(s) > 20 || s[0] < '0' || s[0] > '9' || s[0] == '0' && len(s) > 1 {
		return 0, errDecimal
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil || v < least || v > most {
		return 0, errDecimal
	}
	return v, nil
}

// parseWindow reads a lath-window; where it is wrong, the default holds.
func parseWindow(s string) (int, error) {
	w, err := parseDecimal(s, MinWindow, MaxWindow)
	if err != nil {
		return DefaultWindow, err
	}
	return int(w), nil
}

func parsePath(s string) ([]string, error) {
	if len(s) > MaxPath*(MaxID+1) || !plainText(s) {
		return nil, errors.New("call path is too long or not plain text")
	}
	if strings.Count(s, ",") >= MaxPath {
		return nil, errors.New("call path has too many ids")
	}
	ids := strings.Split(s, ",")
	for _, id := range ids {
		if id == "" || len(id) > MaxID {
			return nil, errors.New("call path has an empty or too long id")
		}
	}
	return ids, nil
}
