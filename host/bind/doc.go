// Package bind is what generated guest glue is made of: the few steps between
// a guest's memory and Go values that are worth a name. The glue itself is
// below, one package for each WIT package: host/bind/<namespace>/<package>. For
// each interface there it has a function that makes an implementation callable
// by guests; and for some a caller, which is an implementation that calls a
// guest:
//
//	exports, err := types.NewValuesExports(template)
//	v, err := exports.On(instance).EchoU32(ctx, 42)
//
// Everything that comes from a guest is checked here or in
// [component.Invocation]: what the canonical ABI forbids traps the guest. What
// the host's own code gets wrong (an enum that has no such case, a resource of
// the wrong Go type) traps too, with [trap.Host], and never panics.
//
// Source: the component model's "Canonical ABI", sections Loading, Storing,
// Flat Lifting and Flat Lowering.
package bind
