package wrpchttp

import (
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
	"github.com/lathhost/lath/wit/wire"
)

// appendError encodes an error code in the place of a response.
func appendError(b []byte, c contract.ErrorCode) []byte {
	w := coder{b: wire.AppendULEB(append(b, 1), uint64(c.Tag))}
	w.payload(&c)
	return w.b
}

// readError decodes an error code.
func readError(r *wire.Reader, c *contract.ErrorCode) {
	c.Tag = contract.ErrorCodeTag(r.Discriminant(int(contract.ErrorCodeInternalError) + 1))
	(&coder{r: r}).payload(c)
}

// coder goes through a value, and reads its parts from r or, without one, writes
// them to b: there is one place that says what is where.
type coder struct {
	r *wire.Reader
	b []byte
}

// payload is what follows the case of an error code.
func (c *coder) payload(e *contract.ErrorCode) {
	switch e.Tag {
	case contract.ErrorCodeDNSError:
		c.text(&e.DNSError.Rcode)
		number(c, &e.DNSError.InfoCode, 16)
	case contract.ErrorCodeTLSAlertReceived:
		number(c, &e.TLSAlertReceived.AlertID, 8)
		c.text(&e.TLSAlertReceived.AlertMessage)
	case contract.ErrorCodeHTTPRequestBodySize:
		number(c, &e.HTTPRequestBodySize, 64)
	case contract.ErrorCodeHTTPRequestHeaderSectionSize:
		number(c, &e.HTTPRequestHeaderSectionSize, 32)
	case contract.ErrorCodeHTTPRequestHeaderSize:
		if c.some(&e.HTTPRequestHeaderSize.OK) {
			c.field(&e.HTTPRequestHeaderSize.Value)
		}
	case contract.ErrorCodeHTTPRequestTrailerSectionSize:
		number(c, &e.HTTPRequestTrailerSectionSize, 32)
	case contract.ErrorCodeHTTPRequestTrailerSize:
		c.field(&e.HTTPRequestTrailerSize)
	case contract.ErrorCodeHTTPResponseHeaderSectionSize:
		number(c, &e.HTTPResponseHeaderSectionSize, 32)
	case contract.ErrorCodeHTTPResponseHeaderSize:
		c.field(&e.HTTPResponseHeaderSize)
	case contract.ErrorCodeHTTPResponseBodySize:
		number(c, &e.HTTPResponseBodySize, 64)
	case contract.ErrorCodeHTTPResponseTrailerSectionSize:
		number(c, &e.HTTPResponseTrailerSectionSize, 32)
	case contract.ErrorCodeHTTPResponseTrailerSize:
		c.field(&e.HTTPResponseTrailerSize)
	case contract.ErrorCodeHTTPResponseTransferCoding:
		c.text(&e.HTTPResponseTransferCoding)
	case contract.ErrorCodeHTTPResponseContentCoding:
		c.text(&e.HTTPResponseContentCoding)
	case contract.ErrorCodeInternalError:
		c.text(&e.InternalError)
	}
}

func (c *coder) field(f *contract.FieldSizePayload) {
	c.text(&f.FieldName)
	number(c, &f.FieldSize, 32)
}

// some is whether an option has a value.
func (c *coder) some(ok *bool) bool {
	if c.r != nil {
		*ok = c.r.Option()
	} else {
		c.b = wire.AppendBool(c.b, *ok)
	}
	return *ok
}

func (c *coder) text(o *wit.Option[string]) {
	switch {
	case !c.some(&o.OK):
	case c.r != nil:
		o.Value = c.r.String()
	default:
		c.b = wire.AppendString(c.b, o.Value)
	}
}

// number is an option of an unsigned number of so many bits.
func number[T uint8 | uint16 | uint32 | uint64](c *coder, o *wit.Option[T], bits int) {
	switch {
	case !c.some(&o.OK):
	case c.r == nil && bits == 8:
		c.b = append(c.b, byte(o.Value))
	case c.r == nil:
		c.b = wire.AppendULEB(c.b, uint64(o.Value))
	case bits == 8:
		o.Value = T(c.r.U8())
	case bits == 16:
		o.Value = T(c.r.U16())
	case bits == 32:
		o.Value = T(c.r.U32())
	default:
		o.Value = T(c.r.U64())
	}
}
