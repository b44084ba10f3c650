// Package nats is messaging by NATS: [Core] publishes and subscribes as v1's
// messaging-nats provider does, and [Durable] by JetStream.
//
// Both work on the lattice's own connection, or on connections to servers that the
// settings of the provider or of a link name. Answers to requests come to inboxes
// of their own, never to those by which the host itself talks to NATS: who is asked
// learns where to answer, and must not learn more.
//
// It must not import host. Sources: the messaging-nats provider of wasmCloud v1.9.2
// for the names of settings; NATS ADR-13, 15 and 37 for JetStream's consumers.
package nats
