package main

import (
	"context"

	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/providers/httpserver"
	"github.com/lathhost/lath/wit"
	wrpchttp "github.com/lathhost/lath/wit/wrpc/http"
)

// startHTTPServer listens for HTTP, where its links say, for the components that
// they lead to.
func startHTTPServer(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	s, err := httpserver.New(httpserver.Config{Values: cfg.Values, ReadFile: cfg.ReadFile, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	return &provider.Capabilities{Caller: httpCaller{s}, Close: s.Close}, nil
}

// httpCaller is an HTTP server as a host drives it.
type httpCaller struct{ *httpserver.Server }

// Imports implements provider.Caller.
func (httpCaller) Imports() []*wit.Interface {
	return []*wit.Interface{wrpchttp.IncomingHandlerInterface}
}

// SetLinks implements provider.Caller.
func (c httpCaller) SetLinks(values map[string]string, links []provider.Link) []error {
	list := make([]httpserver.Link, len(links))
	for i, l := range links {
		list[i] = httpserver.Link{Name: l.Name, Target: l.Target, Values: l.Config, Answer: l.HTTP}
	}
	return c.Server.SetLinks(values, list)
}
