package postgres

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

func (r *reader) vector() []int16 { return readArray(r, pgtype.Int2OID, (*reader).int16) }

// bits and texts

func (r *reader) bits() contract.TupleU32Bytes {
	n := r.int32()
	b := r.bytes()
	if n < 0 || int64(len(b)) != (int64(n)+7)/8 {
		r.fail(errMalformed)
	}
	return contract.TupleU32Bytes{F0: uint32(n), F1: b}
}

func (r *reader) varbits() contract.TupleOptionU32Bytes {
	b := r.bits()
	return contract.TupleOptionU32Bytes{F0: wit.Some(b.F0), F1: b.F1}
}

func (r *reader) char() contract.TupleU32Bytes {
	b := r.bytes()
	return contract.TupleU32Bytes{F0: uint32(len(b)), F1: b}
}

// varchar has no limit: the server does not say with a value what it was.
func (r *reader) varchar() contract.TupleOptionU32Bytes {
	return contract.TupleOptionU32Bytes{F1: r.bytes()}
}

func (r *reader) jsonb() string {
	if r.byte() != 1 {
		r.fail(errMalformed)
	}
	return r.text()
}

func (r *reader) uuid() string {
	text := make([]byte, 0, 36)
	for i, n := range []int{4, 2, 2, 2, 6} {
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, r.fixed(n))
	}
	return string(text)
}

// addresses

func (r *reader) network() string { return r.prefix().String() }

