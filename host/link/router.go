package link

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

// Component is a component that runs on this host, as the router calls it.
type Component interface {
	// Forward answers a call by an export of the component, on an instance of
	// its own, within most where ctx leaves more time.
	Forward(ctx context.Context, call *component.ImportCall, iface string, most time.Duration) error
	// Invoke answers a call with encoded parameters and results.
	Invoke(ctx context.Context, iface, fn string, params []byte, most time.Duration) ([]byte, error)
	// Pinned returns what answers calls of interfaces with resources that follow a
	// route to the component. It is used by one caller and, until a call of it has
	// left that handles, for one call.
	Pinned(route *Route) Pinned
	// Crowded reports whether a call would have to wait here while another host has
	// room, so that it should be tried there first. It is asked for every call.
	Crowded() bool
	World() *wit.World
}

// Pinned is an instance of a component of this host that belongs to one caller
// for as long as that has handles of its resources. It looks after its pin.
type Pinned interface {
	component.Keeper
	// Route returns the route that the caller came by first. All its calls to that
	// target by links of that name come to the instance, also where the link leads
	// elsewhere by now.
	Route() *Route
	// Forward answers a call, as that of [Component] does.
	Forward(ctx context.Context, call *component.ImportCall, iface string, most time.Duration) error
	// Over reports whether the instance has ended before its handles did: they are
	// of no use, and Forward says why.
	Over() bool
}

// Local finds what runs on this host. Both answers may be nil.
type Local interface {
	Component(id string) Component
	Provider(id string) *provider.Capabilities
}

// Router resolves the imports of the components that run on one host, and
// carries their calls. It is safe for concurrent use.
type Router struct {
	lattice string
	local   Local
	caller  *wrpc.Caller
	timeout time.Duration
	config  func(names []string) map[string]string // nil: none is known

	mu      sync.Mutex
	links   map[string]map[string]linksByName // by source and interface without version
	remote  map[string]*wit.World             // what is known of targets on other hosts
	imports []*Import
}

// linksByName are the links of one interface of one source.
type linksByName map[string]lattice.Link

// NewRouter makes a router without links. caller carries the calls that leave
// the host.
func NewRouter(latticeName string, local Local, caller *wrpc.Caller) *Router {
	return &Router{lattice: latticeName, local: local, caller: caller, timeout: wrpc.DefaultTimeout,
		links: map[string]map[string]linksByName{}, remote: map[string]*wit.World{}}
}

// SetTimeout bounds each call, on either route, where its caller has no less
// time left; it is [wrpc.DefaultTimeout] otherwise. It must be called before the
// first call.
func (r *Router) SetTimeout(d time.Duration) { r.timeout = d }

// SetConfig says how named configs are read. It must be called before the first
// links are set.
func (r *Router) SetConfig(merged func(names []string) map[string]string) { r.config = merged }

// ConfigsChanged resolves the imports anew whose links have configs of their own.
func (r *Router) ConfigsChanged() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resolveSome(func(i *Import) bool {
		for _, l := range r.links[i.source][i.key] {
			if len(l.SourceConfig) > 0 {
				return true
			}
		}
		return false
	})
}

// SetLinks replaces the links and resolves every import anew.
func (r *Router) SetLinks(links []lattice.Link) {
	bySource := map[string][]lattice.Link{}
	for _, l := range links {
		bySource[l.SourceID] = append(bySource[l.SourceID], l)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.links)
	for source, links := range bySource {
		r.set(source, links)
	}
	r.resolveAll()
}

// ChangeLinks replaces the links of some sources, none of which means that there
// are none, and resolves their imports anew. It costs what has changed, however many
// links there are.
func (r *Router) ChangeLinks(bySource map[string][]lattice.Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for source, links := range bySource {
		r.set(source, links)
	}
	r.resolveSome(func(i *Import) bool { _, changed := bySource[i.source]; return changed })
}

// set replaces the links of a source.
func (r *Router) set(source string, links []lattice.Link) {
	byInterface := make(map[string]linksByName, len(links))
	for _, l := range links {
		for _, name := range l.Interfaces {
			at := l.Interface(name)
			if byInterface[at] == nil {
				byInterface[at] = linksByName{}
			}
			if _, taken := byInterface[at][l.Name]; !taken {
				byInterface[at][l.Name] = l
			}
		}
	}
	if r.links[source] = byInterface; len(byInterface) == 0 {
		delete(r.links, source)
	}
}

// Changed resolves every import anew, after a component or provider of this
// host started or stopped.
func (r *Router) Changed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resolveAll()
}

// SetRemote notes what a target on another host imports and exports, and
// resolves the imports that lead there anew; nil: it is not known.
func (r *Router) SetRemote(target string, w *wit.World) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.remote, target)
	for _, i := range r.imports {
		if !slices.ContainsFunc(i.routes.Load().all(), func(route *Route) bool { return route.Target == target }) {
			continue
		}
		if w != nil {
			r.remote[target] = w
		}
		i.routes.Store(r.resolve(i))
	}
}

