// Package filesystem carries out wasi:filesystem: the directories of a host
// that a component was granted, and nothing above or beside them.
//
// Every path is resolved by an [os.Root] of the directory descriptor that the
// guest names, so neither "..", a symbolic link nor a race with somebody who
// swaps one for another leads out of it. What is left of a path, its last
// element, is used by system calls relative to the descriptor of its parent,
// which follow no link; a link that the guest wants followed is read and its
// target resolved from the start again. Absolute paths, and links to absolute
// paths, are not permitted. Only files and directories are opened: a device or
// a pipe in the directory can be listed and removed, not reached.
//
// # Limits
//
// An instance has 1,000 descriptors of the host at most (a directory takes two,
// a file, with all its streams, or a listing one), all instances of a component
// 8,000; one more is insufficient-memory, which is WASI's nearest word. Paths
// have 4 KiB, and at most 40 symbolic links at the end and 8 on the way are
// followed. A read returns 1 MiB at most, of a stream 64 KiB. A listing is charged
// 48 KiB of the instance's host memory.
//
// # Quotas
//
// What a quota counts, all instances together, since the component was linked:
// the bytes by which files grow (their size, so that a hole counts as if it
// were written), and 1 KiB for each new name, of a symbolic link also its
// target. Given back are a removed name, and the bytes of a file that is cut
// short, or whose last name is removed and which no instance has open any
// more. Deleting what was there before never makes more room than the quota.
// Writers in a directory with a quota wait for each other.
//
// # What differs between systems
//
// On Linux and macOS all of this holds. Elsewhere [os.Root] alone is used:
// links in the last place of a path may be followed where a program asked not
// to, names move and link only below one descriptor, an object's hash is made
// of its size and time, and flags for synchronous writes are not supported.
//
// A guest that may write can leave symbolic links that lead out of the
// directory for the host's own programs to follow; it cannot follow them.
//
// The package knows neither flags nor configuration files.
// Source: WASI 0.2, package wasi:filesystem.
package filesystem
