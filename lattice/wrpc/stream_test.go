package wrpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

const pipeSubject = "default.pipe.wrpc.0.0.1.f"

var pipeTarget = wrpc.Target{Prefix: "default.pipe", Func: "f"}

// pipeExport serves f: stream<u8> -> stream<u8>.
func pipeExport(t testing.TB, h wrpc.StreamFunc) wrpc.Export {
	stream := must[*wit.Type](t)(wit.NewStream(wit.U8))
	return wrpc.Export{
		Prefix: "default.pipe", Func: "f", Params: []*wit.Type{stream}, ParamPaths: []wrpc.Path{{0}}, Stream: h,
	}
}

// pipe sends back what it reads, as it comes.
func pipe(_ context.Context, x *wrpc.Exchange) error {
	in, err := x.ParamStream(0)
	if err != nil {
		return err
	}
	if err := x.SetResults([]byte{wrpc.Pending}); err != nil {
		return err
	}
	out := wrpc.NewByteStreamWriter(x.ResultStream(0))
	if _, err := io.Copy(out, wrpc.NewByteStream(in)); err != nil {
		return err
	}
	return out.Close()
}

func invokePipe(t testing.TB, c *wrpc.Client) *wrpc.Call {
	t.Helper()
	call, err := c.Invoke(testContext(t), pipeTarget, wrpc.Meta{}, []byte{wrpc.Pending}, wrpc.Path{0})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, call.Close()) })
	return call
}

// Much more than a window through both directions at once, in messages far
// smaller than the chunks.
func TestStreamsBothWays(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 4096)
	newServer(t, srv, wrpc.ServerConfig{Window: 16 << 10}, pipeExport(t, pipe))
	c := newClient(t, srv, wrpc.ClientConfig{Window: 8 << 10})
	call := invokePipe(t, c)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	sent := make(chan error, 1)
	go func() {
		w := wrpc.NewByteStreamWriter(call.Params(0))
		_, err := w.Write(data)
		sent <- errors.Join(err, w.Close())
	}()
	root, err := call.Root(nil)
	require.NoError(t, err)
	require.Equal(t, []byte{wrpc.Pending}, root)
	r, err := call.Results(0)
	require.NoError(t, err)
	got := readAll(t, wrpc.NewByteStream(r))
	require.NoError(t, <-sent)
	require.True(t, bytes.Equal(data, got))
	require.NoError(t, call.Wait())
	require.Zero(t, c.Stats())
}

// A Lath sender stops at the window and goes on by what the receiver grants; a
// v1 peer grants nothing, so there is no window.
func TestParamsWindow(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	c := newClient(t, srv, wrpc.ClientConfig{})
	start := func(t *testing.T, prefix string, headers ...string) (callee *raw, caller string, wrote chan error) {
		callee = newRaw(t, srv, prefix+".wrpc.0.0.1.f")
		call, err := c.Invoke(testContext(t), wrpc.Target{Prefix: prefix, Func: "f"}, wrpc.Meta{}, []byte{0})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, call.Close()) })
		inv := callee.next()
		callee.accept(inv, headers...)
		callee.expect(callee.in+".params", "")
		wrote = make(chan error, 1)
		go func() {
			_, err := call.Params(0).Write(make([]byte, 3000))
			wrote <- err
		}()
		return callee, inv.Reply, wrote
	}
	t.Run("lath", func(t *testing.T) {
		callee, caller, wrote := start(t, "a.lath", "lath", "1", "lath-window", "1024")
		require.Len(t, callee.next().Data, 1024)
		credit := caller + ".credit.params.0"
		bad := []string{"", "x", "-1", "99999", "1025", "00", "184467440737095516150"}
		for _, s := range bad {
			callee.send(credit, "", []byte(s))
		}
		require.Eventually(t, func() bool { return c.Stats().Ignored == uint64(len(bad)) }, patience, time.Millisecond)
		callee.quiet()
		callee.send(credit, "", []byte("1000"))
		require.Len(t, callee.next().Data, 1000)
		callee.send(credit, "", []byte("999")) // goes back: ignored
		callee.send(credit, "", []byte("2024"))
		require.Len(t, callee.next().Data, 976)
		require.NoError(t, <-wrote)
	})
	t.Run("v1", func(t *testing.T) {
		callee, _, wrote := start(t, "a.v1")
		require.Len(t, callee.next().Data, 3000)
		require.NoError(t, <-wrote)
	})
}

