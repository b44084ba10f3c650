package validate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

func (s *scope) canon(def *binary.Canon) error {
	if def.Op == binary.CanonLift {
		return s.lift(def)
	}
	fn, err := s.builtin(def)
	if err == nil {
		s.coreFuncs = append(s.coreFuncs, fn)
	}
	return err
}

func (s *scope) lift(def *binary.Canon) error {
	core, err := at(s.coreFuncs, def.Func, binary.SortCoreFunc)
	if err != nil {
		return err
	}
	t, err := s.typeOf(def.Type, typeFunc)
	if err != nil {
		return err
	}
	o, err := s.options(def.Options)
	if err != nil {
		return err
	}
	s.v.spend(len(t.fn.params))
	f := t.fn.wit("")
	if err := s.checkLiftOptions(f, o); err != nil {
		return err
	}
	params, results := LiftSig(f)
	if o.async {
		params, results = AsyncLiftSig(f, o.callback)
	}
	if err := s.checkLifted(core, params, results); err != nil {
		return err
	}
	if o.postReturn != nil {
		if err := s.checkOptionFunc(o.postReturn, flatVals(results), nil); err != nil {
			return err
		}
	}
	s.funcs = append(s.funcs, t)
	return nil
}

func (s *scope) checkLifted(core coreID, params, results []wit.CoreType) error {
	want := s.v.core.flat(params, results)
	if s.v.core.sub(core, want) {
		return nil
	}
	have := s.v.core.types[core]
	w := s.v.core.types[want]
	if !slices.Equal(w.params, have.params) {
		return fmt.Errorf("lowered parameter types `%v` do not match parameter types `%v` of the core function", w.params, have.params)
	}
	return fmt.Errorf("lowered result types `%v` do not match result types `%v` of the core function", w.results, have.results)
}

func (s *scope) checkLiftOptions(f *wit.Func, o canonOptions) error {
	if err := s.checkAsync(f, o); err != nil {
		return err
	}
	for _, p := range f.Params {
		if err := o.lifts(p.Type); err != nil {
			return err
		}
	}
	if err := o.lowers(f.Result); err != nil {
		return err
	}
	if flatCount(f) > wit.MaxFlatParams && !o.realloc {
		return errNeedRealloc
	}
	most := wit.MaxFlatResults
	if o.async {
		most = wit.MaxFlatParams
	}
	if f.Result != nil && !f.Result.FitsFlat(most) && !o.memory {
		return errNeedMemory
	}
	return nil
}

func (s *scope) checkAsync(f *wit.Func, o canonOptions) error {
	if o.async && !f.Async {
		return errors.New("the `async` canonical option requires an async function type")
	}
	if o.async && !o.callback && s.v.lim.Callback {
		return errors.New("unsupported: an async function lifted without `callback`")
	}
	return nil
}

// flatCount returns the number of flat parameters, or some number above
// [wit.MaxFlatParams] where they are more.
func flatCount(f *wit.Func) int {
	n := 0
	for _, p := range f.Params {
		n += len(p.Type.Flat)
	}
	return n
}

func (s *scope) lower(def *binary.Canon) (coreID, error) {
	t, err := at(s.funcs, def.Func, binary.SortFunc)
	if err != nil {
		return 0, err
	}
	o, err := s.options(def.Options)
	if err != nil {
		return 0, err
	}
	if err := o.only("lowerings", true, true, true); err != nil {
		return 0, err
	}
	s.v.spend(len(t.fn.params))
	f := t.fn.wit("")
	if o.async && !f.Async {
		return 0, errors.New("the `async` canonical option requires an async function type")
	}
	for _, p := range f.Params {
		if err := o.lowers(p.Type); err != nil {
			return 0, err
		}
	}
	if err := o.lifts(f.Result); err != nil {
		return 0, err
	}
	maxParams, maxResults := wit.MaxFlatParams, wit.MaxFlatResults
	params, results := LowerSig(f)
	if o.async {
		maxParams, maxResults = wit.MaxFlatAsyncParams, 0
		params, results = AsyncLowerSig(f)
	}
	// The text asks for memory of every async lowering; its tests and today's
	// guests go without where nothing passes through memory.
	if !o.memory && (flatCount(f) > maxParams || f.Result != nil && !f.Result.FitsFlat(maxResults)) {
		return 0, errNeedMemory
	}
	return s.v.core.flat(params, results), nil
}

