package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// exitSignalled and the number of a signal is the exit code of a guest that the
// signal ended: what shells use. exitInterrupted is that of an interrupt, and of
// a context that ends without saying why.
const (
	exitSignalled   = 128
	exitInterrupted = exitSignalled + int(syscall.SIGINT)
)

// signalError is the cause of a context that a signal ended.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string { return "signal: " + e.signal.String() }

// withSignals returns a context that the first of some signals ends, with a
// *signalError as its cause. After that they do what they do by default: a second
// one ends the process at once. end gives back what it takes.
func withSignals(parent context.Context, signals ...os.Signal) (ctx context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(parent)
	got := make(chan os.Signal, 1)
	signal.Notify(got, signals...)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case s := <-got:
			cancel(&signalError{s})
		case <-ctx.Done():
		}
		signal.Stop(got)
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
	}
}

// interrupted is the end of a guest whose context has ended.
func interrupted(ctx context.Context) *guestEnd {
	if by, is := errors.AsType[*signalError](context.Cause(ctx)); is {
		if n, known := by.signal.(syscall.Signal); known {
			return &guestEnd{exitSignalled + int(n)}
		}
	}
	return &guestEnd{exitInterrupted}
}
