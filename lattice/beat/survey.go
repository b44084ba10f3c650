package beat

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// surveyTime is how long a [Survey] listens: every host that is there beats within.
const surveyTime = Interval + Interval/5

// Survey knows hosts for one call: it listens when it is first asked, not before.
type Survey struct {
	ctx     context.Context //nolint:containedctx // of the one call
	conn    *nats.Conn
	lattice string
}

// NewSurvey returns a survey for a call that ctx bounds.
func NewSurvey(ctx context.Context, conn *nats.Conn, latticeName string) *Survey {
	return &Survey{ctx, conn, latticeName}
}

// Suspect returns false: who has not listened has nobody to suspect.
func (s *Survey) Suspect(string) bool { return false }

// Candidates listens for a little more than a beat and returns who runs the id, the
// emptiest first; none where it cannot listen.
func (s *Survey) Candidates(id string) []string {
	l, err := Listen(s.ctx, ListenerConfig{Conn: s.conn, Lattice: s.lattice})
	if err != nil {
		return nil
	}
	defer l.Close() //nolint:errcheck // what was heard counts all the same
	enough := time.NewTimer(surveyTime)
	defer enough.Stop()
	select {
	case <-enough.C:
	case <-s.ctx.Done():
	}
	return l.Candidates(id)
}
