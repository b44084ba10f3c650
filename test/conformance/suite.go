package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/lathhost/lath/host/component"
)

// suite is a converted suite that is being played.
type suite struct {
	files          fs.FS
	skips, differs list
	verbose        bool
	out            io.Writer
	total          counts
	// surprises are the failures that are not listed.
	surprises int
}

func newSuite(files fs.FS, verbose bool, out io.Writer) (*suite, error) {
	s := &suite{files: files, verbose: verbose, out: out, total: counts{}}
	var err error
	if s.skips, err = parseList(skipText); err != nil {
		return nil, fmt.Errorf("skips.txt: %w", err)
	}
	if s.differs, err = parseList(differText); err != nil {
		return nil, fmt.Errorf("differs.txt: %w", err)
	}
	return s, nil
}

// play plays all scripts and prints the outcome.
func (s *suite) play(ctx context.Context, scripts []script) error {
	for _, x := range scripts {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c, err := s.playScript(ctx, x)
		if err != nil {
			return fmt.Errorf("%s: %w", x.Source, err)
		}
		fmt.Fprintf(s.out, "%-60s %s\n", x.Source, c.sum())
		s.total.add(c)
	}
	s.total.table(s.out)
	fmt.Fprintln(s.out, s.total.sum())
	if s.surprises > 0 {
		return fmt.Errorf("%d failures that are not listed in differs.txt", s.surprises)
	}
	return nil
}

// playScript plays one script on a runtime of its own, so that what is left of
// it shows.
func (s *suite) playScript(ctx context.Context, x script) (counts, error) {
	c := counts{}
	rt, err := component.New(ctx, component.Config{})
	if err != nil {
		return c, err
	}
	p, err := newPlayer(rt, s.files, x.Source)
	if err != nil {
		return c, err
	}
	for _, f := range x.Forms {
		c.count(f.Kind, s.judge(place{x.Source, f.Line}, f.Kind, p.play(ctx, f)))
	}
	if err := p.close(ctx); err != nil {
		return c, err
	}
	if n := rt.MemoryInUse() + rt.MemoryIdle(); n > 0 {
		return c, fmt.Errorf("%d bytes of linear memory are left", n)
	}
	return c, rt.Close(ctx)
}

// judge looks a form's error up in the lists.
func (s *suite) judge(at place, kind string, err error) outcome {
	why, skip := s.skips.reason(at)
	known, differs := s.differs.reason(at)
	switch {
	case err == nil && (skip || differs):
		err = errors.New("passes, but is listed")
	case err == nil:
		return passed
	case skip:
		s.tell("skip", at, kind, why, err)
		return skipped
	case differs:
		s.tell("differs", at, kind, known, err)
		return failed
	}
	s.surprises++
	fmt.Fprintf(s.out, "  FAIL %s %s: %v\n", at, kind, err)
	return failed
}

func (s *suite) tell(what string, at place, kind, reason string, err error) {
	if s.verbose {
		fmt.Fprintf(s.out, "  %s %s %s: %s (%v)\n", what, at, kind, reason, err)
	}
}
