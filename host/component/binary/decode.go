package binary

// The preambles: magic, then version and layer.
const (
	magic             = "\x00asm"
	moduleVersion     = "\x01\x00\x00\x00"
	componentVersion  = "\x0d\x00\x01\x00"
	preambleLen       = len(magic) + len(componentVersion)
	errCoreModuleText = "this is a core module, not a component: wrap it with `wasm-tools component new` or `jco new`"
)

// Decode reads a component. The result aliases b. Every error is an [*Error].
func Decode(b []byte, lim Limits) (*Component, error) {
	lim = lim.withDefaults()
	if len(b) > lim.Bytes {
		return nil, Errorf(0, "limit exceeded: component of %d bytes, at most %d are allowed", len(b), lim.Bytes)
	}
	d := &decoder{b: b, end: len(b), left: lim}
	c := d.component()
	if d.err != nil {
		return nil, d.err
	}
	return c, nil
}

// component reads a preamble and sections up to d.end.
func (d *decoder) component() *Component {
	c := &Component{Offset: d.pos}
	d.preamble()
	for d.err == nil && d.pos < d.end {
		d.section(c)
	}
	return c
}

func (d *decoder) preamble() {
	at := d.pos
	p := d.b[at:min(d.end, at+preambleLen)]
	switch {
	case len(p) < len(magic) || string(p[:len(magic)]) != magic:
		d.fail("magic header not detected: not a WebAssembly component")
	case len(p) < preambleLen:
		d.fail("unexpected end in the preamble")
	case string(p[len(magic):]) == moduleVersion:
		d.fail(errCoreModuleText)
	case string(p[len(magic):]) != componentVersion:
		d.fail("unknown binary version: % x", p[len(magic):])
	}
	d.pos += preambleLen
}

// section reads one section and checks that its content fills it.
func (d *decoder) section(c *Component) {
	at := d.pos
	id := d.byte()
	size := d.u32()
	if d.err != nil {
		return
	}
	if uint64(size) > uint64(d.end-d.pos) {
		d.fail("unexpected end: section of %d bytes, %d left", size, d.end-d.pos)
		return
	}
	outer := d.end
	d.end = d.pos + int(size)
	d.content(c, id, at)
	if d.err == nil && d.pos != d.end {
		d.fail("section size mismatch: %d bytes left over in section %d", d.end-d.pos, id)
	}
	d.end = outer
}

func (d *decoder) content(c *Component, id byte, at int) {
	switch id {
	case 0: // custom: a name, then anything
		d.name()
		if d.err == nil {
			d.pos = d.end
		}
	case 1:
		d.add(c, d.coreModule())
	case 2:
		d.defs(c, "core instances", func() Def { return d.coreInstance() })
	case 3:
		d.defs(c, "core types", func() Def { return d.coreType() })
	case 4:
		d.nest(func() { d.add(c, &NestedComponent{At: d.at(), Component: d.component()}) })
	case 5:
		d.defs(c, "instances", func() Def { return d.instance() })
	case 6:
		d.defs(c, "aliases", func() Def { return d.alias() })
	case 7:
		d.defs(c, "types", func() Def { return d.typeDef() })
	case 8:
		d.defs(c, "canonical definitions", func() Def { return d.canon() })
	case 9:
		d.add(c, d.start())
	case 10:
		d.defs(c, "imports", func() Def { return d.importDef() })
	case 11:
		d.defs(c, "exports", func() Def { return d.exportDef() })
	case 12:
		d.defs(c, "values", func() Def { return d.value() })
	default:
		d.failAt(at, "malformed section id %d", id)
	}
}

func (d *decoder) add(c *Component, def Def) {
	d.take(&d.left.Items, 1, "items")
	if d.err == nil {
		c.Defs = append(c.Defs, def)
	}
}

func (d *decoder) defs(c *Component, what string, read func() Def) {
	for range d.count(1, what) {
		def := read()
		if d.err != nil {
			return
		}
		c.Defs = append(c.Defs, def)
	}
}

func (d *decoder) start() *Start {
	return &Start{At: d.at(), Func: d.u32(), Args: d.indices("arguments"), Results: d.u32()}
}

func (d *decoder) value() *Value {
	v := &Value{At: d.at(), Type: d.valType()}
	v.Bytes = d.bytes(d.u32())
	return v
}
