package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/beat"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wave"
	"github.com/lathhost/lath/wit/wire"
)

// sourceID is who calls, in the header that callees see.
const sourceID = "lath"

// callFlags are those of call.
type callFlags struct {
	lattice    latticeFlags
	registries registryFlags
	cacheDir   string
	host, wit  string
	timeout    time.Duration
}

func (c *cli) callCmd() *cobra.Command {
	var f callFlags
	cmd := &cobra.Command{
		Use: "call TARGET FUNCTION(ARGUMENTS)", Short: "Call a function of a component",
		Long: `Call a function that a component or provider exports. Arguments and results are
WAVE, and arguments are checked against the component's WIT before anything is sent.
The version of the interface may be left out, and so may the interface, where that
leaves one function.

What the function answers is printed, an err(…) like an ok(…), and the exit code is
0: the call worked. A trap, a timeout or a target that is not there is 1.`,
		Example: `  lath call counter 'example:counter/counter.increment("visits")'
  lath call counter 'increment("visits")' --output json
  lath call greeter 'greet("Ada")' --host bold-acorn-0042`,
		Args: nargs(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return c.call(cmd, &f, args[0], args[1]) },
	}
	f.lattice.add(cmd)
	addRPC(cmd, &f.lattice.rpcURL, &f.lattice.rpcAuth)
	f.registries.add(cmd)
	addCacheDir(cmd, &f.cacheDir)
	flags := cmd.Flags()
	flags.StringVar(&f.host, "host", "", "the one host to call it on: id, start of the id, or name (default: any that runs it)")
	flags.StringVar(&f.wit, "wit", "", "WIT file or folder with the target's world, for targets that do not tell their contract")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long the call may take")
	return cmd
}

// called is the answer of call.
type called struct {
	Result     json.RawMessage `json:"result"` // null: none
	WAVE       string          `json:"wave"`
	Hops       []wrpc.Hop      `json:"hops"`
	DurationMS float64         `json:"duration_ms"`
}

func (c *cli) call(cmd *cobra.Command, f *callFlags, target, expr string) error {
	if err := lattice.ValidID(target); err != nil {
		return usagef("%w: %s", err, cmd.UseLine())
	}
	if f.timeout <= 0 {
		return usagef("--timeout %s: want more than none", f.timeout)
	}
	call, err := wave.ParseCall(expr)
	if err != nil {
		return &usageError{withCaret(expr, err)}
	}
	s, err := f.lattice.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	world, err := c.contract(ctx, s, f, target)
	if err != nil {
		return err
	}
	fn, params, err := prepare(world, call, expr)
	if err != nil {
		return err
	}
	prefix := "" // any host
	if f.host != "" {
		h, err := s.host(ctx, f.host)
		if err != nil {
			return err
		}
		prefix = lattice.DirectPrefix(s.lattice, h.ID, target)
	}
	defer c.waiting("calling " + target)()
	meta := wrpc.Meta{SourceID: sourceID, TraceParent: wrpc.NewTraceParent()}
	out, err := invoke(ctx, s, meta, target, prefix, fn, params)
	if err != nil {
		return s.explainCall(cmd.Context(), f, target, meta, err)
	}
	return c.show(out)
}

// prepare finds the function and encodes its arguments.
func prepare(world *wit.World, call wave.Call, expr string) (function, []byte, error) {
	fn, err := findFunction(world, call.Instance, call.Func)
	if err != nil {
		at := len(call.Instance)
		if at > 0 {
			at++ // the dot
		}
		return fn, nil, &usageError{fmt.Errorf("%w%s", err, caret(expr, at))}
	}
	if reason := cannotType(fn.Func); reason != "" {
		return fn, nil, &usageError{fmt.Errorf("%s: %s, which cannot be typed on a command line", fn.callName(), reason)}
	}
	args, err := wave.ParseArgs(fn.Params, call)
	if err != nil {
		return fn, nil, &usageError{fmt.Errorf("%w\n%s: %s", withCaret(expr, err), fn.callName(), fn.Signature())}
	}
	types := make([]*wit.Type, len(fn.Params))
	for i, p := range fn.Params {
		types[i] = p.Type
	}
	params, err := wire.AppendAll(nil, types, args)
	return fn, params, err
}

// cannotType says why a function cannot be called with text, or is empty.
func cannotType(fn *wit.Func) string {
	types := []*wit.Type{}
	for _, p := range fn.Params {
		types = append(types, p.Type)
	}
	if fn.Result != nil {
		types = append(types, fn.Result)
	}
	for _, t := range types {
		switch {
		case t.Props.Has(wit.HasHandle):
			return "it takes or returns a resource"
		case t.Props.Has(wit.HasAsync):
			return "it takes or returns a stream or future"
		}
	}
	return ""
}

// invoke makes the call and reads its results. With a prefix it goes to one host;
// else it is tried on another where one is busy.
func invoke(ctx context.Context, s *session, meta wrpc.Meta, target, prefix string, fn function, params []byte) (*called, error) {
	client, conn, err := s.caller()
	if err != nil {
		return nil, err
	}
	defer client.Close() //nolint:errcheck // it has nothing left to fail
	ctx, hops := wrpc.ContextWithHops(ctx)
	start := time.Now()
	to := wrpc.Target{Prefix: prefix, Instance: fn.instance, Func: wit.WireFunc(fn.Name), Results: fn.ResultTypes()}
	var data []byte
	if prefix != "" {
		data, _, err = client.Call(ctx, to, meta, params)
	} else {
		data, _, err = wrpc.NewCaller(client, s.lattice, beat.NewSurvey(ctx, conn, s.lattice)).Call(ctx, target, to, meta, params)
	}
	took := time.Since(start)
	if err != nil {
		return nil, err
	}
	out, err := answer(fn, data, took)
	if err == nil && len(hops.List()) > 0 {
		out.Hops = hops.List()
	}
	return out, err
}

