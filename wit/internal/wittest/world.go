package wittest

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/lathhost/lath/wit"
)

// World draws a world of a few interfaces, each with a resource and types of
// its own. Their functions use all of these, also those of interfaces before
// them, and types that have no name yet. Names of resources are unique. Plain
// leaves out what not every tool knows: maps, lists of fixed length, streams,
// futures and async functions.
func World(t *rapid.T, plain bool) *wit.World {
	w := &wit.World{Name: "root"}
	var shared []*wit.Type
	for i := range rapid.IntRange(0, 3).Draw(t, "interfaces") {
		name := fmt.Sprintf("test:p%d/i%d@0.%d.0", i/2, i, i/2)
		iface := &wit.Interface{Name: name}
		r := &wit.Resource{Name: fmt.Sprintf("res%d", i)}
		iface.Types = append(iface.Types, wit.TypeDef{Name: r.Name, Resource: r})
		shared = append(shared, wit.NewOwn(r))
		for j, n := range Labels(t, rapid.IntRange(0, 3).Draw(t, "types")) {
			typ := draw(t, shared, plain).Named(n)
			iface.Types = append(iface.Types, wit.TypeDef{Name: n, Type: typ, Docs: []string{"", "A type."}[j%2]})
			shared = append(shared, typ)
		}
		for j := range rapid.IntRange(0, 3).Draw(t, "funcs") {
			iface.Funcs = append(iface.Funcs, fn(t, fmt.Sprintf("f%d", j), shared, plain))
		}
		if rapid.Bool().Draw(t, "method") {
			f := fn(t, "[method]"+r.Name+".m", shared, plain)
			f.Params = append([]wit.Param{{Name: "self", Type: wit.NewBorrow(r)}}, f.Params...)
			iface.Funcs = append(iface.Funcs, f)
		}
		e := wit.Extern{Name: name, Interface: iface}
		if rapid.Bool().Draw(t, "export") && i > 0 {
			w.Exports = append(w.Exports, e)
			shared = shared[:0:0] // an import after it must not use it
			for _, e := range w.Imports {
				for _, d := range e.Interface.Types {
					if d.Resource != nil {
						shared = append(shared, wit.NewOwn(d.Resource))
					}
				}
			}
		} else {
			w.Imports = append(w.Imports, e)
		}
	}
	if rapid.Bool().Draw(t, "function") {
		w.Exports = append(w.Exports, wit.Extern{Name: "run", Func: fn(t, "run", nil, plain)})
	}
	return w
}

func draw(t *rapid.T, shared []*wit.Type, plain bool) *wit.Type {
	if len(shared) > 0 && rapid.Bool().Draw(t, "shared") {
		typ := rapid.SampledFrom(shared).Draw(t, "type")
		if typ.Kind == wit.KindOwn && rapid.Bool().Draw(t, "borrow") {
			typ = wit.NewBorrow(typ.Resource)
		}
		return must(wit.NewList(must(wit.NewTuple(typ, wit.U8))))
	}
	return Type(t, Shape{Async: !plain, Plain: plain}, 3)
}

func fn(t *rapid.T, name string, shared []*wit.Type, plain bool) *wit.Func {
	f := &wit.Func{Name: name, Async: !plain && rapid.Bool().Draw(t, "async")}
	for _, n := range Labels(t, rapid.IntRange(0, 3).Draw(t, "params")) {
		f.Params = append(f.Params, wit.Param{Name: n, Type: draw(t, shared, plain)})
	}
	if rapid.Bool().Draw(t, "result") {
		if r := draw(t, shared, plain); !r.Props.Has(wit.HasBorrow) {
			f.Result = r
		}
	}
	return f
}
