package messagingtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/messaging"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// Broker is what is tested.
type Broker interface {
	contract.Consumer
	SetLinks(own provider.Settings, links []messaging.Link) []error
	Drain(ctx context.Context) error
	Close() error
}

// Backend is a broker that nobody else uses.
type Backend struct {
	Broker
	// Values are settings that each link needs, if any.
	Values map[string]string
	// Durable is set where what has failed is tried again, also after the provider
	// or NATS came back, from the first link on.
	Durable bool
}

// patience bounds every wait.
const patience = time.Minute

// behaviours are the tests, by name.
var behaviours = map[string]func(*testing.T, *subject){
	"what is published is delivered":       delivers,
	"wildcards":                            wildcards,
	"each link gets each message once":     fanOut,
	"links share a queue group":            queueGroup,
	"a request is answered":                request,
	"a request without an answer":          requestInVain,
	"an answer goes where it is awaited":   replyTo,
	"in order of subject":                  ordered,
	"so many at a time":                    inFlight,
	"a handler that never returns":         handlerHangs,
	"a target that comes late":             targetLate,
	"links come, change and go":            relink,
	"other settings miss nothing":          reset,
	"a drain waits for what runs":          drain,
	"a drain that takes too long":          drainCut,
	"bodies are the caller's again":        bodies,
	"subjects that components do not have": subjects,
	"bodies over the limit":                oversize,
	"settings that make no sense":          badSettings,
	"a call that was given up":             cancelled,
}

// Run tests the behaviour of a broker. open returns a new one with some settings
// of its own for each test, and closes it with the test's cleanup.
func Run(t *testing.T, open func(t testing.TB, values map[string]string) Backend) {
	t.Helper()
	for name, test := range behaviours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			t.Cleanup(cancel)
			test(t, &subject{Backend: open(t, map[string]string{"max_body_bytes": "1000"}), t: t, ctx: ctx})
		})
	}
}

// subject is a broker with what its tests ask of it again and again.
type subject struct {
	Backend
	t     *testing.T
	ctx   context.Context //nolint:containedctx // of one test
	links []messaging.Link
}

// handler keeps what it was given; do, if set, is what it does with it.
type handler struct {
	do func(ctx context.Context, msg contract.BrokerMessage) error

	mu  sync.Mutex
	got []contract.BrokerMessage
}

// HandleMessage implements the contract.
func (h *handler) HandleMessage(ctx context.Context, msg contract.BrokerMessage) error {
	var err error
	if h.do != nil {
		err = h.do(ctx, msg)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		h.got = append(h.got, msg)
	}
	return err
}

func (h *handler) bodies() (list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.got {
		list = append(list, string(m.Body))
	}
	return list
}

// link has a handler take subscriptions.
func (s *subject) link(name string, h contract.Handler, settings ...string) {
	s.t.Helper()
	s.links = append(s.links, s.newLink(name, h, settings...))
	s.follow()
}

func (s *subject) newLink(name string, h contract.Handler, settings ...string) messaging.Link {
	values := map[string]string{}
	maps.Copy(values, s.Values)
	for _, kv := range settings {
		k, v, _ := strings.Cut(kv, "=")
		values[k] = v
	}
	return messaging.Link{Name: name, Target: "target", Settings: provider.Settings{Config: values}, Handler: h}
}

func (s *subject) follow() {
	s.t.Helper()
	for _, err := range s.SetLinks(provider.Settings{}, s.links) {
		require.NoError(s.t, err)
	}
}

func (s *subject) publish(subject, body string) {
	s.t.Helper()
	require.NoError(s.t, s.Publish(s.ctx, contract.BrokerMessage{Subject: subject, Body: []byte(body)}))
}

func (s *subject) eventually(what string, check func() bool) {
	s.t.Helper()
	require.Eventually(s.t, check, patience, 5*time.Millisecond, what)
}

// gets waits until a handler has had some bodies, in any order, and no others.
func (s *subject) gets(h *handler, want ...string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("the handler has %v", want), func() bool {
		got := h.bodies()
		slices.Sort(got)
		return slices.Equal(got, slices.Sorted(slices.Values(want)))
	})
}

