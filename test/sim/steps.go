package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// What a schedule is about.
const (
	images     = 2  // names of one image
	components = 4  // ids, each of which may run on every host
	sources    = 20 // ids with links that never run
	configs    = 8
	labels     = 3
	maxCount   = 4
	maxBurst   = 8 // calls at once, at one host
	maxCalls   = 64
	sampled    = 8 // of so many commands one is followed by its id, whatever events told

	providerID  = "ledger"
	providerRef = "lath+builtin://ledger"
	base        = "base"    // a config that is there
	missing     = "missing" // one that is not
)

// step is one step of a schedule: a kind and numbers, of which each kind takes
// those that it needs.
type step struct {
	kind *kind
	n    [5]int
}

// kind is a kind of step. do carries it out and says what it was and came to; its
// error ends the run, since then the schedule itself does not work.
type kind struct {
	name   string
	weight int
	fault  bool
	do     func(ctx context.Context, w *world, n [5]int) (string, error)
}

// kinds are those of a lattice with one NATS server or a cluster.
func kinds(clustered bool) []*kind {
	list := []*kind{
		{name: "scale", weight: 24, do: scale},
		{name: "update", weight: 4, do: update},
		{name: "start provider", weight: 3, do: startProvider},
		{name: "stop provider", weight: 1, do: stopProvider},
		{name: "put link", weight: 14, do: putLink},
		{name: "delete link", weight: 6, do: deleteLink},
		{name: "put config", weight: 8, do: putConfig},
		{name: "delete config", weight: 3, do: deleteConfig},
		{name: "put label", weight: 3, do: putLabel},
		{name: "delete label", weight: 1, do: deleteLabel},
		{name: "call", weight: 24, do: callAny},
		{name: "burst", weight: 3, do: burst},
		{name: "set clock", weight: 4, do: setClock},
		{name: "leave", weight: 1, fault: true, do: leave},
		{name: "kill", weight: 2, fault: true, do: kill},
		{name: "restart", weight: 4, fault: true, do: restart},
		{name: "pause", weight: 3, fault: true, do: pause},
		{name: "resume", weight: 10, fault: true, do: resume},
		{name: "cut off", weight: 3, fault: true, do: cutOff},
		{name: "heal", weight: 6, fault: true, do: heal},
	}
	if !clustered {
		return append(list, &kind{name: "restart NATS", weight: 1, fault: true, do: restartNATS})
	}
	return append(list, serverKinds()...)
}

// schedule draws steps. The first fifth has no faults, so that there is something
// to break, and so that what needs no excuse gets none.
func schedule(seed uint64, count int, clustered bool) []step {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	all := kinds(clustered)
	total := 0
	for _, k := range all {
		total += k.weight
	}
	steps := make([]step, 0, count)
	for len(steps) < count {
		at, s := rng.IntN(total), step{}
		for _, k := range all {
			if at -= k.weight; at < 0 {
				s.kind = k
				break
			}
		}
		for i := range s.n {
			s.n[i] = rng.IntN(1 << 16)
		}
		if !s.kind.fault || len(steps) >= count/5 {
			steps = append(steps, s)
		}
	}
	return steps
}

func (w *world) node(n int) *node { return w.nodes[n%len(w.nodes)] }

func componentID(n int) string { return fmt.Sprint("c", n%components) }

// timeout is when a command that gets no answer now has ended for sure.
func (w *world) timeout() time.Time { return time.Now().Add(w.linger) }

func other(refs []string, ref string) string {
	for _, r := range refs {
		if r != ref {
			return r
		}
	}
	return ref
}

// command is a number for a new command, which its annotations carry. mu is held.
func (w *world) command() int {
	w.commands++
	return w.commands
}

const commandAnnotation = "sim.command"

func annotations(command int) map[string]string {
	return map[string]string{commandAnnotation: strconv.Itoa(command)}
}

// answer is what became of a request.
type answer int

const (
	acknowledged answer = iota
	refused             // it did not take effect
	unknown             // it may have
)

// String is for people.
func (a answer) String() string { return [...]string{"acknowledged", "refused", "unknown"}[a] }

// answerOf reads the error of a request to one host, which refuses before it does
// anything.
func answerOf(err error) answer {
	switch {
	case err == nil:
		return acknowledged
	case errors.Is(err, lattice.ErrNotFound), errors.As(err, new(*ctl.RefusedError)):
		return refused
	}
	return unknown
}

