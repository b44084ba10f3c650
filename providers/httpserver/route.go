package httpserver

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Rule says which requests a route is for: those for which all of it holds.
type Rule struct {
	// Host is a host name in lower case, with a port or without; "*.example.com"
	// is every name that ends so. Empty: every host.
	Host string
	// Path is the whole path. Empty: see Prefix.
	Path string
	// Prefix is the start of the path, up to its end or a slash. Without a Path, an
	// empty one holds for every path.
	Prefix string
	// Methods are sorted. None: every method.
	Methods []string
	// Headers must all be there. They are sorted by name.
	Headers []HeaderRule
}

// HeaderRule is a field that a request must have.
type HeaderRule struct {
	Name  string // canonical
	Value string // "*": any value
}

// Route is the rule of one link.
type Route struct {
	Rule
	// Weight is the link's part of the requests that several links have the same
	// rule for. 0: it shares them with nobody.
	Weight int
	// Owner names the link, for others that collide with it.
	Owner string
}

// Conflict is the error of a route that another one leaves no requests for.
type Conflict struct {
	Rule  string // in words
	Owner string // of the route that was there
}

// Error implements error.
func (c *Conflict) Error() string {
	return fmt.Sprintf("%s is served by %s already: give one of them another host, path, method, header or address, or both a weight", c.Rule, c.Owner)
}

// Table finds the route of a request. It is immutable.
type Table struct {
	hosts   map[string]*paths
	endings []string // of names, ".example.com", the longest first
}

// paths are the routes of one host.
type paths struct {
	exact  map[string][]*group
	prefix map[string][]*group
	// lengths of the prefixes, the longest first: what a long path costs is bounded
	// by the routes, not by the path.
	lengths []int
}

// group is the routes of one rule, which share its requests.
type group struct {
	Rule
	routes  []int // by their place in the list that the table was built of
	weights []int
	total   int
}

// Build makes a table of routes. Its second result has an error, mostly a
// [*Conflict], for each route that is not in the table. Of two that collide, the
// earlier one is.
func Build(routes []Route) (*Table, []error) {
	t := &Table{hosts: map[string]*paths{}}
	errs := make([]error, len(routes))
	owner := func(g *group) string { return routes[g.routes[0]].Owner }
	for i, r := range routes {
		p := t.host(r.Host)
		slot, key := p.exact, r.Path
		if r.Path == "" {
			slot, key = p.prefix, strings.TrimSuffix(r.Prefix, "/")
		}
		g, err := place(slot[key], r, owner)
		if err != nil {
			errs[i] = err
			continue
		}
		if g == nil {
			g = &group{Rule: r.Rule}
			slot[key] = append(slot[key], g)
			slices.SortStableFunc(slot[key], moreSpecific)
		}
		g.routes, g.weights, g.total = append(g.routes, i), append(g.weights, r.Weight), g.total+r.Weight
		if r.Path == "" && !slices.Contains(p.lengths, len(key)) {
			p.lengths = append(p.lengths, len(key))
			slices.SortFunc(p.lengths, func(a, b int) int { return b - a })
		}
	}
	return t, errs
}

func (t *Table) host(name string) *paths {
	p := t.hosts[name]
	if p != nil {
		return p
	}
	p = &paths{exact: map[string][]*group{}, prefix: map[string][]*group{}}
	t.hosts[name] = p
	if ending, ok := strings.CutPrefix(name, "*"); ok {
		t.endings = append(t.endings, ending)
		slices.SortFunc(t.endings, func(a, b string) int { return len(b) - len(a) })
	}
	return p
}

