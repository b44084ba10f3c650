package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// Contract is what a running component can be called for. v1 has no such
// question; the answer carries no envelope.
type Contract struct {
	// Digest of the component's bytes, such as "sha256:…".
	Digest string `json:"digest"`
	// WIT is the text of the component's world.
	WIT string `json:"wit"`
	// Exports are the exported instances with their versions, such as
	// "wasi:http/incoming-handler@0.2.0", and names of functions of the root.
	Exports []string `json:"exports"`
	// Failures are the links from and to a provider that do not work, and why. One
	// that fails on one host may work on another.
	Failures []LinkFailure `json:"link_failures,omitempty"`
}

// LinkFailure is a link that the provider cannot follow, or cannot serve.
type LinkFailure struct {
	// SourceID is empty where the provider is the source.
	SourceID     string `json:"source_id,omitempty"`
	Name         string `json:"name"`
	Target       string `json:"target"`
	WITNamespace string `json:"wit_namespace"`
	WITPackage   string `json:"wit_package"`
	Reason       string `json:"reason"`
}

// Limits of what a contract tells of failures.
const (
	maxFailures      = 256
	maxFailureReason = 512 // bytes
)

// ContractServer answers for one running component on this host. The hosts that
// run it share the question.
type ContractServer struct {
	conn *nats.Conn
	sub  *nats.Subscription

	mu       sync.Mutex // held while it changes
	contract Contract
	data     atomic.Pointer[[]byte]
}

// ServeContract starts to answer. A contract that is too big for one message is
// answered with an error.
func ServeContract(conn *nats.Conn, name, component string, c Contract) (*ContractServer, error) {
	if err := lattice.ValidID(component); err != nil {
		return nil, fmt.Errorf("serve contract: %w", err)
	}
	s := &ContractServer{conn: conn}
	if err := s.Set(c); err != nil {
		return nil, fmt.Errorf("serve contract of %s: %w", component, err)
	}
	var err error
	s.sub, err = conn.QueueSubscribe(lattice.WITSubject(name, component), lattice.WITQueue(name, component),
		func(msg *nats.Msg) { answerContract(conn, msg, *s.data.Load()) })
	if err != nil {
		return nil, fmt.Errorf("serve contract of %s: %w", component, lattice.Disconnected(err))
	}
	return s, nil
}

func (s *ContractServer) encode() error {
	data, err := lattice.EncodeJSON(s.contract)
	if err == nil {
		s.data.Store(&data)
	}
	return err
}

// Set answers with another contract from now on, as that of what has taken the
// component's place.
func (s *ContractServer) Set(c Contract) error {
	if c.Exports == nil {
		c.Exports = []string{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contract = c
	return s.encode()
}

// SetFailures tells from now on which links do not work: the first 256,
// and 512 bytes of each reason.
func (s *ContractServer) SetFailures(list []LinkFailure) error {
	list = slices.Clone(list[:min(len(list), maxFailures)])
	for i := range list {
		if r := list[i].Reason; len(r) > maxFailureReason {
			list[i].Reason = strings.ToValidUTF8(r[:maxFailureReason], "")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contract.Failures = list
	return s.encode()
}

func answerContract(conn *nats.Conn, msg *nats.Msg, data []byte) {
	if msg.Reply == "" {
		return
	}
	reply := nats.NewMsg(msg.Reply)
	reply.Data = data
	if limit := conn.MaxPayload(); int64(len(data)) > limit {
		reply.Data = nil
		reply.Header.Set(lattice.HeaderStatus, "refused")
		reply.Header.Set(lattice.HeaderError, fmt.Sprintf(
			"the contract has %d bytes, more than the %d that NATS carries (max_payload)", len(data), limit))
	}
	// It fails while disconnected; then the client is not there either.
	_ = conn.PublishMsg(reply)
}

// Close takes no more questions; those that have arrived are still answered, for
// in a queue group no other host would. It may be called again.
func (s *ContractServer) Close() error {
	err := drain(s.conn, s.sub, nil)
	if err != nil {
		return fmt.Errorf("stop serving contract: %w", err)
	}
	return nil
}

// Contract asks the hosts that run a component what it can be called for. The
// error matches lattice.ErrNotFound if none runs it, or none that speaks Lath.
func (c *Client) Contract(ctx context.Context, component string) (*Contract, error) {
	if err := lattice.ValidID(component); err != nil {
		return nil, fmt.Errorf("ask for contract: %w", err)
	}
	subject := lattice.WITSubject(c.cfg.Lattice, component)
	msg, err := c.request(ctx, subject, "", nil)
	if err != nil {
		return nil, &CallError{Verb: "wit", ID: component, Subject: subject, URL: c.url(), What: "host that runs", Err: err}
	}
	if text := msg.Header.Get(lattice.HeaderError); text != "" {
		return nil, fmt.Errorf("contract of %s: %w: %s", component, lattice.ErrUnsupported, shorten(text))
	}
	var out Contract
	if err := lattice.DecodeJSON(msg.Data, MaxResponseSize, &out); err != nil {
		return nil, fmt.Errorf("contract of %s: %w", component, err)
	}
	if out.Digest == "" {
		return nil, fmt.Errorf("contract of %s: %w: no digest in it", component, lattice.ErrInvalid)
	}
	return &out, nil
}
