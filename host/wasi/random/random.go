// Package random carries out wasi:random: secrets from the operating system,
// and cheap numbers from a generator of this process.
//
// Source: WASI 0.2, package wasi:random.
package random

import (
	"context"
	crypto "crypto/rand"
	"encoding/binary"
	"math/rand/v2"

	"github.com/lathhost/lath/host/component/trap"
	contract "github.com/lathhost/lath/wit/wasi/random"
)

// MaxBytes is the most that a guest may ask for at a time: the bytes pass
// through the host's own memory. WASI has no error for it, so more is a trap.
const MaxBytes = 16 << 20

func buffer(n uint64) ([]byte, error) {
	if n > MaxBytes {
		return nil, trap.New(trap.Limit, "%d random bytes were asked for at a time, more than %d", n, MaxBytes)
	}
	return make([]byte, n), nil
}

// Secure carries out wasi:random/random. It is safe for concurrent use.
type Secure struct{}

var _ contract.Random = Secure{}

// GetRandomBytes implements the contract for up to [MaxBytes].
func (Secure) GetRandomBytes(_ context.Context, length uint64) ([]byte, error) {
	b, err := buffer(length)
	if err == nil {
		_, err = crypto.Read(b)
	}
	return b, err
}

// GetRandomU64 implements the contract.
func (Secure) GetRandomU64(context.Context) (uint64, error) {
	var b [8]byte
	_, err := crypto.Read(b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// Insecure carries out wasi:random/insecure and insecure-seed. It is safe for
// concurrent use.
type Insecure struct{}

var (
	_ contract.Insecure     = Insecure{}
	_ contract.InsecureSeed = Insecure{}
)

// GetInsecureRandomBytes implements the contract for up to [MaxBytes].
func (Insecure) GetInsecureRandomBytes(_ context.Context, length uint64) ([]byte, error) {
	b, err := buffer(length)
	if err != nil {
		return nil, err
	}
	whole := len(b) &^ 7
	for i := 0; i < whole; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], rand.Uint64())
	}
	for i, r := whole, rand.Uint64(); i < len(b); i, r = i+1, r>>8 {
		b[i] = byte(r)
	}
	return b, nil
}

// GetInsecureRandomU64 implements the contract.
func (Insecure) GetInsecureRandomU64(context.Context) (uint64, error) { return rand.Uint64(), nil }

// InsecureSeed implements the contract.
func (Insecure) InsecureSeed(context.Context) ([2]uint64, error) {
	return [2]uint64{rand.Uint64(), rand.Uint64()}, nil
}
