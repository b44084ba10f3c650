package sim

import (
	"context"
	"fmt"
)

// onHost makes a fault of what happens to one host, where it can.
func onHost(can func(*node) bool, do func(context.Context, *node) error) func(context.Context, *world, [5]int) (string, error) {
	return func(ctx context.Context, w *world, a [5]int) (string, error) {
		n := w.node(a[0])
		if !can(n) {
			return fmt.Sprintf("host %d: not as it is", n.number), nil
		}
		err := do(ctx, n)
		w.fault()
		return fmt.Sprintf("host %d", n.number), err
	}
}

func always(f func(*node)) func(context.Context, *node) error {
	return func(_ context.Context, n *node) error {
		f(n)
		return nil
	}
}

func kill(ctx context.Context, w *world, a [5]int) (string, error) {
	return onHost(func(n *node) bool { return n.up }, func(_ context.Context, n *node) error { return n.kill() })(ctx, w, a)
}

// leave stops a host that nothing is wrong with, so that it can end in order.
func leave(ctx context.Context, w *world, a [5]int) (string, error) {
	return onHost(func(n *node) bool { return n.up && !n.paused && !n.cut && !w.unsettled && n.conn.IsConnected() },
		func(_ context.Context, n *node) error { return n.leave() })(ctx, w, a)
}

// restart starts a host, where any NATS server that it may come by can serve it: one
// that does not reach the others keeps its clients waiting.
func restart(ctx context.Context, w *world, a [5]int) (string, error) {
	return onHost(func(n *node) bool { return !n.up && w.servers.whole() }, func(ctx context.Context, n *node) error { return n.start(ctx) })(ctx, w, a)
}

func pause(ctx context.Context, w *world, a [5]int) (string, error) {
	return onHost(func(n *node) bool { return n.up && !n.paused }, always((*node).pause))(ctx, w, a)
}

func resume(ctx context.Context, w *world, a [5]int) (string, error) {
	return onHost(func(n *node) bool { return n.up && n.paused }, always((*node).resume))(ctx, w, a)
}

func cutOff(ctx context.Context, w *world, a [5]int) (string, error) {
	return onHost(func(n *node) bool { return n.up && !n.cut }, always((*node).cutOff))(ctx, w, a)
}

func heal(ctx context.Context, w *world, a [5]int) (string, error) {
	return onHost(func(n *node) bool { return n.up && n.cut }, always((*node).heal))(ctx, w, a)
}
