package wit

import "strings"

// ParseWorld reads WIT text as [Print] writes it: one world and the interfaces
// that it names, all in one text. It reads what people write as well, as long
// as it is complete: other files, include and use outside of an interface are
// for package text, which has every tool behind it and is too slow for a
// running host.
//
// Interfaces that are only used by others become imports, as everywhere in
// WIT. An interface that is imported and exported has resources of its own on
// each side. Errors are [*TextError], or [ErrTextTooLarge].
func ParseWorld(text string) (*World, error) {
	if len(text) > MaxText {
		return nil, ErrTextTooLarge
	}
	p := &parser{scanner: scanner{src: text}, ifaces: map[string]*astScope{}}
	p.file()
	switch {
	case p.err != nil:
		return nil, p.err
	case len(p.worlds) == 0:
		return nil, textError(text, len(text), "no world")
	case len(p.worlds) > 1:
		return nil, textError(text, p.worlds[1].pos, "a second world")
	}
	r := &resolver{src: text, ifaces: p.ifaces, done: map[instanceKey]*instance{}, exported: map[string]bool{}, listed: map[string]bool{}}
	w := r.world(p.worlds[0])
	if r.err != nil {
		return nil, r.err
	}
	return w, nil
}

// resolver looks names up. The first error sticks.
type resolver struct {
	src      string
	err      error
	nested   int // interfaces that are being looked up
	ifaces   map[string]*astScope
	done     map[instanceKey]*instance
	exported map[string]bool // interfaces that the world lists
	listed   map[string]bool // as imports
	implied  []Extern        // imports that nothing but their use calls for
}

// instanceKey tells the two sides of an interface apart: each has its own
// resources.
type instanceKey struct {
	name   string
	export bool
}

// instance is an interface, or the world, while its names are looked up.
type instance struct {
	key   instanceKey
	iface *Interface
	names map[string]*binding
	ready bool
}

// binding is what a name of a type stands for, once it is resolved.
type binding struct {
	item     *astItem
	started  bool
	typ      *Type
	resource *Resource
}

func (r *resolver) fail(pos int, format string, args ...any) {
	if r.err == nil {
		r.err = textError(r.src, pos, format, args...)
	}
}

func (r *resolver) world(a *astWorld) *World {
	for _, e := range a.exports {
		if e.fn == nil && e.iface == nil {
			r.exported[e.name] = true
		}
	}
	for _, e := range a.imports {
		r.listed[e.name] = true
	}
	w := &World{Name: a.name, Docs: a.docs}
	if after, ok := strings.CutPrefix(a.name, "root:component/"); ok {
		w.Name = after
	}
	self := &instance{iface: &Interface{}}
	r.members(self, &a.astScope)
	if len(self.iface.Funcs) > 0 {
		r.fail(a.pos, "function %q in a world is neither imported nor exported", self.iface.Funcs[0].Name)
	}
	w.Types = self.iface.Types
	imports := r.externs(self, a.imports, false)
	w.Exports = r.externs(self, a.exports, true)
	w.Imports = append(r.implied, imports...)
	return w
}

func (r *resolver) externs(self *instance, list []astExtern, export bool) []Extern {
	var out []Extern
	seen := map[string]bool{}
	for _, e := range list {
		if seen[e.name] {
			r.fail(e.pos, "%q twice", e.name)
		}
		seen[e.name] = true
		x := Extern{Name: e.name}
		switch {
		case e.fn != nil:
			x.Func = r.fn(self, e.fn)
		case e.iface != nil:
			in := &instance{iface: &Interface{Docs: e.iface.docs}, key: instanceKey{export: export}}
			r.members(in, e.iface)
			x.Interface = in.iface
		default:
			if in := r.instance(instanceKey{e.name, export}, e.pos); in != nil {
				x.Interface = in.iface
			}
		}
		if r.err != nil {
			return nil
		}
		out = append(out, x)
	}
	return out
}
