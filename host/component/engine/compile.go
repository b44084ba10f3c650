package engine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// Code is a compiled module. It may be instantiated any number of times, from
// any goroutine. Close it when no more instances are to be made; instances
// keep what they need of it.
type Code struct {
	c    *compilation
	once sync.Once
}

// compilation is one module being compiled, or compiled, for all who asked for
// the same bytes.
type compilation struct {
	e      *Engine
	key    [sha256.Size]byte
	wasm   []byte
	refs   int // guarded by Engine.mu
	ctx    context.Context
	cancel context.CancelFunc

	done chan struct{} // closed once code or err is set
	code wazero.CompiledModule
	err  error

	noStart atomic.Bool // there is no start function, as an instance found
}

// Compile compiles a module, or waits for a compile of the same bytes that is
// under way, or returns one that is still open. wasm must not change until it
// returns. If ctx is done it returns at once; the work goes on as long as
// someone else waits for it.
func (e *Engine) Compile(ctx context.Context, wasm []byte) (*Code, error) {
	c, err := e.compilation(wasm)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		e.release(c)
		return nil, fmt.Errorf("compile core module: %w", ctx.Err())
	}
	if c.err != nil {
		e.release(c)
		return nil, c.err
	}
	return &Code{c: c}, nil
}

// Close gives the code up.
func (c *Code) Close() { c.once.Do(func() { c.c.e.release(c.c) }) }

// compilation finds or starts the compilation of wasm, and takes a reference.
func (e *Engine) compilation(wasm []byte) (*compilation, error) {
	key := sha256.Sum256(wasm)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	if c := e.codes[key]; c != nil {
		c.refs++
		return c, nil
	}
	c := &compilation{e: e, key: key, wasm: wasm, refs: 1, done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(e.ctx)
	e.codes[key] = c
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
	if e.codes[c.key] == c {
		delete(e.codes, c.key)
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
	code, err := c.compile()
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.code, c.err, c.wasm = code, err, nil
	if err != nil && c.e.codes[c.key] == c {
		delete(c.e.codes, c.key) // the next one tries again
	}
	if c.refs == 0 {
		c.closeCode()
	}
	close(c.done)
}

// compile waits for a slot and compiles.
func (c *compilation) compile() (code wazero.CompiledModule, err error) {
	select {
	case c.e.slots <- struct{}{}:
		defer func() { <-c.e.slots }()
	case <-c.ctx.Done():
		return nil, fmt.Errorf("compile core module: %w", c.ctx.Err())
	}
	defer func() {
		if r := recover(); r != nil {
			code, err = nil, fmt.Errorf("compile core module: the compiler failed: %v", r)
		}
	}()
	ctx := experimental.WithCompilationWorkers(c.ctx, c.e.workers)
	code, err = c.e.runtime.CompileModule(ctx, c.wasm)
	if err != nil {
		return nil, fmt.Errorf("compile core module: %w", err)
	}
	return code, nil
}
