package link

import (
	"errors"
	"fmt"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

// An interface with resources is called on one instance of its target: handles
// stand for that instance's state. So the target must run on the caller's host,
// and its instance is the caller's as long as that has handles.

// Bound says whether both ends of a link must run on one host, because the source
// imports an interface with resources by it that no host adapts. It returns that
// interface, or nil.
func Bound(l lattice.Link, source *wit.World) *wit.Interface {
	for _, name := range l.Interfaces {
		key := l.Interface(name)
		_, adapts := adapted[key]
		if _, twin := twins[key]; twin || adapts || source == nil {
			continue
		}
		if i := byName(source.Imports, key); i != nil && i.HasResources() {
			return i
		}
	}
	return nil
}

// Apart is the reason to refuse a link that leads to another host although its
// interface has resources.
func Apart(target string, i *wit.Interface) error {
	return fmt.Errorf("%s carries resources (%s), which cannot leave a host, and %q does not run where its caller does: start it there too, with `lath start component %s IMAGE --host HOST`",
		i.Name, resources(i), target, target)
}

// share carries a call of an interface with resources: to the instance that its
// first handle is of, to the one that the caller has handles of by this link, or to
// a new one.
func (f *function) share(c *component.ImportCall) error {
	held, err := c.Held()
	if err != nil {
		return err
	}
	if held != nil {
		if p, ok := held.Keeper().(Pinned); ok {
			return f.forward(c, p)
		}
	}
	route := f.imp.RouteOf(c.Context())
	if p := pinnedBy(c, route); p != nil {
		return f.forward(c, p)
	}
	err = f.begin(c, route)
	if call, ok := errors.AsType[*CallError](err); ok && call.Code == wrpc.Busy {
		// As in Call: one that was stopping did nothing.
		if next := f.imp.RouteNamed(route.LinkName); next != route {
			err = f.begin(c, next)
		}
	}
	return err
}

// pinnedBy returns the instance that the calling store has handles of along a
// route; nil: there is none.
func pinnedBy(c *component.ImportCall, route *Route) Pinned {
	for _, pin := range c.Pins() {
		p, ok := pin.Keeper().(Pinned)
		if ok && !p.Over() && p.Route().Target == route.Target && p.Route().LinkName == route.LinkName {
			return p
		}
	}
	return nil
}

// begin calls an instance that the caller has no handles of yet.
func (f *function) begin(c *component.ImportCall, route *Route) error {
	if route.Err != nil {
		return f.imp.Refused(route, f.fn.Name, route.Err)
	}
	return f.forward(c, route.Component.Pinned(route))
}

func (f *function) forward(c *component.ImportCall, p Pinned) error {
	route := p.Route()
	ctx, err := f.imp.identify(c.Context(), route, f.fn.Name)
	if err != nil {
		return err
	}
	f.imp.RecordLocal(ctx, route, f.fn.Name)
	return f.imp.Failed(route, f.fn.Name, p.Forward(ctx, c, f.imp.iface.Name, f.imp.most(route)))
}
