package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wave"
)

// patience bounds one form, so that nothing hangs.
const patience = 20 * time.Second

// limits lets scripts have as much memory as a guest can address.
var limits = component.Limits{Memory: 4 << 30}

// player plays the forms of one script, in order, in an environment that they
// make.
type player struct {
	rt     *component.Runtime
	suite  fs.FS
	script string
	host   *unit

	definitions map[string]*unit
	env         map[string]*unit // by name, without the dollar
	instances   map[string]*instance
	current     *instance
	live        []*instance
}

// instance is what a script invokes functions of. Where it could not be made,
// err says why.
type instance struct {
	tmpl  *component.Template
	inst  *component.Instance
	iface string // of its exports
	err   error
}

func newPlayer(rt *component.Runtime, suite fs.FS, script string) (*player, error) {
	host, err := newUnit(hostWasm)
	return &player{rt: rt, suite: suite, script: script, host: host, definitions: map[string]*unit{},
		env: map[string]*unit{}, instances: map[string]*instance{}}, err
}

// play carries out a form and says what is wrong.
func (p *player) play(ctx context.Context, f form) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("PANIC: %v\n%s", r, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if f.Refused != "" {
		return errors.New("the assembler refuses the text: " + f.Refused)
	}
	switch f.Kind {
	case "definition":
		return p.define(f)
	case "component":
		return p.component(ctx, f)
	case "instance":
		return p.instantiate(ctx, f)
	case "invoke":
		_, _, err := p.invoke(ctx, *f.Action)
		return err
	case "assert_return":
		return p.assertReturn(ctx, f)
	case "assert_trap":
		return p.assertTrap(ctx, f)
	case "assert_invalid", "assert_malformed":
		return p.assertRefused(f)
	case "assert_unlinkable":
		return p.assertUnlinkable(ctx, f)
	default:
		return fmt.Errorf("this tool does not know the form %q", f.Kind)
	}
}

// close ends every instance of the script.
func (p *player) close(ctx context.Context) error {
	var errs []error
	for _, i := range p.live {
		errs = append(errs, i.close(ctx))
	}
	return errors.Join(errs...)
}

func (i *instance) close(ctx context.Context) error {
	var errs []error
	if i.inst != nil {
		errs = append(errs, i.inst.Close())
	}
	if i.tmpl != nil {
		errs = append(errs, i.tmpl.Close(ctx))
	}
	return errors.Join(errs...)
}

// read compiles a form's binary.
func (p *player) read(f form) (*unit, error) {
	wasm, err := fs.ReadFile(p.suite, f.Wasm)
	if err != nil {
		return nil, err
	}
	if _, err := p.rt.Compile(wasm); err != nil {
		return nil, err
	}
	return newUnit(wasm)
}

func (p *player) define(f form) error {
	u, err := p.read(f)
	if err == nil {
		p.definitions[f.Name] = u
	}
	return err
}

func (p *player) component(ctx context.Context, f form) error {
	u, err := p.read(f)
	if err != nil {
		p.current = &instance{err: err}
		return err
	}
	return p.add(ctx, f.Name, u)
}

func (p *player) instantiate(ctx context.Context, f form) error {
	u := p.definitions[f.Definition]
	if u == nil {
		err := fmt.Errorf("no definition %s", f.Definition)
		p.current = &instance{err: err}
		return err
	}
	return p.add(ctx, f.Name, u)
}

// add makes an instance, which is the current one from now on.
func (p *player) add(ctx context.Context, name string, u *unit) error {
	i := p.make(ctx, u)
	p.current = i
	if name != "" {
		p.instances[name] = i
		own := *u // an instance of its own in whatever is composed
		p.env[strings.TrimPrefix(name, "$")] = &own
	}
	return i.err
}

