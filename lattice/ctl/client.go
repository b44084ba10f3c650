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
// Its errors match the sentinels of package lattice: ErrNotFound if no such host
// is there, ErrTimeout, ErrDisconnected, and, for what a host answered,
// *RefusedError.
type Client struct {
	cfg      ClientConfig
	subjects lattice.Control
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
	if _, err := c.onHost(ctx, lattice.KindHost, "get", host, nil, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// StopHost asks a host to end within timeout (0: its own default) and returns
// when it has accepted.
func (c *Client) StopHost(ctx context.Context, host string, timeout time.Duration) error {
	req := StopHost{HostID: host, Timeout: uint64(max(timeout, 0).Milliseconds())}
	_, err := c.onHost(ctx, lattice.KindHost, "stop", host, req, nil)
	return err
}

// ScaleComponent asks a host to run, rescale or stop a component and returns
// when it has accepted, with its warning, if any. The outcome comes as an event.
func (c *Client) ScaleComponent(ctx context.Context, host string, req ScaleComponent) (warning string, err error) {
	req.HostID = host
	req.Config = notNil(req.Config)
	return c.onHost(ctx, lattice.KindComponent, "scale", host, req, nil)
}

// UpdateComponent asks a host to run another image of a component and returns
// when it has accepted, with what it says. The outcome comes as an event.
func (c *Client) UpdateComponent(ctx context.Context, host string, req UpdateComponent) (message string, err error) {
	req.HostID = host
	return c.onHost(ctx, lattice.KindComponent, "update", host, req, nil)
}

// StartProvider asks a host to run a provider and returns when it has accepted.
// The outcome comes as an event.
func (c *Client) StartProvider(ctx context.Context, host string, req StartProvider) error {
	req.HostID = host
	req.Config = notNil(req.Config)
	_, err := c.onHost(ctx, lattice.KindProvider, "start", host, req, nil)
	return err
}

// StopProvider asks a host to end a provider and returns when it has ended.
func (c *Client) StopProvider(ctx context.Context, host, provider string) error {
	req := StopProvider{HostID: host, ProviderID: provider}
	_, err := c.onHost(ctx, lattice.KindProvider, "stop", host, req, nil)
	return err
}

// Links returns all links of the lattice, as one of its hosts knows them.
func (c *Client) Links(ctx context.Context) ([]lattice.Link, error) {
	var out []lattice.Link
	if _, err := c.anyHost(ctx, lattice.KindLink, "get", nil, &out); err != nil {
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
	_, err := c.anyHost(ctx, lattice.KindLink, "put", link, nil)
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
	_, err := c.anyHost(ctx, lattice.KindLink, "del", req, nil)
	return err
}

// onHost sends a verb to one host.
func (c *Client) onHost(ctx context.Context, kind, verb, host string, req, into any) (string, error) {
	if err := lattice.ValidHostID(host); err != nil {
		return "", fmt.Errorf("%s.%s: %w", kind, verb, err)
	}
	return c.call(ctx, &CallError{
		Verb: kind + "." + verb, ID: host, What: "host",
		Subject: c.subjects.Named(kind, verb, host),
	}, req, into)
}

// anyHost sends a verb that one host of the lattice answers.
func (c *Client) anyHost(ctx context.Context, kind, verb string, req, into any) (string, error) {
	return c.call(ctx, &CallError{
		Verb: kind + "." + verb, ID: c.cfg.Lattice, What: "host in lattice",
		Subject: c.subjects.Verb(kind, verb),
	}, req, into)
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
	msg, err := c.request(ctx, at.Subject, body)
	if err != nil {
		at.Err = err
		return Envelope{}, at
	}
	e, err := decodeEnvelope(msg.Data)
	switch {
	case err != nil:
		return Envelope{}, fmt.Errorf("%s: answer of %s %s: %w", at.Verb, at.What, at.ID, err)
	case !e.Success:
		return Envelope{}, &RefusedError{Verb: at.Verb, Message: shorten(e.Message)}
	}
	return e, nil
}

// request returns the one reply, or an error that matches a sentinel.
func (c *Client) request(ctx context.Context, subject string, body []byte) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if limit := c.cfg.Conn.MaxPayload(); int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: the request has %d bytes, more than the %d that NATS carries (max_payload)",
			lattice.ErrInvalid, len(body), limit)
	}
	msg, err := c.cfg.Conn.RequestWithContext(ctx, subject, body)
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
		return fmt.Sprintf("%s: no answer in time from %s %s (subject %s at %s)", e.Verb, e.What, e.ID, e.Subject, e.URL)
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
}

// Error is the verb and the host's text.
func (e *RefusedError) Error() string { return e.Verb + ": " + e.Message }

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
