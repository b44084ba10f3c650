package component

import (
	"strconv"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/source"
	"github.com/lathhost/lath/host/component/trap"
)

// symbols is a template as its engine sees it: it knows what the frames of a
// backtrace are. Names are looked up in the module as it came, when a guest has
// trapped; compiled code has none.
type symbols Template

var _ engine.Symbols = (*symbols)(nil)

// Frames implements [engine.Symbols]. A module is known by its index.
func (s *symbols) Frames(dst trap.Stack, module, function, offset uint32) trap.Stack {
	if uint64(module) >= uint64(len(s.plan.Modules)) {
		return dst
	}
	m := s.plan.Modules[module]
	if uint64(function) >= uint64(len(m.Funcs)) {
		return dst // the rewriter put it in
	}
	f := trap.Frame{Module: "module " + strconv.FormatUint(uint64(module), 10), Func: trap.Name(functionName(m, function)), Index: function}
	if m.Name != "" {
		f.Module = trap.Name(m.Name)
	}
	if s.debug != nil {
		s.debug[module].locate(&f, offset)
	}
	return append(dst, f)
}

// functionName returns the name that a module gives a function, or else one
// that it is exported under, or nothing.
func functionName(m *core.Module, function uint32) string {
	if name := m.FuncName(function); name != "" {
		return name
	}
	for _, e := range m.Exports {
		if e.Kind == core.KindFunc && e.Index == function {
			return e.Name
		}
	}
	return ""
}

// debugInfo leads from the code of one module to its source.
type debugInfo struct {
	offsets *core.Offsets
	lines   *source.Table
}

// keep keeps what a module that was compiled needs; every place where it is
// instantiated has the same code.
func (d *debugInfo) keep(m *core.Module, offsets *core.Offsets) {
	if d.offsets == nil {
		d.offsets, d.lines = offsets, source.New(m.Custom)
	}
}

// locate tells where a frame was; offset is the one in the code section that
// was compiled.
func (d *debugInfo) locate(f *trap.Frame, offset uint32) {
	at, ok := d.offsets.Original(offset)
	if !ok || offset == 0 {
		return
	}
	f.Offset = at
	if p, ok := d.lines.Find(at); ok {
		f.File, f.Line, f.Column = trap.Name(p.File), p.Line, p.Column
	}
}
