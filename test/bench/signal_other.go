//go:build !unix

package main

import (
	"errors"
	"os"
)

// suspend and resume need a system that can.
func suspend(*os.Process) error { return errors.ErrUnsupported }
func resume(*os.Process) error  { return errors.ErrUnsupported }
