package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"

	"github.com/tetratelabs/wazero"
)

// handover takes code from wazero and gives it back. It stands where wazero
// has its own cache of files, which does not know when one is damaged, fails
// compiles when the disk is full, never removes one, and reads them eight bytes
// at a time.
//
// It implements wazero's internal filecache.Cache. Each module that is compiled
// has its own bytes, see mark, so a key stands for one compile.
type handover struct {
	mu    sync.Mutex
	gives map[[sha256.Size]byte]*bodyReader
	takes map[[sha256.Size]byte]*sizedReader
	seen  [sha256.Size]byte // the last key that was looked for
	// cpu is what wazero found out about the processor, which its keys contain.
	cpu uint64
}

// install makes a cache of wazero that hands code over; nil where wazero is
// made otherwise than it was known.
func install() (wazero.CompilationCache, *handover) {
	h := &handover{gives: map[[sha256.Size]byte]*bodyReader{}, takes: map[[sha256.Size]byte]*sizedReader{}}
	cache := wazero.NewCompilationCache()
	v := reflect.ValueOf(cache)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil, nil
	}
	field := v.Elem().FieldByName("fileCache")
	if !field.IsValid() || field.Kind() != reflect.Interface || !reflect.TypeFor[*handover]().Implements(field.Type()) {
		return nil, nil
	}
	reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem().Set(reflect.ValueOf(h))
	return cache, h
}

// learn finds out how wazero makes keys, from the one of a module that was just
// compiled. It returns false where that is not known: then nothing can be
// handed over.
func (h *handover) learn(wasm []byte) bool {
	const features = 8 // more bits than wazero knows today
	for h.cpu = range uint64(1) << features {
		if h.key(wasm) == h.seen {
			return true
		}
	}
	return false
}

// key is wazero's key of a module: a digest of its ID, which is one of its bytes
// without listeners and without termination checks, and of the processor.
func (h *handover) key(wasm []byte) [sha256.Size]byte {
	id := sha256.New()
	id.Write(wasm)
	id.Write([]byte{0})
	b := append(id.Sum(nil), "WAZEVO"...)
	return sha256.Sum256(binary.LittleEndian.AppendUint64(b, h.cpu))
}

// load has wazero take the code of an entry for that of wasm.
func (h *handover) load(ctx context.Context, r wazero.Runtime, wasm []byte, from *bodyReader) (code wazero.CompiledModule, err error) {
	key := h.key(wasm)
	h.mu.Lock()
	h.gives[key] = from
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.gives, key)
		if p := recover(); p != nil {
			code, err = nil, fmt.Errorf("%w: wazero failed at it: %v", errBadEntry, p)
		}
	}()
	code, err = r.CompileModule(ctx, wasm)
	if err != nil {
		return nil, err
	}
	if !from.whole() { // wazero has compiled wasm instead
		_ = code.Close(ctx) // cannot fail
		return nil, errBadEntry
	}
	return code, nil
}

// compile compiles wasm. The code to keep is nil where there is none.
func (h *handover) compile(ctx context.Context, r wazero.Runtime, wasm []byte) (code wazero.CompiledModule, keep sizedReader, err error) {
	key := h.key(wasm)
	h.mu.Lock()
	h.takes[key] = &keep
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.takes, key)
	}()
	code, err = r.CompileModule(ctx, wasm)
	return code, keep, err
}

// Get implements filecache.Cache. The caller closes the reader.
func (h *handover) Get(key [sha256.Size]byte) (io.ReadCloser, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = key
	if from := h.gives[key]; from != nil {
		return from, true, nil
	}
	return nil, false, nil
}

// Add implements filecache.Cache.
func (h *handover) Add(key [sha256.Size]byte, code io.Reader) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to := h.takes[key]; to != nil {
		*to, _ = code.(sizedReader)
	}
	return nil
}

// Delete implements filecache.Cache: wazero finds the code to be of another
// version of it.
func (h *handover) Delete([sha256.Size]byte) error {
	return errors.New("the code is of another wazero")
}
