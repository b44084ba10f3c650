package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/nats-io/nats.go"
)

const increment = `example:counter/counter.increment("visits")`

// story is the play: the steps of the main job, in order.
func (p *play) story(ctx context.Context) error {
	if err := p.props(); err != nil {
		return err
	}
	before, err := p.files()
	if err != nil {
		return err
	}
	reg, err := p.startRegistry(ctx)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, string) error{p.push, p.hosts, p.start, p.link, p.call, p.chain, p.inProcess, p.look, p.leave} {
		if err := step(ctx, reg); err != nil {
			return err
		}
	}
	return p.leftovers(before)
}

// props puts the two components into the working directory.
func (p *play) props() error {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return fmt.Errorf("where are the examples?")
	}
	for _, name := range []string{"counter", "greeter"} {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(here), "..", "..", "examples", name, name+".wasm"))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(p.dir("work"), name+".wasm"), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (p *play) push(ctx context.Context, reg string) error {
	p.note("1. Two components go into a registry, %s.", reg)
	for _, name := range []string{"counter", "greeter"} {
		ref := reg + "/" + name + ":0.1.0"
		if err := p.says(ctx, []string{"pushed " + ref, "sha256:"}, "push", name+".wasm", ref, "--insecure"); err != nil {
			return err
		}
	}
	return p.says(ctx, []string{"export example:counter/counter", "import wasi:keyvalue/atomics@0.2.0-draft"}, "inspect", "counter.wasm")
}

func (p *play) hosts(ctx context.Context, reg string) (err error) {
	p.note("2. Host A starts with a NATS server in it; host B, another process, joins.")
	if p.a, err = p.startHost(ctx, "a", "up", "--port", "0", "--label", "name=a", "--insecure", reg); err != nil {
		return err
	}
	if p.b, err = p.startHost(ctx, "b", "host", "--nats-url", p.a.info.NATSURL, "--label", "name=b", "--insecure", reg); err != nil {
		return err
	}
	p.env = append(p.env, "LATH_NATS_URL="+p.a.info.NATSURL)
	return p.says(ctx, []string{p.a.info.Name, p.a.info.HostID, p.b.info.Name, p.b.info.HostID, "name=b"}, "get", "hosts")
}

func (p *play) start(ctx context.Context, reg string) error {
	p.note("3. The counter starts on A, a key-value store on B.")
	if err := p.says(ctx, []string{"component counter runs on " + p.a.info.Name},
		"start", "component", reg+"/counter:0.1.0", "--host", p.a.info.Name); err != nil {
		return err
	}
	return p.says(ctx, []string{"provider keyvalue runs on " + p.b.info.Name},
		"start", "provider", "keyvalue", "lath+builtin://keyvalue-memory", "--host", p.b.info.Name)
}

func (p *play) link(ctx context.Context, _ string) error {
	p.note("4. The counter's imports are pointed at the store.")
	return p.says(ctx, []string{"counter -(default)-> keyvalue", ": ready"},
		"link", "put", "counter", "keyvalue", "--interface", "wasi:keyvalue/store,atomics")
}

func (p *play) call(ctx context.Context, _ string) error {
	p.note("5. It counts, and its data is on the other host.")
	for n := range 2 {
		if err := p.answers(ctx, fmt.Sprintf("ok(%d)", n+1), "call", "counter", increment); err != nil {
			return err
		}
	}
	return nil
}

// answer is what lath call tells programs.
type answer struct {
	Result struct {
		OK string `json:"ok"`
	} `json:"result"`
	WAVE string `json:"wave"`
	Hops []struct {
		Source, Target, Interface, Function, Route string
	} `json:"hops"`
}

// route returns how the hop from one to another went.
func (a answer) route(source, target string) string {
	for _, h := range a.Hops {
		if h.Source == source && h.Target == target {
			return h.Route
		}
	}
	return "not taken"
}