// send sends a command for an id on a host, and notes what it may have done.
func (w *world) send(n *node, id string, c pending, request func(to *ctl.Client) error) answer {
	c.op = ctl.NewCommandID()
	w.mu.Lock()
	p := n.place(id)
	p.accepted(c) // its outcome may be told before its answer is here
	w.mu.Unlock()
	err := request(w.control.WithCommandID(c.op))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Commands++
	a := answerOf(err)
	switch a {
	case acknowledged:
		w.stats.Acknowledged++
		if _, shaken := n.lost[c.op]; shaken || c.command%sampled == 0 {
			n.lost[c.op] = c
		}
		if w.unsettled { // events may be lost, and nobody is told
			n.shakenBy(p)
		}
	case refused:
		p.told(c.command)
		delete(n.lost, c.op)
		if w.calm() && !errors.Is(err, lattice.ErrNotFound) && id != providerID {
			w.violated("command %d for %s on host %d was refused, and nothing was wrong: %v", c.command, id, n.number, err)
		}
	case unknown:
		delete(n.lost, c.op)
		if c, known := p.told(c.command); known && !c.fails {
			p.maybe(c.run, w.timeout())
		}
	}
	return a
}

func scale(ctx context.Context, w *world, a [5]int) (string, error) {
	n, id := w.node(a[0]), componentID(a[1])
	w.mu.Lock()
	want := run{count: uint32(a[2] % (maxCount + 1)), image: w.m.refs[a[3]%images], command: w.command()}
	p := n.place(id)
	// Only where it is known what runs, a command that may not replace the image
	// has a known outcome.
	may := a[4]%2 == 0 || !p.sure(time.Now()) || len(p.pending) > 0
	asked := want.image
	if runs := p.expected(); !may && runs.count > 0 {
		want.image = runs.image
	}
	w.mu.Unlock()
	config, fails := base, a[4]%16 == 1 && want.count > 0
	if fails {
		config = missing
	}
	c := pending{command: want.command, run: want, fails: fails}
	if want.count == 0 {
		c.run = run{}
	}
	got := w.send(n, id, c, func(to *ctl.Client) error {
		ctx, cancel := w.ask(ctx, n)
		defer cancel()
		_, err := to.ScaleComponent(ctx, n.identity.ID, ctl.ScaleComponent{ComponentID: id, ComponentRef: asked,
			MaxInstances: want.count, AllowUpdate: may, Config: []string{config}, Annotations: annotations(want.command)})
		return err
	})
	return fmt.Sprintf("#%d %s on host %d to %d of %s, config %s: %s", want.command, id, n.number, want.count, short(want.image), config, got), nil
}

func update(ctx context.Context, w *world, a [5]int) (string, error) {
	n, id := w.node(a[0]), componentID(a[1])
	w.mu.Lock()
	p := n.place(id)
	want := p.expected()
	known := p.sure(time.Now()) && want.count > 0 && len(p.pending) == 0
	if known {
		want.command = w.command()
		want.image = other(w.m.refs, want.image)
	}
	w.mu.Unlock()
	if !known {
		return fmt.Sprintf("%s on host %d: not known what it would do", id, n.number), nil
	}
	got := w.send(n, id, pending{command: want.command, run: want}, func(to *ctl.Client) error {
		ctx, cancel := w.ask(ctx, n)
		defer cancel()
		_, err := to.UpdateComponent(ctx, n.identity.ID, ctl.UpdateComponent{ComponentID: id, NewComponentRef: want.image, Annotations: annotations(want.command)})
		return err
	})
	return fmt.Sprintf("#%d %s on host %d to %s: %s", want.command, id, n.number, short(want.image), got), nil
}

func startProvider(ctx context.Context, w *world, a [5]int) (string, error) {
	n := w.node(a[0])
	w.mu.Lock()
	want := run{count: 1, image: providerRef, command: w.command()}
	w.mu.Unlock()
	got := w.send(n, providerID, pending{command: want.command, run: want}, func(to *ctl.Client) error {
		ctx, cancel := w.ask(ctx, n)
		defer cancel()
		return to.StartProvider(ctx, n.identity.ID, ctl.StartProvider{ProviderID: providerID, ProviderRef: providerRef, Annotations: annotations(want.command)})
	})
	return fmt.Sprintf("#%d on host %d: %s", want.command, n.number, got), nil
}

func stopProvider(ctx context.Context, w *world, a [5]int) (string, error) {
	n := w.node(a[0])
	w.mu.Lock()
	command := w.command()
	w.mu.Unlock()
	got := w.send(n, providerID, pending{command: command}, func(to *ctl.Client) error {
		ctx, cancel := w.ask(ctx, n)
		defer cancel()
		return to.StopProvider(ctx, n.identity.ID, providerID)
	})
	return fmt.Sprintf("#%d on host %d: %s", command, n.number, got), nil
}

// shared sends a command that any host carries out, and notes what it made of a
// register.
func shared(w *world, what string, r *register[string], value string, request func() error) string {
	err := request()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Commands++
	switch {
	case err == nil:
		w.stats.Acknowledged++
		r.set(value)
		return "acknowledged"
	case errors.Is(err, lattice.ErrNotFound) && !errors.As(err, new(*ctl.RefusedError)):
		return "nobody there" // nothing was done
	case errors.As(err, new(*ctl.RefusedError)) && w.calm():
		w.violated("%s was refused, and nothing was wrong: %v", what, err)
	}
	r.maybe(value, w.timeout())
	return fmt.Sprint("unknown: ", err)
}

