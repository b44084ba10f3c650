package httpserver

import (
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// An idle time, and what the writes of a connection with it take at most.
const (
	idle = 40 * time.Second
	most = idle + idle/4
)

// pipe is a connection on which nothing is ever sent before its client reads it.
func pipe(t *testing.T, idle time.Duration) (served *conn, client net.Conn) {
	t.Helper()
	client, server := net.Pipe()
	served = &conn{Conn: server, idle: idle, leave: func() {}}
	t.Cleanup(func() {
		require.NoError(t, client.Close())
		require.NoError(t, served.Close())
	})
	return served, client
}

// take reads n bytes, one after each pause.
func take(t *testing.T, client net.Conn, n int, pause time.Duration) {
	t.Helper()
	for range n {
		time.Sleep(pause)
		_, err := io.ReadFull(client, make([]byte, 1))
		require.NoError(t, err)
	}
}

func TestWritesEndWithTheIdleTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, client := pipe(t, idle)
		began := time.Now()
		_, err := c.Write([]byte("a"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, most, time.Since(began))

		// Not with that of earlier writes: each has the whole of it.
		for _, pause := range []time.Duration{0, time.Second, most - idle, idle, 10 * most} {
			time.Sleep(pause)
			go take(t, client, 1, idle)
			_, err = c.Write([]byte("b"))
			require.NoError(t, err, pause)
		}
	})
}

func TestWritesGoOnAsLongAsTheClientReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, client := pipe(t, idle)
		const n = 10
		go take(t, client, n, idle)
		began := time.Now()
		_, err := c.Write(make([]byte, n))
		require.NoError(t, err)
		require.Equal(t, n*idle, time.Since(began))

		go take(t, client, n-1, idle)
		sent, err := c.Write(make([]byte, n))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, n-1, sent)
	})
}

func TestWriteDeadlinesFromOutside(t *testing.T) {
	t.Parallel()
	type step struct {
		deadline time.Duration // 0: it is taken back
		takes    time.Duration
	}
	for name, test := range map[string]struct {
		idle  time.Duration
		steps []step
	}{
		"the earlier one counts":       {idle, []step{{2 * most, most}, {time.Second, time.Second}}},
		"it is taken back":             {idle, []step{{time.Second, time.Second}, {0, most}, {0, most}}},
		"it is over before it is set":  {idle, []step{{-time.Second, 0}, {0, most}}},
		"there is no idle time at all": {0, []step{{time.Hour, time.Hour}, {time.Second, time.Second}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _ := pipe(t, test.idle)
				for _, s := range test.steps {
					time.Sleep(most) // what the idle time has left is too short
					began, by := time.Now(), time.Time{}
					if s.deadline != 0 {
						by = began.Add(s.deadline)
					}
					require.NoError(t, c.SetWriteDeadline(by))
					_, err := c.Write([]byte("a"))
					require.ErrorIs(t, err, os.ErrDeadlineExceeded)
					require.Equal(t, s.takes, time.Since(began))
				}
			})
		})
	}
}

// A deadline counts for a write that waits, and a client that reads does not put it
// off.
func TestADeadlineFromOutsideEndsAWriteThatGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, client := pipe(t, idle)
		go take(t, client, 3, 10*time.Second)
		began := time.Now()
		time.AfterFunc(5*time.Second, func() { require.NoError(t, c.SetDeadline(began.Add(35*time.Second))) })
		n, err := c.Write(make([]byte, 10))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 3, n)
		require.Equal(t, 35*time.Second, time.Since(began))
	})
}
