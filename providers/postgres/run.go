package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	contract "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// outcome is what a statement did.
type outcome struct {
	rows     []contract.ResultRow
	affected uint64
}

// run carries out one statement, and keeps its rows if they are asked for.
func (s *session) run(ctx context.Context, sql string, params []contract.PgValue, keep bool) (outcome, error) {
	out, err := s.try(ctx, sql, params, keep)
	if stale(err) && !s.conn.IsClosed() {
		if e, ok := s.statements[sql]; ok {
			_ = s.conn.Deallocate(ctx, s.forget(e)) // if it is not there, all the better
			out, err = s.try(ctx, sql, params, keep)
		}
	}
	if err != nil {
		return outcome{}, s.queryError(ctx, err, len(params) > 0)
	}
	return out, nil
}

func (s *session) try(ctx context.Context, sql string, params []contract.PgValue, keep bool) (outcome, error) {
	st, err := s.statement(ctx, sql)
	if err != nil {
		return outcome{}, err
	}
	decimals, err := s.decimalsFor(ctx, st, params)
	if err != nil {
		return outcome{}, err
	}
	encoded, err := encodeParams(params, st.ParamOIDs, decimals, s.limits.MaxParamBytes)
	if err != nil {
		return outcome{}, invalidParams(err)
	}
	var columns []decoder
	var formats []int16
	if keep {
		if columns, formats, err = s.columns(ctx, st.Fields); err != nil {
			return outcome{}, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := execution{session: s, keep: keep, columns: columns, decimals: decimals, room: s.limits.MaxResultBytes, pipeline: s.conn.StartPipeline(ctx)}
	e.pipeline.SendQueryPrepared(st.Name, encoded.values, encoded.formats, formats)
	if len(columns) == 0 {
		out, err := e.committed()
		if _, ok := errors.AsType[*pgconn.PgError](err); err != nil && !ok {
			cancel() // of rows that nobody expected, no more
		}
		return out, errors.Join(err, e.pipeline.Close())
	}
	return e.thenCommit()
}

// decimalsFor asks for the decimals of money where a statement has to do with any.
func (s *session) decimalsFor(ctx context.Context, st *pgconn.StatementDescription, params []contract.PgValue) (int, error) {
	is := func(oid uint32) bool { return oid == moneyOID || oid == moneyArrayOID }
	if !slices.ContainsFunc(st.Fields, func(f pgconn.FieldDescription) bool { return is(f.DataTypeOID) }) &&
		!slices.ContainsFunc(params, func(v contract.PgValue) bool {
			return v.Tag == contract.PgValueMoney || v.Tag == contract.PgValueMoneyArray
		}) {
		return 0, nil
	}
	return s.decimals(ctx)
}

// columns finds what reads each column, and the form to ask for.
func (s *session) columns(ctx context.Context, fields []pgconn.FieldDescription) ([]decoder, []int16, error) {
	list, formats := make([]decoder, len(fields)), make([]int16, len(fields))
	for i, f := range fields {
		var err error
		if list[i], err = s.decoderOf(ctx, f.DataTypeOID); err != nil {
			return nil, nil, err
		}
		if !list[i].textual {
			formats[i] = pgtype.BinaryFormatCode
		}
	}
	return list, formats, nil
}

// execution is a statement that is being carried out.
type execution struct {
	keep     bool
	session  *session
	pipeline *pgconn.Pipeline
	columns  []decoder
	decimals int
	room     int64 // for what is still to be returned
}

// committed carries out a statement whose rows nobody waits for, in one exchange.
func (e *execution) committed() (outcome, error) {
	if err := e.pipeline.Sync(); err != nil {
		return outcome{}, err
	}
	out, err := e.read()
	if err != nil {
		return outcome{}, err
	}
	return out, e.synced()
}

// thenCommit carries out a statement that returns rows, and commits it when they have
// been read. Where that fails, the connection is closed with what was done on it.
func (e *execution) thenCommit() (outcome, error) {
	e.pipeline.SendFlushRequest()
	if err := e.pipeline.Flush(); err != nil {
		return outcome{}, errors.Join(err, e.pipeline.Close())
	}
	out, err := e.read()
	if err != nil {
		if _, ok := errors.AsType[*pgconn.PgError](err); ok {
			// The server has undone it, and waits for the end.
			err = errors.Join(err, e.pipeline.Sync())
		}
		_ = e.pipeline.Close() // whose error is that one, or that it was not committed
		return outcome{}, err
	}
	if err := e.pipeline.Sync(); err != nil {
		return outcome{}, errors.Join(err, e.pipeline.Close())
	}
	return out, errors.Join(e.synced(), e.pipeline.Close())
}

// synced reads that the statement is committed, or why it is not.
func (e *execution) synced() error {
	result, err := e.pipeline.GetResults()
	if err != nil {
		return err
	}
	if _, ok := result.(*pgconn.PipelineSync); !ok {
		return fmt.Errorf("the server answered with %T", result)
	}
	return nil
}

// read reads the result.
func (e *execution) read() (outcome, error) {
	result, err := e.pipeline.GetResults()
	if err != nil {
		return outcome{}, err
	}
	r, ok := result.(*pgconn.ResultReader)
	if !ok {
		return outcome{}, fmt.Errorf("the server answered with %T", result)
	}
	out := outcome{rows: []contract.ResultRow{}}
	for r.NextRow() {
		if !e.keep {
			continue
		}
		if int64(len(out.rows)) >= e.session.limits.MaxRows {
			return outcome{}, unexpected("the result is over the limit of max_rows, which is %d: add LIMIT to the query", e.session.limits.MaxRows)
		}
		row, err := e.row(r)
		if err != nil {
			return outcome{}, err
		}
		out.rows = append(out.rows, row)
	}
	tag, err := r.Close()
	if n := tag.RowsAffected(); n > 0 {
		out.affected = uint64(n)
	}
	return out, err
}

// valueRoom is what a value counts besides its bytes, about as much as it takes here.
const valueRoom = 32

func (e *execution) row(r *pgconn.ResultReader) (contract.ResultRow, error) {
	fields, values := r.FieldDescriptions(), r.Values()
	if len(fields) != len(values) {
		return nil, errors.New("the server sent a row that is not of the result")
	}
	row := make(contract.ResultRow, len(values))
	for i, raw := range values {
		row[i].ColumnName = fields[i].Name
		if raw != nil {
			var err error
			if row[i].Value, err = e.decode(i, &fields[i], raw); err != nil {
				return nil, unexpected("column %q: %v", fields[i].Name, err)
			}
		}
		if e.room -= int64(len(fields[i].Name)) + size(row[i].Value, len(raw)) + valueRoom; e.room < 0 {
			return nil, unexpected("the result is over the limit of max_result_bytes, which is %d", e.session.limits.MaxResultBytes)
		}
	}
	return row, nil
}

// size is how many bytes a value counts: as many as it has on the wire, unless it says
// something again and again that is there only once.
func size(v contract.PgValue, raw int) int64 {
	n := int64(0)
	for _, l := range v.TsVector() {
		n += int64(len(l.Data)) + valueRoom
	}
	return max(n, int64(raw))
}

// decode makes a value of column i. Where the columns were not known before, all is
// text.
func (e *execution) decode(i int, f *pgconn.FieldDescription, raw []byte) (contract.PgValue, error) {
	d := anyText
	if i < len(e.columns) && e.columns[i].textual == (f.Format == pgtype.TextFormatCode) {
		d = e.columns[i]
	} else if f.Format != pgtype.TextFormatCode {
		return contract.PgValue{}, errMalformed
	}
	return d.decode(raw, e.decimals)
}
