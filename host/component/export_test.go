package component

import "github.com/lathhost/lath/host/component/engine"

// EngineStats tells tests what was compiled, and what was found in the cache.
func EngineStats(r *Runtime) engine.Stats { return r.engine.Stats() }
