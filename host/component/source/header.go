package source

import "path"

// header is the head of one unit's line table.
type header struct {
	start   int // of the unit, in the section
	end     int
	program int // where the unit's program starts
	tables  int // where the tables of directories and files start
	version uint16
	size    int // of an offset: 4 or 8

	lineBase   int8
	lineRange  byte
	minLength  byte
	opcodeBase byte
	lengths    []byte // how many arguments the standard opcodes have
}

// The versions that are read.
const (
	oldest = 2
	newest = 5
)

// parseHeader reads the head of the unit at start. A unit that cannot be read
// has no program; ok is false where not even its end is known.
func (t *Table) parseHeader(start int) (h header, ok bool) {
	r := reader{b: t.line, pos: start}
	h.start, h.size = start, 4
	length := r.uint(4)
	if length == 0xffffffff {
		h.size, length = 8, r.uint(8)
	}
	if r.bad || length == 0 || length > uint64(r.left()) {
		return h, false
	}
	h.end = r.pos + int(length)
	h.program = h.end
	r.b = r.b[:h.end]
	h.version = uint16(r.uint(2))
	if h.version < oldest || h.version > newest {
		return h, true
	}
	if h.version >= 5 {
		r.bytes(2) // sizes of an address and of a segment selector
	}
	program := r.uint(h.size)
	if program > uint64(r.left()) {
		return h, true
	}
	program += uint64(r.pos)
	h.minLength = r.u8()
	if h.version >= 4 {
		r.u8() // operations of an instruction: one
	}
	r.u8() // whether rows begin as statements
	h.lineBase, h.lineRange, h.opcodeBase = int8(r.u8()), r.u8(), r.u8()
	if h.opcodeBase > 0 {
		h.lengths = r.bytes(uint64(h.opcodeBase) - 1)
	}
	h.tables = r.pos
	if !r.bad && h.lineRange > 0 && h.opcodeBase > 0 && r.pos <= int(program) {
		h.program = int(program)
	}
	return h, true
}

// file returns the name of a file of the unit, with its directory if that is
// not the one of the compilation.
func (t *Table) file(h *header, n uint64) string {
	if h.program-h.tables > maxTables {
		return ""
	}
	r := reader{b: t.line[:h.program], pos: h.tables}
	if h.version >= 5 {
		return t.file5(h, &r, n)
	}
	dirs := r
	for len(r.text()) > 0 { // directories
	}
	for ; n > 0 && !r.bad; n-- {
		name, dir := r.text(), r.uleb()
		r.uleb() // when it was changed
		r.uleb() // its length
		switch {
		case len(name) == 0:
			return ""
		case n == 1 && !r.bad:
			return join(dirs.nth(dir), string(name))
		}
	}
	return ""
}

// nth returns the string of that number, counted from 1, in a list that ends in
// an empty one.
func (r *reader) nth(n uint64) string {
	for ; n > 0; n-- {
		s := r.text()
		if len(s) == 0 {
			break
		}
		if n == 1 {
			return string(s)
		}
	}
	return ""
}

func (t *Table) file5(h *header, r *reader, n uint64) string {
	format := readFormat(r)
	dirs := *r
	dirCount := dirs.uleb()
	skip(h, r, format, r.uleb())
	files := readFormat(r)
	if n >= r.uleb() {
		return ""
	}
	skip(h, r, files, n)
	e := readEntry(h, r, files)
	if r.bad {
		return ""
	}
	name := t.path(&e)
	if e.dir == 0 || e.dir >= dirCount {
		return name
	}
	skip(h, &dirs, format, e.dir)
	dir := readEntry(h, &dirs, format)
	return join(t.path(&dir), name)
}

func join(dir, name string) string {
	if dir == "" || path.IsAbs(name) {
		return name
	}
	return path.Join(dir, name)
}

// field is how an entry of version 5's tables has one of its parts.
type field struct{ content, form uint64 }

func readFormat(r *reader) []field {
	list := make([]field, r.u8())
	for i := range list {
		list[i] = field{r.uleb(), r.uleb()}
	}
	return list
}

// skip passes over n entries. Each takes a byte at least, or is not there.
func skip(h *header, r *reader, format []field, n uint64) {
	for ; n > 0 && !r.bad && len(format) > 0; n-- {
		readEntry(h, r, format)
	}
}

// entry is what counts of an entry: its directory, and where its path is.
type entry struct {
	form uint64 // of the path
	text []byte // the path of form string
	at   uint64 // where else it is
	dir  uint64
}

// The contents and forms of entries that are known.
const (
	contentPath = 1
	contentDir  = 2

	formData2    = 0x05
	formData4    = 0x06
	formData8    = 0x07
	formString   = 0x08
	formBlock    = 0x09
	formData1    = 0x0b
	formStrp     = 0x0e
	formUdata    = 0x0f
	formData16   = 0x1e
	formLineStrp = 0x1f
)

func readEntry(h *header, r *reader, format []field) (e entry) {
	for _, f := range format {
		var text []byte
		var number uint64
		switch f.form {
		case formString:
			text = r.text()
		case formStrp, formLineStrp:
			number = r.uint(h.size)
		case formUdata:
			number = r.uleb()
		case formData1:
			number = uint64(r.u8())
		case formData2:
			number = r.uint(2)
		case formData4:
			number = r.uint(4)
		case formData8:
			number = r.uint(8)
		case formData16:
			r.bytes(16)
		case formBlock:
			r.bytes(r.uleb())
		default:
			r.bad = true
		}
		switch f.content {
		case contentPath:
			e.form, e.text, e.at = f.form, text, number
		case contentDir:
			e.dir = number
		}
	}
	return e
}

// path returns the path of an entry.
func (t *Table) path(e *entry) string {
	section := t.str
	switch e.form {
	case formLineStrp:
		section = t.lineStr
	case formStrp:
	default:
		return string(e.text)
	}
	if e.at >= uint64(len(section)) {
		return ""
	}
	r := reader{b: section, pos: int(e.at)}
	return string(r.text())
}