// answer reads the results of a call.
func answer(fn function, data []byte, took time.Duration) (*called, error) {
	values, rest, err := wire.DecodeAll(fn.ResultTypes(), data, wire.Limits{})
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes too many", len(rest))
	}
	if err != nil {
		return nil, fmt.Errorf("results of %s: %w", fn.callName(), err)
	}
	out := &called{Hops: []wrpc.Hop{}, DurationMS: float64(took.Microseconds()) / 1000}
	if len(values) == 1 {
		out.WAVE = wave.Format(fn.Result, values[0])
		out.Result, err = wave.ToJSON(fn.Result, values[0])
	}
	return out, err
}

// show prints the answer of a call.
func (c *cli) show(out *called) error {
	return c.result(out, func(w io.Writer) {
		if out.WAVE != "" {
			fmt.Fprintln(w, out.WAVE)
		}
	})
}

// explainCall says what a failed call means to who typed it.
func (s *session) explainCall(ctx context.Context, f *callFlags, target string, meta wrpc.Meta, err error) error {
	var e *wrpc.Error
	if !errors.As(err, &e) {
		return err
	}
	detail := strings.TrimSpace(e.Detail)
	if detail == "" && e.Err != nil {
		detail = e.Err.Error()
	}
	switch e.Code {
	case wrpc.Trap:
		// The rest is its owner's, and the caller may be somebody else.
		trace := wrpc.TraceID(meta.TraceParent)
		detail = strings.TrimSuffix(detail, " (trace "+trace+")")
		return fmt.Errorf("%s trapped: %s; the log of its host has the backtrace, as trace %s", target, detail, trace)
	case wrpc.NotConnected:
		return s.errNotServed(ctx, f, target)
	case wrpc.Timeout:
		if detail != "" {
			detail = ": " + detail
		}
		return fmt.Errorf("no answer from %s within %s%s; it may have run; allow more with --timeout", target, f.timeout, detail)
	case wrpc.Cancelled:
		return fmt.Errorf("the call of %s was given up", target)
	case wrpc.Busy, wrpc.Refused:
		return fmt.Errorf("%s answers %s: %s", target, e.Code, detail)
	}
	return err
}

// errNotServed says where a target does run.
func (s *session) errNotServed(ctx context.Context, f *callFlags, target string) error {
	all, err := s.inventories(ctx)
	if err != nil {
		return fmt.Errorf("nobody serves %s: %w", target, err)
	}
	var hosts, others []string
	for _, inv := range all {
		for _, p := range append(runningOn(inv, "component"), runningOn(inv, "provider")...) {
			if others = append(others, p.ID); p.ID == target {
				hosts = append(hosts, inv.FriendlyName)
			}
		}
	}
	switch {
	case len(hosts) == 0:
		return s.errUnknown(target, others)
	case f.host != "":
		return fmt.Errorf("%s does not run on host %s, but on %s", target, f.host, strings.Join(hosts, ", "))
	}
	if url := s.elsewhere(ctx, hosts); url != "" {
		return fmt.Errorf("%s runs on %s, whose calls go by another NATS server: name it with --rpc-nats-url %s", target, strings.Join(hosts, ", "), url)
	}
	return fmt.Errorf("%s runs on %s, but does not serve that function", target, strings.Join(hosts, ", "))
}

// elsewhere is the server for the calls of one of these hosts, where they do not go
// by the one for commands.
func (s *session) elsewhere(ctx context.Context, names []string) string {
	hosts, err := s.hosts(ctx)
	if err != nil {
		return "" // this is only for an error that is told in any case
	}
	for _, h := range hosts {
		if slices.Contains(names, h.FriendlyName) && h.RPCHost != h.CtlHost {
			return h.RPCHost
		}
	}
	return ""
}

// withCaret shows where in a text an error is.
func withCaret(text string, err error) error {
	var e *wave.Error
	if !errors.As(err, &e) || e.Line < 1 {
		return err
	}
	lines := strings.Split(text, "\n")
	if e.Line > len(lines) || e.Column < 1 {
		return err
	}
	return fmt.Errorf("%w%s", err, caretAt(lines[e.Line-1], e.Column-1))
}

// caret marks a byte of a text.
func caret(text string, at int) string {
	line, _, _ := strings.Cut(text, "\n")
	if at > len(line) {
		return ""
	}
	return caretAt(line, len([]rune(line[:at])))
}

// caretAt repeats a line and marks a character of it; not where the line is
// too long to look at. What a terminal would not show as one
// column is shown as a space.
func caretAt(line string, column int) string {
	const most = 200
	runes := []rune(line)
	if len(runes) > most || column > len(runes) {
		return ""
	}
	for i, r := range runes {
		if r < ' ' || r == 0x7f {
			runes[i] = ' '
		}
	}
	return "\n  " + string(runes) + "\n  " + strings.Repeat(" ", column) + "^"
}