func delivers(t *testing.T, s *subject) {
	h := &handler{}
	s.link("a", h, "subscriptions=orders.new")
	s.publish("orders.new", "1")
	s.publish("orders.new", "")
	s.gets(h, "1", "")
	require.Equal(t, "orders.new", h.got[0].Subject)
	require.False(t, h.got[0].ReplyTo.OK, "there is no answer to give")
}

func wildcards(_ *testing.T, s *subject) {
	h, rest := &handler{}, &handler{}
	s.link("a", h, "subscriptions=wild.*.b, wild.exact")
	s.link("b", rest, "subscriptions=wild.x.>")
	for _, subject := range []string{"wild.a.b", "wild.exact", "wild.x.b", "wild.x.y.z"} {
		s.publish(subject, subject)
	}
	s.gets(h, "wild.a.b", "wild.exact", "wild.x.b")
	s.gets(rest, "wild.x.b", "wild.x.y.z")
}

func fanOut(_ *testing.T, s *subject) {
	a, b := &handler{}, &handler{}
	s.link("a", a, "subscriptions=fan.*")
	s.link("b", b, "subscriptions=fan.*")
	s.publish("fan.1", "1")
	s.publish("fan.2", "2")
	s.gets(a, "1", "2")
	s.gets(b, "1", "2")
}

func queueGroup(t *testing.T, s *subject) {
	if s.Durable {
		t.Skip("a stream's consumer is the group: see TestCopiesShare")
	}
	a, b, other := &handler{}, &handler{}, &handler{}
	s.link("a", a, "subscriptions=work.*|team")
	s.link("b", b, "subscriptions=work.*|team")
	s.link("c", other, "subscriptions=work.*|others")
	const n = 100
	for i := range n {
		s.publish("work.x", fmt.Sprint(i))
	}
	s.eventually("each is done once", func() bool { return len(a.bodies())+len(b.bodies()) == n && len(other.bodies()) == n })
	all := append(a.bodies(), b.bodies()...)
	slices.Sort(all)
	require.Len(t, slices.Compact(all), n)
	require.NotEmpty(t, a.bodies())
	require.NotEmpty(t, b.bodies())
}

// answering answers each message.
func (s *subject) answering() *handler {
	return &handler{do: func(ctx context.Context, msg contract.BrokerMessage) error {
		return s.Publish(ctx, contract.BrokerMessage{Subject: msg.ReplyTo.Value, Body: append([]byte("re: "), msg.Body...)})
	}}
}

func request(t *testing.T, s *subject) {
	h := s.answering()
	s.link("a", h, "subscriptions=ask.*")
	var asking sync.WaitGroup
	for i := range 20 {
		asking.Go(func() {
			got, err := s.Request(s.ctx, "ask.me", []byte(fmt.Sprint(i)), 30_000)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("re: %d", i), string(got.Body))
		})
	}
	asking.Wait()
}

func requestInVain(t *testing.T, s *subject) {
	_, err := s.Request(s.ctx, "nobody.there", nil, 30_000)
	require.ErrorContains(t, err, `"nobody.there"`)
	s.link("a", &handler{}, "subscriptions=silent")
	_, err = s.Request(s.ctx, "silent", nil, 50)
	require.EqualError(t, err, `request to "silent": no answer in 50 ms`)
	_, err = s.Request(s.ctx, "silent", nil, 0)
	require.Error(t, err)
}

func replyTo(_ *testing.T, s *subject) {
	answers := &handler{}
	s.link("a", s.answering(), "subscriptions=with.reply")
	s.link("b", answers, "subscriptions=answers")
	require.NoError(s.t, s.Publish(s.ctx, contract.BrokerMessage{Subject: "with.reply", Body: []byte("1"), ReplyTo: wit.Some("answers")}))
	s.gets(answers, "re: 1")
}

func ordered(t *testing.T, s *subject) {
	h := &handler{}
	s.link("a", h, "subscriptions=seq.*", "ordered=true", "max_in_flight=4")
	const each = 50
	for i := range each {
		for _, subject := range []string{"seq.a", "seq.b", "seq.c"} {
			s.publish(subject, fmt.Sprintf("%03d", i))
		}
	}
	s.eventually("all are there", func() bool { return len(h.bodies()) == 3*each })
	last := map[string]string{}
	for _, m := range h.got {
		require.Greater(t, string(m.Body), last[m.Subject], m.Subject)
		last[m.Subject] = string(m.Body)
	}
}

