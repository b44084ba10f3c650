package wave

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lathhost/lath/wit"
)

// sequence reads items between brackets, separated by commas, with an optional
// comma after the last; the opening bracket is next.
func (p *parser) sequence(closing tokenKind, item func()) {
	p.advance()
	for !p.accept(closing) && p.err == nil {
		item()
		if !p.accept(',') && !p.is(closing) {
			p.fail(p.tok.pos, `"," or "`+string(rune(closing))+`"`, p.tok.String())
		}
	}
}

func (p *parser) list(t *wit.Type, v *wit.Value) {
	if !p.is('[') {
		p.wrong(t)
		return
	}
	p.sequence(']', func() {
		v.Elems = append(v.Elems, wit.Value{})
		p.value(t.Elem, &v.Elems[len(v.Elems)-1])
	})
}

func (p *parser) fixedList(t *wit.Type, v *wit.Value) {
	pos := p.tok.pos
	p.list(t, v)
	if len(v.Elems) != int(t.Len) {
		p.fail(pos, describe(t), fmt.Sprintf("%d elements", len(v.Elems)))
	}
}

// stream reads a list as the complete contents.
func (p *parser) stream(t *wit.Type, v *wit.Value) {
	if t.Elem == nil {
		p.fail(p.tok.pos, "", "a stream without a type, whose values have no text")
		return
	}
	p.list(t, v)
	v.Bits = uint64(len(v.Elems))
}

func (p *parser) tuple(t *wit.Type, v *wit.Value) {
	if !p.is('(') {
		p.wrong(t)
		return
	}
	pos := p.tok.pos
	v.Elems = make([]wit.Value, len(t.Fields))
	n := 0
	p.sequence(')', func() {
		if n == len(t.Fields) {
			p.fail(p.tok.pos, fmt.Sprintf("the %d values of %s", n, describe(t)), "another one")
			return
		}
		p.value(t.Fields[n].Type, &v.Elems[n])
		n++
	})
	if n < len(t.Fields) {
		p.fail(pos, describe(t), fmt.Sprintf("%d of %d values", n, len(t.Fields)))
	}
}

func (p *parser) record(t *wit.Type, v *wit.Value) {
	if !p.is('{') {
		p.wrong(t)
		return
	}
	open := p.tok.pos
	v.Elems = make([]wit.Value, len(t.Fields))
	seen := make([]bool, len(t.Fields))
	outer := p.context
	none := false
	p.sequence('}', func() {
		if !none && !slices.Contains(seen, true) && p.accept(':') { // {:}
			none = true
			if !p.is('}') {
				p.fail(p.tok.pos, `"}" after "{:"`, p.tok.String())
			}
			return
		}
		p.field(t, v, seen)
		p.context = outer
	})
	if p.err != nil {
		return
	}
	var missing []string
	for i, f := range t.Fields {
		if !seen[i] && f.Type.Kind != wit.KindOption {
			missing = append(missing, f.Name)
		}
	}
	switch {
	case len(missing) > 0:
		p.fail(open, describe(t), "no field "+strings.Join(missing, ", "))
	case !none && !slices.Contains(seen, true):
		p.fail(open, describe(t), `"{}", which is a value of flags: an empty record is "{:}"`)
	}
}

func (p *parser) field(t *wit.Type, v *wit.Value, seen []bool) {
	pos := p.tok.pos
	name := p.label("a field of " + describe(t))
	i := slices.IndexFunc(t.Fields, func(f wit.Field) bool { return f.Name == name })
	switch {
	case p.err != nil:
		return
	case i < 0:
		p.fail(pos, "a field of "+describe(t), `"`+name+`"`)
		return
	case seen[i]:
		p.fail(pos, "", fmt.Sprintf("field %q twice", name))
		return
	}
	seen[i] = true
	p.expect(':')
	p.context = fmt.Sprintf("field %q", name)
	p.value(t.Fields[i].Type, &v.Elems[i])
}

// label reads a label, with or without "%".
func (p *parser) label(want string) string {
	if !p.is(tokenLabel) {
		p.fail(p.tok.pos, want, p.tok.String())
		return ""
	}
	return strings.TrimPrefix(p.advance().text, "%")
}

func (p *parser) flags(t *wit.Type, v *wit.Value) {
	if !p.is('{') {
		p.wrong(t)
		return
	}
	p.sequence('}', func() {
		pos := p.tok.pos
		name := p.label("a label of " + describe(t))
		i := slices.Index(t.Labels, name)
		switch {
		case p.err != nil:
		case i < 0:
			p.fail(pos, "a label of "+describe(t), `"`+name+`"`)
		case v.Bits>>i&1 == 1:
			p.fail(pos, "", fmt.Sprintf("label %q twice", name))
		default:
			v.Bits |= 1 << i
		}
	})
}

func (p *parser) variant(t *wit.Type, v *wit.Value) {
	// A keyword is no label: without "%" it cannot name a case.
	if !p.is(tokenLabel) {
		p.wrong(t)
		return
	}
	pos, raw := p.tok.pos, p.tok.text
	i := slices.IndexFunc(t.Cases, func(c wit.Case) bool { return c.Name == strings.TrimPrefix(raw, "%") })
	switch {
	case i < 0:
		p.wrong(t)
		return
	case isKeyword(raw):
		p.fail(pos, describe(t), fmt.Sprintf("keyword %q: write the case as %%%s", raw, raw))
		return
	}
	p.advance()
	v.Bits = uint64(i)
	p.payload(t.Cases[i].Type, raw, v)
}

// payload reads "(value)" where there is a type, and nothing where not.
func (p *parser) payload(t *wit.Type, name string, v *wit.Value) {
	if t == nil {
		if p.is('(') {
			p.fail(p.tok.pos, "", fmt.Sprintf("a payload of %s, which has none", name))
		}
		return
	}
	if !p.is('(') {
		p.fail(p.tok.pos, fmt.Sprintf("%s(%s)", name, describe(t)), p.tok.String())
		return
	}
	p.advance()
	v.Elems = make([]wit.Value, 1)
	p.value(t, &v.Elems[0])
	p.expect(')')
}

// flat reports whether a value of a payload type may stand for the whole.
func flat(t *wit.Type) bool {
	return t != nil && t.Kind != wit.KindOption && t.Kind != wit.KindResult
}

func (p *parser) option(t *wit.Type, v *wit.Value) {
	switch {
	case p.keyword("none"):
		p.advance()
	case p.keyword("some"):
		p.advance()
		v.Bits = 1
		p.payload(t.Elem, "some", v)
	case flat(t.Elem):
		v.Bits, v.Elems = 1, make([]wit.Value, 1)
		p.value(t.Elem, &v.Elems[0])
	default:
		p.wrong(t)
	}
}

func (p *parser) result(t *wit.Type, v *wit.Value) {
	ok := t.Cases[0].Type
	switch {
	case p.keyword("ok"):
		p.advance()
		p.payload(ok, "ok", v)
	case p.keyword("err"):
		p.advance()
		v.Bits = 1
		p.payload(t.Cases[1].Type, "err", v)
	case flat(ok):
		v.Elems = make([]wit.Value, 1)
		p.value(ok, &v.Elems[0])
	default:
		p.wrong(t)
	}
}

func isKeyword(s string) bool {
	switch s {
	case "true", "false", "inf", "nan", "some", "none", "ok", "err":
		return true
	}
	return false
}