// Targets returns the ids on other hosts that imports lead to, once each: all,
// or those of which nothing is known.
func (r *Router) Targets(all bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for _, i := range r.imports {
		for _, route := range i.routes.Load().all() {
			if route.Target == "" || route.Component != nil || route.Provider != nil || !all && r.remote[route.Target] != nil {
				continue
			}
			ids = append(ids, route.Target)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (r *Router) resolveAll() { r.resolveSome(func(*Import) bool { return true }) }

// resolveSome resolves imports anew, and forgets targets that none leads to any more.
func (r *Router) resolveSome(is func(*Import) bool) {
	used := map[string]bool{}
	for _, i := range r.imports {
		if is(i) {
			i.routes.Store(r.resolve(i))
		}
		for _, route := range i.routes.Load().all() {
			used[route.Target] = true
		}
	}
	maps.DeleteFunc(r.remote, func(target string, _ *wit.World) bool { return !used[target] })
}

// Import registers an imported interface of a component. Release it when the
// component stops.
func (r *Router) Import(source string, iface *wit.Interface) *Import {
	i := &Import{router: r, source: source, iface: iface, key: iface.Name, bare: iface.Name, shares: iface.HasResources()}
	if id, err := wit.ParseID(iface.Name); err == nil {
		i.key, i.bare = id.Unversioned(), id.Interface
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i.routes.Store(r.resolve(i))
	r.imports = append(r.imports, i)
	return i
}

// Import is one imported interface of one component, with where it goes now.
type Import struct {
	router *Router
	source string
	iface  *wit.Interface
	key    string // the name without version
	bare   string // its last part, by which links know it
	routes atomic.Pointer[routes]
	chosen bool // calls may have chosen a link: see [Chooser]
	shares bool // it has resources, which never leave the host
}

// routes are the ways along all links of an import. They are immutable.
type routes struct {
	main   *Route            // along the link of the default name
	others map[string]*Route // along the links of other names; nil: there are none
}

// named returns the route along a link, or nil where there is no such link.
func (r *routes) named(name string) *Route {
	if name != lattice.DefaultLinkName {
		return r.others[name]
	}
	if r.main.Target == "" {
		return nil
	}
	return r.main
}

func (r *routes) all() []*Route {
	return slices.AppendSeq([]*Route{r.main}, maps.Values(r.others))
}

// Release forgets the import.
func (i *Import) Release() {
	r := i.router
	r.mu.Lock()
	defer r.mu.Unlock()
	r.imports = slices.DeleteFunc(r.imports, func(x *Import) bool { return x == i })
}

// Route is where an import goes. It is immutable; a change of links makes
// another one.
type Route struct {
	LinkName string
	Target   string
	// Component or Provider is set where the target runs on this host; else the
	// target is called by wRPC.
	Component Component
	Provider  *provider.Capabilities
	// Answers is set where the import is wasi:http/outgoing-handler, and the target
	// answers requests itself, and does not send them on.
	Answers bool
	// Err says why there is no route.
	Err error

	timeout time.Duration // of the link; 0: the router's
}

// Route returns where the import goes now, along the link of the default name.
func (i *Import) Route() *Route { return i.routes.Load().main }

func (r *Router) resolve(i *Import) *routes {
	all := &routes{}
	for name, l := range r.links[i.source][i.key] {
		route := r.along(i, l)
		if name == lattice.DefaultLinkName {
			all.main = route
			continue
		}
		if all.others == nil {
			all.others = map[string]*Route{}
		}
		all.others[name] = route
	}
	if all.main == nil {
		all.main = &Route{LinkName: lattice.DefaultLinkName, Err: i.noLink(lattice.DefaultLinkName)}
	}
	return all
}

// along returns where a link of an import leads.
func (r *Router) along(i *Import, l lattice.Link) *Route {
	l.Interfaces = []string{i.bare}
	route := &Route{LinkName: l.Name, Target: l.Target}
	if route.timeout, route.Err = r.timeoutOf(l); route.Err != nil {
		return route
	}
	if c := r.local.Component(l.Target); c != nil {
		route.Component = c
		route.Answers = i.key == httpOutgoing && answersHTTP(c.World())
		route.refuse(l, i.world(), c.World())
		return route
	}
	if _, twin := twins[i.key]; i.shares && !twin {
		route.Err = fmt.Errorf("the link is refused: %w", Apart(l.Target, i.iface))
		return route
	}
	if route.Provider = r.local.Provider(l.Target); route.Provider != nil {
		route.refuse(l, i.world(), route.Provider.World())
		return route
	}
	route.Answers = i.key == httpOutgoing && answersHTTP(r.remote[l.Target])
	route.refuse(l, i.world(), r.remote[l.Target])
	return route
}

// timeoutOf returns the time that a link's own config gives a call, or 0.
func (r *Router) timeoutOf(l lattice.Link) (time.Duration, error) {
	if r.config == nil || len(l.SourceConfig) == 0 {
		return 0, nil
	}
	text, ok := r.config(l.SourceConfig)[lattice.ConfigLinkTimeout]
	if !ok {
		return 0, nil
	}
	ms, err := strconv.ParseUint(text, 10, 32)
	if err != nil || ms == 0 {
		return 0, fmt.Errorf("%s %.40q in the link's source config: want a number of milliseconds, such as \"500\"", lattice.ConfigLinkTimeout, text)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// most is the time of a call that follows a route.
func (i *Import) most(route *Route) time.Duration { return cmp.Or(route.timeout, i.router.timeout) }

// refuse records why the ends of a link do not fit, if they do not.
func (route *Route) refuse(l lattice.Link, source, target *wit.World) {
	if s := Check(l, source, target); s.State == lattice.LinkRefused {
		route.Err = fmt.Errorf("the link is refused: %s", s.Reason)
	}
}

// world is the part of the source's world that the import is.
func (i *Import) world() *wit.World {
	return &wit.World{Imports: []wit.Extern{{Name: i.iface.Name, Interface: i.iface}}}
}

// noLink says what is missing. The words in ticks are v1's.
func (i *Import) noLink(name string) error {
	if name != lattice.DefaultLinkName {
		return fmt.Errorf("link `%.100s` not found for instance `%s`: set one with `lath link put %s TARGET --name %s --interface %s`", name, i.key, i.source, name, i.key)
	}
	return fmt.Errorf("no link %q for %s: set one with `lath link put %s TARGET --interface %s`", name, i.key, i.source, i.key)
}
