// Package cron is the provider that calls components by the clock: each link that
// starts at it has a schedule, and the handler of wasmcloud:messaging that its
// target exports gets a message at each tick, whose subject is the schedule's name
// and whose body is the tick's time.
//
// A tick is fired once per lattice, however many copies of the provider run. Nobody
// leads them: all know the schedule, and race for each tick to change one entry of
// a NATS key-value bucket, which one of them wins (see [record]). Who has won holds
// a lease while the handler runs. When it dies, the next tick is anybody's, and the
// one that was cut short is fired again if the schedule says so: [decide] settles
// all of that, and is pure.
//
// No clock of a host counts: ticks go by that of the NATS server (see [clock]), and
// whether a lease is over each copy measures for itself (see [sighting]).
//
// It must not import host. Sources: crontab(5) of POSIX and Vixie cron for the five
// fields.
package cron