// place finds the group of a route among those with the same host and path: nil,
// where it needs one of its own.
func place(groups []*group, r Route, owner func(*group) string) (*group, error) {
	for _, g := range groups {
		if !slices.Equal(g.Headers, r.Headers) {
			continue
		}
		if !slices.Equal(g.Methods, r.Methods) {
			if slices.ContainsFunc(r.Methods, func(m string) bool { return slices.Contains(g.Methods, m) }) {
				return nil, &Conflict{Rule: r.String(), Owner: owner(g)}
			}
			continue
		}
		if r.Weight == 0 || g.total == 0 {
			return nil, &Conflict{Rule: r.String(), Owner: owner(g)}
		}
		return g, nil
	}
	return nil, nil
}

// moreSpecific sorts rules of the same host and path by which is asked first.
func moreSpecific(a, b *group) int {
	return cmp.Or(len(b.Headers)-len(a.Headers), boolToInt(len(a.Methods) == 0)-boolToInt(len(b.Methods) == 0))
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Match returns the place of the route that a request is for, in the list that the
// table was built of. Of several hosts that fit, the more exact one counts first,
// then the whole path before the longest prefix, then more headers, then a named
// method. random chooses among routes that share a rule.
//
// Without a route, the result is -1, and allow has the methods that would have
// one, sorted, if there are any.
func (t *Table) Match(method, host, path string, header http.Header, random uint64) (route int, allow []string) {
	for _, p := range t.candidates(host) {
		for _, groups := range p.slots(path) {
			for _, g := range groups {
				if !g.hasHeaders(header) {
					continue
				}
				if len(g.Methods) == 0 || slices.Contains(g.Methods, method) {
					return g.pick(random), nil
				}
				allow = append(allow, g.Methods...)
			}
		}
	}
	slices.Sort(allow)
	return -1, slices.Compact(allow)
}

// candidates are the hosts that fit a name, the most exact first.
func (t *Table) candidates(host string) []*paths {
	host = strings.ToLower(host)
	bare := host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		bare = host[:i]
	}
	bare = strings.TrimSuffix(bare, ".")
	list := make([]*paths, 0, 4)
	add := func(name string) {
		if p := t.hosts[name]; p != nil {
			list = append(list, p)
		}
	}
	if host != "" {
		if add(host); bare != host {
			add(bare)
		}
		for _, ending := range t.endings {
			if len(bare) > len(ending) && strings.HasSuffix(bare, ending) {
				add("*" + ending)
			}
		}
	}
	add("")
	return list
}

// slots are the groups that fit a path, the longest match first.
func (p *paths) slots(path string) [][]*group {
	list := make([][]*group, 0, 2)
	if groups := p.exact[path]; len(groups) > 0 {
		list = append(list, groups)
	}
	for _, n := range p.lengths {
		if n > len(path) || n > 0 && n < len(path) && path[n] != '/' {
			continue
		}
		if groups := p.prefix[path[:n]]; len(groups) > 0 {
			list = append(list, groups)
		}
	}
	return list
}

func (g *group) hasHeaders(h http.Header) bool {
	for _, want := range g.Headers {
		values := h[want.Name]
		if len(values) == 0 || want.Value != "*" && !slices.Contains(values, want.Value) {
			return false
		}
	}
	return true
}

func (g *group) pick(random uint64) int {
	if len(g.routes) == 1 {
		return g.routes[0]
	}
	at := int(random % uint64(g.total)) //nolint:gosec // weights are small and positive
	for i, w := range g.weights {
		if at -= w; at < 0 {
			return g.routes[i]
		}
	}
	return g.routes[0]
}

// String returns the rule in words.
func (r Rule) String() string {
	var b strings.Builder
	if len(r.Methods) > 0 {
		b.WriteString(strings.Join(r.Methods, ",") + " ")
	}
	b.WriteString(r.Host)
	switch {
	case r.Path != "":
		b.WriteString(r.Path)
	default:
		b.WriteString(strings.TrimSuffix(r.Prefix, "/") + "/*")
	}
	for _, h := range r.Headers {
		b.WriteString(" with " + h.Name)
		if h.Value != "*" {
			b.WriteString(": " + h.Value)
		}
	}
	return b.String()
}
