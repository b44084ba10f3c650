// Package messagingtest is the behaviour that every messaging broker has, as tests:
// see [Run]. It is for tests only.
package messagingtest
