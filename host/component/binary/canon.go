package binary

// canon reads one canonical definition.
func (d *decoder) canon() *Canon {
	c := &Canon{At: d.at(), Op: CanonOp(d.byte())}
	if d.err != nil {
		return nil
	}
	switch op := c.Op; op {
	case CanonLift:
		d.expect(0x00, "canon lift")
		c.Func, c.Options, c.Type = d.u32(), d.canonOptions(), d.u32()
	case CanonLower:
		d.expect(0x00, "canon lower")
		c.Func, c.Options = d.u32(), d.canonOptions()
	case CanonTaskReturn:
		c.Result, c.Options = d.resultList(), d.canonOptions()
	case CanonContextGet, CanonContextSet:
		c.Context, c.Slot = d.coreValType(), d.u32()
	case CanonErrorContextNew, CanonErrorContextDebugMessage:
		c.Options = d.canonOptions()
	case CanonWaitableSetWait, CanonWaitableSetPoll:
		c.Async, c.Memory = d.flag("cancellable"), d.u32()
	default:
		d.canonBuiltin(c)
	}
	return c
}

func (d *decoder) canonBuiltin(c *Canon) {
	switch op := c.Op; op {
	case CanonResourceNew, CanonResourceDrop, CanonResourceRep,
		CanonStreamNew, CanonStreamDropReadable, CanonStreamDropWritable,
		CanonFutureNew, CanonFutureDropReadable, CanonFutureDropWritable:
		c.Type = d.u32()
	case CanonStreamRead, CanonStreamWrite, CanonFutureRead, CanonFutureWrite:
		c.Type, c.Options = d.u32(), d.canonOptions()
	case CanonStreamCancelRead, CanonStreamCancelWrite, CanonFutureCancelRead, CanonFutureCancelWrite:
		c.Type, c.Async = d.u32(), d.flag("async")
	case CanonSubtaskCancel, CanonThreadYield, CanonThreadSuspend, CanonThreadSuspendThenResume,
		CanonThreadYieldThenResume, CanonThreadSuspendThenPromote, CanonThreadYieldThenPromote:
		c.Async = d.flag("async or cancellable")
	case CanonThreadNewIndirect:
		c.Type, c.Table = d.u32(), d.u32()
	case CanonThreadSpawnRef:
		c.Shared, c.Type = d.flag("shared"), d.u32()
	case CanonThreadSpawnIndirect:
		c.Shared, c.Type, c.Table = d.flag("shared"), d.u32(), d.u32()
	case CanonThreadAvailableParallel:
		c.Shared = d.flag("shared")
	case CanonTaskCancel, CanonSubtaskDrop, CanonErrorContextDrop, CanonWaitableSetNew, CanonWaitableSetDrop,
		CanonWaitableJoin, CanonBackpressureInc, CanonBackpressureDec, CanonThreadIndex, CanonThreadResumeLater:
	case 0x07, 0x08:
		d.failDef(c, "unsupported: canonical built-in 0x%02x of an early async draft", byte(op))
	default:
		d.failDef(c, "invalid leading byte 0x%02x for canonical function", byte(op))
	}
}

func (d *decoder) canonOptions() []CanonOption {
	return vec(d, 1, "canonical options", func() CanonOption {
		o := CanonOption{At: d.at(), Kind: CanonOptionKind(d.byte())}
		switch {
		case o.Kind >= OptMemory && o.Kind <= OptPostReturn, o.Kind == OptCallback:
			o.Index = d.u32()
		case o.Kind > OptCallback:
			d.failDef(o, "invalid leading byte 0x%02x for canonical option", byte(o.Kind))
		}
		return o
	})
}
