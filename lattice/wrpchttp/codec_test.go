package wrpchttp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	wasihttp "github.com/lathhost/lath/wit/wasi/http"
	"github.com/lathhost/lath/wit/wire"
	contract "github.com/lathhost/lath/wit/wrpc/http"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// The bytes of the protocol's example (d).
const (
	getA    = "00 00 00 01022f61 0100 010e6c6f63616c686f73743a38303030 01 06616363657074 01 032a2f2a"
	okHello = "00 00 00 c801 010c636f6e74656e742d74797065010a746578742f706c61696e"
)

func TestBytesOfRequests(t *testing.T) {
	t.Parallel()
	h := &head{method: "GET", path: "/a", scheme: "http", authority: "localhost:8000", header: http.Header{"Accept": {"*/*"}}}
	require.Equal(t, unhex(t, getA), appendRequest(nil, h))
	got, err := readRequest(unhex(t, getA))
	require.NoError(t, err)
	require.Equal(t, h, got)

	for method, tag := range map[string]string{"HEAD": "01", "POST": "02", "PUT": "03", "DELETE": "04", "CONNECT": "05", "OPTIONS": "06",
		"TRACE": "07", "PATCH": "08", "QUERY": "09 05 5155455259"} {
		want := unhex(t, "00 00"+tag+"00 00 00 00")
		require.Equal(t, want, appendRequest(nil, &head{method: method}), method)
		got, err := readRequest(want)
		require.NoError(t, err)
		require.Equal(t, method, got.method)
	}
	for scheme, tag := range map[string]string{"": "00", "http": "01 00", "https": "01 01", "ws": "01 02 02 7773"} {
		want := unhex(t, "00 00 00 00"+tag+"00 00")
		require.Equal(t, want, appendRequest(nil, &head{method: "GET", scheme: scheme}), scheme)
		got, err := readRequest(want)
		require.NoError(t, err)
		require.Equal(t, scheme, got.scheme)
	}
}

func TestBytesOfResponses(t *testing.T) {
	t.Parallel()
	require.Equal(t, unhex(t, okHello), appendResponse(nil, 200, http.Header{"Content-Type": {"text/plain"}}))
	got, err := readResult(unhex(t, okHello))
	require.NoError(t, err)
	require.Equal(t, &head{status: 200, header: http.Header{"Content-Type": {"text/plain"}}}, got)
	require.Equal(t, unhex(t, "00"), appendTrailers(nil, nil))
	require.Equal(t, unhex(t, "01 01 01 61 02 01 31 01 32"), appendTrailers(nil, http.Header{"A": {"1", "2"}}))
}

// TestInPlace: a body or trailers that a peer sends with the head.
func TestInPlace(t *testing.T) {
	t.Parallel()
	got, err := readRequest(unhex(t, "03 616263 01 01 01 01 61 01 01 31 00 00 00 00 00"))
	require.NoError(t, err)
	require.Equal(t, &head{method: "GET", header: http.Header{}, early: []byte("abc"), hasEarly: true,
		earlyTrailers: http.Header{"A": {"1"}}, hasTrailers: true}, got)
	got, err = readRequest(unhex(t, "00 01 00 00 00 00 00 00"))
	require.NoError(t, err)
	require.True(t, got.hasTrailers)
	require.Empty(t, got.earlyTrailers)
}

// errorCodes are all cases, with the payloads that they can have.
func errorCodes() []wasihttp.ErrorCode {
	name, size := wit.Some("x-name"), wit.Some(uint32(300))
	field := wasihttp.FieldSizePayload{FieldName: name, FieldSize: size}
	var list []wasihttp.ErrorCode
	for tag := range wasihttp.ErrorCodeInternalError + 1 {
		list = append(list, wasihttp.ErrorCode{Tag: tag}, wasihttp.ErrorCode{Tag: tag})
		c := &list[len(list)-1]
		switch tag {
		case wasihttp.ErrorCodeDNSError:
			c.DNSError = wasihttp.DNSErrorPayload{Rcode: wit.Some("NXDOMAIN"), InfoCode: wit.Some(uint16(65535))}
		case wasihttp.ErrorCodeTLSAlertReceived:
			c.TLSAlertReceived = wasihttp.TLSAlertReceivedPayload{AlertID: wit.Some(uint8(200)), AlertMessage: wit.Some("bad")}
		case wasihttp.ErrorCodeHTTPRequestBodySize:
			c.HTTPRequestBodySize = wit.Some(uint64(1 << 60))
		case wasihttp.ErrorCodeHTTPRequestHeaderSectionSize:
			c.HTTPRequestHeaderSectionSize = size
		case wasihttp.ErrorCodeHTTPRequestHeaderSize:
			c.HTTPRequestHeaderSize = wit.Some(field)
		case wasihttp.ErrorCodeHTTPRequestTrailerSectionSize:
			c.HTTPRequestTrailerSectionSize = size
		case wasihttp.ErrorCodeHTTPRequestTrailerSize:
			c.HTTPRequestTrailerSize = field
		case wasihttp.ErrorCodeHTTPResponseHeaderSectionSize:
			c.HTTPResponseHeaderSectionSize = size
		case wasihttp.ErrorCodeHTTPResponseHeaderSize:
			c.HTTPResponseHeaderSize = field
		case wasihttp.ErrorCodeHTTPResponseBodySize:
			c.HTTPResponseBodySize = wit.Some(uint64(1))
		case wasihttp.ErrorCodeHTTPResponseTrailerSectionSize:
			c.HTTPResponseTrailerSectionSize = size
		case wasihttp.ErrorCodeHTTPResponseTrailerSize:
			c.HTTPResponseTrailerSize = field
		case wasihttp.ErrorCodeHTTPResponseTransferCoding:
			c.HTTPResponseTransferCoding = wit.Some("br")
		case wasihttp.ErrorCodeHTTPResponseContentCoding:
			c.HTTPResponseContentCoding = wit.Some("zstd")
		case wasihttp.ErrorCodeInternalError:
			c.InternalError = wit.Some("why")
		}
	}
	return list
}

