// What the C examples share: the shapes of the canonical ABI on wasm32, and an
// arena that serves one call. No libc: a guest is a few kilobytes.
//
// On wasm32 a C struct has the layout that the component model's canonical ABI
// gives a record of the same fields, so guests read and write ABI values as
// plain structs.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

// A list<u8> or a string, as its pointer and length.
typedef struct {
  const uint8_t *ptr;
  uint32_t len;
} bytes;

#define LITERAL(s) ((bytes){(const uint8_t *)(s), sizeof(s) - 1})

// alloc returns size bytes that live until arena_reset, and traps when memory
// cannot grow.
void *alloc(uint32_t size, uint32_t align);

// arena_reset frees everything allocated so far. Call it when a call has no
// more use for its arguments and its result was read: in its post-return, or
// at its end where the result needs no memory.
void arena_reset(void);

// arena_mark names what is allocated now; arena_release frees what was allocated
// since. A loop that allocates needs no more than one turn of it does.
uint32_t arena_mark(void);
void arena_release(uint32_t mark);

// concat joins n pieces in the arena.
bytes concat(const bytes *pieces, uint32_t n);

// format_u64 writes v in decimal in the arena; parse_u64 reads what it writes
// and returns false for anything else.
bytes format_u64(uint64_t v);
bool parse_u64(bytes text, uint64_t *v);
