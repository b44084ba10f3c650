package grant

import (
	"strings"
	"time"

	"github.com/lathhost/lath/host/wasi"
)

// Grant is what one component may have. The zero value grants nothing, and
// bounds nothing beyond what its host does.
type Grant struct {
	// Grants are directories, sockets and HTTP.
	wasi.Grants
	// Env are environment variables by name.
	Env map[string]string
	// Secrets are what it may read with the host's own rights: "backend:key", where
	// a star at the end stands for any rest.
	Secrets []string
	// Memory bounds the linear memories of an instance together, in bytes.
	// 0: the host's bound.
	Memory uint64
	// CPU bounds the work of one call, as component.Limits does; Time bounds its
	// time on the clock. 0: the host's bound.
	CPU, Time time.Duration
	// Pool says how instances are kept between calls.
	Pool Pool
	// LogRate bounds what goes to the log, in bytes a second, over all
	// instances. 0: the host's bound.
	LogRate uint64
}

// Policy grants by component id. It is immutable. A nil Policy grants nothing.
type Policy struct {
	grants map[string]Grant // by pattern
}

// For returns what the component of that id is granted: by the entry of its
// id, or else of the longest pattern that matches it. Entries are not merged,
// so that all that a component has stands in one place.
func (p *Policy) For(id string) Grant {
	if p == nil {
		return Grant{}
	}
	if g, ok := p.grants[id]; ok {
		return g
	}
	for n := len(id); n >= 0; n-- {
		if g, ok := p.grants[id[:n]+"*"]; ok {
			return g
		}
	}
	return Grant{}
}

// validPattern: an id, or the start of one and a star.
func validPattern(s string) bool {
	star := strings.IndexByte(s, '*')
	return s != "" && (star < 0 || star == len(s)-1)
}
