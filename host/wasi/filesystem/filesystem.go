// Package filesystem refuses wasi:filesystem: there are no directories to
// start from, so that no file can be reached. Programs that need none run; one
// that opens a file is told by its own library that it may not.
//
// Source: WASI 0.2, package wasi:filesystem.
package filesystem

import (
	"context"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// None carries out wasi:filesystem without any file. Every function of a
// descriptor needs a descriptor, and no guest can have one: a made-up handle
// is a trap of the runtime's.
type None struct{}

var (
	_ contract.Preopens = None{}
	_ contract.Types    = None{}
)

// GetDirectories implements the contract: none.
func (None) GetDirectories(context.Context) ([]contract.TupleDescriptorString, error) {
	return nil, nil
}

// FilesystemErrorCode implements the contract: no stream error comes from a
// file.
func (None) FilesystemErrorCode(context.Context, wasiio.Error) (wit.Option[contract.ErrorCode], error) {
	return wit.None[contract.ErrorCode](), nil
}
