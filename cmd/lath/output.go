package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/mattn/go-isatty"
)

func (c *cli) json() bool { return c.output == outputJSON }

// result prints v in JSON mode, and else what text prints.
func (c *cli) result(v any, text func(w io.Writer)) error {
	if c.json() {
		return writeJSON(c.stdout, v)
	}
	w := &resultWriter{w: c.stdout}
	text(w)
	return w.err
}

// resultWriter keeps the first error of a stream, so that a full disk is not
// taken for an answer.
type resultWriter struct {
	w   io.Writer
	err error
}

func (r *resultWriter) Write(b []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.w.Write(b)
	if err != nil {
		r.err = fmt.Errorf("write the result: %w", err)
	}
	return n, r.err
}

// say tells a person what happens, beside the result.
func (c *cli) say(format string, args ...any) {
	if !c.json() {
		fmt.Fprintf(c.stderr, format+"\n", args...)
	}
}

// writeJSON writes one line.
func writeJSON(w io.Writer, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	if _, err := w.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// terminal says whether a stream is a person's.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}

// newTable returns a table without lines, whose columns a shell can cut.
func newTable(w io.Writer, header ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "   "
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	t.AppendHeader(header)
	return t
}
