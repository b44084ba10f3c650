package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// childEnv makes this program one of the children, which do what needs a process
// of its own: its memory is theirs alone, or it is the other end of a call.
const childEnv = "LATH_BENCH_CHILD"

// children are told what to do by arguments and end with their standard input.
// They write lines of JSON.
var children = map[string]func(ctx context.Context, args []string, in io.Reader, out io.Writer) error{
	"callee":   calleeChild,
	"fleet":    fleetChild,
	"stops":    stopsChild,
	"idle":     idleChild,
	"s3":       s3Child,
	"thousand": thousandChild,
	"web":      webChild,
}

// runChild runs the child that the environment names; ok is false where it names
// none.
func runChild(ctx context.Context) (ok bool, err error) {
	name, args, _ := strings.Cut(os.Getenv(childEnv), " ")
	if name == "" {
		return false, nil
	}
	f := children[name]
	if f == nil {
		return true, fmt.Errorf("no child %q", name)
	}
	return true, f(ctx, strings.Fields(args), os.Stdin, os.Stdout)
}

// child is one that runs.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startChild starts this program once more. Arguments have no spaces.
func startChild(ctx context.Context, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, " "))
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	return c, c.cmd.Start()
}

// read reads what the child tells next.
func (c *child) read(to any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("child process: %w", err)
	}
	return json.Unmarshal(line, to)
}

// close ends the child and waits for it.
func (c *child) close() error {
	return errors.Join(c.in.Close(), c.cmd.Wait())
}

// askChild runs a child to its end and returns the one line that it tells.
func askChild[T any](ctx context.Context, args ...string) (told T, err error) {
	c, err := startChild(ctx, args...)
	if err != nil {
		return told, err
	}
	err = c.read(&told)
	return told, errors.Join(err, c.close())
}

// tell writes a line.
func tell(out io.Writer, what any) error { return json.NewEncoder(out).Encode(what) }
