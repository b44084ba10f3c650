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

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
)

func (c *cli) linkCmd() *cobra.Command {
	cmd := asGroup(&cobra.Command{
		Use: "link", Short: "Point a component's imports at what serves them",
		Example: "  lath link put counter keyvalue --interface wasi:keyvalue/store,atomics\n  lath link get\n  lath link del counter --interface wasi:keyvalue",
	})
	get := c.getLinksCmd()
	get.Use, get.Example = "get", "  lath link get"
	cmd.AddCommand(c.linkPutCmd(), c.linkDelCmd(), get)
	return cmd
}

func (c *cli) linkPutCmd() *cobra.Command {
	var f latticeFlags
	var l lattice.Link
	var interfaces string
	cmd := &cobra.Command{
		Use: "put SOURCE TARGET --interface NS:PKG/INTERFACE[,INTERFACE…]", Short: "Point an import of SOURCE at TARGET",
		Long: `Point the import of some interfaces of one package at the component or provider
that serves them. Where both run, a link that does not fit is refused. Where one
does not run yet, the link is pending, and checked again when it starts.`,
		Example: "  lath link put counter keyvalue --interface wasi:keyvalue/store,atomics\n  lath link put greeter counter --interface example:counter/counter",
		Args:    nargs(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if l.WITNamespace, l.WITPackage, l.Interfaces, err = parseInterfaces(interfaces); err != nil {
				return err
			}
			l.SourceID, l.Target = args[0], args[1]
			if err := l.Validate(); err != nil {
				return &usageError{err}
			}
			return c.putLink(cmd, &f, l)
		},
	}
	f.add(cmd)
	addInterface(cmd, &interfaces, "what is linked: NS:PKG/INTERFACE[,INTERFACE…]")
	cmd.Flags().StringVar(&l.Name, "name", lattice.DefaultLinkName, "name of the link")
	cmd.Flags().StringSliceVar(&l.SourceConfig, "source-config", nil, "name of a config for the source; repeatable")
	cmd.Flags().StringSliceVar(&l.TargetConfig, "target-config", nil, "name of a config for the target; repeatable")
	return cmd
}

func addInterface(cmd *cobra.Command, value *string, usage string) {
	cmd.Flags().StringVarP(value, "interface", "i", "", usage)
}

// parseInterfaces reads NS:PKG/INTERFACE[,INTERFACE…]. Links have no versions,
// so one that is given is left out.
func parseInterfaces(s string) (namespace, pkg string, interfaces []string, err error) {
	const want = "want NS:PKG/INTERFACE[,INTERFACE…], as in wasi:keyvalue/store,atomics"
	if s == "" {
		return "", "", nil, usagef("name what is linked: --interface: %s", want)
	}
	first, more, _ := strings.Cut(s, ",")
	id, err := wit.ParseID(first)
	if err != nil || id.Interface == "" {
		return "", "", nil, usagef("--interface %q: %s", s, want)
	}
	interfaces = []string{id.Interface}
	for name := range strings.SplitSeq(more, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if other, err := wit.ParseID(name); err == nil && other.Interface != "" {
			if other.Namespace != id.Namespace || other.Package != id.Package {
				return "", "", nil, usagef("--interface %q: a link is for one package: make one link for %s:%s and one for %s:%s",
					s, id.Namespace, id.Package, other.Namespace, other.Package)
			}
			name = other.Interface
		}
		name, _, _ = strings.Cut(name, "@")
		interfaces = append(interfaces, name)
	}
	return id.Namespace, id.Package, interfaces, nil
}

func (c *cli) putLink(cmd *cobra.Command, f *latticeFlags, l lattice.Link) error {
	s, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.ctl.PutLink(cmd.Context(), l); err != nil {
		return s.noHost(err)
	}
	status, err := s.linkStatus(cmd.Context(), l)
	if err != nil {
		return fmt.Errorf("the link is set, but its state is not known: %w", err)
	}
	return c.result(status, func(w io.Writer) {
		fmt.Fprintf(w, "link %s (%s): %s\n", l, strings.Join(l.Interfaces, ", "), stateText(*status))
	})
}

func stateText(s lattice.LinkStatus) string {
	if s.Reason == "" {
		return string(s.State)
	}
	return string(s.State) + ": " + s.Reason
}

