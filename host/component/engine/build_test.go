package engine_test

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// guest is a module that a test makes up.
type guest struct {
	types   [][]byte
	imports [][]byte
	funcs   []uint32
	bodies  [][]byte
	tags    [][]byte
	globals [][]byte
	exports [][]byte
	datas   [][]byte
	elems   [][]byte
	tables  [][]byte
	pages   uint32 // of memory; 0: no memory
}

// Value types, instructions and so on, in the binary format.
const (
	i32  = 0x7f
	i64  = 0x7e
	v128 = 0x7b

	opBlock, opLoop, opIf, opElse, opEnd = 0x02, 0x03, 0x04, 0x05, 0x0b
	opBr, opBrIf, opReturn               = 0x0c, 0x0d, 0x0f
	opCall, opCallIndirect               = 0x10, 0x11
	opReturnCall                         = 0x12
	opDrop                               = 0x1a
	opLocalGet, opLocalSet, opLocalTee   = 0x20, 0x21, 0x22
	opI32Const                           = 0x41
	opI32Load                            = 0x28
	opI32Add, opI32Sub, opI32Eqz         = 0x6a, 0x6b, 0x45
	void                                 = 0x40
)

func leb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func vec[T ~[]byte](items ...T) []byte {
	out := leb(len(items))
	for _, i := range items {
		out = append(out, i...)
	}
	return out
}

func text(s string) []byte { return append(leb(len(s)), s...) }

// sig returns the index of a function type.
func (g *guest) sig(params, results []byte) uint32 {
	t := slices.Concat([]byte{0x60}, leb(len(params)), params, leb(len(results)), results)
	for i, have := range g.types {
		if bytes.Equal(have, t) {
			return uint32(i)
		}
	}
	g.types = append(g.types, t)
	return uint32(len(g.types) - 1)
}

// fn adds a function, exports it if it has a name, and returns its index. The
// code is without its end; locals are groups as in the format.
func (g *guest) fn(name string, params, results, locals []byte, code ...[]byte) uint32 {
	index := uint32(len(g.imports) + len(g.funcs))
	g.funcs = append(g.funcs, g.sig(params, results))
	if locals == nil {
		locals = []byte{0}
	}
	body := append(append(locals, slices.Concat(code...)...), opEnd)
	g.bodies = append(g.bodies, append(leb(len(body)), body...))
	if name != "" {
		g.exports = append(g.exports, slices.Concat(text(name), []byte{0}, leb(int(index))))
	}
	return index
}

// importFn adds an imported function. Imports come before functions.
func (g *guest) importFn(module, field string, params, results []byte) uint32 {
	g.imports = append(g.imports, slices.Concat(text(module), text(field), []byte{0}, leb(int(g.sig(params, results)))))
	return uint32(len(g.imports) - 1)
}

func (g *guest) encode() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, items [][]byte) {
		if len(items) > 0 {
			payload := vec(items...)
			out = append(append(append(out, id), leb(len(payload))...), payload...)
		}
	}
	section(1, g.types)
	section(2, g.imports)
	var funcs [][]byte
	for _, f := range g.funcs {
		funcs = append(funcs, leb(int(f)))
	}
	section(3, funcs)
	section(4, g.tables)
	if g.pages > 0 {
		section(5, [][]byte{append([]byte{0}, leb(int(g.pages))...)})
	}
	section(13, g.tags)
	section(6, g.globals)
	section(7, g.exports)
	section(9, g.elems)
	if len(g.datas) > 0 {
		n := leb(len(g.datas))
		out = append(append(append(out, 12), leb(len(n))...), n...)
	}
	section(10, g.bodies)
	section(11, g.datas)
	return out
}

// repeat concatenates what f makes n times.
func repeat(n int, f func(i int) []byte) []byte {
	var out []byte
	for i := range n {
		out = append(out, f(i)...)
	}
	return out
}

func op(code byte, index int) []byte { return append([]byte{code}, leb(index)...) }

func constant(n int) []byte {
	out := []byte{opI32Const}
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(out, c)
		}
		out = append(out, c|0x80)
	}
}
