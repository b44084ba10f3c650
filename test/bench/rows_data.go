package main

import (
	"context"
	"strings"

	"github.com/lathhost/lath/wit/example/types/typestest"
)

// dataGroup is what goes from component to component.
const dataGroup = "component → component in one process, the instances are taken"

// dataRows are calls from one component to another, between instances that stay.
func (b *bed) dataRows(ctx context.Context) ([]*row, error) {
	hand, err := b.handwritten(ctx)
	if err != nil {
		return nil, err
	}
	c, err := b.caller32(ctx)
	if err != nil {
		return nil, err
	}
	const textSize, longSize, records = 100, 100_000, 1000
	longText := strings.Repeat("a", longSize)
	var all []*row
	for _, d := range []struct {
		name, fn string
		sum      func(n uint64) uint64
		args     []uint64
		limit    limit
		direct   func(context.Context, int) error // as Go does it; nil where that means nothing
	}{
		{"u32", "numbers", echoSum, nil, limit{nanos: 150, noAllocs: true}, goCall(payloads[0], typestest.Echo{})},
		{"100 B string", "texts", each(textSize), []uint64{textSize}, limit{nanos: 200, noAllocs: true}, goCall(payloads[1], typestest.Echo{})},
		{"100 KB string", "texts", each(longSize), []uint64{longSize}, limit{nanos: 8000, noAllocs: true}, copyOf(longText)},
		{"a record of 10 mixed fields", "one-record", each(3 + 12), nil, limit{ratio: 2, noAllocs: true}, nil},
		{"a list of 1,000 such records", "records", each(records - 1 + 12 + records), []uint64{records}, limit{ratio: 2, noAllocs: true}, nil},
	} {
		group := dataGroup + ": " + d.name
		floor := &row{group: group, name: "the same two modules, copied by hand", run: hand.times(d.fn, d.sum, d.args...)}
		run := c.times(d.fn, d.sum, d.args...)
		all = append(all, floor,
			&row{group: group, name: "caller → callee", floor: floor, run: run, limit: &d.limit},
			&row{group: group, name: "caller → callee, no deadline", floor: floor, run: withoutDeadline(run)})
		if d.direct != nil {
			direct := &row{group: group, name: "Go call, or copy", run: d.direct}
			all = append(all, direct, &row{group: group, name: "caller → callee ÷ Go", floor: direct, run: run})
		}
	}
	return all, nil
}

// copyOf copies a text.
func copyOf(s string) func(context.Context, int) error {
	to := make([]byte, len(s))
	return func(_ context.Context, n int) error {
		for range n {
			if copy(to, s) != len(s) {
				return errWrong
			}
		}
		return nil
	}
}
