package validate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/lathhost/lath/host/component/binary"
)

// coreExtern is the type of a core import or export.
type coreExtern struct {
	sort   binary.Sort
	fn     coreID  // function, tag
	val    coreVal // table, global
	mut    bool
	limits binary.CoreLimits
}

type coreImport struct {
	module, name string
	coreExtern
}

// coreInstance is the type of a core instance.
type coreInstance struct {
	exports map[string]coreExtern
}

// moduleType is the type of a core module.
type moduleType struct {
	imports []coreImport
	exports map[string]coreExtern
}

// find returns the import of that name, or nil. Where a module imports a name
// twice, the first counts.
func (m *moduleType) find(module, name string) *coreImport {
	for i := range m.imports {
		if m.imports[i].module == module && m.imports[i].name == name {
			return &m.imports[i]
		}
	}
	return nil
}

// Limits of memories and tables (core specification, Limits).
const (
	maxPages32 = 1 << 16
	maxPages64 = 1 << 48
)

func checkLimits(e coreExtern) error {
	l := e.limits
	if l.HasMax && l.Max < l.Min {
		return fmt.Errorf("size minimum must not be greater than maximum")
	}
	if e.sort != binary.SortCoreMemory {
		return nil
	}
	most := uint64(maxPages32)
	if l.Is64 {
		most = maxPages64
	}
	if l.Min > most || l.HasMax && l.Max > most {
		return fmt.Errorf("memory size must be at most %d pages", most)
	}
	if l.Shared && !l.HasMax {
		return fmt.Errorf("shared memory must have a maximum")
	}
	return nil
}

// match fails where given may not be passed for want.
func (c *coreTypes) match(given, want coreExtern) error {
	if given.sort != want.sort {
		return fmt.Errorf("expected %s, found %s", coreSortName(want.sort), coreSortName(given.sort))
	}
	switch want.sort {
	case binary.SortCoreFunc:
		if !c.sub(given.fn, want.fn) {
			return fmt.Errorf("expected: %s, found: %s", c.signature(want.fn), c.signature(given.fn))
		}
	case binary.SortCoreTag:
		if given.fn != want.fn {
			return fmt.Errorf("expected tag: %s, found: %s", c.signature(want.fn), c.signature(given.fn))
		}
	case binary.SortCoreGlobal:
		return c.matchGlobal(given, want)
	case binary.SortCoreTable:
		if given.val != want.val {
			return fmt.Errorf("expected table element type %s, found %s", want.val, given.val)
		}
		return matchLimits("table", given.limits, want.limits)
	case binary.SortCoreMemory:
		return matchLimits("memory", given.limits, want.limits)
	}
	return nil
}

func coreSortName(s binary.Sort) string { return s.String()[len("core "):] }

func (c *coreTypes) matchGlobal(given, want coreExtern) error {
	if given.mut != want.mut {
		return fmt.Errorf("global types differ in mutability")
	}
	if given.val != want.val && (want.mut || !c.subVal(given.val, want.val)) {
		return fmt.Errorf("expected global type %s, found %s", want.val, given.val)
	}
	return nil
}

func matchLimits(what string, given, want binary.CoreLimits) error {
	switch {
	case given.Shared != want.Shared:
		return fmt.Errorf("mismatch in the shared flag for memories")
	case given.Is64 != want.Is64:
		return fmt.Errorf("mismatch in index type of %s", what)
	case given.Min < want.Min, want.HasMax && (!given.HasMax || given.Max > want.Max):
		return fmt.Errorf("mismatch in %s limits", what)
	}
	return nil
}