// A receiver grants credit as the reader takes bytes, and not before.
func TestResultsWindow(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, pipeSubject)
	c := newClient(t, srv, wrpc.ClientConfig{Window: 2000})
	call := invokePipe(t, c)
	inv := callee.next()
	require.Equal(t, "2000", inv.Header.Get("lath-window"))
	callee.accept(inv, "lath", "1")
	callee.expect(callee.in+".params", "")
	callee.send(inv.Reply+".results.0", "", make([]byte, 2000))
	r, err := call.Results(0)
	require.NoError(t, err)
	_, err = io.ReadFull(r, make([]byte, 999))
	require.NoError(t, err)
	callee.quiet()
	_, err = io.ReadFull(r, make([]byte, 1))
	require.NoError(t, err)
	m := callee.next()
	require.Equal(t, callee.in+".credit.results.0", m.Subject)
	require.Equal(t, "1000", string(m.Data))
	callee.send(inv.Reply+".results.0", "", make([]byte, 1000))
	_, err = io.ReadFull(r, make([]byte, 1000))
	require.NoError(t, err)
	require.Equal(t, "2000", string(callee.next().Data), "all that was consumed so far")
}

// A handler that fails in mid-stream is heard on every channel.
func TestHandlerFailsInMidStream(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	newServer(t, srv, wrpc.ServerConfig{}, pipeExport(t, func(_ context.Context, x *wrpc.Exchange) error {
		if err := x.SetResults([]byte{wrpc.Pending}); err != nil {
			return err
		}
		if _, err := wrpc.NewByteStreamWriter(x.ResultStream(0)).Write([]byte("half")); err != nil {
			return err
		}
		return errors.New("disk on fire")
	}))
	t.Run("lath", func(t *testing.T) {
		t.Parallel()
		call := invokePipe(t, newClient(t, srv, wrpc.ClientConfig{}))
		r, err := call.Results(0)
		require.NoError(t, err)
		s := wrpc.NewByteStream(r)
		half := make([]byte, 4)
		_, err = io.ReadFull(s, half)
		require.NoError(t, err)
		require.Equal(t, "half", string(half))
		_, err = s.Read(half)
		require.ErrorIs(t, err, wrpc.ErrTrap)
		require.ErrorIs(t, call.Wait(), wrpc.ErrTrap)
	})
	t.Run("v1", func(t *testing.T) {
		t.Parallel()
		r := newRaw(t, srv)
		r.send(pipeSubject, r.in, []byte{0})
		r.handshake()
		r.expect(r.in+".results", "00")
		r.expect(r.in+".results", "")
		r.expect(r.in+".results.0", "04 68616c66")
		r.expect(r.in+".results.0", "")
		r.quiet()
	})
}

// Giving up a call with streams ends its channels, and a Lath callee is told.
func TestCloseInMidStream(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	for _, lath := range []bool{true, false} {
		t.Run("lath="+strconv.FormatBool(lath), func(t *testing.T) {
			t.Parallel()
			target := pipeTarget
			target.Prefix += strconv.FormatBool(lath)
			callee := newRaw(t, srv, target.Prefix+".wrpc.0.0.1.f")
			c := newClient(t, srv, wrpc.ClientConfig{})
			call, err := c.Invoke(testContext(t), target, wrpc.Meta{}, []byte{0}, wrpc.Path{0})
			require.NoError(t, err)
			inv := callee.next()
			if lath {
				callee.accept(inv, "lath", "1")
			} else {
				callee.accept(inv)
			}
			callee.expect(callee.in+".params", "")
			w := call.Params(0)
			_, err = w.Write([]byte{7})
			require.NoError(t, err)
			callee.expect(callee.in+".params.0", "07")
			require.NoError(t, call.Close())
			callee.expect(callee.in+".params.0", "")
			if lath {
				callee.expect(callee.in+".cancel", "")
			}
			callee.quiet()
			_, err = w.Write([]byte{7})
			require.ErrorIs(t, err, wrpc.ErrClosed)
		})
	}
}

