package wrpc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lathhost/lath/lattice"
)

// Hosts knows where calls can go. Its methods are called from any number of
// goroutines. Suspect is asked for every call, and must not wait.
type Hosts interface {
	// Suspect reports whether a call to the queue group of an id may reach a host
	// that no longer answers.
	Suspect(id string) bool
	// Candidates returns hosts that run an id and answer on their direct subjects,
	// the best first.
	Candidates(id string) []string
}

// maxElsewhere bounds the hosts that a call is tried on by direct subjects.
const maxElsewhere = 3

// lostGrace is how much longer a call is waited for that nobody has accepted and
// that may have gone to a host that fell silent, or stands in line at another.
const lostGrace = 750 * time.Millisecond

// ErrUnreachable is the cause of a call that was lost because the host that had
// it, or may have had it, is not heard any more.
var ErrUnreachable = errors.New("the host is unreachable")

// Caller calls components and providers by id, on whichever host can answer. A
// call goes to the id's queue group. Where that has a host that does not answer
// any more, and where the callee said busy or refused or nobody was there, it
// goes to other hosts by their direct subjects, while its deadline lasts: to each
// host once at most, and never again after it may have run. It is safe for
// concurrent use.
type Caller struct {
	client  *Client
	lattice string
	hosts   Hosts
}

// NewCaller returns a caller on a client that stays its owner's. Without hosts,
// calls go to queue groups alone.
func NewCaller(client *Client, latticeName string, hosts Hosts) *Caller {
	return &Caller{client: client, lattice: latticeName, hosts: hosts}
}

// Call is [Client.Call] of a function of an id; the target's prefix and subject
// are the caller's to choose.
func (c *Caller) Call(ctx context.Context, id string, t Target, m Meta, params []byte) (results []byte, info Info, err error) {
	if c.hosts == nil {
		t.Prefix = lattice.RPCPrefix(c.lattice, id)
		return c.client.Call(ctx, t, m, params)
	}
	if _, ok := ctx.Deadline(); !ok { // of all attempts together
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.client.cfg.Timeout)
		defer cancel()
	}
	suspect := c.hosts.Suspect(id)
	if suspect {
		results, info, err = c.elsewhere(ctx, id, t, m, params, &Error{Code: NotConnected})
		if !errors.Is(err, ErrNotConnected) {
			return results, info, err
		}
	}
	t.Prefix = lattice.RPCPrefix(c.lattice, id)
	results, info, err = c.client.Call(ctx, t, m, params)
	if e := notRun(err); e != nil && !suspect {
		return c.elsewhere(ctx, id, t, m, params, e)
	}
	return results, info, err
}

// Open is [Client.Invoke] of a function of an id, which goes to other hosts as
// [Caller.Call] does. It returns when the callee has accepted; the target's prefix
// and subject are the caller's to choose.
func (c *Caller) Open(ctx context.Context, id string, t Target, m Meta, params []byte, results ...Path) (*Call, error) {
	t.Prefix = lattice.RPCPrefix(c.lattice, id)
	if c.hosts == nil {
		return c.open(ctx, t, m, params, results)
	}
	var call *Call
	err := error(&Error{Code: NotConnected})
	suspect := c.hosts.Suspect(id)
	if !suspect {
		if call, err = c.open(ctx, t, m, params, results); notRun(err) == nil {
			return call, err
		}
	}
	for i, host := range c.hosts.Candidates(id) {
		if i == maxElsewhere || ctx.Err() != nil {
			break
		}
		next := t
		next.Prefix = lattice.DirectPrefix(c.lattice, host, id)
		call, failed := c.open(ctx, next, m, params, results)
		if notRun(failed) == nil {
			return call, failed
		}
		if errors.Is(err, ErrNotConnected) {
			err = failed
		}
	}
	if suspect && errors.Is(err, ErrNotConnected) {
		return c.open(ctx, t, m, params, results)
	}
	return nil, err
}

// Elsewhere is Call for an id that runs on the caller's own host too, which has no
// room now: the call goes to the other host that has most. ran is false if that did
// nothing, or there is none: the call is still the caller's to make.
func (c *Caller) Elsewhere(ctx context.Context, id string, t Target, m Meta, params []byte) (results []byte, ran bool, err error) {
	if c.hosts == nil {
		return nil, false, nil
	}
	results, _, err = c.others(ctx, id, t, m, params, &Error{Code: NotConnected}, 1)
	return results, notRun(err) == nil, err
}

