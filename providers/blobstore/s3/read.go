package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/lathhost/lath/providers/blobstore"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// GetContainerData implements contract.Store.
func (s *Store) GetContainerData(ctx context.Context, id contract.ObjectID, start, end uint64) (io.ReadCloser, error) {
	p, err := s.place(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, _, err := blobstore.Range(start, end, math.MaxInt64); err != nil {
		return nil, err
	}
	var opts minio.GetObjectOptions
	switch {
	case end < math.MaxInt64:
		opts.Set("Range", fmt.Sprintf("bytes=%d-%d", start, end))
	case start > 0:
		opts.Set("Range", fmt.Sprintf("bytes=%d-", min(start, math.MaxInt64)))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	body, _, _, err := s.core.GetObject(ctx, p.bucket, p.key, opts)
	switch {
	case is(err, minio.InvalidRange): // nothing of the object is in it
		body = io.NopCloser(bytes.NewReader(nil))
	case err != nil:
		cancel(nil)
		return nil, failedAt(id, err)
	}
	return &reader{ctx: ctx, cancel: cancel, body: body}, nil
}

// reader reads the body of an answer, which ends with its context.
type reader struct {
	ctx    context.Context //nolint:containedctx // a reader is as short as its context
	cancel context.CancelCauseFunc
	body   io.ReadCloser
}

var (
	errStalled = blobstore.Errorf("S3 has sent nothing of the object for %v", stall)
	errClosed  = errors.New("S3 blob store: the reader is closed")
)

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	silent := time.AfterFunc(stall, func() { r.cancel(errStalled) })
	defer silent.Stop()
	n, err := r.body.Read(p)
	if err != nil && r.ctx.Err() != nil {
		err = context.Cause(r.ctx)
	}
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.cancel(errClosed) // which ends a Read
	_ = r.body.Close()  // of an answer that is over
	return nil
}
