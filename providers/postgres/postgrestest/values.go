package postgrestest

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	pg "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// Value is a value as it goes to the server and comes from it.
type Value struct {
	// Type is what it is in SQL.
	Type string
	// In is the parameter, and Out the result; the zero Out: as In.
	In, Out pg.PgValue
	// Text is how the server writes it.
	Text string
}

// Float is a number as the contract has it.
func Float(mantissa uint64, exponent int16, sign int8) pg.HashableF64 {
	return pg.HashableF64{F0: mantissa, F1: exponent, F2: sign}
}

// Numbers that geometry is tested with, each as v1's provider takes it apart.
var (
	zero      = Float(0, -1075, 1)
	one       = Float(1<<52, -52, 1)
	two       = Float(1<<52, -51, 1)
	half      = Float(1<<52, -53, 1)
	minusOne  = Float(1<<52, -52, -1)
	oneTwo    = pg.Point{one, two}
	zeroZero  = pg.Point{zero, zero}
	halfMinus = pg.Point{half, minusOne}
	inf64     = Float(1<<52, 972, 1)
	nan64     = Float(1<<52|1<<51, 972, 1)
	inf32     = pg.HashableF32{F0: 1 << 23, F1: 105, F2: -1}
	one32     = pg.HashableF32{F0: 1 << 23, F1: -23, F2: 1}
)

func ymd(y int32, m, d uint32) pg.Date {
	return pg.Date{Tag: pg.DateYmd, Ymd: pg.TupleS32U32U32{F0: y, F1: m, F2: d}}
}

