package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// Defaults of ClientConfig.
const (
	DefaultTimeout       = 5 * time.Second
	DefaultGatherTimeout = 5 * time.Second
)

// ClientConfig says whom a Client asks. Conn and Lattice are required.
type ClientConfig struct {
	Conn    *nats.Conn
	Lattice string
	// Prefix of the control subjects; default lattice.DefaultControlPrefix.
	Prefix string
	// Timeout bounds each request whose context has no earlier deadline.
	Timeout time.Duration
	// GatherTimeout bounds the wait for the answers of all hosts.
	GatherTimeout time.Duration
}

// Client drives the hosts of a lattice. It is safe for concurrent use.
//
// Every request that changes something has an id, by which its outcome is found,
// see [Client.Await] and [Client.Op]. Hosts that speak v1 alone do not look at it.
//
// Its errors match the sentinels of package lattice: ErrNotFound if no such host
// is there, ErrTimeout, ErrDisconnected, and, for what a host answered,
// *RefusedError.
type Client struct {
	cfg       ClientConfig
	subjects  lattice.Control
	commandID string // of what it sends; empty: a new one each time
}

// NewClient checks a configuration. It does no I/O.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Conn == nil {
		return nil, errors.New("control client: a connection is required")
	}
	if err := lattice.ValidLattice(cfg.Lattice); err != nil {
		return nil, fmt.Errorf("control client: %w", err)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.GatherTimeout <= 0 {
		cfg.GatherTimeout = DefaultGatherTimeout
	}
	return &Client{cfg: cfg, subjects: lattice.ControlSubjects(cfg.Prefix, cfg.Lattice)}, nil
}

