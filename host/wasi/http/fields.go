package http

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/lathhost/lath/host/component"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

const (
	// maxFields bounds what one fields holds, and fieldCost is what an entry
	// counts for beside the bytes of its name and value.
	maxFields = 128 << 10
	fieldCost = 48
	// objectCost is what a resource is charged for being there.
	objectCost = 128
)

// fields is the resource of that name: entries in order of addition, names in
// any case. What it holds is charged to the instance's budget, once for a set
// of entries that many handles stand for.
type fields struct {
	entries   []contract.TupleStringBytes
	size      int
	immutable bool
	budget    *component.HostBudget
	charged   int
}

var _ contract.Fields = (*fields)(nil)

// newFields makes empty fields that can be changed.
func newFields(ctx context.Context) (*fields, error) {
	f := &fields{budget: component.HostBudgetOf(ctx)}
	return f, f.charge(objectCost)
}

// fieldsOf makes fields that cannot be changed of what came in, without what
// belongs to the connection, in a fixed order.
func fieldsOf(ctx context.Context, h http.Header) (*fields, error) {
	f := &fields{budget: component.HostBudgetOf(ctx)}
	for name, values := range h {
		lower := strings.ToLower(name)
		if isForbidden(lower) {
			continue
		}
		for _, v := range values {
			f.entries = append(f.entries, contract.TupleStringBytes{F0: lower, F1: []byte(v)})
			f.size += cost(lower, []byte(v))
		}
	}
	slices.SortStableFunc(f.entries, func(a, b contract.TupleStringBytes) int { return strings.Compare(a.F0, b.F0) })
	f.immutable = true
	return f, f.charge(objectCost + f.size)
}

// view returns a handle of the same entries, which cannot be changed any more.
func (f *fields) view(ctx context.Context) (contract.Fields, error) {
	v := &fields{entries: f.entries, size: f.size, immutable: true, budget: component.HostBudgetOf(ctx)}
	if err := v.charge(objectCost); err != nil {
		return nil, err
	}
	return v, nil
}

// header returns the entries as Go's HTTP takes them.
func (f *fields) header() http.Header {
	h := make(http.Header, len(f.entries))
	for _, e := range f.entries {
		h.Add(e.F0, string(e.F1))
	}
	return h
}

// charge takes n bytes off the instance's budget; the error is a trap.
func (f *fields) charge(n int) error {
	if err := f.budget.Take(n); err != nil {
		return err
	}
	f.charged += n
	return nil
}

// Drop implements the contract.
func (f *fields) Drop() {
	f.budget.Give(f.charged)
	f.charged, f.entries = 0, nil
}

// forbidden are the names that belong to the connection.
var forbidden = []string{
	"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
	"transfer-encoding", "upgrade", "host", "http2-settings",
}

func isForbidden(name string) bool {
	return slices.ContainsFunc(forbidden, func(s string) bool { return strings.EqualFold(s, name) })
}

func fault(tag contract.HeaderErrorTag) error { return contract.HeaderError{Tag: tag} }

// writable checks a change of the entries of name.
func (f *fields) writable(name string) error {
	switch {
	case f.immutable:
		return fault(contract.HeaderErrorImmutable)
	case !token(name):
		return fault(contract.HeaderErrorInvalidSyntax)
	case isForbidden(name):
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

// validValue reports whether b may be the value of name.
func validValue(name string, b []byte) bool {
	if strings.EqualFold(name, "content-length") {
		return isDigits(string(b))
	}
	return !slices.ContainsFunc(b, func(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func (f *fields) has(name string) bool {
	return slices.ContainsFunc(f.entries, func(e contract.TupleStringBytes) bool { return strings.EqualFold(e.F0, name) })
}

// remove removes the entries of name and gives their bytes back.
func (f *fields) remove(name string) {
	before := f.size
	f.entries = slices.DeleteFunc(f.entries, func(e contract.TupleStringBytes) bool {
		found := strings.EqualFold(e.F0, name)
		if found {
			f.size -= cost(e.F0, e.F1)
		}
		return found
	})
	f.budget.Give(before - f.size)
	f.charged -= before - f.size
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
	grow, old := 0, 0
	for _, e := range f.entries {
		if strings.EqualFold(e.F0, name) {
			old += cost(e.F0, e.F1)
		}
	}
	for _, v := range values {
		if grow += cost(name, v); f.size-old+grow > maxFields || !validValue(name, v) {
			return fault(contract.HeaderErrorInvalidSyntax)
		}
	}
	if err := f.charge(grow); err != nil {
		return err
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
	if !validValue(name, value) || f.size+cost(name, value) > maxFields {
		return fault(contract.HeaderErrorInvalidSyntax)
	}
	if err := f.charge(cost(name, value)); err != nil {
		return err
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
func (f *fields) Clone(ctx context.Context) (contract.Fields, error) {
	c := &fields{size: f.size, budget: component.HostBudgetOf(ctx)}
	if err := c.charge(objectCost + f.size); err != nil {
		return nil, err
	}
	c.entries = slices.Clone(f.entries)
	return c, nil
}

// own returns fields that this package made, which are its own now.
func own(f contract.Fields) (*fields, error) {
	made, ok := f.(*fields)
	if !ok {
		return nil, foreign("fields", f)
	}
	made.immutable = true
	return made, nil
}
