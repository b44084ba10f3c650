package validate

import (
	"encoding/binary"
	"fmt"

	"github.com/lathhost/lath/wit"
)

// typeInfo is what the interner knows of a type besides the type.
type typeInfo struct {
	id uint32
	// size and align are those of a 64-bit memory, which the specification's
	// bound on sizes is about.
	size  uint64
	align uint64
}

// interner gives equal value types the same pointer, so that comparing two
// types costs nothing however large they are.
type interner struct {
	byKey map[string]*wit.Type
	info  map[*wit.Type]typeInfo
	key   []byte
}

func newInterner() *interner {
	in := &interner{byKey: map[string]*wit.Type{}, info: map[*wit.Type]typeInfo{}}
	for k := wit.KindBool; k.Primitive(); k++ {
		t := wit.Primitive(k)
		i := typeInfo{id: uint32(k), size: uint64(t.Size), align: uint64(t.Align)}
		if k == wit.KindString {
			i.size, i.align = 16, 8
		}
		in.info[t] = i
	}
	return in
}

func (in *interner) ref(t *wit.Type) {
	if t == nil {
		in.key = binary.AppendUvarint(in.key, 0)
		return
	}
	in.key = binary.AppendUvarint(in.key, uint64(in.info[t].id)+1)
}

func (in *interner) str(s string) {
	in.key = append(binary.AppendUvarint(in.key, uint64(len(s))), s...)
}

// intern returns the one type that equals t. The types that t consists of must
// be interned; resource gives the number of t's resource.
func (in *interner) intern(t *wit.Type, resource uint32) (*wit.Type, error) {
	return in.internWithin(t, resource, wit.MaxSize)
}

// internWithin is intern with another bound of the size, exclusive.
func (in *interner) internWithin(t *wit.Type, resource uint32, limit uint64) (*wit.Type, error) {
	if t.Kind.Primitive() {
		return wit.Primitive(t.Kind), nil
	}
	if t.Kind == wit.KindMap {
		// Of a map only its parts and itself are bounded, not the pair.
		entry, err := in.internWithin(t.Elem, 0, 2*wit.MaxSize)
		if err != nil {
			return nil, err
		}
		t.Elem = entry
	}
	in.writeKey(t, resource)
	if old, ok := in.byKey[string(in.key)]; ok {
		return old, nil
	}
	info := in.measure(t)
	if info.size >= limit {
		return nil, fmt.Errorf("type exceeds maximum byte size of %d", wit.MaxSize-1)
	}
	info.id = uint32(len(in.info))
	in.byKey[string(in.key)], in.info[t] = t, info
	return t, nil
}

func (in *interner) writeKey(t *wit.Type, resource uint32) {
	in.key = append(in.key[:0], byte(t.Kind))
	in.key = binary.AppendUvarint(in.key, uint64(len(t.Fields)+len(t.Cases)+len(t.Labels)))
	for _, f := range t.Fields {
		in.str(f.Name)
		in.ref(f.Type)
	}
	for _, c := range t.Cases {
		in.str(c.Name)
		in.ref(c.Type)
	}
	for _, l := range t.Labels {
		in.str(l)
	}
	in.ref(t.Elem)
	in.key = binary.AppendUvarint(in.key, uint64(t.Len))
	in.key = binary.AppendUvarint(in.key, uint64(resource))
}

// measure computes the size in a 64-bit memory, where pointers and lengths are
// twice as large; package wit has computed that in a 32-bit one.
func (in *interner) measure(t *wit.Type) typeInfo {
	i := typeInfo{size: uint64(t.Size), align: uint64(t.Align)}
	switch t.Kind {
	case wit.KindRecord, wit.KindTuple:
		i.size = 0
		for _, f := range t.Fields {
			p := in.info[f.Type]
			i.size, i.align = alignUp(i.size, p.align)+p.size, max(i.align, p.align)
		}
	case wit.KindVariant, wit.KindOption, wit.KindResult, wit.KindEnum:
		var size uint64
		align := uint64(t.DiscSize())
		for _, c := range t.Cases {
			if c.Type != nil {
				p := in.info[c.Type]
				size, align = max(size, p.size), max(align, p.align)
			}
		}
		i.size, i.align = alignUp(uint64(t.DiscSize()), align)+size, align
	case wit.KindList, wit.KindMap:
		i.size, i.align = 16, 8
	case wit.KindFixedList:
		p := in.info[t.Elem]
		i.size, i.align = p.size*uint64(t.Len), p.align
	}
	i.size = alignUp(i.size, i.align)
	return i
}

func alignUp(n, align uint64) uint64 { return (n + align - 1) / align * align }
