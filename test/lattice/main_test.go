package lattice_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice/natsserver/natsservertest"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// net/http gives a client whose request it refused half a second to read that, on a
// goroutine that nobody can wait for.
func TestMain(m *testing.M) {
	natsservertest.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

var errNothing = errors.New("this store has nothing")

// noStore is a store that has nothing.
type noStore struct{}

func (noStore) Get(context.Context, string, string) (wit.Option[[]byte], error) {
	return wit.Option[[]byte]{}, errNothing
}
func (noStore) Set(context.Context, string, string, []byte) error    { return errNothing }
func (noStore) Delete(context.Context, string, string) error         { return errNothing }
func (noStore) Exists(context.Context, string, string) (bool, error) { return false, errNothing }
func (noStore) ListKeys(context.Context, string, wit.Option[uint64]) (keyvalue.KeyResponse, error) {
	return keyvalue.KeyResponse{}, errNothing
}
