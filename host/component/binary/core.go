package binary

var coreSorts = [...]Sort{SortCoreFunc, SortCoreTable, SortCoreMemory, SortCoreGlobal, SortCoreTag}

// coreSort reads core:sort.
func (d *decoder) coreSort() Sort {
	at := d.pos
	c := d.byte()
	switch {
	case int(c) < len(coreSorts):
		return coreSorts[c]
	case c == 0x10:
		return SortCoreType
	case c == 0x11:
		return SortCoreModule
	case c == 0x12:
		return SortCoreInstance
	}
	d.failAt(at, "invalid leading byte 0x%02x for core sort", c)
	return 0
}

// coreModule takes the rest of the section as a core module.
func (d *decoder) coreModule() *CoreModule {
	d.take(&d.left.Modules, 1, "core modules")
	m := &CoreModule{At: d.at()}
	m.Bytes = d.bytes(uint32(d.end - d.pos))
	if d.err == nil && (len(m.Bytes) < preambleLen || string(m.Bytes[:preambleLen]) != magic+moduleVersion) {
		d.failAt(m.Pos(), "core module section does not hold a core module")
	}
	return m
}

func (d *decoder) coreInstance() *CoreInstance {
	d.take(&d.left.Instances, 1, "instances")
	i := &CoreInstance{At: d.at(), Inline: d.flag("core instance")}
	if i.Inline {
		i.Exports = vec(d, 3, "core exports", func() Arg {
			return Arg{Name: d.name(), SortIndex: SortIndex{Sort: d.coreSort(), Index: d.u32()}}
		})
		return i
	}
	i.Module = d.u32()
	i.Args = vec(d, 3, "core instantiation arguments", func() Arg {
		name := d.name()
		d.expect(0x12, "core instantiation argument")
		return Arg{Name: name, SortIndex: SortIndex{Sort: SortCoreInstance, Index: d.u32()}}
	})
	return i
}

func (d *decoder) coreType() *CoreTypeDef {
	d.take(&d.left.Types, 1, "types")
	t := &CoreTypeDef{At: d.at()}
	switch c := d.byte(); c {
	case 0x60:
		t.Func = d.coreFuncType()
	case 0x50:
		d.nest(func() { t.Module = d.coreModuleType() })
	case 0x00, 0x4e, 0x4f, 0x5e, 0x5f:
		d.failAt(t.Pos(), "unsupported: core type 0x%02x of the garbage collection proposal in a component's core types", c)
	default:
		d.failAt(t.Pos(), "invalid leading byte 0x%02x for core type", c)
	}
	return t
}

func (d *decoder) coreFuncType() *CoreFuncType {
	return &CoreFuncType{
		Params:  vec(d, 1, "core parameters", d.coreValType),
		Results: vec(d, 1, "core results", d.coreValType),
	}
}

// coreValType reads a core value type of one byte. (ref null ht) of an
// abstract heap type is read as its short form.
func (d *decoder) coreValType() CoreValType {
	at := d.pos
	switch c := d.byte(); {
	case c >= 0x7b && c <= 0x7f, c >= 0x69 && c <= 0x74:
		return CoreValType(c)
	case c == 0x63:
		if h := d.byte(); h >= 0x69 && h <= 0x74 {
			return CoreValType(h)
		}
		fallthrough
	case c == 0x64:
		d.failAt(at, "unsupported: typed function reference in a component's core types")
	default:
		d.failAt(at, "invalid leading byte 0x%02x for core value type", c)
	}
	return 0
}

func (d *decoder) coreModuleType() *CoreModuleType {
	return &CoreModuleType{Defs: vec(d, 2, "core module declarations", d.coreModuleDecl)}
}

func (d *decoder) coreModuleDecl() CoreModuleDecl {
	decl := CoreModuleDecl{At: d.at()}
	switch c := d.byte(); c {
	case 0x00:
		d.take(&d.left.Externs, 1, "imports and exports")
		decl.Kind, decl.Module, decl.Name, decl.Desc = CoreDeclImport, d.name(), d.name(), d.coreExtern()
	case 0x01:
		decl.Kind, decl.Type = CoreDeclType, d.coreType()
	case 0x02:
		decl.Kind, decl.Alias = CoreDeclAlias, &Alias{At: d.at(), Sort: SortCoreType, Kind: AliasOuter}
		d.expect(0x10, "alias in a core module type")
		d.expect(0x01, "alias in a core module type")
		decl.Alias.Count, decl.Alias.Index = d.u32(), d.u32()
	case 0x03:
		d.take(&d.left.Externs, 1, "imports and exports")
		decl.Kind, decl.Name, decl.Desc = CoreDeclExport, d.name(), d.coreExtern()
	default:
		d.failAt(decl.Pos(), "invalid leading byte 0x%02x for core module declaration", c)
	}
	return decl
}

// coreExtern reads core:externtype.
func (d *decoder) coreExtern() CoreExternDesc {
	at := d.pos
	switch c := d.byte(); c {
	case 0x00:
		return CoreExternDesc{Sort: SortCoreFunc, Type: d.u32()}
	case 0x01:
		return CoreExternDesc{Sort: SortCoreTable, Val: d.coreRefType(), Limits: d.coreLimits()}
	case 0x02:
		return CoreExternDesc{Sort: SortCoreMemory, Limits: d.coreLimits()}
	case 0x03:
		return CoreExternDesc{Sort: SortCoreGlobal, Val: d.coreValType(), Mutable: d.flag("global mutability")}
	case 0x04:
		d.expect(0x00, "tag attribute")
		return CoreExternDesc{Sort: SortCoreTag, Type: d.u32()}
	default:
		d.failAt(at, "invalid leading byte 0x%02x for core extern type", c)
	}
	return CoreExternDesc{}
}

func (d *decoder) coreRefType() CoreValType {
	at := d.pos
	t := d.coreValType()
	if d.err == nil && t > 0x74 {
		d.failAt(at, "malformed reference type")
	}
	return t
}

// The bits of a limits byte.
const (
	limitsMax, limitsShared, limits64, limitsPageSize = 1, 2, 4, 8
)

func (d *decoder) coreLimits() CoreLimits {
	at := d.pos
	c := d.byte()
	if c >= limitsPageSize {
		d.failAt(at, "malformed limits flags 0x%02x", c)
		return CoreLimits{}
	}
	l := CoreLimits{HasMax: c&limitsMax != 0, Shared: c&limitsShared != 0, Is64: c&limits64 != 0}
	bits := uint(32)
	if l.Is64 {
		bits = 64
	}
	l.Min = d.unsigned(bits)
	if l.HasMax {
		l.Max = d.unsigned(bits)
	}
	return l
}
