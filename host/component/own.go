package component

import (
	"encoding/binary"

	"github.com/lathhost/lath/wit"
)

// AppendOwn appends an own<r> parameter to the parameters of a call that is to
// come: a handle of obj, which belongs to the instance from now on. The guest
// may drop it; what it keeps, or never gets because nothing is called, is
// dropped when the instance ends. r is the identity of a resource that the
// component imports.
//
// # Errors
//
// The instance runs a call, is dead, or has too many handles; obj is dropped
// then.
func (i *Instance) AppendOwn(dst []byte, r *wit.Resource, obj Resource) ([]byte, error) {
	if !i.take() {
		obj.Drop()
		return dst, errRunning
	}
	defer i.letGo()
	if i.dead != nil {
		obj.Drop()
		return dst, i.dead
	}
	rep := i.objects.add(obj)
	h, err := (*hostHandles)(i).LowerOwn(r, rep)
	if err != nil {
		_, _ = i.objects.take(rep)
		obj.Drop()
		return dst, err
	}
	var wire [1 + handleBytes]byte
	wire[0] = handleBytes
	binary.LittleEndian.PutUint32(wire[1:], h)
	return append(dst, wire[:]...), nil
}

// handleBytes is the length of a handle on the wire: see [abi.Wire].
const handleBytes = 16
