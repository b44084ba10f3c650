package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"

	"github.com/minio/minio-go/v7"

	"github.com/lathhost/lath/providers/blobstore"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// WriteContainerData implements contract.Store.
func (s *Store) WriteContainerData(ctx context.Context, id contract.ObjectID, data io.Reader) error {
	at, err := s.place(ctx, id)
	if err != nil {
		return err
	}
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		return blobstore.Errorf("one more object is over the limit of %d that are written at the same time", s.cfg.MaxUploads)
	}
	p := part{upload: blobstore.NewUpload(ctx, data, &s.cfg.Limits, nil), size: int(s.cfg.PartBytes)}
	end, err := p.next()
	switch {
	case err != nil:
		return err
	case end:
		_, err = s.core.PutObject(ctx, at.bucket, at.key, bytes.NewReader(p.data), int64(len(p.data)), "", p.sum(), minio.PutObjectOptions{DisableContentSha256: true})
	default:
		err = s.writeParts(ctx, at, &p)
	}
	return failedAt(id, err)
}

// part reads an upload part by part, into the same memory.
type part struct {
	upload *blobstore.Upload
	size   int
	data   []byte
}

// leastRoom is what is made room for at first: most objects are small.
const leastRoom = 32 << 10

// next reads the next part. The last one is shorter, and may be empty.
func (p *part) next() (end bool, err error) {
	p.data = p.data[:0]
	for len(p.data) < p.size {
		if len(p.data) == cap(p.data) {
			p.data = slices.Grow(p.data, min(max(len(p.data), leastRoom), p.size-len(p.data)))
		}
		n, err := p.upload.Read(p.data[len(p.data):min(cap(p.data), p.size)])
		p.data = p.data[:len(p.data)+n]
		switch {
		case p.upload.Err != nil:
			return false, p.upload.Err
		case err != nil:
			return true, nil
		}
	}
	return false, nil
}

// sum is the digest of a part, which is signed with it: there is no need to sign it
// piece by piece, which not all servers know.
func (p *part) sum() string {
	sum := sha256.Sum256(p.data)
	return hex.EncodeToString(sum[:])
}

// writeParts writes an object of several parts, of which p has the first. What was
// given up is aborted, also where the call has ended.
func (s *Store) writeParts(ctx context.Context, at place, p *part) error {
	id, err := s.core.NewMultipartUpload(ctx, at.bucket, at.key, minio.PutObjectOptions{})
	if err != nil {
		return err
	}
	if err = s.sendParts(ctx, at, id, p); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	abort := s.core.AbortMultipartUpload(ctx, at.bucket, at.key, id)
	if abort == nil || is(abort, minio.NoSuchUpload, minio.NoSuchBucket) {
		return err
	}
	return errors.Join(err, abort)
}

func (s *Store) sendParts(ctx context.Context, at place, id string, p *part) error {
	var done []minio.CompletePart
	for end := false; ; {
		if len(p.data) > 0 {
			sent, err := s.core.PutObjectPart(ctx, at.bucket, at.key, id, len(done)+1, bytes.NewReader(p.data), int64(len(p.data)),
				minio.PutObjectPartOptions{Sha256Hex: p.sum(), DisableContentSha256: true})
			if err != nil {
				return err
			}
			done = append(done, minio.CompletePart{PartNumber: sent.PartNumber, ETag: sent.ETag})
		}
		if end {
			break
		}
		var err error
		if end, err = p.next(); err != nil {
			return err
		}
	}
	_, err := s.core.CompleteMultipartUpload(ctx, at.bucket, at.key, id, done, minio.PutObjectOptions{})
	return err
}