// matchModule fails where given is not a subtype of want: given must import no
// more than want and export no less.
func (c *coreTypes) matchModule(given, want *moduleType) error {
	wanted := make(map[[2]string]coreExtern, len(want.imports))
	for _, i := range want.imports {
		wanted[[2]string{i.module, i.name}] = i.coreExtern
	}
	for _, i := range given.imports {
		w, ok := wanted[[2]string{i.module, i.name}]
		if !ok {
			return fmt.Errorf("missing expected import `%s::%s`", i.module, i.name)
		}
		if err := c.match(w, i.coreExtern); err != nil {
			return fmt.Errorf("type mismatch in import `%s::%s`: %w", i.module, i.name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.exports)) {
		w := want.exports[name]
		g, ok := given.exports[name]
		if !ok {
			return fmt.Errorf("missing expected export `%s`", name)
		}
		if err := c.match(g, w); err != nil {
			return fmt.Errorf("type mismatch in export `%s`: %w", name, err)
		}
	}
	return nil
}

// instantiate fails where the named instances do not supply what the module
// imports.
func (c *coreTypes) instantiate(m *moduleType, args map[string]*coreInstance) error {
	for _, i := range m.imports {
		arg, ok := args[i.module]
		if !ok {
			return fmt.Errorf("missing module instantiation argument named `%s`", i.module)
		}
		given, ok := arg.exports[i.name]
		if !ok {
			return fmt.Errorf("module instantiation argument `%s` does not export an item named `%s`", i.module, i.name)
		}
		if err := c.match(given, i.coreExtern); err != nil {
			return fmt.Errorf("type mismatch for export `%s` of module instantiation argument `%s`: %w", i.name, i.module, err)
		}
	}
	return nil
}

// moduleReader turns a decoded module into its type.
type moduleReader struct {
	c     *coreTypes
	types []coreID
	index map[binary.Sort][]coreExtern
}

// module returns the type of a core module's bytes.
func (v *validator) module(def *binary.CoreModule) (*moduleType, error) {
	m, err := binary.DecodeModule(def, binary.Limits{})
	if err != nil {
		return nil, err
	}
	v.spend(len(m.Types) + len(m.Imports) + len(m.Funcs) + len(m.Exports))
	r := &moduleReader{c: v.core, index: map[binary.Sort][]coreExtern{}}
	t := &moduleType{exports: make(map[string]coreExtern, len(m.Exports))}
	if err := r.addTypes(m.Types); err != nil {
		return nil, shift(err, def.Pos())
	}
	if err := r.addImports(t, m.Imports); err != nil {
		return nil, shift(err, def.Pos())
	}
	if err := r.addDefs(m); err != nil {
		return nil, binary.Errorf(def.Pos(), "core module: %w", err)
	}
	return t, shift(r.addExports(t, m.Exports), def.Pos())
}

// shift moves an error's offset from the start of a module to that of the
// component.
func shift(err error, by int) error {
	if e, ok := err.(*binary.Error); ok && e != nil {
		e.Offset += by
	}
	return err
}

func (r *moduleReader) addTypes(types []binary.ModuleType) error {
	for i := 0; i < len(types); {
		n := max(types[i].Group, 1)
		group := make([]coreType, n)
		for k, t := range types[i : i+n] {
			ct, err := r.coreType(t, i, n, i+k)
			if err != nil {
				return binary.Errorf(t.Pos(), "%w", err)
			}
			group[k] = ct
		}
		first := r.c.group(group)
		for k := range n {
			r.types = append(r.types, first+coreID(k))
		}
		i += n
	}
	return nil
}

func (r *moduleReader) coreType(t binary.ModuleType, base, n, self int) (coreType, error) {
	ct := coreType{form: t.Form, final: t.Final}
	var err error
	if ct.params, err = r.vals(t.Params, base, n); err != nil {
		return ct, err
	}
	if ct.results, err = r.vals(t.Results, base, n); err != nil {
		return ct, err
	}
	for _, s := range t.Supers {
		if int64(s) >= int64(self) {
			return ct, fmt.Errorf("type index out of bounds: supertype %d of type %d", s, self)
		}
		h, err := r.heap(int64(s), base, n)
		if err != nil {
			return ct, err
		}
		ct.supers = append(ct.supers, coreID(h))
	}
	return ct, nil
}

func (r *moduleReader) vals(list []binary.ModuleVal, base, n int) ([]coreVal, error) {
	vals := make([]coreVal, len(list))
	for i, v := range list {
		vals[i] = coreVal{code: v.Code, mut: v.Mutable}
		if v.Code != refNull && v.Code != refNonNull {
			continue
		}
		h, err := r.heap(v.Heap, base, n)
		if err != nil {
			return nil, err
		}
		vals[i].heap = h
	}
	return vals, nil
}

// heap resolves a heap type; members of the recursion group of n types from
// base on have no number yet.
func (r *moduleReader) heap(h int64, base, n int) (int64, error) {
	switch {
	case h < 0:
		return h, nil
	case h >= int64(base) && h < int64(base+n):
		return localHeap - (h - int64(base)), nil
	case h < int64(len(r.types)):
		return int64(r.types[h]), nil
	}
	return 0, fmt.Errorf("type index %d out of bounds", h)
}

func (r *moduleReader) extern(e binary.ModuleExtern) (coreExtern, error) {
	out := coreExtern{sort: e.Sort, mut: e.Mutable, limits: e.Limits}
	switch e.Sort {
	case binary.SortCoreFunc, binary.SortCoreTag:
		if int64(e.Type) >= int64(len(r.types)) {
			return out, fmt.Errorf("type index %d out of bounds", e.Type)
		}
		out.fn = r.types[e.Type]
		if r.c.types[out.fn].form != 0x60 {
			return out, fmt.Errorf("type index %d is not a function type", e.Type)
		}
	case binary.SortCoreTable, binary.SortCoreGlobal:
		vals, err := r.vals([]binary.ModuleVal{e.Val}, len(r.types), 0)
		if err != nil {
			return out, err
		}
		out.val = vals[0]
	}
	return out, checkLimits(out)
}

func (r *moduleReader) add(e binary.ModuleExtern) error {
	x, err := r.extern(e)
	if err == nil {
		r.index[e.Sort] = append(r.index[e.Sort], x)
	}
	return err
}

// addImports accepts a name that is imported twice: the specification does not,
// but Go's linker writes such modules, and nothing here depends on it.
func (r *moduleReader) addImports(t *moduleType, imports []binary.ModuleImport) error {
	for _, i := range imports {
		x, err := r.extern(i.Desc)
		if err != nil {
			return binary.Errorf(i.Pos(), "core import `%s::%s`: %w", i.Module, i.Name, err)
		}
		r.index[x.sort] = append(r.index[x.sort], x)
		t.imports = append(t.imports, coreImport{module: i.Module, name: i.Name, coreExtern: x})
	}
	return nil
}

func (r *moduleReader) addDefs(m *binary.Module) error {
	for _, f := range m.Funcs {
		if err := r.add(binary.ModuleExtern{Sort: binary.SortCoreFunc, Type: f}); err != nil {
			return err
		}
	}
	for _, l := range m.Memories {
		if err := r.add(binary.ModuleExtern{Sort: binary.SortCoreMemory, Limits: l}); err != nil {
			return err
		}
	}
	for _, f := range m.Tags {
		if err := r.add(binary.ModuleExtern{Sort: binary.SortCoreTag, Type: f}); err != nil {
			return err
		}
	}
	for _, list := range [][]binary.ModuleExtern{m.Tables, m.Globals} {
		for _, e := range list {
			if err := r.add(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *moduleReader) addExports(t *moduleType, exports []binary.ModuleExport) error {
	for _, e := range exports {
		space := r.index[e.Sort]
		if int64(e.Index) >= int64(len(space)) {
			return binary.Errorf(e.Pos(), "export `%s`: %s index %d out of bounds", e.Name, e.Sort, e.Index)
		}
		if _, dup := t.exports[e.Name]; dup {
			return binary.Errorf(e.Pos(), "export name `%s` already defined", e.Name)
		}
		t.exports[e.Name] = space[e.Index]
	}
	return nil
}
