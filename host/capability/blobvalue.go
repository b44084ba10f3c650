package capability

import (
	"context"
	"errors"
	"fmt"
	"io"

	wasistreams "github.com/lathhost/lath/host/wasi/io"
	"github.com/lathhost/lath/wit/wasi/blobstore"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
	wrpcblobstore "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// blobTypes makes and ends values.
type blobTypes struct{}

var _ blobstore.Types = blobTypes{}

// OutgoingValueNewOutgoingValue implements blobstore.Types.
func (blobTypes) OutgoingValueNewOutgoingValue(context.Context) (blobstore.OutgoingValue, error) {
	return &blobOutgoing{pipe: wasistreams.NewPipe(nil)}, nil
}

// OutgoingValueFinish implements blobstore.Types.
func (blobTypes) OutgoingValueFinish(_ context.Context, this blobstore.OutgoingValue) error {
	v, ok := this.(*blobOutgoing)
	if !ok {
		this.Drop()
		return errors.New("the value is not of this host")
	}
	return v.finish()
}

// maxSyncBody bounds a value that is read at once, in bytes.
const maxSyncBody = 64 << 20

// IncomingValueIncomingValueConsumeSync implements blobstore.Types.
func (blobTypes) IncomingValueIncomingValueConsumeSync(_ context.Context, this blobstore.IncomingValue) ([]byte, error) {
	defer this.Drop()
	v, ok := this.(*blobIncoming)
	if !ok {
		return nil, errors.New("the value is not of this host")
	}
	b, err := io.ReadAll(io.LimitReader(v.data, maxSyncBody+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > maxSyncBody:
		return nil, fmt.Errorf("the value is larger than %d bytes: read it as a stream", maxSyncBody)
	}
	return b, nil
}

// IncomingValueIncomingValueConsumeAsync implements blobstore.Types.
func (blobTypes) IncomingValueIncomingValueConsumeAsync(_ context.Context, this blobstore.IncomingValue) (wasiio.InputStream, error) {
	v, ok := this.(*blobIncoming)
	if !ok {
		this.Drop()
		return nil, errors.New("the value is not of this host")
	}
	return wasistreams.NewInputStream(wasistreams.NewSource(v.data)), nil
}

// blobIncoming is an object that a guest may read.
type blobIncoming struct {
	in         *blobContainer
	name       string
	start, end uint64
	data       *blobData
}

var _ blobstore.IncomingValue = (*blobIncoming)(nil)

// Size implements blobstore.IncomingValue. Who sends an object does not say how
// large it is, so that it is asked for; 0 if it has gone.
func (v *blobIncoming) Size(ctx context.Context) (uint64, error) {
	info, err := v.in.ObjectInfo(ctx, v.name)
	if err != nil || v.start >= info.Size {
		return 0, nil //nolint:nilerr // the contract has no place for it
	}
	return min(v.end, info.Size-1) - v.start + 1, nil
}

// Drop implements blobstore.IncomingValue.
func (v *blobIncoming) Drop() { _ = v.data.Close() } // nobody is left to be told

// blobData reads an object, and ends the call that does.
type blobData struct {
	call *call[wrpcblobstore.Store]
	data io.ReadCloser
}

// Read implements io.Reader.
func (d *blobData) Read(p []byte) (int, error) { return d.data.Read(p) }

// Close implements io.Closer: it ends a Read that is under way.
func (d *blobData) Close() error {
	d.call.cancel()
	return d.data.Close()
}

// errGivenUp is why a value is not stored that its guest did not finish.
var errGivenUp = errors.New("the value was given up before it was finished")

// blobOutgoing is an object that a guest writes. What it writes waits in a pipe
// for who stores it.
type blobOutgoing struct {
	pipe   *wasistreams.Pipe
	body   bool // its stream was given out
	cancel context.CancelFunc
	stored chan error // nil: nobody stores it
}

var _ blobstore.OutgoingValue = (*blobOutgoing)(nil)

// OutgoingValueWriteBody implements blobstore.OutgoingValue.
func (v *blobOutgoing) OutgoingValueWriteBody(context.Context) (wasiio.OutputStream, error) {
	if v.body {
		return nil, errors.New("the value's stream was asked for before")
	}
	v.body = true
	return v.pipe.OutputStream(), nil
}

// start has the value stored while the guest writes it. finish or Drop waits for
// the end.
func (v *blobOutgoing) start(c *call[wrpcblobstore.Store], id wrpcblobstore.ObjectID) error {
	if v.stored != nil {
		return c.end(errors.New("the value is being written to an object already"))
	}
	v.cancel, v.stored = c.cancel, make(chan error, 1)
	// The end of the call ends a Read of the pipe.
	stop := context.AfterFunc(c.ctx, func() { v.pipe.CloseRead(context.Cause(c.ctx)) })
	go func() {
		err := c.impl.WriteContainerData(c.ctx, id, v.pipe)
		stop()
		err = c.end(err)
		v.pipe.CloseRead(err) // a guest that still writes learns of it
		v.stored <- err
	}()
	return nil
}

// finish ends the value and returns what became of it.
func (v *blobOutgoing) finish() error {
	v.pipe.CloseWrite(nil)
	if v.stored == nil {
		v.pipe.CloseRead(nil)
		return errors.New("the value is not stored: container.write-data comes before finish")
	}
	return <-v.stored
}

// Drop implements blobstore.OutgoingValue.
func (v *blobOutgoing) Drop() {
	v.pipe.CloseWrite(errGivenUp)
	if v.stored == nil {
		v.pipe.CloseRead(nil)
		return
	}
	v.cancel()
	<-v.stored //nolint:errcheck // it was given up
}
