package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Store keeps values in Redis. It is safe for concurrent use. Each call about one
// key is one step; a batch is not.
type Store struct {
	cfg    Config
	client *goredis.Client
	once   *goredis.Client // which sends nothing again
}

var (
	_ contract.Store   = (*Store)(nil)
	_ contract.Atomics = (*Store)(nil)
	_ contract.Batch   = (*Store)(nil)
)

// quiet has go-redis not write to standard error what calls return anyway.
var quiet = sync.OnceFunc(func() { goredis.SetLogger(silent{}) })

type silent struct{}

// Printf implements go-redis' logger.
func (silent) Printf(context.Context, string, ...any) {}

// New returns a store that connects when it is first used: a server that is not
// there yet is an error of calls, not of New. Close it.
func New(cfg Config) (*Store, error) {
	cfg.SetDefaults()
	quiet()
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	once := *opts
	once.MaxRetries = -1
	return &Store{cfg: cfg, client: goredis.NewClient(opts), once: goredis.NewClient(&once)}, nil
}

// Close ends the connections.
func (s *Store) Close() error { return errors.Join(s.client.Close(), s.once.Close()) }

// escape writes a bucket's name so that it ends at the first ":".
var escape = strings.NewReplacer("%", "%25", ":", "%3A")

// space is what comes before the keys of a bucket.
func (s *Store) space(bucket string) string {
	if s.cfg.IgnoreBuckets {
		return s.cfg.Prefix
	}
	return s.cfg.Prefix + escape.Replace(bucket) + ":"
}

// key is what a key is called in Redis.
func (s *Store) key(bucket, key string) (string, error) {
	if err := s.cfg.CheckNames(bucket, key); err != nil {
		return "", err
	}
	return s.space(bucket) + key, nil
}

// failed names what does not answer. Errors of the contract stay as they are.
func failed(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[contract.Error](err); ok {
		return err
	}
	return fmt.Errorf("redis: %w", err)
}

// values reads values, unless they are more bytes than one call may hold: other
// programs write here, too.
var values = goredis.NewScript(`
local room = tonumber(ARGV[1])
for i = 1, #KEYS do
  room = room - redis.call('STRLEN', KEYS[i])
  if room < 0 then return redis.error_reply('LIMIT') end
end
return redis.call('MGET', unpack(KEYS))`)

// read returns the values of names, nil where there is none.
func (s *Store) read(ctx context.Context, room int64, names ...string) ([]any, error) {
	got, err := values.RunRO(ctx, s.client, names, room).Slice()
	switch {
	case err != nil && strings.Contains(err.Error(), "LIMIT"):
		return nil, s.cfg.TooLarge()
	case err != nil:
		return nil, failed(err)
	case len(got) != len(names):
		return nil, keyvalue.Other("redis: %d values for %d keys", len(got), len(names))
	}
	return got, nil
}

// Get implements the contract.
func (s *Store) Get(ctx context.Context, bucket, key string) (wit.Option[[]byte], error) {
	name, err := s.key(bucket, key)
	if err != nil {
		return wit.None[[]byte](), err
	}
	got, err := s.read(ctx, s.cfg.MaxBatchBytes, name)
	if err != nil {
		return wit.None[[]byte](), err
	}
	text, ok := got[0].(string)
	return wit.Option[[]byte]{Value: []byte(text), OK: ok}, nil
}

// Set implements the contract.
func (s *Store) Set(ctx context.Context, bucket, key string, value []byte) error {
	name, err := s.key(bucket, key)
	if err != nil {
		return err
	}
	if err := s.cfg.CheckValue(len(value)); err != nil {
		return err
	}
	return failed(s.client.Set(ctx, name, value, s.cfg.TTL).Err())
}

// Delete implements the contract.
func (s *Store) Delete(ctx context.Context, bucket, key string) error {
	name, err := s.key(bucket, key)
	if err != nil {
		return err
	}
	return failed(s.client.Del(ctx, name).Err())
}

// Exists implements the contract.
func (s *Store) Exists(ctx context.Context, bucket, key string) (bool, error) {
	name, err := s.key(bucket, key)
	if err != nil {
		return false, err
	}
	n, err := s.client.Exists(ctx, name).Result()
	return n > 0, failed(err)
}

