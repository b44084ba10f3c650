package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	goio "io"
	"net"
	"strings"
	"syscall"

	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

// code is an error code without more.
func code(tag contract.ErrorCodeTag) contract.ErrorCode { return contract.ErrorCode{Tag: tag} }

// foreign is the error of a resource that another implementation made.
func foreign(what string, r any) error {
	return fmt.Errorf("%s are a %T, which this host did not make", what, r)
}

// errorCode finds the code for an error of Go's HTTP, network and TLS.
func errorCode(err error) contract.ErrorCode {
	if c, ok := errors.AsType[contract.ErrorCode](err); ok {
		return c
	}
	for _, find := range []func(error) (contract.ErrorCode, bool){deniedCode, proxyCode, dnsCode, tlsCode, netCode, protocolCode} {
		if c, ok := find(err); ok {
			return c
		}
	}
	return contract.ErrorCode{Tag: contract.ErrorCodeInternalError, InternalError: wit.Some(err.Error())}
}

func deniedCode(err error) (contract.ErrorCode, bool) {
	return code(contract.ErrorCodeHTTPRequestDenied), errors.Is(err, egress.ErrDenied)
}

func dnsCode(err error) (contract.ErrorCode, bool) {
	e, ok := errors.AsType[*net.DNSError](err)
	if !ok {
		return contract.ErrorCode{}, false
	}
	c := code(contract.ErrorCodeDNSError)
	switch {
	case e.IsTimeout:
		return code(contract.ErrorCodeDNSTimeout), true
	case e.IsNotFound:
		c.DNSError.Rcode = wit.Some("NXDOMAIN")
	case e.IsTemporary:
		c.DNSError.Rcode = wit.Some("SERVFAIL")
	}
	return c, true
}

func tlsCode(err error) (contract.ErrorCode, bool) {
	if isAny[*tls.CertificateVerificationError](err) || isAny[x509.UnknownAuthorityError](err) ||
		isAny[x509.HostnameError](err) || isAny[x509.CertificateInvalidError](err) {
		return code(contract.ErrorCodeTLSCertificateError), true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return alertCode(op.Err), true
	}
	if isAny[tls.RecordHeaderError](err) || isAny[tls.AlertError](err) || strings.Contains(err.Error(), "tls: ") {
		return code(contract.ErrorCodeTLSProtocolError), true
	}
	return contract.ErrorCode{}, false
}

// alertCode finds the number of an alert, whose type is private to crypto/tls,
// by its text.
func alertCode(alert error) contract.ErrorCode {
	c := code(contract.ErrorCodeTLSAlertReceived)
	text := strings.TrimPrefix(alert.Error(), "tls: ")
	c.TLSAlertReceived.AlertMessage = wit.Some(text)
	for id := range 256 {
		if strings.TrimPrefix(tls.AlertError(id).Error(), "tls: ") == text {
			c.TLSAlertReceived.AlertID = wit.Some(uint8(id))
			break
		}
	}
	return c
}

func isAny[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// systemCodes are errors of connections. Each is tried in order.
var systemCodes = []struct {
	err error
	tag contract.ErrorCodeTag
}{
	{syscall.ECONNREFUSED, contract.ErrorCodeConnectionRefused},
	{syscall.EHOSTUNREACH, contract.ErrorCodeDestinationIPUnroutable},
	{syscall.ENETUNREACH, contract.ErrorCodeDestinationIPUnroutable},
	{syscall.EADDRNOTAVAIL, contract.ErrorCodeDestinationUnavailable},
	{syscall.EMFILE, contract.ErrorCodeConnectionLimitReached},
	{syscall.ENFILE, contract.ErrorCodeConnectionLimitReached},
	{syscall.ECONNRESET, contract.ErrorCodeConnectionTerminated},
	{syscall.EPIPE, contract.ErrorCodeConnectionTerminated},
	{goio.ErrUnexpectedEOF, contract.ErrorCodeHTTPResponseIncomplete},
	{goio.EOF, contract.ErrorCodeConnectionTerminated},
	{net.ErrClosed, contract.ErrorCodeConnectionTerminated},
	{context.DeadlineExceeded, contract.ErrorCodeConnectionTimeout},
	{context.Canceled, contract.ErrorCodeConnectionTerminated},
}

func netCode(err error) (contract.ErrorCode, bool) {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Timeout() {
		switch op.Op {
		case "dial":
			return code(contract.ErrorCodeConnectionTimeout), true
		case "read":
			return code(contract.ErrorCodeConnectionReadTimeout), true
		case "write":
			return code(contract.ErrorCodeConnectionWriteTimeout), true
		}
	}
	for _, c := range systemCodes {
		if errors.Is(err, c.err) {
			return code(c.tag), true
		}
	}
	return contract.ErrorCode{}, false
}

// protocolTexts are errors that net/http has no types for.
var protocolTexts = []struct {
	text string
	tag  contract.ErrorCodeTag
}{
	{"response headers exceeded", contract.ErrorCodeHTTPResponseHeaderSectionSize},
	{"response header list larger", contract.ErrorCodeHTTPResponseHeaderSectionSize},
	{"suspiciously long trailer", contract.ErrorCodeHTTPResponseTrailerSectionSize},
	{"unsupported transfer encoding", contract.ErrorCodeHTTPResponseTransferCoding},
	{"invalid byte in chunk length", contract.ErrorCodeHTTPResponseTransferCoding},
	{"malformed chunked encoding", contract.ErrorCodeHTTPResponseTransferCoding},
	{"server closed idle connection", contract.ErrorCodeConnectionTerminated},
	{"GOAWAY", contract.ErrorCodeConnectionTerminated},
	{"client connection lost", contract.ErrorCodeConnectionTerminated},
	{"malformed", contract.ErrorCodeHTTPProtocolError},
	{"stream error", contract.ErrorCodeHTTPProtocolError},
	{"connection error", contract.ErrorCodeHTTPProtocolError},
	{"http2:", contract.ErrorCodeHTTPProtocolError},
	{"net/http:", contract.ErrorCodeHTTPProtocolError},
}

func protocolCode(err error) (contract.ErrorCode, bool) {
	text := err.Error()
	for _, p := range protocolTexts {
		if strings.Contains(text, p.text) {
			return code(p.tag), true
		}
	}
	return contract.ErrorCode{}, false
}
