// Package guests is what test/bench measures: components in WebAssembly text,
// small enough that every instruction of theirs is known, and the core modules
// in them, for runtimes that know no components. Their worlds are told in the
// .wit files; wasm-tools, or jco, makes the .wasm of them:
//
//	jco parse callee.wat -o core.wasm
//	jco embed --wit callee.wit core.wasm -o embedded.wasm
//	jco new embedded.wasm -o callee.wasm
//
// The package knows nothing of hosts.
package guests

import (
	"bytes"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
)

//go:embed *.wasm
var files embed.FS

// Component returns a guest by its name: "callee".
func Component(name string) ([]byte, error) { return files.ReadFile(name + ".wasm") }

// Core returns the first core module of a component, which is the one that was
// written; tools add others.
func Core(component []byte) ([]byte, error) {
	for s, err := range sections(component) {
		if err != nil {
			return nil, err
		}
		if s.id == coreModule {
			return s.payload, nil
		}
	}
	return nil, errors.New("the component has no core module")
}

// What [WithData] adds.
const (
	// DataStart is where the data begins: low enough for allocators that treat
	// the first megabyte of a memory in a way of its own.
	DataStart = 1 << 16
	// DataSize is how much there is.
	DataSize = 10 << 20
	// pages is the memory's new size.
	pages = 192
)

// WithData returns callee, or the core module in it, with 10 MB of data and a
// memory that has room for it: too much to keep in a repository.
func WithData(wasm []byte) ([]byte, error) {
	out := bytes.Clone(wasm[:min(preamble, len(wasm))])
	isCore := bytes.Equal(out, coreHeader)
	for s, err := range sections(wasm) {
		switch {
		case err != nil:
			return nil, err
		case !isCore && s.id == coreModule:
			if s.payload, err = WithData(s.payload); err != nil {
				return nil, err
			}
		case isCore && s.id == memorySection:
			s.payload = binary.AppendUvarint([]byte{1, 0}, pages)
		}
		if out = appendSection(out, s); isCore && s.id == codeSection {
			out = appendSection(out, section{dataSection, data()})
		}
	}
	return out, nil
}

// data is one active segment, no page of which is all zeros.
func data() []byte {
	out := []byte{1, 0, 0x41}
	out = appendSigned(out, DataStart)
	out = binary.AppendUvarint(append(out, 0x0b), DataSize)
	for i := range DataSize {
		out = append(out, byte(i|1))
	}
	return out
}

// Distinct returns a component like the given one whose bytes, and whose core
// module's code, are unlike those of any other number: machine code cannot be
// shared. The component is callee.
func Distinct(component []byte, number int) ([]byte, error) {
	out := bytes.Clone(component[:min(preamble, len(component))])
	for s, err := range sections(component) {
		if err != nil {
			return nil, err
		}
		if s.id == coreModule {
			if s.payload, err = distinctModule(s.payload, number); err != nil {
				return nil, err
			}
		}
		out = appendSection(out, s)
	}
	return out, nil
}

// distinctModule adds a global that holds the number.
func distinctModule(wasm []byte, number int) ([]byte, error) {
	out := bytes.Clone(wasm[:min(preamble, len(wasm))])
	for s, err := range sections(wasm) {
		if err != nil {
			return nil, err
		}
		if s.id == globalSection {
			count, n := binary.Uvarint(s.payload)
			if n <= 0 {
				return nil, errShort
			}
			globals := append(binary.AppendUvarint(nil, count+1), s.payload[n:]...)
			globals = append(globals, 0x7f, 0, 0x41) // an immutable i32
			s.payload = append(appendSigned(globals, int64(number)), 0x0b)
		}
		out = appendSection(out, s)
	}
	return out, nil
}

// The parts of the binary formats that matter here.
const (
	preamble      = 8
	coreModule    = 1 // of a component
	memorySection = 5
	globalSection = 6
	codeSection   = 10
	dataSection   = 11
)

var (
	coreHeader = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	errShort   = errors.New("the module ends too early")
)

type section struct {
	id      byte
	payload []byte
}

// sections yields those of a module or component.
func sections(wasm []byte) func(yield func(section, error) bool) {
	return func(yield func(section, error) bool) {
		for rest := wasm[min(preamble, len(wasm)):]; len(rest) > 0; {
			size, n := binary.Uvarint(rest[1:])
			if n <= 0 || size > uint64(len(rest)-1-n) {
				yield(section{}, fmt.Errorf("section %d: %w", rest[0], errShort))
				return
			}
			end := 1 + n + int(size)
			if !yield(section{rest[0], rest[1+n : end]}, nil) {
				return
			}
			rest = rest[end:]
		}
	}
}

func appendSection(out []byte, s section) []byte {
	out = binary.AppendUvarint(append(out, s.id), uint64(len(s.payload)))
	return append(out, s.payload...)
}

// appendSigned appends LEB128 of a number that may be negative.
func appendSigned(out []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}
