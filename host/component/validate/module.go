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

func (m *moduleType) size() int { return len(m.imports) + len(m.exports) }

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
	coreScope
	index map[binary.Sort][]coreExtern
}

// module returns the type of a core module's bytes.
func (v *validator) module(def *binary.CoreModule) (*moduleType, error) {
	m, err := binary.DecodeModule(def, binary.Limits{})
	if err != nil {
		return nil, err
	}
	v.spend(len(m.Types) + len(m.Imports) + len(m.Funcs) + len(m.Exports))
	r := &moduleReader{coreScope: coreScope{c: v.core}, index: map[binary.Sort][]coreExtern{}}
	for _, group := range m.Types {
		if err := r.add(group); err != nil {
			return nil, binary.Errorf(group[0].Pos(), "core module: %w", err)
		}
	}
	t := &moduleType{exports: make(map[string]coreExtern, len(m.Exports))}
	if err := r.addImports(t, m.Imports); err != nil {
		return nil, err
	}
	if err := r.addDefs(m); err != nil {
		return nil, binary.Errorf(def.Pos(), "core module: %w", err)
	}
	return t, r.addExports(t, m.Exports)
}

func (r *moduleReader) define(e binary.CoreExtern) error {
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
		if err := r.define(binary.CoreExtern{Sort: binary.SortCoreFunc, Type: f}); err != nil {
			return err
		}
	}
	for _, l := range m.Memories {
		if err := r.define(binary.CoreExtern{Sort: binary.SortCoreMemory, Limits: l}); err != nil {
			return err
		}
	}
	for _, f := range m.Tags {
		if err := r.define(binary.CoreExtern{Sort: binary.SortCoreTag, Type: f}); err != nil {
			return err
		}
	}
	for _, list := range [][]binary.CoreExtern{m.Tables, m.Globals} {
		for _, e := range list {
			if err := r.define(e); err != nil {
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
