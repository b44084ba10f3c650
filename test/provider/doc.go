// Package provider tests providers that are processes of their own, on real
// hosts over a real NATS server: good ones made with the SDK, and bad ones. This
// test's own program is their program, so that nothing is built for most.
package provider
