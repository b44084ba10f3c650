// Package shapestest implements the contract lath:shapes/outcomes in Go, for
// tests of generated code.
package shapestest

import (
	"bytes"
	"context"
	"errors"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/lath/shapes"
)

// Echo returns what it gets, as the value of the function or, with Fail, as its
// error.
type Echo struct{ Fail bool }

var _ shapes.Outcomes = Echo{}

// ErrFailed is the error of functions whose error has no value.
var ErrFailed = errors.New("failed")

func echo[T any](fail bool, v T, err error) (T, error) {
	if fail {
		var none T
		return none, err
	}
	return v, nil
}

// WithVariant implements shapes.Outcomes.
func (e Echo) WithVariant(_ context.Context, v shapes.Trouble) (shapes.Trouble, error) {
	v.ErrorValue = bytes.Clone(v.ErrorValue)
	return echo(e.Fail, v, error(v))
}

// WithEnum implements shapes.Outcomes.
func (e Echo) WithEnum(_ context.Context, v shapes.Refusal) (shapes.Refusal, error) {
	return echo(e.Fail, v, error(v))
}

// WithRecord implements shapes.Outcomes.
func (e Echo) WithRecord(_ context.Context, v shapes.Report) (shapes.Complaint, error) {
	return echo(e.Fail, v, error(v))
}

// WithFlags implements shapes.Outcomes.
func (e Echo) WithFlags(_ context.Context, v shapes.Causes) (shapes.Causes, error) {
	return echo(e.Fail, v, error(v))
}

// WithString implements shapes.Outcomes.
func (e Echo) WithString(_ context.Context, v string) (string, error) {
	return echo(e.Fail, v, errors.New(v))
}

// WithNumber implements shapes.Outcomes.
func (e Echo) WithNumber(_ context.Context, v shapes.Amount) (shapes.Amount, error) {
	return echo(e.Fail, v, error(shapes.WithNumberError{Value: v}))
}

// WithList implements shapes.Outcomes.
func (e Echo) WithList(_ context.Context, v []shapes.Entry) ([]shapes.Entry, error) {
	return echo(e.Fail, v, error(shapes.WithListError{Value: v}))
}

// WithNothing implements shapes.Outcomes.
func (e Echo) WithNothing(_ context.Context, v bool) (bool, error) {
	return echo(e.Fail, v, ErrFailed)
}

// WithOnlyNothing implements shapes.Outcomes.
func (e Echo) WithOnlyNothing(_ context.Context, v bool) error {
	_, err := echo(e.Fail, v, ErrFailed)
	return err
}

// WithOnlyError implements shapes.Outcomes: the error that the text names.
func (e Echo) WithOnlyError(_ context.Context, v string) error {
	for r := shapes.RefusalTooEarly; r <= shapes.RefusalTooLate; r++ {
		if v == r.String() {
			return r
		}
	}
	return nil
}

// Without implements shapes.Outcomes. With Fail it returns ErrFailed.
func (e Echo) Without(_ context.Context, v shapes.Side) (shapes.Side, error) {
	return echo(e.Fail, v, ErrFailed)
}

// Silent implements shapes.Outcomes.
func (e Echo) Silent(context.Context, uint8, uint16, int8, int16) error {
	_, err := echo(e.Fail, 0, ErrFailed)
	return err
}

// Nested implements shapes.Outcomes.
func (e Echo) Nested(_ context.Context, v wit.Result[wit.Option[wit.Result[uint64, []float32]], wit.Result[struct{}, struct{}]]) (wit.Option[wit.Result[uint64, []float32]], error) {
	return echo(v.IsErr, v.Value, error(shapes.NestedError{Value: v.Err}))
}
