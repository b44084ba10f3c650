package validate

import (
	"errors"
	"fmt"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

// canonOptions are the canonical options of one definition.
type canonOptions struct {
	encoding   string // empty: not given, which means UTF-8
	memory     bool
	realloc    bool
	async      bool
	callback   bool
	postReturn *binary.CanonOption
}

var optionNames = [...]string{"utf8", "utf16", "latin1-utf16", "memory", "realloc", "post-return", "async", "callback"}

// options checks a list of options by itself: each at most once, and what they
// refer to of the right type.
func (s *scope) options(list []binary.CanonOption) (canonOptions, error) {
	var o canonOptions
	var seen [len(optionNames)]bool
	for i := range list {
		opt := &list[i]
		name := optionNames[opt.Kind]
		if opt.Kind <= binary.OptLatin1UTF16 && o.encoding != "" && o.encoding != name {
			return o, fmt.Errorf("canonical encoding option `%s` conflicts with option `%s`", o.encoding, name)
		}
		if seen[opt.Kind] {
			return o, fmt.Errorf("canonical option `%s` is specified more than once", name)
		}
		seen[opt.Kind] = true
		if err := s.option(&o, opt); err != nil {
			return o, err
		}
	}
	switch {
	case o.realloc && !o.memory:
		return o, errors.New("canonical option `realloc` requires `memory` to also be specified")
	case o.async && o.postReturn != nil:
		return o, errors.New("canonical option `post-return` cannot be specified with `async`")
	case o.callback && !o.async:
		return o, errors.New("canonical option `callback` cannot be specified without `async`")
	}
	return o, nil
}

func (s *scope) option(o *canonOptions, opt *binary.CanonOption) error {
	switch opt.Kind {
	case binary.OptUTF8, binary.OptUTF16, binary.OptLatin1UTF16:
		o.encoding = optionNames[opt.Kind]
	case binary.OptMemory:
		o.memory = true
		return s.checkMemory(opt.Index)
	case binary.OptRealloc:
		o.realloc = true
		return s.checkOptionFunc(opt, []coreVal{i32, i32, i32, i32}, []coreVal{i32})
	case binary.OptPostReturn:
		o.postReturn = opt
	case binary.OptAsync:
		o.async = true
	case binary.OptCallback:
		o.callback = true
		return s.checkOptionFunc(opt, []coreVal{i32, i32, i32}, []coreVal{i32})
	}
	return nil
}

func (s *scope) checkMemory(index uint32) error {
	m, err := at(s.coreMemories, index, binary.SortCoreMemory)
	switch {
	case err != nil:
		return err
	case m.limits.Is64:
		return errors.New("unsupported: 64-bit memory in canonical options")
	case m.limits.Shared:
		return errors.New("mismatch in the shared flag for memories: canonical option `memory` is shared")
	}
	return nil
}

func (s *scope) checkOptionFunc(opt *binary.CanonOption, params, results []coreVal) error {
	f, err := at(s.coreFuncs, opt.Index, binary.SortCoreFunc)
	if err != nil {
		return err
	}
	if want := s.v.core.fn(params, results); !s.v.core.sub(f, want) {
		return fmt.Errorf("canonical option `%s` uses a core function with an incorrect signature: %s, want %s",
			optionNames[opt.Kind], s.v.core.signature(f), s.v.core.signature(want))
	}
	return nil
}

var (
	errNeedMemory  = errors.New("canonical option `memory` is required")
	errNeedRealloc = errors.New("canonical option `realloc` is required")
)

// lowers checks the options that moving a value out of linear memory needs
// where a component receives it: reading takes memory.
func (o canonOptions) lowers(t *wit.Type) error {
	if t != nil && t.Props.Has(wit.HasPointer) && !o.memory {
		return errNeedMemory
	}
	return nil
}

// lifts checks the options that storing a value takes.
func (o canonOptions) lifts(t *wit.Type) error {
	if t == nil || !t.Props.Has(wit.HasPointer) {
		return nil
	}
	if !o.memory {
		return errNeedMemory
	}
	if !o.realloc {
		return errNeedRealloc
	}
	return nil
}

// only fails where an option was given that a built-in does not take.
func (o canonOptions) only(what string, memory, realloc, async bool) error {
	for _, c := range []struct {
		given, allowed bool
		name           string
	}{
		{o.memory, memory, "memory"}, {o.realloc, realloc, "realloc"}, {o.async, async, "async"},
		{o.callback, false, "callback"}, {o.postReturn != nil, false, "post-return"},
	} {
		if c.given && !c.allowed {
			return fmt.Errorf("canonical option `%s` cannot be specified for %s", c.name, what)
		}
	}
	return nil
}
