package component

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/link"
	"github.com/lathhost/lath/host/component/memory"
)

// hostModule is the import module name of generated functions; core instance
// k is named "i<k>".
const hostModule = "h"

// compile rewrites and compiles each core instantiation, and makes the host
// module. Sites with equal bytes share one compilation.
func (t *Template) compile(ctx context.Context, progress func(done, total int)) error {
	t.codes = make([]*engine.Code, len(t.plan.Cores))
	t.images = make([]*memory.Image, len(t.plan.Cores))
	t.globals = make([][]core.GlobalExport, len(t.plan.Cores))
	growth, err := t.tableGrowth()
	if err != nil {
		return err
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	sites, same := t.distinct()
	images := map[int]*memory.Image{}
	var cost codeCost
	for n, i := range sites {
		progress(n, len(sites))
		if err := t.compileSite(ctx, i, growth, images, &cost); err != nil {
			return fmt.Errorf("core module %d: %w", t.plan.Cores[i].Module, err)
		}
	}
	for i, first := range same {
		t.codes[i], t.images[i], t.globals[i] = t.codes[first], t.images[first], t.globals[first]
	}
	progress(len(sites), len(sites))
	if len(t.canons) == 0 {
		return nil
	}
	funcs := make([]engine.HostFunc, len(t.canons))
	for i := range t.canons {
		c := &t.canons[i]
		funcs[i] = engine.HostFunc{Params: c.def.Params, Results: c.def.Results, Call: c.enter}
	}
	t.host, err = t.rt.engine.NewHostModule(ctx, funcs)
	return err
}

// distinct returns the core instantiations that differ in their modules or
// imports, and for each of all the first that does not.
func (t *Template) distinct() (sites, same []int) {
	same = make([]int, len(t.plan.Cores))
	first := map[string]int{}
	for i, site := range t.plan.Cores {
		key := fmt.Sprint(site.Module, importNames(site))
		if _, seen := first[key]; !seen {
			first[key] = i
			sites = append(sites, i)
		}
		same[i] = first[key]
	}
	return sites, same
}

// compileSite rewrites and compiles the module of one core instantiation.
// images are those that were made, by module.
func (t *Template) compileSite(ctx context.Context, i int, growth uint32, images map[int]*memory.Image, cost *codeCost) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	n := t.plan.Cores[i].Module
	m := t.plan.Modules[n]
	entries, _ := m.TableEntries()
	if err := cost.charge(0, len(m.Funcs)-m.ImportedFuncs, &t.limits); err != nil {
		return err
	}
	code, err := t.rt.engine.Compile(ctx, engine.Source{Module: m, Number: uint32(n), MaxBytes: max(t.limits.CodeBytes-cost.bytes, 1),
		Plan: core.Plan{Imports: importNames(t.plan.Cores[i]), StripData: true, MaxMemory: t.limits.Memory,
			MaxTable: max(uint32(entries)+growth, 1), KeepOffsets: t.debug != nil}})
	if large, is := errors.AsType[*engine.TooLargeError](err); is {
		return cost.charge(large.Size, 0, &t.limits) // which says how much there is in all
	}
	if err != nil {
		return err
	}
	t.codes[i] = code
	if err := cost.charge(code.Size(), 0, &t.limits); err != nil {
		return err
	}
	if _, done := images[n]; !done {
		if images[n], err = image(code.Data()); err != nil {
			return err
		}
	}
	t.images[i], t.globals[i] = images[n], code.Facts().MutableGlobals
	t.starts = t.starts || code.Facts().Start
	for _, reason := range code.Facts().Reasons {
		t.unpoolable = append(t.unpoolable, fmt.Sprintf("core module %d %s", n, reason))
	}
	if t.debug != nil {
		t.debug[n].keep(m, code.Offsets())
	}
	return nil
}

// importNames names the sources of a site's imports; see [Instance.resolve].
func importNames(site link.CoreInstance) []core.Name {
	names := make([]core.Name, len(site.Imports))
	for k, ref := range site.Imports {
		if ref.Canon >= 0 {
			names[k] = core.Name{Module: hostModule, Field: strconv.Itoa(ref.Canon)}
		} else {
			names[k] = core.Name{Module: "i" + strconv.Itoa(ref.Core), Field: ref.Name}
		}
	}
	return names
}

// tableGrowth returns how many entries each module's own tables may grow by.
func (t *Template) tableGrowth() (uint32, error) {
	limit, sum, modules := uint64(t.limits.TableElements), uint64(0), uint64(0)
	for _, site := range t.plan.Cores {
		if n, own := t.plan.Modules[site.Module].TableEntries(); own {
			sum += n
			modules++
		}
	}
	if sum > limit {
		return 0, fmt.Errorf("tables of %d entries, at most %d are allowed", sum, limit)
	}
	return uint32((limit - sum) / max(modules, 1)), nil
}

// image makes the first contents of a memory, which all instances share until
// they write; nil where there is no data.
func image(data []core.Segment) (*memory.Image, error) {
	if len(data) == 0 {
		return nil, nil
	}
	segments := make([]memory.Segment, len(data))
	for i, d := range data {
		segments[i] = memory.Segment{Offset: d.Offset, Bytes: d.Bytes}
	}
	return memory.NewImage(segments)
}
