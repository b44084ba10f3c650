package state

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
)

// What an export says of itself in its first line.
const (
	exportFormat  = "lath-lattice"
	exportVersion = 1
)

// Limits of an export that is read.
const (
	maxExportLine  = 16 << 20  // bytes
	maxExportBytes = 512 << 20 // of all values together
	maxExportKeys  = 1 << 20
)

// exportLine is one line of an export, which is JSON: first what it is, then one
// entry a line, then the end with their number, by which a file that was cut off
// is known.
type exportLine struct {
	Format  string    `json:"format,omitempty"`
	Version int       `json:"version,omitempty"`
	Lattice string    `json:"lattice,omitempty"`
	Created time.Time `json:"created,omitzero"`

	Bucket string `json:"bucket,omitempty"`
	Key    string `json:"key,omitempty"`
	Value  []byte `json:"value,omitempty"` // base64: the bytes as they are

	End     bool `json:"end,omitempty"`
	Entries int  `json:"entries,omitempty"`
}

// exported names a lattice's buckets in an export, which may go into a lattice of
// another name.
func exported(name string) map[string]string {
	return map[string]string{
		"LATTICEDATA": lattice.LatticeBucket(name),
		"CONFIGDATA":  lattice.ConfigBucket(name),
		"LATH":        lattice.LathBucket(name),
	}
}

// entryKey is a key of one of the buckets.
type entryKey struct{ bucket, key string }

// String is the key as an operator finds it.
func (k entryKey) String() string { return k.bucket + "/" + k.key }

// Export writes all that is stored of a lattice to w, and returns how many entries
// that is. What changes meanwhile is in it or not. The outcomes of commands, which
// are kept for minutes only, are left out. A lattice of which nothing is stored is
// lattice.ErrNotFound.
func Export(ctx context.Context, conn *nats.Conn, name string, opts Options, w io.Writer) (int, error) {
	s, err := newStore(conn, name, opts)
	var entries map[entryKey][]byte
	if err == nil {
		entries, err = s.readAll(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("export lattice %s: %w", name, err)
	}
	if entries == nil {
		return 0, fmt.Errorf("export lattice %s: %w: nothing of it is stored at %s", name, lattice.ErrNotFound, conn.ConnectedUrlRedacted())
	}
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	err = enc.Encode(exportLine{Format: exportFormat, Version: exportVersion, Lattice: name, Created: time.Now().UTC().Truncate(time.Second)})
	for _, k := range sortedKeys(entries) {
		if err == nil {
			err = enc.Encode(exportLine{Bucket: k.bucket, Key: k.key, Value: entries[k]})
		}
	}
	if err == nil {
		err = enc.Encode(exportLine{End: true, Entries: len(entries)})
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return 0, fmt.Errorf("export lattice %s: %w", name, err)
	}
	return len(entries), nil
}

func sortedKeys(entries map[entryKey][]byte) []entryKey {
	return slices.SortedFunc(maps.Keys(entries), func(a, b entryKey) int { return strings.Compare(a.String(), b.String()) })
}

// readAll reads every entry of the buckets; it is nil if there are no buckets.
func (s *Store) readAll(ctx context.Context) (map[entryKey][]byte, error) {
	var entries map[entryKey][]byte
	for short, bucket := range exported(s.lattice) {
		found, err := s.readBucket(ctx, bucket)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("bucket %s: %w", bucket, s.explain(ctx, err))
		}
		if entries == nil {
			entries = map[entryKey][]byte{}
		}
		for key, value := range found {
			entries[entryKey{short, key}] = value
		}
	}
	return entries, nil
}

func (s *Store) readBucket(ctx context.Context, bucket string) (map[string][]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	kv, err := s.js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, err
	}
	w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = w.Stop() // fails only where the connection has ended it
		for range w.Updates() {
		}
	}()
	entries := map[string][]byte{}
	silence := time.NewTimer(listTimeout)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-silence.C:
			return nil, fmt.Errorf("list: %w", lattice.ErrTimeout)
		case kve, ok := <-w.Updates():
			if !ok {
				return nil, errors.New("the listing was cut off")
			}
			if kve == nil {
				return entries, nil
			}
			silence.Reset(listTimeout)
			if _, op := lattice.ParseOpKey(kve.Key()); !op {
				entries[kve.Key()] = kve.Value()
			}
		}
	}
}

// Imported is what Import did.
type Imported struct {
	// Added entries were not there before, and Same ones were there already.
	Added int `json:"added"`
	Same  int `json:"same"`
}

// Import stores what an export has in a lattice, whose buckets are made if they are
// missing. It writes only what is not there, so that it may be repeated after a
// failure. A lattice that has something else is refused with lattice.ErrConflict
// before anything is written: any key that the export has with another value and,
// without merge, any key that it does not have. What is no export is
// lattice.ErrInvalid. Hosts hear of links and configs at once; what a host is to
// run it reads when it starts.
func Import(ctx context.Context, conn *nats.Conn, name string, opts Options, r io.Reader, merge bool) (Imported, error) {
	done, err := importInto(ctx, conn, name, opts, r, merge)
	if err != nil {
		err = fmt.Errorf("import into lattice %s: %w", name, err)
	}
	return done, err
}

