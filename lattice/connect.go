package lattice

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// DefaultURL is where a NATS server is looked for when none is named.
const DefaultURL = nats.DefaultURL

// Defaults of ConnConfig.
const (
	DefaultConnectWait = 5 * time.Second
	// DefaultPingInterval finds out within 5 seconds that a server is gone.
	DefaultPingInterval = 1500 * time.Millisecond
)

// Reconnection attempts start at once and slow down to one in reconnectMax.
const (
	reconnectMin = 50 * time.Millisecond
	reconnectMax = 5 * time.Second
	dialTimeout  = 2 * time.Second
)

// Conn is a connection to NATS, made by [Connect].
type Conn = nats.Conn

// ConnConfig says how to connect to NATS. The zero value connects to DefaultURL.
type ConnConfig struct {
	// URL is one or more server addresses with commas between them.
	URL string
	// Name is shown in the server's list of connections; default "lath".
	Name string
	// Wait bounds how long Connect goes on trying; default DefaultConnectWait.
	Wait time.Duration
	// PingInterval is how often the connection is tried out; with the third ping
	// to come after two lost answers it ends. Default DefaultPingInterval.
	PingInterval time.Duration
	// Auth is who connects, and how the connection is secured.
	Auth Auth
	// InboxPrefix replaces _INBOX, where the account allows only some inboxes.
	InboxPrefix string

	// The hooks are called one after the other from the connection's own
	// goroutine, and must not block. Each may be nil.

	// OnDisconnect tells that the connection was lost, and why if known.
	OnDisconnect func(err error)
	// OnReconnect tells that it is back, and to which server.
	OnReconnect func(url string)
	// OnServers tells that other servers have become known than those of URL; see
	// Servers.
	OnServers func(conn *Conn)
	// OnError tells of what went wrong outside any call, such as a subscription
	// that lost messages or that the server forbade.
	OnError func(subject string, err error)
}

// Connect connects to NATS, trying again until it succeeds, cfg.Wait is over or
// ctx ends; then its error names the address and the last cause.
//
// A connection that is lost later reconnects by itself, forever, with growing
// pauses. While it is down every publish fails at once with an error that
// IsDisconnected knows: nothing is kept back to be sent later, since by then the
// caller would have given up and a call would run that nobody waits for.
// Subscriptions live on across reconnects. The caller closes the connection.
func Connect(ctx context.Context, cfg ConnConfig) (*nats.Conn, error) {
	if cfg.URL == "" {
		cfg.URL = DefaultURL
	}
	if err := errors.Join(validURLs(cfg.URL), ValidInboxPrefix(cfg.InboxPrefix)); err != nil {
		return nil, err
	}
	if cfg.Wait <= 0 {
		cfg.Wait = DefaultConnectWait
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Wait)
	defer cancel()
	auth, err := cfg.Auth.options()
	if err != nil {
		return nil, err
	}
	opts := append(cfg.options(), auth...)
	for attempt := 1; ; attempt++ {
		nc, err := nats.Connect(cfg.URL, opts...)
		if err == nil {
			return nc, nil
		}
		if !worthRetrying(err) {
			return nil, fmt.Errorf("connect to NATS at %s: %w", PublicURL(cfg.URL), explainRefusal(err))
		}
		select {
		case <-ctx.Done():
			return nil, connectError(ctx, cfg, err)
		case <-time.After(reconnectDelay(attempt)):
		}
	}
}

// explainRefusal adds what a server's refusal asks for.
func explainRefusal(err error) error {
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		return fmt.Errorf("%w: %w: it wants credentials, or other ones", ErrDenied, err)
	case errors.Is(err, nats.ErrSecureConnRequired):
		return fmt.Errorf("%w: %w: it wants TLS", ErrDenied, err)
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("%w: %w: name the certificate of its authority", ErrDenied, unknown)
	}
	return err
}

func connectError(ctx context.Context, cfg ConnConfig, last error) error {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return fmt.Errorf("connect to NATS at %s: %w (last: %w)", PublicURL(cfg.URL), context.Canceled, last)
	}
	return fmt.Errorf("connect to NATS at %s: %w after %s: %w; is a server running there?",
		PublicURL(cfg.URL), ErrTimeout, cfg.Wait, last)
}

// worthRetrying is false for what waiting cannot mend.
func worthRetrying(err error) bool {
	if isTLS(err) {
		return false
	}
	for _, final := range []error{
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired,
		nats.ErrSecureConnRequired, nats.ErrSecureConnWanted, nats.ErrNkeysNotSupported,
	} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}

// isTLS says whether the two ends did not agree on TLS.
func isTLS(err error) bool {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var alert tls.AlertError
	var bad *tls.CertificateVerificationError
	return errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &alert) || errors.As(err, &bad)
}

