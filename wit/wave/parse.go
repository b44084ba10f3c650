package wave

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/lathhost/lath/wit"
)

// Parse reads a text that is one value of type t, with nothing but blanks and
// comments around it. Errors are [*Error].
func Parse(t *wit.Type, s string) (wit.Value, error) {
	if len(s) > MaxText {
		return wit.Value{}, tooLong(s)
	}
	values := MaxValues
	return parseWhole(t, s, 0, len(s), "", &values)
}

func tooLong(s string) error {
	return errorAt("", 0, "", fmt.Sprintf("at most %d bytes of text", MaxText), strconv.Itoa(len(s)))
}

// parseWhole reads the value that is src[from:to].
func parseWhole(t *wit.Type, src string, from, to int, context string, values *int) (wit.Value, error) {
	p := parser{lex: lexer{src: src, pos: from, end: to}, context: context, values: values}
	p.advance()
	var v wit.Value
	p.value(t, &v)
	if p.err == nil && p.tok.kind != tokenEnd {
		p.fail(p.tok.pos, "the end after the value", p.tok.String())
	}
	return v, p.err
}

// parser reads values. The first error sticks and ends every loop.
type parser struct {
	lex     lexer
	tok     token // the next one
	err     error
	context string // of errors
	values  *int   // how many more may be read
}

func (p *parser) advance() token {
	t := p.tok
	if p.err != nil {
		return t
	}
	next, err := p.lex.next()
	if err != nil {
		p.err = err
		if e, ok := errors.AsType[*Error](err); ok {
			e.Context = p.context
		}
		next = token{pos: t.pos}
	}
	p.tok = next
	return t
}

func (p *parser) fail(pos int, want, got string) {
	if p.err == nil {
		p.err = errorAt(p.lex.src, pos, p.context, want, got)
	}
}

// wrong reports that the next token does not begin a t.
func (p *parser) wrong(t *wit.Type) { p.fail(p.tok.pos, describe(t), p.tok.String()) }

func (p *parser) is(kind tokenKind) bool { return p.err == nil && p.tok.kind == kind }

// keyword reports whether the next token is that keyword.
func (p *parser) keyword(word string) bool { return p.is(tokenLabel) && p.tok.text == word }

func (p *parser) accept(kind tokenKind) bool {
	if !p.is(kind) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) expect(kind tokenKind) {
	if !p.accept(kind) {
		p.fail(p.tok.pos, `"`+string(rune(kind))+`"`, p.tok.String())
	}
}

func (p *parser) value(t *wit.Type, v *wit.Value) {
	if p.err != nil {
		return
	}
	if *p.values--; *p.values < 0 {
		p.fail(p.tok.pos, fmt.Sprintf("at most %d values", MaxValues), "more")
		return
	}
	switch t.Kind {
	case wit.KindRecord:
		p.record(t, v)
	case wit.KindVariant, wit.KindEnum:
		p.variant(t, v)
	case wit.KindTuple:
		p.tuple(t, v)
	case wit.KindFlags:
		p.flags(t, v)
	case wit.KindOption:
		p.option(t, v)
	case wit.KindResult:
		p.result(t, v)
	case wit.KindList, wit.KindMap:
		p.list(t, v)
	case wit.KindFixedList:
		p.fixedList(t, v)
	case wit.KindStream:
		p.stream(t, v)
	case wit.KindOwn, wit.KindBorrow, wit.KindFuture, wit.KindErrorContext:
		p.fail(p.tok.pos, "", fmt.Sprintf("type %s, whose values have no text", t))
	default:
		p.scalar(t, v)
	}
}

func (p *parser) scalar(t *wit.Type, v *wit.Value) {
	switch t.Kind {
	case wit.KindBool:
		switch {
		case p.keyword("true"):
			v.Bits = 1
		case !p.keyword("false"):
			p.wrong(t)
		}
		p.advance()
	case wit.KindF32, wit.KindF64:
		p.float(t, v)
	case wit.KindChar:
		if !p.is(tokenChar) {
			p.wrong(t)
			return
		}
		r, at, err := decodeChar(p.tok.text)
		p.literal(at, err)
		v.Bits = uint64(r)
	case wit.KindString:
		p.text(t, v)
	default:
		p.integer(t, v)
	}
}

// literal passes a literal, or reports what is wrong at an offset of it.
func (p *parser) literal(at int, err error) {
	if err != nil {
		p.fail(p.tok.pos+at, "", err.Error())
	}
	p.advance()
}

func (p *parser) text(t *wit.Type, v *wit.Value) {
	var at int
	var err error
	switch {
	case p.is(tokenString):
		v.Str, at, err = decodeString(p.tok.text)
	case p.is(tokenMultiline):
		v.Str, at, err = decodeMultiline(p.tok.text)
	default:
		p.wrong(t)
		return
	}
	p.literal(at, err)
}

func (p *parser) integer(t *wit.Type, v *wit.Value) {
	if !p.is(tokenNumber) || strings.ContainsAny(p.tok.text, ".eEf") {
		p.wrong(t)
		return
	}
	bits := int(8 * t.Size)
	var err error
	var low, high string
	switch t.Kind {
	case wit.KindU8, wit.KindU16, wit.KindU32, wit.KindU64:
		text := p.tok.text
		if text == "-0" {
			text = "0"
		}
		v.Bits, err = strconv.ParseUint(text, 10, bits)
		low, high = "0", strconv.FormatUint(math.MaxUint64>>(64-bits), 10)
	default:
		var n int64
		n, err = strconv.ParseInt(p.tok.text, 10, bits)
		v.Bits = uint64(n)
		low, high = strconv.FormatInt(math.MinInt64>>(64-bits), 10), strconv.FormatInt(math.MaxInt64>>(64-bits), 10)
	}
	if err != nil {
		p.fail(p.tok.pos, fmt.Sprintf("%s (%s to %s)", describe(t), low, high), p.tok.String())
	}
	p.advance()
}

func (p *parser) float(t *wit.Type, v *wit.Value) {
	var f float64
	switch {
	case p.keyword("nan"):
		f = math.NaN()
	case p.keyword("inf"):
		f = math.Inf(1)
	case p.is(tokenNumber) && p.tok.text == "-inf":
		f = math.Inf(-1)
	case p.is(tokenNumber):
		var err error
		if f, err = strconv.ParseFloat(p.tok.text, int(8*t.Size)); err != nil {
			p.fail(p.tok.pos, describe(t), p.tok.String()+", which is out of its range")
		}
	default:
		p.wrong(t)
	}
	v.Bits = floatBits(t, f)
	p.advance()
}

// floatBits makes every NaN the canonical one.
func floatBits(t *wit.Type, f float64) uint64 {
	switch {
	case t.Kind == wit.KindF32 && f != f:
		return 0x7fc00000
	case t.Kind == wit.KindF32:
		return uint64(math.Float32bits(float32(f)))
	case f != f:
		return 0x7ff8000000000000
	}
	return math.Float64bits(f)
}
