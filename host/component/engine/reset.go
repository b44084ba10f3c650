package engine

import (
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/lathhost/lath/host/component/core"
)

// savedGlobal is a mutable global and what [Module.Reset] sets it to.
type savedGlobal struct {
	global api.MutableGlobal
	value  uint64
}

// Mark makes the module's present globals and memory what [Module.Reset] brings
// back. mutable are the names that the rewriter exported its mutable globals
// under: core.Facts.MutableGlobals. Call it while the guest is not running, once
// all start functions have.
//
// Tables and segments are not saved: see core.Facts.Poolable.
func (m *Module) Mark(mutable []core.GlobalExport) error {
	m.saved = make([]savedGlobal, 0, len(mutable))
	for _, x := range mutable {
		g, ok := m.inst.ExportedGlobal(x.Name).(api.MutableGlobal)
		if !ok {
			return fmt.Errorf("mark core instance: no mutable global %d", x.Index)
		}
		m.saved = append(m.saved, savedGlobal{g, g.Get()})
	}
	if m.mem == nil {
		return nil
	}
	return m.mem.Mark()
}

// Reset brings back what [Module.Mark] saved; the store's [Meter] has a Reset of
// its own. keep and written are those of [memory.Linear.Reset]. After an error the instance is good for nothing but
// Close. No guest may be running.
func (m *Module) Reset(keep int) (written int, err error) {
	if m.mem != nil {
		if written, err = m.mem.Reset(keep); err != nil {
			return written, err
		}
		// The engine learns of a new size only by growing a memory: this one
		// answers with the size that it has.
		if m.mem.Shrunk() {
			if _, ok := m.inst.Memory().Grow(1); !ok {
				return written, errors.New("reset core instance: the engine refused the size of its memory")
			}
		}
	}
	for _, s := range m.saved {
		s.global.Set(s.value)
	}
	return written, nil
}
