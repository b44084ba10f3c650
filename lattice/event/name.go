package event

// The names of v1's events.
const (
	HostStartedName          = "host_started"
	HostHeartbeatName        = "host_heartbeat"
	HostStoppedName          = "host_stopped"
	ComponentScaledName      = "component_scaled"
	ComponentScaleFailedName = "component_scale_failed"
	ProviderStartedName      = "provider_started"
	ProviderStartFailedName  = "provider_start_failed"
	ProviderStoppedName      = "provider_stopped"
	HealthPassedName         = "health_check_passed"
	HealthFailedName         = "health_check_failed"
	HealthStatusName         = "health_check_status"
	LinkSetName              = "linkdef_set"
	LinkSetFailedName        = "linkdef_set_failed"
	LinkDeletedName          = "linkdef_deleted"
	LabelsChangedName        = "labels_changed"
	ConfigSetName            = "config_set"
	ConfigDeletedName        = "config_deleted"
)

// EventName implements Data.
func (HostStarted) EventName() string { return HostStartedName }

// EventName implements Data.
func (HostHeartbeat) EventName() string { return HostHeartbeatName }

// EventName implements Data.
func (HostStopped) EventName() string { return HostStoppedName }

// EventName implements Data.
func (ComponentScaled) EventName() string { return ComponentScaledName }

// EventName implements Data.
func (ComponentScaleFailed) EventName() string { return ComponentScaleFailedName }

// EventName implements Data.
func (ProviderStarted) EventName() string { return ProviderStartedName }

// EventName implements Data.
func (ProviderStartFailed) EventName() string { return ProviderStartFailedName }

// EventName implements Data.
func (ProviderStopped) EventName() string { return ProviderStoppedName }

// EventName implements Data.
func (HealthPassed) EventName() string { return HealthPassedName }

// EventName implements Data.
func (HealthFailed) EventName() string { return HealthFailedName }

// EventName implements Data.
func (HealthStatus) EventName() string { return HealthStatusName }

// EventName implements Data.
func (LinkSet) EventName() string { return LinkSetName }

// EventName implements Data.
func (LinkSetFailed) EventName() string { return LinkSetFailedName }

// EventName implements Data.
func (LinkDeleted) EventName() string { return LinkDeletedName }

// EventName implements Data.
func (LabelsChanged) EventName() string { return LabelsChangedName }

// EventName implements Data.
func (ConfigSet) EventName() string { return ConfigSetName }

// EventName implements Data.
func (ConfigDeleted) EventName() string { return ConfigDeletedName }

// EventName implements Data.
func (u Unknown) EventName() string { return u.Kind }
