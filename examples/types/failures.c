// The guest side of example:types/failures: guests that a host must survive.
#include "guest.h"

#define INTERFACE "example:types/failures"

EXPORT(INTERFACE "#trap")
void trap(void) { __builtin_trap(); }

EXPORT(INTERFACE "#spin")
void spin(void) {
  for (volatile uint32_t i = 0;; i++) {
  }
}

typedef struct {
  uint8_t some;
  uint32_t value;
} option_u32;

EXPORT(INTERFACE "#grow")
const option_u32 *grow(uint32_t pages) {
  static option_u32 result;
  size_t before = __builtin_wasm_memory_grow(0, pages);
  result = (option_u32){before != (size_t)-1, (uint32_t)before};
  return &result;
}

// Each level waits for the next: a call in tail position would become a loop.
static uint32_t (*volatile next)(uint32_t);

EXPORT(INTERFACE "#recurse")
uint32_t recurse(uint32_t depth) {
  if (depth == 0) return 0;
  next = recurse;
  return next(depth - 1) + 1;
}

EXPORT(INTERFACE "#peek")
uint32_t peek(uint32_t address) { return *(volatile uint8_t *)address; }

EXPORT(INTERFACE "#bad-string")
const bytes *bad_string(void) {
  // Two lone surrogates in UTF-16, a cut sequence in UTF-8.
  static const uint16_t surrogates[] = {0xd800, 0xd800};
  static bytes result;
  result = (bytes){(const uint8_t *)surrogates, 2};
  return &result;
}

EXPORT(INTERFACE "#bad-list")
const bytes *bad_list(void) {
  static bytes result;
  result = (bytes){(const uint8_t *)1024, UINT32_MAX / 8};
  return &result;
}

EXPORT(INTERFACE "#bad-alignment")
const bytes *bad_alignment(void) {
  static bytes result;
  result = (bytes){(const uint8_t *)1025, 1};
  return &result;
}

EXPORT(INTERFACE "#bad-char")
uint32_t bad_char(void) { return 0xd800; }

EXPORT(INTERFACE "#bad-case")
uint32_t bad_case(void) { return 3; }
