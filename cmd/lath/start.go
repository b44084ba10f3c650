package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/lathhost/lath/cmd/builtin"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/grant"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// startFlags are those of both start verbs.
type startFlags struct {
	lattice     latticeFlags
	host        string
	constraints map[string]string
	configs     []string
	annotations map[string]string
	wait        time.Duration
}

func (f *startFlags) add(cmd *cobra.Command) {
	f.lattice.add(cmd)
	cmd.Flags().StringVar(&f.host, "host", "", "host to start it on: id, start of the id, or name (default: the one that runs least)")
	cmd.Flags().StringToStringVar(&f.constraints, "constraint", nil, "label that the host must have, KEY=VALUE; repeatable")
	cmd.Flags().StringSliceVar(&f.configs, "config", nil, "name of settings that it is given, see lath config; repeatable, a later one wins")
	cmd.Flags().StringToStringVarP(&f.annotations, "annotation", "a", nil, "annotation, KEY=VALUE; repeatable")
	cmd.Flags().DurationVar(&f.wait, "timeout", outcomeWait, "how long to wait until it runs")
}

func (c *cli) startCmd() *cobra.Command {
	cmd := asGroup(&cobra.Command{
		Use: "start", Short: "Start a component or a provider",
		Example: "  lath start component ghcr.io/you/counter:0.1.0\n  lath start provider keyvalue lath+builtin://keyvalue-memory",
	})
	cmd.AddCommand(c.startComponentCmd(), c.startProviderCmd())
	return cmd
}

// componentFlags are those of start component.
type componentFlags struct {
	startFlags
	id        string
	most      uint32
	update    bool
	maxMemory string
	maxTime   time.Duration
	reuse     string
	warm      int
}

func (c *cli) startComponentCmd() *cobra.Command {
	var f componentFlags
	cmd := &cobra.Command{
		Use: "component [ID] REFERENCE", Short: "Start a component, or change how many calls it takes",
		Long: `Start a component on a host and wait until it runs. Without an id it is called
after its repository: ghcr.io/you/counter:0.1.0 is "counter". A component that runs
there already gets the new limits, and with --update the new image.

Instances are kept between calls and brought back to their first state, so that every
call finds a new component; --reuse sticky keeps the state as well, fresh keeps
nothing. The host's operator may have decided otherwise: see lath up --help.`,
		Example: `  lath start component ghcr.io/you/counter:0.1.0
  lath start component counter localhost:5000/counter:0.1.0 --host bold-acorn-0042 --max 20
  lath start component ./counter.wasm          # hosts with --allow-file-load
  lath start component ghcr.io/you/cart:0.1.0 --reuse sticky --warm 2`,
		Args: nargs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return c.startComponent(cmd, &f, args) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.id, "id", "", "id of the component (default: from the reference)")
	flags.Uint32Var(&f.most, "max", 100, "most calls that run at a time on this host")
	flags.BoolVar(&f.update, "update", false, "replace the image of a component that runs under this id")
	flags.StringVar(&f.maxMemory, "max-memory", "", "limit of its linear memory, such as 64MiB (default: the host's)")
	flags.DurationVar(&f.maxTime, "max-time", 0, "limit of one call (default: the host's)")
	flags.StringVar(&f.reuse, "reuse", "", "what becomes of an instance after its call: pristine, sticky or fresh (default: the host's, else pristine); annotation "+lattice.AnnotationReuse)
	flags.IntVar(&f.warm, "warm", 0, "instances to make before they are needed; annotation "+lattice.AnnotationWarm)
	return cmd
}

// started is the answer of start.
type started struct {
	ID       string `json:"id"`
	Ref      string `json:"image_ref"`
	HostID   string `json:"host_id"`
	HostName string `json:"host_name"`
	Max      uint32 `json:"max_instances,omitempty"`
	Warning  string `json:"warning,omitempty"`
}

