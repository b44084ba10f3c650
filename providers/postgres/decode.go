package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	contract "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// decoder makes values of one type.
type decoder struct {
	// textual asks the server for text, in place of binary form.
	textual bool
	// decode makes a value of what is never NULL. decimals are those of money.
	decode func(raw []byte, decimals int) (contract.PgValue, error)
}

func text(wrap func(string) contract.PgValue) decoder {
	return decoder{textual: true, decode: func(raw []byte, _ int) (contract.PgValue, error) {
		r := &reader{b: raw}
		return wrap(r.text()), r.end()
	}}
}

func single[T any](wrap func(T) contract.PgValue, read func(*reader) T) decoder {
	return decoder{decode: func(raw []byte, _ int) (contract.PgValue, error) {
		r := &reader{b: raw}
		v := read(r)
		return wrap(v), r.end()
	}}
}

func array[T any](wrap func([]T) contract.PgValue, oid uint32, read func(*reader) T) decoder {
	return decoder{decode: func(raw []byte, _ int) (contract.PgValue, error) {
		r := &reader{b: raw}
		list := readArray(r, oid, read)
		return wrap(list), r.end()
	}}
}

var (
	errMalformed = errors.New("the server sent a value that is not of its type's form")
	errNull      = errors.New("the array has null in it, which the interface has no room for: select array_remove(COLUMN, NULL) or COLUMN::text")
	errRange     = errors.New("the range is empty or has no end, which the interface has no room for: select lower(COLUMN), upper(COLUMN) or COLUMN::text")
	errShape     = errors.New("the array has more than one dimension, which the interface has no room for: select COLUMN::text")
)

// reader takes a value's binary form apart. After an error all that it reads is 0 or
// empty.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// end returns what went wrong, also that something is left.
func (r *reader) end() error {
	if len(r.b) > 0 {
		r.fail(errMalformed)
	}
	return r.err
}

// take returns the next n bytes; nil: there are not so many.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail(errMalformed)
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// fixed is take for what a number is made of.
func (r *reader) fixed(n int) []byte {
	if b := r.take(n); b != nil {
		return b
	}
	return make([]byte, n)
}

func (r *reader) byte() byte     { return r.fixed(1)[0] }
func (r *reader) bool() bool     { return r.byte() != 0 }
func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16(r.fixed(2)) }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.fixed(4)) }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.fixed(8)) }
func (r *reader) int16() int16   { return int16(r.uint16()) }
func (r *reader) int32() int32   { return int32(r.uint32()) }
func (r *reader) int64() int64   { return int64(r.uint64()) }

func (r *reader) float() float64 { return math.Float64frombits(r.uint64()) }

func (r *reader) float32() contract.HashableF32 { return hashable32(math.Float32frombits(r.uint32())) }
func (r *reader) float64() contract.HashableF64 { return hashable64(r.float()) }

// count is a number of things of at least size bytes each, all of which are there.
func (r *reader) count(size int) int {
	n := r.int32()
	if n < 0 || int64(n)*int64(size) > int64(len(r.b)) {
		r.fail(errMalformed)
		return 0
	}
	return int(n)
}

// bytes is all that is left, as the caller's own.
func (r *reader) bytes() []byte {
	b := append([]byte{}, r.b...)
	r.b = nil
	return b
}

// text is all that is left. A database of encoding SQL_ASCII keeps any bytes.
func (r *reader) text() string {
	s := string(r.b)
	r.b = nil
	if !utf8.ValidString(s) {
		r.fail(errors.New("the text is not UTF-8, which the interface's strings are: select convert_to or a cast to bytea"))
		return ""
	}
	return s
}

// readArray reads an array of one dimension, or an empty one.
func readArray[T any](r *reader, oid uint32, read func(*reader) T) []T {
	dimensions, _, element := r.int32(), r.int32(), r.uint32()
	switch {
	case r.err != nil:
		return nil
	case element != oid:
		r.fail(errMalformed)
		return nil
	case dimensions == 0:
		return []T{}
	case dimensions != 1:
		r.fail(errShape)
		return nil
	}
	n := r.count(4)                     // of an element, its length is there at least
	r.int32()                           // its first index
	list := make([]T, 0, min(n, 1<<10)) // grown by what is there
	for range n {
		size := r.int32()
		if r.err == nil && size == -1 {
			r.fail(errNull)
		}
		one := &reader{b: r.take(int(size))}
		v := read(one)
		if err := one.end(); err != nil {
			r.fail(err)
		}
		if r.err != nil {
			return nil
		}
		list = append(list, v)
	}
	return list
}

// decodeNumericArray reads the text of one, in which nothing is ever quoted.
func decodeNumericArray(raw []byte, _ int) (contract.PgValue, error) {
	s, ok := strings.CutPrefix(string(raw), "{")
	s, end := strings.CutSuffix(s, "}")
	switch {
	case !ok || !end || strings.ContainsAny(s, "{}"):
		// Of two dimensions, or with first indices before it.
		return contract.PgValue{}, errShape
	case s == "":
		return contract.NewPgValueNumericArray([]string{}), nil
	}
	list := strings.Split(s, ",")
	for _, n := range list {
		if n == "NULL" {
			return contract.PgValue{}, errNull
		}
		if n == "" || !utf8.ValidString(n) {
			return contract.PgValue{}, errMalformed
		}
	}
	return contract.NewPgValueNumericArray(list), nil
}

func decodeMoney(raw []byte, decimals int) (contract.PgValue, error) {
	r := &reader{b: raw}
	amount := r.money(decimals)
	return contract.NewPgValueMoney(amount), r.end()
}

func decodeMoneyArray(raw []byte, decimals int) (contract.PgValue, error) {
	r := &reader{b: raw}
	list := readArray(r, moneyOID, func(r *reader) string { return r.money(decimals) })
	return contract.NewPgValueMoneyArray(list), r.end()
}

// money writes an amount that the server counts in smallest units.
func (r *reader) money(decimals int) string {
	n := r.int64()
	sign, units := "", uint64(n)
	if n < 0 {
		sign, units = "-", -units
	}
	digits := fmt.Sprintf("%0*d", decimals+1, units)
	if decimals == 0 {
		return sign + digits
	}
	at := len(digits) - decimals
	return sign + digits[:at] + "." + digits[at:]
}