func inFlight(t *testing.T, s *subject) {
	var mu sync.Mutex
	running, most := 0, 0
	enter, leave := make(chan struct{}, 100), make(chan struct{})
	h := &handler{do: func(context.Context, contract.BrokerMessage) error {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		enter <- struct{}{}
		<-leave
		mu.Lock()
		running--
		mu.Unlock()
		return nil
	}}
	s.link("a", h, "subscriptions=busy", "max_in_flight=3", "timeout_ms=50000")
	for i := range 10 {
		s.publish("busy", fmt.Sprint(i))
	}
	for range 3 {
		<-enter
	}
	close(leave)
	s.eventually("all are handled", func() bool { return len(h.bodies()) == 10 })
	require.Equal(t, 3, most)
}

func handlerHangs(_ *testing.T, s *subject) {
	h := &handler{}
	var once sync.Once
	h.do = func(ctx context.Context, msg contract.BrokerMessage) error {
		hang := false
		once.Do(func() { hang = true })
		if hang {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	s.link("a", h, "subscriptions=hang", "max_in_flight=1", "timeout_ms=100")
	s.publish("hang", "1")
	s.publish("hang", "2")
	if s.Durable {
		s.gets(h, "1", "2")
		return
	}
	s.gets(h, "2")
}

func targetLate(_ *testing.T, s *subject) {
	var mu sync.Mutex
	tries := 0
	h := &handler{do: func(context.Context, contract.BrokerMessage) error {
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries < 6 {
			return &wrpc.Error{Code: wrpc.NotConnected}
		}
		return nil
	}}
	s.link("a", h, "subscriptions=late", "max_in_flight=1")
	s.publish("late", "1")
	s.gets(h, "1")
}

func relink(t *testing.T, s *subject) {
	a, b := &handler{}, &handler{}
	s.link("a", a, "subscriptions=first.>")
	s.publish("first.1", "1")
	s.gets(a, "1")
	s.links[0] = s.newLink("a", a, "subscriptions=second.>")
	s.links = append(s.links, s.newLink("b", b, "subscriptions=third"))
	s.follow()
	s.publish("second.1", "2")
	s.publish("third", "3")
	s.gets(a, "1", "2")
	s.gets(b, "3")
	s.links = s.links[1:]
	s.follow()
	if !s.Durable {
		s.publish("second.2", "4")
	}
	s.publish("third", "5")
	s.gets(b, "3", "5")
	s.gets(a, "1", "2")
	require.Empty(t, s.SetLinks(provider.Settings{}, nil))
}

func reset(t *testing.T, s *subject) {
	h := &handler{}
	s.link("a", h, "subscriptions=reset")
	var want []string
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		pace := time.NewTicker(100 * time.Microsecond)
		defer pace.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-pace.C:
			}
			body := fmt.Sprint(n)
			if err := s.Publish(s.ctx, contract.BrokerMessage{Subject: "reset", Body: []byte(body)}); err != nil {
				t.Errorf("publish: %v", err)
				return
			}
			want = append(want, body)
		}
	}()
	for n := range 20 {
		s.links[0] = s.newLink("a", h, "subscriptions=reset", fmt.Sprintf("max_in_flight=%d", 2+n%2))
		s.follow()
	}
	close(stop)
	<-stopped
	s.gets(h, want...)
}

func drain(t *testing.T, s *subject) {
	begun, leave := make(chan struct{}), make(chan struct{})
	h := &handler{do: func(context.Context, contract.BrokerMessage) error {
		close(begun)
		<-leave
		return nil
	}}
	s.link("a", h, "subscriptions=drain", "max_in_flight=1")
	s.publish("drain", "1")
	<-begun
	ended := make(chan error, 1)
	go func() { ended <- s.Drain(s.ctx) }()
	select {
	case err := <-ended:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(leave)
	require.NoError(t, <-ended)
	require.Equal(t, []string{"1"}, h.bodies())
	require.ErrorContains(t, s.SetLinks(provider.Settings{}, s.links)[0], "stopping")
}

func drainCut(t *testing.T, s *subject) {
	begun := make(chan struct{})
	var once sync.Once
	h := &handler{do: func(ctx context.Context, _ contract.BrokerMessage) error {
		once.Do(func() { close(begun) })
		<-ctx.Done()
		return ctx.Err()
	}}
	s.link("a", h, "subscriptions=cut", "max_in_flight=1")
	for range 20 {
		s.publish("cut", "1")
	}
	<-begun
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Drain(ctx), context.DeadlineExceeded)
	require.Empty(t, h.bodies())
}

