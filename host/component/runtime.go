package component

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/memory"
	"github.com/lathhost/lath/host/component/validate"
	"github.com/lathhost/lath/wit"
)

// Config configures a [Runtime]. The zero value is usable.
type Config struct {
	// CacheDir keeps compiled machine code between runs, by the digests of core
	// modules. Any number of processes may use it at the same time. It is created
	// with mode 0700 and must not be shared with anybody who is not trusted to
	// run code in this process: New refuses one that others may write to. Empty:
	// nothing is kept.
	CacheDir string
	// CacheBytes is how large the cache may grow, in bytes; what was used least
	// recently goes. Default: 2 GiB.
	CacheBytes int64
	// Warn is told, once, what keeps code from being kept: a disk that is full or
	// cannot be written to. Compiling goes on without. It may be called from any
	// goroutine. May be nil.
	Warn func(error)
	// CompileWorkers is how many core modules are compiled at a time. Default:
	// all processors but one, which is left for guests.
	CompileWorkers int
	// Foreground leaves compiles at the priority of calls, for a process that has
	// nothing else to do. Otherwise they yield, where the system lets them.
	Foreground bool
	// MemoryLimit bounds the linear memory of all instances together, in
	// bytes; those that wait in pools are closed first. Default: no limit.
	MemoryLimit uint64
	// ComponentBytes bounds one component's bytes. Default: 64 MiB.
	ComponentBytes int
}

// Runtime compiles and runs components. It is safe for concurrent use.
type Runtime struct {
	engine *engine.Engine
	budget *memory.Budget
	idle   idle
	more   func(want uint64) bool // reclaim
	decode binary.Limits

	watchdog *watchdog
}

// New makes a runtime. Close it when no instance is left.
func New(ctx context.Context, cfg Config) (*Runtime, error) {
	e, err := engine.New(ctx, engine.Config{
		CacheDir: cfg.CacheDir, CacheBytes: cfg.CacheBytes, Warn: cfg.Warn,
		Compiles: cfg.CompileWorkers, Foreground: cfg.Foreground})
	if err != nil {
		return nil, err
	}
	r := &Runtime{engine: e, budget: memory.NewBudget(cfg.MemoryLimit, nil), decode: binary.Limits{Bytes: cfg.ComponentBytes}, watchdog: newWatchdog()}
	r.more = r.reclaim
	return r, nil
}

// Close releases the runtime.
func (r *Runtime) Close(ctx context.Context) error {
	r.watchdog.close()
	return r.engine.Close(ctx)
}

// Component is a decoded and validated component.
type Component struct {
	rt     *Runtime
	def    *binary.Component
	world  *wit.World
	digest string
}

// Compile decodes and validates a component. The bytes must not change
// afterwards. Machine code is made by [Component.Link].
//
// # Errors
//
// Malformed and invalid input is refused with the byte offset and the rule.
func (r *Runtime) Compile(wasm []byte) (*Component, error) {
	sum := sha256.Sum256(wasm)
	c := &Component{rt: r, digest: "sha256:" + hex.EncodeToString(sum[:])}
	def, err := binary.Decode(wasm, r.decode)
	if err != nil {
		return nil, fmt.Errorf("decode component %.19s: %w", c.digest, err)
	}
	info, err := validate.Validate(def, validate.Limits{})
	if err != nil {
		return nil, fmt.Errorf("invalid component %.19s: %w", c.digest, err)
	}
	c.def, c.world = def, info.World()
	return c, nil
}

// Digest returns the SHA-256 of the component's bytes, "sha256:…".
func (c *Component) Digest() string { return c.digest }

// World returns what the component imports and exports.
func (c *Component) World() *wit.World { return c.world }