// address is written with its network only where that is more than itself.
func (r *reader) address() string {
	p := r.prefix()
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func (r *reader) prefix() netip.Prefix {
	family, bits := r.byte(), int(r.byte())
	r.byte() // whether it is a network: the type says so
	size := int(r.byte())
	// The numbers of the families are the server's own.
	if family != 2 && family != 3 || family == 2 && size != 4 || family == 3 && size != 16 || bits > 8*size {
		r.fail(errMalformed)
	}
	addr, ok := netip.AddrFromSlice(r.take(size))
	if !ok {
		r.fail(errMalformed)
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr, bits)
}

func (r *reader) mac48() contract.MacAddressEui48 {
	return contract.MacAddressEui48{Bytes: [6]byte(r.fixed(6))}
}

func (r *reader) mac64() contract.MacAddressEui64 {
	return contract.MacAddressEui64{Bytes: [8]byte(r.fixed(8))}
}

// shapes

func (r *reader) point() contract.Point { return contract.Point{r.float64(), r.float64()} }

func (r *reader) segment() [2]contract.Point { return [2]contract.Point{r.point(), r.point()} }

// box has the upper right corner first on the wire.
func (r *reader) box() [2]contract.Point {
	upper, lower := r.point(), r.point()
	return [2]contract.Point{lower, upper}
}

func (r *reader) points() []contract.Point {
	n := r.count(16)
	list := make([]contract.Point, n)
	for i := range list {
		list[i] = r.point()
	}
	return list
}

func (r *reader) path() []contract.Point {
	r.byte() // whether it is closed
	return r.points()
}

func (r *reader) circle() contract.TupleHashableF64X2Radius {
	return contract.TupleHashableF64X2Radius{F0: r.point(), F1: contract.Radius(r.float64())}
}

// line is two points of the line ax + by + c = 0.
func (r *reader) line() [2]contract.Point {
	a, b, c := r.float(), r.float(), r.float()
	at := func(x, y float64) contract.Point { return contract.Point{hashable64(x), hashable64(y)} }
	if b == 0 {
		return [2]contract.Point{at(-c/a, 0), at(-c/a, 1)}
	}
	return [2]contract.Point{at(0, -c/b), at(1, -(a+c)/b)}
}

// times

// epoch is the day from which the server counts, in seconds of Unix.
const epoch = 946_684_800

const microsPerDay = secondsPerDay * 1_000_000

func (r *reader) date() contract.Date {
	switch days := r.int32(); days {
	case 1<<31 - 1:
		return contract.Date{Tag: contract.DatePositiveInfinity}
	case -1 << 31:
		return contract.Date{Tag: contract.DateNegativeInfinity}
	default:
		return dayOf(int64(days))
	}
}

func dayOf(days int64) contract.Date {
	y, m, d := time.Unix(days*secondsPerDay+epoch, 0).UTC().Date()
	return contract.Date{Tag: contract.DateYmd, Ymd: contract.TupleS32U32U32{F0: int32(y), F1: uint32(m), F2: uint32(d)}}
}

func (r *reader) time() contract.Time {
	micros := r.int64()
	if micros < 0 || micros > microsPerDay {
		r.fail(errMalformed)
		micros = 0
	}
	return timeOf(micros)
}

func timeOf(micros int64) contract.Time {
	seconds := micros / 1_000_000
	return contract.Time{Hour: uint32(seconds / 3600), Min: uint32(seconds / 60 % 60), Sec: uint32(seconds % 60), Micro: uint32(micros % 1_000_000)}
}

func (r *reader) timeTz() contract.TimeTz {
	t := r.time()
	west := int64(r.int32())
	if west <= -secondsPerDay || west >= secondsPerDay {
		r.fail(errMalformed)
		west = 0
	}
	return contract.TimeTz{Timesonze: formatOffset(-west), Time: t}
}

func (r *reader) timestamp() contract.Timestamp {
	micros := r.int64()
	switch micros {
	case 1<<63 - 1:
		return contract.Timestamp{Date: contract.Date{Tag: contract.DatePositiveInfinity}}
	case -1 << 63:
		return contract.Timestamp{Date: contract.Date{Tag: contract.DateNegativeInfinity}}
	}
	days, rest := micros/microsPerDay, micros%microsPerDay
	if rest < 0 {
		days, rest = days-1, rest+microsPerDay
	}
	return contract.Timestamp{Date: dayOf(days), Time: timeOf(rest)}
}

// timestampTz is in UTC, which v1's provider says to be west by nothing.
func (r *reader) timestampTz() contract.TimestampTz {
	return contract.TimestampTz{Timestamp: r.timestamp(), Offset: contract.Offset{Tag: contract.OffsetWesternHemisphereSecs}}
}

// Flags of a range.
const (
	rangeEmpty          = 1 << 0
	rangeStartInclusive = 1 << 1
	rangeEndInclusive   = 1 << 2
	rangeUnbounded      = 1<<3 | 1<<4
)

func (r *reader) dates() contract.Interval {
	flags := r.byte()
	if flags&(rangeEmpty|rangeUnbounded) != 0 {
		r.fail(errRange)
		return contract.Interval{}
	}
	bound := func() contract.Date {
		if r.int32() != 4 {
			r.fail(errMalformed)
		}
		return r.date()
	}
	start, end := bound(), bound()
	return contract.Interval{Start: start, StartInclusive: flags&rangeStartInclusive != 0, End: end, EndInclusive: flags&rangeEndInclusive != 0}
}

// what the database counts by

func (r *reader) snapshot() contract.TupleS64S64ListS64 {
	n := r.int32()
	v := contract.TupleS64S64ListS64{F0: r.int64(), F1: r.int64()}
	if n < 0 || int64(n)*8 != int64(len(r.b)) {
		r.fail(errMalformed)
		return v
	}
	v.F2 = make([]int64, n)
	for i := range v.F2 {
		v.F2[i] = r.int64()
	}
	return v
}

// words and names

// lexemes has a lexeme for each place of a word.
func (r *reader) lexemes() []contract.Lexeme {
	list := []contract.Lexeme{}
	for range r.count(3) { // the end of the word, and how many places
		at := bytes.IndexByte(r.b, 0)
		word := r.sized(at)
		r.take(1)
		places := int(r.uint16())
		if places*2 > len(r.b) {
			r.fail(errMalformed)
		}
		if r.err != nil {
			return nil
		}
		if places == 0 {
			list = append(list, contract.Lexeme{Data: word})
		}
		for range places {
			p := r.uint16()
			// D is 0 on the wire, and A is in the contract.
			weight := contract.LexemeWeightD - contract.LexemeWeight(p>>14)
			list = append(list, contract.Lexeme{Position: wit.Some(p & (1<<14 - 1)), Weight: wit.Some(weight), Data: word})
		}
	}
	return list
}

func (r *reader) hstore() []contract.TupleStringOptionString {
	n := r.count(8) // two lengths
	list := make([]contract.TupleStringOptionString, 0, n)
	for range n {
		pair := contract.TupleStringOptionString{F0: r.sized(int(r.int32()))}
		if size := r.int32(); size != -1 {
			pair.F1 = wit.Some(r.sized(int(size)))
		}
		if r.err != nil {
			return nil
		}
		list = append(list, pair)
	}
	return list
}

func (r *reader) sized(n int) string {
	one := &reader{b: r.take(n)}
	s := one.text()
	if one.err != nil {
		r.fail(one.err)
	}
	return s
}
