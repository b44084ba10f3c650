package claims

import (
	"encoding/binary"
	"fmt"

	"github.com/lathhost/lath/lattice"
)

// The custom sections that hold a token; a component signed anew may have both.
const (
	section      = "wasmcloud_jwt"
	olderSection = "jwt"
)

// preamble is the length of a component's magic number and version.
const preamble = 8

// embedded returns the token in a component or module, or an empty one, and the
// bytes that it is about: all but the sections with tokens, the lengths of
// sections in their shortest form.
func embedded(wasm []byte) (token string, rest [][]byte, err error) {
	if len(wasm) < preamble || string(wasm[:4]) != "\x00asm" {
		return "", nil, fmt.Errorf("claims: %w: this is no WebAssembly", lattice.ErrInvalid)
	}
	older := ""
	rest = append(rest, wasm[:preamble])
	for pos := preamble; pos < len(wasm); {
		size, n := binary.Uvarint(wasm[pos+1:])
		start := pos + 1 + n
		if n <= 0 || n > 5 || size > uint64(len(wasm)-start) {
			return "", nil, fmt.Errorf("claims: %w: the section at offset %d is cut off", lattice.ErrInvalid, pos)
		}
		content := wasm[start : start+int(size)]
		name, text := custom(wasm[pos], content)
		switch name {
		case section:
			token = text
		case olderSection:
			older = text
		default:
			rest = append(rest, binary.AppendUvarint([]byte{wasm[pos]}, size), content)
		}
		pos = start + int(size)
	}
	if token == "" {
		token = older
	}
	return token, rest, nil
}

// custom takes a custom section apart; name is empty for another one.
func custom(id byte, content []byte) (name, text string) {
	if id != 0 {
		return "", ""
	}
	size, n := binary.Uvarint(content)
	if n <= 0 || size > uint64(len(content)-n) {
		return "", ""
	}
	return string(content[n : n+int(size)]), string(content[n+int(size):])
}