// Inventory asks a host what it runs.
func (c *Client) Inventory(ctx context.Context, host string) (*lattice.Inventory, error) {
	var out lattice.Inventory
	if err := c.onHost(ctx, lattice.KindHost, "get", host, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// StopHost asks a host to end within timeout (0: its own default) and returns
// when it has accepted.
func (c *Client) StopHost(ctx context.Context, host string, timeout time.Duration) error {
	req := StopHost{HostID: host, Timeout: uint64(max(timeout, 0).Milliseconds())}
	_, err := c.commandHost(ctx, lattice.KindHost, "stop", host, req)
	return err
}

// ScaleComponent asks a host to run, rescale or stop a component and returns
// when it has accepted, with its warning, if any. The outcome comes as an event.
func (c *Client) ScaleComponent(ctx context.Context, host string, req ScaleComponent) (warning string, err error) {
	req.HostID = host
	req.Config = notNil(req.Config)
	return c.commandHost(ctx, lattice.KindComponent, "scale", host, req)
}

// UpdateComponent asks a host to run another image of a component and returns
// when it has accepted, with what it says. The outcome comes as an event.
func (c *Client) UpdateComponent(ctx context.Context, host string, req UpdateComponent) (message string, err error) {
	req.HostID = host
	return c.commandHost(ctx, lattice.KindComponent, "update", host, req)
}

// StartProvider asks a host to run a provider and returns when it has accepted.
// The outcome comes as an event.
func (c *Client) StartProvider(ctx context.Context, host string, req StartProvider) error {
	req.HostID = host
	req.Config = notNil(req.Config)
	_, err := c.commandHost(ctx, lattice.KindProvider, "start", host, req)
	return err
}

// StopProvider asks a host to end a provider, and returns when it has ended or when
// it is taking its time.
func (c *Client) StopProvider(ctx context.Context, host, provider string) error {
	req := StopProvider{HostID: host, ProviderID: provider}
	_, err := c.commandHost(ctx, lattice.KindProvider, "stop", host, req)
	return err
}

// Links returns all links of the lattice, as one of its hosts knows them.
func (c *Client) Links(ctx context.Context) ([]lattice.Link, error) {
	var out []lattice.Link
	if _, err := c.call(ctx, c.aboutLattice(lattice.KindLink, "get"), nil, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// PutLink stores a link and returns when it is stored.
func (c *Client) PutLink(ctx context.Context, link lattice.Link) error {
	if link.Name == "" {
		link.Name = lattice.DefaultLinkName
	}
	if err := link.Validate(); err != nil {
		return fmt.Errorf("put link: %w", err)
	}
	_, err := c.ask(ctx, c.asCommand(c.aboutLattice(lattice.KindLink, "put")), link)
	return err
}

// DeleteLink removes the links with a key; it is no error if there are none.
func (c *Client) DeleteLink(ctx context.Context, key lattice.LinkKey) error {
	req := DeleteLink{
		SourceID: key.SourceID, Name: key.Name,
		WITNamespace: key.WITNamespace, WITPackage: key.WITPackage,
	}
	if err := req.validate(); err != nil {
		return fmt.Errorf("delete link: %w", err)
	}
	_, err := c.ask(ctx, c.asCommand(c.aboutLattice(lattice.KindLink, "del")), req)
	return err
}

// onHost asks one host something.
func (c *Client) onHost(ctx context.Context, kind, verb, host string, into any) error {
	if err := lattice.ValidHostID(host); err != nil {
		return fmt.Errorf("%s.%s: %w", kind, verb, err)
	}
	_, err := c.call(ctx, c.aboutHost(kind, verb, host), nil, into)
	return err
}

// commandHost sends a command to one host.
func (c *Client) commandHost(ctx context.Context, kind, verb, host string, req any) (message string, err error) {
	if err := lattice.ValidHostID(host); err != nil {
		return "", fmt.Errorf("%s.%s: %w", kind, verb, err)
	}
	e, err := c.ask(ctx, c.asCommand(c.aboutHost(kind, verb, host)), req)
	return e.Message, err
}

func (c *Client) aboutHost(kind, verb, host string) *CallError {
	return &CallError{Verb: kind + "." + verb, ID: host, What: "host", Subject: c.subjects.Named(kind, verb, host)}
}

// aboutLattice is a verb that one host of the lattice answers.
func (c *Client) aboutLattice(kind, verb string) *CallError {
	return &CallError{Verb: kind + "." + verb, ID: c.cfg.Lattice, What: "host in lattice", Subject: c.subjects.Verb(kind, verb)}
}

// asCommand gives a request an id.
func (c *Client) asCommand(at *CallError) *CallError {
	if at.CommandID = c.commandID; at.CommandID == "" {
		at.CommandID = NewCommandID()
	}
	return at
}

// call sends a request and decodes the answer, which must have something in it
// where into is not nil; at has the place for errors.
func (c *Client) call(ctx context.Context, at *CallError, req, into any) (message string, err error) {
	e, err := c.ask(ctx, at, req)
	switch {
	case err != nil:
		return "", err
	case into == nil:
		return e.Message, nil
	case e.Response == nil:
		return "", fmt.Errorf("%s: answer of %s %s: %w: nothing in it", at.Verb, at.What, at.ID, lattice.ErrInvalid)
	}
	if err := lattice.DecodeJSON(e.Response, MaxResponseSize, into); err != nil {
		return "", fmt.Errorf("%s: answer of %s %s: %w", at.Verb, at.What, at.ID, err)
	}
	return e.Message, nil
}

// ask sends a request and returns the answer of a host that did what it was asked.
func (c *Client) ask(ctx context.Context, at *CallError, req any) (Envelope, error) {
	at.URL = c.url()
	var body []byte
	if req != nil {
		var err error
		if body, err = lattice.EncodeJSON(req); err != nil {
			return Envelope{}, fmt.Errorf("%s: %w", at.Verb, err)
		}
	}
	msg, err := c.request(ctx, at.Subject, at.CommandID, body)
	if err != nil {
		at.Err = err
		return Envelope{}, at
	}
	e, err := decodeEnvelope(msg.Data)
	switch {
	case err != nil:
		return Envelope{}, fmt.Errorf("%s: answer of %s %s: %w", at.Verb, at.What, at.ID, err)
	case !e.Success:
		return Envelope{}, &RefusedError{Verb: at.Verb, Message: shorten(e.Message), CommandID: at.CommandID}
	}
	return e, nil
}

// request returns the one reply, or an error that matches a sentinel; id is the
// command's, or empty.
func (c *Client) request(ctx context.Context, subject, id string, body []byte) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if limit := c.cfg.Conn.MaxPayload(); int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: the request has %d bytes, more than the %d that NATS carries (max_payload)",
			lattice.ErrInvalid, len(body), limit)
	}
	req := &nats.Msg{Subject: subject, Data: body}
	if id != "" {
		req.Header = nats.Header{lattice.HeaderCommandID: {id}}
	}
	msg, err := c.cfg.Conn.RequestMsgWithContext(ctx, req)
	switch {
	case err == nil:
		return msg, nil
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("%w (%w)", lattice.ErrNotFound, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return nil, fmt.Errorf("%w (%w)", lattice.ErrTimeout, err)
	default:
		return nil, lattice.Disconnected(err)
	}
}

func (c *Client) url() string {
	if url := c.cfg.Conn.ConnectedUrlRedacted(); url != "" {
		return url
	}
	return "(not connected)"
}

// CallError is a request that got no answer.
type CallError struct {
	// Verb is the kind and verb, such as "component.scale".
	Verb string
	// What and ID name who was asked, such as "host" and its id.
	What, ID string
	// Subject is where it was sent, URL the NATS server it went through.
	Subject, URL string
	// CommandID is the id of a command, of which a host may have heard: see
	// [Client.Op]. It is empty for a question.
	CommandID string
	// Err matches lattice.ErrNotFound, ErrTimeout or ErrDisconnected, or is the
	// context's.
	Err error
}

// Error names who did not answer, and where it was asked.
func (e *CallError) Error() string {
	switch {
	case errors.Is(e.Err, lattice.ErrNotFound):
		return fmt.Sprintf("%s: no %s %s answers at %s", e.Verb, e.What, e.ID, e.URL)
	case errors.Is(e.Err, lattice.ErrTimeout):
		text := fmt.Sprintf("%s: no answer in time from %s %s (subject %s at %s)", e.Verb, e.What, e.ID, e.Subject, e.URL)
		if e.CommandID != "" {
			text += "; it may have been carried out: lath get ops " + e.CommandID
		}
		return text
	default:
		return fmt.Sprintf("%s: %s %s: %v", e.Verb, e.What, e.ID, e.Err)
	}
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// RefusedError is a host's answer that it did not do what was asked.
type RefusedError struct {
	Verb string
	// Message is the host's own text, at most 8 KiB.
	Message string
	// CommandID is the id of a command; empty for a question.
	CommandID string
}

// Error is the verb and the host's text.
func (e *RefusedError) Error() string { return e.Verb + ": " + e.Message }

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
