package beat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/lathhost/lath/lattice"
)

// Limits of a beat.
const (
	// MaxLoads is how many components a beat tells of.
	MaxLoads = 64
	// busiest is how many of them are the busiest, where a beat cannot tell of all;
	// the others follow in turn, from beat to beat.
	busiest = MaxLoads / 2
	// MaxSize is the size of an encoded beat in bytes.
	MaxSize = 32 << 10

	maxInbox  = 256
	maxName   = 256
	maxMillis = 1 << 52 // exact in every JSON reader
)

// Load is how full a component is on one host.
type Load struct {
	ID string `json:"id"`
	// Running and Waiting count its calls. A provider tells neither.
	Running uint32 `json:"running,omitempty"`
	Waiting uint32 `json:"waiting,omitempty"`
	// Limit is how many calls may run at a time; 0: nobody has said.
	Limit uint32 `json:"limit,omitempty"`
	// Aside: the host has left, or is about to leave, the component's queue group
	// until it has room again. It still answers on its direct subjects.
	Aside bool `json:"aside,omitempty"`
}

// Room reports whether a call would run at once.
func (l *Load) Room() bool { return l.Limit == 0 || l.Waiting == 0 && l.Running < l.Limit }

// Beat is what a host says of itself. Its name is in the subject.
type Beat struct {
	// Start is when the host started, in milliseconds of Unix time by its own
	// clock. It tells one start from another, and no time.
	Start int64 `json:"start_ms"`
	// At is for how long the host has run, in milliseconds. It grows from beat to
	// beat, and is the sequence of beats at once.
	At int64 `json:"at_ms"`
	// Name is what people call the host.
	Name string `json:"name,omitempty"`
	// Draining: the host takes no more calls.
	Draining bool `json:"draining,omitempty"`
	// Final: the host has left. This is its last beat.
	Final bool `json:"final,omitempty"`
	// Inbox begins the subjects on which the host hears from its callers, so that
	// they know with whom a call is. Empty: it does not say.
	Inbox string `json:"inbox,omitempty"`
	// Components are what it runs, providers included: at most [MaxLoads].
	Components []Load `json:"components,omitempty"`
	// Total is how many it runs, where Components does not tell of all.
	Total int `json:"total,omitempty"`
}

// narrow leaves of more components than a beat may tell of the busiest, and of the
// others those whose turn it is: the next after an id, in their order. It returns the
// id after which the next turn begins. What b was given is left as it is.
func (b *Beat) narrow(after string) (last string) {
	if b.Total = 0; len(b.Components) <= MaxLoads {
		return ""
	}
	all := slices.Clone(b.Components)
	slices.SortFunc(all, func(x, y Load) int {
		return cmp.Or(cmp.Compare(uint64(y.Running)+uint64(y.Waiting), uint64(x.Running)+uint64(x.Waiting)), cmp.Compare(x.ID, y.ID))
	})
	others := all[busiest:]
	slices.SortFunc(others, func(x, y Load) int { return cmp.Compare(x.ID, y.ID) })
	first, _ := slices.BinarySearchFunc(others, after, func(l Load, id string) int { return cmp.Or(cmp.Compare(l.ID, id), -1) })
	told := slices.Clip(all[:busiest])
	for i := range MaxLoads - busiest {
		told = append(told, others[(first+i)%len(others)])
	}
	b.Components, b.Total = told, len(all)
	return told[len(told)-1].ID
}

// Encode returns the beat on the wire. Of more components than it may tell of it
// keeps some; the beat itself is left as it is.
func Encode(b Beat) ([]byte, error) {
	if len(b.Components) > MaxLoads {
		b.narrow("")
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	data, err := lattice.EncodeJSON(b)
	if err != nil {
		return nil, fmt.Errorf("beat: %w", err)
	}
	return data, nil
}

// Decode reads a beat. What breaks a limit is refused whole, with
// [lattice.ErrInvalid].
func Decode(data []byte) (Beat, error) {
	var b Beat
	if err := lattice.DecodeJSON(data, MaxSize, &b); err != nil {
		return Beat{}, fmt.Errorf("beat: %w", err)
	}
	return b, b.check()
}

func (b *Beat) check() error {
	switch {
	case b.Start <= 0 || b.Start > maxMillis:
		return fmt.Errorf("beat: %w: start_ms %d", lattice.ErrInvalid, b.Start)
	case b.At < 0 || b.At > maxMillis:
		return fmt.Errorf("beat: %w: at_ms %d", lattice.ErrInvalid, b.At)
	case len(b.Inbox) > maxInbox || strings.ContainsAny(b.Inbox, " \t\r\n*>"):
		return fmt.Errorf("beat: %w: inbox %.40q", lattice.ErrInvalid, b.Inbox)
	case len(b.Name) > maxName || strings.ContainsFunc(b.Name, unicode.IsControl):
		return fmt.Errorf("beat: %w: name %.40q", lattice.ErrInvalid, b.Name)
	case b.Total < 0:
		return fmt.Errorf("beat: %w: total %d", lattice.ErrInvalid, b.Total)
	case len(b.Components) > MaxLoads:
		return fmt.Errorf("beat: %w: %d components, the limit is %d", lattice.ErrInvalid, len(b.Components), MaxLoads)
	}
	for i := range b.Components {
		if err := lattice.ValidID(b.Components[i].ID); err != nil {
			return fmt.Errorf("beat: component %w", err)
		}
	}
	return nil
}

// after returns for how long the host had run.
func (b *Beat) after() time.Duration { return time.Duration(b.At) * time.Millisecond }
