// Command client lets a test call with wasmCloud's generated key-value client
// and with wRPC's Go client. It reads requests from standard input, one JSON
// value each, and writes answers to standard output in the order in which they
// come to be. It ends with its input.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/wasmCloud/go/examples/provider/keyvalue-inmemory/bindings/testing/wrpc/keyvalue/store"
	wrpc "wrpc.io/go"
	wrpcnats "wrpc.io/go/nats"
)

// timeout bounds a call.
const timeout = 30 * time.Second

type request struct {
	ID     uint64
	Op     string // of wrpc:keyvalue/store, or "invoke"
	Prefix string

	Bucket, Key string
	Value       []byte
	Cursor      *uint64

	Instance, Function string // of "invoke", with encoded parameters as Value
}

type answer struct {
	ID      uint64
	Value   []byte // of get, if Is; or encoded results of "invoke"
	Is      bool
	Keys    []string
	Cursor  *uint64
	Error   *failure // the contract's
	Failure string   // any other
}

type failure struct {
	Tag   uint8
	Other string
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(url string) error {
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer nc.Close()
	var (
		calls sync.WaitGroup
		mu    sync.Mutex // of out
		out   = json.NewEncoder(os.Stdout)
		in    = json.NewDecoder(os.Stdin)
	)
	defer calls.Wait()
	for {
		var req request
		if err := in.Decode(&req); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		calls.Add(1)
		go func() {
			defer calls.Done()
			ans := answer{ID: req.ID}
			if err := call(nc, &req, &ans); err != nil {
				ans.Failure = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			_ = out.Encode(ans)
		}()
	}
}

func call(nc *nats.Conn, req *request, ans *answer) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	ctx = wrpcnats.ContextWithHeader(ctx, nats.Header{"source-id": {"upstream"}, "link-name": {"a-link"}})
	c := wrpcnats.NewClient(nc, wrpcnats.WithPrefix(req.Prefix))
	switch req.Op {
	case "get":
		r, err := store.Get(ctx, c, req.Bucket, req.Key)
		v, err := unwrap(r, err, ans)
		ans.Value, ans.Is = v, v != nil
		return err
	case "set":
		r, err := store.Set(ctx, c, req.Bucket, req.Key, req.Value)
		_, err = unwrap(r, err, ans)
		return err
	case "delete":
		r, err := store.Delete(ctx, c, req.Bucket, req.Key)
		_, err = unwrap(r, err, ans)
		return err
	case "exists":
		r, err := store.Exists(ctx, c, req.Bucket, req.Key)
		ans.Is, err = unwrap(r, err, ans)
		return err
	case "list-keys":
		r, err := store.ListKeys(ctx, c, req.Bucket, req.Cursor)
		page, err := unwrap(r, err, ans)
		ans.Keys, ans.Cursor = page.Keys, page.Cursor
		return err
	case "invoke":
		return invoke(ctx, c, req, ans)
	}
	return fmt.Errorf("no operation %q", req.Op)
}

// unwrap puts the contract's error into the answer and returns the value.
func unwrap[T any](r *wrpc.Result[T, store.Error], err error, ans *answer) (v T, _ error) {
	switch {
	case err != nil:
		return v, err
	case r.Err != nil:
		other, _ := r.Err.GetOther()
		ans.Error = &failure{Tag: uint8(r.Err.Discriminant()), Other: other}
		return v, nil
	case r.Ok == nil:
		return v, fmt.Errorf("a result that is neither")
	}
	return *r.Ok, nil
}

// invoke calls with encoded parameters.
func invoke(ctx context.Context, c *wrpcnats.Client, req *request, ans *answer) error {
	w, r, err := c.Invoke(ctx, req.Instance, req.Function, req.Value)
	if err != nil {
		return err
	}
	defer r.Close()
	// What did not fit into the first message goes out with a write only.
	if _, err := w.Write(nil); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	ans.Value, err = io.ReadAll(r)
	return err
}