// linkAt returns a link's key and its end: components are linked to the ledger, and
// other sources to what is not there.
func linkAt(n, name int) (ctl.DeleteLink, lattice.Link) {
	if n %= sources + 2*components; n >= sources {
		l := lattice.Link{SourceID: componentID(n), Name: lattice.DefaultLinkName, Target: providerID, WITNamespace: "wasi", WITPackage: "keyvalue",
			Interfaces: []string{"store", "atomics"}}
		return keyOf(l), l
	}
	l := lattice.Link{SourceID: fmt.Sprint("s", n), Name: []string{lattice.DefaultLinkName, "other"}[name%2], Target: fmt.Sprint("t", n%3),
		WITNamespace: "acme", WITPackage: "things", Interfaces: []string{"one"}}
	return keyOf(l), l
}

func keyOf(l lattice.Link) ctl.DeleteLink {
	return ctl.DeleteLink{SourceID: l.SourceID, Name: l.Name, WITNamespace: l.WITNamespace, WITPackage: l.WITPackage}
}

// linkValue is what of a link may change while its key and target stay.
func linkValue(l lattice.Link) string {
	return strings.Join(l.Interfaces, ",") + " " + strings.Join(l.SourceConfig, ",")
}

// at returns a register of a map. The world's mu is held.
func at[K comparable](m map[K]*register[string], k K) *register[string] {
	r := m[k]
	if r == nil {
		r = &register[string]{}
		m[k] = r
	}
	return r
}

func putLink(ctx context.Context, w *world, a [5]int) (string, error) {
	key, l := linkAt(a[0], a[1])
	if l.Target != providerID && a[2]%2 == 0 {
		l.Interfaces = append(l.Interfaces, "two")
	}
	if a[3]%2 == 0 {
		l.SourceConfig = []string{base}
	}
	w.mu.Lock()
	r := at(w.links, key)
	w.mu.Unlock()
	got := shared(w, "put link "+l.String(), r, linkValue(l), func() error {
		ctx, cancel := w.ask(ctx)
		defer cancel()
		return w.control.PutLink(ctx, l)
	})
	return fmt.Sprintf("%s with %s: %s", l, linkValue(l), got), nil
}

func deleteLink(ctx context.Context, w *world, a [5]int) (string, error) {
	key, l := linkAt(a[0], a[1])
	w.mu.Lock()
	r := at(w.links, key)
	w.mu.Unlock()
	got := shared(w, "delete link "+l.String(), r, "", func() error {
		ctx, cancel := w.ask(ctx)
		defer cancel()
		return w.control.DeleteLink(ctx, key.Key())
	})
	return fmt.Sprintf("%s: %s", l, got), nil
}

func configAt(n int) string { return fmt.Sprint("g", n%configs) }

func putConfig(ctx context.Context, w *world, a [5]int) (string, error) {
	name := configAt(a[0])
	w.mu.Lock()
	r, value := at(w.configs, name), fmt.Sprint("v", w.command())
	w.mu.Unlock()
	got := shared(w, "put config "+name, r, value, func() error {
		ctx, cancel := w.ask(ctx)
		defer cancel()
		return w.control.PutConfig(ctx, name, map[string]string{"v": value})
	})
	return fmt.Sprintf("%s = %s: %s", name, value, got), nil
}

func deleteConfig(ctx context.Context, w *world, a [5]int) (string, error) {
	name := configAt(a[0])
	w.mu.Lock()
	r := at(w.configs, name)
	w.mu.Unlock()
	got := shared(w, "delete config "+name, r, "", func() error {
		ctx, cancel := w.ask(ctx)
		defer cancel()
		return w.control.DeleteConfig(ctx, name)
	})
	return name + ": " + got, nil
}

func putLabel(ctx context.Context, w *world, a [5]int) (string, error) {
	n, name := w.node(a[0]), fmt.Sprint("l", a[1]%labels)
	w.mu.Lock()
	r, value := at(n.labels, name), fmt.Sprint("v", w.command())
	w.mu.Unlock()
	got := shared(w, "put label "+name, r, value, func() error {
		ctx, cancel := w.ask(ctx, n)
		defer cancel()
		return w.control.PutLabel(ctx, n.identity.ID, name, value)
	})
	return fmt.Sprintf("%s = %s on host %d: %s", name, value, n.number, got), nil
}

func deleteLabel(ctx context.Context, w *world, a [5]int) (string, error) {
	n, name := w.node(a[0]), fmt.Sprint("l", a[1]%labels)
	w.mu.Lock()
	r := at(n.labels, name)
	w.mu.Unlock()
	got := shared(w, "delete label "+name, r, "", func() error {
		ctx, cancel := w.ask(ctx, n)
		defer cancel()
		return w.control.DeleteLabel(ctx, n.identity.ID, name)
	})
	return fmt.Sprintf("%s on host %d: %s", name, n.number, got), nil
}