func (f *componentFlags) request(args []string) (req ctl.ScaleComponent, err error) {
	id, ref := f.id, args[len(args)-1]
	if len(args) == 2 {
		if id != "" {
			return req, usagef("the id is given twice: %q and --id %q", args[0], id)
		}
		id = args[0]
	}
	parsed, err := parseReference(ref)
	if err != nil {
		return req, &usageError{err}
	}
	ref = parsed.String()
	if id == "" {
		id = idOf(parsed)
	}
	if err := lattice.ValidID(id); err != nil {
		return req, usagef("%w: name one: lath start component ID %s", err, ref)
	}
	if f.most == 0 {
		return req, usagef("--max 0 would stop it: use lath stop component %s", id)
	}
	annotations, err := f.allAnnotations()
	if err != nil {
		return req, err
	}
	limits, err := f.limits()
	return ctl.ScaleComponent{ComponentRef: ref, ComponentID: id, MaxInstances: f.most,
		Annotations: annotations, Config: f.configs, AllowUpdate: f.update, Limits: limits}, err
}

// allAnnotations are those that were typed, and those that flags stand for.
func (f *componentFlags) allAnnotations() (map[string]string, error) {
	all := maps.Clone(f.annotations)
	add := func(flag, key, value string) error {
		if _, twice := all[key]; twice {
			return usagef("--%s and --annotation %s: give one of them", flag, key)
		}
		if all == nil {
			all = map[string]string{}
		}
		all[key] = value
		return nil
	}
	if f.reuse != "" {
		if _, err := grant.ParseReuse(f.reuse); err != nil {
			return nil, usagef("--reuse %w", err)
		}
		if err := add("reuse", lattice.AnnotationReuse, f.reuse); err != nil {
			return nil, err
		}
	}
	switch {
	case f.warm == 0:
		return all, nil
	case f.warm < 0 || uint64(f.warm) > uint64(f.most):
		return nil, usagef("--warm %d: want 1 to %d, the calls that may run at a time (--max)", f.warm, f.most)
	case f.reuse == component.Fresh.String():
		return nil, usagef("--warm %d: --reuse fresh keeps no instance", f.warm)
	}
	return all, add("warm", lattice.AnnotationWarm, strconv.Itoa(f.warm))
}

func (f *componentFlags) limits() (*lattice.ComponentLimits, error) {
	var l lattice.ComponentLimits
	if f.maxMemory != "" {
		n, err := humanize.ParseBytes(f.maxMemory)
		if err != nil || n == 0 {
			return nil, usagef("--max-memory %q: want a size such as 64MiB", f.maxMemory)
		}
		l.MaxMemory = strconv.FormatUint(n, 10)
	}
	switch {
	case f.maxTime < 0 || f.maxTime > 0 && f.maxTime < time.Millisecond:
		return nil, usagef("--max-time %s: want 1ms or more", f.maxTime)
	case f.maxTime > 0:
		l.MaxExecutionTime = strconv.FormatInt(f.maxTime.Milliseconds(), 10)
	}
	if l == (lattice.ComponentLimits{}) {
		return nil, nil
	}
	return &l, nil
}

