package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
)

// puller asks a consumer for messages. All come by one subscription, so that it can
// drain: those that the server has sent when the puller stops are dealt with, and not
// delivered again to somebody else when their time is over. It is not safe for
// concurrent use; stop it.
type puller struct {
	conn  *nats.Conn
	sub   *nats.Subscription
	next  string // what consumers are asked by, up to their names
	inbox string
	asked uint64
}

// Bounds of a pull.
const (
	pullTime  = 10 * time.Second // how long the server has it wait for messages
	pullGrace = time.Second      // within which the server says that it is over
	drainTime = 2 * time.Second
)

func newPuller(conn *nats.Conn, domain string) (*puller, error) {
	p := &puller{conn: conn, next: "$JS.API.CONSUMER.MSG.NEXT.", inbox: conn.NewInbox()}
	if domain != "" {
		p.next = "$JS." + domain + ".API.CONSUMER.MSG.NEXT."
	}
	var err error
	if p.sub, err = conn.SubscribeSync(p.inbox + ".*"); err == nil {
		err = p.sub.SetPendingLimits(-1, -1) // no more than was asked for comes
	}
	return p, lattice.Disconnected(err)
}

// pullRequest is what JetStream reads: its API CONSUMER.MSG.NEXT.
type pullRequest struct {
	Batch   int           `json:"batch"`
	Expires time.Duration `json:"expires"` // nanoseconds
}

// pull takes up to n messages of a consumer, and returns how many there were. It waits
// for as many for [pullTime], or until ctx ends.
func (p *puller) pull(ctx context.Context, of *jetstream.ConsumerInfo, n int, take func(*nats.Msg)) (got int, err error) {
	ctx, cancel := context.WithTimeout(ctx, pullTime+pullGrace)
	defer cancel()
	p.asked++
	reply := p.inbox + "." + strconv.FormatUint(p.asked, 10)
	request, err := json.Marshal(pullRequest{n, pullTime})
	if err != nil {
		return 0, err
	}
	if err := p.conn.PublishRequest(p.next+of.Stream+"."+of.Name, reply, request); err != nil {
		return 0, lattice.Disconnected(err)
	}
	for got < n {
		m, err := p.sub.NextMsgWithContext(ctx)
		if err != nil {
			if ctx.Err() != nil {
				err = nil
			}
			return got, lattice.Disconnected(err)
		}
		switch status := m.Header.Get("Status"); {
		case !p.tells(m):
			got++
			take(m)
		case m.Subject == reply && status != "100": // of an earlier pull, or that it lives
			return got, pullEnd(status, m.Header.Get("Description"))
		}
	}
	return got, nil
}

// tells says whether the server tells something of a pull. Messages come with the
// subject under which they were stored, whatever headers they have.
func (p *puller) tells(m *nats.Msg) bool { return strings.HasPrefix(m.Subject, p.inbox+".") }

// pullEnd is why a pull is over; nil: it has waited for long enough.
func pullEnd(status, description string) error {
	text := strings.ToLower(description)
	switch {
	case status == "404", status == "408", strings.Contains(text, "batch completed"):
		return nil
	case status == "503":
		return nats.ErrNoResponders
	case strings.Contains(text, "consumer deleted"):
		return jetstream.ErrConsumerDeleted
	}
	return fmt.Errorf("JetStream: %s (%s)", description, status)
}

// drain ends the subscription, takes up to n messages that the server has sent before,
// and returns how many there were.
func (p *puller) drain(n int, take func(*nats.Msg)) (got int) {
	// Without a connection, what has come is given up: see coreLink.Stop.
	if !p.conn.IsConnected() || p.sub.Drain() != nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	for got < n {
		m, err := p.sub.NextMsgWithContext(ctx)
		if err != nil {
			break
		}
		if !p.tells(m) {
			got++
			take(m)
		}
	}
	return got
}

// stop gives up what was not taken.
func (p *puller) stop() { _ = p.sub.Unsubscribe() }
