// divide fails in the ways of arithmetic. It is built with debug information, so
// that a trap can name these lines: lath run --debug.
#include "guest.h"

typedef struct {
  const int32_t *ptr;
  uint32_t len;
} numbers;

// quotient traps where by is 0. It stays a function of its own, for the trap to
// be in.
__attribute__((noinline)) static int32_t quotient(int32_t of, int32_t by) {
  return of / by;
}

EXPORT("example:divide/divide#divide")
int32_t divide(int32_t of, int32_t by) {
  return quotient(of, by);
}

static int32_t sum(numbers of) {
  int32_t total = 0;
  for (uint32_t i = 0; i < of.len; i++) total += of.ptr[i];
  return total;
}

EXPORT("example:divide/divide#mean")
int32_t mean(const int32_t *ptr, uint32_t len) {
  numbers of = {ptr, len};
  int32_t result = quotient(sum(of), (int32_t)of.len); // and of no numbers there is none
  arena_reset();
  return result;
}