// idOf is the id of a component that was given none: the last part of its
// repository or file.
func idOf(ref oci.Reference) string {
	if file, ok := ref.File(); ok {
		base := path.Base(strings.ReplaceAll(file, `\`, "/"))
		return strings.TrimSuffix(base, path.Ext(base))
	}
	name, _, _ := strings.Cut(ref.String(), "@")
	name = path.Base(name)
	name, _, _ = strings.Cut(name, ":")
	return strings.ToLower(name)
}

func (c *cli) startComponent(cmd *cobra.Command, f *componentFlags, args []string) error {
	req, err := f.request(args)
	if err != nil {
		return err
	}
	out := started{ID: req.ComponentID, Ref: req.ComponentRef, Max: req.MaxInstances}
	err = c.start(cmd, &f.startFlags, &out, tellsComponent, func(ctx context.Context, client *ctl.Client) error {
		out.Warning, err = client.ScaleComponent(ctx, out.HostID, req)
		return err
	})
	if err != nil {
		return fmt.Errorf("component %s%s: %w", out.ID, onHost(out.HostName), err)
	}
	return c.result(out, func(w io.Writer) {
		if out.Warning != "" {
			c.say("warning: %s", strings.TrimSpace(out.Warning))
			if !f.update {
				c.say("to replace the image, give --update")
			}
		}
		fmt.Fprintf(w, "component %s runs on %s (%s)\n", out.ID, out.HostName, out.Ref)
	})
}

func (c *cli) startProviderCmd() *cobra.Command {
	var f startFlags
	cmd := &cobra.Command{
		Use: "provider [ID] REFERENCE", Short: "Start a capability provider",
		Long: `Start a capability provider on a host and wait until it runs. Built-in ones are
called ` + provider.Scheme + `NAME: ` + builtinNames() + `.

Any other reference names an image, in a registry or, where the host allows it
(--allow-file-load), in a file: wasmCloud's provider archive, or a program as it is. In a
registry a program is the only layer of a manifest, of type ` + oci.MediaProvider + `
or application/octet-stream, or of one for each platform in an index.

A program runs as a process of its own and is not confined: it can do what the host's
user can. It has none of the host's environment but RUST_LOG and OTEL_*.`,
		Example: "  lath start provider keyvalue " + provider.Scheme + "keyvalue-memory\n  lath start provider kv ghcr.io/you/kv:0.1.0\n  lath start provider kv ./my-provider",
		Args:    nargs(1, 2),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.startProvider(cmd, &f, args) },
	}
	f.add(cmd)
	return cmd
}

func builtinNames() string {
	var names []string
	for _, b := range builtin.Providers() {
		names = append(names, b.Name)
	}
	return strings.Join(names, ", ")
}

func (c *cli) startProvider(cmd *cobra.Command, f *startFlags, args []string) error {
	out := started{ID: args[0], Ref: args[len(args)-1]}
	if len(args) == 1 {
		out.ID = path.Base(out.Ref)
	}
	if _, is := provider.BuiltinName(out.Ref); !is {
		ref, err := parseReference(out.Ref)
		if err != nil {
			return &usageError{err}
		}
		if out.Ref = ref.String(); len(args) == 1 {
			out.ID = idOf(ref)
		}
	}
	if err := lattice.ValidID(out.ID); err != nil {
		return usagef("%w: lath start provider ID REFERENCE", err)
	}
	err := c.start(cmd, f, &out, tellsProvider, func(ctx context.Context, client *ctl.Client) error {
		return client.StartProvider(ctx, out.HostID, ctl.StartProvider{ProviderRef: out.Ref, ProviderID: out.ID, Config: f.configs, Annotations: f.annotations})
	})
	if err != nil {
		return fmt.Errorf("provider %s%s: %w", out.ID, onHost(out.HostName), err)
	}
	return c.result(out, func(w io.Writer) {
		fmt.Fprintf(w, "provider %s runs on %s (%s)\n", out.ID, out.HostName, out.Ref)
	})
}

// onHost says where, once that is known.
func onHost(name string) string {
	if name == "" {
		return ""
	}
	return " on " + name
}

// start sends a command to a host and waits for its outcome.
func (c *cli) start(cmd *cobra.Command, f *startFlags, out *started, tells func(host, id string) telling, send func(context.Context, *ctl.Client) error) error {
	s, err := f.lattice.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	ctx := cmd.Context()
	if out.HostID, out.HostName, err = s.choose(ctx, f.host, f.constraints); err != nil {
		return err
	}
	if err := c.await(ctx, s, f.wait, "starting "+out.ID+" on "+out.HostName, tells(out.HostID, out.ID), send); err != nil {
		return err
	}
	if out.Warning == "" {
		return nil
	}
	// The image that runs may still be another one.
	inv, err := s.inventory(ctx, out.HostID)
	if err != nil {
		return fmt.Errorf("the command was carried out, but %w", err)
	}
	for _, d := range inv.Components {
		if d.ID == out.ID {
			out.Ref = d.ImageRef
		}
	}
	return nil
}
