package beat

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

func newHost(t testing.TB) string {
	t.Helper()
	id, err := lattice.NewIdentity("")
	require.NoError(t, err)
	return id.ID
}

// world is a table with a clock that the test moves.
type world struct {
	t     testing.TB
	table *Table
	now   time.Time
}

func newWorld(t testing.TB, self string) *world {
	now := time.Now()
	return &world{t, NewTable(self, now), now}
}

// hear takes a beat of a start, at seconds after it.
func (w *world) hear(host string, start int64, at float64, loads ...Load) bool {
	w.t.Helper()
	return w.table.Hear(host, Beat{Start: start, At: int64(at * 1000), Components: loads}, w.now)
}

// pass lets time go by in steps of the checks, and returns who became
// unreachable, in that order.
func (w *world) pass(d time.Duration, connected bool) (lost []string) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(checkEvery)
		for _, p := range w.table.Check(w.now, connected) {
			lost = append(lost, p.ID)
		}
	}
	return lost
}

func (w *world) state(host string) string {
	for _, p := range w.table.Peers() {
		if p.ID == host {
			return p.State.String()
		}
	}
	return "unknown"
}

func TestSilence(t *testing.T) {
	t.Parallel()
	a, b := newHost(t), newHost(t)
	w := newWorld(t, "")
	require.Equal(t, "unknown", w.state(a))
	require.True(t, w.hear(a, 1, 0, Load{ID: "x"}))
	require.True(t, w.hear(b, 1, 0, Load{ID: "x"}, Load{ID: "y"}))
	require.Equal(t, "ready", w.state(a))
	require.Nil(t, w.table.Suspects(w.now))

	last := w.now
	var lost []string
	for at := 1.0; len(lost) == 0; at++ {
		lost = w.pass(Interval, true)
		w.hear(a, 1, at, Load{ID: "x"})
	}
	require.Equal(t, []string{b}, lost)
	require.LessOrEqual(t, w.now.Sub(last), 5*time.Second)
	require.Equal(t, "unreachable", w.state(b))
	require.Equal(t, map[string]struct{}{"x": {}, "y": {}}, w.table.Suspects(w.now))
	require.Equal(t, []string{a}, w.table.Candidates("x"))
	require.Empty(t, w.table.Candidates("y"))

	require.Empty(t, w.pass(Doubt, true)[1:], "it is told once; a fell silent too")
	require.Equal(t, "unreachable", w.state(b), "nobody is forgotten for being silent")
	require.Equal(t, map[string]struct{}{"x": {}}, w.table.Suspects(w.now), "no server still holds b for a member")

	require.True(t, w.hear(b, 1, w.now.Sub(last).Seconds(), Load{ID: "y"}))
	require.Equal(t, "ready", w.state(b), "the same start goes on after a pause or a partition")
	require.Equal(t, []string{b}, w.table.Candidates("y"))
}

// A process that stands still between its own first beat and the moment at which it
// hears that takes the next one for ahead of time. It finds back to itself, and to the
// hosts that it hears.
func TestStalledAtTheBeginning(t *testing.T) {
	t.Parallel()
	me, other, silent := newHost(t), newHost(t), newHost(t)
	w := newWorld(t, me)
	w.hear(silent, 1, 0, Load{ID: "x"})
	w.hear(other, 1, 0)
	w.hear(me, 1, 0) // five seconds after it was sent
	for at := 5.0; at < 15; at++ {
		w.hear(me, 1, at)
		w.hear(other, 1, at, Load{ID: "x"})
		w.pass(Interval, true)
	}
	for _, p := range w.table.Peers() {
		if p.ID != silent {
			require.LessOrEqual(t, w.now.Sub(p.heard), 2*Interval)
		}
	}
	require.Equal(t, "unreachable", w.state(silent))
	require.Equal(t, []string{other}, w.table.Candidates("x"))
}

// What is repeated, comes late, is of an older start or ahead of time changes nothing.
func TestReplay(t *testing.T) {
	t.Parallel()
	a := newHost(t)
	w := newWorld(t, "")
	for at := range 10 {
		w.hear(a, 100, float64(at))
		w.pass(Interval, true)
	}
	seen := w.now
	for _, stale := range []float64{0, 5, 9} {
		require.False(t, w.hear(a, 100, stale))
	}
	require.Equal(t, []string{a}, w.pass(Silence, true), "replays do not keep it alive")
	dropped := w.table.Dropped
	for at := range 10 {
		require.False(t, w.hear(a, 100, float64(at)))
	}
	for at := range 10 { // what it said before its last restart, at once
		require.False(t, w.hear(a, 50, float64(at)))
	}
	require.Equal(t, "unreachable", w.state(a), "replays do not revive it")
	require.Equal(t, dropped+20, w.table.Dropped)
	require.True(t, w.hear(a, 100, 10+w.now.Sub(seen).Seconds()))
}