func importInto(ctx context.Context, conn *nats.Conn, name string, opts Options, r io.Reader, merge bool) (done Imported, err error) {
	s, err := newStore(conn, name, opts)
	if err != nil {
		return done, err
	}
	entries, err := readExport(r)
	if err != nil {
		return done, err
	}
	for k, value := range entries {
		if limit := int(conn.MaxPayload()) - 1024; len(value) > limit {
			return done, fmt.Errorf("%s: %w: %d bytes, and NATS carries %d (max_payload)", k, lattice.ErrInvalid, len(value), limit)
		}
	}
	if err := s.openBuckets(ctx); err != nil {
		return done, err
	}
	there, err := s.readAll(ctx)
	if err != nil {
		return done, err
	}
	if err := importConflict(entries, there, merge); err != nil {
		return done, err
	}
	for _, k := range sortedKeys(entries) {
		added, err := s.importEntry(ctx, k, entries[k])
		if err != nil {
			return done, fmt.Errorf("%s: %w", k, err)
		}
		if added {
			done.Added++
		} else {
			done.Same++
		}
	}
	return done, nil
}

// importEntry stores an entry if there is none, and fails if there is another one.
func (s *Store) importEntry(ctx context.Context, k entryKey, value []byte) (added bool, err error) {
	ctx, cancel := s.request(ctx)
	defer cancel()
	kv := map[string]jetstream.KeyValue{"LATTICEDATA": s.specBucket, "CONFIGDATA": s.configBucket, "LATH": s.lathBucket}[k.bucket]
	if _, err = kv.Create(ctx, k.key, value); err == nil {
		return true, nil
	}
	if !isConflict(err) {
		return false, s.explain(ctx, err)
	}
	now, err := s.last(ctx, exported(s.lattice)[k.bucket], k.key)
	switch {
	case err != nil:
		return false, s.explain(ctx, err)
	case !bytes.Equal(now.value, value):
		return false, fmt.Errorf("%w: someone has stored something else meanwhile", lattice.ErrConflict)
	}
	return false, nil
}

// importConflict says what keeps an export out of a lattice that has entries.
func importConflict(entries, there map[entryKey][]byte, merge bool) error {
	var differ, more []string
	for _, k := range sortedKeys(there) {
		value, ok := entries[k]
		switch {
		case !ok:
			more = append(more, k.String())
		case !bytes.Equal(value, there[k]):
			differ = append(differ, k.String())
		}
	}
	switch {
	case len(differ) > 0:
		return fmt.Errorf("%w: it has %d of the keys with other values: %s; nothing was written", lattice.ErrConflict, len(differ), some(differ))
	case len(more) > 0 && !merge:
		return fmt.Errorf("%w: it is not empty, there are %s; nothing was written (merging would leave these as they are)", lattice.ErrConflict, some(more))
	}
	return nil
}

// some names the first of a list.
func some(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// readExport reads an export, whole or not at all.
func readExport(r io.Reader) (map[entryKey][]byte, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxExportLine)
	entries, size, first, ended := map[entryKey][]byte{}, 0, true, false
	for n := 1; lines.Scan(); n++ {
		var line exportLine
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&line); err != nil {
			return nil, fmt.Errorf("line %d: %w: %w", n, lattice.ErrInvalid, err)
		}
		switch {
		case ended:
			return nil, fmt.Errorf("line %d: %w: there is more after the end", n, lattice.ErrInvalid)
		case first:
			if line.Format != exportFormat || line.Version != exportVersion {
				return nil, fmt.Errorf("line 1: %w: want an export of version %d, as lath lattice export writes it", lattice.ErrInvalid, exportVersion)
			}
			first = false
		case line.End:
			if line.Entries != len(entries) {
				return nil, fmt.Errorf("line %d: %w: %d entries, and there are %d", n, lattice.ErrInvalid, line.Entries, len(entries))
			}
			ended = true
		default:
			k := entryKey{line.Bucket, line.Key}
			if err := checkEntry(k, entries); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			entries[k] = line.Value
			size += len(line.Key) + len(line.Value)
			if size > maxExportBytes || len(entries) > maxExportKeys {
				return nil, fmt.Errorf("line %d: %w: more than %d MiB or %d entries", n, lattice.ErrInvalid, maxExportBytes>>20, maxExportKeys)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", lattice.ErrInvalid, err)
	}
	if !ended {
		return nil, fmt.Errorf("%w: it is cut off: the line that ends it is missing", lattice.ErrInvalid)
	}
	return entries, nil
}

func checkEntry(k entryKey, entries map[entryKey][]byte) error {
	if _, ok := exported("")[k.bucket]; !ok {
		return fmt.Errorf("%w: no bucket %.40q", lattice.ErrInvalid, k.bucket)
	}
	valid := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-/_=.", r)
	}
	if k.key == "" || len(k.key) > maxKey || strings.ContainsFunc(k.key, func(r rune) bool { return !valid(r) }) ||
		k.key[0] == '.' || k.key[len(k.key)-1] == '.' || strings.Contains(k.key, "..") {
		return fmt.Errorf("%w: key %.80q", lattice.ErrInvalid, k.key)
	}
	if _, twice := entries[k]; twice {
		return fmt.Errorf("%w: key %s a second time", lattice.ErrInvalid, k)
	}
	return nil
}

// maxKey bounds the keys of an export, in bytes: they become subjects.
const maxKey = 1024