// linkSettle bounds the wait until a link that was set is known to the host
// that answers, which may be another than the one that set it.
const linkSettle = 3 * time.Second

// linkStatus returns the state of a link that was just set.
func (s *session) linkStatus(ctx context.Context, l lattice.Link) (*lattice.LinkStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, linkSettle)
	defer cancel()
	for {
		all, err := s.linkStatuses(ctx, l.SourceID)
		if err != nil {
			return nil, err
		}
		for _, status := range all {
			if status.Replaces(l) && slices.Equal(slices.Sorted(slices.Values(status.Interfaces)), slices.Sorted(slices.Values(l.Interfaces))) {
				return &status, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the host that answers has not heard of it after %s; see: lath get links", linkSettle)
		case <-time.After(poll):
		}
	}
}

// linkStatuses returns the links of a source, or all. Those that only hosts which
// do not speak Lath know have no state.
func (s *session) linkStatuses(ctx context.Context, source string) ([]lattice.LinkStatus, error) {
	all, err := s.ctl.LinkStatusesFrom(ctx, source)
	if !errors.Is(err, lattice.ErrNotFound) {
		return all, err
	}
	links, err := s.ctl.Links(ctx)
	if err != nil {
		return nil, s.noHost(err)
	}
	for _, l := range links {
		if source == "" || l.SourceID == source {
			all = append(all, lattice.LinkStatus{Link: l, Reason: "its host cannot say"})
		}
	}
	return all, nil
}

// linksFrom returns the links of a source, also where only hosts of v1 are, which
// tell all links at once.
func (s *session) linksFrom(ctx context.Context, source string) ([]lattice.Link, error) {
	all, err := s.ctl.LinksFrom(ctx, source)
	if errors.Is(err, lattice.ErrNotFound) {
		return s.ctl.Links(ctx)
	}
	return all, err
}

// noHost explains the error of a question that no host answers.
func (s *session) noHost(err error) error {
	if errors.Is(err, lattice.ErrNotFound) {
		return s.errNoHost()
	}
	return err
}

func (c *cli) linkDelCmd() *cobra.Command {
	var f latticeFlags
	var pkg, name string
	cmd := &cobra.Command{
		Use: "del SOURCE --interface NS:PKG", Short: "Remove the links of SOURCE for a package",
		Long:    "Remove the links of a source for one package, under one name. Nothing to remove\nis no error.",
		Example: "  lath link del counter --interface wasi:keyvalue",
		Args:    nargs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			namespace, p, ok := strings.Cut(pkg, ":")
			p, _, _ = strings.Cut(p, "/")
			p, _, _ = strings.Cut(p, "@")
			if !ok || namespace == "" || p == "" {
				return usagef("--interface %q: want NS:PKG, as in wasi:keyvalue", pkg)
			}
			key := lattice.LinkKey{SourceID: args[0], Name: name, WITNamespace: namespace, WITPackage: p}
			return c.deleteLink(cmd, &f, key)
		},
	}
	f.add(cmd)
	addInterface(cmd, &pkg, "package whose links are removed: NS:PKG")
	cmd.Flags().StringVar(&name, "name", lattice.DefaultLinkName, "name of the link")
	return cmd
}

// deleted is the answer of link del.
type deleted struct {
	SourceID  string `json:"source_id"`
	Name      string `json:"name"`
	Namespace string `json:"wit_namespace"`
	Package   string `json:"wit_package"`
	Deleted   bool   `json:"deleted"`
}

func (c *cli) deleteLink(cmd *cobra.Command, f *latticeFlags, key lattice.LinkKey) error {
	s, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	links, err := s.linksFrom(cmd.Context(), key.SourceID)
	if err == nil {
		err = s.ctl.DeleteLink(cmd.Context(), key)
	}
	if err != nil {
		return s.noHost(err)
	}
	out := deleted{key.SourceID, key.Name, key.WITNamespace, key.WITPackage, false}
	for _, l := range links {
		out.Deleted = out.Deleted || l.Key() == key
	}
	return c.result(out, func(w io.Writer) {
		what := "removed the links"
		if !out.Deleted {
			what = "there were no links"
		}
		fmt.Fprintf(w, "%s of %s for %s:%s (%s)\n", what, key.SourceID, key.WITNamespace, key.WITPackage, key.Name)
	})
}
