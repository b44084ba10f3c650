package workload

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCrowdingDecides(t *testing.T) {
	t.Parallel()
	var (
		full  = crowd{running: 4, waiting: 1, limit: 4, relief: true, roomy: true}
		tight = crowd{running: 4, waiting: 1, limit: 4, relief: true} // the others are full, too
		alone = crowd{running: 4, waiting: 9, limit: 4}
		line  = crowd{running: 4, limit: 4, relief: true, roomy: true}
		idle  = crowd{limit: 4, relief: true, roomy: true}
	)
	type step struct {
		after time.Duration
		o     crowd
		want  stance
	}
	for name, steps := range map[string][]step{
		"steps aside after notice, and comes back when there is room": {
			{0, idle, within}, {0, line, within}, {0, full, leaving}, {notice / 2, full, leaving}, {notice, full, aside},
			{stay, full, aside}, {0, line, aside}, {0, idle, within}},
		"does not flap": {
			{0, full, leaving}, {notice, full, aside}, {stay / 2, idle, aside}, {stay, idle, within},
			{stay / 2, full, within}, {stay, full, leaving}},
		"never without others":            {{0, alone, within}, {time.Hour, alone, within}},
		"not where nobody has room":       {{0, tight, within}, {time.Hour, tight, within}},
		"the others have filled up":       {{0, full, leaving}, {notice, tight, aside}, {time.Hour, tight, aside}},
		"two that would leave at once":    {{0, full, leaving}, {notice, alone, within}, {stay / 2, full, within}, {stay, full, leaving}},
		"the crowd has gone meanwhile":    {{0, full, leaving}, {notice, line, within}},
		"comes back when others are gone": {{0, full, leaving}, {notice, full, aside}, {0, alone, within}},
	} {
		var c crowding
		now := time.Now()
		for i, s := range steps {
			now = now.Add(s.after)
			require.Equal(t, s.want, c.decide(s.o, now), "%s: step %d", name, i)
		}
	}
	require.Equal(t, []int64{1, 1, 1, 25}, []int64{threshold(1), threshold(4), threshold(7), threshold(100)})
}