var (
	noon     = pg.Time{Hour: 12, Min: 34, Sec: 56, Micro: 789_012}
	before   = pg.Date{Tag: pg.DateNegativeInfinity}
	after    = pg.Date{Tag: pg.DatePositiveInfinity}
	ides     = ymd(-43, 3, 15)
	someday  = ymd(2024, 2, 29)
	utc      = pg.Offset{Tag: pg.OffsetWesternHemisphereSecs}
	moment   = pg.Timestamp{Date: someday, Time: noon}
	kolkata  = pg.Offset{EasternHemisphereSecs: 19_800}
	newYork  = pg.Offset{Tag: pg.OffsetWesternHemisphereSecs, WesternHemisphereSecs: 18_000}
	mac48    = pg.MacAddressEui48{Bytes: [6]byte{8, 0, 0x2b, 1, 2, 3}}
	mac64    = pg.MacAddressEui64{Bytes: [8]byte{8, 0, 0x2b, 1, 2, 3, 4, 5}}
	anUUID   = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
	awkward  = []string{"", "a b", `"`, `\`, "{},;", "NULL", "null", "'; DROP TABLE t; --", "$1", "ünï\n\t", " "}
	february = pg.Interval{Start: ymd(2024, 2, 1), StartInclusive: true, End: ymd(2024, 3, 1)}
)

func bitsOf(n uint32, b ...byte) pg.TupleU32Bytes { return pg.TupleU32Bytes{F0: n, F1: b} }

func varbitsOf(n uint32, b ...byte) pg.TupleOptionU32Bytes {
	return pg.TupleOptionU32Bytes{F0: wit.Some(n), F1: b}
}

func chars(s string) pg.TupleU32Bytes { return pg.TupleU32Bytes{F0: uint32(len(s)), F1: []byte(s)} }

func varchars(s string) pg.TupleOptionU32Bytes { return pg.TupleOptionU32Bytes{F1: []byte(s)} }

func lexeme(position uint16, weight pg.LexemeWeight, word string) pg.Lexeme {
	return pg.Lexeme{Position: wit.Some(position), Weight: wit.Some(weight), Data: word}
}

// Values has every case of the contract's values at least once.
func Values() []Value {
	var list []Value
	for _, part := range [][]Value{numbers(), texts(), shapes(), times(), others()} {
		list = append(list, part...)
	}
	return list
}

func numbers() []Value {
	return []Value{
		{Type: "int8", In: pg.PgValue{}, Text: ""},
		{Type: "bigint", In: pg.NewPgValueBigInt(math.MinInt64), Out: pg.NewPgValueInt8(math.MinInt64), Text: "-9223372036854775808"},
		{Type: "int8", In: pg.NewPgValueInt8(math.MaxInt64), Text: "9223372036854775807"},
		{Type: "int8[]", In: pg.NewPgValueInt8Array([]int64{1, -2, math.MaxInt64}), Text: "{1,-2,9223372036854775807}"},
		{Type: "int8[]", In: pg.NewPgValueInt8Array([]int64{}), Text: "{}"},
		{Type: "bigint", In: pg.NewPgValueBigSerial(7), Out: pg.NewPgValueInt8(7), Text: "7"},
		{Type: "bigint", In: pg.NewPgValueSerial8(8), Out: pg.NewPgValueInt8(8), Text: "8"},
		{Type: "bool", In: pg.NewPgValueBool(true), Text: "true"},
		{Type: "boolean", In: pg.NewPgValueBoolean(false), Out: pg.NewPgValueBool(false), Text: "false"},
		{Type: "bool[]", In: pg.NewPgValueBoolArray([]bool{true, false}), Text: "{t,f}"},
		{Type: "double precision", In: pg.NewPgValueDouble(half), Out: pg.NewPgValueFloat8(half), Text: "0.5"},
		{Type: "float8", In: pg.NewPgValueFloat8(Float(1<<53-1, 971, -1)), Text: "-1.7976931348623157e+308"},
		{Type: "float8", In: pg.NewPgValueFloat8(Float(2, -1075, 1)), Text: "5e-324"},
		{Type: "float8", In: pg.NewPgValueFloat8(Float(0, -1075, -1)), Text: "-0"},
		{Type: "float8", In: pg.NewPgValueFloat8(pg.HashableF64{}), Out: pg.NewPgValueFloat8(zero), Text: "0"},
		{Type: "float8", In: pg.NewPgValueFloat8(nan64), Text: "NaN"},
		{Type: "float8[]", In: pg.NewPgValueFloat8Array([]pg.HashableF64{inf64, one}), Text: "{Infinity,1}"},
		{Type: "real", In: pg.NewPgValueReal(one32), Out: pg.NewPgValueFloat4(one32), Text: "1"},
		{Type: "float4", In: pg.NewPgValueFloat4(pg.HashableF32{F0: 1<<24 - 1, F1: 104, F2: 1}), Text: "3.4028235e+38"},
		{Type: "float4", In: pg.NewPgValueFloat4(pg.HashableF32{F0: 2, F1: -150, F2: 1}), Text: "1e-45"},
		{Type: "float4[]", In: pg.NewPgValueFloat4Array([]pg.HashableF32{inf32, {F0: 1<<23 | 1<<22, F1: 105, F2: 1}}), Text: "{-Infinity,NaN}"},
		{Type: "integer", In: pg.NewPgValueInteger(math.MinInt32), Out: pg.NewPgValueInt4(math.MinInt32), Text: "-2147483648"},
		{Type: "int", In: pg.NewPgValueInt(5), Out: pg.NewPgValueInt4(5), Text: "5"},
		{Type: "int4", In: pg.NewPgValueInt4(-1), Text: "-1"},
		{Type: "int4[]", In: pg.NewPgValueInt4Array([]int32{1, 2}), Text: "{1,2}"},
		{Type: "numeric", In: pg.NewPgValueNumeric("-12.500"), Text: "-12.500"},
		{Type: "numeric", In: pg.NewPgValueNumeric("NaN"), Text: "NaN"},
		{Type: "numeric", In: pg.NewPgValueNumeric("1e40"), Out: pg.NewPgValueNumeric("1" + zeros(40)), Text: "1" + zeros(40)},
		{Type: "decimal", In: pg.NewPgValueDecimal("0.1"), Out: pg.NewPgValueNumeric("0.1"), Text: "0.1"},
		{Type: "numeric[]", In: pg.NewPgValueNumericArray([]string{"1.5", "-2", "NaN"}), Text: "{1.5,-2,NaN}"},
		{Type: "numeric[]", In: pg.NewPgValueNumericArray([]string{}), Text: "{}"},
		{Type: "int4", In: pg.NewPgValueSerial(9), Out: pg.NewPgValueInt4(9), Text: "9"},
		{Type: "int4", In: pg.NewPgValueSerial4(10), Out: pg.NewPgValueInt4(10), Text: "10"},
		{Type: "smallint", In: pg.NewPgValueSmallInt(math.MinInt16), Out: pg.NewPgValueInt2(math.MinInt16), Text: "-32768"},
		{Type: "int2", In: pg.NewPgValueInt2(3), Text: "3"},
		{Type: "int2[]", In: pg.NewPgValueInt2Array([]int16{1, 2}), Text: "{1,2}"},
		{Type: "int2vector", In: pg.NewPgValueInt2Vector([]int16{1, 2, -3}), Text: "1 2 -3"},
		{Type: "int2vector[]", In: pg.NewPgValueInt2VectorArray([][]int16{{1, 2}, {3}}), Text: `{"1 2",3}`},
		{Type: "int2", In: pg.NewPgValueSmallSerial(4), Out: pg.NewPgValueInt2(4), Text: "4"},
		{Type: "int2", In: pg.NewPgValueSerial2(5), Out: pg.NewPgValueInt2(5), Text: "5"},
		{Type: "money", In: pg.NewPgValueMoney("-1234.5"), Out: pg.NewPgValueMoney("-1234.50"), Text: "-$1,234.50"},
		{Type: "money", In: pg.NewPgValueMoney("-92233720368547758.08"), Text: "-$92,233,720,368,547,758.08"},
		{Type: "money[]", In: pg.NewPgValueMoneyArray([]string{"0.05", "7"}), Out: pg.NewPgValueMoneyArray([]string{"0.05", "7.00"}), Text: "{$0.05,$7.00}"},
		{Type: "money[]", In: pg.NewPgValueMoneyArray([]string{}), Text: "{}"},
	}
}

func zeros(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0'
	}
	return string(b)
}

func texts() []Value {
	return []Value{
		{Type: "bit(11)", In: pg.NewPgValueBit(bitsOf(11, 0b10110100, 0b10100000)), Text: "10110100101"},
		{Type: "bit(3)[]", In: pg.NewPgValueBitArray([]pg.TupleU32Bytes{bitsOf(3, 0b10100000), bitsOf(3, 0)}), Text: "{101,000}"},
		{Type: "bit varying", In: pg.NewPgValueBitVarying(pg.TupleOptionU32Bytes{F1: []byte{0xa5}}), Out: pg.NewPgValueVarbit(varbitsOf(8, 0xa5)), Text: "10100101"},
		{Type: "varbit", In: pg.NewPgValueVarbit(varbitsOf(0)), Out: pg.NewPgValueVarbit(pg.TupleOptionU32Bytes{F0: wit.Some[uint32](0), F1: []byte{}}), Text: ""},
		{Type: "varbit[]", In: pg.NewPgValueVarbitArray([]pg.TupleOptionU32Bytes{varbitsOf(1, 0x80), varbitsOf(9, 1, 0x80)}), Text: "{1,000000011}"},
		{Type: "bytea", In: pg.NewPgValueBytea([]byte{0, 1, '\\', 0xff}), Text: `\x00015cff`},
		{Type: "bytea", In: pg.NewPgValueBytea([]byte{}), Text: `\x`},
		{Type: "bytea[]", In: pg.NewPgValueByteaArray([][]byte{{0xde, 0xad}, {}}), Text: `{"\\xdead","\\x"}`},
		{Type: "char(5)", In: pg.NewPgValueChar(chars("ab")), Out: pg.NewPgValueChar(chars("ab   ")), Text: "ab"},
		{Type: `"char"`, In: pg.NewPgValueChar(chars("x")), Text: "x"},
		{Type: "char(2)[]", In: pg.NewPgValueCharArray([]pg.TupleU32Bytes{chars("ab"), chars("ü ")}), Text: `{ab,"ü "}`},
		{Type: "varchar(9)", In: pg.NewPgValueVarchar(pg.TupleOptionU32Bytes{F0: wit.Some[uint32](3), F1: []byte("abc")}), Out: pg.NewPgValueVarchar(varchars("abc")), Text: "abc"},
		{Type: "varchar[]", In: pg.NewPgValueVarcharArray([]pg.TupleOptionU32Bytes{varchars(""), varchars("NULL")}), Text: `{"","NULL"}`},
		{Type: "text", In: pg.NewPgValueText("'; DROP TABLE t; -- \"\\ ünï"), Text: "'; DROP TABLE t; -- \"\\ ünï"},
		{Type: "text[]", In: pg.NewPgValueTextArray(awkward), Text: "{\"\",\"a b\",\"\\\"\",\"\\\\\",\"{},;\",\"NULL\",\"null\",\"'; DROP TABLE t; --\",$1,\"ünï\n\t\",\" \"}"},
		{Type: "name", In: pg.NewPgValueName("pg_class"), Text: "pg_class"},
		{Type: "name[]", In: pg.NewPgValueNameArray([]string{"a", "b"}), Text: "{a,b}"},
		{Type: "xml", In: pg.NewPgValueXml("<a>ü</a>"), Text: "<a>ü</a>"},
		{Type: "xml[]", In: pg.NewPgValueXmlArray([]string{"<a/>", "<b x=\"1\"/>"}), Text: `{<a/>,"<b x=\"1\"/>"}`},
		{Type: "json", In: pg.NewPgValueJson(`{"a" : [1, null]}`), Text: `{"a" : [1, null]}`},
		{Type: "json[]", In: pg.NewPgValueJsonArray([]string{`{"a":"\\"}`, "1"}), Text: `{"{\"a\":\"\\\\\"}",1}`},
		{Type: "jsonb", In: pg.NewPgValueJsonb(`{"b":1,"a":"x"}`), Out: pg.NewPgValueJsonb(`{"a": "x", "b": 1}`), Text: `{"a": "x", "b": 1}`},
		{Type: "jsonb[]", In: pg.NewPgValueJsonbArray([]string{"[]", `"x"`}), Text: `{[],"\"x\""}`},
		{Type: "uuid", In: pg.NewPgValueUuid(anUUID), Text: anUUID},
		{Type: "uuid[]", In: pg.NewPgValueUuidArray([]string{anUUID}), Text: "{" + anUUID + "}"},
		{Type: "tsquery", In: pg.NewPgValueTsQuery("'fat' & ( 'rat' | !'cat':AB )"), Text: "'fat' & ( 'rat' | !'cat':AB )"},
		{Type: "tsvector", In: pg.NewPgValueTsVector([]pg.Lexeme{lexeme(3, pg.LexemeWeightA, "fat's"), {Data: `ra\t`}, lexeme(1, pg.LexemeWeightD, "fat's"), lexeme(16383, pg.LexemeWeightC, "x")}),
			Out:  pg.NewPgValueTsVector([]pg.Lexeme{lexeme(1, pg.LexemeWeightD, "fat's"), lexeme(3, pg.LexemeWeightA, "fat's"), {Data: `ra\t`}, lexeme(16383, pg.LexemeWeightC, "x")}),
			Text: `'fat''s':1,3A 'ra\\t' 'x':16383C`},
		{Type: "hstore", In: pg.NewPgValueHstore([]pg.TupleStringOptionString{{F0: `"`, F1: wit.Some(`\`)}, {F0: "a=>b", F1: wit.Some("NULL")}, {F0: "n"}}),
			Out:  pg.NewPgValueHstore([]pg.TupleStringOptionString{{F0: `"`, F1: wit.Some(`\`)}, {F0: "n"}, {F0: "a=>b", F1: wit.Some("NULL")}}),
			Text: `"\""=>"\\", "n"=>NULL, "a=>b"=>"NULL"`},
	}
}

func shapes() []Value {
	box := [2]pg.Point{zeroZero, oneTwo}
	diagonal := [2]pg.Point{{zero, zero}, {one, one}}
	upright := [2]pg.Point{{two, zero}, {two, one}}
	return []Value{
		{Type: "cidr", In: pg.NewPgValueCidr("10.1.0.0/16"), Text: "10.1.0.0/16"},
		{Type: "cidr[]", In: pg.NewPgValueCidrArray([]string{"10.0.0.1/32", "2001:db8::/32"}), Text: "{10.0.0.1/32,2001:db8::/32}"},
		{Type: "inet", In: pg.NewPgValueInet("10.1.2.3/8"), Text: "10.1.2.3/8"},
		{Type: "inet", In: pg.NewPgValueInet("::1"), Text: "::1/128"},
		{Type: "inet[]", In: pg.NewPgValueInetArray([]string{"127.0.0.1", "fe80::1/64"}), Text: "{127.0.0.1,fe80::1/64}"},
		{Type: "macaddr", In: pg.NewPgValueMacaddr(mac48), Text: "08:00:2b:01:02:03"},
		{Type: "macaddr[]", In: pg.NewPgValueMacaddrArray([]pg.MacAddressEui48{mac48, {}}), Text: "{08:00:2b:01:02:03,00:00:00:00:00:00}"},
		{Type: "macaddr8", In: pg.NewPgValueMacaddr8(mac64), Text: "08:00:2b:01:02:03:04:05"},
		{Type: "macaddr8[]", In: pg.NewPgValueMacaddr8Array([]pg.MacAddressEui64{mac64}), Text: "{08:00:2b:01:02:03:04:05}"},
		{Type: "box", In: pg.NewPgValueBox(box), Text: "(1,2),(0,0)"},
		{Type: "box", In: pg.NewPgValueBox([2]pg.Point{oneTwo, zeroZero}), Out: pg.NewPgValueBox(box), Text: "(1,2),(0,0)"},
		{Type: "box[]", In: pg.NewPgValueBoxArray([][2]pg.Point{box, box}), Text: "{(1,2),(0,0);(1,2),(0,0)}"},
		{Type: "circle", In: pg.NewPgValueCircle(pg.TupleHashableF64X2Radius{F0: halfMinus, F1: pg.Radius(two)}), Text: "<(0.5,-1),2>"},
		{Type: "circle[]", In: pg.NewPgValueCircleArray([]pg.TupleHashableF64X2Radius{{F0: oneTwo, F1: pg.Radius(half)}}), Text: `{"<(1,2),0.5>"}`},
		{Type: "line", In: pg.NewPgValueLine(diagonal), Out: pg.NewPgValueLine(diagonal), Text: "{1,-1,0}"},
		{Type: "line[]", In: pg.NewPgValueLineArray([][2]pg.Point{upright}), Text: `{"{-1,0,2}"}`},
		{Type: "lseg", In: pg.NewPgValueLseg([2]pg.Point{halfMinus, oneTwo}), Text: "[(0.5,-1),(1,2)]"},
		{Type: "lseg[]", In: pg.NewPgValueLsegArray([][2]pg.Point{{halfMinus, oneTwo}}), Text: `{"[(0.5,-1),(1,2)]"}`},
		{Type: "path", In: pg.NewPgValuePath([]pg.Point{zeroZero, oneTwo, halfMinus}), Text: "[(0,0),(1,2),(0.5,-1)]"},
		{Type: "path[]", In: pg.NewPgValuePathArray([][]pg.Point{{zeroZero, oneTwo}, {oneTwo}}), Text: `{"[(0,0),(1,2)]","[(1,2)]"}`},
		{Type: "point", In: pg.NewPgValuePoint(pg.Point{inf64, minusOne}), Text: "(Infinity,-1)"},
		{Type: "point[]", In: pg.NewPgValuePointArray([]pg.Point{oneTwo, zeroZero}), Text: `{"(1,2)","(0,0)"}`},
		{Type: "polygon", In: pg.NewPgValuePolygon([]pg.Point{zeroZero, oneTwo, halfMinus}), Text: "((0,0),(1,2),(0.5,-1))"},
		{Type: "polygon[]", In: pg.NewPgValuePolygonArray([][]pg.Point{{zeroZero}, {oneTwo, zeroZero}}), Text: `{"((0,0))","((1,2),(0,0))"}`},
	}
}

func times() []Value {
	inUTC := pg.TimestampTz{Timestamp: pg.Timestamp{Date: someday, Time: pg.Time{Hour: 7, Min: 4, Sec: 56, Micro: 789_012}}, Offset: utc}
	return []Value{
		{Type: "date", In: pg.NewPgValueDate(someday), Text: "2024-02-29"},
		{Type: "date", In: pg.NewPgValueDate(ides), Text: "0044-03-15 BC"},
		{Type: "date", In: pg.NewPgValueDate(ymd(0, 12, 31)), Text: "0001-12-31 BC"},
		{Type: "date", In: pg.NewPgValueDate(ymd(1, 1, 1)), Text: "0001-01-01"},
		{Type: "date", In: pg.NewPgValueDate(ymd(5_874_897, 12, 31)), Text: "5874897-12-31"},
		{Type: "date", In: pg.NewPgValueDate(ymd(-4713, 11, 24)), Text: "4714-11-24 BC"},
		{Type: "date", In: pg.NewPgValueDate(before), Text: "-infinity"},
		{Type: "date[]", In: pg.NewPgValueDateArray([]pg.Date{after, someday, ides}), Text: `{infinity,2024-02-29,"0044-03-15 BC"}`},
		{Type: "daterange", In: pg.NewPgValueInterval(february), Text: "[2024-02-01,2024-03-01)"},
		{Type: "daterange", In: pg.NewPgValueInterval(pg.Interval{Start: ides, StartInclusive: true, End: after}), Text: `["0044-03-15 BC",infinity)`},
		{Type: "daterange", In: pg.NewPgValueInterval(pg.Interval{Start: before, End: someday, EndInclusive: true}),
			Out: pg.NewPgValueInterval(pg.Interval{Start: before, End: ymd(2024, 3, 1)}), Text: "(-infinity,2024-03-01)"},
		{Type: "daterange[]", In: pg.NewPgValueIntervalArray([]pg.Interval{february}), Text: `{"[2024-02-01,2024-03-01)"}`},
		{Type: "time", In: pg.NewPgValueTime(noon), Text: "12:34:56.789012"},
		{Type: "time[]", In: pg.NewPgValueTimeArray([]pg.Time{{}, {Hour: 24}}), Text: "{00:00:00,24:00:00}"},
		{Type: "timetz", In: pg.NewPgValueTimeTz(pg.TimeTz{Timesonze: "+05:30", Time: noon}), Text: "12:34:56.789012+05:30"},
		{Type: "timetz", In: pg.NewPgValueTimeTz(pg.TimeTz{Timesonze: "UTC", Time: noon}), Out: pg.NewPgValueTimeTz(pg.TimeTz{Timesonze: "+00:00", Time: noon}), Text: "12:34:56.789012+00"},
		{Type: "timetz[]", In: pg.NewPgValueTimeTzArray([]pg.TimeTz{{Timesonze: "-03:00"}, {Timesonze: "+00:00:01"}}), Text: "{00:00:00-03,00:00:00+00:00:01}"},
		{Type: "timestamp", In: pg.NewPgValueTimestamp(moment), Text: "2024-02-29 12:34:56.789012"},
		{Type: "timestamp", In: pg.NewPgValueTimestamp(pg.Timestamp{Date: ides, Time: noon}), Text: "0044-03-15 12:34:56.789012 BC"},
		{Type: "timestamp", In: pg.NewPgValueTimestamp(pg.Timestamp{Date: after, Time: noon}), Out: pg.NewPgValueTimestamp(pg.Timestamp{Date: after}), Text: "infinity"},
		{Type: "timestamp[]", In: pg.NewPgValueTimestampArray([]pg.Timestamp{moment, {Date: before}, {Date: ymd(1999, 12, 31)}}), Text: `{"2024-02-29 12:34:56.789012",-infinity,"1999-12-31 00:00:00"}`},
		{Type: "timestamptz", In: pg.NewPgValueTimestampTz(pg.TimestampTz{Timestamp: moment, Offset: kolkata}), Out: pg.NewPgValueTimestampTz(inUTC), Text: "2024-02-29 07:04:56.789012+00"},
		{Type: "timestamptz", In: pg.NewPgValueTimestampTz(pg.TimestampTz{Timestamp: pg.Timestamp{Date: ymd(-43, 3, 14), Time: pg.Time{Hour: 23}}, Offset: newYork}),
			Out: pg.NewPgValueTimestampTz(pg.TimestampTz{Timestamp: pg.Timestamp{Date: ides, Time: pg.Time{Hour: 4}}, Offset: utc}), Text: "0044-03-15 04:00:00+00 BC"},
		{Type: "timestamptz[]", In: pg.NewPgValueTimestampTzArray([]pg.TimestampTz{{Timestamp: pg.Timestamp{Date: before}, Offset: utc}, inUTC}), Text: `{-infinity,"2024-02-29 07:04:56.789012+00"}`},
	}
}

func others() []Value {
	snapshot := pg.TupleS64S64ListS64{F0: 10, F1: 20, F2: []int64{10, 14, 15}}
	return []Value{
		{Type: "pg_lsn", In: pg.NewPgValuePgLsn(0x16B374D48 << 8), Text: "16B/374D4800"},
		{Type: "pg_lsn[]", In: pg.NewPgValuePgLsnArray([]uint64{0, math.MaxUint64}), Text: "{0/0,FFFFFFFF/FFFFFFFF}"},
		{Type: "pg_snapshot", In: pg.NewPgValuePgSnapshot(snapshot), Text: "10:20:10,14,15"},
		{Type: "txid_snapshot", In: pg.NewPgValuePgSnapshot(pg.TupleS64S64ListS64{F0: 1, F1: 1, F2: []int64{}}), Text: "1:1:"},
		{Type: "xid8", In: pg.NewPgValueTxidSnapshot(1 << 40), Text: "1099511627776"},
		// What the contract has no case for.
		{Type: "interval", In: pg.NewPgValueText("1 day 02:00"), Out: pg.NewPgValueText("1 day 02:00:00"), Text: "1 day 02:00:00"},
		{Type: "int4range", In: pg.NewPgValueText("[1,5]"), Out: pg.NewPgValueText("[1,6)"), Text: "[1,6)"},
		{Type: "mood", In: pg.NewPgValueText("happy"), Text: "happy"},
		{Type: "mood[]", In: pg.NewPgValueTextArray([]string{"sad", "happy"}), Out: pg.NewPgValueText("{sad,happy}"), Text: "{sad,happy}"},
		{Type: "pair", In: pg.NewPgValueText(`(1,"a,b")`), Text: `(1,"a,b")`},
		{Type: "small", In: pg.NewPgValueInt8(7), Out: pg.NewPgValueInt4(7), Text: "7"},
		{Type: "oid", In: pg.NewPgValueSerial(math.MaxUint32), Out: pg.NewPgValueText("4294967295"), Text: "4294967295"},
		// What fits where another case is expected.
		{Type: "numeric", In: pg.NewPgValueInt8(5), Out: pg.NewPgValueNumeric("5"), Text: "5"},
		{Type: "text", In: pg.NewPgValueInt2(5), Out: pg.NewPgValueText("5"), Text: "5"},
		{Type: "timestamptz", In: pg.NewPgValueText("epoch"), Out: pg.NewPgValueTimestampTz(pg.TimestampTz{Timestamp: pg.Timestamp{Date: ymd(1970, 1, 1)}, Offset: utc}), Text: "1970-01-01 00:00:00+00"},
		{Type: "bytea", In: pg.NewPgValueText(`\x00ff`), Out: pg.NewPgValueBytea([]byte{0, 0xff}), Text: `\x00ff`},
	}
}

// kinds makes the types of the database's own that [Values] has.
const kinds = `SET client_min_messages = error;
	CREATE EXTENSION IF NOT EXISTS hstore;
	CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
	CREATE TYPE pair AS (a int, b text);
	CREATE DOMAIN small AS int CHECK (value < 10)`

// RunValues tests that every value goes to the server and comes back. open returns a
// provider with an empty database whose time zone is UTC.
func RunValues(t *testing.T, open func(testing.TB) Backend) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	b := open(t)
	require.NoError(t, b.Query.QueryBatch(ctx, kinds))
	seen := map[pg.PgValueTag]bool{}
	for _, v := range Values() {
		seen[v.In.Tag] = true
		want := v.Out
		if want == (pg.PgValue{}) {
			want = v.In
		}
		t.Run(v.Type+" "+v.Text, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			rows, err := b.Query.Query(ctx, "SELECT $1::"+v.Type+" AS value, $1::"+v.Type+"::text AS text, $1::"+v.Type+" IS NULL AS missing", []pg.PgValue{v.In})
			require.NoError(t, err)
			isNull := v.In.Tag == pg.PgValueNull
			text := pg.NewPgValueText(v.Text)
			if isNull {
				text = pg.PgValue{}
			}
			require.Equal(t, []pg.ResultRow{{{ColumnName: "value", Value: want}, {ColumnName: "text", Value: text}, {ColumnName: "missing", Value: pg.NewPgValueBool(isNull)}}}, rows)
		})
	}
	for tag := pg.PgValueNull; tag <= pg.PgValueHstore; tag++ {
		require.True(t, seen[tag], "no value of case %s is tested", tag)
	}
}

// patience bounds every test.
const patience = time.Minute
