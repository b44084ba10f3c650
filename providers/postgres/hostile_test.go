package postgres_test

import (
	"context"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	wire "github.com/lathhost/lath/lattice/provider"
	pg "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// fakeServer lets anybody in, says of every statement that it returns one int4, and
// answers it as it likes. It returns its port.
func fakeServer(t *testing.T, answer func(b *pgproto3.Backend, conn net.Conn)) string {
	t.Helper()
	port, _ := countingServer(t, answer)
	return port
}

// countingServer is fakeServer, and counts its connections. Each cancellation is one.
func countingServer(t *testing.T, answer func(b *pgproto3.Backend, conn net.Conn)) (port string, accepted *atomic.Int64) {
	t.Helper()
	accepted = &atomic.Int64{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			accepted.Add(1)
			serving.Go(func() { serveFake(conn, answer) })
		}
	})
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), accepted //nolint:forcetypeassert // of TCP
}

func serveFake(conn net.Conn, answer func(*pgproto3.Backend, net.Conn)) {
	defer conn.Close()
	b := pgproto3.NewBackend(conn, conn)
	first, err := b.ReceiveStartupMessage()
	if _, ok := first.(*pgproto3.StartupMessage); err != nil || !ok { // or a cancellation
		return
	}
	row := &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("n"), DataTypeOID: pgtype.Int4OID, DataTypeSize: 4, TypeModifier: -1, Format: 1}}}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for {
		if b.Flush() != nil {
			return
		}
		msg, err := b.Receive()
		if err != nil {
			return
		}
		switch msg := msg.(type) {
		case *pgproto3.Parse:
			b.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Describe:
			if msg.ObjectType == 'S' {
				b.Send(&pgproto3.ParameterDescription{})
			}
			b.Send(row)
		case *pgproto3.Bind:
			b.Send(&pgproto3.BindComplete{})
		case *pgproto3.Execute:
			answer(b, conn)
		case *pgproto3.Query:
			answer(b, conn)
		case *pgproto3.Sync:
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		case *pgproto3.Terminate:
			return
		}
	}
}

func fakeSettings(port string) wire.Settings {
	return wire.Settings{Config: map[string]string{"postgres_host": "127.0.0.1", "postgres_port": port, "postgres_username": "u", "postgres_database": "d"}}
}

// TestServersThatAreNone: what a server says that does not keep to the protocol is an
// error of the call, in little memory, and the next connection may be better.
func TestServersThatAreNone(t *testing.T) {
	t.Parallel()
	complete := func(b *pgproto3.Backend) { b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}) }
	for name, test := range map[string]struct {
		answer func(*pgproto3.Backend, net.Conn)
		want   string
	}{
		"keeps to it": {func(b *pgproto3.Backend, _ net.Conn) {
			b.Send(&pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 7}}})
			complete(b)
		}, ""},
		"too many columns": {func(b *pgproto3.Backend, _ net.Conn) {
			b.Send(&pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 7}, {}}})
			complete(b)
		}, "not of the result"},
		"a short value": {func(b *pgproto3.Backend, _ net.Conn) {
			b.Send(&pgproto3.DataRow{Values: [][]byte{{7}}})
			complete(b)
		}, `column "n"`},
		"a message of a gigabyte": {func(b *pgproto3.Backend, conn net.Conn) {
			_ = b.Flush()
			_, _ = conn.Write([]byte{'D', 0x3f, 0, 0, 0})
		}, "limit of max_result_bytes"},
		"a message of less than nothing": {func(b *pgproto3.Backend, conn net.Conn) {
			_ = b.Flush()
			_, _ = conn.Write([]byte{'D', 0xff, 0xff, 0xff, 0xff})
		}, "the connection broke"},
		"nothing it knows": {func(b *pgproto3.Backend, conn net.Conn) {
			_ = b.Flush()
			_, _ = conn.Write([]byte{1, 0, 0, 0, 4})
		}, "the connection broke"},
		"hangs up":   {func(_ *pgproto3.Backend, conn net.Conn) { _ = conn.Close() }, "the connection broke"},
		"an error":   {func(b *pgproto3.Backend, _ net.Conn) { b.Send(&pgproto3.ErrorResponse{Code: "\xff", Message: "\xfe"}) }, "SQLSTATE"},
		"silence":    {func(*pgproto3.Backend, net.Conn) {}, "given up"},
		"endless":    {func(b *pgproto3.Backend, _ net.Conn) { endless(b) }, "limit of max_rows"},
		"wants rows": {func(b *pgproto3.Backend, _ net.Conn) { b.Send(&pgproto3.CopyInResponse{}) }, "given up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, fakeSettings(fakeServer(t, test.answer)))
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				if test.want == "given up" {
					ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
				}
				defer cancel()
				rows, err := p.Query(ctx, "SELECT 7", nil)
				if test.want == "" {
					require.NoError(t, err)
					require.EqualValues(t, 7, rows[0][0].Value.Int4())
					continue
				}
				var e pg.QueryError
				require.ErrorAs(t, err, &e)
				require.Contains(t, err.Error(), test.want)
			}
		})
	}
}

// endless sends rows until nobody takes them.
func endless(b *pgproto3.Backend) {
	for {
		b.Send(&pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 7}}})
		if b.Flush() != nil {
			return
		}
	}
}

// TestErrorsCancelNothing: a statement that the server has refused is over, and the
// next one must not be cancelled in its place.
func TestErrorsCancelNothing(t *testing.T) {
	t.Parallel()
	port, accepted := countingServer(t, func(b *pgproto3.Backend, _ net.Conn) {
		b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "23505", Message: "there is one"})
	})
	p := newProvider(t, fakeSettings(port))
	ctx := testContext(t)
	token, err := p.Prepare(ctx, "SELECT 7")
	require.NoError(t, err)
	for range 20 {
		_, err = p.Exec(ctx, token, nil)
		require.ErrorContains(t, err, "23505")
		_, err = p.Query(ctx, "SELECT 7", nil)
		require.ErrorContains(t, err, "23505")
	}
	require.EqualValues(t, 1, accepted.Load())
}

// TestSilentBatch: a batch that is never answered ends with the call.
func TestSilentBatch(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*pgproto3.Backend, net.Conn){
		"silence":    func(*pgproto3.Backend, net.Conn) {},
		"wants rows": func(b *pgproto3.Backend, _ net.Conn) { b.Send(&pgproto3.CopyInResponse{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, fakeSettings(fakeServer(t, answer)))
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			var e pg.QueryError
			require.ErrorAs(t, p.QueryBatch(ctx, "SELECT 1"), &e)
			require.Contains(t, e.Error(), "given up")
		})
	}
}
