package beat

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/lathhost/lath/lattice"
)

// The times by which hosts are judged.
const (
	// Interval is the time between beats.
	Interval = time.Second
	// Silence is how long after its last beat a host is unreachable: three beats
	// were missed, and half another one's time was left for it to be late.
	Silence = 3500 * time.Millisecond
	// Doubt is how long the targets of an unreachable host are called by direct
	// subjects. A NATS server with the defaults of its makers takes up to six
	// minutes to notice that a client is gone, and to take it out of queue groups.
	Doubt = 10 * time.Minute

	checkEvery = 250 * time.Millisecond
	// pauseAfter is the time between two checks from which the listener itself
	// did not run.
	pauseAfter = 2 * time.Second
	// takeOver is how long a host's known line must be silent before another
	// start of it counts, and confirm how long that one must have gone on.
	takeOver = 2500 * time.Millisecond
	confirm  = 1500 * time.Millisecond
	// slack is how far a beat may be ahead of the time that has passed since the
	// one before: what travels varies. It is less than [Silence] and so bounds
	// what a lie can hide.
	slack = 1500 * time.Millisecond
	// remember is how long a host that left is kept in mind, so that a beat of it
	// that comes late does not bring it back.
	remember = time.Minute
)

// maxPeers bounds the hosts of a table. A host beyond them is not listened to,
// unless one that left, or has been unreachable for longer than [Doubt], can go.
const maxPeers = 4096

// State is what a listener thinks of a host.
type State uint8

// The states. A host that left has none: it is forgotten.
const (
	Ready State = iota
	Draining
	Unreachable
)

// String returns the state in lower case.
func (s State) String() string {
	return [...]string{Ready: "ready", Draining: "draining", Unreachable: "unreachable"}[s]
}

// Peer is a host as a listener sees it.
type Peer struct {
	ID    string
	State State
	heard time.Time // when its last beat came, by the listener's clock
	Name  string    // see [Beat]
	Inbox string    // see [Beat]
	Loads []Load    // of its last beat
}

// Silence returns for how long the host was not heard, by the listener's clock.
func (p *Peer) Silence() time.Duration { return time.Since(p.heard) }

// IDs returns the ids of what the host runs, as far as it told.
func (p *Peer) IDs() []string {
	ids := make([]string, len(p.Loads))
	for i := range p.Loads {
		ids[i] = p.Loads[i].ID
	}
	return ids
}

// Table decides which hosts answer, by their beats and its owner's clock. It
// reads no clock itself, does no I/O, and is not safe for concurrent use.
type Table struct {
	self    string
	most    int // peers
	peers   map[string]*peer
	checked time.Time
	// Dropped counts beats that changed nothing: repeated, late or ahead of time,
	// of an unknown start, or of too many hosts.
	Dropped uint64
}

// NewTable returns an empty table. self is the host whose table it is: no
// candidate, and a sign that the listener hears; empty: none.
func NewTable(self string, now time.Time) *Table {
	return &Table{self: self, most: maxPeers, peers: map[string]*peer{}, checked: now}
}

// line is what one start of a host has told.
type line struct {
	start int64
	at    time.Duration
	first time.Time // when its first beat came
	heard time.Time // when its last one came
}

func newLine(b *Beat, now time.Time) line { return line{b.Start, b.after(), now, now} }

// follows reports whether a beat is a later one of the line, and no later than
// the time that has passed.
func (l *line) follows(b *Beat, now time.Time) bool {
	ahead := b.after() - l.at
	return b.Start == l.start && ahead > 0 && ahead <= now.Sub(l.heard)+slack
}

type peer struct {
	id    string
	line  line      // that counts
	rival line      // that may come to count
	quiet time.Time // since when its silence counts
	state State
	left  bool
	name  string
	inbox string
	loads []Load
	sent  []uint32 // calls that were aimed at each of loads since
	age   []int    // how many beats ago each was told of; nil: all by the last
}

// Hear takes a beat of a host. It reports whether that changed which hosts
// answer.
func (t *Table) Hear(host string, b Beat, now time.Time) (changed bool) {
	p := t.peers[host]
	switch {
	case p == nil:
		if p = t.admit(host, &b, now); p == nil {
			t.Dropped++
			return false
		}
	case b.Start == p.line.start && b.after() <= p.line.at, !p.line.follows(&b, now) && !p.succeeds(&b, now):
		t.Dropped++
		return false
	}
	return p.take(&b, now)
}

// admit makes a place for a host that is not known, or returns nil.
func (t *Table) admit(host string, b *Beat, now time.Time) *peer {
	if b.Final || lattice.ValidHostID(host) != nil || len(t.peers) >= t.most && !t.evict(now) {
		return nil
	}
	p := &peer{id: host, line: newLine(b, now), left: true} // until it is taken
	t.peers[host] = p
	return p
}

// evict forgets the host that matters least, if it does not matter at all.
func (t *Table) evict(now time.Time) bool {
	var least *peer
	for _, p := range t.peers {
		if p.left || p.state == Unreachable && now.Sub(p.quiet) > Doubt {
			if least == nil || p.left && !least.left || p.left == least.left && p.quiet.Before(least.quiet) {
				least = p
			}
		}
	}
	if least != nil {
		delete(t.peers, least.id)
	}
	return least != nil
}

// succeeds notes a beat that does not follow the line, and reports whether the
// line that it belongs to now counts: the host was started again, or its last
// known beat was a lie.
func (p *peer) succeeds(b *Beat, now time.Time) bool {
	if p.left && b.Start > p.line.start {
		p.line = newLine(b, now)
		return true
	}
	if !p.rival.follows(b, now) {
		p.rival = newLine(b, now)
		return false
	}
	p.rival.at, p.rival.heard = b.after(), now
	// One that leaves again at once has no time to be confirmed.
	if now.Sub(p.rival.first) < confirm && !b.Final || !p.left && now.Sub(p.line.heard) < takeOver {
		return false
	}
	p.line = p.rival
	return true
}

