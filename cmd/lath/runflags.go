package main

import (
	"fmt"
	"math"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/grant"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/egress"
	wasihttp "github.com/lathhost/lath/host/wasi/http"
)

// runFlags are those of run.
type runFlags struct {
	source          transferFlags
	dirs, net, http []string
	direct, roots   []string
	proxy           string
	redirects       int
	env, config     []string
	cwd, invoke     string
	memory          string
	handles         int
	timeout, cpu    time.Duration
	debug           bool
}

func (f *runFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.dirs, "dir", nil, "`directory` that it may use, HOST[::GUEST][:ro|:quota=SIZE]; repeatable")
	flags.StringArrayVar(&f.env, "env", nil, "environment `variable`, NAME=VALUE, or NAME for that of this process; repeatable")
	flags.StringVar(&f.cwd, "cwd", "", "directory to start in, as it sees it; also PWD in its environment, for toolchains that look there")
	flags.StringArrayVar(&f.net, "allow-net", nil, "`place` that its sockets may reach or listen on, [tcp://|udp://]HOST[:PORT|:FIRST-LAST]; repeatable")
	flags.StringArrayVar(&f.http, "allow-http", nil, "`server` that it may send HTTP requests to, HOST[:PORT]; repeatable")
	flags.StringVar(&f.proxy, "http-proxy", "", "`URL` of the proxy that its HTTP requests go through, http[s]://[USER:PASSWORD@]HOST[:PORT] (default none)")
	flags.StringArrayVar(&f.direct, "http-direct", nil, "`server` that its HTTP requests go to without the proxy, HOST[:PORT]; repeatable")
	flags.StringArrayVar(&f.roots, "http-roots", nil, "`file` of certificates (PEM) that HTTP servers' ones must come from, or system; repeatable (default system)")
	flags.IntVar(&f.redirects, "http-redirects", 0, "how many redirects in a row are followed for it (default: it sees them)")
	flags.StringArrayVar(&f.config, "config", nil, "`setting` of wasi:config/store, NAME=VALUE; repeatable")
	flags.StringVar(&f.memory, "memory", "256MiB", "limit of its linear memory")
	flags.IntVar(&f.handles, "handles", 100_000, "limit of the handles that it has open")
	flags.DurationVar(&f.cpu, "cpu", 0, "limit of the work of its code, counted as processor time whatever else the machine does (default none)")
	flags.DurationVar(&f.timeout, "timeout", 0, "limit of its time on the clock (default none)")
	flags.StringVar(&f.invoke, "invoke", "", "function to call instead of wasi:cli/run, with its arguments in WAVE; its result is printed")
	flags.BoolVar(&f.debug, "debug", false, "show source files and lines in traps, where the component has them (DWARF); slower to start")
	f.source.add(cmd)
}

// runGrant is what the flags of run grant, read.
type runGrant struct {
	grants      wasi.Grants
	env, config map[string]string
	limits      component.Limits
}

// check reads the flags; what is wrong is wrong use.
func (f *runFlags) check() (g runGrant, err error) {
	defer func() {
		if err != nil {
			err = &usageError{err}
		}
	}()
	for _, text := range f.dirs {
		d, err := grant.ParseDir(text, ".")
		if err == nil {
			g.grants.Dirs, err = grant.AddDir(g.grants.Dirs, d)
		}
		if err != nil {
			return g, fmt.Errorf("--dir: %w", err)
		}
	}
	if g.grants.Sockets, err = egress.Parse(f.net); err != nil {
		return g, fmt.Errorf("--allow-net: %w", err)
	}
	if g.grants.HTTP, err = egress.Parse(f.http); err != nil {
		return g, fmt.Errorf("--allow-http: %w", err)
	}
	if g.grants.Outbound, err = f.outbound(); err != nil {
		return g, err
	}
	if g.env, err = assignments(f.env, ownEnv); err != nil {
		return g, fmt.Errorf("--env: %w", err)
	}
	if g.config, err = assignments(f.config, nil); err != nil {
		return g, fmt.Errorf("--config: %w", err)
	}
	if f.cwd != "" && !path.IsAbs(f.cwd) {
		return g, fmt.Errorf("--cwd %q: want an absolute path, as the component sees it", f.cwd)
	}
	if _, given := g.env["PWD"]; f.cwd != "" && !given {
		g.env["PWD"] = f.cwd
	}
	g.limits, err = f.limits()
	return g, err
}

// outbound is how requests go out.
func (f *runFlags) outbound() (out wasihttp.Outbound, err error) {
	if f.proxy != "" {
		if out.Proxy, err = grant.ParseProxy(f.proxy); err != nil {
			return out, fmt.Errorf("--http-proxy: %w", err)
		}
	}
	if out.Direct, err = egress.Parse(f.direct); err != nil {
		return out, fmt.Errorf("--http-direct: %w", err)
	}
	if len(f.roots) > 0 {
		if out.Roots, err = grant.ParseRoots(f.roots, "."); err != nil {
			return out, fmt.Errorf("--http-roots: %w", err)
		}
	}
	if f.redirects < 0 || f.redirects > grant.MaxRedirects {
		return out, fmt.Errorf("--http-redirects %d: want a number from 0 to %d", f.redirects, grant.MaxRedirects)
	}
	out.Redirects = f.redirects
	return out, nil
}

func (f *runFlags) limits() (l component.Limits, err error) {
	if l.Memory, err = grant.ParseSize(f.memory); err != nil {
		return l, fmt.Errorf("--memory: %w", err)
	}
	if f.handles < 1 {
		return l, fmt.Errorf("--handles %d: want 1 or more", f.handles)
	}
	if f.timeout < 0 {
		return l, fmt.Errorf("--timeout %s: it is negative", f.timeout)
	}
	if f.cpu < 0 {
		return l, fmt.Errorf("--cpu %s: it is negative", f.cpu)
	}
	l.Handles, l.CPU = f.handles, f.cpu
	if f.cpu == 0 {
		l.CPU = math.MaxInt64 // who started it is there to stop it
	}
	return l, nil
}

// assignments reads NAME=VALUE texts, of which the last of a name counts. own,
// if it is not nil, has the value of a NAME alone.
func assignments(texts []string, own func(name string) (string, error)) (map[string]string, error) {
	values := map[string]string{}
	for _, text := range texts {
		name, value, given := strings.Cut(text, "=")
		if err := grant.ValidEnv(name); err != nil {
			return nil, fmt.Errorf("%q: want NAME=VALUE", text)
		}
		if !given {
			if own == nil {
				return nil, fmt.Errorf("%q: want NAME=VALUE", text)
			}
			var err error
			if value, err = own(name); err != nil {
				return nil, err
			}
		}
		values[name] = value
	}
	return values, nil
}

// limitsSet says what a program was limited to, for one that was stopped.
func (f *runFlags) limitsSet() string {
	cpu := "none"
	if f.cpu > 0 {
		cpu = f.cpu.String()
	}
	return fmt.Sprintf("flags of this run set limits: --memory %s, --handles %d, --cpu %s", f.memory, f.handles, cpu)
}
