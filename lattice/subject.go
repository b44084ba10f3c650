package lattice

import (
	"strconv"
	"strings"
)

// This file is the only one that spells a subject or header, and bucket.go the only
// one that spells a bucket or key. The literal stands in the comment above each
// function; {x} is a parameter.

// DefaultLattice is the lattice that a host joins when none is named.
const DefaultLattice = "default"

// Headers of a wRPC invocation that v1 peers set and read. Both NATS clients in
// use look them up by exact case.
const (
	// HeaderSourceID holds the id of the caller. It is a claim, not a proof.
	HeaderSourceID = "source-id"
	// HeaderLinkName holds the name of the link used; absent means "default".
	HeaderLinkName = "link-name"
	// HeaderTargetID holds the id of the callee; only v1 provider SDKs set it.
	HeaderTargetID = "target-id"
	// HeaderTraceParent and HeaderTraceState are the W3C trace context.
	HeaderTraceParent = "traceparent"
	HeaderTraceState  = "tracestate"
)

// Headers that Lath adds. A v1 peer ignores them.
const (
	// HeaderLath says that the sender speaks Lath; its value is LathVersion.
	HeaderLath = "lath"
	// HeaderTimeout holds the caller's remaining time in whole milliseconds at
	// the moment of sending.
	HeaderTimeout = "lath-timeout-ms"
	// HeaderPath holds the component ids of the call chain so far, with commas
	// between them, at most 32.
	HeaderPath = "lath-path"
	// HeaderWindow holds the first credit of every stream path, in bytes.
	HeaderWindow = "lath-window"
	// HeaderStatus holds the outcome: ok, trap, refused, busy, timeout,
	// cancelled or lost.
	HeaderStatus = "lath-status"
	// HeaderError explains a status other than ok in at most 1 KiB of text.
	HeaderError = "lath-error"
	// HeaderHost, on the message by which a call is not accepted, is the id of the
	// host that said so.
	HeaderHost = "lath-host"
	// HeaderHops, "1" on an invocation, asks for the hops that the call makes
	// along links; on the end of the results it holds them.
	HeaderHops = "lath-hops"
	// HeaderMore, "1" on a handshake, says that parameters are missing, so that the
	// caller has to send the rest of them, or at least their end.
	HeaderMore = "lath-more"
	// HeaderCommandID names a control request, so that a repeat of it gets the
	// first one's answer.
	HeaderCommandID = "lath-command-id"

	// HeaderReplyTo, on a message in a stream, is where an answer is awaited: the
	// message's own reply subject is the stream's.
	HeaderReplyTo = "lath-reply-to"
	// HeaderSubject, HeaderReason and HeaderDeliveries, on a message that was given
	// up, are the subject that it had, why, and how often it was delivered.
	HeaderSubject    = "lath-subject"
	HeaderReason     = "lath-reason"
	HeaderDeliveries = "lath-deliveries"

	// LathVersion is the value of HeaderLath.
	LathVersion = "1"
)

// WRPCVersion are the subject tokens that name the protocol.
const WRPCVersion = "wrpc.0.0.1"

// RPCPrefix returns the prefix of all invocations of one component or
// provider, which is also the queue group that its servers share:
//
//	{lattice}.{id}
func RPCPrefix(lattice, id string) string { return lattice + "." + id }

// DirectPrefix returns the prefix of the invocations that are served by one
// host only, outside the queue group:
//
//	lath.v1.{lattice}.host.{host}.{component}
func DirectPrefix(lattice, host, component string) string {
	return lathBase(lattice) + ".host." + host + "." + component
}

// InvocationSubject returns the subject of one exported function. A function of
// the root world has no instance. The instance's version brings dots along,
// which NATS takes for separators: match whole subjects, do not split them.
//
//	{prefix}.wrpc.0.0.1.{instance}.{function}
//	{prefix}.wrpc.0.0.1.{function}
//
// The function is its name on the wire, see FunctionName.
func InvocationSubject(prefix, instance, function string) string {
	s := prefix
	if s != "" {
		s += "."
	}
	s += WRPCVersion + "."
	if instance != "" {
		s += instance + "."
	}
	return s + function
}

