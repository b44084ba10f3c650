// Package builtin is where capability providers and the host meet: it joins each of
// package providers to a host, which knows no provider, and none of which knows a host.
// What is in it a host starts by a reference of the scheme lath+builtin.
package builtin
