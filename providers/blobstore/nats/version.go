package nats

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/providers/blobstore"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// version is what is known of an object: its record, and when and where that was
// stored. One that is not there has seq 0, or a record that says so.
type version struct {
	info jetstream.ObjectInfo
	seq  uint64
	at   time.Time
}

func (v *version) there() bool { return v != nil && v.seq != 0 && !v.info.Deleted }

func (b *bucket) records() string { return "$O." + b.name + ".M." }

func (b *bucket) recordOf(object string) string {
	return b.records() + base64.URLEncoding.EncodeToString([]byte(nameTo(object)))
}

// objectOf is the name of an object by the subject of its record; false: it is none.
func (b *bucket) objectOf(subject string) (string, bool) {
	name, err := base64.URLEncoding.DecodeString(strings.TrimPrefix(subject, b.records()))
	return nameFrom(string(name)), err == nil
}

// pieces are the subject of an object's bytes.
func (b *bucket) pieces(nuid string) string { return "$O." + b.name + ".C." + nuid }

// plainID is an id that is one token of a subject, and no pattern.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// find returns an object as it is now, there or not.
func (b *bucket) find(ctx context.Context, object string) (*version, error) {
	if err := b.s.cfg.CheckNames(object); err != nil {
		return nil, err
	}
	m, err := b.stream.GetLastMsgForSubject(ctx, b.recordOf(object))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return &version{}, nil
	} else if err != nil {
		return nil, err
	}
	v, err := parseVersion(m.Data)
	if err != nil {
		return nil, err
	}
	v.seq, v.at = m.Sequence, m.Time
	return v, nil
}

// parseVersion reads a record, which may be another program's.
func parseVersion(record []byte) (*version, error) {
	v := &version{}
	if err := json.Unmarshal(record, &v.info); err != nil {
		return nil, blobstore.Errorf("the record of an object is none of a NATS object store: %v", err)
	}
	switch {
	case v.info.Deleted:
	case v.info.Opts != nil && v.info.Opts.Link != nil:
		return nil, blobstore.Errorf("the object is a link of NATS: name what it leads to")
	case !plainID.MatchString(v.info.NUID) || int64(v.info.Size) < 0:
		return nil, blobstore.Errorf("the record of an object is none of a NATS object store")
	}
	return v, nil
}

// get returns an object that is there.
func (b *bucket) get(ctx context.Context, object string) (*version, error) {
	v, err := b.find(ctx, object)
	if err == nil && !v.there() {
		err = blobstore.NoObject(contract.ObjectID{Container: b.container, Object: object})
	}
	return v, err
}

// publish stores a record in the place of the one of number last, 0: of none.
func (b *bucket) publish(ctx context.Context, object string, info *jetstream.ObjectInfo, last uint64) (uint64, error) {
	record, err := json.Marshal(info)
	if err != nil {
		return 0, err
	}
	m := nats.NewMsg(b.recordOf(object))
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	m.Data = record
	ack, err := b.s.js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(last))
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// wasOther means that another record was stored meanwhile.
func wasOther(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// put makes an object what info says, whatever it was, and removes what that was.
func (b *bucket) put(ctx context.Context, object string, info *jetstream.ObjectInfo) (seq uint64, err error) {
	for {
		old, err := b.find(ctx, object)
		if err != nil {
			return 0, err
		}
		seq, err = b.publish(ctx, object, info, old.seq)
		switch {
		case wasOther(err):
			continue // until ctx ends
		case err != nil:
			return 0, err
		case old.there():
			b.purge(ctx, old.info.NUID)
		}
		return seq, nil
	}
}

// purge removes the pieces of an object that nobody can find any more, once nobody of
// this store reads them. That it fails is no error of who has done what was asked for.
func (b *bucket) purge(ctx context.Context, nuid string) {
	if subject := b.pieces(nuid); b.s.reads.last(subject) {
		b.purgeNow(ctx, subject)
	}
}

// purgeNow removes pieces that nobody begins to read any more.
func (b *bucket) purgeNow(ctx context.Context, subject string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	_ = b.stream.Purge(ctx, jetstream.WithPurgeSubject(subject))
	b.s.reads.purged(subject)
}

// reads counts those who read pieces, by their subject: what is written anew or
// deleted goes when they have it.
type reads struct {
	mu sync.Mutex
	by map[string]*reading
}

type reading struct {
	readers int
	gone    bool // nobody may begin to read, and the last reader purges
}

// begin reports whether pieces may be read.
func (r *reads) begin(subject string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.by[subject]
	if at == nil {
		at = &reading{}
		r.by[subject] = at
	}
	if at.gone {
		return false
	}
	at.readers++
	return true
}

// end reports whether who has read the pieces is to purge them.
func (r *reads) end(subject string) (purge bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.by[subject]
	at.readers--
	if at.readers == 0 && !at.gone {
		delete(r.by, subject)
	}
	return at.readers == 0 && at.gone
}

// last has nobody begin to read pieces any more, and reports whether they can be
// purged now; otherwise the last reader does that.
func (r *reads) last(subject string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.by[subject]
	if at == nil {
		at = &reading{}
		r.by[subject] = at
	}
	first := !at.gone
	at.gone = true
	return first && at.readers == 0
}

func (r *reads) purged(subject string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.by, subject)
}

// remove takes an object away, if it is there; only: if its record is of that
// number, 0: whatever it is.
func (b *bucket) remove(ctx context.Context, object string, only uint64) error {
	for {
		old, err := b.find(ctx, object)
		if err != nil || !old.there() || only != 0 && only != old.seq {
			return err
		}
		// Who watches the store learns of it by a record, which then goes, too.
		info := old.info
		info.Deleted, info.Size, info.Chunks, info.Digest, info.ModTime = true, 0, 0, "", time.Time{}
		seq, err := b.publish(ctx, object, &info, old.seq)
		switch {
		case wasOther(err):
			continue // until ctx ends
		case err != nil:
			return err
		}
		b.purge(ctx, old.info.NUID)
		return b.stream.Purge(ctx, jetstream.WithPurgeSubject(b.recordOf(object)), jetstream.WithPurgeSequence(seq+1))
	}
}
