package bind_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	shapesbind "github.com/lathhost/lath/lattice/bind/lath/shapes"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/lath/shapes"
	"github.com/lathhost/lath/wit/lath/shapes/shapestest"
)

func outcomes(t *testing.T, impl shapes.Outcomes) (*shapesbind.OutcomesClient, *local) {
	t.Helper()
	l := newLocal()
	require.NoError(t, shapesbind.ServeOutcomes(l, impl))
	return shapesbind.NewOutcomesClient(l), l
}

// TestOutcomes sends values both ways and gets them back, as the function's
// value and as its error.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	good, _ := outcomes(t, shapestest.Echo{})
	bad, _ := outcomes(t, shapestest.Echo{Fail: true})
	troubles := []shapes.Trouble{
		{Tag: shapes.TroubleNote, Note: "n"},
		{Tag: shapes.TroubleTagValue, TagValue: 200},
		{Tag: shapes.TroubleError, ErrorValue: []byte{0, 1}},
		{Tag: shapes.TroublePair, Pair: shapes.TupleU16String{F0: 65535, F1: "p"}},
		{Tag: shapes.TroubleInternalError, InternalError: wit.Some("i")},
		{Tag: shapes.TroubleInternalError},
	}
	for _, v := range troubles {
		roundTrip(t, v, error(v), good.WithVariant, bad.WithVariant)
	}
	roundTrip(t, shapes.RefusalTooLate, error(shapes.RefusalTooLate), good.WithEnum, bad.WithEnum)
	report := shapes.Report{Code: -300, ErrorValue: "e", Lines: []string{"a", "b"}}
	reported, err := good.WithRecord(context.Background(), report)
	require.NoError(t, err)
	require.Equal(t, report, reported)
	_, err = bad.WithRecord(context.Background(), report)
	require.Equal(t, report, err)
	roundTrip(t, shapes.CausesC0|shapes.CausesC8, error(shapes.CausesC0|shapes.CausesC8), good.WithFlags, bad.WithFlags)
	roundTrip(t, "text", errors.New("text"), good.WithString, bad.WithString)
	roundTrip(t, 300, error(shapes.WithNumberError{Value: 300}), good.WithNumber, bad.WithNumber)
	list := []shapes.Entry{{F0: 1, F1: 'é'}, {F0: 2, F1: '😀'}}
	gotList, err := good.WithList(context.Background(), list)
	require.NoError(t, err)
	require.Equal(t, list, gotList)
	_, err = bad.WithList(context.Background(), list)
	require.Equal(t, shapes.WithListError{Value: list}, err)
	roundTrip(t, true, errors.New("with-nothing failed"), good.WithNothing, bad.WithNothing)
	require.NoError(t, good.WithOnlyNothing(context.Background(), true))
	require.EqualError(t, bad.WithOnlyNothing(context.Background(), true), "with-only-nothing failed")
	require.NoError(t, good.WithOnlyError(context.Background(), ""))
	require.Equal(t, shapes.RefusalTooEarly, good.WithOnlyError(context.Background(), "too-early"))
	nested := wit.Some(wit.Result[uint64, []float32]{Err: []float32{1.5}, IsErr: true})
	got, err := good.Nested(context.Background(), wit.Result[wit.Option[wit.Result[uint64, []float32]], wit.Result[struct{}, struct{}]]{Value: nested})
	require.NoError(t, err)
	require.Equal(t, nested, got)
}

func roundTrip[T any](t *testing.T, v T, wantErr error, good, bad func(context.Context, T) (T, error)) {
	t.Helper()
	got, err := good(context.Background(), v)
	require.NoError(t, err)
	require.Equal(t, v, got)
	_, err = bad(context.Background(), v)
	require.Equal(t, wantErr, err)
}

// strange fails with errors and values that its contract has no room for.
type strange struct {
	shapestest.Echo
	err error
}

func (s strange) WithVariant(context.Context, shapes.Trouble) (shapes.Trouble, error) {
	return shapes.Trouble{Tag: 5}, s.err
}

func (s strange) WithEnum(context.Context, shapes.Refusal) (shapes.Refusal, error) {
	return 2, s.err
}

func (s strange) WithList(context.Context, []shapes.Entry) ([]shapes.Entry, error) {
	return []shapes.Entry{{F1: 0xd800}}, s.err
}

// TestStrangeErrors checks the failure rule: what becomes of an error that is
// not of the contract.
func TestStrangeErrors(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	lost := fmt.Errorf("lost: %w", context.DeadlineExceeded)
	c, _ := outcomes(t, strange{err: lost, Echo: shapestest.Echo{Fail: true}})
	_, err := c.WithVariant(ctx, shapes.Trouble{})
	require.Equal(t, shapes.Trouble{Tag: shapes.TroubleInternalError, InternalError: wit.Some(lost.Error())}, err, "there is room for its text")
	_, err = c.WithEnum(ctx, 0)
	require.Equal(t, lost, err, "there is no room: it stays the transport's matter")
	_, err = c.WithList(ctx, nil)
	require.Equal(t, lost, err)
	_, err = c.Without(ctx, shapes.Side{})
	require.ErrorIs(t, err, shapestest.ErrFailed)

	wrapped, _ := outcomes(t, strange{err: fmt.Errorf("while working: %w", shapes.RefusalTooLate)})
	_, err = wrapped.WithEnum(ctx, 0)
	require.Equal(t, shapes.RefusalTooLate, err, "a wrapped error of the contract is found")
}

// TestStrangeValues checks that a value which its type does not have is an
// error on the side that made it, and is never sent.
func TestStrangeValues(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c, l := outcomes(t, strange{})
	_, err := c.WithVariant(ctx, shapes.Trouble{})
	require.ErrorContains(t, err, "value does not fit its type: case 5 of 5")
	_, err = c.WithEnum(ctx, 0)
	require.ErrorContains(t, err, "case 2 of 2")
	_, err = c.WithList(ctx, nil)
	require.ErrorContains(t, err, "char 0xd800")
	require.Nil(t, l.results)

	l.params = nil
	_, err = c.WithEnum(ctx, 9)
	require.ErrorContains(t, err, "lath:shapes/outcomes@0.1.0.with-enum: parameters: value does not fit its type: case 9 of 2")
	require.Nil(t, l.params)
	_, err = c.WithString(ctx, "a\xffb")
	require.NoError(t, err)
	require.Equal(t, []byte("\x05a\ufffdb"), l.params)
}