// OpenElsewhere is [Caller.Elsewhere] as [Caller.Open] is Call; nil, nil: the call is
// still the caller's to make.
func (c *Caller) OpenElsewhere(ctx context.Context, id string, t Target, m Meta, params []byte, results ...Path) (*Call, error) {
	if c.hosts == nil {
		return nil, nil
	}
	hosts := c.hosts.Candidates(id)
	if len(hosts) == 0 {
		return nil, nil
	}
	t.Prefix = lattice.DirectPrefix(c.lattice, hosts[0], id)
	call, err := c.open(ctx, t, m, params, results)
	if notRun(err) != nil {
		return nil, nil
	}
	return call, err
}

// open starts a call and waits until it is accepted.
func (c *Caller) open(ctx context.Context, t Target, m Meta, params []byte, results []Path) (*Call, error) {
	call, err := c.client.Invoke(ctx, t, m, params, results...)
	if err != nil {
		return nil, err
	}
	if _, err := call.Accepted(); err != nil {
		_ = call.Close() // always nil
		return nil, err
	}
	return call, nil
}

// notRun returns the error of a call that others may be asked to run: the callee
// did not accept it, or nobody was there. Nil: the call is over.
func notRun(err error) *Error {
	var e *Error
	if err == nil || !errors.As(err, &e) || e.MayHaveRun {
		return nil
	}
	if e.Code == NotConnected || e.Remote && (e.Code == Busy || e.Code == Refused) {
		return e
	}
	return nil
}

// elsewhere tries a call that ended as last says on other hosts, and returns how
// it ended: where nobody runs it, what the first one said who was there.
func (c *Caller) elsewhere(ctx context.Context, id string, t Target, m Meta, params []byte, last *Error) ([]byte, Info, error) {
	return c.others(ctx, id, t, m, params, last, maxElsewhere)
}

// others is elsewhere on so many hosts at most.
func (c *Caller) others(ctx context.Context, id string, t Target, m Meta, params []byte, last *Error, most int) ([]byte, Info, error) {
	info := Info{Lath: last.Remote}
	asked := last.Host
	attempts := 0
	for _, host := range c.hosts.Candidates(id) {
		if host == asked {
			continue
		}
		if attempts++; attempts > most || ctx.Err() != nil {
			break
		}
		t.Prefix = lattice.DirectPrefix(c.lattice, host, id)
		results, got, err := c.client.Call(ctx, t, m, params)
		e := notRun(err)
		if e == nil {
			return results, got, err
		}
		if last.Code == NotConnected {
			last, info = e, got
		}
	}
	return nil, info, last
}

// Lost ends the calls that a host has, or may have: it is not heard any more.
// inbox begins the subjects on which it hears from its callers, empty if that is
// not known; ids are what it ran. A call of those that was given to the queue
// group and is not accepted yet may be another host's, which has a moment to say
// so. Later calls are the concern of [Hosts].
func (c *Client) Lost(latticeName, host, inbox string, ids []string) {
	cause := &Error{Code: Lost, Err: ErrUnreachable, Host: host, MayHaveRun: true}
	direct := lattice.DirectPrefix(latticeName, host, "")
	groups := make([]string, len(ids))
	for i, id := range ids {
		groups[i] = lattice.RPCPrefix(latticeName, id) + "."
	}
	doubtful := map[uint64]struct{}{}
	c.mux.interruptThose(cause, func(id uint64, subject, callee string) bool {
		switch {
		case strings.HasPrefix(subject, direct):
			return true
		case callee != "":
			return inbox != "" && strings.HasPrefix(callee, inbox+".")
		case slices.ContainsFunc(groups, func(g string) bool { return strings.HasPrefix(subject, g) }):
			doubtful[id] = struct{}{}
		}
		return false
	})
	if len(doubtful) == 0 {
		return
	}
	// It outlives the client by no more than the grace, and then finds no call.
	time.AfterFunc(lostGrace, func() {
		c.mux.interruptThose(cause, func(id uint64, _, callee string) bool {
			_, is := doubtful[id]
			return is && (callee == "" || inbox != "" && strings.HasPrefix(callee, inbox+"."))
		})
	})
}
