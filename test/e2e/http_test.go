package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/rogpeppe/go-internal/testscript"
)

// request sends an HTTP request, with the bytes of a file if one is named, until it is
// answered by a status, and prints the body.
func request(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: http METHOD URL STATUS [FILE]")
	}
	var last string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		var body io.Reader
		if len(args) == 4 {
			f, err := os.Open(ts.MkAbs(args[3]))
			ts.Check(err)
			defer f.Close()
			body = f
		}
		req, err := http.NewRequest(args[0], args[1], body)
		ts.Check(err)
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			last = err.Error()
			continue
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		last = fmt.Sprintf("%d: %s", resp.StatusCode, b)
		if err == nil && fmt.Sprint(resp.StatusCode) == args[2] {
			_, err = ts.Stdout().Write(b)
			ts.Check(err)
			return
		}
	}
	ts.Fatalf("%s %s: %s", args[0], args[1], last)
}

// startS3 runs an S3 server that knows one access key, AKIALATH.
func startS3(env *testscript.Env) {
	s3 := gofakes3.New(s3mem.New()).Server()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIALATH/") {
			http.Error(w, "<Error><Code>InvalidAccessKeyId</Code></Error>", http.StatusForbidden)
			return
		}
		s3.ServeHTTP(w, r)
	}))
	env.Defer(srv.Close)
	env.Setenv("S3", srv.URL)
}