// take makes a beat what is known of the host.
func (p *peer) take(b *Beat, now time.Time) (changed bool) {
	state, left := Ready, p.left
	if b.Draining {
		state = Draining
	}
	changed = left != b.Final || p.state != state
	p.state, p.left, p.name, p.inbox, p.rival = state, b.Final, b.Name, b.Inbox, line{}
	p.line.at, p.line.heard, p.quiet = b.after(), now, now
	if b.Total > len(b.Components) && !b.Final {
		p.merge(b)
		return changed
	}
	p.loads, p.age = b.Components, nil
	if cap(p.sent) < len(p.loads) {
		p.sent = make([]uint32, len(p.loads))
	}
	p.sent = p.sent[:len(p.loads)]
	clear(p.sent)
	return changed
}

// maxIDs bounds what is kept in mind of one host that does not tell of all with each
// beat.
const maxIDs = 1024

// merge adds what a beat tells of to what those before it did, as far as that is to be
// told again: it was not among the busiest, so no call of it is taken to run.
func (p *peer) merge(b *Beat) {
	turns := (min(b.Total, maxIDs)-busiest)/(MaxLoads-busiest) + 2
	loads, sent, age := slices.Clip(b.Components), make([]uint32, len(b.Components)), make([]int, len(b.Components))
	told := make(map[string]struct{}, len(loads))
	for i := range loads {
		told[loads[i].ID] = struct{}{}
	}
	for i := range p.loads {
		since := 1
		if p.age != nil {
			since = p.age[i] + 1
		}
		if _, again := told[p.loads[i].ID]; again || since > turns || len(loads) == maxIDs {
			continue
		}
		loads, sent, age = append(loads, Load{ID: p.loads[i].ID, Limit: p.loads[i].Limit}), append(sent, p.sent[i]), append(age, since)
	}
	p.loads, p.sent, p.age = loads, sent, age
}

// Check looks at the clock; call it every quarter of a second. It returns the
// hosts that have just become unreachable. While connected is false, and for
// time in which it was not called, nobody grows silent.
func (t *Table) Check(now time.Time, connected bool) (lost []Peer) {
	gap := now.Sub(t.checked)
	t.checked = now
	deaf := !connected || gap > pauseAfter || t.cutOff(now)
	for id, p := range t.peers {
		silent := now.Sub(p.quiet)
		switch {
		case p.left:
			if silent > remember {
				delete(t.peers, id)
			}
		case p.state == Unreachable:
		case deaf:
			p.quiet = p.quiet.Add(gap)
		case silent >= Silence && id != t.self:
			p.state = Unreachable
			lost = append(lost, p.peer())
		}
	}
	return lost
}

// cutOff reports that the listener does not hear even the host that it is on.
func (t *Table) cutOff(now time.Time) bool {
	self := t.peers[t.self]
	return self != nil && !self.left && now.Sub(self.line.heard) >= takeOver
}

func (p *peer) peer() Peer {
	return Peer{ID: p.id, State: p.state, heard: p.line.heard, Name: p.name, Inbox: p.inbox, Loads: p.loads}
}

// Peers returns the hosts, by id. Their Loads must not be written to.
func (t *Table) Peers() []Peer {
	list := make([]Peer, 0, len(t.peers))
	for _, p := range t.peers {
		if !p.left {
			list = append(list, p.peer())
		}
	}
	slices.SortFunc(list, func(a, b Peer) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// Suspects returns the ids that ran on hosts that are unreachable, for as long as
// a server may still hold those for members of queue groups; nil: none.
func (t *Table) Suspects(now time.Time) map[string]struct{} {
	var ids map[string]struct{}
	for _, p := range t.peers {
		if p.left || p.state != Unreachable || now.Sub(p.quiet) > Doubt {
			continue
		}
		if ids == nil {
			ids = map[string]struct{}{}
		}
		for i := range p.loads {
			ids[p.loads[i].ID] = struct{}{}
		}
	}
	return ids
}

// candidate is a host that may be called, with how full it is.
type candidate struct {
	host string
	fill float64
	sent *uint32
}

// unlimited stands for the limit of what has none.
const unlimited = 256

// Candidates returns the other hosts that run an id and answer, the emptiest
// first; among equals chance decides. It counts a call for the first until that
// host's next beat, so that a second's calls do not all go to one host.
func (t *Table) Candidates(id string) []string {
	var list []candidate
	for _, p := range t.peers {
		if p.left || p.state != Ready || p.id == t.self {
			continue
		}
		for i := range p.loads {
			if l := &p.loads[i]; l.ID == id {
				calls := float64(l.Running) + float64(l.Waiting) + float64(p.sent[i])
				list = append(list, candidate{p.id, calls / float64(cmp.Or(l.Limit, unlimited)), &p.sent[i]})
				break
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(a.fill, b.fill) })
	*list[0].sent++
	hosts := make([]string, len(list))
	for i := range list {
		hosts[i] = list[i].host
	}
	return hosts
}

// Relief reports whether another host that answers has an id in its queue group,
// so that this host may leave that; roomy asks for one with room.
func (t *Table) Relief(id string, roomy bool) bool {
	for _, p := range t.peers {
		if p.left || p.state != Ready || p.id == t.self {
			continue
		}
		for i := range p.loads {
			if l := &p.loads[i]; l.ID == id && !l.Aside && (!roomy || l.Room()) {
				return true
			}
		}
	}
	return false
}
