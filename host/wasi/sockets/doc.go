// Package sockets carries out wasi:sockets on the host's network: TCP, UDP and
// name look-up, as far as an allow-list goes.
//
// # What is granted
//
// A guest may connect to, and send to, what [egress.Rules.Addr] allows. For the
// rules that are names, the package remembers for an hour by which names the
// guests of a component found an address. To listen, or to bind a port of the
// guest's choice, takes [egress.Rules.Listen], whoever then connects. To bind
// port 0 is what every client does: it is granted with any rule of the
// transport, and gives nothing but a place to connect or send from. A UDP
// socket bound like that receives from granted peers only; one that was granted
// its place receives from all, and may answer who has sent to it.
//
// A refusal is access-denied to the guest, and words that name the missing
// grant to whoever runs it.
//
// # How it works
//
// One descriptor belongs to one socket and its streams, and is closed with the
// last of them, in any order. What a guest asks for is tried on its own
// goroutine, without blocking; only to wait for readiness does a socket start a
// goroutine, which looks ahead by one connection or one datagram and ends when
// it has it. Every other queue is the kernel's. Dropping a resource ends its
// goroutine and waits for it.
//
// Linux and macOS only; on other systems sockets answer not-supported, and
// names are looked up.
//
// The package knows no flags or files of grants but the words "--allow-net".
// Source: WASI 0.2, package wasi:sockets.
package sockets
