package state

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
)

// stored is what a bucket has under a key.
type stored struct {
	value []byte
	rev   uint64
}

// kvOperation is the header that marks an entry as the end of a key.
const kvOperation = "KV-Operation"

// lastRequest and lastResponse are JetStream's, of STREAM.MSG.GET.
type lastRequest struct {
	LastBySubject string `json:"last_by_subj"`
}

type lastResponse struct {
	Error   *jetstream.APIError `json:"error"`
	Message *struct {
		Seq    uint64 `json:"seq"`
		Header []byte `json:"hdrs"`
		Data   []byte `json:"data"`
	} `json:"message"`
}

// last reads what a bucket has under a key from the server that takes its writes.
// The key-value API asks any server that keeps the bucket, which in a cluster may
// be a moment behind: a link that was just put would not be there to delete. The
// error for no value is jetstream.ErrKeyNotFound. The caller bounds ctx.
func (s *Store) last(ctx context.Context, bucket, key string) (stored, error) {
	body, err := json.Marshal(lastRequest{lattice.BucketSubject("", bucket, key)})
	if err != nil {
		return stored{}, err
	}
	answer, err := s.conn.RequestWithContext(ctx, lattice.LastMessageSubject(s.opts.Domain, lattice.BucketStream(bucket)), body)
	if err != nil {
		return stored{}, err
	}
	var r lastResponse
	if err := json.Unmarshal(answer.Data, &r); err != nil {
		return stored{}, fmt.Errorf("answer of JetStream: %w", err)
	}
	switch {
	case r.Error != nil && r.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return stored{}, jetstream.ErrKeyNotFound
	case r.Error != nil:
		return stored{}, r.Error
	case r.Message == nil:
		return stored{}, fmt.Errorf("answer of JetStream: %w: neither a message nor an error", lattice.ErrInvalid)
	}
	if len(r.Message.Header) > 0 {
		h, err := nats.DecodeHeadersMsg(r.Message.Header)
		if err != nil {
			return stored{}, fmt.Errorf("answer of JetStream: headers: %w", err)
		}
		if h.Get(kvOperation) != "" { // DEL or PURGE
			return stored{}, jetstream.ErrKeyNotFound
		}
	}
	return stored{r.Message.Data, r.Message.Seq}, nil
}