// TestErrorCodes holds the codec against the contract's type, which knows nothing
// of it.
func TestErrorCodes(t *testing.T) {
	t.Parallel()
	require.Equal(t, unhex(t, "01 26 00"), appendError(nil, wasihttp.ErrorCode{Tag: wasihttp.ErrorCodeInternalError}))
	require.Equal(t, unhex(t, "01 08"), appendError(nil, wasihttp.ErrorCode{Tag: wasihttp.ErrorCodeConnectionTimeout}))
	for _, c := range errorCodes() {
		b := appendError(nil, c)
		n, err := wire.Skip([]*wit.Type{contract.Result}, b)
		require.NoError(t, err, "%v", c)
		require.Equal(t, len(b), n, "%v", c)
		v, _, err := wire.Decode(contract.Result, b, wire.Limits{})
		require.NoError(t, err)
		same, err := wire.Append(nil, contract.Result, v)
		require.NoError(t, err)
		require.Equal(t, b, same)
		_, err = readResult(b)
		require.Equal(t, c, err)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	field := func(name, value string) string {
		return fmt.Sprintf("01%02x%x01%02x%x", len(name), name, len(value), value)
	}
	for what, b := range map[string]string{
		"nothing":              "",
		"no such method":       "00 00 0a 00 00 00 00",
		"a method of two":      "00 00 09 03 612062 00 00 00 00",
		"an empty method":      "00 00 09 00 00 00 00 00",
		"a path of two lines":  "00 00 00 01 04 2f0d0a2f 00 00 00",
		"an authority, spaced": "00 00 00 00 00 01 03 612062 00",
		"a name of two":        "00 00 00 00 00 00" + field("a b", "c"),
		"no name":              "00 00 00 00 00 00" + field("", "c"),
		"a value of two lines": "00 00 00 00 00 00" + field("a", "b\r\nc: d"),
		"fewer fields":         "00 00 00 00 00 00 02" + field("a", "b")[2:],
		"fields without end":   "00 00 00 00 00 00 ffffffff0f",
	} {
		_, err := readRequest(unhex(t, b))
		require.ErrorIs(t, err, ErrMalformed, what)
	}
	for what, b := range map[string]string{
		"nothing":          "",
		"no such error":    "01 27",
		"informational":    "00 00 00 64 00",
		"no status":        "00 00 00 00 00",
		"a status of 1000": "00 00 00 e807 00",
	} {
		_, err := readResult(unhex(t, b))
		require.ErrorIs(t, err, ErrMalformed, what)
	}
	_, err := decodeTrailers(unhex(t, "01"+field("a", "b\x00")))
	require.ErrorIs(t, err, ErrMalformed)
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	large := appendResponse(nil, 200, http.Header{"A": {strings.Repeat("x", MaxHeader)}})
	_, err := readResult(large)
	require.ErrorContains(t, err, "more than 1048576 bytes or 10000 fields")
	many := appendResponse(nil, 200, http.Header{"A": make([]string, maxFields+1)})
	_, err = readResult(many)
	require.ErrorContains(t, err, "more than 1048576 bytes or 10000 fields")
}

func TestWhatBelongsToAConnectionStays(t *testing.T) {
	t.Parallel()
	h := http.Header{"Connection": {"close"}, "Keep-Alive": {"1"}, "Te": {"trailers"}, "Upgrade": {"x"}, "Transfer-Encoding": {"chunked"},
		"Proxy-Connection": {"x"}, http.TrailerPrefix + "X": {"y"}, "Empty": nil, "A": {"1"}}
	got, err := readResult(appendResponse(nil, 200, h))
	require.NoError(t, err)
	require.Equal(t, http.Header{"A": {"1"}}, got.header)
	got, err = readRequest(unhex(t, "00 00 00 00 00 00 01 0a 636f6e6e656374696f6e 01 05 636c6f7365"))
	require.NoError(t, err)
	require.Empty(t, got.header)
}

func FuzzRequest(f *testing.F) {
	f.Add(unhex(f, getA))
	f.Add(unhex(f, "03 616263 01 01 01 01 61 01 01 31 00 00 00 00 00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readRequest(b)
		if err != nil {
			return
		}
		_, err = wire.Skip([]*wit.Type{contract.Request}, b)
		require.NoError(t, err, "what is read is of the type")
		again, err := readRequest(appendRequest(nil, h))
		require.NoError(t, err)
		again.early, again.hasEarly, again.earlyTrailers, again.hasTrailers = h.early, h.hasEarly, h.earlyTrailers, h.hasTrailers
		require.Equal(t, h, again)
	})
}

func FuzzResult(f *testing.F) {
	f.Add(unhex(f, okHello))
	for _, c := range errorCodes() {
		f.Add(appendError(nil, c))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readResult(b)
		if c, ok := errors.AsType[wasihttp.ErrorCode](err); ok {
			again := appendError(nil, c)
			_, err := readResult(again)
			require.Equal(t, c, err)
			return
		}
		if err != nil {
			return
		}
		again, err := readResult(appendResponse(nil, h.status, h.header))
		require.NoError(t, err)
		require.Equal(t, h.status, again.status)
		require.Equal(t, h.header, again.header)
		require.True(t, bytes.Equal(appendResponse(nil, h.status, h.header), appendResponse(nil, again.status, again.header)))
	})
}
