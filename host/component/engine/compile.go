package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/lathhost/lath/host/component/core"
)

// Source is a module as it came, and how it is to be rewritten.
type Source struct {
	Module *core.Module
	Plan   core.Plan
	// Number is what [Symbols] knows the module by. Only a module without names
	// has it: see core.Plan.KeepNames.
	Number uint32
	// MaxBytes bounds the rewritten module; 0 means that nothing does.
	MaxBytes int
}

// TooLargeError is the error about a module that exceeds Source.MaxBytes.
type TooLargeError struct{ Size, Limit int } // in bytes

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("core module of %d bytes, at most %d are allowed", e.Size, e.Limit)
}

// Code is a compiled module. It may be instantiated any number of times, from
// any goroutine. Close it when no more instances are to be made; instances
// keep what they need of it.
type Code struct {
	c    *compilation
	data []core.Segment
	once sync.Once
}

// Facts are what the rewriter learned about the module.
func (c *Code) Facts() *core.Facts { return &c.c.facts }

// Size is how long the rewritten module is, in bytes.
func (c *Code) Size() int { return c.c.size }

// Data is core.Rewritten.Data.
func (c *Code) Data() []core.Segment { return c.data }

// Offsets is core.Rewritten.Offsets.
func (c *Code) Offsets() *core.Offsets { return c.c.offsets }

// Close gives the code up.
func (c *Code) Close() { c.once.Do(func() { c.c.e.release(c.c) }) }

// codeID tells compilations apart.
type codeID struct {
	key    codeKey
	number uint32
}

// compilation is one module being compiled, or compiled, for all who asked for
// the same.
type compilation struct {
	e      *Engine
	id     codeID
	src    Source
	refs   int // guarded by Engine.mu
	ctx    context.Context
	cancel context.CancelFunc

	done    chan struct{} // closed once the following are set
	code    wazero.CompiledModule
	facts   core.Facts
	size    int
	offsets *core.Offsets
	err     error

	noStart atomic.Bool // there is no start function, as an instance found
}

// Compile rewrites and compiles a module, or takes what an earlier compile of it
// has left in the cache, or waits for one that is under way, or returns one that
// is still open. If ctx is done it returns at once; a compile that has begun goes
// on to its end, and its code is kept.
func (e *Engine) Compile(ctx context.Context, src Source) (*Code, error) {
	id := codeID{core.Key(src.Module, src.Plan), src.Number}
	for {
		c, err := e.compilation(id, src)
		if err != nil {
			return nil, err
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			e.release(c)
			return nil, fmt.Errorf("compile core module: %w", ctx.Err())
		}
		err = c.err
		if err == nil && src.MaxBytes > 0 && c.size > src.MaxBytes {
			err = &TooLargeError{c.size, src.MaxBytes}
		}
		if err == nil {
			return &Code{c: c, data: core.Data(src.Module, src.Plan)}, nil
		}
		e.release(c)
		large, is := errors.AsType[*TooLargeError](err)
		if !is || src.MaxBytes > 0 && large.Size > src.MaxBytes {
			return nil, err
		}
		// It was too large for someone else, who may have less.
	}
}

