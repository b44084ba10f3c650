// Package sockets refuses wasi:sockets: a guest finds its network, and may do
// nothing with it.
//
// Source: WASI 0.2, package wasi:sockets.
package sockets

import (
	"context"

	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// Denied carries out wasi:sockets without any socket: sockets and look-ups
// answer access-denied, so that no guest ever has one to call a function of.
type Denied struct {
	// Refused is told what was refused, for the log: the error code that the
	// guest gets has no room for words. Nil: nobody is told.
	Refused func(why string)
}

var (
	_ contract.InstanceNetwork = Denied{}
	_ contract.IPNameLookup    = Denied{}
	_ contract.TCPCreateSocket = Denied{}
	_ contract.UDPCreateSocket = Denied{}
)

// InstanceNetwork implements the contract.
func (Denied) InstanceNetwork(context.Context) (contract.Network, error) { return network{}, nil }

// network is the resource of that name, good for nothing.
type network struct{}

// Drop implements the contract.
func (network) Drop() {}

// ResolveAddresses implements the contract: access-denied.
func (d Denied) ResolveAddresses(context.Context, contract.Network, string) (contract.ResolveAddressStream, error) {
	return nil, d.refuse("name look-up")
}

// CreateTCPSocket implements the contract: access-denied.
func (d Denied) CreateTCPSocket(context.Context, contract.IPAddressFamily) (contract.TCPSocket, error) {
	return nil, d.refuse("a TCP socket")
}

// CreateUDPSocket implements the contract: access-denied.
func (d Denied) CreateUDPSocket(context.Context, contract.IPAddressFamily) (contract.UDPSocket, error) {
	return nil, d.refuse("a UDP socket")
}

func (d Denied) refuse(what string) error {
	if d.Refused != nil {
		d.Refused("wasi:sockets: " + what + " is not granted: this host has no grant for sockets yet")
	}
	return contract.ErrorCodeAccessDenied
}
