// Package messaging is the messaging capability: brokers that carry out the contract
// wasmcloud:messaging@0.2.0 for components, and hand components what they subscribe
// to. [Memory] is the broker in this package; those on NATS are in the folder nats.
// Each passes the behaviour suite of messagingtest.
//
// A broker does two things. It sends: it implements the contract's consumer, which
// components import. And it follows links: each link that starts at the provider
// has subscriptions in its configuration, whose messages go to the handler that the
// link's target exports. What all brokers do with a message is here: [Links] keeps
// subscriptions and links in step, and a [Worker] calls a handler, so many times at
// once, each within a time, in order of subject where that is asked for.
//
// What the contract leaves open is settled so, and the suite holds brokers to it:
//
//   - Each link gets each message once, however many copies of the provider run:
//     they are one queue group, unless the subscription names another.
//   - A target that is not there, or has no room, is asked again while the
//     message's time lasts. What is not dealt with after that, or was refused by
//     the handler, is lost and logged; only a durable broker tries again.
//   - A slow handler holds back what publishes, where the broker can do that
//     (memory), or else messages over a bound are dropped and counted (NATS) or
//     wait in the stream (JetStream).
//   - Components reach no subject that a lattice or NATS uses itself: see [Rules].
//
// It must not know hosts. Sources: wasmcloud:messaging 0.2.0 and the messaging-nats
// provider of wasmCloud v1.9.2 for the names of settings.
package messaging
