package ctl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

const scaleBody = `{"component_ref":"r","component_id":"c","host_id":"","count":1,"config":[]}`

// ask sends a raw request and returns the answer's envelope.
func ask(t *testing.T, nc *nats.Conn, subject, body string) ctl.Envelope {
	t.Helper()
	msg, err := nc.Request("wasmbus.ctl.v1.default."+subject, []byte(body), 20*time.Second)
	require.NoError(t, err)
	var e ctl.Envelope
	require.NoError(t, json.Unmarshal(msg.Data, &e), "%s", msg.Data)
	return e
}

func TestMalformedRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	host, _ := newHost(t, nc, nil)
	for _, tc := range []struct{ subject, body, message string }{
		{"component.scale." + host.id, `{`, "failed to deserialize component scale command"},
		{"component.scale." + host.id, ``, "failed to deserialize component scale command"},
		{"component.scale." + host.id, `{"component_id":"c","count":-1}`, "failed to deserialize component scale command"},
		{"component.scale." + host.id, `{"component_id":"c"}`, "component_ref: invalid: it is missing"},
		{"component.scale." + host.id, `{"component_ref":"r"}`, "component_id: id: invalid: it is empty"},
		{"component.scale." + host.id, `{"component_ref":"r","component_id":"a.b"}`, "'.' separates the tokens"},
		{"component.scale." + host.id, `{"component_ref":"r","component_id":"c","config":["*"]}`, "is a NATS wildcard"},
		{"component.scale." + host.id, strings.Repeat(" ", ctl.MaxRequestSize+1), "the limit is 1048576"},
		{"provider.start." + host.id, `[]`, "failed to deserialize provider start command"},
		{"provider.start." + host.id, `{"provider_id":"p"}`, "provider_ref: invalid: it is missing"},
		{"provider.stop." + host.id, `{}`, "provider_id: id: invalid: it is empty"},
		{"host.stop." + host.id, `x`, "failed to deserialize stop command"},
		{"link.put", `{"source_id":"a","target":"b","wit_namespace":"wasi"}`, "no wit_package"},
		{"link.put", `{"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"x","interfaces":[]}`, "at least one"},
		{"link.put", `{"source_id":"a b","target":"b","wit_namespace":"wasi","wit_package":"x","interfaces":["y"]}`, "white space"},
		{"link.del", `{"source_id":"a","wit_package":"x"}`, "wit_namespace: invalid: it is missing"},
	} {
		e := ask(t, nc, tc.subject, tc.body)
		require.False(t, e.Success, tc.body)
		require.Contains(t, e.Message, tc.message)
		require.Empty(t, e.Response)
	}
	require.Empty(t, host.recorded(), "none of it reached the host")
}

func TestPanicIsContained(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	host, _ := newHost(t, nc, nil)
	host.scale = func(context.Context, *ctl.ScaleComponent) (string, error) { panic("boom") }
	e := ask(t, nc, "component.scale."+host.id, scaleBody)
	require.False(t, e.Success)
	require.Contains(t, e.Message, "internal error of host "+host.id)
	require.NotContains(t, e.Message, "boom")
	require.True(t, ask(t, nc, "host.get."+host.id, "").Success, "the server goes on")
}

// Work that hangs fills its own lane only, and the overflow is told.
func TestQueueIsBoundedAndQuestionsPass(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	release, entered := make(chan struct{}), make(chan struct{}, 2)
	host, _ := newHost(t, nc, func(cfg *ctl.ServerConfig) { cfg.Workers, cfg.Queue = 1, 1 })
	host.scale = func(ctx context.Context, _ *ctl.ScaleComponent) (string, error) {
		entered <- struct{}{}
		select {
		case <-release:
			return "", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	inbox, err := nc.SubscribeSync(nc.NewInbox())
	require.NoError(t, err)
	subject := "wasmbus.ctl.v1.default.component.scale." + host.id
	require.NoError(t, nc.PublishRequest(subject, inbox.Subject, []byte(scaleBody)))
	<-entered
	// One waits, and one is too many.
	require.NoError(t, nc.PublishRequest(subject, inbox.Subject, []byte(scaleBody)))
	require.True(t, ask(t, nc, "host.ping", "").Success, "questions have a lane of their own")
	require.Contains(t, ask(t, nc, "component.scale."+host.id, scaleBody).Message, "is busy")
	close(release)
	for range 2 {
		require.Equal(t, `{"success":true,"message":""}`, string(next(t, inbox).Data))
	}
}

func TestRequestHasADeadline(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	host, _ := newHost(t, nc, func(cfg *ctl.ServerConfig) { cfg.Timeout = 10 * time.Millisecond })
	host.scale = func(ctx context.Context, _ *ctl.ScaleComponent) (string, error) {
		<-ctx.Done()
		return "", fmt.Errorf("pull image: %w", ctx.Err())
	}
	e := ask(t, nc, "component.scale."+host.id, scaleBody)
	require.Equal(t, "pull image: context deadline exceeded", e.Message)
}

func TestAnswerLargerThanNATSCarries(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 4096))
	host, _ := newHost(t, nc, nil)
	for i := range 100 {
		host.links = append(host.links, storeLink(fmt.Sprintf("source%d", i), "kv"))
	}
	_, err := newClient(t, nc).Links(t.Context())
	var refused *ctl.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Message, "more than the 4096 that NATS carries (max_payload); get it in parts, by: lath get links")
}

