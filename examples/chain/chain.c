// chain calls the next component of a chain, which may be itself: it shows
// what calls along links do to each other.
#include "guest.h"

enum { finish, fail, trap, spin };

typedef struct {
  uint8_t is_err;
  union {
    uint32_t steps;
    bytes err;
  };
} step_result;

IMPORT("example:chain/step", "go")
void next_go(uint32_t depth, uint32_t mode, step_result *out);
IMPORT("example:chain/step", "run")
uint32_t next_run(uint32_t depth, uint32_t mode);

static void end(uint32_t mode) {
  if (mode == trap) __builtin_trap();
  for (volatile uint32_t i = 0; mode == spin;) i++;
}

EXPORT("example:chain/step#go")
step_result *step_go(uint32_t depth, uint32_t mode) {
  static step_result result;
  if (depth > 0) {
    next_go(depth - 1, mode, &result);
    if (!result.is_err) result.steps++;
    return &result;
  }
  end(mode);
  result.is_err = mode == fail;
  if (mode == fail)
    result.err = LITERAL("asked to fail");
  else
    result.steps = 1;
  return &result;
}

EXPORT("cabi_post_example:chain/step#go")
void step_go_post(void *result) { arena_reset(); }

EXPORT("example:chain/step#run")
uint32_t step_run(uint32_t depth, uint32_t mode) {
  if (depth > 0) return next_run(depth - 1, mode) + 1;
  end(mode);
  return 1;
}
