package wrpcblob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit/wire"

	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// incoming is a stream of a result that is being read. One goroutine reads it; any
// may close it.
type incoming struct {
	v    *version
	call *wrpc.Call
	to   Caller
	fn   string

	stream, end *wrpc.Reader
	outcome     error // io.EOF, or how a stream ended that came in place
	ended       bool  // outcome is known

	err    error // sticky, for who reads
	closed sync.Once
}

// begin waits for the result, and returns what is behind its ok.
func (in *incoming) begin() (*wire.Reader, error) {
	root, err := in.call.Root(wrpc.Whole(in.v.iface.Func(in.fn).Result))
	if err != nil {
		return nil, in.to.Failed(in.fn, err)
	}
	r := wire.NewReader(root)
	if err := resultOf(&r); err != nil {
		return nil, err
	}
	if in.stream, err = in.call.Results(in.v.stream...); err != nil {
		return nil, err
	}
	if in.v.told {
		if in.end, err = in.call.Results(in.v.end...); err != nil {
			return nil, err
		}
	}
	return &r, nil
}

// readEnd reads what follows the stream in the result.
func (in *incoming) readEnd(r *wire.Reader) error {
	switch {
	case !in.v.told:
		in.outcome, in.ended = io.EOF, true
	case r.Future():
		err := resultOf(r)
		if errors.Is(err, ErrMalformed) {
			return err
		}
		in.ended = true
		if in.outcome = err; err == nil {
			in.outcome = io.EOF
		}
	}
	if err := r.Err(); err != nil {
		return malformed(err)
	}
	return nil
}

// finish is called when there is no more in the stream, or it failed: err is what
// the reader is told from now on.
func (in *incoming) finish(err error) error {
	switch {
	case !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		in.err = in.to.Failed(in.fn, err)
	case in.ended:
		in.err = in.outcome
	default:
		in.err = in.readOutcome()
	}
	if errors.Is(in.err, io.EOF) {
		in.closed.Do(func() {
			settle(in.call)
			_ = in.call.Close() // always nil
		})
	}
	return in.err
}

func (in *incoming) readOutcome() error {
	b, err := wrpc.ReadFuture(in.end, contract.Outcome, maxOutcome)
	if err != nil {
		return in.to.Failed(in.fn, fmt.Errorf("%s: outcome: %w", in.fn, err))
	}
	if err := readOutcome(b); err != nil {
		return err
	}
	return io.EOF
}

// Close ends the call, and a Read that is under way.
func (in *incoming) Close() error {
	in.closed.Do(func() { _ = in.call.Close() })
	return nil
}

// data is an object that is being read.
type data struct {
	*incoming
	early []byte // it came in place
	bytes *wrpc.ByteStream
}

// Read implements io.Reader.
func (d *data) Read(p []byte) (int, error) {
	if d.err != nil || len(p) == 0 {
		return 0, d.err
	}
	if d.bytes == nil {
		if len(d.early) == 0 {
			return 0, d.finish(io.EOF)
		}
		n := copy(p, d.early)
		d.early = d.early[n:]
		return n, nil
	}
	n, err := d.bytes.Read(p)
	if err != nil {
		return n, d.finish(err)
	}
	return n, nil
}

// names is a listing that is being read.
type names struct {
	*incoming
	early []string // they came in place
	elems *wrpc.ElemStream
}

// Next implements contract.Names.
func (n *names) Next(most int) (list []string, err error) {
	if n.err != nil || most <= 0 {
		return nil, n.err
	}
	if n.elems == nil {
		if len(n.early) == 0 {
			return nil, n.finish(io.EOF)
		}
		k := min(most, len(n.early))
		list, n.early = n.early[:k], n.early[k:]
		return list, nil
	}
	for size := 0; len(list) < most && size < maxNames; {
		elem, err := n.elems.Next()
		if err != nil {
			if err = n.finish(err); len(list) > 0 {
				return list, nil // the error is for the next one who asks
			}
			return nil, err
		}
		r := wire.NewReader(elem)
		name := r.String()
		list = append(list, name)
		size += len(name)
	}
	return list, nil
}

// maxNames ends an answer of Next early, however long names are.
const maxNames = 1 << 20

// Direct calls the target of a prefix, without hosts or links.
type Direct struct {
	*wrpc.Binding
	Client *wrpc.Client
	Prefix string
}

var _ Caller = Direct{}

// NewDirect returns a caller of the target of a prefix.
func NewDirect(c *wrpc.Client, prefix string) Direct {
	return Direct{Binding: c.Bind(prefix, nil), Client: c, Prefix: prefix}
}

// Open implements Caller.
func (d Direct) Open(ctx context.Context, instance, function string, params []byte, paths ...wrpc.Path) (*wrpc.Call, error) {
	call, err := d.Client.Invoke(ctx, wrpc.Target{Prefix: d.Prefix, Instance: instance, Func: function}, wrpc.Meta{}, params, paths...)
	if err != nil {
		return nil, err
	}
	if _, err := call.Accepted(); err != nil {
		return nil, errors.Join(err, call.Close())
	}
	return call, nil
}

// Failed implements Caller.
func (d Direct) Failed(_ string, err error) error { return err }
