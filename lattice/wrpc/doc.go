// Package wrpc calls and serves functions over NATS as wRPC 0.0.1 does, byte
// for byte, so that every wasmCloud v1 host and provider is a peer; and between
// Lath peers it adds what wRPC lacks: outcomes, deadlines, cancellation and
// flow control, in headers and on subjects that a v1 peer never looks at.
//
// It knows subjects, bytes and time. It must not know WebAssembly, hosts,
// links or what a function means: parameters and results are bytes in the
// encoding of package wire, and types only serve to see where they end.
//
// # One call on the wire
//
// C is the caller's inbox of this call, S the callee's.
//
//	invocation subject, reply C   →  parameters, as many as fit; headers
//	C, reply S                    ←  accepted ("handshake")
//	S.params                      →  the rest of the parameters; empty = end
//	S.params.<path>               →  a stream or future among them
//	C.results                     ←  results; empty = end
//	C.results.<path>              ←  a stream or future among them
//
// An empty message is the end of its subject and nothing else, so nothing is
// ever written as an empty message in between. Between Lath peers, C and S also
// take credit.params.<path>, credit.results.<path> and cancel; and a callee that
// has all parameters of plain values with the invocation is sent no end of them:
// one that misses some says so in its handshake.
//
// # Where a call enters
//
// A [Client] makes calls on one NATS connection: [Client.Call] for functions
// whose parameters and results are plain values, [Client.Invoke] for those with
// streams and futures. A [Server] answers them: [Server.Serve] subscribes the
// functions of one component or provider. Each has one inbox subscription per
// connection, however many calls run, and tells messages apart by subject.
//
// # What is bounded
//
// Every queue has a limit, and a call that meets one ends with [ErrOverflow];
// the inbox that all calls share never waits for one of them, and no message is
// lost in silence: if the inbox itself overflows or the connection breaks, all
// calls that it may have hurt end with an error. Every wait has a deadline.
//
// # The connection
//
// nats.go can keep what is published while it reconnects and send it later.
// A call must not run when its caller has long given up, so [NewClient] and
// [NewServer] refuse a connection that does so: connect with
// nats.ReconnectBufSize(-1), as lattice.Connect does. Then nats.go itself,
// under its own lock, fails each publish on a broken connection, and what it
// had not yet written when the connection broke is thrown away.
//
// What a callee has to say of a call that it let in is kept instead, while the
// connection is away and the caller waits: its caller, on a connection of its own,
// may be well. A stream is not: its call ends as lost.
//
// Sources: the NATS transport of bytecodealliance/wrpc (crates/transport-nats
// v0.29.0, go/v0.1.0).
package wrpc
