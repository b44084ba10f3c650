package wrpchttp

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/lathhost/lath/lattice/wrpc"
	contract "github.com/lathhost/lath/wit/wasi/http"
	"github.com/lathhost/lath/wit/wire"
)

// Instance and Func name what is called: a server. Outgoing names, in Instance's
// place, a client, which sends requests on to where they are for.
const (
	Instance = "wrpc:http/incoming-handler@0.1.0"
	Outgoing = "wrpc:http/outgoing-handler@0.1.0"
	Func     = "handle"
)

// Limits of what is read. Bodies have none of their own.
const (
	// MaxHeader bounds the names and values of a header, or of trailers, in
	// bytes.
	MaxHeader = 1 << 20
	// maxFields bounds their number.
	maxFields = 10_000
)

// paths are where body and trailers are, in parameters and results alike.
var bodyPath, trailersPath = wrpc.Path{0, 0}, wrpc.Path{0, 1}

// ErrMalformed means that a peer sent what is no request or response.
var ErrMalformed = errors.New("malformed HTTP message")

// head is a request or response without its body: the part that is sent first.
type head struct {
	// Of a request.
	method, path, scheme, authority string
	// Of a response.
	status int

	header http.Header
	// early is a body that was sent in place, and earlyTrailers trailers that
	// were; wasmCloud's own peers never do.
	early         []byte
	hasEarly      bool
	earlyTrailers http.Header
	hasTrailers   bool
}

var methods = [...]string{
	contract.MethodGet: http.MethodGet, contract.MethodHead: http.MethodHead, contract.MethodPost: http.MethodPost,
	contract.MethodPut: http.MethodPut, contract.MethodDelete: http.MethodDelete, contract.MethodConnect: http.MethodConnect,
	contract.MethodOptions: http.MethodOptions, contract.MethodTrace: http.MethodTrace, contract.MethodPatch: http.MethodPatch,
}

// appendRequest encodes a request whose body and trailers are to come.
func appendRequest(b []byte, h *head) []byte {
	b = append(b, wrpc.Pending, wrpc.Pending)
	if tag := slices.Index(methods[:], h.method); tag >= 0 {
		b = wire.AppendULEB(b, uint64(tag))
	} else {
		b = wire.AppendString(wire.AppendULEB(b, uint64(contract.MethodOther)), h.method)
	}
	b = appendOptional(b, h.path)
	switch h.scheme {
	case "":
		b = append(b, 0)
	case "http":
		b = append(b, 1, byte(contract.SchemeHTTP))
	case "https":
		b = append(b, 1, byte(contract.SchemeHTTPS))
	default:
		b = wire.AppendString(append(b, 1, byte(contract.SchemeOther)), h.scheme)
	}
	return appendFields(appendOptional(b, h.authority), h.header)
}

// appendResponse encodes an ok response whose body and trailers are to come.
func appendResponse(b []byte, status int, header http.Header) []byte {
	b = append(b, 0, wrpc.Pending, wrpc.Pending)
	return appendFields(wire.AppendULEB(b, uint64(status)), header)
}

// appendOptional encodes an option<string>, which is none for an empty text.
func appendOptional(b []byte, s string) []byte {
	if s == "" {
		return append(b, 0)
	}
	return wire.AppendString(append(b, 1), s)
}

