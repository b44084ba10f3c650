package wrpc

import (
	"context"
	"strings"
	"sync"
)

// Hop is one call along a link that was made while a call was carried out.
type Hop struct {
	Source    string `json:"source"`
	Target    string `json:"target"`
	Interface string `json:"interface"`
	Func      string `json:"function"`
	Route     Route  `json:"route"`
}

// Route is how a hop was carried.
type Route string

// The routes.
const (
	InProcess Route = "in-process"
	OverNATS  Route = "nats"
)

// askHops is the value of the header that asks for hops.
const askHops = "1"

// Limits on hops, so that a chatty component does not blow up its answer.
const (
	maxHops      = 64
	maxHopsBytes = 4 << 10
)

// Hops records the hops of a call; see [ContextWithHops].
type Hops struct {
	mu   sync.Mutex
	list []Hop
}

type hopsKey struct{}

// ContextWithHops returns a context in which the first 64 hops of a call are
// recorded, also those that happen on other Lath hosts, which tell them when
// the results end ([Client.Call] only). Without it nothing is recorded or sent.
func ContextWithHops(ctx context.Context) (context.Context, *Hops) {
	h := &Hops{}
	return context.WithValue(ctx, hopsKey{}, h), h
}

func hopsFrom(ctx context.Context) *Hops {
	h, _ := ctx.Value(hopsKey{}).(*Hops)
	return h
}

// RecordHop notes a hop, if the context records hops.
func RecordHop(ctx context.Context, hop Hop) {
	if h := hopsFrom(ctx); h != nil {
		h.add(hop)
	}
}

func (h *Hops) add(hops ...Hop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, hops[:min(len(hops), maxHops-len(h.list))]...)
}

// List returns the hops so far.
func (h *Hops) List() []Hop {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Hop(nil), h.list...)
}

// header is the form of hops in a header: fields with spaces, hops with
// semicolons between them. Names have neither.
func (h *Hops) header() string {
	var b strings.Builder
	for i, hop := range h.List() {
		one := strings.Join([]string{hop.Source, hop.Target, hop.Interface, hop.Func, string(hop.Route)}, " ")
		if b.Len()+len(one) >= maxHopsBytes || strings.ContainsAny(one, ";\r\n") {
			break
		}
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(one)
	}
	return b.String()
}

// parseHops reads what header wrote; what does not fit is left out.
func parseHops(s string) []Hop {
	if s == "" || len(s) > maxHopsBytes {
		return nil
	}
	var list []Hop
	for one := range strings.SplitSeq(s, ";") {
		f := strings.Split(one, " ")
		if len(f) != 5 || len(list) == maxHops {
			continue
		}
		if r := Route(f[4]); r == InProcess || r == OverNATS {
			list = append(list, Hop{Source: f[0], Target: f[1], Interface: f[2], Func: f[3], Route: r})
		}
	}
	return list
}
