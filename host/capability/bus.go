package capability

import (
	"context"
	"encoding/binary"

	"github.com/lathhost/lath/host/bind"
	busbind "github.com/lathhost/lath/host/bind/wasmcloud/bus"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasmcloud/bus"
)

// latticeV1 is what components import that were built before wasmcloud:bus had a
// result for its one function.
const latticeV1 = "wasmcloud:bus/lattice@1.0.0"

// Chooses says whether a component that imports the interface of that name
// chooses among its links: it is to be linked with [Lattice].
func Chooses(name string) bool {
	name = wit.Track(name)
	return name == wit.Track(bus.LatticeInterface.Name) || name == wit.Track(latticeV1)
}

// Lattice makes wasmcloud:bus/lattice for the component that c is for, in both its
// versions.
func Lattice(c *link.Chooser) []component.HostInterface {
	now := busbind.Lattice(chooser{c})
	old := now
	set := *bus.LatticeInterface.Func("set-link-name")
	set.Result = nil
	old.Name = latticeV1
	old.Funcs = []component.HostFunc{now.Funcs[0], {Type: &set, Call: func(inv *component.Invocation, stack []uint64) { setLinkNameV1(c, inv, stack) }}}
	return []component.HostInterface{now, old}
}

// chooser carries out the contract.
type chooser struct{ *link.Chooser }

var _ bus.Lattice = chooser{}

// callTarget names an interface, without its version.
type callTarget string

// Drop implements bus.CallTargetInterface.
func (callTarget) Drop() {}

// NewCallTargetInterface implements bus.Lattice.
func (chooser) NewCallTargetInterface(_ context.Context, namespace, pkg, iface string) (bus.CallTargetInterface, error) {
	return callTarget(namespace + ":" + pkg + "/" + iface), nil
}

// SetLinkName implements bus.Lattice.
func (c chooser) SetLinkName(ctx context.Context, name string, interfaces []bus.CallTargetInterface) error {
	return c.Choose(ctx, name, targetNames(interfaces))
}

// targetNames returns the names of interfaces. Only this package makes call
// targets.
func targetNames(interfaces []bus.CallTargetInterface) []string {
	names := make([]string, 0, len(interfaces))
	for _, i := range interfaces {
		if own, ok := i.(callTarget); ok {
			names = append(names, string(own))
		}
	}
	return names
}

// setLinkNameV1 is set-link-name of the first version: it has no way to tell of a
// link that is not there, so that calls along it do.
func setLinkNameV1(c *link.Chooser, inv *component.Invocation, stack []uint64) {
	owned := new(bind.Owned)
	defer owned.Close()
	name := inv.LiftString(uint32(stack[0]), uint32(stack[1]))
	n := uint32(stack[3])
	handles := inv.Region(uint32(stack[2]), n, 4, 4)
	interfaces := make([]bus.CallTargetInterface, n)
	for k := range interfaces {
		interfaces[k] = bind.Own[bus.CallTargetInterface](inv, owned, bus.CallTargetInterfaceResource, binary.LittleEndian.Uint32(handles[4*k:]))
	}
	if err := c.ChooseAnyway(inv.Context(), name, targetNames(interfaces)); err != nil {
		inv.Trap(err)
	}
}
