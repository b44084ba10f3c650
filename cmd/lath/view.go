package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// watchEvery is how often a watched answer is asked for again.
const watchEvery = time.Second

// view is an answer as a person reads it: a table, or what is said where it would
// be empty.
type view struct {
	header []any
	rows   [][]any
	none   string
	// ticking is the column that changes all the time, which is no news; empty: none.
	ticking string
}

func (v *view) add(row ...any) { v.rows = append(v.rows, row) }

func (v *view) render(w io.Writer) {
	if len(v.rows) == 0 && v.none != "" {
		fmt.Fprintln(w, v.none)
		return
	}
	t := newTable(w, v.header...)
	for _, row := range v.rows {
		t.AppendRow(row)
	}
	t.Render()
}

// lines are the rows as lines, without the column that ticks: another line is news.
func (v *view) lines() []string {
	at := slices.Index(v.header, any(v.ticking))
	out := make([]string, len(v.rows))
	for i, row := range v.rows {
		var cells []string
		for j, cell := range row {
			if j != at {
				cells = append(cells, fmt.Sprint(cell))
			}
		}
		out[i] = strings.TrimRight(strings.Join(cells, "   "), " ")
	}
	return out
}

// getFlags are those of what shows an answer once or, with --watch, whenever it has
// changed.
type getFlags struct {
	latticeFlags
	watch bool
}

func (f *getFlags) add(cmd *cobra.Command) {
	f.latticeFlags.add(cmd)
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on until interrupted: on a terminal all of it again and again, else the lines that come (+) and go (-)")
}

// asks is what a verb asks the lattice, and shows how it shows the answer.
type (
	asks[T any]  func(ctx context.Context, s *session, args []string) ([]T, error)
	shows[T any] func(s *session, all []T) view
)

// getter makes a verb that asks the lattice one thing and shows it.
func getter[T any](c *cli, cmd *cobra.Command, most int, ask asks[T], show shows[T]) *cobra.Command {
	var f getFlags
	f.add(cmd)
	cmd.Args = nargs(0, most)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return get(c, cmd, &f, args, ask, show) }
	return cmd
}

func get[T any](c *cli, cmd *cobra.Command, f *getFlags, args []string, ask asks[T], show shows[T]) error {
	s, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	g := getting[T]{cli: c, ask: func(ctx context.Context) ([]T, error) { return ask(ctx, s, args) },
		show: func(all []T) view { return show(s, all) }}
	if f.watch {
		return g.watch(cmd.Context())
	}
	all, err := g.get(cmd.Context())
	if err != nil {
		return err
	}
	return c.result(all, func(w io.Writer) {
		v := g.show(all)
		v.render(w)
	})
}

// getting is one run of a getter.
type getting[T any] struct {
	cli  *cli
	ask  func(ctx context.Context) ([]T, error)
	show func(all []T) view
}

func (g *getting[T]) get(ctx context.Context) ([]T, error) {
	all, err := g.ask(ctx)
	if all == nil {
		all = []T{} // an empty list is [], not null
	}
	return all, err
}

// watch asks until it is interrupted. An answer that fails to come is told once,
// and asked for again: what is watched may be going away and coming back.
func (g *getting[T]) watch(ctx context.Context) error {
	var before []string
	failed := ""
	for first := true; ; first = false {
		all, err := g.get(ctx)
		switch {
		case ctx.Err() != nil:
			return ended(ctx)
		case err != nil && first:
			return err
		case err != nil && err.Error() != failed:
			g.cli.say("warning: %v", err)
			failed = err.Error()
		case err == nil:
			failed = ""
			v := g.show(all)
			now := v.lines()
			if err := g.tell(all, &v, before, now, first); err != nil {
				return err
			}
			before = now
		}
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-time.After(watchEvery):
		}
	}
}

// ended is no error where a watch was interrupted, as it is meant to end.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	return context.Cause(ctx)
}

// tell shows what is there now: to a program all of it, if anything has changed;
// on a terminal all of it; else the lines that have come, and those that went.
func (g *getting[T]) tell(all []T, v *view, before, now []string, first bool) error {
	if g.cli.json() {
		if first || !slices.Equal(before, now) {
			return writeJSON(g.cli.stdout, all)
		}
		return nil
	}
	var text strings.Builder
	if terminal(g.cli.stdout) {
		text.WriteString("\x1b[H\x1b[2J") // to the top left, and clear
		v.render(&text)
	} else {
		for _, line := range before {
			if !slices.Contains(now, line) {
				text.WriteString("- " + line + "\n")
			}
		}
		for _, line := range now {
			if !slices.Contains(before, line) {
				text.WriteString("+ " + line + "\n")
			}
		}
	}
	w := &resultWriter{w: g.cli.stdout}
	_, _ = io.WriteString(w, text.String()) // the writer keeps the error
	return w.err
}