// fixedSigs are the signatures of the built-ins that have no operands to check:
// numbers of i32 parameters and results.
var fixedSigs = map[binary.CanonOp][2]int{
	binary.CanonTaskCancel: {0, 0}, binary.CanonBackpressureInc: {0, 0}, binary.CanonBackpressureDec: {0, 0},
	binary.CanonSubtaskCancel: {1, 1}, binary.CanonSubtaskDrop: {1, 0}, binary.CanonErrorContextDrop: {1, 0},
	binary.CanonWaitableSetNew: {0, 1}, binary.CanonWaitableSetDrop: {1, 0}, binary.CanonWaitableJoin: {2, 0},
	binary.CanonThreadIndex: {0, 1}, binary.CanonThreadResumeLater: {1, 0}, binary.CanonThreadSuspend: {0, 1},
	binary.CanonThreadYield: {0, 1}, binary.CanonThreadSuspendThenResume: {1, 1}, binary.CanonThreadYieldThenResume: {1, 1},
	binary.CanonThreadSuspendThenPromote: {1, 1}, binary.CanonThreadYieldThenPromote: {1, 1},
}

// i32s returns the function type of that many i32 parameters and results.
func (s *scope) i32s(params, results int) coreID {
	list := []coreVal{i32, i32, i32, i32}
	return s.v.core.fn(list[:params:params], list[:results:results])
}

// builtin checks a canonical definition that makes a core function and returns
// its type.
func (s *scope) builtin(def *binary.Canon) (coreID, error) {
	if sig, ok := fixedSigs[def.Op]; ok {
		return s.i32s(sig[0], sig[1]), nil
	}
	switch def.Op {
	case binary.CanonLower:
		return s.lower(def)
	case binary.CanonResourceNew, binary.CanonResourceRep, binary.CanonResourceDrop:
		return s.resourceBuiltin(def)
	case binary.CanonTaskReturn:
		return s.taskReturn(def)
	case binary.CanonContextGet, binary.CanonContextSet:
		return s.context(def)
	case binary.CanonErrorContextNew, binary.CanonErrorContextDebugMessage:
		return s.errorContext(def)
	case binary.CanonWaitableSetWait, binary.CanonWaitableSetPoll:
		return s.i32s(2, 1), s.checkMemory(def.Memory)
	case binary.CanonThreadNewIndirect:
		return s.newIndirect(def)
	case binary.CanonThreadSpawnRef, binary.CanonThreadSpawnIndirect, binary.CanonThreadAvailableParallel:
		return 0, errors.New("unsupported: shared-everything threads are a gated feature of the component model")
	case binary.CanonStreamNew, binary.CanonStreamRead, binary.CanonStreamWrite, binary.CanonStreamCancelRead,
		binary.CanonStreamCancelWrite, binary.CanonStreamDropReadable, binary.CanonStreamDropWritable:
		return s.streamBuiltin(def, def.Op-binary.CanonStreamNew, wit.KindStream)
	case binary.CanonFutureNew, binary.CanonFutureRead, binary.CanonFutureWrite, binary.CanonFutureCancelRead,
		binary.CanonFutureCancelWrite, binary.CanonFutureDropReadable, binary.CanonFutureDropWritable:
		return s.streamBuiltin(def, def.Op-binary.CanonFutureNew, wit.KindFuture)
	}
	return 0, fmt.Errorf("unknown canonical built-in 0x%02x", uint8(def.Op))
}

func (s *scope) resourceBuiltin(def *binary.Canon) (coreID, error) {
	t, err := s.typeOf(def.Type, typeResource)
	if err != nil {
		return 0, err
	}
	if def.Op == binary.CanonResourceDrop {
		return s.i32s(1, 0), nil
	}
	if r := s.v.resources[t.res]; !r.defined || r.bind != s.bindLocals {
		return 0, fmt.Errorf("type index %d is not a local resource", def.Type)
	}
	return s.i32s(1, 1), nil
}

