//go:build !cgo

package main

func wasmtimes() []runtimeUnderTest { return nil }
