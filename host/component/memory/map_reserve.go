//go:build freebsd || openbsd || dragonfly

package memory

const mapNoReserve = 0
