package builtin

import (
	"context"
	"errors"

	"github.com/lathhost/lath/host/provider"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/httpserver"
	"github.com/lathhost/lath/wit"
	wrpchttp "github.com/lathhost/lath/wit/wrpc/http"
)

// startHTTPServer listens for HTTP, where its links say, for the components that
// they lead to.
func startHTTPServer(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	if len(cfg.Settings.Secrets) > 0 {
		return nil, errNoSecrets
	}
	s, err := httpserver.New(httpserver.Config{Values: cfg.Settings.Config, ReadFile: cfg.ReadFile, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	return &provider.Capabilities{Caller: httpCaller{s}, Close: s.Close}, nil
}

// errNoSecrets: keys of TLS are files, which the host's operator grants.
var errNoSecrets = errors.New("http-server has no setting that is a secret")

// httpCaller is an HTTP server as a host drives it.
type httpCaller struct{ *httpserver.Server }

// Imports implements provider.Caller.
func (httpCaller) Imports() []*wit.Interface {
	return []*wit.Interface{wrpchttp.IncomingHandlerInterface}
}

// SetLinks implements provider.Caller.
func (c httpCaller) SetLinks(own wire.Settings, links []provider.Link) []error {
	errs := make([]error, len(links))
	var list []httpserver.Link
	var at []int
	for i, l := range links {
		if len(l.Secrets) > 0 {
			errs[i] = errNoSecrets
			continue
		}
		list, at = append(list, httpserver.Link{Name: l.Name, Target: l.Target, Values: l.Config, Answer: l.HTTP}), append(at, i)
	}
	for i, err := range c.Server.SetLinks(own.Config, list) {
		errs[at[i]] = err
	}
	return errs
}
