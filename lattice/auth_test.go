package lattice_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

// serve runs a NATS server with options.
func serve(t *testing.T, opts *server.Options) string {
	t.Helper()
	opts.Host, opts.Port, opts.NoSigs, opts.NoLog = "127.0.0.1", -1, true, true
	ns, err := server.NewServer(opts)
	require.NoError(t, err)
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	require.True(t, ns.ReadyForConnections(10*time.Second))
	return ns.ClientURL()
}

// tryConnect connects and asks the server something.
func tryConnect(t *testing.T, url string, auth lattice.Auth) error {
	t.Helper()
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: url, Auth: auth, Wait: 10 * time.Second})
	if err != nil {
		return err
	}
	defer nc.Close()
	return lattice.Flush(t.Context(), nc)
}

func newUser(t *testing.T) (seed, public string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	require.NoError(t, err)
	raw, err := pair.Seed()
	require.NoError(t, err)
	public, err = pair.PublicKey()
	require.NoError(t, err)
	return string(raw), public
}

func TestConnectByNkey(t *testing.T) {
	t.Parallel()
	seed, public := newUser(t)
	other, _ := newUser(t)
	url := serve(t, &server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}})
	require.NoError(t, tryConnect(t, url, lattice.Auth{Seed: seed}))
	for _, auth := range []lattice.Auth{{}, {Seed: other}} {
		err := tryConnect(t, url, auth)
		require.ErrorIs(t, err, lattice.ErrDenied)
		require.ErrorContains(t, err, "it wants credentials, or other ones")
	}
}

// An operator's server knows users by their JWTs, in a file or given as they are.
func TestConnectByJWT(t *testing.T) {
	t.Parallel()
	operator, err := nkeys.CreateOperator()
	require.NoError(t, err)
	account, err := nkeys.CreateAccount()
	require.NoError(t, err)
	accountKey, err := account.PublicKey()
	require.NoError(t, err)
	accountJWT, err := jwt.NewAccountClaims(accountKey).Encode(operator)
	require.NoError(t, err)
	operatorKey, err := operator.PublicKey()
	require.NoError(t, err)
	resolver := &server.MemAccResolver{}
	require.NoError(t, resolver.Store(accountKey, accountJWT))
	url := serve(t, &server.Options{TrustedKeys: []string{operatorKey}, AccountResolver: resolver})

	seed, public := newUser(t)
	token, err := jwt.NewUserClaims(public).Encode(account)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "user.creds")
	creds, err := jwt.FormatUserConfig(token, []byte(seed))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, creds, 0o600))

	require.NoError(t, tryConnect(t, url, lattice.Auth{CredsFile: file}))
	require.NoError(t, tryConnect(t, url, lattice.Auth{JWT: token, Seed: seed}))
	other, _ := newUser(t)
	require.ErrorIs(t, tryConnect(t, url, lattice.Auth{JWT: token, Seed: other}), lattice.ErrDenied)
	require.ErrorIs(t, tryConnect(t, url, lattice.Auth{Seed: seed}), lattice.ErrDenied)
}

func TestConnectByTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	url := serve(t, &server.Options{TLS: true, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{ca.pair(t, "server")}, ClientCAs: ca.pool, ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS12,
	}})
	cert, key := ca.files(t, "host")
	require.NoError(t, tryConnect(t, url, lattice.Auth{CAFiles: []string{ca.file}, CertFile: cert, KeyFile: key}))

	err := tryConnect(t, url, lattice.Auth{CertFile: cert, KeyFile: key})
	require.ErrorIs(t, err, lattice.ErrDenied)
	require.ErrorContains(t, err, "name the certificate of its authority")
	require.Error(t, tryConnect(t, url, lattice.Auth{CAFiles: []string{ca.file}}), "it wants a certificate")
	stranger := newAuthority(t)
	cert, key = stranger.files(t, "host")
	require.Error(t, tryConnect(t, url, lattice.Auth{CAFiles: []string{ca.file}, CertFile: cert, KeyFile: key}))

	first := serve(t, &server.Options{TLS: true, TLSHandshakeFirst: true, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{ca.pair(t, "server")}, MinVersion: tls.VersionTLS12,
	}})
	require.NoError(t, tryConnect(t, first, lattice.Auth{CAFiles: []string{ca.file}, TLSFirst: true}))
	pem, err := os.ReadFile(ca.file)
	require.NoError(t, err)
	require.NoError(t, tryConnect(t, first, lattice.Auth{CAs: string(pem), TLSFirst: true}))
	require.NoError(t, tryConnect(t, first, lattice.Auth{CAFiles: []string{stranger.file}, CAs: string(pem), TLSFirst: true}))
	require.ErrorIs(t, tryConnect(t, first, lattice.Auth{CAFiles: []string{stranger.file}, TLSFirst: true}), lattice.ErrDenied)
}

func TestBadAuth(t *testing.T) {
	t.Parallel()
	seed, _ := newUser(t)
	account, err := nkeys.CreateAccount()
	require.NoError(t, err)
	raw, err := account.Seed()
	require.NoError(t, err)
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for want, auth := range map[string]lattice.Auth{
		"not both":                     {CredsFile: empty, Seed: seed},
		"goes with the seed":           {JWT: "x"},
		"want a user's seed":           {Seed: "SUNONSENSE"},
		"a user's seed starts with SU": {Seed: string(raw)},
		"no such file":                 {CredsFile: empty + "-not"},
		"as nsc generate creds writes": {CredsFile: empty},
		"no certificate in it":         {CAFiles: []string{empty}},
		"in what is given":             {CAs: "x"},
		"goes with its key":            {CertFile: empty},
		"failed to find any PEM":       {CertFile: empty, KeyFile: empty},
	} {
		err := auth.Validate()
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), seed)
		require.NotContains(t, err.Error(), string(raw))
		_, err = lattice.Connect(t.Context(), lattice.ConnConfig{URL: "nats://127.0.0.1:1", Auth: auth})
		require.ErrorContains(t, err, want, "before anything is dialled")
	}
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}}, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.pool.AddCert(a.cert)
	a.file = writePEM(t, "CERTIFICATE", der)
	return a
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return file
}

// files are a certificate and its key.
func (a *authority) files(t *testing.T, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &private.PublicKey, a.key)
	require.NoError(t, err)
	secret, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	return writePEM(t, "CERTIFICATE", der), writePEM(t, "EC PRIVATE KEY", secret)
}

func (a *authority) pair(t *testing.T, name string) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(a.files(t, name))
	require.NoError(t, err)
	return pair
}
