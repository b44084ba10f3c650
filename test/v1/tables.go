package v1

// A table has one line for each kind of JSON object: its name, and its fields with
// their types. A field with a ? may be missing; one of type T|null may be null.
// The types are string, bool, u32, u64, i32, map (of strings), [string], null, and
// T and [T] for objects of other lines.

// objects are parts of the others.
const objects = `
Component: id string, image_ref string, name? string, annotations? map, revision i32, max_instances u32, limits map|null
Provider: id string, image_ref? string, name? string, annotations? map, revision i32
Inventory: components [Component], providers [Provider], host_id string, friendly_name string, labels map, version semver, uptime_human string, uptime_seconds u64
Link: source_id string, target string, name string, wit_namespace string, wit_package string, interfaces [string], source_config [string], target_config [string]
ComponentClaims: call_alias? string, issuer string, tags [string]|null, name string, version string, revision u32, not_before_human string, expires_human string
ProviderClaims: issuer string, tags null, name string, version string, not_before_human string, expires_human string
Credential: username? string, password? string, token? string, registryType string
`

// events are the bodies of events, by their names. That the public key stands with
// the claims, and the older fields with those of a provider, is checked apart.
const events = `
host_started: friendly_name string, labels map, uptime_seconds u64, version semver
host_heartbeat: components [Component], providers [Provider], host_id string, friendly_name string, labels map, version semver, uptime_human string, uptime_seconds u64
host_stopped: labels map
labels_changed: host_id string, labels map
component_scaled: host_id string, image_ref string, component_id string, max_instances u64, annotations map, public_key? string, claims? ComponentClaims
component_scale_failed: host_id string, image_ref string, component_id string, max_instances u32, annotations map, public_key? string, error string
provider_started: host_id string, image_ref string, provider_id string, annotations map, claims? ProviderClaims, instance_id? string, public_key? string, link_name? string
provider_start_failed: provider_ref string, provider_id string, host_id string, error string, link_name string
provider_stopped: host_id string, provider_id string, annotations map, reason string, instance_id string, public_key string, link_name string
health_check_passed: host_id string, provider_id string
health_check_failed: host_id string, provider_id string
health_check_status: host_id string, provider_id string
linkdef_set: source_id string, target string, name string, wit_namespace string, wit_package string, interfaces [string], source_config [string], target_config [string]
linkdef_set_failed: source_id string, target string, name string, wit_namespace string, wit_package string, interfaces [string], source_config [string], target_config [string], error string
linkdef_deleted: source_id string, target? string, name string, wit_namespace string, wit_package string, interfaces? [string]
config_set: config_name string
config_deleted: config_name string
`

// together are fields of events that are all there or none.
var together = map[string][]string{
	"component_scaled": {"claims", "public_key"},
	"provider_started": {"claims", "instance_id", "public_key", "link_name"},
	"linkdef_deleted":  {"target", "interfaces"},
}

// requests are the bodies of control requests, by kind and verb.
const requests = `
component.scale: component_ref string, component_id string, annotations? map, count u32, component_limits? map, host_id string, config [string], allow_update bool
component.update: component_id string, annotations? map, host_id string, new_component_ref string
component.auction: component_ref string, component_id string, constraints map
provider.auction: provider_ref string, provider_id string, constraints map
provider.start: provider_id string, provider_ref string, host_id string, config [string], annotations? map
provider.stop: host_id string, provider_id string
host.stop: host_id string, timeout? u64
label.put: key string, value string
label.del: key string
link.put: source_id string, target string, name string, wit_namespace string, wit_package string, interfaces [string], source_config [string], target_config [string]
link.del: source_id string, name string, wit_namespace string, wit_package string
`
