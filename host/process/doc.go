// Package process runs one child process for a host: with an environment that
// is its own, a working directory, something to read, its output line by line,
// and an end in steps: asked, SIGTERM, SIGKILL, for it and all its children.
//
// It must not know what the process is for: host/provider/external does.
package process
