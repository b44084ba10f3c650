package wrpc

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
)

// FuzzServerMessage: whatever a callee sends on C, the answer is either one
// error or a subject that may be published on.
func FuzzServerMessage(f *testing.F) {
	f.Add("_INBOX.a.b", []byte("NATS/1.0\r\nlath: 1\r\nlath-window: 4096\r\n\r\n"))
	f.Add("", []byte("NATS/1.0 503\r\n\r\n"))
	f.Add("", []byte("NATS/1.0 408 Request Timeout\r\n\r\n"))
	f.Add("", []byte("NATS/1.0\r\nlath: 1\r\nlath-status: busy\r\nlath-error: full\r\n\r\n"))
	f.Add("a..b", []byte{})
	f.Fuzz(func(t *testing.T, reply string, header []byte) {
		h, _ := nats.DecodeHeadersMsg(header)
		a := parseAnswer(&nats.Msg{Reply: reply, Header: h})
		if a.err != nil {
			require.Empty(t, a.reply)
			require.NotEqual(t, OK, a.err.Code)
			require.LessOrEqual(t, len(a.err.Detail), MaxDetail)
			require.NotContains(t, a.err.Error(), "\n")
			return
		}
		require.True(t, validSubject(a.reply))
		require.GreaterOrEqual(t, a.window, MinWindow)
		require.LessOrEqual(t, a.window, MaxWindow)
	})
}

// FuzzInvocation: whatever a caller claims in headers, what is kept is
// bounded.
func FuzzInvocation(f *testing.F) {
	m := Meta{SourceID: "a", LinkName: "b", Path: []string{"c", "d"}, TraceParent: "00-1-2-3"}
	var b bytes.Buffer
	b.WriteString("NATS/1.0\r\n")
	for k, v := range m.header(DefaultTimeout, DefaultWindow) {
		b.WriteString(k + ": " + v[0] + "\r\n")
	}
	b.WriteString("\r\n")
	f.Add(b.Bytes())
	f.Add([]byte("NATS/1.0\r\nlath: 1\r\nlath-timeout-ms: 99999999999999999999\r\nlath-path: ,,\r\nlath-window: 0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, header []byte) {
		h, _ := nats.DecodeHeadersMsg(header)
		in, dropped := parseInvocation(h)
		require.LessOrEqual(t, dropped, headerCount)
		require.NoError(t, in.check(), "what was read could be sent on")
		require.GreaterOrEqual(t, in.timeout, 0*DefaultTimeout)
		require.LessOrEqual(t, in.timeout, maxTimeout)
		require.GreaterOrEqual(t, in.window, MinWindow)
		require.LessOrEqual(t, in.window, MaxWindow)
	})
}

func FuzzTrailer(f *testing.F) {
	f.Add([]byte("NATS/1.0\r\nlath-status: ok\r\n\r\n"))
	f.Add([]byte("NATS/1.0\r\nlath-status: trap\r\nlath-error: unreachable\r\n\r\n"))
	f.Add([]byte("NATS/1.0\r\nlath-status: \xff\r\nlath-error: \x00\x01\r\n\r\n"))
	f.Fuzz(func(t *testing.T, header []byte) {
		h, _ := nats.DecodeHeadersMsg(header)
		err := parseTrailer(h)
		if err == nil {
			require.Equal(t, "ok", first(h, "lath-status"))
			return
		}
		require.True(t, err.MayHaveRun)
		require.LessOrEqual(t, len(err.Detail), MaxDetail)
		// What one Lath host says of it, the next one understands.
		code, detail := statusOf(err)
		again := parseTrailer(trailer(code, detail))
		require.NotNil(t, again)
		require.Equal(t, code, again.Code)
		require.Equal(t, detail, again.Detail)
	})
}

// FuzzInbox: a subject belongs to a call only if the inbox would spell it so.
func FuzzInbox(f *testing.F) {
	f.Add("_INBOX.x.1.results")
	f.Add("_INBOX.x.zzzzzzzzzzzz")
	f.Add("_INBOX.x.zzzzzzzzzzzzz")
	f.Add("_INBOX.x.01")
	m := &mux{prefix: "_INBOX.x."}
	f.Fuzz(func(t *testing.T, subject string) {
		id, rest, ok := splitInbox(subject, m.prefix)
		if !ok {
			return
		}
		want := m.inbox(id)
		if rest != "" {
			want += "." + rest
		}
		require.Equal(t, want, subject)
	})
}

