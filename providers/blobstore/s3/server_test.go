package s3_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/stretchr/testify/require"
)

// The credentials that the server takes.
const accessKey, secretKey = "AKIALATH", "a secret of tests"

// server is an S3 server on an address of its own, which may go away and come back.
type server struct {
	addr    string
	handler http.Handler
	http    *http.Server
	asked   atomic.Int64 // requests
	// refuse, if set, is asked for a status before each request; 0: it is served.
	refuse func(*http.Request) int
}

func startServer(t testing.TB) *server {
	t.Helper()
	return startWith(t, gofakes3.New(s3mem.New(), gofakes3.WithTimeSkewLimit(0)).Server())
}

// startWith starts a server that answers as a handler does.
func startWith(t testing.TB, handler http.Handler) *server {
	t.Helper()
	s := &server{addr: "127.0.0.1:0", handler: handler}
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

func (s *server) url() string { return "http://" + s.addr }

func (s *server) start(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", s.addr)
	require.NoError(t, err)
	s.addr = l.Addr().String()
	s.http = &http.Server{Handler: s} //nolint:gosec // its client is the test
	go s.http.Serve(l)                // it ends by stop
}

// stop ends the server and all its connections.
func (s *server) stop() { _ = s.http.Close() }

// ServeHTTP serves whoever has signed with the credentials.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	if s.refuse != nil {
		if status := s.refuse(r); status != 0 {
			http.Error(w, "", status)
			return
		}
	}
	if code := check(r); code != "" {
		w.WriteHeader(http.StatusForbidden)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>who is that</Message></Error>", code)
		}
		return
	}
	s.handler.ServeHTTP(w, r)
}

// check checks a signature of version 4, as "Authenticating Requests" of the S3
// reference has it, and returns the code of what is wrong.
func check(r *http.Request) string {
	fields := map[string]string{}
	for field := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	key, scope, _ := strings.Cut(fields["Credential"], "/")
	if key != accessKey {
		return "InvalidAccessKeyId"
	}
	var lines []string
	signed := strings.Split(fields["SignedHeaders"], ";")
	slices.Sort(signed)
	for _, name := range signed {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		lines = append(lines, name+":"+strings.Join(strings.Fields(value), " ")+"\n")
	}
	request := strings.Join([]string{r.Method, s3utils.EncodePath(r.URL.Path), strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20"),
		strings.Join(lines, ""), fields["SignedHeaders"], r.Header.Get("X-Amz-Content-Sha256")}, "\n")
	sum := sha256.Sum256([]byte(request))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), scope, hex.EncodeToString(sum[:])}, "\n")
	with := []byte("AWS4" + secretKey)
	for part := range strings.SplitSeq(scope, "/") {
		with = sign(with, part)
	}
	if hex.EncodeToString(sign(with, text)) != fields["Signature"] {
		return "SignatureDoesNotMatch"
	}
	return ""
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
