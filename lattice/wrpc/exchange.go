package wrpc

// Exchange is what a [StreamFunc] serves: the parameters, and the channels on
// which their streams and futures arrive and the results leave.
type Exchange struct {
	Request
	in        *incoming
	results   string
	rootEnded bool
}

// ParamStream returns the reader of a path that the [Export] announced.
func (x *Exchange) ParamStream(path ...uint32) (*Reader, error) { return x.in.reader(path) }

// SetResults sends the encoded results, with streams and futures pending, and
// ends them. Call it once; what is pending is written to [Exchange.ResultStream],
// before or after.
func (x *Exchange) SetResults(b []byte) error {
	if x.rootEnded {
		return ErrClosed
	}
	if err := x.in.failError(); err != nil {
		return err
	}
	if _, err := publishBytes(x.in.nc, x.results, b); err != nil {
		return err
	}
	x.rootEnded = true
	return publishEnd(x.in.nc, x.results, x.in.endHeader(nil))
}

// ResultStream returns the writer of a stream or future among the results.
// Those that are still open when the handler returns are ended with its error.
func (x *Exchange) ResultStream(path ...uint32) *Writer { return x.in.writer(path) }
