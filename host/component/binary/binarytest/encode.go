// Package binarytest writes small components for tests, byte by byte: a
// fixture that a reader can compare with the grammar in "Binary.md". It knows
// lengths, counts and names; the rest are bytes that the test gives.
package binarytest

import (
	"encoding/binary"
	"slices"
)

// The section ids of a component.
const (
	CoreModule = 1 + iota
	CoreInstance
	CoreType
	Nested
	Instance
	Alias
	Type
	Canon
	Start
	Import
	Export
	Value
)

// U returns an unsigned LEB128 integer.
func U(n uint64) []byte { return binary.AppendUvarint(nil, n) }

// Index returns a type index in a place that takes a primitive type as well: a
// signed LEB128 integer.
func Index(n int) []byte {
	var out []byte
	for ; n >= 0x40; n >>= 7 {
		out = append(out, byte(n&0x7f)|0x80)
	}
	return append(out, byte(n))
}

// Name returns a name with its length.
func Name(s string) []byte { return append(U(uint64(len(s))), s...) }

// Extern returns an import or export name in its plain form.
func Extern(s string) []byte { return append([]byte{0}, Name(s)...) }

// Cat joins bytes, given as byte slices, single bytes, strings (which become
// names) and ints (which become LEB128 integers).
func Cat(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case []byte:
			out = append(out, p...)
		case byte:
			out = append(out, p)
		case string:
			out = append(out, Name(p)...)
		case int:
			out = append(out, U(uint64(p))...)
		default:
			panic("binarytest: cannot encode a part")
		}
	}
	return out
}

// Vec returns a vector.
func Vec(items ...[]byte) []byte {
	return append(U(uint64(len(items))), slices.Concat(items...)...)
}

// Raw returns a section with the given content.
func Raw(id byte, content []byte) []byte {
	return append(append([]byte{id}, U(uint64(len(content)))...), content...)
}

// Section returns a section that holds a vector.
func Section(id byte, items ...[]byte) []byte { return Raw(id, Vec(items...)) }

// Component returns a component of the given sections.
func Component(sections ...[]byte) []byte {
	return append([]byte("\x00asm\x0d\x00\x01\x00"), slices.Concat(sections...)...)
}

// Module returns a core module of the given sections.
func Module(sections ...[]byte) []byte {
	return append([]byte("\x00asm\x01\x00\x00\x00"), slices.Concat(sections...)...)
}
