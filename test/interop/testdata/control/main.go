// Command control lets a test drive a lattice with wasmCloud's Go control client
// and hear it with their event client. It reads requests from standard input, one
// JSON value each, and writes answers and events to standard output as they come
// to be. It ends with its input.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"sync"
	"time"

	"go.wasmcloud.dev/x/wasmbus"
	"go.wasmcloud.dev/x/wasmbus/control"
	"go.wasmcloud.dev/x/wasmbus/events"
)

// timeout bounds a call.
const timeout = 30 * time.Second

// request names a method of their client, and has what it is given by the names
// of its request's fields.
type request struct {
	ID   uint64
	Verb string
	Args map[string]json.RawMessage
}

// line is an answer, or an event.
type line struct {
	ID       uint64 `json:",omitempty"`
	Response any    `json:",omitempty"`
	Failure  string `json:",omitempty"`
	Event    *event `json:",omitempty"`
}

// event is what their client made of an event: its Go type and value, or why it
// refused it.
type event struct {
	Type, Source string
	Go           string
	Data         any
	Refused      string
	Raw          string
}

type verb func(ctx context.Context, c *control.Client, args map[string]json.RawMessage) (any, error)

// as makes a verb of a method.
func as[Q, A any](method func(*control.Client, context.Context, *Q) (*A, error)) verb {
	return func(ctx context.Context, c *control.Client, args map[string]json.RawMessage) (any, error) {
		var req Q
		for name, raw := range args {
			field := reflect.ValueOf(&req).Elem().FieldByName(name)
			if !field.IsValid() {
				return nil, fmt.Errorf("%T has no field %s", req, name)
			}
			if err := json.Unmarshal(raw, field.Addr().Interface()); err != nil {
				return nil, err
			}
		}
		return method(c, ctx, &req)
	}
}

var verbs = map[string]verb{
	"ProviderAuction": as((*control.Client).ProviderAuction), "ComponentAuction": as((*control.Client).ComponentAuction),
	"ScaleComponent": as((*control.Client).ScaleComponent), "UpdateComponent": as((*control.Client).UpdateComponent),
	"ProviderStart": as((*control.Client).ProviderStart), "ProviderStop": as((*control.Client).ProviderStop),
	"HostStop":  as((*control.Client).HostStop),
	"ConfigPut": as((*control.Client).ConfigPut), "ConfigGet": as((*control.Client).ConfigGet), "ConfigDelete": as((*control.Client).ConfigDelete),
	"HostLabelPut": as((*control.Client).HostLabelPut), "HostLabelDelete": as((*control.Client).HostLabelDelete),
	"LinkGet": as((*control.Client).LinkGet), "LinkPut": as((*control.Client).LinkPut), "LinkDelete": as((*control.Client).LinkDelete),
	"ClaimsGet":     as((*control.Client).ClaimsGet),
	"HostInventory": as((*control.Client).HostInventory), "HostPing": as((*control.Client).HostPing),
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// writer writes lines, one at a time.
type writer struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (w *writer) write(l line) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.out.Encode(l)
}

// HandleEvent implements events.EventHandler.
func (w *writer) HandleEvent(_ context.Context, e events.Event) {
	w.write(line{Event: &event{Type: e.CloudEvent.Type(), Source: e.CloudEvent.Source(), Go: fmt.Sprintf("%T", e.BusEvent),
		Data: e.BusEvent, Raw: string(e.CloudEvent.Data())}})
}

// HandleError implements events.EventHandler.
func (w *writer) HandleError(_ context.Context, m *wasmbus.Message, err error) {
	w.write(line{Event: &event{Type: m.Subject, Refused: err.Error(), Raw: string(m.Data)}})
}

func run(url string) error {
	nc, err := wasmbus.NatsConnect(url)
	if err != nil {
		return err
	}
	defer nc.Close()
	var (
		bus    = wasmbus.NewNatsBus(nc)
		client = control.NewClient(bus, "default")
		out    = &writer{out: json.NewEncoder(os.Stdout)}
		in     = json.NewDecoder(os.Stdin)
	)
	sub, err := events.Subscribe(bus, "default", wasmbus.PatternAll, 1000, out)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Drain() }()
	if err := nc.Flush(); err != nil {
		return err
	}
	for {
		var req request
		if err := in.Decode(&req); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		l := line{ID: req.ID}
		if err := answer(client, &req, &l); err != nil {
			l.Failure = err.Error()
		}
		out.write(l)
	}
}

func answer(c *control.Client, req *request, l *line) (err error) {
	if req.Verb == "Verbs" { // all that their interface has
		api := reflect.TypeFor[control.APIv1]()
		var names []string
		for i := range api.NumMethod() {
			names = append(names, api.Method(i).Name)
		}
		l.Response = names
		return nil
	}
	v := verbs[req.Verb]
	if v == nil {
		return fmt.Errorf("no verb %q", req.Verb)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	l.Response, err = v(ctx, c, req.Args)
	return err
}
