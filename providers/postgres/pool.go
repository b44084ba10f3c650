package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// cancelTime is how long a server has to end a statement that is cancelled before the
// connection is closed.
const cancelTime = 2 * time.Second

// closeTime is how long connections have to end before they are cut.
const closeTime = time.Second

// messageRoom is what a message of the server's has besides values: lengths, and the
// words of errors.
const messageRoom = 64 << 10

// maxTypes bounds the types that a pool knows of a database.
const maxTypes = 1 << 12

// pool is the connections of one link, or of several that share them.
type pool struct {
	conns   *pgxpool.Pool
	sockets *sockets
	at      string // where they go, for messages
	limits  *Limits

	mu       sync.Mutex
	decimals int             // of money; -1: nobody asked yet
	types    map[uint32]bool // of the database's own types: whether it is hstore
}

// newPool makes connections when they are first used.
func newPool(c *config, readFile func(string) ([]byte, error)) (*pool, error) {
	tlsConfig, err := c.tlsConfig(readFile)
	if err != nil {
		return nil, err
	}
	// Whatever the environment or files of this process say is replaced by what the
	// link says.
	cfg, err := pgxpool.ParseConfig("host=localhost port=5432 user=none password=none dbname=none sslmode=disable connect_timeout=5")
	if err != nil {
		return nil, fmt.Errorf("the environment of this host (PG...) does not suit: %w", err)
	}
	conn := cfg.ConnConfig
	conn.Host, conn.Port, conn.User, conn.Password, conn.Database = c.host, uint16(c.port), c.user, string(c.password.Bytes()), c.database //nolint:gosec // checked
	conn.TLSConfig, conn.Fallbacks, conn.ValidateConnect, conn.SSLNegotiation, conn.RequireAuth = tlsConfig, nil, nil, "", ""
	// Texts are UTF-8, whatever the database keeps, and a day in one is written one way.
	conn.RuntimeParams = map[string]string{"application_name": "lath", "client_encoding": "UTF8", "datestyle": "ISO"}
	conn.ConnectTimeout = DefaultConnectTimeout
	conn.MaxProtocolMessageBodyLen = int(c.limits.MaxResultBytes) + messageRoom
	conn.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) {} // nobody reads them, so nobody keeps them
	conn.BuildContextWatcherHandler = func(pc *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: pc, DeadlineDelay: cancelTime}
	}
	cfg.MaxConns, cfg.MinConns = int32(c.poolSize), 0 //nolint:gosec // checked
	cfg.MaxConnIdleTime, cfg.PingTimeout = 5*time.Minute, cancelTime
	p := &pool{at: net.JoinHostPort(c.host, strconv.FormatInt(c.port, 10)) + "/" + c.database, limits: &c.limits, sockets: newSockets(), decimals: -1, types: map[uint32]bool{}}
	conn.DialFunc = p.sockets.dialer(conn.DialFunc)
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		pc := conn.PgConn()
		pc.CustomData()[sessionKey] = newSession(p, pc)
		return nil
	}
	p.conns, err = pgxpool.NewWithConfig(context.Background(), cfg)
	return p, err
}

// sessionKey is where a connection has its session.
const sessionKey = "lath"

// with lends a connection to f. A connection that broke, or on which a transaction is
// left open, does not come back.
func (p *pool) with(ctx context.Context, f func(*session) error) error {
	conn, err := p.conns.Acquire(ctx)
	if err != nil {
		return p.unavailable(ctx, err)
	}
	defer conn.Release()
	s, ok := conn.Conn().PgConn().CustomData()[sessionKey].(*session)
	if !ok {
		return errors.New("a connection without a session")
	}
	return f(s)
}

func (p *pool) unavailable(ctx context.Context, err error) error {
	stat := p.conns.Stat()
	switch {
	case ctx.Err() != nil && stat.AcquiredConns() >= stat.MaxConns():
		return unexpected("all %d connections to %s were busy (postgres_pool_size): %v", stat.MaxConns(), p.at, context.Cause(ctx))
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return unexpected("no connection to postgres at %s: %v", p.at, err)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return unexpected("no connection to postgres at %s: %s", p.at, describe(e))
	}
	return unexpected("no connection to postgres at %s: %v", p.at, err)
}

// close ends the connections, in good order where that is quickly done. No call has
// one.
func (p *pool) close() error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.conns.Close()
	}()
	late := time.NewTimer(closeTime)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
	}
	p.sockets.cut()
	<-ended
	return nil
}

// knownDecimals returns how many decimals money has, or -1.
func (p *pool) knownDecimals() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.decimals
}

func (p *pool) setDecimals(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decimals = n
}

// isHstore says whether a type is hstore, if that is known.
func (p *pool) isHstore(oid uint32) (is, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	is, known = p.types[oid]
	return is, known
}

func (p *pool) setHstore(oid uint32, is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.types) >= maxTypes {
		clear(p.types)
	}
	p.types[oid] = is
}
