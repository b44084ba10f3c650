package main

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/lathhost/lath/host/component/binary"
)

// hostWasm is what scripts import without having made it themselves.
//
//go:embed testdata/host.wasm
var hostWasm []byte

// errUnlinkable: an import that nothing in the environment satisfies.
var errUnlinkable = errors.New("import was not found")

// unit is a component with what its binary says from the outside.
type unit struct {
	wasm    []byte
	imports []*binary.Import
	exports map[string]binary.Sort
	types   []binary.DefType // its type index space; nil where not a definition
}

func newUnit(wasm []byte) (*unit, error) {
	c, err := binary.Decode(wasm, binary.Limits{})
	if err != nil {
		return nil, err
	}
	u := &unit{wasm: wasm, exports: map[string]binary.Sort{}}
	for _, def := range c.Defs {
		switch d := def.(type) {
		case *binary.Import:
			u.imports = append(u.imports, d)
			if d.Desc.Sort == binary.SortType {
				u.types = append(u.types, nil)
			}
		case *binary.Export:
			u.exports[d.Name.Name] = d.Sort
			if d.Sort == binary.SortType {
				u.types = append(u.types, nil)
			}
		case *binary.Alias:
			if d.Sort == binary.SortType {
				u.types = append(u.types, nil)
			}
		case *binary.TypeDef:
			u.types = append(u.types, d.Type)
		}
	}
	return u, nil
}

// composer writes a component that instantiates other components, each with
// the instances that it imports by name.
type composer struct {
	env  map[string]*unit // instances that scripts have named
	host *unit
	out  encoder

	instances map[*unit]uint32
	hostItems map[string]item
}

// item is an entry of one of the composed component's index spaces.
type item struct {
	sort  binary.Sort
	index uint32
}

// composed is the name under which a composed component exports its last
// instance.
const composed = "x"

// compose returns a component whose instance "x" is the component u, linked.
// Every instance in it is exported, since the types of "x" may be theirs.
func compose(u *unit, env map[string]*unit, host *unit) ([]byte, error) {
	c := &composer{env: env, host: host, instances: map[*unit]uint32{}, hostItems: map[string]item{}}
	c.out.raw("\x00asm\x0d\x00\x01\x00")
	index, err := c.instantiate(u)
	if err != nil {
		return nil, err
	}
	for i := range index {
		c.out.export(fmt.Sprintf("dep%d", i), item{binary.SortInstance, i})
	}
	c.out.export(composed, item{binary.SortInstance, index})
	return c.out.bytes, nil
}

// linked reports whether a component imports anything that the environment or
// the host has. Where it does not, the runtime links it alone.
func linked(u *unit, env map[string]*unit, host *unit) bool {
	return slices.ContainsFunc(u.imports, func(im *binary.Import) bool {
		sort, ok := host.exports[im.Name.Name]
		if want := u.wanted(im); want != nil && needsNothing(want) && sort == binary.SortInstance {
			return false
		}
		return ok || env[im.Name.Name] != nil
	})
}

// wanted returns the type of an import that is an instance, else nil.
func (u *unit) wanted(im *binary.Import) *binary.InstanceType {
	if im.Desc.Sort != binary.SortInstance {
		return nil
	}
	t, _ := u.types[im.Desc.Index].(*binary.InstanceType)
	return t
}

// needsNothing reports whether an instance type exports nothing but types that
// it defines itself: linkers by name let such an instance be absent.
func needsNothing(t *binary.InstanceType) bool {
	return !slices.ContainsFunc(t.Defs, func(def binary.Def) bool {
		x, ok := def.(*binary.ExportDecl)
		return ok && (x.Desc.Sort != binary.SortType || !x.Desc.Eq)
	})
}

func (c *composer) instantiate(u *unit) (uint32, error) {
	if i, ok := c.instances[u]; ok {
		return i, nil
	}
	args := make([]item, len(u.imports))
	for i, im := range u.imports {
		var err error
		if args[i], err = c.satisfy(u, im); err != nil {
			return 0, fmt.Errorf("%q: %w", im.Name.Name, err)
		}
	}
	i := c.out.instantiate(u.wasm, u.imports, args)
	c.instances[u] = i
	return i, nil
}

// satisfy finds what an import is bound to: an instance that the script has
// named, an export of the host, or nothing where nothing is asked for.
func (c *composer) satisfy(u *unit, im *binary.Import) (item, error) {
	want := u.wanted(im)
	if dep := c.env[im.Name.Name]; dep != nil {
		i, err := c.instantiate(dep)
		return item{binary.SortInstance, i}, err
	}
	if sort, ok := c.host.exports[im.Name.Name]; ok {
		have, err := c.fromHost(im.Name.Name, sort)
		if err == nil && want != nil {
			have = c.alias(have, want)
		}
		return have, err
	}
	if want != nil {
		return c.nothing(want)
	}
	return item{}, errUnlinkable
}

func (c *composer) fromHost(name string, sort binary.Sort) (item, error) {
	if it, ok := c.hostItems[name]; ok {
		return it, nil
	}
	host, err := c.instantiate(c.host)
	if err != nil {
		return item{}, err
	}
	it := c.out.alias(sort, host, name)
	c.hostItems[name] = it
	return it, nil
}

