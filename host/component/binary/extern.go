package binary

// sort reads sort.
func (d *decoder) sort() Sort {
	at := d.pos
	switch c := d.byte(); c {
	case 0x00:
		return d.coreSort()
	case 0x01:
		return SortFunc
	case 0x02:
		return SortValue
	case 0x03:
		return SortType
	case 0x04:
		return SortComponent
	case 0x05:
		return SortInstance
	default:
		d.failAt(at, "invalid leading byte 0x%02x for sort", c)
	}
	return 0
}

func (d *decoder) sortIndex() SortIndex {
	return SortIndex{Sort: d.sort(), Index: d.u32()}
}

// externName reads nameattributes.
func (d *decoder) externName() ExternName {
	at := d.pos
	c := d.byte()
	if c > 2 {
		d.failAt(at, "invalid leading byte 0x%02x for import or export name", c)
	}
	n := ExternName{Name: d.name()}
	if c == 2 {
		for range d.count(2, "attributes") {
			d.attribute(&n)
		}
	}
	return n
}

func (d *decoder) attribute(n *ExternName) {
	at := d.pos
	c := d.byte()
	if c > 2 {
		d.failAt(at, "invalid leading byte 0x%02x for attribute", c)
		return
	}
	kind := Attribute(1 << c)
	if n.Has&kind != 0 {
		d.failAt(at, "duplicate attribute")
	}
	n.Has |= kind
	switch s := d.name(); kind {
	case AttrImplements:
		n.Implements = s
	case AttrVersionSuffix:
		n.VersionSuffix = s
	case AttrExternalID:
		n.ExternalID = s
	}
}

// externDesc reads externtype.
func (d *decoder) externDesc() ExternDesc {
	at := d.pos
	switch c := d.byte(); c {
	case 0x00:
		d.expect(0x11, "core extern type")
		return ExternDesc{Sort: SortCoreModule, Index: d.u32()}
	case 0x01:
		return ExternDesc{Sort: SortFunc, Index: d.u32()}
	case 0x02:
		return d.valueBound()
	case 0x03:
		if d.flag("type bound") {
			return ExternDesc{Sort: SortType}
		}
		return ExternDesc{Sort: SortType, Eq: true, Index: d.u32()}
	case 0x04:
		return ExternDesc{Sort: SortComponent, Index: d.u32()}
	case 0x05:
		return ExternDesc{Sort: SortInstance, Index: d.u32()}
	default:
		d.failAt(at, "invalid leading byte 0x%02x for extern type", c)
	}
	return ExternDesc{}
}

// valueBound reads valuebound. Tools of today leave its first byte out before a
// primitive type.
func (d *decoder) valueBound() ExternDesc {
	if c, _ := d.peek(); isPrimitive(c) || d.flag("value bound") {
		v := d.valType()
		return ExternDesc{Sort: SortValue, Val: &v}
	}
	return ExternDesc{Sort: SortValue, Eq: true, Index: d.u32()}
}

func (d *decoder) importDef() *Import {
	d.take(&d.left.Externs, 1, "imports and exports")
	return &Import{At: d.at(), Name: d.externName(), Desc: d.externDesc()}
}

func (d *decoder) exportDef() *Export {
	d.take(&d.left.Externs, 1, "imports and exports")
	e := &Export{At: d.at(), Name: d.externName(), SortIndex: d.sortIndex()}
	if d.flag("export type") {
		desc := d.externDesc()
		e.Desc = &desc
	}
	return e
}

func (d *decoder) instance() *Instance {
	d.take(&d.left.Instances, 1, "instances")
	i := &Instance{At: d.at(), Inline: d.flag("instance")}
	if i.Inline {
		i.Exports = vec(d, 4, "exports", func() InlineExport {
			return InlineExport{Name: d.externName(), SortIndex: d.sortIndex()}
		})
		return i
	}
	i.Component = d.u32()
	i.Args = vec(d, 3, "instantiation arguments", func() Arg {
		return Arg{Name: d.name(), SortIndex: d.sortIndex()}
	})
	return i
}

func (d *decoder) alias() *Alias {
	a := &Alias{At: d.at(), Sort: d.sort()}
	at := d.pos
	switch c := d.byte(); c {
	case 0x00:
		a.Kind, a.Instance, a.Name = AliasExport, d.u32(), d.name()
	case 0x01:
		a.Kind, a.Instance, a.Name = AliasCoreExport, d.u32(), d.name()
	case 0x02:
		a.Kind, a.Count, a.Index = AliasOuter, d.u32(), d.u32()
	default:
		d.failAt(at, "invalid leading byte 0x%02x for alias", c)
	}
	return a
}
