package sim

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// hold is how long a call of a burst takes, so that others meet it.
const hold = 2 * time.Millisecond

// ledger is a key-value provider that notes what was executed. All hosts share it,
// as they would share a database.
type ledger struct {
	mu      sync.Mutex
	ran     map[int]int // by the number of the call
	running map[string]int
	most    map[string]int // of running, since the last check
}

func newLedger() *ledger {
	return &ledger{ran: map[int]int{}, running: map[string]int{}, most: map[string]int{}}
}

// builtin offers the ledger to a host.
func (l *ledger) builtin() provider.Builtin {
	return provider.Builtin{Name: "ledger", Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
		return &provider.Capabilities{KeyvalueAtomics: l, KeyvalueStore: l}, nil
	}}
}

// key is what a call increments: its number and, in a burst, the place that it was
// aimed at.
func key(call int, place string) string { return strconv.Itoa(call) + " " + place }

// Increment implements keyvalue.Atomics.
func (l *ledger) Increment(ctx context.Context, _, key string, _ uint64) (uint64, error) {
	number, place, _ := strings.Cut(key, " ")
	call, err := strconv.Atoi(number)
	if err != nil {
		return 0, fmt.Errorf("not a call of the schedule: %q", key)
	}
	l.mu.Lock()
	l.ran[call]++
	ran := l.ran[call]
	if place != "" {
		l.running[place]++
		l.most[place] = max(l.most[place], l.running[place])
	}
	l.mu.Unlock()
	if place != "" {
		select {
		case <-time.After(hold):
		case <-ctx.Done():
		}
		l.mu.Lock()
		l.running[place]--
		l.mu.Unlock()
	}
	return uint64(ran), nil
}

// times returns how often a call was executed.
func (l *ledger) times(call int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ran[call]
}

// peaks returns how many calls ran at a time at each place, and starts anew.
func (l *ledger) peaks() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := l.most
	l.most = map[string]int{}
	return most
}

// What follows is the rest of a store, which nobody calls.

// Get implements keyvalue.Store.
func (l *ledger) Get(context.Context, string, string) (wit.Option[[]byte], error) {
	return wit.Option[[]byte]{}, errNothing
}

// Set implements keyvalue.Store.
func (l *ledger) Set(context.Context, string, string, []byte) error { return errNothing }

// Delete implements keyvalue.Store.
func (l *ledger) Delete(context.Context, string, string) error { return errNothing }

// Exists implements keyvalue.Store.
func (l *ledger) Exists(context.Context, string, string) (bool, error) { return false, errNothing }

// ListKeys implements keyvalue.Store.
func (l *ledger) ListKeys(context.Context, string, wit.Option[uint64]) (keyvalue.KeyResponse, error) {
	return keyvalue.KeyResponse{}, errNothing
}

var errNothing = fmt.Errorf("the ledger only counts")
