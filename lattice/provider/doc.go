// Package provider is what a host and a provider that is a process of its own
// say to each other, beside calls: the host data that the process reads when
// it starts, and over NATS its links, its configuration, its health and its
// end. It has both ends: [Remote] is the host's, [Serve] is the provider's.
//
// All of it is v1's, byte for byte, so that providers built for wasmCloud 1.x
// run under Lath and providers built with Lath's SDK under wasmCloud 1.x.
//
// It must not know processes or what a provider does.
//
// Source: wasmCloud 1.9, crates core (host.rs, link.rs, otel.rs, secrets.rs)
// and provider-sdk, and wasmCloud's Go SDK.
package provider