// glob writes text so that Redis' patterns match it and nothing else.
var glob = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`)

// ListKeys implements the contract. The cursor is that of SCAN: a key may be
// listed twice where others come and go meanwhile, and each page looks at keys
// of the whole database.
func (s *Store) ListKeys(ctx context.Context, bucket string, cursor wit.Option[uint64]) (contract.KeyResponse, error) {
	if err := s.cfg.CheckNames(bucket, ""); err != nil {
		return contract.KeyResponse{}, err
	}
	space := s.space(bucket)
	next := cursor.Value
	for {
		names, after, err := s.client.Scan(ctx, next, glob.Replace(space)+"*", s.cfg.PageKeys).Result()
		if err != nil {
			return contract.KeyResponse{}, failed(err)
		}
		if next = after; len(names) == 0 && next != 0 {
			continue // nothing of this bucket among those
		}
		for i := range names {
			names[i] = strings.TrimPrefix(names[i], space)
		}
		return contract.KeyResponse{Keys: names, Cursor: wit.Option[uint64]{Value: next, OK: next != 0}}, nil
	}
}

// increment adds numbers in decimal digits, since Redis itself counts to 2^63-1
// and takes signs. It answers what became of it, and the sum.
var increment = goredis.NewScript(`
local old = redis.call('GET', KEYS[1]) or '0'
if #old > 20 or not string.match(old, '^%d+$') or (#old > 1 and string.sub(old, 1, 1) == '0') then return {'not a number', ''} end
local a, b, carry, out = string.reverse(old), string.reverse(ARGV[1]), 0, {}
for i = 1, math.max(#a, #b) do
  local digit = (tonumber(string.sub(a, i, i)) or 0) + (tonumber(string.sub(b, i, i)) or 0) + carry
  carry = digit >= 10 and 1 or 0
  out[i] = digit - 10 * carry
end
if carry == 1 then out[#out + 1] = 1 end
local sum = string.reverse(table.concat(out))
if #sum > 20 or (#sum == 20 and sum > '18446744073709551615') then return {'too large', ''} end
redis.call('SET', KEYS[1], sum)
if ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {'', sum}`)

// Increment implements the contract.
func (s *Store) Increment(ctx context.Context, bucket, key string, delta uint64) (uint64, error) {
	name, err := s.key(bucket, key)
	if err != nil {
		return 0, err
	}
	got, err := increment.Run(ctx, s.once, []string{name}, strconv.FormatUint(delta, 10), s.cfg.TTL.Milliseconds()).StringSlice()
	switch {
	case err != nil:
		return 0, failed(err)
	case len(got) != 2:
		return 0, keyvalue.Other("redis: an answer of %d values to increment", len(got))
	case got[0] == "too large":
		return 0, keyvalue.ErrTooLarge
	case got[0] != "":
		return 0, keyvalue.ErrNotNumber
	}
	return keyvalue.ParseCounter([]byte(got[1]))
}

// names of the keys of a batch.
func (s *Store) keys(bucket string, keys []string) ([]string, error) {
	if err := s.cfg.CheckBatch(len(keys)); err != nil {
		return nil, err
	}
	names := make([]string, len(keys))
	for i, key := range keys {
		name, err := s.key(bucket, key)
		if err != nil {
			return nil, err
		}
		names[i] = name
	}
	return names, nil
}

// pageKeys is how many keys of a batch go to the server at a time: they are one
// step there, during which it does nothing else.
const pageKeys = 256

// GetMany implements the contract.
func (s *Store) GetMany(ctx context.Context, bucket string, keys []string) ([]wit.Option[contract.TupleStringBytes], error) {
	names, err := s.keys(bucket, keys)
	if err != nil {
		return nil, err
	}
	found := make([]wit.Option[contract.TupleStringBytes], 0, len(keys))
	room := s.cfg.MaxBatchBytes
	for page := range slices.Chunk(names, pageKeys) {
		got, err := s.read(ctx, room, page...)
		if err != nil {
			return nil, err
		}
		for _, v := range got {
			key := keys[len(found)]
			text, ok := v.(string)
			if !ok {
				found = append(found, wit.None[contract.TupleStringBytes]())
				continue
			}
			if room -= int64(len(key) + len(text)); room < 0 {
				return nil, s.cfg.TooLarge()
			}
			found = append(found, wit.Some(contract.TupleStringBytes{F0: key, F1: []byte(text)}))
		}
	}
	return found, nil
}

// SetMany implements the contract.
func (s *Store) SetMany(ctx context.Context, bucket string, keyValues []contract.TupleStringBytes) error {
	if err := s.cfg.CheckBatch(len(keyValues)); err != nil {
		return err
	}
	for page := range slices.Chunk(keyValues, pageKeys) {
		var refused error
		_, err := s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for _, kv := range page {
				name, err := s.key(bucket, kv.F0)
				if err == nil {
					err = s.cfg.CheckValue(len(kv.F1))
				}
				if err != nil {
					refused = err
					return nil // those before it are set
				}
				p.Set(ctx, name, kv.F1, s.cfg.TTL)
			}
			return nil
		})
		if err = errors.Join(failed(err), refused); err != nil {
			return err
		}
	}
	return nil
}

// DeleteMany implements the contract.
func (s *Store) DeleteMany(ctx context.Context, bucket string, keys []string) error {
	names, err := s.keys(bucket, keys)
	if err != nil {
		return err
	}
	for page := range slices.Chunk(names, pageKeys) {
		if err := s.client.Del(ctx, page...).Err(); err != nil {
			return failed(err)
		}
	}
	return nil
}