// Shutdown waits for the request under way, whose answer still arrives; after it
// nobody answers.
func TestShutdownAnswersWhatItTook(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	host, srv := newHost(t, connect(t, nc.ConnectedUrl()), nil)
	entered, release := make(chan struct{}), make(chan struct{})
	host.scale = func(context.Context, *ctl.ScaleComponent) (string, error) {
		close(entered)
		<-release
		return "done", nil
	}
	answer := make(chan string, 1)
	go func() {
		msg, err := nc.Request("wasmbus.ctl.v1.default.component.scale."+host.id, []byte(scaleBody), 20*time.Second)
		if err != nil {
			answer <- err.Error()
			return
		}
		answer <- string(msg.Data)
	}()
	<-entered
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, srv.Shutdown(short), context.DeadlineExceeded)
	close(release)
	require.NoError(t, srv.Shutdown(t.Context()))
	require.Equal(t, `{"success":true,"message":"done"}`, <-answer)

	_, err := newClient(t, nc).Inventory(t.Context(), host.id)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	require.Error(t, srv.Start(t.Context()), "a server does not come back")
}

// A hard shutdown ends the handlers' contexts.
func TestHardShutdown(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	host, srv := newHost(t, nc, nil)
	entered, ended := make(chan struct{}), make(chan struct{})
	host.scale = func(ctx context.Context, _ *ctl.ScaleComponent) (string, error) {
		close(entered)
		<-ctx.Done()
		close(ended)
		return "", ctx.Err()
	}
	require.NoError(t, nc.Publish("wasmbus.ctl.v1.default.component.scale."+host.id, []byte(scaleBody)))
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, srv.Shutdown(ctx), context.Canceled)
	<-ended
	require.NoError(t, srv.Shutdown(t.Context()))
}

func TestServerConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := ctl.NewServer(ctl.ServerConfig{})
	require.ErrorContains(t, err, "required")
	nc := connect(t, startNATS(t, 0))
	_, err = ctl.NewServer(ctl.ServerConfig{Conn: nc, Handler: &fakeHost{}, Lattice: "a.b", HostID: "x"})
	require.ErrorIs(t, err, lattice.ErrInvalid)
	_, err = ctl.NewClient(ctl.ClientConfig{Conn: nc, Lattice: "a b"})
	require.ErrorIs(t, err, lattice.ErrInvalid)

	identity, err := lattice.NewIdentity("")
	require.NoError(t, err)
	srv, err := ctl.NewServer(ctl.ServerConfig{Conn: nc, Handler: &fakeHost{}, Lattice: testLattice, HostID: identity.ID})
	require.NoError(t, err)
	nc.Close()
	require.ErrorIs(t, srv.Start(t.Context()), lattice.ErrDisconnected)
}

// Only one host of the lattice gets a request about links.
func TestOneHostAnswersForLinks(t *testing.T) {
	t.Parallel()
	url := startNATS(t, 0)
	first, _ := newHost(t, connect(t, url), nil)
	second, _ := newHost(t, connect(t, url), nil)
	client := newClient(t, connect(t, url))
	const puts = 20
	for i := range puts {
		require.NoError(t, client.PutLink(t.Context(), storeLink(fmt.Sprintf("s%d", i), "kv")))
	}
	require.Equal(t, puts, len(first.recorded())+len(second.recorded()))
}

func TestLongErrorIsCut(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	host, _ := newHost(t, nc, nil)
	host.scale = func(context.Context, *ctl.ScaleComponent) (string, error) {
		return "", errors.New(strings.Repeat("ü", 100_000))
	}
	e := ask(t, nc, "component.scale."+host.id, scaleBody)
	require.LessOrEqual(t, len(e.Message), 8<<10)
	require.Contains(t, e.Message, "üü")
}