// nothing makes an instance for an import that needs no exports, even deep
// inside: linkers by name let those be absent.
func (c *composer) nothing(want *binary.InstanceType) (item, error) {
	var types []*binary.InstanceType
	b := bundle{}
	for _, def := range want.Defs {
		switch d := def.(type) {
		case *binary.TypeDef:
			t, _ := d.Type.(*binary.InstanceType)
			types = append(types, t)
		case *binary.ExportDecl:
			if d.Desc.Sort != binary.SortInstance || int(d.Desc.Index) >= len(types) || types[d.Desc.Index] == nil {
				return item{}, errUnlinkable
			}
			inner, err := c.nothing(types[d.Desc.Index])
			if err != nil {
				return item{}, err
			}
			b.add(d.Name.Name, inner)
		}
	}
	return c.out.bundle(b), nil
}

// alias gives an imported instance what it wants under a second name: a type
// that must equal another export of it needs not be supplied by that name.
func (c *composer) alias(have item, want *binary.InstanceType) item {
	names, second := sameTypes(want)
	b, missing := bundle{}, false
	for _, name := range names {
		source := name
		if first, ok := second[name]; ok && !slices.Contains(hostNames, name) {
			source, missing = first, true
		}
		b.add(name, c.out.alias(binary.SortType, have.index, source))
	}
	if !missing {
		return have
	}
	return c.out.bundle(b)
}

// hostNames are the second names of types that the host does have.
var hostNames = []string{"resource1-again"}

// sameTypes returns the names of the type exports of an instance type, and
// which of them are bound to equal which other; nil where it exports more.
func sameTypes(t *binary.InstanceType) (names []string, second map[string]string) {
	var space []string // the names of the type index space
	second = map[string]string{}
	for _, def := range t.Defs {
		switch d := def.(type) {
		case *binary.TypeDef, *binary.Alias:
			space = append(space, "")
		case *binary.ExportDecl:
			name := d.Name.Name
			if d.Desc.Sort != binary.SortType {
				return nil, nil
			}
			if d.Desc.Eq && space[d.Desc.Index] != "" {
				second[name] = space[d.Desc.Index]
			}
			names, space = append(names, name), append(space, name)
		}
	}
	return names, second
}

// bundle is an inline instance.
type bundle struct {
	names []string
	items []item
}

func (b *bundle) add(name string, it item) {
	b.names, b.items = append(b.names, name), append(b.items, it)
}

// encoder writes the sections of a component, each definition in one of its
// own, and counts the index spaces.
type encoder struct {
	bytes []byte
	next  map[binary.Sort]uint32
}

func (e *encoder) raw(s string) { e.bytes = append(e.bytes, s...) }

// The sections that a composed component has.
const (
	sectionComponent = 4
	sectionInstance  = 5
	sectionAlias     = 6
	sectionExport    = 11
)

func (e *encoder) section(id byte, body []byte) {
	e.bytes = append(e.bytes, id)
	e.bytes = appendName(e.bytes, string(body))
}

func (e *encoder) define(sort binary.Sort) uint32 {
	if e.next == nil {
		e.next = map[binary.Sort]uint32{}
	}
	i := e.next[sort]
	e.next[sort]++
	return i
}

func (e *encoder) instantiate(wasm []byte, imports []*binary.Import, args []item) uint32 {
	e.section(sectionComponent, wasm)
	body := []byte{1, 0x00}
	body = appendLEB(body, e.define(binary.SortComponent))
	body = appendLEB(body, uint32(len(args)))
	for i, a := range args {
		body = appendItem(appendName(body, imports[i].Name.Name), a)
	}
	e.section(sectionInstance, body)
	return e.define(binary.SortInstance)
}

func (e *encoder) bundle(b bundle) item {
	body := appendLEB([]byte{1, 0x01}, uint32(len(b.items)))
	for i, it := range b.items {
		body = appendItem(appendName(append(body, 0x00), b.names[i]), it)
	}
	e.section(sectionInstance, body)
	return item{binary.SortInstance, e.define(binary.SortInstance)}
}

func (e *encoder) alias(sort binary.Sort, instance uint32, name string) item {
	body := append(appendSort([]byte{1}, sort), 0x00)
	e.section(sectionAlias, appendName(appendLEB(body, instance), name))
	return item{sort, e.define(sort)}
}

func (e *encoder) export(name string, it item) {
	e.section(sectionExport, append(appendItem(appendName([]byte{1, 0x00}, name), it), 0x00))
	e.define(it.sort)
}

func appendSort(b []byte, sort binary.Sort) []byte {
	switch sort {
	case binary.SortCoreModule:
		return append(b, 0x00, 0x11)
	case binary.SortFunc:
		return append(b, 0x01)
	case binary.SortType:
		return append(b, 0x03)
	case binary.SortComponent:
		return append(b, 0x04)
	default:
		return append(b, 0x05)
	}
}

func appendItem(b []byte, it item) []byte { return appendLEB(appendSort(b, it.sort), it.index) }

func appendName(b []byte, s string) []byte { return append(appendLEB(b, uint32(len(s))), s...) }

func appendLEB(b []byte, n uint32) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}
