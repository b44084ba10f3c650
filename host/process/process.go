package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/lathhost/lath/lattice"
)

// outputWait is how long output is still read when the process has ended but a
// child of it, which was told to end as well, has the pipe open.
const outputWait = 2 * time.Second

// Config says what to run. Path and Dir are required.
type Config struct {
	// Path is the program, absolute.
	Path string
	// Env is the whole environment, NAME=VALUE; see [Environment].
	Env []string
	// Dir is the working directory. It must exist.
	Dir string
	// Input is what the process reads from its standard input, which ends then.
	Input []byte
	// Line, if set, is told each line of its output, by the stream's name, from
	// one goroutine of each stream. Lines are cut at [MaxLine].
	Line func(stream, line string)
	// Limits bound what it may take of the machine.
	Limits Limits
}

// Limits bound a process. Zero fields are without limit.
type Limits struct {
	// Memory is of its data, in bytes (RLIMIT_DATA); Files is how many it may have
	// open (RLIMIT_NOFILE). Both are of Linux, of each process alone and set when it
	// has just begun: what it starts before it has read its input has them too, by
	// inheritance, unless it is faster than that. They keep accidents in bounds, not
	// attackers.
	Memory uint64
	Files  uint64
}

// Process is a child process that was started.
type Process struct {
	cmd  *exec.Cmd
	feed sync.WaitGroup // what writes to its standard input
	done chan struct{}
	err  error // of its end; read after done
}

// Start starts a process. It returns when the process runs; what it reads is
// written to it as it reads. The caller waits for [Process.Done], or stops it.
//
// The process leads a group of its own, so that no terminal's signal reaches it.
// On Linux it is killed when this process ends, however it ends.
func Start(cfg Config) (*Process, error) {
	for wait := 5 * time.Millisecond; ; wait *= 2 {
		p, err := start(cfg)
		// A program that was just written may be open for writing in a child that
		// another goroutine is making (golang.org/issue/22315): not for long.
		if !errors.Is(err, syscall.ETXTBSY) || wait > time.Second {
			return p, err
		}
		time.Sleep(wait)
	}
}

func start(cfg Config) (*Process, error) {
	p := &Process{done: make(chan struct{})}
	stdout, stderr := newLines("stdout", cfg.Line), newLines("stderr", cfg.Line)
	p.cmd = &exec.Cmd{Path: cfg.Path, Args: []string{cfg.Path}, Env: cfg.Env, Dir: cfg.Dir,
		Stdout: stdout, Stderr: stderr, WaitDelay: outputWait, SysProcAttr: attributes()}
	if cfg.Env == nil {
		p.cmd.Env = []string{} // nil would be this process's
	}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cfg.Path, err)
	}
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		// Linux kills a child when the thread that made it ends, not the process:
		// this thread stays until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := p.start(cfg, stdin); err != nil {
			started <- err
			return
		}
		started <- nil
		p.wait()
		stdout.flush()
		stderr.flush()
	}()
	if err := <-started; err != nil {
		<-p.done
		return nil, explain(cfg.Path, err)
	}
	return p, nil
}

// explain adds what to do about a program that does not start.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("start %s: %w: no such program, or what it needs is missing (an interpreter, or a dynamic linker)", path, lattice.ErrNotFound)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("start %s: %w: it may not be executed (chmod +x makes it so)", path, lattice.ErrDenied)
	case isNoProgram(err):
		return fmt.Errorf("start %s: %w: it is no program for this machine (%s/%s)", path, lattice.ErrUnsupported, runtime.GOOS, runtime.GOARCH)
	}
	return fmt.Errorf("start %s: %w", path, err)
}

func (p *Process) start(cfg Config, stdin io.WriteCloser) error {
	if err := p.cmd.Start(); err != nil {
		return errors.Join(err, stdin.Close())
	}
	if err := setLimits(p.cmd.Process.Pid, cfg.Limits); err != nil {
		_ = p.cmd.Process.Kill()
		return errors.Join(fmt.Errorf("set its limits: %w", err), stdin.Close(), ignoreExit(p.cmd.Wait()))
	}
	p.feed.Go(func() {
		// It fails where the process ends or closes its input first, which is its
		// own business. Wait closes the pipe, so that this ends.
		_, _ = stdin.Write(cfg.Input)
		_ = stdin.Close()
	})
	return nil
}

// wait waits for the end, and ends what the process has left behind.
func (p *Process) wait() {
	awaitExit(p.cmd.Process.Pid)
	killGroup(p.cmd.Process.Pid)
	p.err = p.cmd.Wait()
	p.feed.Wait()
	if errors.Is(p.err, exec.ErrWaitDelay) {
		p.err = nil
	}
}

func ignoreExit(err error) error {
	if _, is := errors.AsType[*exec.ExitError](err); is {
		return nil
	}
	return err
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and its output has been told.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended says, after Done, how the process ended: "exit status 1",
// "signal: killed".
func (p *Process) Ended() string {
	<-p.done
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}

// Stop ends the process and waits for its end. First ask, if not nil, is called,
// which asks it to; if that returns nil the process has half of the time that ctx
// leaves, and all of it after SIGTERM, before it is killed with all its children.
// A Stop that had to kill returns ctx's error.
func (p *Process) Stop(ctx context.Context, ask func(ctx context.Context) error) error {
	if ask != nil {
		half := ctx
		if deadline, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			half, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
			defer cancel()
		}
		if ask(half) == nil && p.endsBefore(half) {
			return nil
		}
	}
	terminate(p.cmd.Process)
	if p.endsBefore(ctx) {
		return nil
	}
	killGroup(p.PID())
	_ = p.cmd.Process.Kill() // where there are no groups
	<-p.done
	return fmt.Errorf("process %d did not end by itself and was killed: %w", p.PID(), context.Cause(ctx))
}

func (p *Process) endsBefore(ctx context.Context) bool {
	select {
	case <-p.done:
		return true
	default:
	}
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// Environment is what a process gets of this process's environment: RUST_LOG and
// what begins with OTEL_, as v1 has it, and what Windows programs cannot be
// without. Nothing else, so that no credential goes along.
func Environment() []string {
	env := []string{}
	for _, v := range os.Environ() {
		if passes(v) {
			env = append(env, v)
		}
	}
	return env
}