// appendFields encodes fields, sorted by name, so that the same request has the
// same bytes.
func appendFields(b []byte, h http.Header) []byte {
	names := make([]string, 0, len(h))
	for name, values := range h {
		if len(values) > 0 && !hopByHop(name) && !strings.HasPrefix(name, http.TrailerPrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	b = wire.AppendULEB(b, uint64(len(names)))
	for _, name := range names {
		b = wire.AppendString(b, strings.ToLower(name))
		b = wire.AppendULEB(b, uint64(len(h[name])))
		for _, v := range h[name] {
			b = wire.AppendString(b, v)
		}
	}
	return b
}

// appendTrailers encodes an option<fields>.
func appendTrailers(b []byte, t http.Header) []byte {
	if len(t) == 0 {
		return append(b, 0)
	}
	return appendFields(append(b, 1), t)
}

// hopByHop are fields that are about one connection (RFC 9110, section 7.6.1):
// there is none on the other side.
func hopByHop(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Te":
		return true
	}
	return false
}

// readRequest decodes a request.
func readRequest(b []byte) (*head, error) {
	r := wire.NewReader(b)
	h := &head{}
	h.readBody(&r)
	if tag := r.Discriminant(int(contract.MethodOther) + 1); int(tag) < len(methods) {
		h.method = methods[tag]
	} else if h.method = r.String(); r.Err() == nil && !token(h.method) {
		return nil, fmt.Errorf("%w: method %.40q", ErrMalformed, h.method)
	}
	if r.Option() {
		if h.path = r.String(); !target(h.path) {
			return nil, fmt.Errorf("%w: path %.80q", ErrMalformed, h.path)
		}
	}
	if r.Option() {
		switch contract.SchemeTag(r.Discriminant(int(contract.SchemeOther) + 1)) {
		case contract.SchemeHTTP:
			h.scheme = "http"
		case contract.SchemeHTTPS:
			h.scheme = "https"
		default:
			h.scheme = r.String()
		}
	}
	if r.Option() {
		if h.authority = r.String(); !target(h.authority) {
			return nil, fmt.Errorf("%w: authority %.80q", ErrMalformed, h.authority)
		}
	}
	return h, h.readHeader(&r)
}

// readResult decodes a response, or the error code in its place.
func readResult(b []byte) (*head, error) {
	r := wire.NewReader(b)
	if r.Result() {
		var c contract.ErrorCode
		readError(&r, &c)
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("%w: error code: %w", ErrMalformed, err)
		}
		return nil, c
	}
	h := &head{}
	h.readBody(&r)
	if h.status = int(r.U16()); r.Err() == nil && (h.status < 200 || h.status > 999) {
		return nil, fmt.Errorf("%w: status %d", ErrMalformed, h.status)
	}
	return h, h.readHeader(&r)
}

// readBody decodes the stream and the future at the start of a message: mostly
// they only say that their contents come later.
func (h *head) readBody(r *wire.Reader) {
	if early := r.Bytes(); len(early) > 0 {
		h.early, h.hasEarly = early, true
	}
	if r.Future() {
		h.earlyTrailers, h.hasTrailers = readTrailers(r), true
	}
}

func (h *head) readHeader(r *wire.Reader) error {
	h.header = readFields(r)
	if err := r.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// readTrailers decodes an option<fields>.
func readTrailers(r *wire.Reader) http.Header {
	if !r.Option() {
		return nil
	}
	return readFields(r)
}

// decodeTrailers decodes the value of a message's second path.
func decodeTrailers(b []byte) (http.Header, error) {
	r := wire.NewReader(b)
	h := readTrailers(&r)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%w: trailers: %w", ErrMalformed, err)
	}
	return h, nil
}

// readFields decodes fields, leaving out what belongs to a connection. What is
// no field of HTTP, or too much of them, fails the reader.
func readFields(r *wire.Reader) http.Header {
	n := r.Len(2) // a name and a number of values
	h := http.Header{}
	size := 0
	for range n {
		name := r.String()
		values := r.Len(1)
		for range values {
			v := string(r.Bytes())
			size += len(name) + len(v)
			if size > MaxHeader || values > maxFields || n > maxFields {
				r.Fail(fmt.Errorf("more than %d bytes or %d fields", MaxHeader, maxFields))
			}
			if r.Err() != nil {
				return nil
			}
			if !token(name) || !fieldValue(v) {
				r.Fail(fmt.Errorf("field %.40q is none of HTTP", name))
				return nil
			}
			if !hopByHop(name) {
				h.Add(name, v)
			}
		}
		if r.Err() != nil {
			return nil
		}
	}
	return h
}

// token reports whether s may name a method or a field (RFC 9110, section 5.6.2).
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

// fieldValue reports whether s may be a field's value: no line ends, no other
// control characters but tab.
func fieldValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// target reports whether s may stand in a request line.
func target(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f })
}

// merge adds trailers to those that a message has.
func merge(to *http.Header, trailers http.Header) {
	if len(trailers) == 0 {
		return
	}
	if *to == nil {
		*to = http.Header{}
	}
	maps.Copy(*to, trailers)
}
