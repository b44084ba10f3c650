// Package link decides where a component's imports go. An operator's link
// names, for one component and some of its imported interfaces, the component
// or provider that answers; the package resolves links when they are set, not
// when they are used, and carries calls along them: from memory to memory
// where the target runs on this host, by wRPC where it does not.
//
// A link is a boundary on both routes: the target runs on its own instance,
// under its own limits and the caller's remaining deadline, sees who calls by
// which link, and its failure reaches the caller as the same [CallError].
//
// An interface with resources has no bytes that could travel: a link of it leads to
// components of the same host alone, and all calls of one caller come to one
// instance, which is the caller's until it has no more handles of it.
//
// It must not know how a target is run, nor the control interface.
//
// Source: wasmCloud v1 protocol, "Link resolution"; Lath wire, "Invocations".
package link
