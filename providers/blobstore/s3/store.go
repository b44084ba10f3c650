package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/lathhost/lath/providers/blobstore"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// Store keeps blobs in S3. It is safe for concurrent use, and several stores may have
// the same buckets.
type Store struct {
	cfg       Config
	transport *http.Transport
	client    *minio.Client
	core      minio.Core
	uploads   chan struct{} // one for each object that is being written
}

var _ contract.Store = (*Store)(nil)

// New returns a store that connects when it is first used: a server that is not there,
// and credentials that it does not take, are errors of calls, not of New. Close it.
func New(cfg Config) (*Store, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	host, secure, err := cfg.server()
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTimeout,
		ResponseHeaderTimeout: answerTimeout, MaxIdleConnsPerHost: int(min(cfg.MaxUploads, maxIdle)), IdleConnTimeout: time.Minute, DisableCompression: true}
	opts := &minio.Options{Secure: secure, Transport: transport, Region: cfg.Region, BucketLookup: minio.BucketLookupPath, MaxRetries: int(cfg.MaxAttempts)}
	if cfg.AccessKeyID != "" {
		opts.Creds = credentials.NewStaticV4(cfg.AccessKeyID, string(cfg.SecretAccessKey.Bytes()), string(cfg.SessionToken.Bytes()))
	}
	client, err := minio.New(host, opts)
	if err != nil {
		return nil, fmt.Errorf("blob store configuration: endpoint: %w", err)
	}
	return &Store{cfg: cfg, transport: transport, client: client, core: minio.Core{Client: client}, uploads: make(chan struct{}, cfg.MaxUploads)}, nil
}

// Times of requests. A call lasts no longer than its context.
const (
	dialTimeout = 10 * time.Second
	// answerTimeout bounds the wait for an answer to a whole request.
	answerTimeout = time.Minute
	// stall bounds the wait for more of an object that is read.
	stall = time.Minute
	// abortTimeout bounds what is done after a call has ended.
	abortTimeout = 10 * time.Second
	// maxIdle bounds the connections that are kept for the next request.
	maxIdle = 16
)

// Close ends the connections that nobody uses.
func (s *Store) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// failed is an error of a server's answer, or of the way to it.
func failed(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[contract.Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[minio.ErrorResponse](err); ok && e.Code != "" {
		if e.Message == "" {
			e.Message = http.StatusText(e.StatusCode)
		}
		return blobstore.Errorf("S3: %.100s: %.500s", e.Code, e.Message)
	}
	return fmt.Errorf("S3 blob store: %w", err)
}

// is reports whether an error is the server's, of one of those codes.
func is(err error, codes ...string) bool {
	e, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && slices.Contains(codes, e.Code)
}

// failedAt is failed of a call about an object, which tells by itself what is not
// there.
func failedAt(id contract.ObjectID, err error) error {
	switch {
	case is(err, minio.NoSuchBucket):
		return blobstore.NoContainer(id.Container)
	case is(err, minio.NoSuchKey):
		return blobstore.NoObject(id)
	}
	return failed(err)
}

// place is where an object is kept.
type place struct{ bucket, key string }

func (s *Store) enter(ctx context.Context, container string) (bucket string, err error) {
	if err := ctx.Err(); err != nil {
		return "", failed(err)
	}
	return s.cfg.bucketOf(container), s.cfg.CheckNames(container)
}

func (s *Store) place(ctx context.Context, id contract.ObjectID) (p place, err error) {
	if p.bucket, err = s.enter(ctx, id.Container); err != nil {
		return p, err
	}
	if err := s.cfg.CheckNames(id.Object); err != nil {
		return p, err
	}
	p.key, err = keyOf(id.Object)
	return p, err
}

// CreateContainer implements contract.Store.
func (s *Store) CreateContainer(ctx context.Context, container string) error {
	bucket, err := s.enter(ctx, container)
	if err != nil {
		return err
	}
	err = s.client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{Region: s.cfg.BucketRegion})
	switch {
	case is(err, minio.BucketAlreadyOwnedByYou):
		return nil
	case is(err, minio.BucketAlreadyExists): // which some say of one's own, too
		if ours, look := s.client.BucketExists(ctx, bucket); ours && look == nil {
			return nil
		}
	}
	return failed(err)
}

// ContainerExists implements contract.Store.
func (s *Store) ContainerExists(ctx context.Context, container string) (bool, error) {
	bucket, err := s.enter(ctx, container)
	if err != nil {
		return false, err
	}
	there, err := s.client.BucketExists(ctx, bucket)
	return there, failed(err)
}

// need is that a container is there.
func (s *Store) need(ctx context.Context, container string) error {
	there, err := s.ContainerExists(ctx, container)
	if err == nil && !there {
		err = blobstore.NoContainer(container)
	}
	return err
}

// GetContainerInfo implements contract.Store. Who may not list the buckets learns no
// time.
func (s *Store) GetContainerInfo(ctx context.Context, container string) (m contract.ContainerMetadata, err error) {
	if err := s.need(ctx, container); err != nil {
		return m, err
	}
	list, err := s.client.ListBuckets(ctx)
	if err != nil {
		if is(err, minio.AccessDenied) {
			err = nil
		}
		return m, failed(err)
	}
	bucket := s.cfg.bucketOf(container)
	for _, b := range list {
		if b.Name == bucket {
			m.CreatedAt = seconds(b.CreationDate)
		}
	}
	return m, nil
}

func seconds(t time.Time) uint64 { return uint64(max(0, t.Unix())) }

// ClearContainer implements contract.Store.
func (s *Store) ClearContainer(ctx context.Context, container string) error {
	bucket, err := s.enter(ctx, container)
	if err != nil {
		return err
	}
	err = s.clear(ctx, bucket)
	return failedAt(contract.ObjectID{Container: container}, err)
}

