package postgres

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	contract "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// params are the parameters of a statement as they are sent.
type params struct {
	values  [][]byte // nil: NULL
	formats []int16
}

// encodeParams makes values of the types that the server expects, within room bytes.
// decimals are those of money.
func encodeParams(values []contract.PgValue, types []uint32, decimals int, room int64) (params, error) {
	if len(values) != len(types) {
		return params{}, fmt.Errorf("the statement has %d parameters, and %d were given", len(types), len(values))
	}
	p := params{values: make([][]byte, len(values)), formats: make([]int16, len(values))}
	for i, v := range values {
		var err error
		if p.values[i], p.formats[i], err = encodeParam(v, types[i], decimals); err != nil {
			return params{}, fmt.Errorf("parameter $%d (%s): %w", i+1, v.Tag, err)
		}
		if room -= int64(len(p.values[i])); room < 0 {
			return params{}, fmt.Errorf("parameter $%d: the parameters are over the limit of max_param_bytes", i+1)
		}
	}
	return p, nil
}

// encodeParam makes one value. Its form is text, but for bytes, which that doubles, and
// for money, whose text means another amount in another locale.
func encodeParam(v contract.PgValue, oid uint32, decimals int) ([]byte, int16, error) {
	switch {
	case v.Tag == contract.PgValueNull:
		return nil, pgtype.TextFormatCode, nil
	case v.Tag == contract.PgValueBytea && oid == pgtype.ByteaOID:
		b := v.Bytea()
		if b == nil {
			b = []byte{} // nil is NULL
		}
		return b, pgtype.BinaryFormatCode, nil
	case oid == moneyOID && v.Tag == contract.PgValueMoney:
		b, err := appendMoney(nil, v.Money(), decimals)
		return b, pgtype.BinaryFormatCode, err
	case oid == moneyArrayOID && v.Tag == contract.PgValueMoneyArray:
		b, err := encodeMoneyArray(v.MoneyArray(), decimals)
		return b, pgtype.BinaryFormatCode, err
	}
	encode := encoders[v.Tag]
	if encode == nil {
		return nil, 0, fmt.Errorf("no such case")
	}
	b, err := encode([]byte{}, v)
	return b, pgtype.TextFormatCode, err
}

// encoder appends the text form of a value of one case.
type encoder func(to []byte, v contract.PgValue) ([]byte, error)

// appender appends the text form of what a case has, or what an element of its list is.
type appender[T any] func(to []byte, v T) ([]byte, error)

func one[T any](get func(contract.PgValue) T, element appender[T]) encoder {
	return func(to []byte, v contract.PgValue) ([]byte, error) { return element(to, get(v)) }
}

// many is a case that has an array.
func many[T any](get func(contract.PgValue) []T, element appender[T]) encoder {
	return manyBy(',', get, element)
}

func manyBy[T any](delimiter byte, get func(contract.PgValue) []T, element appender[T]) encoder {
	return func(to []byte, v contract.PgValue) ([]byte, error) {
		to = append(to, '{')
		var text []byte
		for i, e := range get(v) {
			if i > 0 {
				to = append(to, delimiter)
			}
			var err error
			if text, err = element(text[:0], e); err != nil {
				return nil, fmt.Errorf("element %d: %w", i+1, err)
			}
			to = appendQuoted(to, text)
		}
		return append(to, '}'), nil
	}
}

// appendQuoted writes an element of an array, or a name or value of an hstore: in
// double quotes all is itself but those and the backslash.
func appendQuoted[T []byte | string](to []byte, text T) []byte {
	to = append(to, '"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			to = append(to, '\\')
		}
		to = append(to, text[i])
	}
	return append(to, '"')
}

func encodeMoneyArray(amounts []string, decimals int) ([]byte, error) {
	if len(amounts) == 0 {
		return binary.BigEndian.AppendUint32(make([]byte, 8), moneyOID), nil
	}
	b := binary.BigEndian.AppendUint32(nil, 1) // one dimension
	b = binary.BigEndian.AppendUint32(b, 0)    // nothing is null
	b = binary.BigEndian.AppendUint32(b, moneyOID)
	b = binary.BigEndian.AppendUint32(b, uint32(len(amounts)))
	b = binary.BigEndian.AppendUint32(b, 1) // its first index
	for i, a := range amounts {
		var err error
		if b, err = appendMoney(binary.BigEndian.AppendUint32(b, 8), a, decimals); err != nil {
			return nil, fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	return b, nil
}

// appendMoney writes an amount, "-12.50", as the number of its smallest units.
func appendMoney(to []byte, amount string, decimals int) ([]byte, error) {
	digits, negative := strings.CutPrefix(amount, "-")
	whole, part, _ := strings.Cut(digits, ".")
	if len(part) > decimals {
		return nil, fmt.Errorf("%q has %d decimals, and money in this database has %d", amount, len(part), decimals)
	}
	if whole+part == "" || len(whole) > 20 {
		return nil, errAmount(amount)
	}
	var n int64
	for _, c := range []byte(whole + part + strings.Repeat("0", decimals-len(part))) {
		d := int64(c - '0')
		// Counted down, since there is one more below zero than above.
		if c < '0' || c > '9' || n < (-1<<63+d)/10 {
			return nil, errAmount(amount)
		}
		n = n*10 - d
	}
	if !negative {
		if n == -1<<63 {
			return nil, errAmount(amount)
		}
		n = -n
	}
	return binary.BigEndian.AppendUint64(to, uint64(n)), nil
}

func errAmount(amount string) error {
	return fmt.Errorf("%.40q is not an amount that money can hold: want one such as -12.50", amount)
}
