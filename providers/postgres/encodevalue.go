package postgres

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

type integer interface {
	~int16 | ~int32 | ~int64 | ~uint32
}

func appendInt[T integer](to []byte, v T) ([]byte, error) {
	return strconv.AppendInt(to, int64(v), 10), nil
}

func appendBool(to []byte, v bool) ([]byte, error) { return strconv.AppendBool(to, v), nil }

// appendString gives the server a text as it is: it knows what its types look like.
func appendString(to []byte, v string) ([]byte, error) { return append(to, v...), nil }

func appendFloat64(to []byte, v contract.HashableF64) ([]byte, error) {
	f, err := float64Of(v)
	return appendFloat(to, f, 64), err
}

func appendFloat32(to []byte, v contract.HashableF32) ([]byte, error) {
	f, err := float32Of(v)
	return appendFloat(to, float64(f), 32), err
}

func appendFloat(to []byte, f float64, bits int) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(to, "Infinity"...)
	case math.IsInf(f, -1):
		return append(to, "-Infinity"...)
	}
	return strconv.AppendFloat(to, f, 'g', -1, bits)
}

// appendVector writes an int2vector.
func appendVector(to []byte, v []int16) ([]byte, error) {
	for i, n := range v {
		if i > 0 {
			to = append(to, ' ')
		}
		to = strconv.AppendInt(to, int64(n), 10)
	}
	return to, nil
}

// lengths of texts and bits

func appendBits(to []byte, v contract.TupleU32Bytes) ([]byte, error) {
	return appendBitString(to, uint64(v.F0), v.F1)
}

func appendVarbits(to []byte, v contract.TupleOptionU32Bytes) ([]byte, error) {
	n := uint64(len(v.F1)) * 8
	if v.F0.OK {
		n = uint64(v.F0.Value)
	}
	return appendBitString(to, n, v.F1)
}

func appendBitString(to []byte, n uint64, b []byte) ([]byte, error) {
	if uint64(len(b)) != (n+7)/8 {
		return nil, fmt.Errorf("%d bits are not in %d bytes", n, len(b))
	}
	for i := range n {
		to = append(to, '0'+b[i/8]>>(7-i%8)&1)
	}
	return to, nil
}

func appendBytea(to, v []byte) ([]byte, error) {
	return hex.AppendEncode(append(to, `\x`...), v), nil
}

func appendChar(to []byte, v contract.TupleU32Bytes) ([]byte, error) {
	if uint64(len(v.F1)) != uint64(v.F0) {
		return nil, fmt.Errorf("a text of %d bytes whose length is given as %d", len(v.F1), v.F0)
	}
	return append(to, v.F1...), nil
}

func appendVarchar(to []byte, v contract.TupleOptionU32Bytes) ([]byte, error) {
	if v.F0.OK && uint64(len(v.F1)) > uint64(v.F0.Value) {
		return nil, fmt.Errorf("a text of %d bytes where at most %d are allowed", len(v.F1), v.F0.Value)
	}
	return append(to, v.F1...), nil
}

// addresses

func appendMac48(to []byte, v contract.MacAddressEui48) ([]byte, error) {
	return appendMac(to, v.Bytes[:]), nil
}

func appendMac64(to []byte, v contract.MacAddressEui64) ([]byte, error) {
	return appendMac(to, v.Bytes[:]), nil
}

func appendMac(to, b []byte) []byte {
	for i := range b {
		if i > 0 {
			to = append(to, ':')
		}
		to = hex.AppendEncode(to, b[i:i+1])
	}
	return to
}

// shapes

func appendPoint(to []byte, v contract.Point) ([]byte, error) {
	to, err := appendFloat64(append(to, '('), v[0])
	if err != nil {
		return nil, err
	}
	if to, err = appendFloat64(append(to, ','), v[1]); err != nil {
		return nil, err
	}
	return append(to, ')'), nil
}

func appendPoints(to []byte, points []contract.Point, open, end byte) ([]byte, error) {
	if len(points) == 0 {
		return nil, fmt.Errorf("it has no points")
	}
	for i, p := range points {
		to = append(to, open)
		var err error
		if to, err = appendPoint(to, p); err != nil {
			return nil, fmt.Errorf("point %d: %w", i+1, err)
		}
		open = ','
	}
	return append(to, end), nil
}

// appendPair writes a box, or a line by two points.
func appendPair(to []byte, v [2]contract.Point) ([]byte, error) {
	return appendPoints(to, v[:], '(', ')')
}

func appendPath(to []byte, v []contract.Point) ([]byte, error) {
	return appendPoints(to, v, '[', ']')
}

func appendPolygon(to []byte, v []contract.Point) ([]byte, error) {
	return appendPoints(to, v, '(', ')')
}

func appendCircle(to []byte, v contract.TupleHashableF64X2Radius) ([]byte, error) {
	to, err := appendPoint(append(to, '<'), v.F0)
	if err != nil {
		return nil, err
	}
	if to, err = appendFloat64(append(to, ','), contract.HashableF64(v.F1)); err != nil {
		return nil, err
	}
	return append(to, '>'), nil
}

// what the database counts by

func appendLSN(to []byte, v uint64) ([]byte, error) {
	return fmt.Appendf(to, "%X/%X", v>>32, uint32(v)), nil
}

func appendSnapshot(to []byte, v contract.TupleS64S64ListS64) ([]byte, error) {
	to = fmt.Appendf(to, "%d:%d:", v.F0, v.F1)
	for i, x := range v.F2 {
		if i > 0 {
			to = append(to, ',')
		}
		to = strconv.AppendInt(to, x, 10)
	}
	return to, nil
}

// words and names

func appendLexemes(to []byte, v []contract.Lexeme) ([]byte, error) {
	for i, l := range v {
		if i > 0 {
			to = append(to, ' ')
		}
		to = append(to, '\'')
		for _, c := range []byte(l.Data) {
			if c == '\'' || c == '\\' {
				to = append(to, c)
			}
			to = append(to, c)
		}
		to = append(to, '\'')
		if !l.Position.OK {
			if l.Weight.OK {
				return nil, fmt.Errorf("lexeme %d has a weight and no position", i+1)
			}
			continue
		}
		to = strconv.AppendInt(append(to, ':'), int64(l.Position.Value), 10)
		if l.Weight.OK {
			to = append(to, 'A'+byte(l.Weight.Value))
		}
	}
	return to, nil
}

func appendHstore(to []byte, v []contract.TupleStringOptionString) ([]byte, error) {
	for i, pair := range v {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(appendQuoted(to, pair.F0), "=>"...)
		to = appendOption(to, pair.F1)
	}
	return to, nil
}

func appendOption(to []byte, v wit.Option[string]) []byte {
	if !v.OK {
		return append(to, "NULL"...)
	}
	return appendQuoted(to, v.Value)
}
