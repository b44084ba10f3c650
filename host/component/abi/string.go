package abi

import (
	"unicode/utf8"
	"unsafe"

	"github.com/lathhost/lath/host/component/trap"
)

// tag is the bit of a latin1+utf16 string's length that says UTF-16.
const tag = 1 << 31

// coding is how the code units of one string are made.
type coding uint8

const (
	codeUTF8 coding = iota
	codeUTF16
	codeLatin1
)

func (c coding) unit() uint32 {
	if c == codeUTF16 {
		return 2
	}
	return 1
}

// text is a valid string at rest, in a guest's memory or the host's.
type text struct {
	guest *Guest // nil: host
	host  []byte
	ptr   uint32
	size  uint32 // bytes
	units uint32 // code units
	code  coding
	from  Encoding // of the whole side
}

// bytes returns the string's bytes as they are now; stale when a guest ran.
func (s *text) bytes() []byte {
	if s.guest == nil {
		return s.host
	}
	return s.guest.bytes()[s.ptr:][:s.size]
}

// utf8Region returns the UTF-8 string at ptr, checked. It is the common case of
// loadText without its struct.
func utf8Region(mem []byte, ptr, size uint32) ([]byte, error) {
	if size > MaxStringBytes {
		return nil, tooLong(uint64(size))
	}
	if uint64(ptr)+uint64(size) > uint64(len(mem)) {
		_, err := area(mem, "string", ptr, uint64(size), 1)
		return nil, err
	}
	b := mem[ptr:][:size:size]
	if !utf8.Valid(b) {
		return nil, trap.New(trap.Abi, "string is not valid UTF-8")
	}
	return b, nil
}

func tooLong(size uint64) error {
	return trap.New(trap.Abi, "string is too long: %d bytes", size)
}

// loadText checks a string in memory. Units is as the guest gave it, with tag.
func loadText(g *Guest, enc Encoding, ptr, units uint32) (text, error) {
	s := text{guest: g, ptr: ptr, size: units, units: units, from: enc}
	if enc == UTF8 {
		_, err := utf8Region(g.bytes(), ptr, units)
		return s, err
	}
	s.code = codeUTF16
	if enc == Latin1UTF16 {
		s.units &^= tag
		if units&tag == 0 {
			s.code = codeLatin1
		}
	}
	size := uint64(s.units) * uint64(s.code.unit())
	if size > MaxStringBytes {
		return text{}, tooLong(size)
	}
	b, err := area(g.bytes(), "string", ptr, size, 2)
	if err != nil {
		return text{}, err
	}
	if s.code == codeUTF16 && !validUTF16(b) {
		return text{}, trap.New(trap.Abi, "string is not valid UTF-16")
	}
	s.size = uint32(size)
	return s, nil
}

// hostText wraps UTF-8 bytes of the host, which must be valid.
func hostText(b []byte) (text, error) {
	if len(b) > MaxStringBytes {
		return text{}, tooLong(uint64(len(b)))
	}
	return text{host: b, size: uint32(len(b)), units: uint32(len(b)), from: UTF8}, nil
}

// LiftString copies a string out of guest memory, as UTF-8. Units is its
// length as the guest gave it. The copy counts against g.Budget.
func LiftString(g *Guest, enc Encoding, ptr, units uint32) (string, error) {
	s, err := loadText(g, enc, ptr, units)
	if err != nil {
		return "", err
	}
	b := s.bytes()
	n := lenUTF8(b, s.code)
	if err := g.spend(n); err != nil {
		return "", err
	}
	if s.code == codeUTF8 {
		return string(b), nil
	}
	out := make([]byte, n)
	encodeUTF8(out, b, s.code)
	return unsafe.String(unsafe.SliceData(out), len(out)), nil
}

// LowerString stores s, which must be valid UTF-8, in the guest's memory and
// encoding.
func LowerString(g *Guest, enc Encoding, s string) (ptr, units uint32, err error) {
	if !utf8.ValidString(s) {
		return 0, 0, trap.New(trap.Host, "string for the guest is not valid UTF-8")
	}
	t, err := hostText(unsafe.Slice(unsafe.StringData(s), len(s)))
	if err != nil {
		return 0, 0, err
	}
	return storeText(g, enc, &t)
}

func (g *Guest) spend(n int) error {
	if int64(n) > g.Budget {
		return overBudget()
	}
	g.Budget -= int64(n)
	return nil
}

func overBudget() error {
	return trap.New(trap.Limit, "values take more host memory than one call may")
}