// compilation finds or starts a compilation, and takes a reference.
func (e *Engine) compilation(id codeID, src Source) (*compilation, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	if c := e.codes[id]; c != nil {
		c.refs++
		return c, nil
	}
	c := &compilation{e: e, id: id, src: src, refs: 1, done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(e.ctx)
	e.codes[id] = c
	e.wg.Go(c.run)
	return c, nil
}

// release drops a reference. With the last one, work under way is cancelled
// and finished code is closed.
func (e *Engine) release(c *compilation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.refs--; c.refs > 0 {
		return
	}
	if e.codes[c.id] == c {
		delete(e.codes, c.id)
	}
	c.cancel()
	select {
	case <-c.done:
		c.closeCode()
	default: // run closes it
	}
}

func (c *compilation) closeCode() {
	if c.code != nil {
		_ = c.code.Close(context.WithoutCancel(c.ctx)) // cannot fail: it forgets the code
		c.code = nil
	}
}

func (c *compilation) run() {
	keep := c.finish(c.make())
	if keep != nil {
		c.e.cache.store(c.id.key, keep) // nobody waits for it
	}
}

// finish lets those go on who wait for the code.
func (c *compilation) finish(code wazero.CompiledModule, keep *newEntry, err error) *newEntry {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.code, c.err, c.src = code, err, Source{}
	if err != nil && c.e.codes[c.id] == c {
		delete(c.e.codes, c.id) // the next one tries again
	}
	if c.refs == 0 {
		c.closeCode()
	}
	close(c.done)
	return keep
}

// make gets the code from the cache, or compiles it and returns what to keep.
func (c *compilation) make() (code wazero.CompiledModule, keep *newEntry, err error) {
	defer func() {
		if r := recover(); r != nil {
			code, keep, err = nil, nil, fmt.Errorf("compile core module: the compiler failed: %v", r)
		}
	}()
	if c.e.cache != nil {
		if code, err := c.load(); code != nil || err != nil {
			return code, nil, err
		}
	}
	return c.compile()
}

// load gets the code from the cache; nil where that does not have it.
func (c *compilation) load() (wazero.CompiledModule, error) {
	free, err := c.turn(c.e.loads)
	if err != nil {
		return nil, err
	}
	defer free()
	e := c.e.cache.open(c.id.key)
	if e == nil {
		return nil, nil
	}
	defer e.body.f.Close()
	if err := c.known(e.knowledge); err != nil {
		return nil, err
	}
	if c.src.Plan.KeepOffsets { // which are larger than the module
		rw, err := core.Rewrite(c.src.Module, c.src.Plan)
		if err != nil {
			return nil, err
		}
		c.offsets = rw.Offsets
	}
	code, err := c.e.hand.load(c.ctx, c.e.runtime, c.mark(e.stub), &e.body)
	if err != nil {
		c.e.cache.discard(c.id.key)
		return nil, nil
	}
	c.e.loaded.Add(1)
	return code, nil
}

// compile waits for a slot, rewrites and compiles, in the background: it makes
// the goroutine's thread one that yields to calls.
func (c *compilation) compile() (wazero.CompiledModule, *newEntry, error) {
	free, err := c.turn(c.e.slots)
	if err != nil {
		return nil, nil, err
	}
	defer free()
	if !c.e.ahead {
		background()
	}
	rw, err := core.Rewrite(c.src.Module, c.src.Plan)
	if err != nil {
		return nil, nil, err
	}
	c.offsets = rw.Offsets
	if err := c.known(knowledge{len(rw.Bytes), rw.Facts}); err != nil {
		return nil, nil, err
	}
	c.e.compiled.Add(1)
	ctx := experimental.WithCompilationWorkers(c.ctx, c.e.workers)
	wasm := c.mark(rw.Bytes)
	if c.e.cache == nil {
		code, err := c.e.runtime.CompileModule(ctx, wasm)
		return code, nil, wrapCompile(err)
	}
	code, keep, err := c.e.hand.compile(ctx, c.e.runtime, wasm)
	if err != nil || keep == nil {
		return code, nil, wrapCompile(err)
	}
	stub, err := core.Stub(rw.Bytes)
	if err != nil {
		return code, nil, nil // not kept; it cannot be: what was compiled is a module
	}
	return code, &newEntry{knowledge{len(rw.Bytes), rw.Facts}, stub, keep}, nil
}

func wrapCompile(err error) error {
	if err != nil {
		return fmt.Errorf("compile core module: %w", err)
	}
	return nil
}

// known takes note of what is known of the rewritten module.
func (c *compilation) known(k knowledge) error {
	c.size, c.facts = k.Size, k.Facts
	if most := c.src.MaxBytes; most > 0 && k.Size > most {
		return &TooLargeError{k.Size, most}
	}
	return nil
}

// turn waits for a place.
func (c *compilation) turn(places chan struct{}) (free func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-c.ctx.Done():
		return nil, fmt.Errorf("compile core module: %w", c.ctx.Err())
	}
}

// mark makes the bytes that wazero gets: see mark.
func (c *compilation) mark(wasm []byte) []byte {
	p := &c.src.Plan
	return mark(wasm, !p.KeepNames, c.src.Number, p.KeepOffsets, c.e.serial.Add(1))
}
