package sim

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/natsserver/natsservertest"
	"github.com/lathhost/lath/test/harness"
)

// condition is how a NATS server is.
type condition int

const (
	fine    condition = iota
	stopped           // it does not run
	cut               // the others do not reach it, its clients do
	held              // what it and the others say to each other goes nowhere
)

// servers are the NATS server of a lattice, or those of its cluster.
type servers struct {
	configs []natsserver.Config
	running []*natsserver.Server // nil: stopped
	is      []condition
	// routes are by which one server reaches another: routes[from][to]. They carry
	// all that servers say to each other.
	routes [][]*harness.Wire
}

// newServers starts n servers with their files in a folder.
func newServers(ctx context.Context, dir string, n int) (*servers, error) {
	s := &servers{configs: make([]natsserver.Config, n), running: make([]*natsserver.Server, n), is: make([]condition, n)}
	ports, err := natsservertest.Ports(ctx, 2*n)
	if err != nil {
		return nil, err
	}
	if n == 1 {
		ports[0] = natsserver.RandomPort // the same later
	}
	for from := range n {
		s.configs[from] = natsserver.Config{StoreDir: filepath.Join(dir, fmt.Sprint("nats-", from)), Port: ports[from], Name: fmt.Sprint("server-", from)}
		s.routes = append(s.routes, make([]*harness.Wire, n))
		for to := range n {
			if to == from {
				continue
			}
			if s.routes[from][to], err = harness.NewWire(fmt.Sprintf("nats://127.0.0.1:%d", ports[n+to])); err != nil {
				return s, errors.Join(err, s.close(ctx))
			}
		}
	}
	for i := range n {
		if n > 1 {
			s.configs[i].ConfigFile = filepath.Join(dir, fmt.Sprintf("nats-%d.conf", i))
			err = os.WriteFile(s.configs[i].ConfigFile, []byte(s.config(i, ports[n+i])), 0o600)
		}
		if err == nil {
			err = s.start(ctx, i)
		}
		if err != nil {
			return s, errors.Join(err, s.close(ctx))
		}
	}
	return s, nil
}

// config makes a server one of a cluster. Servers tell nobody how else they are
// reached than by wires: what they tell each other nobody can connect to.
func (s *servers) config(i, port int) string {
	var routes []string
	for _, w := range s.routes[i] {
		if w != nil {
			routes = append(routes, strings.Replace(w.URL(), "nats://", "nats-route://", 1))
		}
	}
	return fmt.Sprintf(`cluster {
  name: sim, listen: "127.0.0.1:%d", advertise: "127.0.0.1:1", no_advertise: true
  ping_interval: "2s", ping_max: 2
  routes: [%s]
}
`, port, strings.Join(routes, ", "))
}

// urls are where clients connect, in the order of the servers.
func (s *servers) urls() []string {
	var list []string
	for i := range s.configs {
		list = append(list, fmt.Sprintf("nats://127.0.0.1:%d", s.configs[i].Port))
	}
	return list
}

func (s *servers) url() string { return strings.Join(s.urls(), ",") }

// faulty says how many servers are not fine.
func (s *servers) faulty() int {
	return len(slices.DeleteFunc(slices.Clone(s.is), func(c condition) bool { return c == fine }))
}

// whole says that most servers run, and that those which do reach each other.
func (s *servers) whole() bool {
	return s.faulty() < 2 && !slices.Contains(s.is, cut) && !slices.Contains(s.is, held)
}

func (s *servers) start(ctx context.Context, i int) (err error) {
	if s.running[i], err = natsserver.Start(ctx, s.configs[i]); err != nil {
		return err
	}
	s.is[i] = fine
	u, err := url.Parse(s.running[i].URL())
	if err == nil {
		s.configs[i].Port, err = strconv.Atoi(u.Port())
	}
	return err
}

func (s *servers) stop(ctx context.Context, i int) error {
	if s.running[i] == nil {
		return nil
	}
	err := s.running[i].Shutdown(ctx)
	s.running[i], s.is[i] = nil, stopped
	return err
}

// kill stops a server that can tell the others nothing any more.
func (s *servers) kill(ctx context.Context, i int) error {
	s.all(i, (*harness.Wire).Cut)
	err := s.stop(ctx, i)
	s.all(i, (*harness.Wire).Heal)
	return err
}

// disturb does to a server what wires can do.
func (s *servers) disturb(i int, c condition) {
	if c == cut {
		s.all(i, (*harness.Wire).Cut)
	} else {
		s.all(i, (*harness.Wire).Pause)
	}
	s.is[i] = c
}

// mend takes back what was done to a server.
func (s *servers) mend(ctx context.Context, i int) error {
	switch s.is[i] {
	case stopped:
		return s.start(ctx, i)
	case fine:
		return nil
	}
	s.is[i] = fine
	s.all(i, func(w *harness.Wire) { w.Heal() })
	s.all(i, func(w *harness.Wire) { w.Resume() })
	for j, c := range s.is { // which the same wires lead to
		if c == cut || c == held {
			s.disturb(j, c)
		}
	}
	return nil
}

// all does something to all that leads to a server and from it.
func (s *servers) all(i int, do func(*harness.Wire)) {
	for j := range s.routes {
		if j != i {
			do(s.routes[i][j])
			do(s.routes[j][i])
		}
	}
}

func (s *servers) close(ctx context.Context) error {
	var errs []error
	for i := range s.running {
		errs = append(errs, s.stop(ctx, i))
	}
	for _, from := range s.routes {
		for _, w := range from {
			if w != nil {
				w.Close()
			}
		}
	}
	return errors.Join(errs...)
}
