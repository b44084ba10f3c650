package keyvalue

import (
	"math"
	"strconv"
)

// What increment refuses.
var (
	ErrNotNumber = Other("the value is not a number from 0 to %d", uint64(math.MaxUint64))
	ErrTooLarge  = Other("the number would be more than %d", uint64(math.MaxUint64))
)

// ParseCounter reads a number as increment writes it. Like Redis it takes no
// sign, space or leading zero.
func ParseCounter(value []byte) (uint64, error) {
	const maxDigits = 20
	if len(value) == 0 || len(value) > maxDigits || value[0] == '0' && len(value) > 1 {
		return 0, ErrNotNumber
	}
	n, err := strconv.ParseUint(string(value), 10, 64)
	if err != nil {
		return 0, ErrNotNumber
	}
	return n, nil
}

// AddCounter adds, and refuses to go past the end.
func AddCounter(n, delta uint64) (uint64, error) {
	if n > math.MaxUint64-delta {
		return 0, ErrTooLarge
	}
	return n + delta, nil
}
