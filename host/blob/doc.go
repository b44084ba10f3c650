// Package blob keeps files on disk by the SHA-256 of what is in them. A file
// appears whole or not at all, and is checked when it is used again: processes may
// share a folder, and a crash costs nothing. What was used longest ago goes first
// when a folder is full.
//
// The package knows nothing of what files are for.
package blob
