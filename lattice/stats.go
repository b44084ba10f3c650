package lattice

import "time"

// ComponentStats is what a host has counted of one component. It goes to Lath
// peers alone; v1 has no such thing. Counters only grow, and go on when the
// component is updated or rescaled; they begin anew when it is started anew.
type ComponentStats struct {
	ID       string `json:"id"`
	ImageRef string `json:"image_ref"`
	// Since is when counting began.
	Since time.Time `json:"since"`
	// MaxInstances is how many calls may run at a time; Running and Waiting are
	// how many do now.
	MaxInstances uint32 `json:"max_instances"`
	Running      int    `json:"running"`
	Waiting      int    `json:"waiting"`
	// Calls is how many arrived and have ended, whatever became of them, and
	// Errors how many of them failed, by kind: "busy", "refused", "failed", or the
	// code of a trap.
	Calls  uint64            `json:"calls"`
	Errors map[string]uint64 `json:"errors"`
	// CPUNanoseconds is the nominal time of the guest's code: a nanosecond for
	// each tick that it spent, whatever else the machine did.
	CPUNanoseconds uint64 `json:"cpu_ns"`
	// MemoryPeak is the most that the linear memories of one instance were
	// together, in bytes.
	MemoryPeak uint64    `json:"memory_peak_bytes"`
	Pool       PoolStats `json:"pool"`
}

// PoolStats is what a host has counted of the instances that it keeps of one
// component between calls.
type PoolStats struct {
	// Reuse is what becomes of an instance after its call: "pristine", "sticky"
	// or "fresh".
	Reuse string `json:"reuse"`
	// Unpoolable is why every call has a new instance although Reuse says
	// otherwise.
	Unpoolable []string `json:"unpoolable,omitempty"`
	// Min is how many instances are kept ready, Idle how many wait for a call
	// now.
	Min  int `json:"min"`
	Idle int `json:"idle"`
	// Hits are calls that found an instance, Misses those for which one was made.
	Hits   uint64 `json:"hits"`
	Misses uint64 `json:"misses"`
	// Resets is how many instances were brought back to their first state,
	// ResetNanoseconds how long that took in all, off the path of calls, and
	// WrittenPages how many pages of 4 KiB guests had written.
	Resets           uint64 `json:"resets"`
	ResetNanoseconds uint64 `json:"reset_ns"`
	WrittenPages     uint64 `json:"written_pages"`
	// Discarded is how many were ended instead of kept.
	Discarded uint64 `json:"discarded"`
}

// HostStats is what one host has counted of the components that it runs.
type HostStats struct {
	HostID       string `json:"host_id"`
	FriendlyName string `json:"friendly_name"`
	// MemoryInUse is the linear memory of the instances that calls have, in bytes;
	// MemoryIdle that of those that wait for a call.
	MemoryInUse uint64           `json:"memory_bytes"`
	MemoryIdle  uint64           `json:"memory_idle_bytes"`
	Components  []ComponentStats `json:"components"`
}
