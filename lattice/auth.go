package lattice

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// Auth is how to show a NATS server who connects, and how to know the server. The
// zero value shows nothing and trusts the system's authorities.
type Auth struct {
	// CredsFile holds a user's JWT and seed, as nsc and nats write them. It is read
	// anew at each connection, so that a new file is taken up.
	CredsFile string
	// JWT is a user's, which goes with Seed.
	JWT string
	// Seed is a user's nkey seed (SU…). Without JWT it is the nkey that the server
	// knows.
	Seed string
	// CAFiles hold certificates of authorities, PEM, which alone are trusted then.
	CAFiles []string
	// CAs are such certificates themselves, PEM, trusted beside those of CAFiles.
	CAs string
	// CertFile and KeyFile are what to show a server that asks for a certificate
	// (mutual TLS). They are read anew at each connection.
	CertFile, KeyFile string
	// TLSFirst begins TLS before the server has said anything; the server must be
	// set up for it (handshake_first).
	TLSFirst bool
}

// IsZero says whether nothing is set.
func (a Auth) IsZero() bool {
	return a.CredsFile == "" && a.JWT == "" && a.Seed == "" && len(a.CAFiles) == 0 && a.CAs == "" && a.CertFile == "" && a.KeyFile == "" && !a.TLSFirst
}

// Validate reports everything that is wrong with a, and reads its files. An error
// never repeats a seed.
func (a Auth) Validate() error {
	_, err := a.options()
	return err
}

func (a Auth) options() ([]nats.Option, error) {
	user, err := a.user()
	transport, err2 := a.transport()
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	return append(user, transport...), nil
}

// user is who connects.
func (a Auth) user() ([]nats.Option, error) {
	switch {
	case a.CredsFile != "" && (a.JWT != "" || a.Seed != ""):
		return nil, fmt.Errorf("NATS credentials: %w: give a credentials file, or a seed with or without a JWT, not both", ErrInvalid)
	case a.JWT != "" && a.Seed == "":
		return nil, fmt.Errorf("NATS credentials: %w: a JWT goes with the seed of its user", ErrInvalid)
	case a.CredsFile != "":
		if err := checkCreds(a.CredsFile); err != nil {
			return nil, err
		}
		return []nats.Option{nats.UserCredentials(a.CredsFile)}, nil
	case a.Seed == "":
		return nil, nil
	}
	pair, err := nkeys.FromSeed([]byte(a.Seed))
	if err != nil {
		return nil, fmt.Errorf("NATS seed: %w: want a user's seed (SU…)", ErrInvalid)
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err != nil || !nkeys.IsValidPublicUserKey(public) {
		return nil, fmt.Errorf("NATS seed: %w: it is of another kind, a user's seed starts with SU", ErrInvalid)
	}
	if a.JWT != "" {
		return []nats.Option{nats.UserJWTAndSeed(a.JWT, a.Seed)}, nil
	}
	seed := a.Seed
	return []nats.Option{nats.Nkey(public, func(nonce []byte) ([]byte, error) {
		pair, err := nkeys.FromSeed([]byte(seed))
		if err != nil {
			return nil, errors.New("NATS seed is no seed") // it was one
		}
		defer pair.Wipe()
		return pair.Sign(nonce)
	})}, nil
}

// User returns the JWT and the seed of the user, from the credentials file too, for
// who hands them on. Both are empty where a has none; a user without JWT has a seed
// alone.
func (a Auth) User() (jwt, seed string, err error) {
	if a.CredsFile == "" {
		return a.JWT, a.Seed, nil
	}
	b, err := os.ReadFile(a.CredsFile)
	if err != nil {
		return "", "", fmt.Errorf("NATS credentials: %w: %w", ErrInvalid, err)
	}
	defer clear(b)
	jwt, err = nkeys.ParseDecoratedJWT(b)
	var pair nkeys.KeyPair
	if err == nil {
		pair, err = nkeys.ParseDecoratedUserNKey(b)
	}
	if err != nil {
		return "", "", fmt.Errorf("NATS credentials %s: %w: want a user's JWT and seed, as nsc generate creds writes them", a.CredsFile, ErrInvalid)
	}
	defer pair.Wipe()
	raw, err := pair.Seed()
	return jwt, string(raw), err
}

// checkCreds reads a credentials file as the connection will.
func checkCreds(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("NATS credentials: %w: %w", ErrInvalid, err)
	}
	defer clear(b)
	_, err = nkeys.ParseDecoratedJWT(b)
	if err == nil {
		_, err = nkeys.ParseDecoratedUserNKey(b)
	}
	if err != nil {
		return fmt.Errorf("NATS credentials %s: %w: want a user's JWT and seed, as nsc generate creds writes them", path, ErrInvalid)
	}
	return nil
}

// authorities are those that alone are trusted.
func (a Auth) authorities() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, path := range a.CAFiles {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("NATS certificate authority: %w: %w", ErrInvalid, err)
		}
		if !pool.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("NATS certificate authority %s: %w: no certificate in it (want PEM)", path, ErrInvalid)
		}
	}
	if a.CAs != "" && !pool.AppendCertsFromPEM([]byte(a.CAs)) {
		return nil, fmt.Errorf("NATS certificate authority: %w: no certificate in what is given (want PEM)", ErrInvalid)
	}
	return pool, nil
}

// transport is how the connection is secured.
func (a Auth) transport() ([]nats.Option, error) {
	var opts []nats.Option
	if len(a.CAFiles) > 0 || a.CAs != "" {
		if _, err := a.authorities(); err != nil {
			return nil, err
		}
		opts = append(opts, func(o *nats.Options) error {
			if o.TLSConfig == nil {
				o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
			}
			o.Secure, o.RootCAsCB = true, a.authorities
			return nil
		})
	}
	if (a.CertFile == "") != (a.KeyFile == "") {
		return nil, fmt.Errorf("NATS certificate: %w: a certificate goes with its key", ErrInvalid)
	}
	if a.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(a.CertFile, a.KeyFile); err != nil {
			return nil, fmt.Errorf("NATS certificate %s: %w: %w", a.CertFile, ErrInvalid, err)
		}
		opts = append(opts, nats.ClientCert(a.CertFile, a.KeyFile))
	}
	if a.TLSFirst {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	return opts, nil
}