// FuzzCallMessages throws sequences of messages at a unary call and at a
// session: one byte says what kind of message comes next.
func FuzzCallMessages(f *testing.F) {
	f.Add([]byte{0, 2, 3})
	f.Add([]byte{1, 2, 2, 4, 5, 6, 3, 0, 2})
	f.Add([]byte{7, 7, 1, 3, 4})
	f.Fuzz(func(t *testing.T, script []byte) {
		const most = 64
		u := &unary{most: most, wake: make(chan struct{}, 1)}
		call := &Call{c: &Client{}, done: make(chan struct{})}
		call.s.init(&mux{}, most, most, most, []Path{{0}})
		for i, c := range script {
			data := bytes.Repeat([]byte{c}, i%17+1)
			var rest string
			m := &nats.Msg{}
			switch c % 8 {
			case 0:
				m.Reply = "s.1"
			case 1:
				m.Reply, m.Header = "s.1", nats.Header{"lath": {"1"}}
			case 2:
				rest, m.Data = "results", data
			case 3:
				rest = "results"
			case 4:
				rest, m.Data = "results.0", data
			case 5:
				rest, m.Header = "results.0", nats.Header{"lath-status": {"trap"}}
			case 6:
				rest, m.Data = "credit.params.0", data
			case 7:
				m.Header = nats.Header{"Status": {"503"}}
			}
			u.deliver(rest, m)
			call.deliver(rest, m)
		}
		require.LessOrEqual(t, len(u.results), most)
		for _, q := range []*queue{call.s.root, call.s.nested["0"]} {
			require.LessOrEqual(t, q.size, most)
			b, _, _ := q.all()
			require.LessOrEqual(t, len(b), most)
		}
	})
}

func FuzzByteStream(f *testing.F) {
	f.Add([]byte{2, 'h', 'i', 0}, uint8(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 1}, uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		s := NewByteStream(&steps{data: data, step: int(step)%8 + 1})
		got, err := io.ReadAll(s)
		require.LessOrEqual(t, len(got), len(data))
		if err != nil {
			require.True(t, errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrProtocol), err)
			return
		}
		// What was read whole is read alike when written anew.
		var b nopCloser
		w := NewByteStreamWriter(&b)
		_, err = w.Write(got)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		again, err := io.ReadAll(NewByteStream(&b))
		require.NoError(t, err)
		require.True(t, bytes.Equal(got, again))
	})
}

func FuzzElemStream(f *testing.F) {
	f.Add([]byte{2, 1, 'a', 0, 0}, uint8(1))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f}, uint8(9))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		s := NewElemStream(&steps{data: data, step: int(step)%8 + 1}, wit.String, 100)
		total := 0
		for {
			elem, err := s.Next()
			if err != nil {
				_, again := s.Next()
				require.Equal(t, err, again, "an error stays")
				break
			}
			total += len(elem)
		}
		require.LessOrEqual(t, total, len(data))
		require.LessOrEqual(t, cap(s.src.buf), 8*sourceStep)
	})
}

type steps struct {
	data []byte
	step int
}

func (r *steps) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data[:min(r.step, len(r.data))])
	r.data = r.data[n:]
	return n, nil
}

type nopCloser struct{ bytes.Buffer }

func (*nopCloser) Close() error { return nil }

func TestCleanDetail(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                     "",
		"one\ntwo":                             "one",
		"\n\nfirst":                            "first",
		"tab\tbell\a":                          "tab bell",
		"bad \xff byte":                        "bad ? byte",
		strings.Repeat("x", 2000):              strings.Repeat("x", MaxDetail),
		strings.Repeat("x", MaxDetail-1) + "é": strings.Repeat("x", MaxDetail-1),
	} {
		require.Equal(t, want, CleanDetail(in))
	}
}

func TestFirstSlice(t *testing.T) {
	t.Parallel()
	h := nats.Header{"source-id": {"counter"}, "link-name": {"default"}}
	require.Equal(t, len("NATS/1.0\r\nsource-id: counter\r\nlink-name: default\r\n\r\n"), headerSize(h))
	require.Zero(t, headerSize(nil))
	inbox := "_INBOX.A.B"
	require.Equal(t, 1024-10, firstSlice(1024, inbox, nil, 5000))
	require.Equal(t, 7, firstSlice(1024, inbox, nil, 7))
	require.Equal(t, 1024-10-headerSize(h), firstSlice(1024, inbox, h, 5000))
	require.Zero(t, firstSlice(16, inbox, h, 5000), "headers alone fill the message")
}
