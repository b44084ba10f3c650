package postgres

import (
	"github.com/jackc/pgx/v5/pgtype"

	contract "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// Types of PostgreSQL that the library has no names for, from pg_type.dat.
const (
	int2VectorOID      = 22
	macaddr8ArrayOID   = 775
	moneyOID           = 790
	moneyArrayOID      = 791
	int2VectorArrayOID = 1006
	txidSnapshotOID    = 2970
	pgLSNOID           = 3220
	pgLSNArrayOID      = 3221
	tsQueryOID         = 3615
	pgSnapshotOID      = 5038
	// firstUserOID is what types have at least that were made in the database.
	firstUserOID = 16384
)

// decoders are what becomes of results, by type, but for those of types that a
// database has of its own; any other is text.
var decoders = map[uint32]decoder{
	pgtype.BoolOID:        single(contract.NewPgValueBool, (*reader).bool),
	pgtype.BoolArrayOID:   array(contract.NewPgValueBoolArray, pgtype.BoolOID, (*reader).bool),
	pgtype.Int2OID:        single(contract.NewPgValueInt2, (*reader).int16),
	pgtype.Int2ArrayOID:   array(contract.NewPgValueInt2Array, pgtype.Int2OID, (*reader).int16),
	int2VectorOID:         single(contract.NewPgValueInt2Vector, (*reader).vector),
	int2VectorArrayOID:    array(contract.NewPgValueInt2VectorArray, int2VectorOID, (*reader).vector),
	pgtype.Int4OID:        single(contract.NewPgValueInt4, (*reader).int32),
	pgtype.Int4ArrayOID:   array(contract.NewPgValueInt4Array, pgtype.Int4OID, (*reader).int32),
	pgtype.Int8OID:        single(contract.NewPgValueInt8, (*reader).int64),
	pgtype.Int8ArrayOID:   array(contract.NewPgValueInt8Array, pgtype.Int8OID, (*reader).int64),
	pgtype.Float4OID:      single(contract.NewPgValueFloat4, (*reader).float32),
	pgtype.Float4ArrayOID: array(contract.NewPgValueFloat4Array, pgtype.Float4OID, (*reader).float32),
	pgtype.Float8OID:      single(contract.NewPgValueFloat8, (*reader).float64),
	pgtype.Float8ArrayOID: array(contract.NewPgValueFloat8Array, pgtype.Float8OID, (*reader).float64),
	// In binary form a few bytes stand for a number of many thousands of digits.
	pgtype.NumericOID:      text(contract.NewPgValueNumeric),
	pgtype.NumericArrayOID: {textual: true, decode: decodeNumericArray},

	pgtype.BitOID:          single(contract.NewPgValueBit, (*reader).bits),
	pgtype.BitArrayOID:     array(contract.NewPgValueBitArray, pgtype.BitOID, (*reader).bits),
	pgtype.VarbitOID:       single(contract.NewPgValueVarbit, (*reader).varbits),
	pgtype.VarbitArrayOID:  array(contract.NewPgValueVarbitArray, pgtype.VarbitOID, (*reader).varbits),
	pgtype.ByteaOID:        single(contract.NewPgValueBytea, (*reader).bytes),
	pgtype.ByteaArrayOID:   array(contract.NewPgValueByteaArray, pgtype.ByteaOID, (*reader).bytes),
	pgtype.QCharOID:        single(contract.NewPgValueChar, (*reader).char),
	pgtype.QCharArrayOID:   array(contract.NewPgValueCharArray, pgtype.QCharOID, (*reader).char),
	pgtype.BPCharOID:       single(contract.NewPgValueChar, (*reader).char),
	pgtype.BPCharArrayOID:  array(contract.NewPgValueCharArray, pgtype.BPCharOID, (*reader).char),
	pgtype.VarcharOID:      single(contract.NewPgValueVarchar, (*reader).varchar),
	pgtype.VarcharArrayOID: array(contract.NewPgValueVarcharArray, pgtype.VarcharOID, (*reader).varchar),

	pgtype.CIDROID:         single(contract.NewPgValueCidr, (*reader).network),
	pgtype.CIDRArrayOID:    array(contract.NewPgValueCidrArray, pgtype.CIDROID, (*reader).network),
	pgtype.InetOID:         single(contract.NewPgValueInet, (*reader).address),
	pgtype.InetArrayOID:    array(contract.NewPgValueInetArray, pgtype.InetOID, (*reader).address),
	pgtype.MacaddrOID:      single(contract.NewPgValueMacaddr, (*reader).mac48),
	pgtype.MacaddrArrayOID: array(contract.NewPgValueMacaddrArray, pgtype.MacaddrOID, (*reader).mac48),
	pgtype.Macaddr8OID:     single(contract.NewPgValueMacaddr8, (*reader).mac64),
	macaddr8ArrayOID:       array(contract.NewPgValueMacaddr8Array, pgtype.Macaddr8OID, (*reader).mac64),

	pgtype.PointOID:        single(contract.NewPgValuePoint, (*reader).point),
	pgtype.PointArrayOID:   array(contract.NewPgValuePointArray, pgtype.PointOID, (*reader).point),
	pgtype.LsegOID:         single(contract.NewPgValueLseg, (*reader).segment),
	pgtype.LsegArrayOID:    array(contract.NewPgValueLsegArray, pgtype.LsegOID, (*reader).segment),
	pgtype.PathOID:         single(contract.NewPgValuePath, (*reader).path),
	pgtype.PathArrayOID:    array(contract.NewPgValuePathArray, pgtype.PathOID, (*reader).path),
	pgtype.BoxOID:          single(contract.NewPgValueBox, (*reader).box),
	pgtype.BoxArrayOID:     array(contract.NewPgValueBoxArray, pgtype.BoxOID, (*reader).box),
	pgtype.PolygonOID:      single(contract.NewPgValuePolygon, (*reader).points),
	pgtype.PolygonArrayOID: array(contract.NewPgValuePolygonArray, pgtype.PolygonOID, (*reader).points),
	pgtype.LineOID:         single(contract.NewPgValueLine, (*reader).line),
	pgtype.LineArrayOID:    array(contract.NewPgValueLineArray, pgtype.LineOID, (*reader).line),
	pgtype.CircleOID:       single(contract.NewPgValueCircle, (*reader).circle),
	pgtype.CircleArrayOID:  array(contract.NewPgValueCircleArray, pgtype.CircleOID, (*reader).circle),

	pgtype.DateOID:             single(contract.NewPgValueDate, (*reader).date),
	pgtype.DateArrayOID:        array(contract.NewPgValueDateArray, pgtype.DateOID, (*reader).date),
	pgtype.DaterangeOID:        single(contract.NewPgValueInterval, (*reader).dates),
	pgtype.DaterangeArrayOID:   array(contract.NewPgValueIntervalArray, pgtype.DaterangeOID, (*reader).dates),
	pgtype.TimeOID:             single(contract.NewPgValueTime, (*reader).time),
	pgtype.TimeArrayOID:        array(contract.NewPgValueTimeArray, pgtype.TimeOID, (*reader).time),
	pgtype.TimetzOID:           single(contract.NewPgValueTimeTz, (*reader).timeTz),
	pgtype.TimetzArrayOID:      array(contract.NewPgValueTimeTzArray, pgtype.TimetzOID, (*reader).timeTz),
	pgtype.TimestampOID:        single(contract.NewPgValueTimestamp, (*reader).timestamp),
	pgtype.TimestampArrayOID:   array(contract.NewPgValueTimestampArray, pgtype.TimestampOID, (*reader).timestamp),
	pgtype.TimestamptzOID:      single(contract.NewPgValueTimestampTz, (*reader).timestampTz),
	pgtype.TimestamptzArrayOID: array(contract.NewPgValueTimestampTzArray, pgtype.TimestamptzOID, (*reader).timestampTz),

	pgtype.JSONOID:       single(contract.NewPgValueJson, (*reader).text),
	pgtype.JSONArrayOID:  array(contract.NewPgValueJsonArray, pgtype.JSONOID, (*reader).text),
	pgtype.JSONBOID:      single(contract.NewPgValueJsonb, (*reader).jsonb),
	pgtype.JSONBArrayOID: array(contract.NewPgValueJsonbArray, pgtype.JSONBOID, (*reader).jsonb),
	moneyOID:             {decode: decodeMoney},
	moneyArrayOID:        {decode: decodeMoneyArray},

	pgLSNOID:        single(contract.NewPgValuePgLsn, (*reader).uint64),
	pgLSNArrayOID:   array(contract.NewPgValuePgLsnArray, pgLSNOID, (*reader).uint64),
	pgSnapshotOID:   single(contract.NewPgValuePgSnapshot, (*reader).snapshot),
	txidSnapshotOID: single(contract.NewPgValuePgSnapshot, (*reader).snapshot),
	pgtype.XID8OID:  single(contract.NewPgValueTxidSnapshot, (*reader).int64),

	pgtype.NameOID:      single(contract.NewPgValueName, (*reader).text),
	pgtype.NameArrayOID: array(contract.NewPgValueNameArray, pgtype.NameOID, (*reader).text),
	pgtype.TextOID:      single(contract.NewPgValueText, (*reader).text),
	pgtype.TextArrayOID: array(contract.NewPgValueTextArray, pgtype.TextOID, (*reader).text),
	pgtype.XMLOID:       text(contract.NewPgValueXml),
	pgtype.XMLArrayOID:  array(contract.NewPgValueXmlArray, pgtype.XMLOID, (*reader).text),
	tsQueryOID:          text(contract.NewPgValueTsQuery),
	pgtype.TSVectorOID:  single(contract.NewPgValueTsVector, (*reader).lexemes),

	pgtype.UUIDOID:      single(contract.NewPgValueUuid, (*reader).uuid),
	pgtype.UUIDArrayOID: array(contract.NewPgValueUuidArray, pgtype.UUIDOID, (*reader).uuid),
}

var (
	anyText = text(contract.NewPgValueText)
	hstore  = single(contract.NewPgValueHstore, (*reader).hstore)
)