// clear removes all that a bucket has, of whoever.
func (s *Store) clear(ctx context.Context, bucket string) error {
	var listing error
	err := s.remove(ctx, bucket, func(yield func(minio.ObjectInfo) bool) {
		for o := range s.objects(ctx, bucket, "", "") {
			if listing = o.Err; listing != nil || !yield(o) {
				return
			}
		}
	})
	return errors.Join(listing, err)
}

// objects lists a bucket, page by page.
func (s *Store) objects(ctx context.Context, bucket, prefix, after string) iter.Seq[minio.ObjectInfo] {
	owners := false
	return s.client.ListObjectsIter(ctx, bucket, minio.ListObjectsOptions{Prefix: prefix, StartAfter: after, Recursive: true, FetchOwner: &owners})
}

// remove removes objects, a thousand in one request.
func (s *Store) remove(ctx context.Context, bucket string, keys iter.Seq[minio.ObjectInfo]) error {
	results, err := s.client.RemoveObjectsWithIter(ctx, bucket, keys, minio.RemoveObjectsOptions{})
	if err != nil {
		return err
	}
	for r := range results {
		if err = r.Err; err != nil && !is(err, minio.NoSuchKey) {
			return err
		}
	}
	return ctx.Err()
}

// tries is how often a bucket is emptied that somebody goes on writing to.
const tries = 3

// DeleteContainer implements contract.Store.
func (s *Store) DeleteContainer(ctx context.Context, container string) error {
	bucket, err := s.enter(ctx, container)
	if err != nil {
		return err
	}
	for range tries {
		if err = s.clear(ctx, bucket); err == nil {
			err = s.client.RemoveBucket(ctx, bucket)
		}
		if !is(err, minio.BucketNotEmpty) {
			break
		}
	}
	if is(err, minio.NoSuchBucket) {
		return nil
	}
	return failed(err)
}

// DeleteObject implements contract.Store.
func (s *Store) DeleteObject(ctx context.Context, id contract.ObjectID) error {
	return s.DeleteObjects(ctx, id.Container, []string{id.Object})
}

// DeleteObjects implements contract.Store.
func (s *Store) DeleteObjects(ctx context.Context, container string, objects []string) error {
	bucket, err := s.enter(ctx, container)
	if err != nil {
		return err
	}
	var keys []minio.ObjectInfo
	for _, object := range objects {
		if key, err := keyOf(object); err == nil && s.cfg.CheckNames(object) == nil { // others no object can have
			keys = append(keys, minio.ObjectInfo{Key: key})
		}
	}
	switch len(keys) {
	case 0:
		return s.need(ctx, container)
	case 1:
		err = s.client.RemoveObject(ctx, bucket, keys[0].Key, minio.RemoveObjectOptions{})
	default:
		err = s.remove(ctx, bucket, slices.Values(keys))
	}
	if is(err, minio.NoSuchKey) {
		return nil
	}
	return failedAt(contract.ObjectID{Container: container}, err)
}

// stat returns what is known of an object. A server that does not find one does not
// say whether there is its bucket.
func (s *Store) stat(ctx context.Context, id contract.ObjectID) (p place, o minio.ObjectInfo, err error) {
	if p, err = s.place(ctx, id); err != nil {
		return p, o, err
	}
	o, err = s.client.StatObject(ctx, p.bucket, p.key, minio.StatObjectOptions{})
	if is(err, minio.NoSuchKey, minio.NoSuchBucket) {
		if err := s.need(ctx, id.Container); err != nil {
			return p, o, err
		}
		return p, o, blobstore.NoObject(id)
	}
	return p, o, failed(err)
}

// HasObject implements contract.Store.
func (s *Store) HasObject(ctx context.Context, id contract.ObjectID) (bool, error) {
	_, _, err := s.stat(ctx, id)
	if errors.Is(err, blobstore.NoObject(id)) {
		return false, nil
	}
	return err == nil, err
}

// GetObjectInfo implements contract.Store.
func (s *Store) GetObjectInfo(ctx context.Context, id contract.ObjectID) (contract.ObjectMetadata, error) {
	_, o, err := s.stat(ctx, id)
	if err != nil {
		return contract.ObjectMetadata{}, err
	}
	return contract.ObjectMetadata{CreatedAt: seconds(o.LastModified), Size: uint64(max(0, o.Size))}, nil
}

// maxCopyBytes is what S3 copies in one step.
const maxCopyBytes = 5 << 30

// CopyObject implements contract.Store.
func (s *Store) CopyObject(ctx context.Context, src, dest contract.ObjectID) error {
	from, o, err := s.stat(ctx, src)
	if err != nil {
		return err
	}
	to, err := s.place(ctx, dest)
	if err != nil || src == dest {
		return err
	}
	if err := s.cfg.CheckSize(o.Size); err != nil {
		return err
	}
	source, target := minio.CopySrcOptions{Bucket: from.bucket, Object: from.key}, minio.CopyDestOptions{Bucket: to.bucket, Object: to.key}
	if o.Size > maxCopyBytes {
		_, err = s.client.ComposeObject(ctx, target, source) // by parts, which it aborts if it fails
	} else {
		_, err = s.client.CopyObject(ctx, target, source)
	}
	return failedAt(dest, err)
}

// MoveObject implements contract.Store, by a copy and a deletion.
func (s *Store) MoveObject(ctx context.Context, src, dest contract.ObjectID) error {
	if err := s.CopyObject(ctx, src, dest); err != nil || src == dest {
		return err
	}
	return s.DeleteObject(ctx, src)
}
