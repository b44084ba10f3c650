package postgres

import (
	"container/list"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// What a connection remembers of statements, so that the next call of one costs a
// single exchange: how many, and how long each may be.
const (
	maxRemembered      = 128
	maxRememberedBytes = 8 << 10
)

// session is a connection with the statements that it knows. One call uses it at a
// time.
type session struct {
	pool   *pool
	limits *Limits
	conn   *pgconn.PgConn

	statements map[string]*list.Element // of *pgconn.StatementDescription
	recent     *list.List               // the last used first
	named      uint64
}

func newSession(p *pool, conn *pgconn.PgConn) *session {
	return &session{pool: p, limits: p.limits, conn: conn, statements: map[string]*list.Element{}, recent: list.New()}
}

// statement returns what the server says of a statement. Nothing is carried out.
func (s *session) statement(ctx context.Context, sql string) (*pgconn.StatementDescription, error) {
	if e, ok := s.statements[sql]; ok {
		s.recent.MoveToFront(e)
		return e.Value.(*pgconn.StatementDescription), nil //nolint:forcetypeassert // of nothing else
	}
	if len(sql) > maxRememberedBytes {
		return s.conn.Prepare(ctx, "", sql, nil)
	}
	st, err := s.remember(ctx, sql)
	if err != nil {
		return nil, err
	}
	s.statements[sql] = s.recent.PushFront(st)
	return st, nil
}

// remember prepares a statement under a name, and has another make room for it.
func (s *session) remember(ctx context.Context, sql string) (st *pgconn.StatementDescription, err error) {
	p := s.conn.StartPipeline(ctx)
	if s.recent.Len() >= maxRemembered {
		p.SendDeallocate(s.forget(s.recent.Back()))
	}
	s.named++
	name := "lath" + strconv.FormatUint(s.named, 10)
	p.SendPrepare(name, sql, nil)
	err = p.Sync()
	for done := false; err == nil && !done; {
		var result any
		result, err = p.GetResults()
		switch result := result.(type) {
		case *pgconn.StatementDescription:
			st = result
		case *pgconn.PipelineSync:
			done = true
		}
	}
	if err = errors.Join(err, p.Close()); err != nil {
		return nil, err
	}
	st.Name, st.SQL = name, sql
	return st, nil
}

// forget returns the name of a statement that it does not know any more.
func (s *session) forget(e *list.Element) (name string) {
	st := s.recent.Remove(e).(*pgconn.StatementDescription) //nolint:forcetypeassert // of nothing else
	delete(s.statements, st.SQL)
	return st.Name
}

// stale reports whether a statement failed, and did nothing, only because what the
// connection remembers of it is no longer so: its tables have changed, or the session
// was reset.
func stale(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == codeNoStatement || e.Code == codeUnsupported && e.Routine == "RevalidateCachedQuery")
}

// batch carries out statements without parameters, by the simple protocol, and drops
// what they return. A connection that is at no known place of the protocol after it, or
// at which a cancellation may still arrive, is closed.
func (s *session) batch(ctx context.Context, sql string) (err error) {
	cancelled := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cancelled)
		s.cancel()
	})
	ended := false
	defer func() {
		if !stop() {
			<-cancelled
			ended = false
		}
		if !ended {
			s.abandon()
		}
	}()
	s.conn.Frontend().SendQuery(&pgproto3.Query{String: sql})
	if err := s.conn.Frontend().Flush(); err != nil {
		return err
	}
	for !ended {
		msg, lost := s.conn.ReceiveMessage(context.Background())
		if lost != nil {
			return errors.Join(err, lost)
		}
		switch msg := msg.(type) {
		case *pgproto3.ErrorResponse:
			err = pgconn.ErrorResponseToPgError(msg)
		case *pgproto3.CopyInResponse:
			s.conn.Frontend().Send(&pgproto3.CopyFail{Message: "there is nothing to copy from: COPY ... FROM STDIN needs a program that sends the rows"})
			if err := s.conn.Frontend().Flush(); err != nil {
				return err
			}
		case *pgproto3.ReadyForQuery:
			ended = true
		}
	}
	return err
}

// cancel has the server end what it does, and gives it a moment to say so.
func (s *session) cancel() {
	_ = s.conn.Conn().SetDeadline(time.Now().Add(cancelTime)) // of a broken one there is nothing to wait for
	ctx, end := context.WithTimeout(context.Background(), cancelTime)
	defer end()
	_ = s.conn.CancelRequest(ctx) // it is given up in any case
}

// abandon closes the connection.
func (s *session) abandon() {
	ctx, cancel := context.WithTimeout(context.Background(), cancelTime)
	defer cancel()
	_ = s.conn.Close(ctx) // it is of no use any more, whatever that says
}

// decimals asks the server how many decimals money has, which its locale decides.
func (s *session) decimals(ctx context.Context) (int, error) {
	if n := s.pool.knownDecimals(); n >= 0 {
		return n, nil
	}
	value, err := s.ask(ctx, "SELECT '1'::pg_catalog.money", nil)
	if err != nil {
		return 0, err
	}
	n := 0
	if len(value) == 8 {
		for unit := binary.BigEndian.Uint64(value); unit >= 10; unit /= 10 {
			n++
		}
	}
	s.pool.setDecimals(n)
	return n, nil
}

// decoderOf returns what reads values of a type.
func (s *session) decoderOf(ctx context.Context, oid uint32) (decoder, error) {
	if d, ok := decoders[oid]; ok {
		return d, nil
	}
	if oid < firstUserOID {
		return anyText, nil
	}
	is, known := s.pool.isHstore(oid)
	if !known {
		const sql = `SELECT EXISTS (SELECT FROM pg_catalog.pg_type t JOIN pg_catalog.pg_depend d ON d.objid = t.oid AND d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
			JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid AND d.deptype = 'e'
			WHERE t.oid = $1 AND t.typname = 'hstore' AND e.extname = 'hstore')`
		value, err := s.ask(ctx, sql, binary.BigEndian.AppendUint32(nil, oid))
		if err != nil {
			return decoder{}, err
		}
		is = len(value) == 1 && value[0] == 1
		s.pool.setHstore(oid, is)
	}
	if is {
		return hstore, nil
	}
	return anyText, nil
}

// ask returns the one value of a statement of ours, in binary form; param is an OID.
func (s *session) ask(ctx context.Context, sql string, param []byte) ([]byte, error) {
	var values [][]byte
	var types []uint32
	if param != nil {
		values, types = [][]byte{param}, []uint32{pgtype.OIDOID}
	}
	got := s.conn.ExecParams(ctx, sql, values, types, []int16{pgtype.BinaryFormatCode}, []int16{pgtype.BinaryFormatCode}).Read()
	if got.Err != nil {
		return nil, got.Err
	}
	if len(got.Rows) != 1 || len(got.Rows[0]) != 1 {
		return nil, fmt.Errorf("%.40s...: not one value", sql)
	}
	return got.Rows[0][0], nil
}
