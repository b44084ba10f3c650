package secret

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
)

// Client asks v1's secrets backends, which answer on NATS. It is safe for concurrent
// use. Source: protocol §8.2.
type Client struct {
	conn      *lattice.Conn
	base      string
	hostToken string
}

// NewClient returns a client of the backends whose subjects have a base, for a host.
func NewClient(conn *lattice.Conn, base string, host *lattice.Identity) (*Client, error) {
	if err := lattice.ValidInboxPrefix(base); base == "" || err != nil {
		return nil, fmt.Errorf("secrets topic %.60q: %w: want the start of a subject, such as wasmcloud.secrets", base, lattice.ErrInvalid)
	}
	token, err := selfSigned(host, time.Now())
	if err != nil {
		return nil, fmt.Errorf("sign a token for secrets backends: %w", err)
	}
	return &Client{conn: conn, base: base, hostToken: token}, nil
}

// selfSigned is what a host says of itself, signed by an account that is made for
// that. Backends check the form and the signature; see protocol §10.1.
func selfSigned(host *lattice.Identity, now time.Time) (string, error) {
	account, err := nkeys.CreateAccount()
	if err != nil {
		return "", err
	}
	defer account.Wipe()
	issuer, err := account.PublicKey()
	if err != nil {
		return "", err
	}
	header, err := lattice.EncodeJSON(map[string]string{"typ": "jwt", "alg": "Ed25519"})
	if err != nil {
		return "", err
	}
	payload, err := lattice.EncodeJSON(map[string]any{
		"jti": rand.Text(), "iat": now.Unix(), "iss": issuer, "sub": host.ID, "wascap_revision": 3,
		"wascap": map[string]any{"name": host.Name, "labels": map[string]string{"self_signed": "true"}},
	})
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := account.Sign([]byte(signed))
	if err != nil {
		return "", err
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// requestJSON is what a backend is asked. Absent parts are null, as v1 writes them.
type requestJSON struct {
	Key     string  `json:"key"`
	Field   *string `json:"field"`
	Version *string `json:"version"`
	Context struct {
		Entity      string `json:"entity_jwt"`
		Host        string `json:"host_jwt"`
		Application struct {
			Name   *string `json:"name"`
			Policy string  `json:"policy"`
		} `json:"application"`
	} `json:"context"`
}

func (c *Client) request(r Request) requestJSON {
	q := requestJSON{Key: r.Key, Field: optional(r.Field), Version: optional(r.Version)}
	q.Context.Entity, q.Context.Host = r.Entity.Token, c.hostToken
	q.Context.Application.Name, q.Context.Application.Policy = optional(r.Entity.Application), r.policy()
	return q
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// responseJSON is what it answers.
type responseJSON struct {
	Secret *struct {
		Text  *string          `json:"string_secret"`
		Bytes *provider.Sealed `json:"binary_secret"`
	} `json:"secret"`
	Error json.RawMessage `json:"error"`
}

// Get asks the backend that the reference names. The request and the answer are
// sealed. Errors match lattice.ErrNotFound, ErrDenied, ErrTimeout or ErrInvalid where
// they are one of these.
func (c *Client) Get(ctx context.Context, r Request) (provider.Secret, error) {
	s, err := c.get(ctx, r)
	if err != nil {
		return provider.Secret{}, fmt.Errorf("secrets backend %s: %w", r.Backend, err)
	}
	return s, nil
}

func (c *Client) get(ctx context.Context, r Request) (s provider.Secret, err error) {
	if err := r.Validate(); err != nil {
		return s, err
	}
	if r.Entity.Token == "" {
		return s, fmt.Errorf("%w: %s is not signed: it has no embedded token, by which the backend decides (sign it with wash when it is built)", lattice.ErrDenied, r.Entity.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	server, err := c.conn.RequestWithContext(ctx, lattice.SecretServerXKey(c.base, r.Backend), nil)
	if err != nil {
		return s, c.explain(r.Backend, err)
	}
	if err := ValidPublic(string(server.Data)); err != nil {
		return s, err
	}
	own, err := nkeys.CreateCurveKeys()
	if err != nil {
		return s, err
	}
	defer own.Wipe()
	ask, err := c.seal(r, own, string(server.Data))
	if err != nil {
		return s, err
	}
	answer, err := c.conn.RequestMsgWithContext(ctx, ask)
	if err != nil {
		return s, c.explain(r.Backend, err)
	}
	return open(answer, own)
}

func (c *Client) seal(r Request, own nkeys.KeyPair, server string) (*nats.Msg, error) {
	plain, err := lattice.EncodeJSON(c.request(r))
	if err != nil {
		return nil, err
	}
	msg := nats.NewMsg(lattice.SecretGet(c.base, r.Backend))
	if msg.Data, err = own.Seal(plain, server); err != nil {
		return nil, fmt.Errorf("seal the request: %w", err)
	}
	public, err := own.PublicKey()
	if err != nil {
		return nil, err
	}
	msg.Header.Set(lattice.HeaderHostXKey, public)
	return msg, nil
}

func open(answer *nats.Msg, own nkeys.KeyPair) (s provider.Secret, err error) {
	plain := answer.Data
	from := answer.Header.Get(lattice.HeaderServerXKey)
	if from != "" {
		if err := ValidPublic(from); err != nil {
			return s, err
		}
		if plain, err = own.Open(answer.Data, from); err != nil {
			return s, fmt.Errorf("%w: its answer does not open", lattice.ErrInvalid)
		}
		defer clear(plain)
	}
	return decodeResponse(plain, from != "")
}

// decodeResponse reads an answer. What came without a seal is no secret.
func decodeResponse(data []byte, sealed bool) (s provider.Secret, err error) {
	var r responseJSON
	if len(data) > MaxEntry || json.Unmarshal(data, &r) != nil { // whose error might repeat some of it
		return s, fmt.Errorf("%w: its answer makes no sense", lattice.ErrInvalid)
	}
	switch {
	case len(r.Error) > 0 && string(r.Error) != "null":
		return s, backendError(r.Error)
	case !sealed:
		return s, fmt.Errorf("%w: its answer is not sealed", lattice.ErrInvalid)
	case r.Secret == nil:
		return s, lattice.ErrNotFound
	case r.Secret.Text != nil:
		s = provider.TextSecret(*r.Secret.Text)
	case r.Secret.Bytes != nil:
		s = provider.BytesSecret(*r.Secret.Bytes)
	default:
		return s, fmt.Errorf("%w: the secret has no value", lattice.ErrInvalid)
	}
	if n := len(s.Bytes()); n > MaxValue {
		return provider.Secret{}, fmt.Errorf("%w: the secret has %d bytes, the limit is %d", lattice.ErrInvalid, n, MaxValue)
	}
	return s, nil
}

// maxReason bounds what is repeated of a backend's error, in bytes.
const maxReason = 300

// backendError reads v1's errors: the name of one, or a map of its name to a text.
func backendError(data json.RawMessage) error {
	var name, text string
	if json.Unmarshal(data, &name) != nil {
		var named map[string]string
		if json.Unmarshal(data, &named) != nil || len(named) != 1 {
			return errors.New("it failed, and does not say why")
		}
		for name, text = range named { // there is one
		}
	}
	reason := fmt.Sprintf("%.60s", name)
	if text != "" {
		reason += fmt.Sprintf(": %.*s", maxReason, text)
	}
	switch name {
	case "SecretNotFound":
		return lattice.ErrNotFound
	case "Unauthorized", "InvalidEntityJWT", "InvalidHostJWT", "PolicyError":
		return fmt.Errorf("%w: %s", lattice.ErrDenied, reason)
	}
	return errors.New(reason)
}

func (c *Client) explain(backend string, err error) error {
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: nobody answers on %s: is the backend running?", lattice.ErrNotFound, lattice.SecretGet(c.base, backend))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("%w: no answer on %s", lattice.ErrTimeout, lattice.SecretGet(c.base, backend))
	}
	return lattice.Disconnected(err)
}
