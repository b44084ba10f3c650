package host

import (
	"fmt"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/grant"
	"github.com/lathhost/lath/lattice"
)

// pool says how instances of a component are kept between its calls: as the
// host's operator wrote it; where that leaves it open, as the command's
// annotations have it; and else pristine ones, none of them before they are
// needed. No more than maxInstances are out at a time, so that no more come
// back: a bound of its own would only end what the next call needs.
func (h *Host) pool(id string, annotations map[string]string, maxInstances uint32) (component.PoolConfig, error) {
	g := h.cfg.Grants.For(id).Pool
	cfg := component.PoolConfig{Reuse: component.Pristine, Min: g.Min, Max: g.Max, Idle: g.Idle}
	reuse, warm, err := wishes(annotations, maxInstances)
	switch {
	case err != nil:
		return cfg, err
	case g.Reuse != nil:
		cfg.Reuse = *g.Reuse
	case reuse != nil:
		cfg.Reuse = *reuse
	}
	if cfg.Reuse == component.Fresh {
		return component.PoolConfig{Reuse: component.Fresh}, nil
	}
	if cfg.Max == 0 {
		cfg.Max = grant.MaxPool
	}
	if cfg.Min == 0 {
		cfg.Min = warm
	}
	cfg.Min = min(cfg.Min, cfg.Max, int(min(maxInstances, grant.MaxPool)))
	return cfg, nil
}

// wishes reads what the annotations of a command ask for; nil and 0: nothing.
func wishes(annotations map[string]string, maxInstances uint32) (reuse *component.Reuse, warm int, err error) {
	if text, ok := annotations[lattice.AnnotationReuse]; ok {
		r, err := grant.ParseReuse(text)
		if err != nil {
			return nil, 0, fmt.Errorf("annotation %s: %w: %w", lattice.AnnotationReuse, lattice.ErrInvalid, err)
		}
		reuse = &r
	}
	text, ok := annotations[lattice.AnnotationWarm]
	if !ok {
		return reuse, 0, nil
	}
	warm, err = grant.ParseInstances(text)
	switch {
	case err != nil:
	case uint32(warm) > maxInstances:
		err = fmt.Errorf("%d instances, but only %d calls may run at a time", warm, maxInstances)
	case reuse != nil && *reuse == component.Fresh:
		err = fmt.Errorf("none is kept, since %s is fresh", lattice.AnnotationReuse)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("annotation %s: %w: %w", lattice.AnnotationWarm, lattice.ErrInvalid, err)
	}
	return reuse, warm, nil
}