// A lie about a host that lives cannot make it unreachable.
func TestLie(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]Beat{
		"far ahead":        {Start: 100, At: 1 << 50},
		"a little ahead":   {Start: 100, At: 10_000 + slack.Milliseconds()},
		"a newer start":    {Start: 1 << 50, At: 0},
		"an older start":   {Start: 1, At: 50_000},
		"says it has left": {Start: 100, At: 10_500, Final: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newHost(t)
			w := newWorld(t, "")
			for at := range 10 {
				w.hear(a, 100, float64(at))
				require.Empty(t, w.pass(Interval, true))
			}
			w.table.Hear(a, lie, w.now)
			for at := range 10 {
				require.Empty(t, w.pass(Interval, true))
				w.hear(a, 100, float64(11+at))
			}
			require.Equal(t, "ready", w.state(a))
			require.True(t, w.now.Sub(w.table.Peers()[0].heard) < Interval, "its own beats count again")
		})
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]int64{"a later clock": 200, "a clock that was set back": 3} {
		t.Run("killed, "+name, func(t *testing.T) {
			t.Parallel()
			a := newHost(t)
			w := newWorld(t, "")
			w.hear(a, 100, 77, Load{ID: "old"})
			w.pass(Interval, true)
			for at := range 5 {
				w.hear(a, start, float64(at), Load{ID: "new"})
				require.Empty(t, w.pass(Interval, true), "no gap, though the known start is silent for good")
			}
			require.Equal(t, []string{a}, w.table.Candidates("new"))
			require.Empty(t, w.table.Candidates("old"))
		})
	}
	t.Run("stopped", func(t *testing.T) {
		t.Parallel()
		a := newHost(t)
		w := newWorld(t, "")
		w.hear(a, 100, 1, Load{ID: "x"})
		require.True(t, w.table.Hear(a, Beat{Start: 100, At: 1500, Final: true}, w.now))
		require.Equal(t, "unknown", w.state(a), "who said that it leaves is forgotten")
		require.Empty(t, w.table.Candidates("x"))
		require.False(t, w.hear(a, 100, 1.2), "a late beat does not bring it back")
		require.Empty(t, w.pass(Interval, true))
		require.True(t, w.hear(a, 101, 0), "a restart does, at once")
		require.Equal(t, "ready", w.state(a))
	})
	t.Run("killed, started and stopped again", func(t *testing.T) {
		t.Parallel()
		a := newHost(t)
		w := newWorld(t, "")
		w.hear(a, 100, 1)
		w.pass(Silence, true)
		require.Equal(t, "unreachable", w.state(a))
		require.False(t, w.table.Hear(a, Beat{Start: 200, At: 5, Final: true}, w.now), "one beat alone is no host")
		w.hear(a, 200, 0.1)
		require.True(t, w.table.Hear(a, Beat{Start: 200, At: 200, Final: true}, w.now))
		require.Equal(t, "unknown", w.state(a))
	})
	t.Run("never come back", func(t *testing.T) {
		t.Parallel()
		a := newHost(t)
		w := newWorld(t, "")
		w.hear(a, 100, 1)
		w.table.Hear(a, Beat{Start: 100, At: 1500, Final: true}, w.now)
		w.pass(remember+Interval, true)
		require.Empty(t, w.table.peers)
	})
}

// A listener that was itself away blames nobody.
func TestOwnSilence(t *testing.T) {
	t.Parallel()
	me, a := newHost(t), newHost(t)
	t.Run("paused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, me)
		w.hear(a, 1, 0)
		w.now = w.now.Add(time.Hour) // without a check
		require.Empty(t, w.table.Check(w.now, true))
		require.Empty(t, w.pass(Silence-checkEvery, true))
		require.Equal(t, []string{a}, w.pass(Interval, true), "from then on its silence counts")
	})
	t.Run("not connected", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, me)
		w.hear(a, 1, 0)
		require.Empty(t, w.pass(time.Minute, false))
		require.Equal(t, []string{a}, w.pass(Silence+Interval, true))
	})
	t.Run("not even hearing itself", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, me)
		w.hear(a, 1, 0)
		w.hear(me, 1, 0)
		require.Empty(t, w.pass(time.Minute, true))
		var lost []string
		for at := range 5 {
			w.hear(me, 1, float64(60+at))
			lost = append(lost, w.pass(Interval, true)...)
		}
		require.Equal(t, []string{a}, lost, "one that it does hear is judged again")
	})
	t.Run("and then all that waited at once", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, me)
		w.hear(a, 1, 0)
		w.now = w.now.Add(30 * time.Second)
		for at := range 30 {
			w.hear(a, 1, float64(1+at))
		}
		w.table.Check(w.now, true)
		require.Empty(t, w.pass(Interval, true))
		require.False(t, w.hear(a, 1, 31), "no change: it was there all the time")
		require.Equal(t, w.now, w.table.Peers()[0].heard)
	})
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	me, full, half, idle, draining := newHost(t), newHost(t), newHost(t), newHost(t), newHost(t)
	w := newWorld(t, me)
	w.hear(me, 1, 0, Load{ID: "x", Limit: 4})
	w.hear(full, 1, 0, Load{ID: "x", Running: 4, Waiting: 2, Limit: 4})
	w.hear(half, 1, 0, Load{ID: "x", Running: 2, Limit: 4})
	w.hear(idle, 1, 0, Load{ID: "x", Limit: 4})
	w.table.Hear(draining, Beat{Start: 1, Draining: true, Components: []Load{{ID: "x", Limit: 4}}}, w.now)
	require.Equal(t, "draining", w.state(draining))

	require.Equal(t, []string{idle, half, full}, w.table.Candidates("x"))
	require.Empty(t, w.table.Candidates("y"))
	first := map[string]int{}
	for range 5 {
		first[w.table.Candidates("x")[0]]++
	}
	require.Equal(t, map[string]int{idle: 3, half: 2}, first, "both fill alike, with the first one above")

	w.pass(Interval, true)
	w.hear(idle, 1, 1, Load{ID: "x", Limit: 4})
	require.Equal(t, idle, w.table.Candidates("x")[0], "what was aimed there shows in the load by now")
}

