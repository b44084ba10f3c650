package http

import (
	"bytes"
	"context"
	"slices"
	"strings"

	contract "github.com/lathhost/lath/wit/wasi/http"
)

const (
	// maxFields bounds the bytes of all names and values of one fields, and
	// fieldCost is what an entry counts for beside them.
	maxFields = 32 << 10
	fieldCost = 32
)

// fields is the resource of that name: entries in order of addition, names in
// any case.
type fields struct {
	entries   []contract.TupleStringBytes
	size      int
	immutable bool
}

var _ contract.Fields = (*fields)(nil)

// forbidden are the names that belong to the connection.
var forbidden = []string{
	"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
	"transfer-encoding", "upgrade", "host", "http2-settings",
}

func fault(tag contract.HeaderErrorTag) error { return contract.HeaderError{Tag: tag} }

// writable checks a change of the entries of name.
func (f *fields) writable(name string) error {
	switch {
	case f.immutable:
		return fault(contract.HeaderErrorImmutable)
	case !token(name):
		return fault(contract.HeaderErrorInvalidSyntax)
	case slices.ContainsFunc(forbidden, func(s string) bool { return strings.EqualFold(s, name) }):
		return fault(contract.HeaderErrorForbidden)
	}
	return nil
}

// token reports whether s is a token of RFC 9110, section 5.6.2.
func token(s string) bool {
	for _, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// validValue reports whether b may stand in a header line.
func validValue(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

func (f *fields) has(name string) bool {
	return slices.ContainsFunc(f.entries, func(e contract.TupleStringBytes) bool { return strings.EqualFold(e.F0, name) })
}

func (f *fields) remove(name string) {
	f.entries = slices.DeleteFunc(f.entries, func(e contract.TupleStringBytes) bool {
		found := strings.EqualFold(e.F0, name)
		if found {
			f.size -= cost(e.F0, e.F1)
		}
		return found
	})
}

func cost(name string, value []byte) int { return len(name) + len(value) + fieldCost }

// Get implements the contract.
func (f *fields) Get(_ context.Context, name contract.FieldName) ([]contract.FieldValue, error) {
	var found []contract.FieldValue
	for _, e := range f.entries {
		if strings.EqualFold(e.F0, name) {
			found = append(found, e.F1)
		}
	}
	return found, nil
}

// Has implements the contract.
func (f *fields) Has(_ context.Context, name contract.FieldName) (bool, error) {
	return f.has(name), nil
}

// Set implements the contract. Too many bytes are invalid-syntax.
func (f *fields) Set(_ context.Context, name contract.FieldName, values []contract.FieldValue) error {
	if err := f.writable(name); err != nil {
		return err
	}
	size := f.size
	for _, e := range f.entries {
		if strings.EqualFold(e.F0, name) {
			size -= cost(e.F0, e.F1)
		}
	}
	for _, v := range values {
		if size += cost(name, v); size > maxFields || !validValue(v) {
			return fault(contract.HeaderErrorInvalidSyntax)
		}
	}
	f.remove(name)
	for _, v := range values {
		f.add(name, v)
	}
	return nil
}

// Delete implements the contract.
func (f *fields) Delete(_ context.Context, name contract.FieldName) error {
	if err := f.writable(name); err != nil {
		return err
	}
	f.remove(name)
	return nil
}

// Append implements the contract. Too many bytes are invalid-syntax.
func (f *fields) Append(_ context.Context, name contract.FieldName, value contract.FieldValue) error {
	if err := f.writable(name); err != nil {
		return err
	}
	if !validValue(value) || f.size+cost(name, value) > maxFields {
		return fault(contract.HeaderErrorInvalidSyntax)
	}
	f.add(name, value)
	return nil
}

// add appends a copy: the guest's bytes are good for the call alone.
func (f *fields) add(name string, value []byte) {
	f.entries = append(f.entries, contract.TupleStringBytes{F0: name, F1: bytes.Clone(value)})
	f.size += cost(name, value)
}

// Entries implements the contract.
func (f *fields) Entries(context.Context) ([]contract.TupleStringBytes, error) {
	return f.entries, nil
}

// Clone implements the contract. The clone may be changed.
func (f *fields) Clone(context.Context) (contract.Fields, error) {
	return &fields{entries: slices.Clone(f.entries), size: f.size}, nil
}

// Drop implements the contract.
func (f *fields) Drop() {}
