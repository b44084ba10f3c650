package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/beat"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/wrpc"
)

// defaultLattice is the lattice that is meant where none is named.
const defaultLattice = "default"

// latticeFlags say which lattice a verb talks to.
type latticeFlags struct {
	name, url   string
	auth        lattice.Auth
	inboxPrefix string
	stateDir    string

	// Of the verbs that call, where calls have servers of their own; see addRPC.
	rpcURL  string
	rpcAuth lattice.Auth

	timeout time.Duration // to connect
}

func addLattice(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVarP(name, "lattice", "x", defaultLattice, "name of the lattice")
	fromEnv(cmd.Flags(), "lattice", "LATH_LATTICE", "WASMCLOUD_LATTICE")
}

// add gives a verb the flags that say where its lattice is. Without them it is
// that of the host that runs on this machine's state directory, if one does.
func (f *latticeFlags) add(cmd *cobra.Command) {
	addLattice(cmd, &f.name)
	addNATSURL(cmd, &f.url)
	addAuth(cmd, &f.auth)
	addInboxPrefix(cmd, &f.inboxPrefix, "_INBOX")
	addStateDir(cmd, &f.stateDir)
	cmd.Flags().Lookup("state-dir").Usage = "directory of a running host, whose lattice is taken where none is named (env LATH_STATE_DIR)"
	cmd.Flags().DurationVar(&f.timeout, "connect-timeout", 2*time.Second, "how long to try to reach NATS")
}

// resolve fills in what neither the command line nor the environment gave.
func (f *latticeFlags) resolve(cmd *cobra.Command) error {
	f.url = v1NATSURL(cmd, "nats-url", "WASMCLOUD_NATS", f.url)
	if flags := cmd.Flags(); flags.Lookup("rpc-nats-url") != nil {
		f.rpcURL = v1NATSURL(cmd, "rpc-nats-url", "WASMCLOUD_RPC", f.rpcURL)
	}
	flags := cmd.Flags()
	given := flags.Changed("nats-url") || f.url != lattice.DefaultURL
	if abs, err := filepath.Abs(f.stateDir); err == nil && f.stateDir != "" && !given {
		if info := stateDir(abs).current(); info != nil {
			f.url = info.NATSURL
			if f.rpcURL == "" {
				f.rpcURL = info.RPCURL
			}
			if !flags.Changed("lattice") {
				f.name = info.Lattice
			}
		}
	}
	if err := lattice.ValidLattice(f.name); err != nil {
		return usagef("--lattice: %w", err)
	}
	if err := lattice.ValidInboxPrefix(f.inboxPrefix); err != nil {
		return usagef("--inbox-prefix: %w", err)
	}
	return nil
}

// session is a connection to a lattice.
type session struct {
	lattice, url string
	conn         *lattice.Conn
	ctl          *ctl.Client
	subscribe    func(ctx context.Context) (*event.Subscription, error)
	caller       func() (*wrpc.Client, *lattice.Conn, error)
	close        func()
}

// open connects a verb to its lattice. The caller closes the session.
func (f *latticeFlags) open(cmd *cobra.Command) (*session, error) {
	if err := f.resolve(cmd); err != nil {
		return nil, err
	}
	s, err := connect(cmd.Context(), *f)
	switch {
	case errors.Is(err, lattice.ErrInvalid):
		return nil, &usageError{err}
	case errors.Is(err, lattice.ErrDenied):
		return nil, fmt.Errorf("%w; see --nats-creds, --nats-ca and the like", err)
	case err != nil:
		return nil, fmt.Errorf("%w; start a host with: lath up, or name a server with --nats-url", err)
	}
	s.warnForbidden(cmd)
	return s, nil
}

