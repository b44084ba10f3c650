package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
)

// VaultServer says where Vault is. Source: HashiCorp Vault, HTTP API, KV secrets
// engine version 2.
type VaultServer struct {
	// Addr is its URL.
	Addr string
	// TokenFile has the token, and is read before each request, so that an agent can
	// renew it.
	TokenFile string
	// Namespace is that of Vault Enterprise; it may be empty.
	Namespace string
	// Client is for its requests. Nil: one of its own.
	Client *http.Client
}

const (
	vaultTime = 10 * time.Second
	// maxVault bounds an answer, in bytes.
	maxVault = 1 << 20
	maxToken = 64 << 10
)

type vault struct {
	VaultServer
	base *url.URL
}

func newVault(s VaultServer) (*vault, error) {
	base, err := url.Parse(s.Addr)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil {
		return nil, fmt.Errorf("address of Vault: %w: want a URL such as https://vault.example.org:8200", lattice.ErrInvalid)
	}
	if s.TokenFile == "" {
		return nil, fmt.Errorf("vault: %w: no file with its token", lattice.ErrInvalid)
	}
	client := http.Client{}
	if s.Client != nil {
		client = *s.Client
	}
	client.Timeout = vaultTime
	// The token is for one server.
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return errors.New("it sends us to another server: name the active one")
	}
	s.Client = &client
	return &vault{s, base}, nil
}

// Get implements Backend. The first part of a key is where the engine is mounted.
func (v *vault) Get(ctx context.Context, r secret.Request) (provider.Secret, error) {
	s, err := v.get(ctx, r)
	if err != nil {
		return provider.Secret{}, fmt.Errorf("vault: %s: %w", r.Key, err)
	}
	return s, nil
}

func (v *vault) get(ctx context.Context, r secret.Request) (s provider.Secret, err error) {
	target, err := v.url(r)
	if err != nil {
		return s, err
	}
	token, err := readToken(v.TokenFile)
	if err != nil {
		return s, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return s, err
	}
	req.Header.Set("X-Vault-Token", token)
	req.Header.Set("X-Vault-Request", "true")
	if v.Namespace != "" {
		req.Header.Set("X-Vault-Namespace", v.Namespace)
	}
	answer, err := v.Client.Do(req)
	if err != nil {
		if t, ok := errors.AsType[*url.Error](err); ok && t.Timeout() {
			return s, fmt.Errorf("%w: %s does not answer", lattice.ErrTimeout, v.base.Host)
		}
		return s, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxVault+1))
	if err != nil {
		return s, err
	}
	if len(body) > maxVault {
		return s, fmt.Errorf("%w: its answer has more than %d bytes", lattice.ErrInvalid, maxVault)
	}
	return decodeVault(answer.StatusCode, body)
}

func (v *vault) url(r secret.Request) (string, error) {
	mount, path, ok := strings.Cut(r.Key, "/")
	parts := strings.Split(path, "/")
	for _, p := range append(parts, mount) {
		if p == "" || p == "." || p == ".." {
			ok = false
		}
	}
	if !ok {
		return "", fmt.Errorf("%w: want MOUNT/PATH, such as secret/app/db", lattice.ErrInvalid)
	}
	u := v.base.JoinPath(append([]string{"v1", url.PathEscape(mount), "data"}, escaped(parts)...)...)
	if r.Version != "" {
		n, err := strconv.ParseUint(r.Version, 10, 63)
		if err != nil {
			return "", fmt.Errorf("version %.40q: %w: want a number", r.Version, lattice.ErrInvalid)
		}
		u.RawQuery = "version=" + strconv.FormatUint(n, 10)
	}
	return u.String(), nil
}

func escaped(parts []string) []string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = url.PathEscape(p)
	}
	return out
}

func readToken(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("its token: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("its token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("its token: %w: want one line in %s", lattice.ErrInvalid, name)
	}
	return token, nil
}

// decodeVault reads an answer. A secret of Vault is an object; it is given as JSON,
// of which a reference's field names one value.
func decodeVault(status int, body []byte) (s provider.Secret, err error) {
	var answer struct {
		Data struct {
			Data json.RawMessage `json:"data"`
		} `json:"data"`
		Errors []string `json:"errors"`
	}
	bad := json.Unmarshal(body, &answer) != nil
	switch {
	case status == http.StatusNotFound:
		return s, lattice.ErrNotFound // also a version that was deleted
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return s, fmt.Errorf("%w: its policies do not let the host's token read it", lattice.ErrDenied)
	case status != http.StatusOK:
		return s, fmt.Errorf("status %d: %.300s", status, strings.Join(answer.Errors, "; "))
	case bad || len(answer.Data.Data) == 0 || answer.Data.Data[0] != '{':
		return s, fmt.Errorf("%w: its answer is none of a KV engine of version 2", lattice.ErrInvalid)
	case len(answer.Data.Data) > secret.MaxValue:
		return s, fmt.Errorf("%w: more than %d bytes", lattice.ErrInvalid, secret.MaxValue)
	}
	return provider.TextSecret(string(answer.Data.Data)), nil
}