func bodies(_ *testing.T, s *subject) {
	h := &handler{}
	s.link("a", h, "subscriptions=mine")
	body := []byte("first")
	require.NoError(s.t, s.Publish(s.ctx, contract.BrokerMessage{Subject: "mine", Body: body}))
	copy(body, "XXXXX")
	s.gets(h, "first")
}

// own are subjects that are the lattice's, or none at all.
var own = []string{"", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\nb", "a\x00b", "*", "a.*", "a.>", ">", "wasmbus.ctl.v1.default.host.ping", "wasmbus",
	"lath.v1.default.wit.x", "$JS.API.STREAM.DELETE.KV_LATTICEDATA_default", "$KV.LATTICEDATA_default.COMPONENT_x", "$SYS.REQ.SERVER.PING",
	"default.counter.wrpc.0.0.1.example:counter/counter.increment", "other.counter.wrpc.0.0.1.f", strings.Repeat("a", 300), "a\xff"}

func subjects(t *testing.T, s *subject) {
	for _, subject := range own {
		require.Error(t, s.Publish(s.ctx, contract.BrokerMessage{Subject: subject}), subject)
		require.ErrorContains(t, s.Publish(s.ctx, contract.BrokerMessage{Subject: "fine", ReplyTo: wit.Some(subject)}), "reply-to", subject)
		_, err := s.Request(s.ctx, subject, nil, 1000)
		require.Error(t, err, subject)
	}
	for _, pattern := range []string{">", "*.>", "*.ctl.v1.>", "wasmbus.>", "wasmbus.evt.default.*", "lath.v1.>", "$JS.>", "$KV.>", "$SYS.>", "_INBOX.>",
		"default.>", "default.*.wrpc.>", "a.>.b", "a b", "a.b*", ".", "a|b c", "a|"} {
		err := s.SetLinks(provider.Settings{}, []messaging.Link{s.newLink("a", &handler{}, "subscriptions="+pattern)})[0]
		if pattern == "a|" { // v1 has it so: no group
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "subscriptions", pattern)
	}
}

func oversize(t *testing.T, s *subject) {
	h := &handler{}
	s.link("a", h, "subscriptions=big")
	err := s.Publish(s.ctx, contract.BrokerMessage{Subject: "big", Body: make([]byte, 1001)})
	require.EqualError(t, err, "body of 1001 bytes is over the limit of 1000")
	_, err = s.Request(s.ctx, "big", make([]byte, 1001), 1000)
	require.EqualError(t, err, "body of 1001 bytes is over the limit of 1000")
	s.publish("big", strings.Repeat("x", 1000))
	s.gets(h, strings.Repeat("x", 1000))
}

func badSettings(t *testing.T, s *subject) {
	for _, setting := range []string{"timeout_ms=0", "timeout_ms=x", "max_in_flight=0", "max_in_flight=1000000", "max_pending=-1", "ordered=perhaps", "subscription=a",
		"subscriptions=" + strings.Repeat("a,", 300), "max_body_bytes=0"} {
		name, _, _ := strings.Cut(setting, "=")
		err := s.SetLinks(provider.Settings{}, []messaging.Link{s.newLink("a", &handler{}, "subscriptions=fine", setting)})[0]
		require.ErrorContains(t, err, name, setting)
	}
	require.NoError(t, s.SetLinks(provider.Settings{}, []messaging.Link{s.newLink("a", &handler{}, "SUBSCRIPTIONS=fine")})[0], "any case is read, as in v1")
}

func cancelled(t *testing.T, s *subject) {
	s.link("a", &handler{}, "subscriptions=slow")
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() {
		_, err := s.Request(ctx, "slow", nil, 60_000)
		done <- err
	}()
	cancel()
	err := <-done
	require.Error(t, err)
	require.False(t, errors.Is(err, messaging.ErrNoSubscribers))
}
