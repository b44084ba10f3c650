package postgrestest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	wire "github.com/lathhost/lath/lattice/provider"
)

// Who may do all on a server.
const (
	User     = "lath"
	Password = "pass word'\\" // such as must not be written into an address
)

// startTime bounds the start of a server.
const startTime = time.Minute

// Server is a PostgreSQL server, on a port of this machine, with TLS for those who want
// it. The zero value is one that starts when it is first asked for; all tests of a
// package share it. Stop it at the end of TestMain.
type Server struct {
	once sync.Once
	err  error

	bin, dir string
	port     int
	cmd      *exec.Cmd
	ended    chan struct{} // closed when cmd is
	ca       []byte
	made     atomic.Int64
}

// Settings are those of a new database's connections. Without the server's programs the
// test is skipped.
func (s *Server) Settings(t testing.TB) wire.Settings {
	t.Helper()
	s.Need(t)
	settings, err := s.Database()
	if err != nil {
		t.Fatalf("make a database: %v", err)
	}
	return settings
}

// Database makes a database and returns the settings of connections to it.
func (s *Server) Database() (wire.Settings, error) {
	if err := s.Ensure(); err != nil {
		return wire.Settings{}, err
	}
	name := fmt.Sprintf("test%d", s.made.Add(1))
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	conn, err := s.connect(ctx)
	if err != nil {
		return wire.Settings{}, err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name).ReadAll()
	return s.settings(name), err
}

func (s *Server) settings(database string) wire.Settings {
	return wire.Settings{
		Config: map[string]string{"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": strconv.Itoa(s.port),
			"POSTGRES_USERNAME": User, "POSTGRES_DATABASE": database},
		Secrets: map[string]wire.Secret{"POSTGRES_PASSWORD": wire.TextSecret(Password)},
	}
}

// CA is the certificate by which the server is known, in PEM.
func (s *Server) CA() []byte { return s.ca }

// Port is where the server listens.
func (s *Server) Port() int { return s.port }

// Need starts the server, or skips the test where its programs are missing.
func (s *Server) Need(t testing.TB) {
	t.Helper()
	err := s.Ensure()
	if errors.Is(err, ErrMissing) {
		t.Skipf("SKIPPED: no PostgreSQL server: %v; install postgresql", err)
	}
	if err != nil {
		t.Fatalf("start a PostgreSQL server: %v", err)
	}
}

// Ensure starts the server unless it runs.
func (s *Server) Ensure() error {
	s.once.Do(func() { s.err = s.create() })
	return s.err
}

// ErrMissing: PostgreSQL is not installed.
var ErrMissing = errors.New("its programs are not there")

// find looks for the server's programs where Debian has them, besides in PATH.
func find() (dir string, err error) {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.Reverse(installed) // the newest first
	for _, dir := range append(dirs, installed...) {
		_, noInit := os.Stat(filepath.Join(dir, "initdb"))
		_, noServer := os.Stat(filepath.Join(dir, "postgres"))
		if noInit == nil && noServer == nil {
			return dir, nil
		}
	}
	return "", ErrMissing
}

// create makes a server's files and starts it on a free port.
func (s *Server) create() (err error) {
	if s.bin, err = find(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "postgres"); err != nil {
		return err
	}
	if s.ca, err = s.writeFiles(); err != nil {
		return err
	}
	if err := give(s.dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	initdb := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "--pgdata", filepath.Join(s.dir, "data"), "--no-sync", "--encoding", "UTF8", "--locale", "C",
		"--username", User, "--auth", "scram-sha-256", "--pwfile", filepath.Join(s.dir, "password"))
	unprivileged(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.port = l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // of a TCP listener
	if err := l.Close(); err != nil {
		return err
	}
	return s.Start()
}

// Start starts a server that was killed, with the same files on the same port.
func (s *Server) Start() error {
	s.cmd = exec.CommandContext(context.Background(), filepath.Join(s.bin, "postgres"), "-D", filepath.Join(s.dir, "data"), "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=300",
		"-c", "ssl=on", "-c", "ssl_cert_file="+filepath.Join(s.dir, "cert.pem"), "-c", "ssl_key_file="+filepath.Join(s.dir, "key.pem"))
	unprivileged(s.cmd)
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.run(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		conn, err := s.connect(ctx)
		if err == nil {
			return conn.Close(ctx)
		}
		if ctx.Err() != nil {
			text, _ := os.ReadFile(log.Name()) // for the message
			return fmt.Errorf("%w\n%s", err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// run starts the server's process, and waits for its end on a thread that stays until
// then: the system takes the death of the thread for that of the parent.
func (s *Server) run() error {
	cmd, begun, ended := s.cmd, make(chan error, 1), make(chan struct{})
	s.ended = ended
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		begun <- err
		if err == nil {
			_ = cmd.Wait() // it ends when it is told to
		}
	}()
	return <-begun
}

// Kill ends the server and its connections at once.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	// Its children see that it is gone, but not at once; told to quit, it ends them.
	quit(s.cmd.Process)
	<-s.ended
	s.cmd = nil
}

// Stop ends the server and removes its files.
func (s *Server) Stop() {
	s.Kill()
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func (s *Server) connect(ctx context.Context) (*pgconn.PgConn, error) {
	cfg, err := pgconn.ParseConfig("host=127.0.0.1 user=" + User + " dbname=postgres sslmode=disable")
	if err != nil {
		return nil, err
	}
	cfg.Port, cfg.Password = uint16(s.port), Password //nolint:gosec // a port
	return pgconn.ConnectConfig(ctx, cfg)
}

// writeFiles writes the password and what TLS needs, and returns the certificate.
func (s *Server) writeFiles() (cert []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "postgrestest"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, data := range map[string][]byte{
		"cert.pem": cert, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), "password": []byte(Password + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	return cert, nil
}
