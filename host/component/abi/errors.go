package abi

import (
	"errors"
	"fmt"

	"github.com/lathhost/lath/host/component/trap"
)

// Errors of the Compile functions.
var (
	// ErrAsync means that the type has a stream, a future or an error-context,
	// which these programs do not carry.
	ErrAsync = errors.New("asynchronous type in a synchronous value")
	// ErrTooComplex means that the types need more than [MaxOps] ops.
	ErrTooComplex = fmt.Errorf("types need more than %d ops", MaxOps)
)

// ErrNotFlat means that a program was asked to work on flat values although its
// types flatten to more than [wit.MaxFlatParams] of them, or that the slice for
// the flat values is too short. It is a mistake of the caller.
var ErrNotFlat = errors.New("values do not fit the flat form")

// handleError makes a trap of a handle table's error.
func handleError(err error) error {
	if trap.As(err) != nil {
		return err
	}
	return trap.New(trap.Handle, "%w", err)
}

func noHandles() error {
	return trap.New(trap.Handle, "no handle table on this side of the call")
}