// warnForbidden says what NATS does not let this user do, once: whoever waits for an
// answer sees only that none comes.
func (s *session) warnForbidden(cmd *cobra.Command) {
	var once sync.Once
	lattice.HearTroubles(s.conn, func(t lattice.Trouble) {
		if t.Kind == lattice.Forbidden && cmd.Flag("output").Value.String() != outputJSON {
			once.Do(func() {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: the NATS user may not do what this needs: %v\n", t.Err)
			})
		}
	})
}

func connect(ctx context.Context, f latticeFlags) (*session, error) {
	cfg := lattice.ConnConfig{URL: f.url, Auth: f.auth, Name: "lath", Wait: f.timeout, InboxPrefix: f.inboxPrefix}
	conn, err := lattice.Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	client, err := ctl.NewClient(ctl.ClientConfig{Conn: conn, Lattice: f.name})
	if err != nil {
		conn.Close()
		return nil, err
	}
	s := &session{
		lattice: f.name, url: lattice.PublicURL(f.url), ctl: client, conn: conn, close: conn.Close,
		subscribe: func(ctx context.Context) (*event.Subscription, error) { return event.Subscribe(ctx, conn, f.name) },
	}
	s.caller = func() (*wrpc.Client, *lattice.Conn, error) {
		calls, err := s.rpc(ctx, cfg, f)
		if err != nil {
			return nil, nil, err
		}
		client, err := wrpc.NewClient(calls, wrpc.ClientConfig{})
		return client, calls, err
	}
	return s, nil
}

// rpc is the connection for calls, which is closed with the session.
func (s *session) rpc(ctx context.Context, cfg lattice.ConnConfig, f latticeFlags) (*lattice.Conn, error) {
	if !separateRPC(&cfg, f.rpcURL, f.rpcAuth) {
		return s.conn, nil
	}
	conn, err := lattice.Connect(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("for calls (--rpc-nats-url): %w", err)
	}
	before := s.close
	s.close = func() { conn.Close(); before() }
	return conn, nil
}

// errNoHost is the error of what needs a host where there is none.
func (s *session) errNoHost() error {
	return fmt.Errorf("no host runs in lattice %s at %s: start one with: lath up (or join with: lath host)", s.lattice, s.url)
}

// hosts returns the hosts of the lattice, by name.
func (s *session) hosts(ctx context.Context) ([]ctl.Host, error) {
	hosts, err := s.ctl.PingHosts(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(hosts, func(a, b ctl.Host) int { return strings.Compare(a.FriendlyName+a.ID, b.FriendlyName+b.ID) })
	return hosts, nil
}

// pinged is what a host answers of itself, which here need not be in v1's form.
type pinged ctl.Host

// seen is a host with what the others think of it.
type seen struct {
	pinged
	State string `json:"state"`
	// SilentMS is for how long one that is unreachable was not heard.
	SilentMS int64 `json:"silent_ms,omitempty"`
}

// seenHosts returns the hosts that answer, and those that others no longer hear,
// by name. What answers is there, whatever others think of it.
func (s *session) seenHosts(ctx context.Context) ([]seen, error) {
	hosts, err := s.hosts(ctx)
	if err != nil || len(hosts) == 0 {
		return nil, err
	}
	peers, err := s.ctl.Peers(ctx)
	if err != nil && !errors.Is(err, lattice.ErrNotFound) && !errors.Is(err, lattice.ErrTimeout) {
		return nil, err
	}
	var all []seen
	for _, h := range hosts {
		h.Labels = lattice.StringMap(h.Labels)
		x := seen{pinged: pinged(h), State: beat.Ready.String()}
		peers = slices.DeleteFunc(peers, func(p ctl.Peer) bool {
			if p.ID == h.ID && p.State == beat.Draining.String() {
				x.State = p.State
			}
			return p.ID == h.ID
		})
		all = append(all, x)
	}
	for _, p := range peers {
		x := seen{pinged: pinged{ID: p.ID, FriendlyName: p.FriendlyName, Lattice: s.lattice, Labels: map[string]string{}}, State: p.State}
		if p.State == beat.Unreachable.String() {
			x.SilentMS = p.SilentMS
		}
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b seen) int { return strings.Compare(a.FriendlyName+a.ID, b.FriendlyName+b.ID) })
	return all, nil
}

