package wrpc

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// The form of a traceparent of version 00: version, trace id, parent id and
// flags, in hexadecimal digits.
const (
	traceIDLen     = 32
	parentIDLen    = 16
	traceParentLen = 2 + 1 + traceIDLen + 1 + parentIDLen + 1 + 2
)

// NewTraceParent returns a W3C traceparent of a trace that begins here: random
// ids, which need not be secret, and the flag that nobody has recorded anything.
func NewTraceParent() string {
	var ids [(traceIDLen + parentIDLen) / 2]byte
	for k := 0; k < len(ids); k += 8 {
		binary.NativeEndian.PutUint64(ids[k:], rand.Uint64()) //nolint:gosec // each one differs, and that is all
	}
	ids[0] |= 1 // neither id may be zero
	ids[traceIDLen/2] |= 1
	var b [traceParentLen]byte
	copy(b[:], "00-")
	hex.Encode(b[3:], ids[:traceIDLen/2])
	b[3+traceIDLen] = '-'
	hex.Encode(b[4+traceIDLen:], ids[traceIDLen/2:])
	copy(b[4+traceIDLen+parentIDLen:], "-00")
	return string(b[:])
}

// TraceID returns the trace id of a W3C traceparent, 32 hexadecimal digits, or
// nothing if it is none: somebody else may have made it.
func TraceID(parent string) string {
	if len(parent) < traceParentLen || len(parent) > traceParentLen && parent[traceParentLen] != '-' {
		return ""
	}
	version, id := parent[:2], parent[3:3+traceIDLen]
	from := parent[4+traceIDLen : 4+traceIDLen+parentIDLen]
	flags := parent[traceParentLen-2 : traceParentLen]
	for _, at := range [...]int{2, 3 + traceIDLen, 4 + traceIDLen + parentIDLen} {
		if parent[at] != '-' {
			return ""
		}
	}
	for _, part := range [...]string{version, id, from, flags} {
		if strings.ContainsFunc(part, notHex) {
			return ""
		}
	}
	known := version == "00" && len(parent) == traceParentLen || version != "00" && version != "ff"
	if !known || strings.Trim(id, "0") == "" || strings.Trim(from, "0") == "" {
		return ""
	}
	return id
}

func notHex(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }
