package bindgen

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	bca "go.bytecodealliance.org/wit"

	"github.com/lathhost/lath/wit"
)

// Source is one WIT file, which holds one package.
type Source struct {
	Path string // for messages
	Text string
}

var (
	packageLine = regexp.MustCompile(`(?m)^package [^;{]+;`)
	plainLine   = regexp.MustCompile(`(?m)^\s*//([^/].*)?$`)
)

// Load parses WIT packages that may use each other. The result has one package
// for each source, in their order.
//
// All of them are parsed as one text of nested packages, so that they need no
// folder of dependencies. Plain comments ("//") are taken out first: to the
// parser they are documentation like "///".
func Load(sources ...Source) ([]*Package, error) {
	var text strings.Builder
	text.WriteString("package lath:bindgen;\n")
	for _, s := range sources {
		src := plainLine.ReplaceAllString(s.Text, "")
		at := packageLine.FindStringIndex(src)
		if at == nil {
			return nil, fmt.Errorf("%s: no package line", s.Path)
		}
		fmt.Fprintf(&text, "%s {%s\n}\n", src[:at[1]-1], src[at[1]:])
	}
	resolved, err := bca.DecodeWIT(strings.NewReader(text.String()))
	if err != nil {
		return nil, fmt.Errorf("parse wit: %w", err)
	}
	l := loader{defs: map[*bca.TypeDef]*def{}, pkgs: map[*bca.Package]*Package{}}
	for _, p := range resolved.Packages {
		l.pkgs[p] = newPackage(p)
	}
	for _, i := range interfaces(resolved.Packages) {
		l.loadInterface(i)
	}
	return l.inOrder(sources)
}

func newPackage(p *bca.Package) *Package {
	out := &Package{Namespace: p.Name.Namespace, Name: p.Name.Package, docs: p.Docs.Contents}
	if p.Name.Version != nil {
		out.Version = p.Name.Version.String()
	}
	return out
}

// interfaces returns the interfaces of all packages, each after those that it
// uses types of.
func interfaces(pkgs []*bca.Package) []*bca.Interface {
	var out []*bca.Interface
	var add func(i *bca.Interface)
	add = func(i *bca.Interface) {
		if slices.Contains(out, i) {
			return
		}
		for _, d := range i.TypeDefs.All() {
			if owner, ok := d.Root().Owner.(*bca.Interface); ok && owner != i {
				add(owner)
			}
		}
		out = append(out, i)
	}
	for _, p := range pkgs {
		for _, i := range p.Interfaces.All() {
			add(i)
		}
	}
	return out
}

type loader struct {
	pkgs map[*bca.Package]*Package
	defs map[*bca.TypeDef]*def
	errs []error
}

func (l *loader) inOrder(sources []Source) ([]*Package, error) {
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	var out []*Package
	for _, s := range sources {
		line := strings.TrimPrefix(packageLine.FindString(s.Text), "package ")
		name, version, _ := strings.Cut(strings.TrimSuffix(line, ";"), "@")
		for _, p := range l.pkgs {
			if p.Namespace+":"+p.Name == name && p.Version == version {
				out = append(out, p)
			}
		}
	}
	if len(out) != len(sources) {
		return nil, fmt.Errorf("parse wit: %d packages from %d sources", len(out), len(sources))
	}
	for _, p := range out {
		p.assignNames()
	}
	return out, nil
}

func (l *loader) loadInterface(src *bca.Interface) {
	i := &iface{pkg: l.pkgs[src.Package], name: *src.Name, docs: src.Docs.Contents}
	i.pkg.ifaces = append(i.pkg.ifaces, i)
	fail := func(what string, err error) {
		if err != nil {
			l.errs = append(l.errs, fmt.Errorf("%s: %s: %w", i.full(), what, err))
		}
	}
	for name, d := range src.TypeDefs.All() {
		if owner := d.Root().Owner; owner != nil && owner != bca.TypeOwner(src) {
			continue // used from another interface
		}
		out := &def{iface: i, name: name, docs: d.Docs.Contents}
		i.defs = append(i.defs, out)
		if r := l.lookup(d); r != nil && r.resource != nil {
			out.same = r
			continue
		}
		l.defs[d] = out
		if _, ok := d.Kind.(*bca.Resource); ok {
			out.resource = &wit.Resource{Name: name}
			continue
		}
		t, err := l.definition(i.pkg, out, d)
		fail(name, err)
		out.typ = t
	}
	for _, f := range src.Functions.All() {
		out, err := l.function(i, f)
		fail(f.Name, err)
		i.funcs = append(i.funcs, out)
	}
}

func (l *loader) function(i *iface, src *bca.Function) (*fn, error) {
	f := &fn{iface: i, name: src.Name, docs: src.Docs.Contents}
	switch k := src.Kind.(type) {
	case *bca.Freestanding:
	case *bca.Method:
		f.kind, f.resource = method, l.lookup(k.Type)
	case *bca.Static:
		f.kind, f.resource = static, l.lookup(k.Type)
	case *bca.Constructor:
		f.kind, f.resource = constructor, l.lookup(k.Type)
	default:
		return f, errors.New("asynchronous functions are not supported in bindings yet")
	}
	if f.kind == method && f.baseName() == "drop" {
		return f, errors.New("a method drop would be the resource's own Drop")
	}
	names := map[string]bool{}
	for _, p := range src.Params {
		t, err := l.convert(i.pkg, p.Type)
		if err != nil {
			return f, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		name := paramName(p.Name)
		if names[name] {
			return f, fmt.Errorf("two parameters would be called %s", name)
		}
		names[name] = true
		f.params = append(f.params, part{name: p.Name, typ: t})
	}
	switch len(src.Results) {
	case 0:
	case 1:
		t, err := l.convert(i.pkg, src.Results[0].Type)
		if err != nil {
			return f, fmt.Errorf("result: %w", err)
		}
		f.result = t
		if e := f.err(); e != nil && e.nominal() {
			e.def.isError = true
		}
	default:
		return f, errors.New("named results are not supported")
	}
	return f, nil
}

// lookup returns the definition that a type definition stands for, through
// any number of uses.
func (l *loader) lookup(t bca.Type) *def {
	d, _ := t.(*bca.TypeDef)
	for d != nil {
		if found := l.defs[d]; found != nil {
			return found
		}
		d, _ = d.Kind.(*bca.TypeDef)
	}
	return nil
}
