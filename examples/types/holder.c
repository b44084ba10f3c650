// The guest side of example:types/holding: a guest that has another component's
// cells, and does with them what it is told.
#include "guest.h"

#define CELLS "example:types/resources"
#define INTERFACE "example:types/holding"

typedef uint32_t handle;

typedef struct {
  uint8_t is_err;
  uint32_t value;
} checked_result;

typedef struct {
  uint8_t some;
  handle cell;
} option_cell;

typedef struct {
  const handle *ptr;
  uint32_t len;
} handles;

IMPORT(CELLS, "[constructor]cell") handle cell_new(uint64_t value);
IMPORT(CELLS, "[static]cell.checked") void cell_checked(uint64_t value, checked_result *result);
IMPORT(CELLS, "[method]cell.get") uint64_t cell_get(handle self);
IMPORT(CELLS, "[method]cell.add") uint64_t cell_add(handle self, uint64_t delta);
IMPORT(CELLS, "[static]cell.merge") handle cell_merge(handle a, handle b);
IMPORT(CELLS, "[method]cell.absorb") void cell_absorb(handle self, handle other);
IMPORT(CELLS, "[resource-drop]cell") void cell_drop(handle self);
IMPORT(CELLS, "make") void cells_make(uint32_t n, handles *result);
IMPORT(CELLS, "total") uint64_t cells_total(const handle *cells, uint32_t n);
IMPORT(CELLS, "consume") uint64_t cells_consume(handle c);
IMPORT(CELLS, "pass") handle cells_pass(handle c);
IMPORT(CELLS, "maybe") void cells_maybe(uint32_t some, handle c, option_cell *result);
IMPORT(CELLS, "live") uint32_t cells_live(void);

typedef struct {
  uint8_t act;
  uint32_t a, b;
  uint64_t value;
} step;

enum { act_new, act_checked, act_get, act_add, act_merge, act_absorb, act_make, act_total,
       act_consume, act_pass, act_maybe, act_live, act_drop, act_trap, act_spin };

// take takes one step and returns its answers, none of which counts as 0.
static uint32_t take(const step *s, uint64_t *answer) {
  static checked_result checked;
  static option_cell maybe;
  static handles made;
  answer[0] = 0;
  switch (s->act) {
  case act_new: answer[0] = cell_new(s->value); break;
  case act_checked:
    cell_checked(s->value, &checked);
    answer[0] = checked.value;
    break;
  case act_get: answer[0] = cell_get(s->a); break;
  case act_add: answer[0] = cell_add(s->a, s->value); break;
  case act_merge: answer[0] = cell_merge(s->a, s->b); break;
  case act_absorb: cell_absorb(s->a, s->b); break;
  case act_make:
    cells_make((uint32_t)s->value, &made);
    for (uint32_t i = 0; i < made.len; i++) answer[i] = made.ptr[i];
    return made.len;
  case act_total: answer[0] = cells_total((const handle[]){s->a, s->b}, 2); break;
  case act_consume: answer[0] = cells_consume(s->a); break;
  case act_pass: answer[0] = cells_pass(s->a); break;
  case act_maybe:
    cells_maybe(s->a != 0, s->a, &maybe);
    answer[0] = maybe.some ? maybe.cell : 0;
    break;
  case act_live: answer[0] = cells_live(); break;
  case act_drop: cell_drop(s->a); break;
  case act_trap: __builtin_trap();
  case act_spin: for (volatile bool forever = true; forever;) {}
  }
  return 1;
}

typedef struct {
  uint64_t *ptr;
  uint32_t len;
} answers;

EXPORT(INTERFACE "#play")
const answers *play(const step *steps, uint32_t n) {
  static answers all;
  uint32_t room = 0;
  for (uint32_t i = 0; i < n; i++) room += steps[i].act == act_make ? (uint32_t)steps[i].value : 1;
  all = (answers){alloc(room * sizeof(uint64_t), sizeof(uint64_t)), 0};
  for (uint32_t i = 0; i < n; i++) all.len += take(&steps[i], all.ptr + all.len);
  return &all;
}

EXPORT("cabi_post_" INTERFACE "#play")
void play_post(const answers *result) { arena_reset(); }
