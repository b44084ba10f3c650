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
		d.failDef(m, "core module section does not hold a core module")
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
		d.failDef(decl, "invalid leading byte 0x%02x for core module declaration", c)
	}
	return decl
}