// The handler's streams end with its deadline.
func TestStreamDeadline(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	for limit := 20 * time.Millisecond; ; limit *= 2 {
		e := pipeExport(t, pipe)
		e.Prefix = "default.pipe" + strconv.Itoa(int(limit))
		newServer(t, srv, wrpc.ServerConfig{MaxTime: limit}, e)
		r := newRaw(t, srv)
		r.send(e.Prefix+".wrpc.0.0.1.f", r.in, []byte{0}, "lath", "1")
		r.handshake()
		begun := r.next()
		if len(begun.Data) == 0 { // its time was over before it began
			require.Equal(t, "timeout", begun.Header.Get("lath-status"))
			continue
		}
		require.Equal(t, []byte{0}, begun.Data)
		r.expectEnd(r.in+".results", "ok")
		r.expectEnd(r.in+".results.0", "timeout")
		return
	}
}

func TestCancelEndsStreams(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	newServer(t, srv, wrpc.ServerConfig{}, pipeExport(t, pipe))
	r := newRaw(t, srv)
	r.send(pipeSubject, r.in, []byte{0}, "lath", "1")
	callee := r.handshake()
	require.Equal(t, []byte{0}, r.next().Data)
	r.expectEnd(r.in+".results", "ok")
	r.pub(callee+".cancel", "")
	r.expectEnd(r.in+".results.0", "cancelled")
}

// What a v1 caller publishes on a Lath subject means nothing.
func TestV1CallerCannotCancel(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	newServer(t, srv, wrpc.ServerConfig{}, pipeExport(t, pipe))
	r := newRaw(t, srv)
	r.send(pipeSubject, r.in, []byte{0})
	callee := r.handshake()
	r.pub(callee+".cancel", "")
	r.pub(callee+".params.0", "01 61 00")
	for _, want := range []string{"00", ""} {
		r.expect(r.in+".results", want)
	}
	for _, want := range []string{"01 61", "00", ""} {
		r.expect(r.in+".results.0", want)
	}
}

func TestByteStream(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, bytes, want string
		err               error
	}{
		{"empty", "00", "", nil},
		{"chunks", "02 6869 01 21 00", "hi!", nil},
		{"padded length", "82 00 6869 00", "hi", nil},
		{"what follows the end is not read", "00 ffffffffff", "", nil},
		{"no end", "02 6869", "hi", io.ErrUnexpectedEOF},
		{"cut chunk", "05 6869", "hi", io.ErrUnexpectedEOF},
		{"cut length", "80", "", io.ErrUnexpectedEOF},
		{"length of 2^32", "80 80 80 80 10", "", wrpc.ErrProtocol},
		{"length without end", "80 80 80 80 80 80", "", wrpc.ErrProtocol},
		{"largest claim costs nothing", "ff ff ff ff 0f 61", "a", io.ErrUnexpectedEOF},
	} {
		for _, size := range []int{1, 3, 4096} {
			s := wrpc.NewByteStream(&slowReader{data: unhex(t, tt.bytes), step: size})
			got, err := io.ReadAll(s)
			require.Equal(t, tt.want, string(got), tt.name)
			require.ErrorIs(t, err, tt.err, tt.name)
		}
	}
}

// slowReader gives step bytes at a time.
type slowReader struct {
	data []byte
	step int
}

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data[:min(r.step, len(r.data))])
	r.data = r.data[n:]
	return n, nil
}

type buffer struct {
	bytes.Buffer
	closed int
}

func (b *buffer) Close() error { b.closed++; return nil }

