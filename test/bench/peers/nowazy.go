//go:build !wazy

package main

func wazys() []runtimeUnderTest { return nil }
