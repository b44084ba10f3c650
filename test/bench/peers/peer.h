// What peers needs of wasmtime's C API, in loops that begin and end in C, so
// that no crossing from Go is in the figures.
#ifndef PEERS_PEER_H
#define PEERS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct peer peer; // an engine and a module; its functions take one caller at a time

enum { on_demand = 0, pooling = 1 };

// peer_new compiles a module. keep_resident is the bytes of a memory that the
// pooling allocator resets by copying; 0 is its default.
peer *peer_new(const uint8_t *wasm, size_t len, int allocator, size_t keep_resident);

// Each returns NULL, or what went wrong, in memory that stays.
const char *peer_error(const peer *p);
// A store, an instance of a module without imports, and, where pages is not 0,
// a call that writes to so many pages from start on; and the end of all that.
const char *peer_instances(peer *p, uint64_t n, uint32_t start, uint32_t pages);
// An instance that stays, for the calls below. Its imports echo a number.
const char *peer_keep(peer *p);
// n calls of take-number.
const char *peer_calls(peer *p, uint64_t n);
// One call of a function, of a u32 to a u32.
const char *peer_call(peer *p, const char *name, uint32_t arg, uint32_t *result);

#endif
