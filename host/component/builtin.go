package component

import (
	"math"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/host/component/link"
	"github.com/lathhost/lath/host/component/trap"
)

// builtin is what runs a canonical function.
type builtin = func(c *canonFunc, i *Instance, stack []uint64) error

// contextBuiltin reads or writes a slot of the running thread's storage.
func contextBuiltin(def *link.Canon) builtin {
	if def.Op == binary.CanonContextGet {
		return func(c *canonFunc, i *Instance, stack []uint64) error {
			stack[0] = uint64(i.comps[c.def.Instance].thread.storage[c.def.Slot])
			return nil
		}
	}
	return func(c *canonFunc, i *Instance, stack []uint64) error {
		i.comps[c.def.Instance].thread.storage[c.def.Slot] = uint32(stack[0])
		return nil
	}
}

// backpressureBuiltin counts up or down. Nothing asynchronous enters an
// instance yet, so that nothing but the bounds of the count can be seen.
func backpressureBuiltin(op binary.CanonOp) builtin {
	if op == binary.CanonBackpressureInc {
		return func(c *canonFunc, i *Instance, _ []uint64) error {
			n := &i.comps[c.def.Instance].backpressure
			if *n == math.MaxUint16 {
				return trap.New(trap.Abi, "backpressure counter overflow")
			}
			*n++
			return nil
		}
	}
	return func(c *canonFunc, i *Instance, _ []uint64) error {
		n := &i.comps[c.def.Instance].backpressure
		if *n == 0 {
			return trap.New(trap.Abi, "backpressure counter underflow")
		}
		*n--
		return nil
	}
}