func (p *player) make(ctx context.Context, u *unit) *instance {
	i := &instance{}
	p.live = append(p.live, i)
	wasm := u.wasm
	if linked(u, p.env, p.host) {
		i.iface = composed
		if wasm, i.err = compose(u, p.env, p.host); i.err != nil {
			return i
		}
	}
	c, err := p.rt.Compile(wasm)
	if err != nil {
		i.err = fmt.Errorf("%w: %w", errUnlinkable, err)
		return i
	}
	if i.tmpl, i.err = c.Link(ctx, component.LinkConfig{Limits: limits}); i.err != nil {
		if i.iface == "" && len(u.imports) > 0 {
			i.err = fmt.Errorf("%w: %w", errUnlinkable, i.err)
		}
		return i
	}
	i.inst, i.err = i.tmpl.Take(ctx)
	return i
}

func (p *player) invoke(ctx context.Context, a action) (*component.Export, *wit.Value, error) {
	i := p.current
	if a.Instance != "" {
		i = p.instances[a.Instance]
	}
	switch {
	case i == nil:
		return nil, nil, errors.New("no such instance")
	case i.err != nil:
		return nil, nil, fmt.Errorf("no instance: %w", i.err)
	}
	e := i.tmpl.Export(i.iface, a.Func)
	if e == nil {
		return nil, nil, fmt.Errorf("no export %q", a.Func)
	}
	if len(a.Args) != len(e.Type.Params) {
		return e, nil, fmt.Errorf("%d arguments for %s", len(a.Args), e.Type)
	}
	args := make([]wit.Value, len(a.Args))
	for k, c := range a.Args {
		var err error
		if args[k], err = value(e.Type.Params[k].Type, c); err != nil {
			return e, nil, err
		}
	}
	v, err := i.inst.CallValues(ctx, e, args...)
	return e, v, err
}

func (p *player) assertReturn(ctx context.Context, f form) error {
	e, got, err := p.invoke(ctx, *f.Action)
	if err != nil {
		return err
	}
	if len(f.Results) == 0 {
		return nil // scripts leave out results that they do not mean
	}
	if got == nil {
		return fmt.Errorf("%s returns nothing", e.Type)
	}
	want, err := value(e.Type.Result, f.Results[0])
	if err != nil {
		return err
	}
	if !same(e.Type.Result, *got, want) {
		return fmt.Errorf("got %s, want %s", wave.Format(e.Type.Result, *got), wave.Format(e.Type.Result, want))
	}
	return nil
}

// assertTrap: the trap must be the right one, and the end of the instance.
func (p *player) assertTrap(ctx context.Context, f form) error {
	if f.Action == nil {
		err := p.component(ctx, f)
		p.current = nil
		if err == nil {
			return errors.New("does not trap")
		}
		return trapped(err, p.script, f.Message)
	}
	_, _, err := p.invoke(ctx, *f.Action)
	if err == nil {
		return errors.New("does not trap")
	}
	if err := trapped(err, p.script, f.Message); err != nil {
		return err
	}
	_, _, again := p.invoke(ctx, *f.Action)
	if t := trap.As(again); t == nil || t.Code != trap.Poisoned {
		return fmt.Errorf("the instance lives on after a trap: %w", again)
	}
	return nil
}

func (p *player) assertRefused(f form) error {
	wasm, err := fs.ReadFile(p.suite, f.Wasm)
	if err != nil {
		return err
	}
	if _, err = p.rt.Compile(wasm); err == nil {
		return fmt.Errorf("accepted; must be refused: %s", f.Message)
	}
	return nil
}

func (p *player) assertUnlinkable(ctx context.Context, f form) error {
	u, err := p.read(f)
	if err != nil {
		return fmt.Errorf("not even valid: %w", err)
	}
	i := p.make(ctx, u)
	switch {
	case i.err == nil:
		return fmt.Errorf("linked; must be refused: %s", f.Message)
	case !errors.Is(i.err, errUnlinkable):
		return i.err
	}
	return nil
}