// DirectSubject returns the subject of one exported function on one host:
//
//	lath.v1.{lattice}.host.{host}.{component}.wrpc.0.0.1.{instance}.{function}
func DirectSubject(lattice, host, component, instance, function string) string {
	return InvocationSubject(DirectPrefix(lattice, host, component), instance, function)
}

// FunctionName returns a WIT function's name on the wire: resource items lose
// their bracket, so that "[method]bucket.get" becomes "bucket.get".
func FunctionName(wit string) string {
	if strings.HasPrefix(wit, "[") {
		if _, name, ok := strings.Cut(wit, "]"); ok {
			return name
		}
	}
	return wit
}

// ParamsSubject returns the channel on which a callee, whose inbox of this call
// is given, receives parameters; path is empty for the parameters themselves:
//
//	{callee}.params
//	{callee}.params.{i}.{j}
func ParamsSubject(callee string, path ...uint32) string {
	return withPath(callee+".params", path)
}

// ResultsSubject returns the channel on which a caller, whose inbox of this
// call is given, receives results:
//
//	{caller}.results
//	{caller}.results.{i}.{j}
func ResultsSubject(caller string, path ...uint32) string {
	return withPath(caller+".results", path)
}

// ResultsCreditSubject returns the subject by which a caller grants the callee
// more bytes of a result stream:
//
//	{callee}.credit.results.{i}.{j}
func ResultsCreditSubject(callee string, path ...uint32) string {
	return withPath(callee+".credit.results", path)
}

// ParamsCreditSubject returns the subject by which a callee grants the caller
// more bytes of a parameter stream:
//
//	{caller}.credit.params.{i}.{j}
func ParamsCreditSubject(caller string, path ...uint32) string {
	return withPath(caller+".credit.params", path)
}

// CancelSubject returns the subject on which an empty message asks the callee
// to give up:
//
//	{callee}.cancel
func CancelSubject(callee string) string { return callee + ".cancel" }

func withPath(base string, path []uint32) string {
	if len(path) == 0 {
		return base
	}
	b := make([]byte, 0, len(base)+4*len(path))
	b = append(b, base...)
	for _, i := range path {
		b = append(b, '.')
		b = strconv.AppendUint(b, uint64(i), 10)
	}
	return string(b)
}

// The kinds of the control interface: the first token after its base.
const (
	KindHost      = "host"
	KindComponent = "component"
	KindProvider  = "provider"
	KindLabel     = "label"
	KindLink      = "link"
	KindClaims    = "claims"
	KindConfig    = "config"
	KindRegistry  = "registry"
)

// DefaultControlPrefix is the first part of every control subject unless the
// operator chose another one.
const DefaultControlPrefix = "wasmbus.ctl"

// Control builds the subjects of one lattice's control interface.
type Control struct{ base string }

// ControlSubjects returns the control interface's subjects; an empty prefix
// means DefaultControlPrefix. The base of all of them is
//
//	{prefix}.v1.{lattice}
func ControlSubjects(prefix, lattice string) Control {
	if prefix == "" {
		prefix = DefaultControlPrefix
	}
	return Control{base: prefix + ".v1." + lattice}
}

// Base returns wasmbus.ctl.v1.{lattice}.
func (c Control) Base() string { return c.base }

// Verb returns the subject of a verb that no single host owns:
//
//	wasmbus.ctl.v1.{lattice}.{kind}.{verb}
func (c Control) Verb(kind, verb string) string { return c.base + "." + kind + "." + verb }

// Named returns the subject of a verb that one host or one named thing owns:
//
//	wasmbus.ctl.v1.{lattice}.{kind}.{verb}.{id}
func (c Control) Named(kind, verb, id string) string { return c.Verb(kind, verb) + "." + id }

// HostVerbs returns what a host subscribes to for all its own verbs of a kind:
//
//	wasmbus.ctl.v1.{lattice}.{kind}.*.{host}
func (c Control) HostVerbs(kind, host string) string { return c.Named(kind, "*", host) }

