package binary

// valType reads a value type: a primitive or an index.
func (d *decoder) valType() ValType {
	c, ok := d.peek()
	if !ok || c < 0x40 || c > 0x7f {
		return ValType{Index: d.index33()}
	}
	if !isPrimitive(c) {
		d.fail("invalid leading byte 0x%02x for component value type", c)
	}
	d.pos++
	return ValType{Primitive: c}
}

func isPrimitive(c byte) bool { return c >= 0x73 && c <= 0x7f || c == 0x64 }

// optValType reads <valtype>?.
func (d *decoder) optValType() *ValType {
	if !d.flag("optional value type") {
		return nil
	}
	v := d.valType()
	return &v
}

func (d *decoder) typeDef() *TypeDef {
	return &TypeDef{At: d.at(), Type: d.defType()}
}

func (d *decoder) defType() DefType {
	d.take(&d.left.Types, 1, "types")
	at := d.pos
	switch c := d.byte(); c {
	case 0x3f:
		return d.resourceType()
	case 0x40:
		return d.funcType(false)
	case 0x43:
		return d.funcType(true)
	case 0x41:
		t := &ComponentType{}
		d.nest(func() { t.Defs = vec(d, 2, "component type declarations", d.componentDecl) })
		return t
	case 0x42:
		t := &InstanceType{}
		d.nest(func() { t.Defs = vec(d, 2, "instance type declarations", d.instanceDecl) })
		return t
	default:
		return d.valueDefType(c, at)
	}
}

func (d *decoder) valueDefType(c byte, at int) DefType {
	switch c {
	case 0x72:
		return &RecordType{Fields: d.labelled()}
	case 0x71:
		return &VariantType{Cases: vec(d, 4, "cases", d.variantCase)}
	case 0x70:
		return &ListType{Elem: d.valType()}
	case 0x67:
		return &ListType{Fixed: true, Elem: d.valType(), Len: d.u32()}
	case 0x6f:
		return &TupleType{Elems: vec(d, 1, "tuple types", d.valType)}
	case 0x6e:
		return &FlagsType{Labels: vec(d, 1, "flags", d.name)}
	case 0x6d:
		return &EnumType{Labels: vec(d, 1, "enum cases", d.name)}
	case 0x6b:
		return &OptionType{Elem: d.valType()}
	case 0x6a:
		return &ResultType{Ok: d.optValType(), Err: d.optValType()}
	case 0x69:
		return &OwnType{Resource: d.u32()}
	case 0x68:
		return &BorrowType{Resource: d.u32()}
	case 0x66:
		return &StreamType{Elem: d.optValType()}
	case 0x65:
		return &FutureType{Elem: d.optValType()}
	case 0x63:
		return &MapType{Key: d.valType(), Value: d.valType()}
	}
	if !isPrimitive(c) {
		d.failAt(at, "invalid leading byte 0x%02x for component type", c)
	}
	return &PrimType{Primitive: c}
}

// labelled reads a vector of labels with types.
func (d *decoder) labelled() []NamedType {
	return vec(d, 2, "labelled types", func() NamedType {
		name, v := d.name(), d.valType()
		return NamedType{Name: name, Type: &v}
	})
}

func (d *decoder) variantCase() NamedType {
	c := NamedType{Name: d.name(), Type: d.optValType()}
	d.expect(0x00, "variant case")
	return c
}

func (d *decoder) funcType(async bool) *FuncType {
	t := &FuncType{Async: async, Params: d.labelled()}
	t.Result = d.resultList()
	return t
}

// resultList reads resultlist; nil means no result.
func (d *decoder) resultList() *ValType {
	if !d.flag("result list") {
		v := d.valType()
		return &v
	}
	d.expect(0x00, "result list")
	return nil
}

func (d *decoder) resourceType() *ResourceType {
	t := &ResourceType{Rep: d.coreValType()}
	if d.flag("resource destructor") {
		i := d.u32()
		t.Dtor = &i
	}
	return t
}

func (d *decoder) componentDecl() Def {
	if c, ok := d.peek(); ok && c == 0x03 {
		d.pos++
		return d.importDef()
	}
	return d.instanceDecl()
}

func (d *decoder) instanceDecl() Def {
	at := d.pos
	switch c := d.byte(); c {
	case 0x00:
		return d.coreType()
	case 0x01:
		return d.typeDef()
	case 0x02:
		return d.alias()
	case 0x04:
		d.take(&d.left.Externs, 1, "imports and exports")
		return &ExportDecl{At: d.at(), Name: d.externName(), Desc: d.externDesc()}
	default:
		d.failAt(at, "invalid leading byte 0x%02x for declaration", c)
	}
	return nil
}
