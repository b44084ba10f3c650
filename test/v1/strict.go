package v1

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// eventType comes before an event's name in its type, eventSubject before it in
// its subject, after the lattice.
const (
	eventType    = "com.wasmcloud.lattice."
	eventSubject = "wasmbus.evt."
)

// Event checks an event of a lattice, as it stands on a subject.
func Event(lattice, subject string, raw []byte) error {
	name, ok := strings.CutPrefix(subject, eventSubject+lattice+".")
	if !ok {
		return fmt.Errorf("subject %q is none of lattice %q's events", subject, lattice)
	}
	envelope, err := fields(raw)
	if err != nil {
		return fmt.Errorf("event %s: %w", name, err)
	}
	for field, want := range map[string]string{"specversion": "1.0", "type": eventType + name, "datacontenttype": "application/json"} {
		if string(envelope[field]) != strconv.Quote(want) {
			return fmt.Errorf("event %s: %s is %s, not %q", name, field, envelope[field], want)
		}
	}
	for field, form := range map[string]*regexp.Regexp{
		"id":     regexp.MustCompile(`^"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"$`),
		"source": regexp.MustCompile(`^"N[A-Z2-7]{55}"$`),
	} {
		if !form.Match(envelope[field]) {
			return fmt.Errorf("event %s: %s is %s", name, field, envelope[field])
		}
	}
	var at time.Time
	if err := json.Unmarshal(envelope["time"], &at); err != nil {
		return fmt.Errorf("event %s: time: %w", name, err)
	}
	for field := range envelope {
		if !slices.Contains([]string{"specversion", "id", "type", "source", "time", "datacontenttype", "data"}, field) {
			return fmt.Errorf("event %s: unknown attribute %s", name, field)
		}
	}
	return EventData(name, envelope["data"])
}

// EventData checks the body of an event.
func EventData(name string, data []byte) error {
	kind, ok := parse(events)[name]
	if !ok {
		return fmt.Errorf("event %s: v1 has no such event", name)
	}
	if err := object(kind, data); err != nil {
		return fmt.Errorf("event %s: %w", name, err)
	}
	is, _ := fields(data)
	count := 0
	for _, field := range together[name] {
		if _, ok := is[field]; ok {
			count++
		}
	}
	if count != 0 && count != len(together[name]) {
		return fmt.Errorf("event %s: of %v, either all are there or none", name, together[name])
	}
	return nil
}

// EventNames are the events that v1 has.
func EventNames() (names []string) {
	for name := range parse(events) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Request checks the body of a control request, by its kind and verb, such as
// component.scale. Those of config.put and registry.put are maps.
func Request(verb string, body []byte) error {
	kind, ok := parse(requests)[verb]
	var err error
	switch {
	case ok:
		err = object(kind, body)
	case verb == "config.put":
		err = value("map", body)
	case verb == "registry.put":
		err = mapOf("Credential", body)
	default:
		err = fmt.Errorf("v1 has no such request with a body")
	}
	if err != nil {
		return fmt.Errorf("request %s: %w", verb, err)
	}
	return nil
}

func mapOf(kind string, raw []byte) error {
	all, err := fields(raw)
	for name, one := range all {
		if err == nil {
			err = value(kind, one)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return err
}

// kind is one line of a table.
type kind []struct {
	name, typ string
	optional  bool
}

func parse(table string) map[string]kind {
	all := map[string]kind{}
	for line := range strings.Lines(strings.TrimSpace(table)) {
		name, list, _ := strings.Cut(strings.TrimSpace(line), ": ")
		var k kind
		for field := range strings.SplitSeq(list, ", ") {
			name, typ, _ := strings.Cut(field, " ")
			bare, optional := strings.CutSuffix(name, "?")
			k = append(k, struct {
				name, typ string
				optional  bool
			}{bare, typ, optional})
		}
		all[name] = k
	}
	return all
}

// fields takes a JSON object apart.
func fields(raw []byte) (map[string]json.RawMessage, error) {
	in := json.NewDecoder(bytes.NewReader(raw))
	open, err := in.Token()
	if err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("%.40q is no object", raw)
	}
	all := map[string]json.RawMessage{}
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return nil, err
		}
		name := fmt.Sprint(key)
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("%s comes twice", name)
		}
		var one json.RawMessage
		if err := in.Decode(&one); err != nil {
			return nil, err
		}
		all[name] = one
	}
	if _, err := in.Token(); err != nil {
		return nil, err
	}
	if in.InputOffset() != int64(len(raw)) {
		return nil, fmt.Errorf("something stands behind the object")
	}
	return all, nil
}

func object(k kind, raw []byte) error {
	all, err := fields(raw)
	if err != nil {
		return err
	}
	for _, f := range k {
		one, ok := all[f.name]
		delete(all, f.name)
		switch {
		case !ok && !f.optional:
			return fmt.Errorf("%s is missing", f.name)
		case !ok:
			continue
		}
		if err := value(f.typ, one); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	for name := range all {
		return fmt.Errorf("%s is a field too many", name)
	}
	return nil
}

// semver is what Rust's semver crate takes for a version.
var semver = regexp.MustCompile(`^"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"$`)

// value checks a value of a type of the tables.
func value(typ string, raw []byte) error {
	if bare, ok := strings.CutSuffix(typ, "|null"); ok {
		if string(raw) == "null" {
			return nil
		}
		typ = bare
	}
	if item, ok := strings.CutPrefix(typ, "["); ok {
		return list(strings.TrimSuffix(item, "]"), raw)
	}
	ok := false
	switch typ {
	case "null":
		ok = string(raw) == "null"
	case "bool":
		ok = string(raw) == "true" || string(raw) == "false"
	case "string":
		ok = len(raw) > 0 && raw[0] == '"'
	case "semver":
		ok = semver.Match(raw)
	case "map":
		return mapOf("string", raw)
	case "u32", "u64", "i32":
		ok = number(typ, string(raw))
	default:
		k, is := parse(objects)[typ]
		if !is {
			return fmt.Errorf("the table has an unknown type %q", typ)
		}
		return object(k, raw)
	}
	if !ok {
		return fmt.Errorf("%.80s is no %s", raw, typ)
	}
	return nil
}

func number(typ, text string) bool {
	var err error
	switch typ {
	case "u32":
		_, err = strconv.ParseUint(text, 10, 32)
	case "u64":
		_, err = strconv.ParseUint(text, 10, 64)
	default:
		_, err = strconv.ParseInt(text, 10, 32)
	}
	return err == nil
}

func list(item string, raw []byte) error {
	var all []json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil || all == nil {
		return fmt.Errorf("%.80s is no list", raw)
	}
	for _, one := range all {
		if err := value(item, one); err != nil {
			return err
		}
	}
	return nil
}