func TestElemStream(t *testing.T) {
	t.Parallel()
	var b buffer
	w := wrpc.NewElemStreamWriter(&b)
	require.NoError(t, w.WriteElems(2, unhex(t, "02 6869 00")))
	require.NoError(t, w.WriteElems(0, nil))
	require.NoError(t, w.WriteElems(1, append([]byte{0xd0, 0x0f}, bytes.Repeat([]byte("x"), 2000)...)))
	require.Error(t, w.WriteElems(0, []byte{1}))
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
	require.Equal(t, 1, b.closed)
	require.ErrorIs(t, w.WriteElems(1, []byte{0}), wrpc.ErrClosed)
	for _, step := range []int{1, 7, 5000} {
		r := wrpc.NewElemStream(&slowReader{data: b.Bytes(), step: step}, wit.String, 0)
		for _, want := range []int{3, 1, 2002} {
			elem, err := r.Next()
			require.NoError(t, err)
			require.Len(t, elem, want)
		}
		_, err := r.Next()
		require.ErrorIs(t, err, io.EOF)
		_, err = r.Next()
		require.ErrorIs(t, err, io.EOF)
	}
	r := wrpc.NewElemStream(bytes.NewReader(unhex(t, "02 01 ff")), wit.String, 0)
	_, err := r.Next()
	require.ErrorIs(t, err, wrpc.ErrProtocol)
	r = wrpc.NewElemStream(bytes.NewReader(b.Bytes()), wit.String, 1000)
	for err = nil; err == nil; _, err = r.Next() {
	}
	require.ErrorIs(t, err, wrpc.ErrOverflow)
}

func TestFuture(t *testing.T) {
	t.Parallel()
	var b buffer
	require.NoError(t, wrpc.WriteFuture(&b, unhex(t, "02 6869")))
	require.Equal(t, 1, b.closed)
	v, err := wrpc.ReadFuture(&slowReader{data: b.Bytes(), step: 1}, wit.String, 0)
	require.NoError(t, err)
	require.Equal(t, "\x02hi", string(v))
	_, err = wrpc.ReadFuture(bytes.NewReader([]byte{2, 'h'}), wit.String, 0)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	v, err = wrpc.ReadFuture(bytes.NewReader(nil), nil, 0)
	require.NoError(t, err)
	require.Empty(t, v)
}

// What a handler leaves behind does not wait for ever: readers and writers end with
// the call, however it ended.
func TestStreamsEndWithTheirCall(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	ended := make(chan error, 2)
	newServer(t, srv, wrpc.ServerConfig{}, pipeExport(t, func(_ context.Context, x *wrpc.Exchange) error {
		in, err := x.ParamStream(0)
		if err != nil {
			return err
		}
		out := x.ResultStream(0)
		go func() {
			_, err := in.Read(make([]byte, 1))
			ended <- err
		}()
		full := make(chan struct{})
		go func() {
			_, err := out.Write(make([]byte, wrpc.DefaultWindow))
			close(full)
			if err == nil {
				_, err = out.Write([]byte{0}) // for which nobody gives room
			}
			ended <- err
		}()
		<-full
		return x.SetResults([]byte{wrpc.Pending})
	}))
	c := newClient(t, srv, wrpc.ClientConfig{})
	call := invokePipe(t, c)
	_, err := call.Root(nil)
	require.NoError(t, err)
	for range 2 {
		select {
		case err := <-ended:
			require.ErrorIs(t, err, wrpc.ErrClosed)
		case <-time.After(patience):
			require.FailNow(t, "one still waits")
		}
	}
}

// A writer that waits for room is closed by another goroutine.
func TestCloseEndsAWrite(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, "a.lath.wrpc.0.0.1.f")
	c := newClient(t, srv, wrpc.ClientConfig{})
	call, err := c.Invoke(testContext(t), wrpc.Target{Prefix: "a.lath", Func: "f"}, wrpc.Meta{}, []byte{0})
	require.NoError(t, err)
	defer call.Close()
	callee.accept(callee.next(), "lath", "1", "lath-window", "1024")
	callee.expect(callee.in+".params", "")
	wrote := make(chan error, 1)
	go func() {
		_, err := call.Params(0).Write(make([]byte, 3000))
		wrote <- err
	}()
	require.Len(t, callee.next().Data, 1024)
	require.NoError(t, call.Params(0).Close())
	select {
	case err := <-wrote:
		require.ErrorIs(t, err, wrpc.ErrClosed)
	case <-time.After(patience):
		require.FailNow(t, "it still waits")
	}
}
