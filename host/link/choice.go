package link

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/lathhost/lath/lattice"
)

// Choices are the links that one call of a component has chosen for its imports,
// in place of those of the default name. The zero value has none. It must last no
// longer than the call; see [IsChoicesKey].
type Choices struct {
	names atomic.Pointer[map[string]string] // by interface without version; nil: none
}

type choicesKey struct{}

// IsChoicesKey says whether a key of a context's values asks for the [Choices] of
// the call, as a *Choices. The context of every call of a component that may choose
// answers it with its own, and never with its caller's: what calls along a chosen
// link, and the next call of the same instance, begin with none.
func IsChoicesKey(key any) bool { return key == choicesKey{} }

// of returns the name that was chosen for an interface, or "".
func (c *Choices) of(key string) string {
	if names := c.names.Load(); names != nil {
		return (*names)[key]
	}
	return ""
}

// Chooser carries out wasmcloud:bus/lattice for one component: a call of its may
// choose the links that its own calls follow from then on.
type Chooser struct {
	source  string
	imports map[string][]*Import // by name without version
}

// NewChooser lets the component that has these imports choose their links. It must
// be made before the component's first call. Imports of components without a
// chooser do not look for choices.
func NewChooser(source string, imports []*Import) *Chooser {
	c := &Chooser{source: source, imports: map[string][]*Import{}}
	for _, i := range imports {
		i.chosen = true
		c.imports[i.key] = append(c.imports[i.key], i)
	}
	return c
}

// Choose has the calls of these interfaces, without versions, follow the links of
// that name, until the call whose context it is ends; the default name takes that
// back. Where one of the interfaces has no such link, it changes nothing and
// returns an error.
func (c *Chooser) Choose(ctx context.Context, name string, interfaces []string) error {
	for _, key := range interfaces {
		if !c.has(key, name) {
			return fmt.Errorf("interface `%s` does not have an existing link with name `%s`", key, name)
		}
	}
	return c.ChooseAnyway(ctx, name, interfaces)
}

// ChooseAnyway is Choose that asks for no links: calls of an interface that has
// none of that name fail, as the first version of wasmcloud:bus has it. What the
// component does not import is passed over.
func (c *Chooser) ChooseAnyway(ctx context.Context, name string, interfaces []string) error {
	choices, ok := ctx.Value(choicesKey{}).(*Choices)
	if !ok {
		return fmt.Errorf("component %q chooses a link outside any call", c.source)
	}
	next := map[string]string{}
	if now := choices.names.Load(); now != nil {
		maps.Copy(next, *now)
	}
	for _, key := range interfaces {
		switch {
		case name == lattice.DefaultLinkName:
			delete(next, key)
		case c.imports[key] != nil:
			next[key] = name
		}
	}
	choices.names.Store(&next)
	return nil
}

func (c *Chooser) has(key, name string) bool {
	for _, i := range c.imports[key] {
		if i.routes.Load().named(name) != nil {
			return true
		}
	}
	return false
}

// Chosen returns the name of the link that calls under ctx follow now.
func (i *Import) Chosen(ctx context.Context) string {
	if i.chosen {
		if c, ok := ctx.Value(choicesKey{}).(*Choices); ok {
			if name := c.of(i.key); name != "" {
				return name
			}
		}
	}
	return lattice.DefaultLinkName
}

// RouteOf returns where a call under ctx goes now: along the link that was chosen
// in it, or the default one.
func (i *Import) RouteOf(ctx context.Context) *Route {
	if !i.chosen {
		return i.Route()
	}
	return i.RouteNamed(i.Chosen(ctx))
}

// RouteNamed returns where the link of that name leads now.
func (i *Import) RouteNamed(name string) *Route {
	routes := i.routes.Load()
	if name == lattice.DefaultLinkName {
		return routes.main
	}
	if route := routes.others[name]; route != nil {
		return route
	}
	return &Route{LinkName: name, Err: i.noLink(name)}
}

// NameOf returns the name of a link that leads to a target: the default one, if that
// does or none does, else the first by name.
func (i *Import) NameOf(target string) string {
	routes := i.routes.Load()
	if routes.main.Target == target {
		return lattice.DefaultLinkName
	}
	for _, name := range slices.Sorted(maps.Keys(routes.others)) {
		if routes.others[name].Target == target {
			return name
		}
	}
	return lattice.DefaultLinkName
}

// Linked says whether there is a link of that name.
func (i *Import) Linked(name string) bool { return i.routes.Load().named(name) != nil }