// validURLs checks a list of server addresses, so that a typing error is told
// at once and by its name instead of as a server that does not answer.
func validURLs(urls string) error {
	for s := range strings.SplitSeq(urls, ",") {
		s = strings.TrimSpace(s)
		full := s
		if !strings.Contains(full, "://") {
			full = "nats://" + full
		}
		u, err := url.Parse(full)
		if err != nil {
			// url.Error repeats the address with its password.
			return fmt.Errorf("NATS address %q: %w: not a URL", PublicURL(s), ErrInvalid)
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return fmt.Errorf("NATS address %q: %w: scheme %q, want nats, tls, ws or wss", PublicURL(s), ErrInvalid, u.Scheme)
		}
		if u.Hostname() == "" {
			return fmt.Errorf("NATS address %q: %w: no host", PublicURL(s), ErrInvalid)
		}
	}
	return nil
}

func (cfg ConnConfig) options() []nats.Option {
	name, ping := cfg.Name, cfg.PingInterval
	if name == "" {
		name = "lath"
	}
	if ping <= 0 {
		ping = DefaultPingInterval
	}
	opts := []nats.Option{
		nats.Name(name),
		nats.Timeout(dialTimeout),
		nats.ReconnectBufSize(-1),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.IgnoreAuthErrorAbort(),
		nats.PingInterval(ping),
		nats.MaxPingsOutstanding(2),
		// Without a handler nats.go prints errors to standard error.
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if cfg.OnError == nil {
				return
			}
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			cfg.OnError(subject, err)
		}),
	}
	if cfg.InboxPrefix != "" {
		opts = append(opts, nats.CustomInboxPrefix(cfg.InboxPrefix))
	}
	if cfg.OnDisconnect != nil {
		opts = append(opts, nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { cfg.OnDisconnect(err) }))
	}
	if cfg.OnServers != nil {
		opts = append(opts, nats.DiscoveredServersHandler(cfg.OnServers))
	}
	if cfg.OnReconnect != nil {
		opts = append(opts, nats.ReconnectHandler(func(nc *nats.Conn) { cfg.OnReconnect(nc.ConnectedUrlRedacted()) }))
	}
	return opts
}

// reconnectDelay doubles from reconnectMin to reconnectMax and adds up to half
// of it at random, so that the hosts of a lattice do not come back in step.
func reconnectDelay(attempt int) time.Duration {
	d := reconnectMax
	if shift := max(attempt-1, 0); shift < 10 {
		d = min(reconnectMin<<shift, reconnectMax)
	}
	return d + rand.N(d/2)
}

// IsDisconnected says whether an error of a NATS call means that there was no
// connection, so that nothing was sent.
func IsDisconnected(err error) bool {
	return errors.Is(err, ErrDisconnected) || errors.Is(err, nats.ErrReconnectBufExceeded) ||
		errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrDisconnected) ||
		errors.Is(err, nats.ErrConnectionReconnecting)
}

// Disconnected wraps an error of a NATS call with ErrDisconnected if it means
// that, and returns any other as it is.
func Disconnected(err error) error {
	if err == nil || errors.Is(err, ErrDisconnected) || !IsDisconnected(err) {
		return err
	}
	return fmt.Errorf("%w (%w)", ErrDisconnected, err)
}

// maxServers bounds the list that Servers returns.
const maxServers = 32

// Servers returns the list of server addresses that a connection was made with,
// with others that it has learned of since, so that who connects with it later
// finds a server that is left. What is named with a user is so in all of it.
func Servers(conn *Conn, urls string) string {
	known := map[string]bool{}
	var user *url.Userinfo
	list := strings.Split(urls, ",")
	for _, s := range list {
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil {
			known[u.Host] = true
			user = cmp.Or(user, u.User)
		}
	}
	for _, s := range conn.DiscoveredServers() {
		if u, err := url.Parse(s); err == nil && !known[u.Host] && len(list) < maxServers {
			u.User = user
			list = append(list, u.String())
		}
	}
	return strings.Join(list, ",")
}

// ValidInboxPrefix checks what the inboxes of a connection are to begin with;
// empty means the default.
func ValidInboxPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	for token := range strings.SplitSeq(prefix, ".") {
		if token == "" || strings.ContainsAny(token, "*> \t\r\n") {
			return fmt.Errorf("inbox prefix %.80q: %w: want words with dots between them, such as _INBOX.prod.edge-1", prefix, ErrInvalid)
		}
	}
	if len(prefix) > maxInboxPrefix {
		return fmt.Errorf("inbox prefix: %w: %d bytes, at most %d", ErrInvalid, len(prefix), maxInboxPrefix)
	}
	return nil
}

// maxInboxPrefix bounds a prefix: it is in every message of a call.
const maxInboxPrefix = 128

// PublicURL hides user names and passwords in a list of server addresses.
func PublicURL(urls string) string {
	list := strings.Split(urls, ",")
	for i, u := range list {
		u = strings.TrimSpace(u)
		scheme, rest, ok := strings.Cut(u, "://")
		if !ok {
			scheme, rest = "", u
		} else {
			scheme += "://"
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = "***@" + rest[at+1:]
		}
		list[i] = scheme + rest
	}
	return strings.Join(list, ",")
}

// flushWait bounds a Flush whose context has no deadline.
const flushWait = 10 * time.Second

// Flush waits until the server has processed all that was sent so far, for at
// most 10 seconds.
func Flush(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, flushWait)
	defer cancel()
	if err := nc.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("flush: %w", Disconnected(err))
	}
	return nil
}
