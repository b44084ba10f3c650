package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/test/bench/guests"
)

// wazyEnv names a checkout of the Go runtime samyfodil/wazy.
const wazyEnv = "WAZY_DIR"

// peers is the program of test/bench/peers, which runs guests on other runtimes:
// in a process of its own, one measurement at a time, when it is asked.
type peers struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Reader
	versions map[string]string
	ops      []string
	// skipped is why rows cannot be measured, by the runtime's name.
	skipped map[string]string
}

// startPeers builds and starts the program, with what this machine has for it.
func startPeers(ctx context.Context, dir string) (*peers, error) {
	p := &peers{skipped: map[string]string{}}
	if err := writeGuests(dir); err != nil {
		return nil, err
	}
	program, err := p.build(ctx, dir)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.CommandContext(ctx, program)
	p.cmd.Env = append(os.Environ(), "PEERS_GUESTS="+dir)
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start peers: %w", err)
	}
	var first struct {
		Versions map[string]string `json:"versions"`
		Ops      []string          `json:"ops"`
	}
	if err := p.read(&first); err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.versions, p.ops = first.Versions, first.Ops
	if checkout := os.Getenv(wazyEnv); checkout != "" {
		if commit, err := output(ctx, checkout, nil, "git", "rev-parse", "--short=12", "HEAD"); err == nil {
			p.versions["wazy"] = commit
		}
	}
	return p, nil
}

// close ends the program.
func (p *peers) close() error {
	if p.cmd == nil || p.cmd.Process == nil {
		return nil
	}
	err := p.in.Close() // its end of file
	return errors.Join(err, p.cmd.Wait())
}

// writeGuests writes the guests as every runtime can read them: core modules,
// and components for those that know what that is.
func writeGuests(dir string) error {
	types, err := examples.Component("types")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "types.wasm"), types, 0o644); err != nil {
		return err
	}
	for _, name := range []string{"callee", "caller"} {
		component, err := guests.Component(name)
		if err != nil {
			return err
		}
		core, err := guests.Core(component)
		if err != nil {
			return err
		}
		for file, wasm := range map[string][]byte{name: core, name + "-component": component} {
			if err := os.WriteFile(filepath.Join(dir, file+".wasm"), wasm, 0o644); err != nil {
				return err
			}
		}
		if name != "callee" {
			continue
		}
		big, err := guests.WithData(core)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "big.wasm"), big, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// wasmtimeModule brings a library and its C headers.
const wasmtimeModule = "github.com/bytecodealliance/wasmtime-go/v37"

// build builds the program in dir: with cgo where there is a C compiler, with
// wazy where there is a checkout.
func (p *peers) build(ctx context.Context, dir string) (program string, err error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return "", err
	}
	source = filepath.Join(source, "peers")
	program = filepath.Join(dir, "peers")
	args, env := []string{"build", "-o", program}, []string{"CGO_ENABLED=0", "GOWORK=off"}
	if cc, err := output(ctx, source, nil, "go", "env", "CC"); err != nil {
		return "", err
	} else if _, missing := exec.LookPath(strings.Fields(cc + " cc")[0]); missing != nil {
		p.skipped["wasmtime"] = "wasmtime is a C library, and there is no C compiler " + cc
	} else {
		headers, err := output(ctx, source, []string{"GOWORK=off", "GOFLAGS=-mod=mod"}, "go", "mod", "download", "-json", wasmtimeModule)
		if err != nil {
			return "", err
		}
		var module struct{ Dir string }
		if err := json.Unmarshal([]byte(headers), &module); err != nil {
			return "", err
		}
		env = []string{"CGO_ENABLED=1", "GOWORK=off", "CGO_CFLAGS=-O2 -I" + filepath.Join(module.Dir, "build", "include")}
	}
	if checkout := os.Getenv(wazyEnv); checkout == "" {
		p.skipped["wazy"] = wazyEnv + " names no checkout of github.com/samyfodil/wazy"
	} else {
		modfile, err := withWazy(dir, source, checkout)
		if err != nil {
			return "", err
		}
		args = append(args, "-tags", "wazy", "-mod=mod", "-modfile", modfile)
	}
	_, err = output(ctx, source, env, "go", append(args, ".")...)
	return program, err
}

// withWazy writes a go.mod to dir that replaces wazy by a checkout.
func withWazy(dir, source, checkout string) (modfile string, err error) {
	if checkout, err = filepath.Abs(checkout); err != nil {
		return "", err
	}
	modfile = filepath.Join(dir, "peers.mod")
	for from, to := range map[string]string{"go.mod": modfile, "go.sum": filepath.Join(dir, "peers.sum")} {
		b, err := os.ReadFile(filepath.Join(source, from))
		if err != nil {
			return "", err
		}
		if from == "go.mod" {
			b = fmt.Appendf(b, "\nrequire github.com/samyfodil/wazy v0.0.0\n\nreplace github.com/samyfodil/wazy => %s\n", checkout)
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			return "", err
		}
	}
	return modfile, nil
}

// output runs a program and returns what it wrote.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

func (p *peers) read(to any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	return json.Unmarshal(line, to)
}

// has reports whether there is such an operation; if not, why.
func (p *peers) has(op string) (ok bool, why string) {
	if slices.Contains(p.ops, op) {
		return true, ""
	}
	name, _, _ := strings.Cut(op, ":")
	if why = p.skipped[name]; why == "" {
		why = "the peers know no " + op
	}
	return false, why
}

// measure has an operation done n times.
func (p *peers) measure(op string) func(context.Context, int) (sample, error) {
	return func(_ context.Context, n int) (sample, error) {
		line, err := json.Marshal(map[string]any{"op": op, "n": n})
		if err != nil {
			return sample{}, err
		}
		if _, err := p.in.Write(append(line, '\n')); err != nil {
			return sample{}, fmt.Errorf("peers: %w", err)
		}
		var a struct {
			sample
			Error string `json:"error"`
		}
		if err := p.read(&a); err != nil {
			return sample{}, err
		}
		if a.Error != "" {
			return sample{}, errors.New(a.Error)
		}
		return a.sample, nil
	}
}

// libraries are the peers' versions, for the report.
func (p *peers) libraries() (all []library) {
	for _, name := range slices.Sorted(maps.Keys(p.versions)) {
		all = append(all, library{name + " (peer)", p.versions[name]})
	}
	return all
}
