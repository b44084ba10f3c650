package cli

import (
	"context"
	goio "io"
	"sync"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/internal/lines"
	"github.com/lathhost/lath/host/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/cli"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// The names of the output streams.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// Stdin carries out wasi:cli/stdin. It is safe for concurrent use.
type Stdin struct{ src *io.Source }

var _ contract.Stdin = (*Stdin)(nil)

// NewStdin makes standard input from a reader; nil is empty input. All guests
// share it, and a byte goes to one of them. It is read only while a guest waits
// for input; the goroutine that does ends when that Read returns.
func NewStdin(r goio.Reader) *Stdin { return &Stdin{io.NewSource(r)} }

// GetStdin implements the contract.
func (s *Stdin) GetStdin(context.Context) (wasiio.InputStream, error) {
	return input{io.SharedInputStream(s.src), s}, nil
}

// input is standard input, which has no state of a guest's.
type input struct {
	*io.InputStream
	from *Stdin
}

// Renewal implements [component.Renewable].
func (s input) Renewal() func(context.Context) (component.Resource, error) {
	from := s.from
	return func(ctx context.Context) (component.Resource, error) { return from.GetStdin(ctx) }
}

// Output carries out wasi:cli/stdout and stderr. It is safe for concurrent use
// if its function is.
type Output struct {
	line           func(stream, line string)
	stdout, stderr *io.Drain // nil: lines
}

var (
	_ contract.Stdout = (*Output)(nil)
	_ contract.Stderr = (*Output)(nil)
)

// Sinks say where output goes.
type Sinks struct {
	// Line takes whole lines of at most 8 KiB, without line ends, as valid
	// UTF-8 without control characters other than tab. stream is [Stdout] or
	// [Stderr]. It is called on the guest's goroutine and must not block; nil
	// drops all lines.
	Line func(stream, line string)
	// Stdout and Stderr, where they are not nil, take the bytes of that stream
	// instead of Line, as they are. They may block: a guest that writes faster
	// waits. Each is written to by one goroutine at a time and never closed.
	Stdout, Stderr goio.Writer
}

// NewOutput makes standard output and standard error.
func NewOutput(to Sinks) *Output {
	o := &Output{line: to.Line}
	if o.line == nil {
		o.line = func(string, string) {}
	}
	if to.Stdout != nil {
		o.stdout = io.NewDrain(to.Stdout)
	}
	if to.Stderr != nil {
		o.stderr = io.NewDrain(to.Stderr)
	}
	return o
}

// GetStdout implements the contract.
func (o *Output) GetStdout(ctx context.Context) (wasiio.OutputStream, error) {
	return output{o.open(ctx, Stdout, o.stdout), o.GetStdout}, nil
}

// GetStderr implements the contract.
func (o *Output) GetStderr(ctx context.Context) (wasiio.OutputStream, error) {
	return output{o.open(ctx, Stderr, o.stderr), o.GetStderr}, nil
}

// output is a stream of [Output], which another call opens for itself: its lines
// are another run's.
type output struct {
	*io.OutputStream
	open func(context.Context) (wasiio.OutputStream, error)
}

// Renewal implements [component.Renewable].
func (s output) Renewal() func(context.Context) (component.Resource, error) {
	open := s.open
	return func(ctx context.Context) (component.Resource, error) { return open(ctx) }
}

func (o *Output) open(ctx context.Context, stream string, raw *io.Drain) *io.OutputStream {
	r, _ := ctx.Value(runKey{}).(*run)
	switch {
	case raw != nil:
		if r != nil {
			r.drains(raw)
		}
		return io.SharedOutputStream(raw)
	case r != nil:
		return io.DirectOutputStream(r.writer(o, stream))
	}
	return io.DirectOutputStream(lastLine{lines.NewWriter(func(s string) { o.line(stream, s) })})
}

// lastLine ends the line with the stream.
type lastLine struct{ *lines.Writer }

// Close implements [goio.Closer].
func (l lastLine) Close() error {
	l.End()
	return nil
}

// runKey is the key of a [run] in a context.
type runKey struct{}

// IsRunKey says whether a key of a context's values is that of [WithRun].
func IsRunKey(key any) bool {
	_, is := key.(runKey)
	return is
}

// run holds the lines that the guests of one run have begun. A program may ask
// for its standard output anew for every few words (Rust's library does), so a
// line cannot belong to a stream.
type run struct {
	mu      sync.Mutex
	writers map[runStream]*lines.Writer
	raw     map[*io.Drain]struct{}
	last    tail // of standard error
}

type runStream struct {
	out  *Output
	name string
}

// WithRun returns a context for one instance from its start to its end. The
// streams that are opened under it share one line each; end hands out lines
// that have no line end, and waits for the writers of [Sinks] to have written
// everything, if ctx is done for a second at most. Without it, a line ends with
// the stream that it was written to.
func WithRun(ctx context.Context) (_ context.Context, end func()) {
	r := &run{writers: map[runStream]*lines.Writer{}}
	return context.WithValue(ctx, runKey{}, r), func() { r.end(ctx) }
}

func (r *run) writer(o *Output, stream string) *lines.Writer {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := runStream{o, stream}
	w := r.writers[k]
	if w == nil {
		emit := func(s string) { o.line(stream, s) }
		if stream == Stderr {
			emit = func(s string) {
				r.last.add(s)
				o.line(stream, s)
			}
		}
		w = lines.NewWriter(emit)
		r.writers[k] = w
	}
	return w
}

// LastLines returns the last lines that the guest of ctx's run wrote to standard
// error, at most 20 and 4 KiB, each of them valid UTF-8 without control
// characters other than tab. A line that has no end yet ends here. It returns
// nil where the writers of [Sinks] took them, or without [WithRun].
func LastLines(ctx context.Context) []string {
	r, ok := ctx.Value(runKey{}).(*run)
	if !ok {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, w := range r.writers {
		if k.name == Stderr {
			w.End()
		}
	}
	return r.last.list()
}

// drains notes what end waits for.
func (r *run) drains(d *io.Drain) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.raw == nil {
		r.raw = map[*io.Drain]struct{}{}
	}
	r.raw[d] = struct{}{}
}

// grace is how long the end of a run that was cut off waits for output.
const grace = time.Second

func (r *run) end(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.writers {
		w.End()
	}
	if len(r.raw) == 0 {
		return
	}
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			cancel()
		case <-late.Done():
		}
	})()
	for d := range r.raw {
		_ = d.Written(late) // a writer that does not take it has nobody to tell
	}
}
