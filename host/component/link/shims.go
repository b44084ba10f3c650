package link

import "github.com/lathhost/lath/host/component/core"

// A module that imports functions which need its own memory gets them, as
// toolchains do it, by a detour: a shim whose functions call the entries of a
// table, and a module after it that fills the table. Here both ends are known
// before anything is instantiated. So the references are made to go straight to
// what the entries will be, and where nobody needs the two modules any more they
// are never made: of the three core instances of most components one is left.
//
// Nothing that a component can observe changes. A function of a shim that is
// called before the table is filled traps: so shims are left alone where anything
// can run before that.

// detour is a shim with what its table will hold.
type detour struct {
	shim *core.Shim
	fill map[uint32]uint32 // imports of the filler, by entry
	at   int               // the filler's core instance
}

// noFiller marks a shim that nobody fills, or more than one core instance.
const noFiller = -1

// shortenDetours makes the references to shims direct.
func (f *flattener) shortenDetours() {
	detours := f.plan.detours()
	if len(detours) == 0 {
		return
	}
	needed := make([]bool, len(f.plan.Cores))
	f.plan.eachRef(func(from int, ref *CoreRef) {
		*ref = f.plan.target(detours, from, *ref)
		if ref.Canon < 0 && !detours[ref.Core].fills(from) {
			needed[ref.Core] = true
		}
	})
	drop := make([]bool, len(f.plan.Cores))
	for s, d := range detours {
		drop[s] = !needed[s] && !f.plan.module(d.at).HasStart
		drop[d.at] = drop[s]
	}
	f.plan.dropCores(drop)
}

// fills reports whether a reference from that core instance is the filler's.
func (d *detour) fills(from int) bool { return d != nil && d.at == from }

func (p *Plan) module(at int) *core.Module { return p.Modules[p.Cores[at].Module] }

// detours finds the shims whose entries are known, by core instance.
func (p *Plan) detours() map[int]*detour {
	shims := make([]*core.Shim, len(p.Modules))
	for i, m := range p.Modules {
		shims[i] = m.Shim()
	}
	found := map[int]*detour{}
	starts := make([]int, len(p.Cores)+1) // before each core instance
	for k := range p.Cores {
		site := &p.Cores[k]
		m := p.Modules[site.Module]
		starts[k+1] = starts[k]
		if m.HasStart {
			starts[k+1]++
		}
		if shim := shims[site.Module]; shim != nil {
			found[k] = &detour{shim: shim, at: noFiller}
		}
		for i, ref := range site.Imports {
			if d := found[ref.Core]; ref.Canon < 0 && d != nil && m.Imports[i].Kind == core.KindTable {
				d.fillFrom(k, m)
			}
		}
	}
	for s, d := range found {
		if d.at == noFiller || d.fill == nil || starts[d.at] != starts[s] {
			delete(found, s)
		}
	}
	return found
}

// fillFrom notes a core instance that imports the shim's table.
func (d *detour) fillFrom(at int, m *core.Module) {
	if d.at != noFiller {
		d.fill = nil // whoever else has the table could read what is in it
		return
	}
	d.at, d.fill = at, m.Fill()
}

// target returns what a reference comes to that a core instance makes, or the
// component after all of them: the same, or what a shim leads to.
func (p *Plan) target(detours map[int]*detour, from int, ref CoreRef) CoreRef {
	d := detours[ref.Core]
	if ref.Canon >= 0 || d == nil || d.fills(from) {
		return ref
	}
	slot, ok := d.shim.Slots[ref.Name]
	if !ok {
		return ref
	}
	i, ok := d.fill[slot]
	if !ok {
		return ref
	}
	to, shim := p.Cores[d.at].Imports[i], p.module(ref.Core)
	if to.Canon < 0 && to.Core >= from {
		return ref // not made yet
	}
	e, ok := shim.Export(ref.Name)
	if !ok || !p.module(d.at).Imports[i].Func.Equal(shim.FuncType(e.Index)) {
		return ref // calling it traps
	}
	return to
}

// eachRef visits every reference to a core item once: those of each core
// instance, then those of the component, with the number of core instances.
func (p *Plan) eachRef(visit func(from int, ref *CoreRef)) {
	for k := range p.Cores {
		for i := range p.Cores[k].Imports {
			visit(k, &p.Cores[k].Imports[i])
		}
	}
	seen := map[*CoreRef]bool{}
	once := func(ref *CoreRef) {
		if ref != nil && !seen[ref] {
			seen[ref] = true
			visit(len(p.Cores), ref)
		}
	}
	options := func(o *Options) {
		once(o.Memory)
		once(o.Realloc)
		once(o.PostReturn)
		once(o.Callback)
	}
	lift := func(f *Func) {
		if f != nil && f.Lift != nil {
			once(&f.Lift.Core)
			options(&f.Lift.Options)
		}
	}
	for i := range p.Canons {
		options(&p.Canons[i].Options)
		lift(p.Canons[i].Func)
	}
	for i := range p.Exports {
		lift(p.Exports[i].Func)
	}
	for _, r := range p.Resources {
		once(r.Dtor)
	}
}

// dropCores leaves core instances out.
func (p *Plan) dropCores(drop []bool) {
	moved := make([]int, len(p.Cores))
	left := p.Cores[:0]
	for k := range drop {
		moved[k] = len(left)
		if !drop[k] {
			left = append(left, p.Cores[k])
		}
	}
	if len(left) == len(p.Cores) {
		return
	}
	clear(p.Cores[len(left):])
	p.Cores = left
	p.eachRef(func(_ int, ref *CoreRef) {
		if ref.Canon < 0 {
			ref.Core = moved[ref.Core]
		}
	})
}
