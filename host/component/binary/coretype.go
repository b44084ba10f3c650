package binary

// coreType reads core:type.
func (d *decoder) coreType() *CoreTypeDef {
	t := &CoreTypeDef{At: d.at()}
	c, _ := d.peek()
	switch c {
	case 0x50:
		d.pos++
		d.take(&d.left.Types, 1, "types")
		d.nest(func() { t.Module = d.coreModuleType() })
		return t
	case 0x00: // a subtype that is not final, told from a module type
		d.pos++
		if c, _ := d.peek(); c != 0x50 {
			d.fail("invalid leading byte 0x%02x for core type", c)
		}
	}
	t.Group = d.recGroup()
	return t
}

// recGroup reads core:rectype.
func (d *decoder) recGroup() []CoreType {
	if c, _ := d.peek(); c != 0x4e {
		return []CoreType{d.subType()}
	}
	d.pos++
	return vec(d, 2, "types of a recursion group", d.subType)
}

func (d *decoder) subType() CoreType {
	d.take(&d.left.Types, 1, "types")
	t := CoreType{At: d.at(), Final: true, Form: d.byte()}
	if t.Form == 0x50 || t.Form == 0x4f {
		t.Final = t.Form == 0x4f
		t.Supers = d.indices("supertypes")
		t.Form = d.byte()
	}
	switch t.Form {
	case 0x60:
		t.Params = vec(d, 1, "parameters", d.coreVal)
		t.Results = vec(d, 1, "results", d.coreVal)
	case 0x5f:
		t.Params = vec(d, 2, "fields", d.field)
	case 0x5e:
		t.Params = []CoreVal{d.field()}
	default:
		d.failDef(t, "invalid leading byte 0x%02x for core type", t.Form)
	}
	return t
}

func (d *decoder) field() CoreVal {
	var v CoreVal
	if c, ok := d.peek(); ok && (c == 0x78 || c == 0x77) {
		d.pos++
		v.Code = c
	} else {
		v = d.coreVal()
	}
	v.Mutable = d.flag("mutability")
	return v
}

// shortRef is the difference between the byte of an abstract heap type and its
// value as a signed integer.
const shortRef = 0x80

func isShortRef(c byte) bool { return c >= 0x69 && c <= 0x74 }

// coreVal reads core:valtype.
func (d *decoder) coreVal() CoreVal {
	at := d.pos
	switch c := d.byte(); {
	case c >= 0x7b && c <= 0x7f:
		return CoreVal{Code: c}
	case isShortRef(c):
		return CoreVal{Code: 0x63, Heap: int64(c) - shortRef}
	case c == 0x63 || c == 0x64:
		return CoreVal{Code: c, Heap: d.heapType()}
	default:
		d.failAt(at, "malformed core value type 0x%02x", c)
	}
	return CoreVal{}
}

func (d *decoder) heapType() int64 {
	if c, ok := d.peek(); ok && isShortRef(c) {
		d.pos++
		return int64(c) - shortRef
	}
	return int64(d.index33())
}

// coreValType reads a core value type that can only be a number or vector.
func (d *decoder) coreValType() CoreValType {
	at := d.pos
	c := d.byte()
	if c < 0x7b || c > 0x7f {
		d.failAt(at, "invalid leading byte 0x%02x for core value type", c)
	}
	return CoreValType(c)
}

func (d *decoder) coreRefType() CoreVal {
	at := d.pos
	v := d.coreVal()
	if d.err == nil && v.Code > 0x64 {
		d.failAt(at, "malformed reference type")
	}
	return v
}

// coreExtern reads core:externtype.
func (d *decoder) coreExtern() CoreExtern {
	at := d.pos
	switch c := d.byte(); c {
	case 0x00:
		return CoreExtern{Sort: SortCoreFunc, Type: d.u32()}
	case 0x01:
		return CoreExtern{Sort: SortCoreTable, Val: d.coreRefType(), Limits: d.coreLimits()}
	case 0x02:
		return CoreExtern{Sort: SortCoreMemory, Limits: d.memoryLimits()}
	case 0x03:
		return CoreExtern{Sort: SortCoreGlobal, Val: d.coreVal(), Mutable: d.flag("global mutability")}
	case 0x04:
		return CoreExtern{Sort: SortCoreTag, Type: d.tag()}
	default:
		d.failAt(at, "invalid leading byte 0x%02x for core extern type", c)
	}
	return CoreExtern{}
}

func (d *decoder) tag() uint32 {
	d.expect(0x00, "tag attribute")
	return d.u32()
}

// The bits of a limits byte.
const (
	limitsMax, limitsShared, limits64, limitsPageSize = 1, 2, 4, 8
)

// memoryLimits reads limits with the optional page size of the custom page
// sizes proposal, which is refused with words of its own.
func (d *decoder) memoryLimits() CoreLimits {
	if c, ok := d.peek(); ok && c&limitsPageSize != 0 && c < 2*limitsPageSize {
		d.fail("unsupported: custom page size")
	}
	return d.coreLimits()
}

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
