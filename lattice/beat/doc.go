// Package beat is the pulse of a lattice: each host says once a second that it
// is there and how full its components are, and each listener judges by its own
// clock who still answers. [Beater] publishes, [Listener] hears, and [Table],
// which does no I/O, decides.
//
// # What a beat may do
//
// A beat chooses among hosts: callers steer round one that is silent and try the
// emptiest first. It never deletes anything, and nothing is deleted because beats
// stay away: a silent host is unreachable until it is heard again or says that it
// leaves. The name of a host is in the subject only, so that NATS permissions
// decide who may speak for it, and a body cannot name another one.
//
// A beat tells when its host started, by the host's clock, and for how long it
// has run. Of one start only later beats count, and none that is ahead of what
// the listener's own clock allows; so a beat that comes twice or late does
// nothing, and a lie cannot outrun the host it is told of. A beat of another
// start counts once the known one has been silent and the new one goes on at the
// pace of time. Two start times are compared only where one has left. Who may
// publish on a host's subject and keeps doing so is believed; what that gains is
// a call that finds nobody there, and goes to the next.
//
// # Whose silence
//
// A listener that was paused, has no connection or does not even hear its own
// host is itself what fell silent. That time counts against nobody.
//
// It must not know calls, subjects of functions or hosts' work beyond the ids.
// Source: Lath wire, "Subjects".
package beat
