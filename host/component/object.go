package component

import (
	"fmt"
	"slices"

	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/trap"
)

// objects holds the host objects that a store's guests have handles of. A
// handle's representation is an index here.
type objects struct {
	list []Resource
	free []uint32
	// owed are the objects that a call is about to give a guest, from gave on.
	owed []Resource
	gave int
}

// owe notes an object that will be given next after those noted before.
func (o *objects) owe(r Resource) { o.owed = append(o.owed, r) }

// give is add for a guest.
func (o *objects) give(r Resource) uint32 {
	if o.gave < len(o.owed) {
		o.owed[o.gave] = nil
		if o.gave++; o.gave == len(o.owed) {
			o.owed, o.gave = o.owed[:0], 0
		}
	}
	return o.add(r)
}

func (o *objects) add(r Resource) uint32 {
	if n := len(o.free); n > 0 {
		i := o.free[n-1]
		o.free = o.free[:n-1]
		o.list[i] = r
		return i
	}
	o.list = append(o.list, r)
	return uint32(len(o.list) - 1)
}

func (o *objects) get(rep uint32) (Resource, error) {
	if uint64(rep) >= uint64(len(o.list)) || o.list[rep] == nil {
		return nil, trap.New(trap.Host, "no host object %d", rep)
	}
	return o.list[rep], nil
}

// take removes an object, whose owner is now the caller.
func (o *objects) take(rep uint32) (Resource, error) {
	r, err := o.get(rep)
	if err != nil {
		return nil, err
	}
	o.list[rep] = nil
	o.free = append(o.free, rep)
	return r, nil
}

func (o *objects) drop(rep uint32) error {
	r, err := o.take(rep)
	if err == nil {
		r.Drop()
	}
	return err
}

// dropAll ends what the guests left behind, newest first: later objects
// (streams) may depend on earlier ones. The errors are those that panicked.
func (o *objects) dropAll() (errs []error) {
	o.list = append(o.list, o.owed[o.gave:]...) // never given: the guest trapped
	o.owed, o.gave = nil, 0
	for n, r := range slices.Backward(o.list) {

		o.list[n], o.list = nil, o.list[:n]
		if err := dropOne(r); err != nil {
			errs = append(errs, err)
		}
	}
	if o.free = o.free[:0]; cap(o.list) > maxKept {
		o.list, o.free = nil, nil
	}
	return errs
}

func dropOne(r Resource) (err error) {
	if r == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("drop %T: %w", r, engine.Recovered(p))
		}
	}()
	r.Drop()
	return nil
}
