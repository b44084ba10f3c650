package io

import (
	"errors"
	"io"
)

// directSource is a reader that does not block: it is read when the guest asks.
type directSource struct {
	r    io.Reader
	fate fate
}

func (d *directSource) read(n uint64) ([]byte, error) {
	switch {
	case n == 0:
		return nil, nil
	case d.fate.ended:
		return nil, d.fate.answer()
	}
	b := make([]byte, min(n, capacity))
	k, err := readSome(d.r, b)
	if errors.Is(err, io.EOF) {
		d.fate.end(nil)
	} else if err != nil {
		d.fate.end(err)
	}
	if k > 0 {
		return b[:k], nil
	}
	return nil, d.fate.answer()
}

func (d *directSource) Ready() bool              { return true }
func (d *directSource) Subscribe(*Waiter) func() { return func() {} }

func (d *directSource) Close() error {
	d.fate.end(nil)
	d.fate.cause = nil
	if c, ok := d.r.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
