package filesystem

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

const (
	// batch is how many names a listing reads ahead.
	batch = 128
	// listingBytes is what it is charged for them.
	listingBytes = 48 << 10
)

// listing is the resource directory-entry-stream. It holds a batch of names,
// however many there are.
type listing struct {
	f      *os.File
	ledger ledger
	budget *component.HostBudget
	ahead  []fs.DirEntry
	err    error // what comes after ahead
}

var _ contract.DirectoryEntryStream = (*listing)(nil)

// ReadDirectoryEntry implements the contract. A name that is no valid text is
// an error of its own, after which the next name comes.
func (l *listing) ReadDirectoryEntry(context.Context) (wit.Option[contract.DirectoryEntry], error) {
	none := wit.None[contract.DirectoryEntry]()
	if len(l.ahead) == 0 && l.err == nil {
		l.ahead, l.err = l.f.ReadDir(batch)
	}
	if len(l.ahead) == 0 {
		if l.err == nil || errors.Is(l.err, io.EOF) {
			return none, nil
		}
		return none, code(l.err)
	}
	e := l.ahead[0]
	l.ahead = l.ahead[1:]
	if !utf8.ValidString(e.Name()) {
		return none, contract.ErrorCodeIllegalByteSequence
	}
	return wit.Some(contract.DirectoryEntry{Type: modeKind(e.Type()), Name: e.Name()}), nil
}

// Drop implements the contract.
func (l *listing) Drop() {
	l.f.Close()
	l.release()
}

func (l *listing) release() {
	l.ledger.give(fileCost)
	l.budget.Give(listingBytes)
}

func modeKind(m fs.FileMode) contract.DescriptorType {
	switch m.Type() {
	case 0:
		return contract.DescriptorTypeRegularFile
	case fs.ModeDir:
		return contract.DescriptorTypeDirectory
	case fs.ModeSymlink:
		return contract.DescriptorTypeSymbolicLink
	case fs.ModeNamedPipe:
		return contract.DescriptorTypeFifo
	case fs.ModeSocket:
		return contract.DescriptorTypeSocket
	case fs.ModeDevice:
		return contract.DescriptorTypeBlockDevice
	case fs.ModeDevice | fs.ModeCharDevice:
		return contract.DescriptorTypeCharacterDevice
	}
	return contract.DescriptorTypeUnknown
}