func TestRelief(t *testing.T) {
	t.Parallel()
	me, other := newHost(t), newHost(t)
	w := newWorld(t, me)
	w.hear(me, 1, 0, Load{ID: "x", Limit: 4})
	require.False(t, w.table.Relief("x", false), "who else?")
	for i, c := range []struct {
		load        Load
		any, inRoom bool
	}{
		{Load{ID: "x", Limit: 4}, true, true},
		{Load{ID: "x", Limit: 4, Running: 4}, true, false},
		{Load{ID: "x", Limit: 4, Aside: true}, false, false},
		{Load{ID: "y", Limit: 4}, false, false},
		{Load{ID: "x"}, true, true},
	} {
		w.hear(other, 1, float64(i)/10, c.load)
		require.Equal(t, []bool{c.any, c.inRoom}, []bool{w.table.Relief("x", false), w.table.Relief("x", true)}, "%+v", c.load)
	}
	for at := range 5 {
		w.pass(Interval, true)
		w.hear(me, 1, float64(1+at))
	}
	require.Equal(t, "unreachable", w.state(other))
	require.False(t, w.table.Relief("x", false))
}

func TestTableIsBounded(t *testing.T) {
	t.Parallel()
	const most = 16
	w := newWorld(t, "")
	require.Equal(t, maxPeers, w.table.most)
	w.table.most = most
	require.False(t, w.hear("not-a-host", 1, 0))
	hosts := make([]string, most+2)
	for i := range hosts {
		hosts[i] = newHost(t)
		w.hear(hosts[i], 1, 0)
	}
	require.Len(t, w.table.Peers(), most)
	require.Equal(t, "unknown", w.state(hosts[most]), "no host that answers makes room")
	w.table.Hear(hosts[7], Beat{Start: 1, At: 1, Final: true}, w.now)
	require.True(t, w.hear(hosts[most], 1, 0), "one that left does")
	w.pass(Doubt+Silence+Interval, true)
	require.True(t, w.hear(hosts[most+1], 1, 0), "and one that nobody needs to know of any more")
	require.Len(t, w.table.Peers(), most)
}

func TestWire(t *testing.T) {
	t.Parallel()
	b := Beat{Start: 1763750000000, At: 12, Draining: true, Name: "bold-acorn", Inbox: "_INBOX.abc", Components: []Load{
		{ID: "counter", Running: 1, Waiting: 2, Limit: 3, Aside: true}, {ID: "kv"}}}
	data, err := Encode(b)
	require.NoError(t, err)
	require.JSONEq(t, `{"start_ms":1763750000000,"at_ms":12,"name":"bold-acorn","draining":true,"inbox":"_INBOX.abc","components":[
		{"id":"counter","running":1,"waiting":2,"limit":3,"aside":true},{"id":"kv"}]}`, string(data))
	back, err := Decode(data)
	require.NoError(t, err)
	require.Equal(t, b, back)

	var many []Load
	for i := range 100 {
		many = append(many, Load{ID: fmt.Sprintf("c%03d", i), Running: uint32(i % 10), Limit: 10})
	}
	b.Components = slices.Clone(many)
	data, err = Encode(b)
	require.NoError(t, err)
	require.Equal(t, many, b.Components, "the caller's list stays as it is")
	back, err = Decode(data)
	require.NoError(t, err)
	require.Len(t, back.Components, MaxLoads)
	require.Equal(t, 100, back.Total)
	for _, l := range back.Components[:busiest] {
		require.GreaterOrEqual(t, l.Running, uint32(6), "the busiest come first")
	}
}

