package wrpc

import "sync/atomic"

// Stats counts what a Client or Server left unanswered since it began. All of
// it is caused by peers that broke the rules, by messages that came after their
// call had ended, or by what a callee repeats whose connection broke.
type Stats struct {
	// BadHeaders is the number of headers dropped for being too long or
	// malformed.
	BadHeaders uint64
	// Stray is the number of messages for a call that is not there: mostly the
	// late answers of calls that were given up.
	Stray uint64
	// Ignored is the number of messages of a running call that made no sense:
	// an unknown subject, a second handshake, data after the end, a wrong
	// credit.
	Ignored uint64
	// NoReply is the number of invocations dropped because they had no usable
	// reply subject, so that nobody could be told.
	NoReply uint64
	// Overflows is the number of calls that ended because a peer sent more than
	// was allowed.
	Overflows uint64
}

type counters struct {
	badHeaders, stray, ignored, noReply, overflows atomic.Uint64
}

func (c *counters) stats() Stats {
	return Stats{
		BadHeaders: c.badHeaders.Load(),
		Stray:      c.stray.Load(),
		Ignored:    c.ignored.Load(),
		NoReply:    c.noReply.Load(),
		Overflows:  c.overflows.Load(),
	}
}
