package validate

import (
	"errors"
	"fmt"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

// Limits bound what validation may cost and what it lets through.
type Limits struct {
	// Work is the most steps of type checking (types built, copied by an
	// instantiation or compared). Substitution can make a small component cost
	// much more than its length. Default 10,000,000, which is about a second
	// and 200 MB; a JavaScript component with all of WASI takes 20,000.
	Work int
	// TypeDepth is the deepest nesting of instance and component types.
	// Default 100.
	TypeDepth int
	// Callback makes async functions that are lifted without a callback
	// (the stackful ABI) an error.
	Callback bool
}

func (l Limits) withDefaults() Limits {
	if l.Work == 0 {
		l.Work = 10_000_000
	}
	if l.TypeDepth == 0 {
		l.TypeDepth = 100
	}
	return l
}

var errWork = errors.New("limit exceeded: the component's types take too much work to check")

// Validate checks a decoded component in full, but for the bodies of core
// functions. Every error is a [*binary.Error] with the offset of the definition
// at fault.
func Validate(c *binary.Component, lim Limits) (*Info, error) {
	lim = lim.withDefaults()
	v := &validator{lim: lim, work: lim.Work, core: newCoreTypes(), interner: newInterner(),
		resources: map[*wit.Resource]resourceInfo{}}
	s, err := v.component(c, nil)
	if err != nil {
		return nil, err
	}
	return s.info(), nil
}

// validator is the state of one validation, shared by all scopes.
type validator struct {
	lim       Limits
	work      int
	exhausted bool
	core      *coreTypes
	interner  *interner
	resources map[*wit.Resource]resourceInfo
	internErr error // the first that a substitution met
}

// spend charges n steps of work; past the limit it only sets exhausted, which
// is looked at before each definition and each comparison.
func (v *validator) spend(n int) {
	if v.work -= n; v.work < 0 {
		v.exhausted = true
	}
}

func (v *validator) newResource(name string, bind *binder, defined bool) *wit.Resource {
	r := &wit.Resource{Name: name}
	bind.count++
	v.resources[r] = resourceInfo{id: uint32(len(v.resources) + 1), bind: bind, defined: defined}
	return r
}

// intern interns a type that equals a valid one but for its resources.
func (v *validator) intern(t *wit.Type) *wit.Type {
	to, err := v.interner.intern(t, v.resources[t.Resource].id)
	if err != nil {
		v.internErr = err
		return t
	}
	return to
}

// component checks a component and returns its scope.
func (v *validator) component(c *binary.Component, parent *scope) (*scope, error) {
	s := v.newScope(scopeComponent, parent)
	for _, def := range c.Defs {
		if err := v.step(def, s.define); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// step runs one definition and gives its error a place.
func (v *validator) step(def binary.Def, define func(binary.Def) error) error {
	v.spend(1)
	err := define(def)
	if err == nil {
		err = v.internErr
	}
	if err == nil && v.exhausted {
		err = errWork
	}
	var placed *binary.Error
	if err == nil || errors.As(err, &placed) {
		return err
	}
	return binary.Errorf(def.Pos(), "%w", err)
}

// define checks one definition of a component and adds what it defines.
func (s *scope) define(def binary.Def) error {
	switch def := def.(type) {
	case *binary.CoreModule:
		m, err := s.v.module(def)
		s.coreModules = append(s.coreModules, m)
		return err
	case *binary.CoreInstance:
		return s.coreInstance(def)
	case *binary.CoreTypeDef:
		return s.coreType(def)
	case *binary.NestedComponent:
		inner, err := s.v.component(def.Component, s)
		if err != nil {
			return err
		}
		t, err := s.v.nested(inner.componentType())
		s.components = append(s.components, t)
		return err
	case *binary.Instance:
		return s.instance(def)
	case *binary.Alias:
		return s.alias(def)
	case *binary.TypeDef:
		return s.typeDef(def)
	case *binary.Canon:
		return s.canon(def)
	case *binary.Import:
		return s.importDef(def)
	case *binary.Export:
		return s.export(def)
	case *binary.Start:
		return errors.New("unsupported: start definitions are a gated feature of the component model")
	case *binary.Value:
		return errGatedValue
	}
	return fmt.Errorf("unknown definition %T", def)
}

var errGatedValue = errors.New("unsupported: values are a gated feature of the component model")
