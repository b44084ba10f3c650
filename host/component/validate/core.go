package validate

import (
	enc "encoding/binary"
	"errors"
	"fmt"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

// coreVal is a core value type whose type indices are [coreID]s, so that equal
// types of different modules are equal values.
type coreVal struct {
	code byte  // as in binary.CoreVal
	heap int64 // references: a coreID, or negative for an abstract heap type
	mut  bool  // fields
}

const (
	refNull, refNonNull = 0x63, 0x64
	heapFunc            = 0x70 - 0x80
)

var (
	i32     = coreVal{code: 0x7f}
	i64     = coreVal{code: 0x7e}
	funcref = coreVal{code: refNull, heap: heapFunc}
)

func (c coreVal) String() string {
	switch c.code {
	case 0x7f:
		return "i32"
	case 0x7e:
		return "i64"
	case 0x7d:
		return "f32"
	case 0x7c:
		return "f64"
	case 0x7b:
		return "v128"
	}
	switch {
	case c == funcref:
		return "funcref"
	case c == coreVal{code: refNull, heap: 0x6f - 0x80}:
		return "externref"
	}
	return fmt.Sprintf("(ref %#x)", c.heap)
}

// coreID is a core type, one number for all equal types of a component.
type coreID int

// coreType is a core type by its structure.
type coreType struct {
	form            byte
	params, results []coreVal
	final           bool
	supers          []coreID
	depth           int // of supertypes
}

// maxSuperDepth is the longest chain of supertypes, as in the core
// specification's limits for the web.
const maxSuperDepth = 63

// coreTypes gives equal core types the same [coreID]. Types are equal if their
// recursion groups are, as in the core specification.
type coreTypes struct {
	byKey map[string]coreID // of recursion groups: the first member's
	types []coreType
}

// localHeap marks a reference inside a recursion group: the member's number
// counted down from here.
const localHeap = -1 << 40

func newCoreTypes() *coreTypes { return &coreTypes{byKey: map[string]coreID{}} }

// fn returns the function type with the given parameters and results.
func (c *coreTypes) fn(params, results []coreVal) coreID {
	return c.group([]coreType{{form: 0x60, params: params, results: results, final: true}})
}

func (c *coreTypes) flat(params, results []wit.CoreType) coreID {
	return c.fn(flatVals(params), flatVals(results))
}

func flatVals(flat []wit.CoreType) []coreVal {
	vals := make([]coreVal, len(flat))
	for i, f := range flat {
		vals[i] = coreVal{code: [...]byte{0x7f, 0x7e, 0x7d, 0x7c}[f]}
	}
	return vals
}

// group interns a recursion group and returns its first member.
func (c *coreTypes) group(types []coreType) coreID {
	var key []byte
	vals := func(list []coreVal) {
		key = enc.AppendUvarint(key, uint64(len(list)))
		for _, v := range list {
			mut := byte(0)
			if v.mut {
				mut = 1
			}
			key = enc.AppendVarint(append(key, v.code, mut), v.heap)
		}
	}
	for _, t := range types {
		final := byte(0)
		if t.final {
			final = 1
		}
		key = append(key, t.form, final)
		vals(t.params)
		vals(t.results)
		key = enc.AppendUvarint(key, uint64(len(t.supers)))
		for _, s := range t.supers {
			key = enc.AppendVarint(key, int64(s))
		}
	}
	if id, ok := c.byKey[string(key)]; ok {
		return id
	}
	first := coreID(len(c.types))
	c.byKey[string(key)] = first
	for _, t := range types {
		resolveLocal(t.params, first)
		resolveLocal(t.results, first)
		for i, s := range t.supers {
			if s <= localHeap {
				t.supers[i] = first + localHeap - s
			}
		}
		c.types = append(c.types, t)
	}
	return first
}

func resolveLocal(vals []coreVal, first coreID) {
	for i, v := range vals {
		if v.heap <= localHeap {
			vals[i].heap = int64(first) + localHeap - v.heap
		}
	}
}

// sub reports whether a is b or a declared subtype of it.
func (c *coreTypes) sub(a, b coreID) bool {
	for a != b {
		supers := c.types[a].supers
		if len(supers) == 0 || supers[0] >= a {
			return false
		}
		a = supers[0]
	}
	return true
}

// subVal reports whether a value of type a may stand where b is wanted.
func (c *coreTypes) subVal(a, b coreVal) bool {
	switch {
	case a == b:
		return true
	case a.code != refNull && a.code != refNonNull, b.code != refNull && b.code != refNonNull:
		return false
	case a.code == refNull && b.code == refNonNull:
		return false
	case a.heap == b.heap:
		return true
	case a.heap >= 0 && b.heap >= 0:
		return c.sub(coreID(a.heap), coreID(b.heap))
	}
	return a.heap >= 0 && b.heap == heapFunc && c.types[a.heap].form == 0x60
}

// signature prints a function type.
func (c *coreTypes) signature(id coreID) string {
	t := c.types[id]
	return fmt.Sprintf("(func %v -> %v)", t.params, t.results)
}

// coreScope is a core type index space, of a module, a module type or a
// component.
type coreScope struct {
	c     *coreTypes
	types []coreTypeDef
}

// fn returns the function type at index.
func (r *coreScope) fn(index uint32) (coreID, error) {
	t, err := at(r.types, index, binary.SortCoreType)
	if err != nil {
		return 0, fmt.Errorf("type index out of bounds: %w", err)
	}
	if t.module != nil || r.c.types[t.fn].form != 0x60 {
		return 0, fmt.Errorf("core type index %d is not a function type", index)
	}
	return t.fn, nil
}

// add defines the types of a recursion group.
func (r *coreScope) add(group []binary.CoreType) error {
	types := make([]coreType, len(group))
	for i, t := range group {
		ct, err := r.coreType(t, types[:i], len(group))
		if err != nil {
			return err
		}
		types[i] = ct
	}
	if len(group) == 0 {
		return nil
	}
	first := r.c.group(types)
	for i := range group {
		r.types = append(r.types, coreTypeDef{fn: first + coreID(i)})
	}
	return nil
}

// coreType resolves the type that comes after others of a recursion group of n.
func (r *coreScope) coreType(t binary.CoreType, before []coreType, n int) (coreType, error) {
	ct := coreType{form: t.Form, final: t.Final}
	var err error
	if ct.params, err = r.vals(t.Params, n); err != nil {
		return ct, err
	}
	if ct.results, err = r.vals(t.Results, n); err != nil {
		return ct, err
	}
	if len(t.Supers) > 1 {
		return ct, errors.New("a core type has at most one supertype")
	}
	for _, s := range t.Supers {
		h, err := r.heap(int64(s), len(before))
		if err != nil {
			return ct, fmt.Errorf("supertype: %w", err)
		}
		if h >= 0 {
			ct.depth = r.c.types[h].depth + 1
		} else {
			ct.depth = before[localHeap-h].depth + 1
		}
		if ct.depth > maxSuperDepth {
			return ct, fmt.Errorf("limit exceeded: more than %d supertypes", maxSuperDepth)
		}
		ct.supers = append(ct.supers, coreID(h))
	}
	return ct, nil
}

func (r *coreScope) vals(list []binary.CoreVal, n int) ([]coreVal, error) {
	vals := make([]coreVal, len(list))
	for i, v := range list {
		vals[i] = coreVal{code: v.Code, mut: v.Mutable}
		if v.Code != refNull && v.Code != refNonNull {
			continue
		}
		h, err := r.heap(v.Heap, n)
		if err != nil {
			return nil, err
		}
		vals[i].heap = h
	}
	return vals, nil
}

// heap resolves a heap type; the first n members of the recursion group that
// is being defined have no number yet.
func (r *coreScope) heap(h int64, n int) (int64, error) {
	if h < 0 {
		return h, nil
	}
	if local := h - int64(len(r.types)); local >= 0 && local < int64(n) {
		return localHeap - local, nil
	}
	t, err := at(r.types, uint32(h), binary.SortCoreType)
	if err != nil || t.module != nil {
		return 0, fmt.Errorf("type index out of bounds: unknown type %d", h)
	}
	return int64(t.fn), nil
}

// extern resolves the type of an import, export, table or global.
func (r *coreScope) extern(e binary.CoreExtern) (coreExtern, error) {
	out := coreExtern{sort: e.Sort, mut: e.Mutable, limits: e.Limits}
	switch e.Sort {
	case binary.SortCoreFunc, binary.SortCoreTag:
		fn, err := r.fn(e.Type)
		if err != nil {
			return out, err
		}
		out.fn = fn
	case binary.SortCoreTable, binary.SortCoreGlobal:
		vals, err := r.vals([]binary.CoreVal{e.Val}, 0)
		if err != nil {
			return out, err
		}
		out.val = vals[0]
	}
	return out, checkLimits(out)
}
