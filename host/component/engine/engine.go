package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// features are the WebAssembly features of guests. Typed function references
// are left out, because core cannot yet rewrite ref.func in them; atomics work
// on unshared memory.
const features = api.CoreFeaturesV2 |
	experimental.CoreFeaturesThreads |
	experimental.CoreFeaturesTailCall |
	experimental.CoreFeaturesExtendedConst |
	experimental.CoreFeaturesExceptionHandling

// Config configures an [Engine].
type Config struct {
	// CacheDir keeps compiled code between runs. It is machine code that will
	// be executed: the directory must belong to this process' user, and no one
	// else may write to it. It is created if it is not there, with mode 0700.
	// Empty means no cache.
	CacheDir string
	// Compiles is how many modules are compiled at the same time; 0 means 2.
	Compiles int
	// CompileWorkers is how many goroutines compile one module; 0 means 1.
	// With more than one, a panic in wazero's compiler ends the process instead
	// of failing that one module: choose it for trusted modules only.
	CompileWorkers int
	// Interpreter interprets, also where there is a compiler (amd64, arm64).
	Interpreter bool
}

// ErrClosed is returned by an engine that was closed.
var ErrClosed = errors.New("engine is closed")

// Engine compiles and runs modules. It may be used by any number of goroutines.
type Engine struct {
	runtime wazero.Runtime
	cache   wazero.CompilationCache // may be nil
	workers int
	slots   chan struct{}

	meterCode wazero.CompiledModule

	ctx    context.Context // done when the engine is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup // compiles

	mu     sync.Mutex
	closed bool
	codes  map[[sha256.Size]byte]*compilation
	meters []*meterGlobals // spare ones
}

// New makes an engine. Close it.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	rc := wazero.NewRuntimeConfig()
	if cfg.Interpreter {
		rc = wazero.NewRuntimeConfigInterpreter()
	}
	rc = rc.WithCoreFeatures(features).WithDebugInfoEnabled(true) // modules have none but that of Mark
	e := &Engine{
		workers: max(cfg.CompileWorkers, 1),
		slots:   make(chan struct{}, max(cfg.Compiles, 1)),
		codes:   make(map[[sha256.Size]byte]*compilation),
	}
	if cfg.Compiles == 0 {
		e.slots = make(chan struct{}, defaultCompiles)
	}
	if cfg.CacheDir != "" {
		cache, err := openCache(cfg.CacheDir)
		if err != nil {
			return nil, err
		}
		e.cache = cache
		rc = rc.WithCompilationCache(cache)
	}
	e.ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	e.runtime = wazero.NewRuntimeWithConfig(e.ctx, rc)
	var err error
	if e.meterCode, err = compileMeter(e.ctx, e.runtime); err != nil {
		return nil, errors.Join(err, e.Close(ctx))
	}
	return e, nil
}

const defaultCompiles = 2

func openCache(dir string) (wazero.CompilationCache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create code cache: %w", err)
	}
	if err := checkPrivate(dir); err != nil {
		return nil, fmt.Errorf("code cache %s: %w", dir, err)
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open code cache %s: %w", dir, err)
	}
	return cache, nil
}

// Close cancels what is being compiled, waits for it, and closes every module
// that is left. No guest may be running.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.wg.Wait()
	err := e.runtime.Close(ctx)
	if e.cache != nil {
		err = errors.Join(err, e.cache.Close(ctx))
	}
	return err
}
