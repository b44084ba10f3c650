#include "guest.h"

extern uint8_t __heap_base; // set by the linker: the first byte after data and stack

static uint32_t top;  // the next free byte; 0 before the first allocation
static uint32_t last; // where the newest block begins, so that it can grow in place

static uint32_t align_up(uint32_t at, uint32_t align) { return (at + align - 1) & -align; }

void arena_reset(void) { top = (uint32_t)&__heap_base; }

uint32_t arena_mark(void) {
  if (top == 0) arena_reset();
  return top;
}

void arena_release(uint32_t mark) { top = mark; }

// reserve makes sure that memory reaches up to end.
static void reserve(uint64_t end) {
  uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
  if (end <= have) return;
  uint64_t pages = (end - have + 0xffff) >> 16;
  if (end > UINT32_MAX || __builtin_wasm_memory_grow(0, (uint32_t)pages) == (size_t)-1)
    __builtin_trap();
}

void *alloc(uint32_t size, uint32_t align) {
  if (top == 0) arena_reset();
  uint64_t at = align_up(top, align);
  reserve(at + size);
  last = (uint32_t)at;
  top = last + size;
  return (void *)last;
}

// cabi_realloc is how the host asks for memory. The arena never moves the
// newest block, which is the one that a host grows or shrinks while it
// transcodes a string.
EXPORT("cabi_realloc")
void *cabi_realloc(void *old, uint32_t old_size, uint32_t align, uint32_t size) {
  if (old != NULL && (uint32_t)old == last) {
    reserve((uint64_t)last + size);
    top = last + size;
    return old;
  }
  void *block = alloc(size, align);
  if (old != NULL) __builtin_memcpy(block, old, old_size < size ? old_size : size);
  return block;
}

bytes concat(const bytes *pieces, uint32_t n) {
  uint32_t len = 0;
  for (uint32_t i = 0; i < n; i++) len += pieces[i].len;
  uint8_t *out = alloc(len, 1);
  uint32_t at = 0;
  for (uint32_t i = 0; i < n; i++) {
    __builtin_memcpy(out + at, pieces[i].ptr, pieces[i].len);
    at += pieces[i].len;
  }
  return (bytes){out, len};
}

bytes format_u64(uint64_t v) {
  enum { digits = 20 }; // of 2^64-1
  uint8_t *out = alloc(digits, 1);
  uint32_t at = digits;
  do {
    out[--at] = (uint8_t)('0' + v % 10);
    v /= 10;
  } while (v != 0);
  return (bytes){out + at, digits - at};
}

bool parse_u64(bytes text, uint64_t *v) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < text.len; i++) {
    uint8_t digit = (uint8_t)(text.ptr[i] - '0');
    if (digit > 9 || sum > (UINT64_MAX - digit) / 10) return false;
    sum = sum * 10 + digit;
  }
  *v = sum;
  return text.len > 0;
}
