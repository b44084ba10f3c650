package event

// The events of this file are Lath's own. They have a type and a subject that no
// reader of v1's events ever sees.

// ComponentTrapped tells that calls of a component have failed: one event stands
// for all that failed since the one before it, of which a component has at most
// one a second.
type ComponentTrapped struct {
	HostID      string `json:"host_id"`
	ComponentID string `json:"component_id"`
	ImageRef    string `json:"image_ref"`
	// Count is how many calls failed since the event before this one, at least 1.
	Count uint64 `json:"count"`
	// Function is the export that was called last, as interface.function, by
	// SourceID, who may be unknown.
	Function string `json:"function"`
	SourceID string `json:"source_id,omitempty"`
	// Code is the stable name of the reason why the last one failed, as in the
	// component's counters, and Cause all that its caller was told.
	Code  string `json:"code"`
	Cause string `json:"cause"`
	// TraceID is the id by which the host's log has the last one: 32 hexadecimal
	// digits.
	TraceID string `json:"trace_id"`
}

// ComponentCrashLoop tells that most calls of a component fail, and goes on to
// tell so once per window for as long as they do. The component takes calls all
// the same: each begins with a new instance, so that there is nothing to restart
// and nothing to wait for.
type ComponentCrashLoop struct {
	HostID      string `json:"host_id"`
	ComponentID string `json:"component_id"`
	ImageRef    string `json:"image_ref"`
	// Traps of Calls calls failed within the window.
	Traps         uint64  `json:"traps"`
	Calls         uint64  `json:"calls"`
	WindowSeconds float64 `json:"window_seconds"`
	// Function, Code, Cause and TraceID are those of the last one.
	Function string `json:"function"`
	Code     string `json:"code"`
	Cause    string `json:"cause"`
	TraceID  string `json:"trace_id"`
}

// ProviderCrashed tells that a provider has ended unasked, and when its host will
// start it again.
type ProviderCrashed struct {
	HostID     string `json:"host_id"`
	ProviderID string `json:"provider_id"`
	ImageRef   string `json:"image_ref"`
	// Cause is how it ended, such as "exit status 1".
	Cause string `json:"cause"`
	// Crashes counts how often it has ended unasked since it was last well for
	// long, with this one; RestartMilliseconds is how long its host waits now.
	Crashes             uint64 `json:"crashes"`
	RestartMilliseconds uint64 `json:"restart_ms"`
}

// ProviderCrashLoop tells that a provider ends again and again, soon after each
// start. It is started again all the same, ever more seldom.
type ProviderCrashLoop struct {
	HostID              string  `json:"host_id"`
	ProviderID          string  `json:"provider_id"`
	ImageRef            string  `json:"image_ref"`
	Cause               string  `json:"cause"`
	Crashes             uint64  `json:"crashes"`
	WindowSeconds       float64 `json:"window_seconds"`
	RestartMilliseconds uint64  `json:"restart_ms"`
}

// SlowConsumer tells that a host did not take messages as fast as they came, so
// that some were dropped on it.
type SlowConsumer struct {
	HostID string `json:"host_id"`
	// Subject is what was subscribed, and Dropped how many of its messages have been
	// dropped, in all.
	Subject string `json:"subject"`
	Dropped uint64 `json:"dropped"`
	// Count is for how often it happened since the event before this one.
	Count uint64 `json:"count"`
	// Next is what to do about it.
	Next string `json:"next"`
}

// PayloadTooLarge tells that a host had something to say that is larger than NATS
// carries, and did not say it.
type PayloadTooLarge struct {
	HostID string `json:"host_id"`
	// What was not sent: an event, or the answer to a subject.
	What  string `json:"what"`
	Bytes int64  `json:"bytes"`
	Limit int64  `json:"limit"`
	Count uint64 `json:"count"`
	Next  string `json:"next"`
}

// StorageFull tells that JetStream has no room for what a host was to store.
type StorageFull struct {
	HostID string `json:"host_id"`
	// Server is the address of the one that said so.
	Server string `json:"server"`
	Cause  string `json:"cause"`
	Count  uint64 `json:"count"`
	Next   string `json:"next"`
}

// The names of Lath's own events.
const (
	SlowConsumerName       = "slow_consumer"
	PayloadTooLargeName    = "payload_too_large"
	StorageFullName        = "storage_full"
	ComponentTrappedName   = "component_trapped"
	ComponentCrashLoopName = "component_crash_loop"
	ProviderCrashedName    = "provider_crashed"
	ProviderCrashLoopName  = "provider_crash_loop"
)

// EventName implements Data.
func (ComponentTrapped) EventName() string { return ComponentTrappedName }

// EventName implements Data.
func (ComponentCrashLoop) EventName() string { return ComponentCrashLoopName }

// EventName implements Data.
func (ProviderCrashed) EventName() string { return ProviderCrashedName }

// EventName implements Data.
func (ProviderCrashLoop) EventName() string { return ProviderCrashLoopName }

// EventName implements Data.
func (SlowConsumer) EventName() string { return SlowConsumerName }

// EventName implements Data.
func (PayloadTooLarge) EventName() string { return PayloadTooLargeName }

// EventName implements Data.
func (StorageFull) EventName() string { return StorageFullName }