// SharedVerbs returns what all hosts subscribe to for a kind of which exactly
// one of them answers, in the queue group Queue(kind):
//
//	wasmbus.ctl.v1.{lattice}.{kind}.*
func (c Control) SharedVerbs(kind string) string { return c.Verb(kind, "*") }

// AllOf returns what all hosts subscribe to for a kind of named things, of which
// exactly one of them answers, in the queue group Queue(kind):
//
//	wasmbus.ctl.v1.{lattice}.{kind}.>
func (c Control) AllOf(kind string) string { return c.Verb(kind, ">") }

// Queue returns the queue group in which the hosts share a kind:
//
//	wasmbus.ctl.v1.{lattice}.{kind}
func (c Control) Queue(kind string) string { return c.base + "." + kind }

// Parse takes a control subject apart; id is empty for a verb without one.
func (c Control) Parse(subject string) (kind, verb, id string, ok bool) {
	rest, ok := strings.CutPrefix(subject, c.base+".")
	if !ok {
		return "", "", "", false
	}
	tokens := strings.Split(rest, ".")
	switch len(tokens) {
	case 2:
		return tokens[0], tokens[1], "", true
	case 3:
		return tokens[0], tokens[1], tokens[2], true
	default:
		return "", "", "", false
	}
}

// EventTypePrefix comes before an event's name in the CloudEvents type:
// com.wasmcloud.lattice.{name}.
const EventTypePrefix = "com.wasmcloud.lattice."

// EventSubject returns the subject of one kind of event:
//
//	wasmbus.evt.{lattice}.{name}
func EventSubject(lattice, name string) string { return "wasmbus.evt." + lattice + "." + name }

// AllEvents returns the subject that matches every event of a lattice, as narrow
// as permissions are given:
//
//	wasmbus.evt.{lattice}.*
func AllEvents(lattice string) string { return EventSubject(lattice, "*") }

func providerSubject(lattice, id, verb string) string {
	return "wasmbus.rpc." + lattice + "." + id + "." + verb
}

// ProviderLinkPut returns the subject on which v1 publishes a new link to each
// of its ends, beside the KV entry. The id is the provider's public xkey where
// the link is meant for one running provider:
//
//	wasmbus.rpc.{lattice}.{id}.linkdefs.put
func ProviderLinkPut(lattice, id string) string {
	return providerSubject(lattice, id, "linkdefs.put")
}

// ProviderLinkDelete returns the subject on which a provider learns that a link
// is gone:
//
//	wasmbus.rpc.{lattice}.{id}.linkdefs.del
func ProviderLinkDelete(lattice, id string) string {
	return providerSubject(lattice, id, "linkdefs.del")
}

// ProviderHealth returns the subject on which a provider answers how it is:
//
//	wasmbus.rpc.{lattice}.{id}.health
func ProviderHealth(lattice, id string) string { return providerSubject(lattice, id, "health") }

// ProviderConfig returns the subject on which a provider gets its new merged
// configuration:
//
//	wasmbus.rpc.{lattice}.{id}.config.update
func ProviderConfig(lattice, id string) string {
	return providerSubject(lattice, id, "config.update")
}

// ProviderShutdown returns the subject on which a provider is asked to end. The
// link name is always "default" in v1:
//
//	wasmbus.rpc.{lattice}.{id}.{link}.shutdown
func ProviderShutdown(lattice, id, link string) string {
	return providerSubject(lattice, id, link+".shutdown")
}

func lathBase(lattice string) string { return "lath.v1." + lattice }

// WITSubject returns the subject on which the hosts that run a component tell
// its contract, in the queue group WITQueue:
//
//	lath.v1.{lattice}.wit.{component}
func WITSubject(lattice, component string) string { return lathBase(lattice) + ".wit." + component }

// WITQueue returns the queue group of WITSubject:
//
//	lath.v1.{lattice}.wit.{component}
func WITQueue(lattice, component string) string { return WITSubject(lattice, component) }

// LinkListSubject is where any one host tells all links, with their state if that
// is asked for:
//
//	lath.v1.{lattice}.ctl.link.list
//
// The hosts share it, as the other lists of the lattice, as a queue group of the
// same text.
func LinkListSubject(lattice string) string { return lathBase(lattice) + ".ctl.link.list" }

