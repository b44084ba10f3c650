package filesystem

import (
	"context"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// noFile is what a directory answers to whoever takes it for a file. Reading
// has a word of its own (POSIX, EISDIR).
type noFile struct{}

// ReadViaStream implements the contract.
func (noFile) ReadViaStream(context.Context, contract.Filesize) (wasiio.InputStream, error) {
	return nil, contract.ErrorCodeIsDirectory
}

// WriteViaStream implements the contract.
func (noFile) WriteViaStream(context.Context, contract.Filesize) (wasiio.OutputStream, error) {
	return nil, contract.ErrorCodeBadDescriptor
}

// AppendViaStream implements the contract.
func (noFile) AppendViaStream(context.Context) (wasiio.OutputStream, error) {
	return nil, contract.ErrorCodeBadDescriptor
}

// Advise implements the contract.
func (noFile) Advise(context.Context, contract.Filesize, contract.Filesize, contract.Advice) error {
	return contract.ErrorCodeBadDescriptor
}

// SetSize implements the contract.
func (noFile) SetSize(context.Context, contract.Filesize) error {
	return contract.ErrorCodeBadDescriptor
}

// Read implements the contract.
func (noFile) Read(context.Context, contract.Filesize, contract.Filesize) (contract.TupleBytesBool, error) {
	return contract.TupleBytesBool{}, contract.ErrorCodeBadDescriptor
}

// Write implements the contract.
func (noFile) Write(context.Context, []byte, contract.Filesize) (contract.Filesize, error) {
	return 0, contract.ErrorCodeBadDescriptor
}

// noDirectory is what a file answers to whoever takes it for a directory.
type noDirectory struct{}

// ReadDirectory implements the contract.
func (noDirectory) ReadDirectory(context.Context) (contract.DirectoryEntryStream, error) {
	return nil, contract.ErrorCodeNotDirectory
}

// CreateDirectoryAt implements the contract.
func (noDirectory) CreateDirectoryAt(context.Context, string) error {
	return contract.ErrorCodeNotDirectory
}

// StatAt implements the contract.
func (noDirectory) StatAt(context.Context, contract.PathFlags, string) (contract.DescriptorStat, error) {
	return contract.DescriptorStat{}, contract.ErrorCodeNotDirectory
}

// SetTimesAt implements the contract.
func (noDirectory) SetTimesAt(context.Context, contract.PathFlags, string, contract.NewTimestamp, contract.NewTimestamp) error {
	return contract.ErrorCodeNotDirectory
}

// LinkAt implements the contract.
func (noDirectory) LinkAt(context.Context, contract.PathFlags, string, contract.Descriptor, string) error {
	return contract.ErrorCodeNotDirectory
}

// OpenAt implements the contract.
func (noDirectory) OpenAt(context.Context, contract.PathFlags, string, contract.OpenFlags, contract.DescriptorFlags) (contract.Descriptor, error) {
	return nil, contract.ErrorCodeNotDirectory
}

// ReadlinkAt implements the contract.
func (noDirectory) ReadlinkAt(context.Context, string) (string, error) {
	return "", contract.ErrorCodeNotDirectory
}

// RemoveDirectoryAt implements the contract.
func (noDirectory) RemoveDirectoryAt(context.Context, string) error {
	return contract.ErrorCodeNotDirectory
}

// RenameAt implements the contract.
func (noDirectory) RenameAt(context.Context, string, contract.Descriptor, string) error {
	return contract.ErrorCodeNotDirectory
}

// SymlinkAt implements the contract.
func (noDirectory) SymlinkAt(context.Context, string, string) error {
	return contract.ErrorCodeNotDirectory
}

// UnlinkFileAt implements the contract.
func (noDirectory) UnlinkFileAt(context.Context, string) error {
	return contract.ErrorCodeNotDirectory
}

// MetadataHashAt implements the contract.
func (noDirectory) MetadataHashAt(context.Context, contract.PathFlags, string) (contract.MetadataHashValue, error) {
	return contract.MetadataHashValue{}, contract.ErrorCodeNotDirectory
}
