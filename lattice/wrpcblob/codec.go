package wrpcblob

import (
	"errors"
	"fmt"

	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// version is one of the contract. They differ in how streams end.
type version struct {
	iface *wit.Interface
	// told: each stream is followed by how it ended.
	told bool
	// stream and end are where those are in results.
	stream, end wrpc.Path
}

var versions = []*version{
	{iface: contract.Interface, told: true, stream: wrpc.Path{0, 0}, end: wrpc.Path{0, 1}},
	{iface: contract.Interface010, stream: wrpc.Path{0}},
}

// paths are those of the results of a function that returns a stream.
func (v *version) paths() []wrpc.Path {
	if v.told {
		return []wrpc.Path{v.stream, v.end}
	}
	return []wrpc.Path{v.stream}
}

// Where the object's bytes are in the parameters of write-container-data, and the
// outcome in its results.
var dataPath, outcomePath = wrpc.Path{1}, wrpc.Path{0}

// Limits of what is read.
const (
	// MaxName bounds a name in a listing, in bytes.
	MaxName = 64 << 10
	// maxOutcome bounds how a stream ended.
	maxOutcome = 64 << 10
)

// ErrMalformed means that a peer sent what is none of the contract.
var ErrMalformed = errors.New("malformed message of wrpc:blobstore")

func malformed(err error) error {
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

func appendID(b []byte, id contract.ObjectID) []byte {
	return wire.AppendString(wire.AppendString(b, id.Container), id.Object)
}

func readID(r *wire.Reader) contract.ObjectID {
	return contract.ObjectID{Container: r.String(), Object: r.String()}
}

func appendOption(b []byte, v wit.Option[uint64]) []byte {
	if !v.OK {
		return append(b, 0)
	}
	return wire.AppendULEB(append(b, 1), v.Value)
}

func readOption(r *wire.Reader) wit.Option[uint64] {
	if !r.Option() {
		return wit.None[uint64]()
	}
	return wit.Some(r.U64())
}

func readStrings(r *wire.Reader) []string {
	n := r.Len(1)
	list := make([]string, 0, min(n, 1024))
	for range n {
		list = append(list, r.String())
		if r.Err() != nil {
			return nil
		}
	}
	return list
}

// appendOutcome encodes a result without a value.
func appendOutcome(b []byte, err error) []byte {
	if err == nil {
		return append(b, 0)
	}
	return wire.AppendString(append(b, 1), text(err))
}

// readOutcome decodes one.
func readOutcome(b []byte) error {
	r := wire.NewReader(b)
	return resultOf(&r)
}

// resultOf reads whether a result is the error, and that.
func resultOf(r *wire.Reader) error {
	isErr := r.Result()
	var e contract.Error
	if isErr {
		e = contract.Error(r.String())
	}
	if err := r.Err(); err != nil {
		return malformed(err)
	}
	if isErr {
		return e
	}
	return nil
}

// text is an error as the contract has it.
func text(err error) string { return wrpc.CleanDetail(err.Error()) }