func (p *play) chain(ctx context.Context, reg string) error {
	p.note("6. The greeter starts on B and is linked to the counter: one component calls another, across hosts.")
	if err := p.says(ctx, []string{"component greeter runs on " + p.b.info.Name},
		"start", "component", reg+"/greeter:0.1.0", "--host", p.b.info.Name); err != nil {
		return err
	}
	if err := p.says(ctx, []string{"greeter -(default)-> counter", ": ready"},
		"link", "put", "greeter", "counter", "--interface", "example:counter/counter"); err != nil {
		return err
	}
	got, err := p.greet(ctx)
	if err == nil && got.route("greeter", "counter") != "nats" {
		err = fmt.Errorf("the hop from greeter to counter was %s, want nats", got.route("greeter", "counter"))
	}
	return err
}

func (p *play) greet(ctx context.Context, more ...string) (got answer, err error) {
	err = p.decodes(ctx, &got, append([]string{"call", "greeter", `example:greeter/greeter.greet("Ada")`}, more...)...)
	if err == nil && got.Result.OK == "" {
		err = fmt.Errorf("greeter answers %s, want ok", got.WAVE)
	}
	return got, err
}

func (p *play) inProcess(ctx context.Context, reg string) error {
	p.note("Now the greeter runs on A, beside the counter: there the call takes no network.")
	if err := p.says(ctx, []string{"component greeter runs on " + p.a.info.Name},
		"start", "component", reg+"/greeter:0.1.0", "--host", p.a.info.Name); err != nil {
		return err
	}
	count, stop, err := watch(p.a.info.NATSURL, "default.counter.>")
	if err != nil {
		return err
	}
	defer stop()
	got, err := p.greet(ctx, "--host", p.a.info.Name)
	if err != nil {
		return err
	}
	if route := got.route("greeter", "counter"); route != "in-process" {
		return fmt.Errorf("the hop from greeter to counter was %s, want in-process", route)
	}
	if n, err := count(); err != nil || n != 0 {
		return fmt.Errorf("%d messages crossed the counter's subject, want none (%w)", n, err)
	}
	// The watch does see what crosses.
	if err := p.answers(ctx, "ok(3)", "call", "counter", increment); err != nil {
		return err
	}
	n, err := count()
	if err != nil || n == 0 {
		return fmt.Errorf("no message of a call across the lattice was seen (%w)", err)
	}
	p.note("0 messages crossed the counter's subject for the call in-process; %d did for the one across the lattice.", n)
	return nil
}

// watch counts the messages on a subject: count waits until all that were sent
// before it are counted.
func watch(url, subject string) (count func() (int, error), stop func(), err error) {
	conn, err := nats.Connect(url)
	if err != nil {
		return nil, nil, err
	}
	sub, err := conn.SubscribeSync(subject)
	if err == nil {
		err = conn.FlushTimeout(5 * time.Second)
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return func() (int, error) {
		if err := conn.FlushTimeout(5 * time.Second); err != nil {
			return 0, err
		}
		n, _, err := sub.Pending()
		return n, err
	}, conn.Close, nil
}

func (p *play) look(ctx context.Context, _ string) error {
	p.note("What runs where, and what is linked.")
	if err := p.says(ctx, []string{"counter", "greeter", "keyvalue"}, "get", "inventory"); err != nil {
		return err
	}
	var links []struct {
		Source        string `json:"source_id"`
		Target, State string
	}
	if err := p.decodes(ctx, &links, "get", "links"); err != nil {
		return err
	}
	if len(links) != 2 {
		return fmt.Errorf("%d links, want 2", len(links))
	}
	for _, l := range links {
		if l.State != "ready" {
			return fmt.Errorf("link of %s to %s is %s, want ready", l.Source, l.Target, l.State)
		}
	}
	return nil
}

func (p *play) leave(ctx context.Context, _ string) error {
	p.note("7. Everything stops, and nothing stays.")
	for _, args := range [][]string{{"stop", "component", "greeter"}, {"stop", "component", "counter"}, {"stop", "provider", "keyvalue"}} {
		if err := p.says(ctx, []string{args[2] + " is stopped"}, args...); err != nil {
			return err
		}
	}
	for _, h := range []*hostProcess{p.b, p.a} {
		if err := p.says(ctx, []string{h.info.Name + " is stopped"}, "down", h.flags[0], h.flags[1]); err != nil {
			return err
		}
		if err := h.gone(ctx); err != nil {
			return err
		}
	}
	return nil
}
