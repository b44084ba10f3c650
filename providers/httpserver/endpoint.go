package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// routing is what an endpoint follows now. It is immutable.
type routing struct {
	table *Table
	links []*followed // by the table's routes
}

// endpoint is one address that is listened at, with its server.
type endpoint struct {
	listen  listening
	log     *zap.Logger
	routing atomic.Pointer[routing]
	cert    atomic.Pointer[tls.Certificate]

	server   *http.Server
	listener net.Listener
	at       net.Addr
	serving  sync.WaitGroup
}

func newEndpoint(l listening, logger *zap.Logger) *endpoint {
	e := &endpoint{listen: l, log: logger.With(zap.String("address", l.address))}
	e.server = &http.Server{
		Handler: e, ReadHeaderTimeout: l.headerTimeout, IdleTimeout: l.idleTimeout, MaxHeaderBytes: l.maxHeader,
		ErrorLog: errorLog(e.log), Protocols: &http.Protocols{},
	}
	e.server.Protocols.SetHTTP1(true)
	e.server.Protocols.SetHTTP2(l.http2 && l.certFile != "")
	e.server.Protocols.SetUnencryptedHTTP2(l.h2c && l.certFile == "")
	if l.certFile != "" {
		e.server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return e.cert.Load(), nil
		}}
	}
	return e
}

// errorLog takes what net/http says of clients that break the rules: they are many,
// and nobody's fault here.
func errorLog(l *zap.Logger) *log.Logger {
	std, err := zap.NewStdLogAt(l, zap.DebugLevel)
	if err != nil {
		return log.Default() // the level is known, so this is not
	}
	return std
}

// start listens, and answers on goroutines of its own.
func (e *endpoint) start() error {
	keepalive := net.KeepAliveConfig{Enable: !e.listen.noKeepalive}
	cfg := net.ListenConfig{KeepAliveConfig: keepalive}
	if e.listen.noKeepalive {
		cfg.KeepAlive = -1
	}
	l, err := cfg.Listen(context.Background(), "tcp", e.listen.address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("address in use: %s, by another program on this host or another provider", e.listen.address)
	}
	if err != nil {
		return fmt.Errorf("listen at %s: %w", e.listen.address, err)
	}
	e.at = l.Addr()
	e.listener = newBounded(l, e.listen.maxConns, e.listen.idleTimeout)
	e.log.Info("listening for HTTP", zap.Stringer("at", e.at), zap.Bool("tls", e.listen.certFile != ""))
	e.serving.Go(func() {
		var err error
		if e.listen.certFile != "" {
			err = e.server.ServeTLS(e.listener, "", "")
		} else {
			err = e.server.Serve(e.listener)
		}
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			e.log.Error("no longer listening", zap.Error(err))
		}
	})
	return nil
}

// free gives up the address at once. Requests go on.
func (e *endpoint) free() { _ = e.listener.Close() } // else it was closed before

// end takes no more requests and waits for those that are under way, until ctx
// ends: then their connections are closed.
func (e *endpoint) end(ctx context.Context) error {
	err := e.server.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("address %s: requests were cut off: %w", e.listen.address, err)
	}
	_ = e.server.Close() // what is left is idle, or was cut off
	e.serving.Wait()
	return err
}

// certificate reads the certificate of an address that has one.
func (s *Server) certificate(l listening) (*tls.Certificate, error) {
	if l.certFile == "" {
		return nil, nil
	}
	if s.cfg.ReadFile == nil {
		return nil, errors.New("setting tls_cert_file: no files are granted")
	}
	cert, err := s.cfg.ReadFile(l.certFile)
	if err != nil {
		return nil, fmt.Errorf("setting tls_cert_file: %w", err)
	}
	key, err := s.cfg.ReadFile(l.key)
	if err != nil {
		return nil, fmt.Errorf("setting tls_priv_key_file: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("settings tls_cert_file and tls_priv_key_file: %w", err)
	}
	if pair.Leaf != nil && time.Now().After(pair.Leaf.NotAfter) {
		s.cfg.Log.Warn("the certificate has expired", zap.String("file", l.certFile), zap.Time("on", pair.Leaf.NotAfter))
	}
	return &pair, nil
}
