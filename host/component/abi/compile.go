package abi

import (
	"fmt"

	"github.com/lathhost/lath/wit"
)

// MaxOps bounds the ops and jump targets that one [Compiler] makes, about 32
// MB. Types are bounded too, but a small type may repeat in a large one.
const MaxOps = 1 << 20

// inlineMax is the largest program, in ops, that is repeated in place. A larger
// one is called, so that programs grow with the text of their types and not
// with the size of their values.
const inlineMax = 32

// form is which of a type's programs is meant.
type form struct {
	flat bool // one op per flat slot, for types of at most wit.MaxFlatParams
	wire bool // only what has the same bytes on the wire merges into copies
}

type blockKey struct {
	t *wit.Type
	form
}

// Compiler makes programs that share the programs of their types. Use one for
// all functions of a component. It is for one goroutine; what it returns is
// immutable and for any number.
type Compiler struct {
	blocks  map[blockKey]*block
	weights map[*wit.Type]int
	made    int
}

// NewCompiler returns a compiler that has compiled nothing.
func NewCompiler() *Compiler {
	return &Compiler{blocks: make(map[blockKey]*block), weights: make(map[*wit.Type]int)}
}

// tuple is what Transfer and Wire have in common: the layout of a tuple of
// types, and its programs.
type tuple struct {
	size, align uint32
	flat        []wit.CoreType
	mem         *block
	slots       *block // nil where flat has too many entries
	scalars     bool   // slots is nothing but scalars
}

// Size returns the bytes of the tuple in memory.
func (t *tuple) Size() uint32 { return t.size }

// Align returns the alignment of the tuple in memory.
func (t *tuple) Align() uint32 { return t.align }

// CoreTypes returns the tuple's core types. More than [wit.MaxFlatParams] are
// cut after one more than that, as in [wit.Type]. Read-only.
func (t *tuple) CoreTypes() []wit.CoreType { return t.flat }

// tuple does what wit.NewTuple does, without its rules for named types: a
// tuple may be empty and adds no nesting.
func (c *Compiler) tuple(types []*wit.Type, wire bool) (tuple, error) {
	t := tuple{align: 1}
	offs := make([]uint32, len(types))
	var size uint64
	for i, p := range types {
		if err := sync(p); err != nil {
			return tuple{}, err
		}
		size = (size + uint64(p.Align) - 1) &^ (uint64(p.Align) - 1)
		offs[i] = uint32(size)
		if size += uint64(p.Size); size >= wit.MaxSize {
			return tuple{}, wit.ErrTypeTooLarge
		}
		t.align = max(t.align, p.Align)
		t.flat = append(t.flat, p.Flat[:min(len(p.Flat), wit.MaxFlatParams+1-len(t.flat))]...)
	}
	t.size = uint32((size + uint64(t.align) - 1) &^ (uint64(t.align) - 1))
	var err error
	if t.mem, err = c.sequence(types, offs, form{wire: wire}); err != nil {
		return tuple{}, err
	}
	if len(t.flat) <= wit.MaxFlatParams {
		if t.slots, err = c.sequence(types, offs, form{wire: wire, flat: true}); err != nil {
			return tuple{}, err
		}
		t.scalars = t.slots.onlyScalars()
	}
	return t, nil
}

// sequence returns the program of the types at offs.
func (c *Compiler) sequence(types []*wit.Type, offs []uint32, f form) (*block, error) {
	b := builder{c: c, form: f, out: &block{}}
	slot := uint32(0)
	for i, t := range types {
		if err := b.emit(t, offs[i], slot); err != nil {
			return nil, err
		}
		slot += uint32(len(t.Flat))
	}
	return b.finish(), nil
}

// sync returns ErrAsync, naming the innermost type that is the reason.
func sync(t *wit.Type) error {
	if t == nil || !t.Props.Has(wit.HasAsync) {
		return nil
	}
	switch t.Kind {
	case wit.KindStream, wit.KindFuture, wit.KindErrorContext:
		if t.Name != "" {
			return fmt.Errorf("%w: %s (%s)", ErrAsync, t.Kind, t.Name)
		}
		return fmt.Errorf("%w: %s", ErrAsync, t.Kind)
	}
	for _, f := range t.Fields {
		if err := sync(f.Type); err != nil {
			return fmt.Errorf("%s: %w", label(t, f.Name), err)
		}
	}
	for _, k := range t.Cases {
		if err := sync(k.Type); err != nil {
			return fmt.Errorf("%s: %w", label(t, k.Name), err)
		}
	}
	return sync(t.Elem)
}

func label(t *wit.Type, part string) string {
	s := t.Name
	if s == "" {
		s = t.Kind.String()
	}
	if part != "" {
		s += "." + part
	}
	return s
}

// block returns the program of t.
func (c *Compiler) block(t *wit.Type, f form) (*block, error) {
	key := blockKey{t, f}
	if b := c.blocks[key]; b != nil {
		return b, nil
	}
	b := builder{c: c, form: f, root: t, out: &block{}}
	if err := b.emit(t, 0, 0); err != nil {
		return nil, err
	}
	c.blocks[key] = b.finish()
	return b.out, nil
}

// weight estimates how many ops and jump targets t needs in place, up to
// inlineMax+1. It sees each type once.
func (c *Compiler) weight(t *wit.Type) int {
	if w, ok := c.weights[t]; ok {
		return w
	}
	w := 1
	add := func(part *wit.Type) {
		if part != nil && w <= inlineMax {
			w += min(c.weight(part), inlineMax)
		}
	}
	switch t.Kind {
	case wit.KindRecord, wit.KindTuple:
		w = 0
		for _, f := range t.Fields {
			add(f.Type)
		}
	case wit.KindVariant, wit.KindOption, wit.KindResult:
		for _, k := range t.Cases {
			w++
			add(k.Type)
		}
	case wit.KindFixedList:
		w = int(min(uint64(c.weight(t.Elem))*uint64(t.Len), inlineMax+1))
	}
	w = min(w, inlineMax+1)
	c.weights[t] = w
	return w
}

// Transfer compiles the passing of a tuple of values from one guest to another.
func (c *Compiler) Transfer(types []*wit.Type, src, dst Encoding) (*Transfer, error) {
	t, err := c.tuple(types, false)
	if err != nil {
		return nil, err
	}
	text := src == UTF8 && dst == UTF8 && len(types) == 1 && types[0].Kind == wit.KindString
	return &Transfer{tuple: t, src: src, dst: dst, text: text}, nil
}

// Wire compiles the passing of a tuple of values between a guest and the wire,
// where they are concatenated.
func (c *Compiler) Wire(types []*wit.Type, enc Encoding) (*Wire, error) {
	t, err := c.tuple(types, true)
	if err != nil {
		return nil, err
	}
	return &Wire{tuple: t, enc: enc}, nil
}

// CompileTransfer is [Compiler.Transfer] with a compiler of its own.
func CompileTransfer(types []*wit.Type, src, dst Encoding) (*Transfer, error) {
	return NewCompiler().Transfer(types, src, dst)
}

// CompileWire is [Compiler.Wire] with a compiler of its own.
func CompileWire(types []*wit.Type, enc Encoding) (*Wire, error) {
	return NewCompiler().Wire(types, enc)
}
