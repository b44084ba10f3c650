package bind

import (
	"context"
	"fmt"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
)

// Invoker calls functions of one target.
type Invoker interface {
	// Invoke calls a function with its encoded parameters, which it does not
	// keep, and returns the encoded results, all of them, which it does not
	// touch again. instance is the interface's full name, "ns:pkg/iface@version";
	// function is the plain WIT name. An error means that there are no results:
	// the call may have run or not.
	Invoke(ctx context.Context, instance, function string, params []byte) (results []byte, err error)
}

// Handler carries out one call: it decodes params, which it must not keep, and
// returns the encoded results. An error means that there are none, and what
// the caller learns of it is the transport's matter.
type Handler = func(ctx context.Context, params []byte) (results []byte, err error)

// Registrar takes the functions that a server serves.
type Registrar interface {
	// Handle serves a function. params are the types of its parameters, by
	// which the transport sees when they are complete. The handler is called
	// from several goroutines at once.
	Handle(instance, function string, params []*wit.Type, h Handler) error
}

// Function is one function of an interface with its handler.
type Function struct {
	Type   *wit.Func
	Handle Handler
}

// Serve registers all functions of an interface, and stops at the first error.
func Serve(reg Registrar, instance string, functions ...Function) error {
	for _, f := range functions {
		if err := reg.Handle(instance, f.Type.Name, f.Type.ParamTypes(), f.Handle); err != nil {
			return fmt.Errorf("serve %s.%s: %w", instance, f.Type.Name, err)
		}
	}
	return nil
}

// Call invokes a function with the parameters that w holds and returns a
// reader of the results.
func Call(ctx context.Context, inv Invoker, instance, function string, w *Writer) (wire.Reader, error) {
	params, err := w.Bytes()
	if err != nil {
		return wire.Reader{}, fmt.Errorf("%s.%s: parameters: %w", instance, function, err)
	}
	results, err := inv.Invoke(ctx, instance, function, params)
	if err != nil {
		return wire.Reader{}, err
	}
	return wire.NewReader(results), nil
}

// Results ends the reading of results: it returns the reader's error, or one
// if there are bytes left.
func Results(r *wire.Reader, instance, function string) error {
	if err := end(r); err != nil {
		return fmt.Errorf("%s.%s: results: %w", instance, function, err)
	}
	return nil
}

// Params ends the reading of parameters like [Results].
func Params(r *wire.Reader, instance, function string) error {
	if err := end(r); err != nil {
		return fmt.Errorf("%s.%s: parameters: %w", instance, function, err)
	}
	return nil
}

func end(r *wire.Reader) error {
	if n := len(r.Rest()); r.Err() == nil && n > 0 {
		r.Fail(&wire.SyntaxError{Offset: r.Offset(), Reason: fmt.Sprintf("%d bytes after the end", n)})
	}
	return r.Err()
}

// maxPrealloc bounds what is allocated for a list before its elements are
// read: more comes as they do.
const maxPrealloc = 1024

// maxElems bounds the elements of one list: an empty string takes one byte on
// the wire and sixteen in memory.
const maxElems = 1 << 20

// List reads a list whose elements take at least minSize bytes each.
func List[T any](r *wire.Reader, minSize int, elem func(r *wire.Reader) T) []T {
	n := r.Len(minSize)
	if n > maxElems {
		r.Fail(&wire.SyntaxError{Offset: r.Offset(), Reason: fmt.Sprintf("a list of %d elements, the limit is %d", n, maxElems)})
		return nil
	}
	v := make([]T, 0, min(n, maxPrealloc))
	for range n {
		e := elem(r)
		if r.Err() != nil {
			return nil
		}
		v = append(v, e)
	}
	return v
}
