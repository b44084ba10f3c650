package engine

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"github.com/lathhost/lath/host/component/core"
)

// codeKey is a core.Key.
type codeKey = [32]byte

// An entry of the cache is a file of, in little endian:
//
//	magic, key                 8 and 32 bytes
//	facts, stub, code          the sizes of the parts of the body, 8 bytes each
//	sums of the body's chunks  4 bytes each
//	sum of all that            4 bytes
//	body                       facts in JSON, core.Stub, the code as wazero writes it
//
// Sums are CRC-32C: they are against accidents, not against who may write to
// the directory. No byte is handed on that a sum has not been found right for.
const (
	entryMagic = "LATHCODE"
	fixedSize  = len(entryMagic) + len(codeKey{}) + 3*8
	chunkSize  = 256 << 10
	// maxBody bounds what an entry may claim.
	maxBody = 4 << 30
)

var errBadEntry = errors.New("the file is damaged")

// castagnoli is the polynomial that processors know.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// knowledge is what is kept of a rewritten module besides its code.
type knowledge struct {
	Size  int // of the module, in bytes
	Facts core.Facts
}

// entry is an entry that is being read.
type entry struct {
	knowledge
	stub []byte
	body bodyReader // of which the code is left
	used time.Time
}

// readEntry reads an entry up to its code. The file becomes the entry's.
func readEntry(f *os.File, key codeKey) (*entry, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	e := &entry{used: info.ModTime()}
	facts, stub, err := e.readHead(f, info.Size(), key)
	if err != nil {
		return nil, err
	}
	head := make([]byte, facts+stub)
	if _, err := io.ReadFull(&e.body, head); err != nil {
		return nil, err
	}
	e.stub = head[facts:]
	if err := json.Unmarshal(head[:facts], &e.knowledge); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadEntry, err)
	}
	return e, nil
}

// readHead reads what stands before the body, of a file of so many bytes.
func (e *entry) readHead(f *os.File, size int64, key codeKey) (facts, stub int64, err error) {
	var fixed [fixedSize]byte
	if _, err := f.ReadAt(fixed[:], 0); err != nil {
		return 0, 0, err
	}
	sizes := fixed[len(entryMagic)+len(key):]
	if string(fixed[:len(entryMagic)]) != entryMagic || codeKey(fixed[len(entryMagic):]) != key {
		return 0, 0, errBadEntry
	}
	var parts [3]int64
	var body int64
	for i := range parts {
		n := binary.LittleEndian.Uint64(sizes[8*i:])
		if n > maxBody {
			return 0, 0, errBadEntry
		}
		parts[i] = int64(n)
		body += parts[i]
	}
	if body > maxBody {
		return 0, 0, errBadEntry
	}
	sums := make([]byte, 4*(chunks(body)+1))
	start := int64(fixedSize + len(sums))
	if start+body != size {
		return 0, 0, errBadEntry
	}
	if _, err := f.ReadAt(sums, int64(fixedSize)); err != nil {
		return 0, 0, err
	}
	last := len(sums) - 4
	sum := crc32.Update(crc32.Checksum(fixed[:], castagnoli), castagnoli, sums[:last])
	if sum != binary.LittleEndian.Uint32(sums[last:]) {
		return 0, 0, errBadEntry
	}
	e.body = bodyReader{f: f, start: start, size: body, sums: sums[:last]}
	return parts[0], parts[1], nil
}

func chunks(body int64) int64 { return (body + chunkSize - 1) / chunkSize }

// bodyReader reads the body of an entry, and checks each chunk before any of it
// is handed out.
type bodyReader struct {
	f           *os.File
	start, size int64
	sums        []byte
	next        int64  // where in the body the next chunk begins
	buf         []byte // room for a chunk
	left        []byte // of the last one
	err         error
}

// Read reads len(p) bytes, unless the body ends or is damaged before: wazero
// takes what is less for damage.
func (b *bodyReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(b.left) > 0 {
			k := copy(p[n:], b.left)
			b.left = b.left[k:]
			n += k
			continue
		}
		if b.err != nil || b.next == b.size {
			break
		}
		size := min(chunkSize, b.size-b.next)
		if int64(len(p)-n) >= size {
			b.err = b.chunk(p[n : n+int(size)]) // without a copy
			if b.err == nil {
				n += int(size)
			}
			continue
		}
		if b.buf == nil {
			b.buf = make([]byte, chunkSize)
		}
		if b.err = b.chunk(b.buf[:size]); b.err == nil {
			b.left = b.buf[:size]
		}
	}
	switch {
	case n == len(p):
		return n, nil
	case b.err != nil:
		return n, b.err
	}
	return n, io.EOF
}

// chunk reads the next chunk, of len(p) bytes.
func (b *bodyReader) chunk(p []byte) error {
	if _, err := b.f.ReadAt(p, b.start+b.next); err != nil {
		return err
	}
	want := binary.LittleEndian.Uint32(b.sums[4*(b.next/chunkSize):])
	if crc32.Checksum(p, castagnoli) != want {
		return errBadEntry
	}
	b.next += int64(len(p))
	return nil
}

// whole says whether all was read and was good.
func (b *bodyReader) whole() bool { return b.err == nil && b.next == b.size && len(b.left) == 0 }

// Close closes the file.
func (b *bodyReader) Close() error { return b.f.Close() }

// newEntry is an entry that is to be written.
type newEntry struct {
	knowledge
	stub []byte
	code sizedReader
}

// sizedReader is what wazero hands over: a bytes.Reader.
type sizedReader interface {
	io.Reader
	Len() int
}

func (e *newEntry) size() int64 { return int64(fixedSize+len(e.stub)) + int64(e.code.Len()) }

// writeTo writes the entry to a new file and returns how long it is. The head
// comes last.
func (e *newEntry) writeTo(f *os.File, key codeKey) (int64, error) {
	facts, err := json.Marshal(e.knowledge)
	if err != nil {
		return 0, err
	}
	head := append(append(make([]byte, 0, fixedSize), entryMagic...), key[:]...)
	var body int64
	for _, size := range []int{len(facts), len(e.stub), e.code.Len()} {
		head = binary.LittleEndian.AppendUint64(head, uint64(size))
		body += int64(size)
	}
	start := int64(fixedSize) + 4*(chunks(body)+1)
	from := io.MultiReader(bytes.NewReader(facts), bytes.NewReader(e.stub), e.code)
	buf := make([]byte, chunkSize)
	for at := int64(0); at < body; at += chunkSize {
		p := buf[:min(chunkSize, body-at)]
		if _, err := io.ReadFull(from, p); err != nil {
			return 0, err
		}
		if _, err := f.WriteAt(p, start+at); err != nil {
			return 0, err
		}
		head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(p, castagnoli))
	}
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	_, err = f.WriteAt(head, 0)
	return start + body, err
}