// ConfigListSubject is where any one host tells the names of all configs:
//
//	lath.v1.{lattice}.ctl.config.list
func ConfigListSubject(lattice string) string { return lathBase(lattice) + ".ctl.config.list" }

// ClaimsListSubject is where any one host tells all claims:
//
//	lath.v1.{lattice}.ctl.claims.list
func ClaimsListSubject(lattice string) string { return lathBase(lattice) + ".ctl.claims.list" }

// PeerListSubject is where any one host tells which hosts it has heard, and how
// long ago:
//
//	lath.v1.{lattice}.ctl.host.list
func PeerListSubject(lattice string) string { return lathBase(lattice) + ".ctl.host.list" }

// InventorySubject is where one host tells what it runs, in parts:
//
//	lath.v1.{lattice}.ctl.inventory.{host}
func InventorySubject(lattice, host string) string {
	return lathBase(lattice) + ".ctl.inventory." + host
}

// ProviderListSubject is where one host tells how its providers are:
//
//	lath.v1.{lattice}.ctl.providers.{host}
func ProviderListSubject(lattice, host string) string {
	return lathBase(lattice) + ".ctl.providers." + host
}

// StatsSubject is where one host tells what it has counted of the components
// that it runs:
//
//	lath.v1.{lattice}.ctl.stats.{host}
func StatsSubject(lattice, host string) string { return lathBase(lattice) + ".ctl.stats." + host }

// OpListSubject is where any one host tells commands that were given an id, and
// what became of them:
//
//	lath.v1.{lattice}.ctl.op.list
func OpListSubject(lattice string) string { return lathBase(lattice) + ".ctl.op.list" }

// OpSubject is where a host tells at once that it has accepted a command with an
// id, and that this has ended; an id of "*" is all commands:
//
//	lath.v1.{lattice}.op.{id}
func OpSubject(lattice, id string) string { return lathBase(lattice) + ".op." + id }

// BeatSubject returns the subject of a host's pulse:
//
//	lath.v1.{lattice}.beat.{host}
func BeatSubject(lattice, host string) string { return lathBase(lattice) + ".beat." + host }

// LathEventTypePrefix comes before the name of an event that v1 does not have, in
// the CloudEvents type: io.github.lathhost.lattice.{name}.
const LathEventTypePrefix = "io.github.lathhost.lattice."

// LathEventSubject returns the subject of one kind of event that v1 does not have.
// It is none of v1's: wadm stores all that comes on those, and takes it in one at
// a time, also what it then skips.
//
//	lath.v1.{lattice}.evt.{name}
func LathEventSubject(lattice, name string) string { return lathBase(lattice) + ".evt." + name }

// AllLathEvents returns the subject that matches every event of a lattice that v1
// does not have:
//
//	lath.v1.{lattice}.evt.*
func AllLathEvents(lattice string) string { return LathEventSubject(lattice, "*") }

// Headers of a request for a secret, and of its answer, in v1.
const (
	// HeaderHostXKey holds the public curve key (X…) that the answer is to be
	// sealed for.
	HeaderHostXKey = "WasmCloud-Host-Xkey"
	// HeaderServerXKey holds the public curve key that the answer is sealed by; an
	// answer without it is not sealed, and an error.
	HeaderServerXKey = "Server-Response-Xkey"
)

// SecretGet returns the subject on which a secrets backend of v1 is asked for a
// secret; the base is the operator's:
//
//	{base}.v1alpha1.{backend}.get
func SecretGet(base, backend string) string { return secretSubject(base, backend) + ".get" }

// SecretServerXKey returns the subject on which a secrets backend of v1 tells its
// public curve key:
//
//	{base}.v1alpha1.{backend}.server_xkey
func SecretServerXKey(base, backend string) string {
	return secretSubject(base, backend) + ".server_xkey"
}

func secretSubject(base, backend string) string { return base + ".v1alpha1." + backend }

// InboxPrefix returns what the inboxes of one member of a lattice begin with, so
// that it can be kept from listening to those of others:
//
//	_INBOX.{lattice}.{member}
func InboxPrefix(lattice, member string) string { return "_INBOX." + lattice + "." + member }
