package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/lathhost/lath/host/component/core"
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
	// Empty means no cache. Any number of engines may use it at the same time.
	CacheDir string
	// CacheBytes is how large the cache may grow, in bytes; what was used least
	// recently goes. 0 means 2 GiB.
	CacheBytes int64
	// Warn is told what keeps code from being kept, once for each kind. It may be
	// called from any goroutine. May be nil.
	Warn func(error)
	// Compiles is how many modules are compiled at the same time; 0 means all
	// processors but one, so that one is left for guests. Each runs on a thread
	// of lower priority, where the system has such.
	Compiles int
	// Foreground leaves compiles at the priority of everything else, for a
	// process that has nothing else to do.
	Foreground bool
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
	handed  wazero.CompilationCache // may be nil
	hand    *handover               // with cache
	cache   *codeCache              // may be nil
	workers int
	ahead   bool          // compiles do not yield
	slots   chan struct{} // compiles
	loads   chan struct{} // from the cache, which do not wait for compiles
	serial  atomic.Uint64

	loaded, compiled atomic.Uint64

	meterCode wazero.CompiledModule
	meters    spareMeters
	shape     atomic.Pointer[callShape] // of the call engines seen last

	ctx    context.Context // done when the engine is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup // compiles

	mu     sync.Mutex
	closed bool
	codes  map[codeID]*compilation
}

// New makes an engine. Close it.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	rc := wazero.NewRuntimeConfig()
	if cfg.Interpreter {
		rc = wazero.NewRuntimeConfigInterpreter()
	}
	rc = rc.WithCoreFeatures(features).WithDebugInfoEnabled(true) // modules have none but that of Mark
	compiles := cfg.Compiles
	if compiles <= 0 {
		compiles = max(runtime.GOMAXPROCS(0)-1, 1)
	}
	e := &Engine{
		workers: max(cfg.CompileWorkers, 1),
		ahead:   cfg.Foreground,
		slots:   make(chan struct{}, compiles),
		loads:   make(chan struct{}, runtime.GOMAXPROCS(0)),
		codes:   make(map[codeID]*compilation),
	}
	if cfg.CacheDir != "" && !cfg.Interpreter {
		e.handed, e.hand = install()
		if e.handed != nil {
			rc = rc.WithCompilationCache(e.handed)
		}
	}
	e.ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	e.runtime = wazero.NewRuntimeWithConfig(e.ctx, rc)
	var err error
	if e.meterCode, err = compileMeter(e.ctx, e.runtime); err != nil {
		return nil, errors.Join(err, e.Close(ctx))
	}
	if cfg.CacheDir != "" {
		if err := e.openCache(cfg); err != nil {
			return nil, errors.Join(err, e.Close(ctx))
		}
	}
	return e, nil
}

// openCache opens the cache, if wazero can use it. The meter was compiled.
func (e *Engine) openCache(cfg Config) (err error) {
	if cfg.Warn == nil {
		cfg.Warn = func(error) {}
	}
	switch {
	case e.hand == nil || e.hand.seen == [sha256.Size]byte{}:
		return nil // it interprets
	case !e.hand.learn(core.MeterBinary()):
		cfg.Warn(errors.New("no code is kept: this version of wazero is not known"))
		return nil
	}
	e.cache, err = openCache(cfg.CacheDir, cfg.CacheBytes, e.hand.cpu, cfg.Warn)
	return err
}

// Stats are what an engine did since it was made.
type Stats struct {
	Compiled uint64 // modules that it compiled
	Loaded   uint64 // modules whose code was in the cache
}

// Stats returns what the engine did.
func (e *Engine) Stats() Stats { return Stats{e.compiled.Load(), e.loaded.Load()} }

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
	e.meters.close()
	e.cancel()
	e.wg.Wait()
	err := e.runtime.Close(ctx)
	if e.handed != nil {
		err = errors.Join(err, e.handed.Close(ctx))
	}
	return err
}
