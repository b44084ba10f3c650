package postgres

import (
	"errors"
	"math"

	contract "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// Exponents of infinity and of what is not a number.
const (
	infiniteExponent64 = 0x7ff - 1075
	infiniteExponent32 = 0xff - 150
)

// hashable64 takes a number apart, as v1's provider does.
func hashable64(f float64) contract.HashableF64 {
	bits := math.Float64bits(f)
	h := contract.HashableF64{F0: bits & (1<<52 - 1), F1: int16(bits>>52&0x7ff) - 1075, F2: signOf(bits>>63 != 0)}
	if h.F1 == -1075 {
		h.F0 <<= 1
	} else {
		h.F0 |= 1 << 52
	}
	return h
}

func hashable32(f float32) contract.HashableF32 {
	bits := math.Float32bits(f)
	h := contract.HashableF32{F0: uint64(bits & (1<<23 - 1)), F1: int16(bits>>23&0xff) - 150, F2: signOf(bits>>31 != 0)}
	if h.F1 == -150 {
		h.F0 <<= 1
	} else {
		h.F0 |= 1 << 23
	}
	return h
}

func signOf(negative bool) int8 {
	if negative {
		return -1
	}
	return 1
}

var errSign = errors.New("the sign of a floating-point number is 1 or -1")

// float64Of puts a number together.
func float64Of(h contract.HashableF64) (float64, error) {
	if h.F1 == infiniteExponent64 && h.F0 > 1<<52 && h.F0 < 1<<53 {
		return math.NaN(), nil
	}
	return compose(h.F0, h.F1, h.F2)
}

func float32Of(h contract.HashableF32) (float32, error) {
	if h.F1 == infiniteExponent32 && h.F0 > 1<<23 && h.F0 < 1<<24 {
		return float32(math.NaN()), nil
	}
	f, err := compose(h.F0, h.F1, h.F2)
	return float32(f), err
}

// compose takes the sign 0 for 0, as a guest may write it.
func compose(mantissa uint64, exponent int16, sign int8) (float64, error) {
	if sign < -1 || sign > 1 || sign == 0 && mantissa != 0 {
		return 0, errSign
	}
	f := math.Ldexp(float64(mantissa), int(exponent))
	if sign < 0 {
		f = -f
	}
	return f, nil
}