// host finds a host by id, by the start of one, or by its friendly name.
func (s *session) host(ctx context.Context, arg string) (*ctl.Host, error) {
	hosts, err := s.hosts(ctx)
	if err != nil {
		return nil, err
	}
	if len(hosts) == 0 {
		return nil, s.errNoHost()
	}
	return matchHost(hosts, arg)
}

func matchHost(hosts []ctl.Host, arg string) (*ctl.Host, error) {
	var found []ctl.Host
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.FriendlyName
		if h.ID == arg {
			return &h, nil
		}
		if h.FriendlyName == arg || arg != "" && strings.HasPrefix(h.ID, strings.ToUpper(arg)) {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 1:
		return &found[0], nil
	case 0:
		return nil, fmt.Errorf("no host %q: %s%s", arg, list("there is", names), didYouMean(arg, names))
	}
	ids := make([]string, len(found))
	for i, h := range found {
		ids[i] = h.ID + " (" + h.FriendlyName + ")"
	}
	return nil, fmt.Errorf("%q names %d hosts: %s: give more of the id", arg, len(found), strings.Join(ids, ", "))
}

// maxAsked is how many hosts are asked at a time.
const maxAsked = 16

// inventories asks every host what it runs; hosts that are gone meanwhile are
// left out.
func (s *session) inventories(ctx context.Context) ([]lattice.Inventory, error) {
	hosts, err := s.hosts(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]*lattice.Inventory, len(hosts))
	var g errgroup.Group
	g.SetLimit(maxAsked)
	for i, h := range hosts {
		g.Go(func() error {
			// One that does not answer is left out, so the error says nothing.
			if inv, err := s.inventory(ctx, h.ID); err == nil {
				answers[i] = &inv.Inventory
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := []lattice.Inventory{}
	for _, a := range answers {
		if a != nil {
			out = append(out, *a)
		}
	}
	return out, nil
}

// inventory asks a host what it runs, and one of v1 as far as it can tell.
func (s *session) inventory(ctx context.Context, host string) (*ctl.Inventory, error) {
	all, err := s.ctl.FullInventory(ctx, host)
	if !errors.Is(err, lattice.ErrNotFound) {
		return all, err
	}
	inv, err := s.ctl.Inventory(ctx, host)
	if err != nil {
		return nil, err
	}
	return &ctl.Inventory{Inventory: *inv}, nil
}

// choose picks the host for something new: the one that is named, or else the
// one that runs least.
func (s *session) choose(ctx context.Context, arg string, constraints map[string]string) (id, name string, err error) {
	if arg != "" {
		h, err := s.host(ctx, arg)
		if err != nil {
			return "", "", err
		}
		return h.ID, h.FriendlyName, nil
	}
	all, err := s.inventories(ctx)
	if err != nil {
		return "", "", err
	}
	if len(all) == 0 {
		return "", "", s.errNoHost()
	}
	all = slices.DeleteFunc(all, func(inv lattice.Inventory) bool { return !lattice.HasLabels(inv.Labels, constraints) })
	if len(all) == 0 {
		return "", "", fmt.Errorf("no host has the labels %s; see: lath get hosts", labels(constraints))
	}
	least := slices.MinFunc(all, func(a, b lattice.Inventory) int {
		return len(a.Components) + len(a.Providers) - len(b.Components) - len(b.Providers)
	})
	return least.HostID, least.FriendlyName, nil
}

// list writes "what a, b, c", of at most 20 names.
func list(what string, names []string) string {
	const most = 20
	if len(names) == 0 {
		return what + " none"
	}
	if len(names) > most {
		return fmt.Sprintf("%s %s and %d more", what, strings.Join(names[:most], ", "), len(names)-most)
	}
	return what + " " + strings.Join(names, ", ")
}
