package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	contract "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// maxErrorText bounds what an error says, in bytes: servers repeat values.
const maxErrorText = 4 << 10

func invalidParams(err error) error {
	return contract.QueryError{Tag: contract.QueryErrorInvalidParams, InvalidParams: clip(err.Error())}
}

func invalidQuery(format string, args ...any) error {
	return contract.QueryError{Tag: contract.QueryErrorInvalidQuery, InvalidQuery: clip(fmt.Sprintf(format, args...))}
}

func unexpected(format string, args ...any) error {
	return contract.QueryError{Tag: contract.QueryErrorUnexpected, Unexpected: clip(fmt.Sprintf(format, args...))}
}

// SQLSTATEs and their classes.
const (
	classData             = "22"
	classSyntaxOrAccess   = "42"
	classUnsupported      = "0A"
	codeCanceled          = "57014"
	codeNoStatement       = "26000"
	codeUnsupported       = "0A000"
	codeNoDatabase        = "3D000"
	codeNoSchema          = "3F000"
	codePermission        = "42501"
	codeActiveTransaction = "25001"
)

// queryError makes the contract's error of what kept a statement from being carried
// out; given says whether it had parameters.
func (s *session) queryError(ctx context.Context, err error, given bool) error {
	if _, ok := errors.AsType[contract.QueryError](err); ok {
		return err
	}
	if large, ok := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); ok {
		return unexpected("a row of %d bytes is over the limit of max_result_bytes, which is %d", large.ActualBodyLen, s.limits.MaxResultBytes)
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case ctx.Err() != nil && ok && e.Code == codeCanceled:
		return unexpected("the call was given up, and the statement cancelled: %v", context.Cause(ctx))
	case ctx.Err() != nil && !ok:
		return unexpected("the call was given up, and the statement may have been carried out: %v", context.Cause(ctx))
	case !ok:
		return unexpected("the connection broke, and the statement may have been carried out: %v", err)
	}
	return serverError(e, given)
}

// serverError puts an error of the server's into the case for it.
func serverError(e *pgconn.PgError, given bool) error {
	text := describe(e)
	switch {
	case e.Code == codePermission, len(e.Code) != 5:
	case e.Code[:2] == classData && given:
		return invalidParams(errors.New(text))
	case e.Code[:2] == classData, e.Code[:2] == classSyntaxOrAccess, e.Code[:2] == classUnsupported,
		e.Code == codeNoSchema, e.Code == codeNoDatabase, e.Code == codeActiveTransaction:
		return invalidQuery("%s", text)
	}
	return unexpected("%s", text)
}

// describe writes all that the server says of an error that helps who wrote the
// statement, beginning with what programs look for.
func describe(e *pgconn.PgError) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SQLSTATE %s: %s", e.Code, e.Message)
	if e.Position > 0 {
		fmt.Fprintf(&b, " (at character %d)", e.Position)
	}
	for _, part := range []struct{ name, text string }{
		{"detail", e.Detail}, {"hint", e.Hint}, {"constraint", e.ConstraintName}, {"table", e.TableName}, {"column", e.ColumnName}, {"where", e.Where},
	} {
		if part.text != "" {
			fmt.Fprintf(&b, "; %s: %s", part.name, part.text)
		}
	}
	return b.String()
}

// clip makes a text fit into an error, whatever a server said.
func clip(s string) string {
	if len(s) > maxErrorText {
		s = s[:maxErrorText] + "…"
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}
