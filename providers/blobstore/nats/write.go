package nats

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/lathhost/lath/providers/blobstore"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

const (
	// pieceBytes is how large the pieces of an object are, where messages may be.
	pieceBytes = 256 << 10
	// window is how many pieces of an object are on their way at once.
	window = 8
	// overhead is what a message takes beside its piece.
	overhead = 4 << 10
	// leastPiece is what is tried where the server allows less.
	leastPiece = 1 << 10
	// offsetHeader has where in its object a piece begins.
	offsetHeader = "Lath-Offset"
)

// WriteContainerData implements contract.Store.
func (s *Store) WriteContainerData(ctx context.Context, id contract.ObjectID, data io.Reader) error {
	find, cancel := context.WithTimeout(ctx, timeout)
	b, err := s.bucket(find, id.Container)
	cancel()
	if err != nil {
		return err
	}
	if err := s.cfg.CheckNames(id.Object); err != nil {
		return err
	}
	w := &writer{b: b, nuid: nuid.Next(), digest: sha256.New(), piece: pieceBytes}
	if most := s.conn.MaxPayload() - overhead; most > 0 {
		w.piece = int(max(min(pieceBytes, most), leastPiece))
	}
	u := blobstore.NewUpload(ctx, data, &s.cfg.Limits, nil)
	err = w.send(ctx, u)
	if err == nil {
		err = w.commit(ctx, id, u.Size)
	}
	if err != nil {
		w.giveUp(ctx)
	}
	return b.failed(ctx, err)
}

// writer stores the pieces of one object.
type writer struct {
	b      *bucket
	nuid   string
	piece  int
	digest hash.Hash

	sent   int64 // bytes
	pieces uint32
	last   uint64 // the number of the last piece that is stored
	flying []flying
}

// flying is a piece that is not known to be stored.
type flying struct {
	ack jetstream.PubAckFuture
	buf []byte
}

// send stores all of an upload.
func (w *writer) send(ctx context.Context, u *blobstore.Upload) error {
	for {
		buf, err := w.buffer(ctx)
		if err != nil {
			return err
		}
		n, err := io.ReadFull(u, buf)
		if u.Err != nil {
			return u.Err
		}
		if n > 0 {
			if err := w.publish(buf, n); err != nil {
				return err
			}
		}
		if err != nil { // the end
			return w.settle(ctx, 0)
		}
	}
}

// buffer returns what a piece may be read into, when there is room for one more.
func (w *writer) buffer(ctx context.Context) ([]byte, error) {
	if len(w.flying) < window {
		return make([]byte, w.piece), nil
	}
	buf := w.flying[0].buf
	return buf, w.settle(ctx, window-1)
}

func (w *writer) publish(buf []byte, n int) error {
	m := nats.NewMsg(w.b.pieces(w.nuid))
	m.Data = buf[:n]
	m.Header.Set(offsetHeader, strconv.FormatInt(w.sent, 10))
	ack, err := w.b.s.js.PublishMsgAsync(m)
	if err != nil {
		return err
	}
	w.digest.Write(m.Data)
	w.sent += int64(n)
	w.pieces++
	w.flying = append(w.flying, flying{ack, buf})
	return nil
}

// settle waits until no more than so many pieces are on their way.
func (w *writer) settle(ctx context.Context, most int) error {
	for len(w.flying) > most {
		first := w.flying[0].ack
		w.flying = append(w.flying[:0], w.flying[1:]...)
		select {
		case ack := <-first.Ok():
			w.last = ack.Sequence
		case err := <-first.Err():
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// commit makes the pieces an object.
func (w *writer) commit(ctx context.Context, id contract.ObjectID, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	seq, err := w.b.put(ctx, id.Object, &jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: nameTo(id.Object), Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(w.piece)}},
		Bucket:     w.b.name, NUID: w.nuid, Size: uint64(size), Chunks: w.pieces,
		Digest: "SHA-256=" + base64.URLEncoding.EncodeToString(w.digest.Sum(nil)),
	})
	if err != nil {
		return err
	}
	if seq <= w.last { // the pieces were in a container of the same name, before this one
		return errors.Join(blobstore.NoContainer(id.Container), w.b.remove(ctx, id.Object, seq))
	}
	return nil
}

// giveUp leaves nothing of an object, also where the call has ended.
func (w *writer) giveUp(ctx context.Context) {
	if w.pieces == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	for len(w.flying) > 0 { // or they would come after the purge
		_ = w.settle(ctx, 0) // until none is left, stored or not
	}
	w.b.purge(ctx, w.nuid)
}
