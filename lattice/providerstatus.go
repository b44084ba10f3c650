package lattice

import "time"

// ProviderStatus is how a provider on one host is. It goes to Lath peers alone:
// v1's inventory names a provider and says no more.
type ProviderStatus struct {
	ID          string            `json:"id"`
	ImageRef    string            `json:"image_ref"`
	Annotations map[string]string `json:"annotations"`
	State       ProviderState     `json:"state"`
	// Reason says why a provider is not well, and is empty where it is.
	Reason string `json:"reason,omitempty"`
	// Since is when the process that runs was started, or when it ended.
	Since time.Time `json:"since"`
	// PID is the process, on its host; 0 for what is built in and where none runs.
	PID int `json:"pid,omitempty"`
	// Restarts is how often it was started again.
	Restarts uint64 `json:"restarts"`
	// RestartMilliseconds is how long it is until it is started again, where none
	// runs: a time that passes, since the clocks of two machines do not compare.
	RestartMilliseconds uint64 `json:"restart_ms,omitempty"`
}

// ProviderState is the state of a provider.
type ProviderState string

// The states.
const (
	// ProviderStarting: its process runs, and has not answered yet.
	ProviderStarting ProviderState = "starting"
	// ProviderRunning: it runs and says that it is well.
	ProviderRunning ProviderState = "running"
	// ProviderUnhealthy: it runs, and says that it is not well.
	ProviderUnhealthy ProviderState = "unhealthy"
	// ProviderSilent: it runs, and does not answer when it is asked how it is.
	ProviderSilent ProviderState = "silent"
	// ProviderRestarting: it has ended, and will be started again.
	ProviderRestarting ProviderState = "restarting"
	// ProviderCrashLoop: as restarting, and it ends soon after each start.
	ProviderCrashLoop ProviderState = "crash loop"
)