func (s *scope) taskReturn(def *binary.Canon) (coreID, error) {
	o, err := s.options(def.Options)
	if err != nil {
		return 0, err
	}
	if err := o.only("task.return", true, false, false); err != nil {
		return 0, err
	}
	t, err := optValType(def.Result, s)
	if err != nil {
		return 0, err
	}
	f := &wit.Func{}
	if t != nil {
		if t.Props.Has(wit.HasBorrow) {
			return 0, errResultBorrow
		}
		f.Params = []wit.Param{{Type: t}}
		if (t.Props.Has(wit.HasPointer) || !t.FitsFlat(wit.MaxFlatParams)) && !o.memory {
			return 0, errNeedMemory
		}
	}
	params, results := LowerSig(f)
	return s.v.core.flat(params, results), nil
}

func (s *scope) context(def *binary.Canon) (coreID, error) {
	const slots = 2
	if def.Context != 0x7f {
		return 0, errors.New("context.get and context.set take the type i32")
	}
	if def.Slot >= slots {
		return 0, fmt.Errorf("context slot must be less than %d", slots)
	}
	if def.Op == binary.CanonContextGet {
		return s.i32s(0, 1), nil
	}
	return s.i32s(1, 0), nil
}

func (s *scope) errorContext(def *binary.Canon) (coreID, error) {
	o, err := s.options(def.Options)
	if err != nil {
		return 0, err
	}
	message := def.Op == binary.CanonErrorContextDebugMessage
	if err := o.only("error-context built-ins", true, true, false); err != nil {
		return 0, err
	}
	switch {
	case !o.memory:
		return 0, errNeedMemory
	case message && !o.realloc:
		return 0, errNeedRealloc
	case message:
		return s.i32s(2, 0), nil
	}
	return s.i32s(2, 1), nil
}

func (s *scope) newIndirect(def *binary.Canon) (coreID, error) {
	t, err := at(s.coreTypes.types, def.Type, binary.SortCoreType)
	if err != nil {
		return 0, err
	}
	if t.module != nil || t.fn != s.i32s(1, 0) {
		return 0, errors.New("thread start function must have the type (func (param i32))")
	}
	table, err := at(s.coreTables, def.Table, binary.SortCoreTable)
	switch {
	case err != nil:
		return 0, err
	case table.val != funcref:
		return 0, fmt.Errorf("thread table: expected element type funcref, found %s", table.val)
	case table.limits.Is64:
		return 0, errors.New("unsupported: 64-bit table of thread start functions")
	}
	return s.i32s(2, 1), nil
}

// streamBuiltin checks a built-in of streams or futures; op is its place in
// the row new, read, write, cancel-read, cancel-write, drop-readable,
// drop-writable.
func (s *scope) streamBuiltin(def *binary.Canon, op binary.CanonOp, kind wit.Kind) (coreID, error) {
	t, err := s.typeAt(def.Type)
	if err != nil {
		return 0, err
	}
	if t.kind != typeValue || t.val.Kind != kind {
		return 0, fmt.Errorf("type index %d is not a %s type", def.Type, kind)
	}
	switch op {
	case 0:
		return s.v.core.fn(nil, []coreVal{i64}), nil
	case 1, 2:
		return s.transfer(def, t.val, op == 1)
	case 3, 4:
		return s.i32s(1, 1), nil
	}
	return s.i32s(1, 0), nil
}

func (s *scope) transfer(def *binary.Canon, t *wit.Type, read bool) (coreID, error) {
	o, err := s.options(def.Options)
	if err != nil {
		return 0, err
	}
	if err := o.only("stream and future built-ins", true, true, true); err != nil {
		return 0, err
	}
	if t.Elem != nil {
		if !o.memory {
			return 0, errNeedMemory
		}
		if read {
			err = o.lifts(t.Elem)
		} else {
			err = o.lowers(t.Elem)
		}
	}
	if t.Kind == wit.KindFuture {
		return s.i32s(2, 1), err
	}
	return s.i32s(3, 1), err
}