// A host that runs more than a beat can tell of tells of all in turn, and of the
// busiest always; what it runs no more is forgotten.
func TestManyComponents(t *testing.T) {
	t.Parallel()
	const many = 500
	w, host := newWorld(t, ""), newHost(t)
	loads := func(n int) (list []Load) {
		for i := range n {
			list = append(list, Load{ID: fmt.Sprintf("c%03d", i), Limit: 4})
		}
		return list
	}
	turn, at := "", int64(0)
	beat := func(list []Load) {
		b := Beat{Start: 1, At: at, Components: list}
		turn = b.narrow(turn)
		data, err := Encode(b)
		require.NoError(t, err)
		require.LessOrEqual(t, len(data), MaxSize)
		b, err = Decode(data)
		require.NoError(t, err)
		w.table.Hear(host, b, w.now)
		w.pass(Interval, true)
		at += Interval.Milliseconds()
	}
	turns := (many-busiest)/(MaxLoads-busiest) + 1
	for range turns {
		beat(loads(many))
	}
	require.Len(t, w.table.Peers()[0].Loads, many)
	for _, l := range loads(many) {
		require.Equal(t, []string{host}, w.table.Candidates(l.ID), l.ID)
	}
	busy := loads(many)
	busy[444].Running, busy[444].Waiting = 4, 1
	beat(busy)
	require.False(t, w.table.Relief("c444", true), "the busiest are told of at once")
	for range 2 * turns {
		beat(loads(many))
	}
	require.Len(t, w.table.Peers()[0].Loads, many)
	require.True(t, w.table.Relief("c444", true), "and when they are not")

	for range 2 * turns {
		beat(loads(300))
	}
	require.Len(t, w.table.Peers()[0].Loads, 300)
	beat(loads(10))
	require.Len(t, w.table.Peers()[0].Loads, 10)

	for range 5 * turns { // a host that is not to be believed
		w.table.Hear(host, Beat{Start: 1, At: at, Total: 1 << 40, Components: []Load{{ID: fmt.Sprint("x", at)}}}, w.now)
		w.pass(Interval, true)
		at += Interval.Milliseconds()
	}
	require.LessOrEqual(t, len(w.table.Peers()[0].Loads), maxIDs)
	for range 6 {
		w.pass(Interval, true)
	}
	require.Contains(t, w.table.Suspects(w.now), fmt.Sprint("x", at-Interval.Milliseconds()))
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		``, `null`, `[]`, `{"start_ms":0,"at_ms":1}`, `{"start_ms":-1,"at_ms":1}`, `{"start_ms":1,"at_ms":-1}`, `{"start_ms":1,"at_ms":9223372036854775807}`,
		`{"start_ms":1e30,"at_ms":1}`, `{"start_ms":1,"at_ms":1,"inbox":"a.>"}`, `{"start_ms":1,"at_ms":1,"name":"\u001b[2J"}`, `{"start_ms":1,"at_ms":1,"components":[{"id":"a.b"}]}`,
		`{"start_ms":1,"at_ms":1,"components":[{"id":"a","running":-1}]}`, `{"start_ms":1,"at_ms":1,"components":[{"id":"a","limit":4294967296}]}`,
	} {
		_, err := Decode([]byte(bad))
		require.ErrorIs(t, err, lattice.ErrInvalid, bad)
	}
	b, err := Decode([]byte(`{"start_ms":1,"at_ms":0,"host_id":"NANOTHER","later":[1,2]}`))
	require.NoError(t, err, "what a later version adds is passed over, and a body names no host")
	require.Equal(t, Beat{Start: 1}, b)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"start_ms":1763750000000,"at_ms":12,"draining":true,"inbox":"_INBOX.abc","components":[{"id":"counter","running":1,"limit":3}]}`))
	f.Add([]byte(`{"start_ms":1,"at_ms":0,"final":true}`))
	f.Add([]byte(`{"components":[{}]}`))
	host := newHost(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Decode(data)
		if err != nil {
			require.ErrorIs(t, err, lattice.ErrInvalid)
			return
		}
		again, err := Encode(b)
		require.NoError(t, err)
		back, err := Decode(again)
		require.NoError(t, err)
		if len(b.Components) == 0 {
			b.Components = nil
		}
		require.Equal(t, b, back)

		// Whatever one beat says of a host that lives, it lives on.
		w := newWorld(t, "")
		w.hear(host, 100, 0)
		w.pass(Interval, true)
		w.table.Hear(host, b, w.now)
		for at := range 6 {
			w.hear(host, 100, float64(1+at))
			require.Empty(t, w.pass(Interval, true))
		}
		require.Equal(t, "ready", w.state(host))
	})
}
