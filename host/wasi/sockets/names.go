package sockets

import (
	"container/list"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// nameLife is how long an address is known by a name: a guest that keeps
	// addresses for longer looks the name up again.
	nameLife = time.Hour
	// maxFindings bounds what is remembered, and maxNames what is of one
	// address; the oldest goes first.
	maxFindings = 4096
	maxNames    = 16
)

// names remembers by which names addresses were found. It is safe for
// concurrent use.
type names struct {
	mu     sync.Mutex
	order  list.List // of finding, oldest first
	byAddr map[netip.Addr][]*list.Element
}

type finding struct {
	ip   netip.Addr
	name string
	at   time.Time
}

func newNames() *names { return &names{byAddr: map[netip.Addr][]*list.Element{}} }

// remember notes that a name was resolved.
func (n *names) remember(name string, ips []netip.Addr) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, ip := range ips {
		known := n.byAddr[ip]
		if i := slices.IndexFunc(known, func(e *list.Element) bool { return e.Value.(finding).name == name }); i >= 0 {
			n.forget(known[i])
		} else if len(known) == maxNames {
			n.forget(known[0])
		}
		n.byAddr[ip] = append(n.byAddr[ip], n.order.PushBack(finding{ip, name, now}))
	}
	n.trim(now)
}

// of returns the names that an address was found by, the last one last.
func (n *names) of(ip netip.Addr) (all []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.trim(time.Now())
	for _, e := range n.byAddr[ip] {
		all = append(all, e.Value.(finding).name)
	}
	return all
}

// trim forgets what is too old or too much; mu is held.
func (n *names) trim(now time.Time) {
	for e := n.order.Front(); e != nil && (n.order.Len() > maxFindings || now.Sub(e.Value.(finding).at) >= nameLife); e = n.order.Front() {
		n.forget(e)
	}
}

// forget removes a finding; mu is held.
func (n *names) forget(e *list.Element) {
	ip := n.order.Remove(e).(finding).ip
	rest := slices.DeleteFunc(n.byAddr[ip], func(o *list.Element) bool { return o == e })
	if n.byAddr[ip] = rest; len(rest) == 0 {
		delete(n.byAddr, ip)
	}
}
