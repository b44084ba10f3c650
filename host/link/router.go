package link

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
)

// Component is a component that runs on this host, as the router calls it.
type Component interface {
	// Forward answers a call by an export of the component, on an instance of
	// its own.
	Forward(ctx context.Context, call *component.ImportCall, iface string) error
	World() *wit.World
}

// Remote calls targets on other hosts. Functions have their wire names, and
// values are in wRPC's encoding.
type Remote interface {
	Call(ctx context.Context, target, iface, function string, params []byte) ([]byte, error)
}

// Local finds what runs on this host.
type Local[P any] interface {
	Component(id string) Component
	// Provider returns the built-in provider of that id, if it runs here.
	Provider(id string) (P, bool)
}

// Router resolves the imports of the components that run on one host. P is
// how the host calls a provider that runs here. It is safe for concurrent use.
type Router[P any] struct {
	local  Local[P]
	remote Remote

	mu      sync.Mutex
	links   []lattice.Link
	imports []*Import[P]
}

// NewRouter makes a router without links.
func NewRouter[P any](local Local[P], remote Remote) *Router[P] {
	return &Router[P]{local: local, remote: remote}
}

// SetLinks replaces the links and resolves every import anew.
func (r *Router[P]) SetLinks(links []lattice.Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links = links
	r.resolveAll()
}

// Changed resolves every import anew, after a component or provider of this
// host started or stopped.
func (r *Router[P]) Changed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resolveAll()
}

func (r *Router[P]) resolveAll() {
	for _, i := range r.imports {
		i.route.Store(r.resolve(i))
	}
}

// Import registers an imported interface of a component. Release it when the
// component stops.
func (r *Router[P]) Import(source string, iface *wit.Interface) *Import[P] {
	i := &Import[P]{router: r, source: source, iface: iface, key: unversioned(iface.Name)}
	r.mu.Lock()
	defer r.mu.Unlock()
	i.route.Store(r.resolve(i))
	r.imports = append(r.imports, i)
	return i
}

func unversioned(name string) string {
	id, err := wit.ParseID(name)
	if err != nil {
		return name
	}
	return id.Unversioned()
}

// Import is one imported interface of one component, with where it goes now.
type Import[P any] struct {
	router *Router[P]
	source string
	iface  *wit.Interface
	key    string // the name without version, by which links know it
	route  atomic.Pointer[Route[P]]
}

// Release forgets the import.
func (i *Import[P]) Release() {
	r := i.router
	r.mu.Lock()
	defer r.mu.Unlock()
	r.imports = slices.DeleteFunc(r.imports, func(x *Import[P]) bool { return x == i })
}

// Route is where an import goes. It is immutable; a change of links makes
// another one.
type Route[P any] struct {
	LinkName string
	Target   string
	// One of the three, in the order in which they are preferred.
	Component Component
	Provider  P
	IsLocal   bool // Provider counts
	// Err says why there is no route.
	Err error
}

// Route returns where the import goes now.
func (i *Import[P]) Route() *Route[P] { return i.route.Load() }

func (r *Router[P]) resolve(i *Import[P]) *Route[P] {
	at := slices.IndexFunc(r.links, func(l lattice.Link) bool {
		return l.SourceID == i.source && l.Name == lattice.DefaultLinkName && carries(l, i.key)
	})
	if at < 0 {
		return &Route[P]{LinkName: lattice.DefaultLinkName, Err: i.noLink()}
	}
	l := r.links[at]
	route := &Route[P]{LinkName: l.Name, Target: l.Target}
	if c := r.local.Component(l.Target); c != nil {
		route.Component = c
		if s := Check(l, i.world(), c.World()); s.State == Refused {
			route.Err = fmt.Errorf("link refused: %s", s.Reason)
		}
		return route
	}
	route.Provider, route.IsLocal = r.local.Provider(l.Target)
	return route
}

func carries(l lattice.Link, key string) bool {
	return slices.ContainsFunc(l.Interfaces, func(name string) bool { return l.Interface(name) == key })
}

// world is the part of the source's world that the import is.
func (i *Import[P]) world() *wit.World {
	return &wit.World{Imports: []wit.Extern{{Name: i.iface.Name, Interface: i.iface}}}
}

func (i *Import[P]) noLink() error {
	id, err := wit.ParseID(i.iface.Name)
	if err != nil {
		return fmt.Errorf("no link for %s", i.key)
	}
	return fmt.Errorf("no link %q for %s: set one with `lath link put %s TARGET --interface %s:%s/%s`",
		lattice.DefaultLinkName, i.key, i.source, id.Namespace, id.Package, id.Interface)
}