// storeText places s in new memory of g and returns what g is given: pointer
// and length with tag. The calls of realloc are those of the spec, which a
// guest can observe.
func storeText(g *Guest, enc Encoding, s *text) (ptr, units uint32, err error) {
	switch enc {
	case UTF8:
		switch s.code {
		case codeUTF16:
			return storeUTF8(g, s, 3*s.units)
		case codeLatin1:
			return storeUTF8(g, s, 2*s.units)
		}
		return storeCopy(g, s, 1, 1)
	case UTF16:
		if s.code == codeUTF8 {
			return storeUTF16(g, s)
		}
		return storeCopy(g, s, 2, 2)
	}
	switch {
	case s.code == codeLatin1:
		return storeCopy(g, s, 1, 2)
	case s.from == Latin1UTF16:
		return storeMaybeLatin1(g, s)
	}
	return storeLatin1(g, s)
}

// storeCopy keeps the code units, widening Latin-1 to UTF-16.
func storeCopy(g *Guest, s *text, unit, align uint32) (uint32, uint32, error) {
	ptr, dst, err := g.realloc(0, 0, align, s.units*unit)
	if err != nil {
		return 0, 0, err
	}
	if unit != s.code.unit() {
		widen(dst, s.bytes())
	} else {
		copy(dst, s.bytes())
	}
	return ptr, s.units, nil
}

// storeUTF8 hopes for ASCII, and on the first other character makes room for
// the worst case and gives back what was too much.
func storeUTF8(g *Guest, s *text, worst uint32) (uint32, uint32, error) {
	ptr, dst, err := g.realloc(0, 0, 1, s.units)
	if err != nil {
		return 0, 0, err
	}
	ascii := copyASCII(dst, s.bytes(), s.code)
	if ascii == s.units {
		return ptr, s.units, nil
	}
	if ptr, dst, err = g.realloc(ptr, s.units, 1, worst); err != nil {
		return 0, 0, err
	}
	n, ok := encodeUTF8(dst[ascii:], s.bytes()[ascii*s.code.unit():], s.code)
	if !ok {
		return 0, 0, changed()
	}
	size := ascii + uint32(n)
	if size < worst {
		if ptr, _, err = g.realloc(ptr, worst, 1, size); err != nil {
			return 0, 0, err
		}
	}
	return ptr, size, nil
}

// storeUTF16 turns UTF-8 into UTF-16.
func storeUTF16(g *Guest, s *text) (uint32, uint32, error) {
	worst := 2 * s.units
	ptr, dst, err := g.realloc(0, 0, 2, worst)
	if err != nil {
		return 0, 0, err
	}
	n, ok := encodeUTF16(dst, s.bytes(), s.code)
	if !ok {
		return 0, 0, changed()
	}
	if size := uint32(n); size < worst {
		if ptr, _, err = g.realloc(ptr, worst, 2, size); err != nil {
			return 0, 0, err
		}
	}
	return ptr, uint32(n) / 2, nil
}

// storeLatin1 hopes for Latin-1, and on the first other character widens in
// place what it has and goes on in UTF-16.
func storeLatin1(g *Guest, s *text) (uint32, uint32, error) {
	ptr, dst, err := g.realloc(0, 0, 2, s.units)
	if err != nil {
		return 0, 0, err
	}
	read, wrote := copyLatin1(dst, s.bytes(), s.code)
	if read == s.size {
		if wrote < s.units {
			ptr, _, err = g.realloc(ptr, s.units, 2, wrote)
		}
		return ptr, wrote, err
	}
	worst := 2 * s.units
	if ptr, dst, err = g.realloc(ptr, s.units, 2, worst); err != nil {
		return 0, 0, err
	}
	widen(dst[:2*wrote], dst[:wrote])
	n, ok := encodeUTF16(dst[2*wrote:], s.bytes()[read:], s.code)
	if !ok {
		return 0, 0, changed()
	}
	size := 2*wrote + uint32(n)
	if size < worst {
		if ptr, _, err = g.realloc(ptr, worst, 2, size); err != nil {
			return 0, 0, err
		}
	}
	return ptr, size/2 | tag, nil
}

// storeMaybeLatin1 copies UTF-16 of a latin1+utf16 guest, and narrows it in
// place where all of it turns out to be Latin-1.
func storeMaybeLatin1(g *Guest, s *text) (uint32, uint32, error) {
	ptr, dst, err := g.realloc(0, 0, 2, s.size)
	if err != nil {
		return 0, 0, err
	}
	copy(dst, s.bytes())
	if !allLatin1(dst) {
		return ptr, s.units | tag, nil
	}
	narrow(dst[:s.units], dst)
	ptr, _, err = g.realloc(ptr, s.size, 1, s.units)
	return ptr, s.units, err
}

// changed is for a string that is not any more what loadText found: the guest
// changed it during the other's realloc.
func changed() error {
	return trap.New(trap.Abi, "string changed while it was passed")
}
