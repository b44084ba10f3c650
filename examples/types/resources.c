// The guest side of example:types/resources.
#include "guest.h"

#define INTERFACE "example:types/resources"

// A cell's representation is its place in the pool plus one: never 0, so that
// a host that loses a representation is found out.
enum { max_cells = 1000 };
static struct {
  bool used;
  uint64_t value;
} pool[max_cells];

typedef uint32_t rep;
typedef uint32_t handle;

IMPORT("[export]" INTERFACE, "[resource-new]cell")
handle cell_handle(rep cell);
IMPORT("[export]" INTERFACE, "[resource-rep]cell")
rep cell_rep(handle cell);
IMPORT("[export]" INTERFACE, "[resource-drop]cell")
void cell_drop(handle cell);

static uint64_t *value_of(rep cell) {
  if (cell == 0 || cell > max_cells || !pool[cell - 1].used) __builtin_trap();
  return &pool[cell - 1].value;
}

// make_cell returns 0 where the pool is full.
static rep make_cell(uint64_t value) {
  for (uint32_t i = 0; i < max_cells; i++) {
    if (pool[i].used) continue;
    pool[i].used = true;
    pool[i].value = value;
    return i + 1;
  }
  return 0;
}

// end_cell drops a cell that this component owns, and returns its value.
static uint64_t end_cell(handle cell) {
  uint64_t value = *value_of(cell_rep(cell));
  cell_drop(cell); // runs the destructor below
  return value;
}

EXPORT(INTERFACE "#[dtor]cell")
void cell_destructor(rep cell) {
  value_of(cell);
  pool[cell - 1].used = false;
}

EXPORT(INTERFACE "#[constructor]cell")
handle cell_new(uint64_t value) {
  rep cell = make_cell(value);
  if (cell == 0) __builtin_trap();
  return cell_handle(cell);
}

typedef struct {
  uint8_t is_err;
  uint32_t value; // the cell, or the limit
} checked_result;

EXPORT(INTERFACE "#[static]cell.checked")
const checked_result *cell_checked(uint64_t value) {
  static checked_result result;
  rep cell = make_cell(value);
  result.is_err = cell == 0;
  result.value = cell == 0 ? max_cells : cell_handle(cell);
  return &result;
}

// A component that defines a resource gets borrows of it as representations.

EXPORT(INTERFACE "#[method]cell.get")
uint64_t cell_get(rep self) { return *value_of(self); }

EXPORT(INTERFACE "#[method]cell.add")
uint64_t cell_add(rep self, uint64_t delta) { return *value_of(self) += delta; }

EXPORT(INTERFACE "#[method]cell.absorb")
void cell_absorb(rep self, rep other) { *value_of(self) += *value_of(other); }

EXPORT(INTERFACE "#[static]cell.merge")
handle cell_merge(handle a, handle b) {
  uint64_t value = end_cell(a) + end_cell(b);
  return cell_new(value);
}

EXPORT(INTERFACE "#make")
const bytes *make(uint32_t n) {
  static bytes result;
  if (n > max_cells) __builtin_trap();
  handle *cells = alloc(n * sizeof(handle), sizeof(handle));
  for (uint32_t i = 0; i < n; i++) cells[i] = cell_new(i);
  result = (bytes){(const uint8_t *)cells, n};
  return &result;
}

EXPORT("cabi_post_" INTERFACE "#make")
void make_post(const bytes *result) { arena_reset(); }

EXPORT(INTERFACE "#total")
uint64_t total(const rep *cells, uint32_t n) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += *value_of(cells[i]);
  arena_reset();
  return sum;
}

EXPORT(INTERFACE "#consume")
uint64_t consume(handle cell) { return end_cell(cell); }

EXPORT(INTERFACE "#pass")
handle pass(handle cell) { return cell; }

typedef struct {
  uint8_t some;
  handle cell;
} option_cell;

EXPORT(INTERFACE "#maybe")
const option_cell *maybe(uint32_t some, handle cell) {
  static option_cell result;
  result = (option_cell){(uint8_t)some, cell};
  return &result;
}

EXPORT(INTERFACE "#live")
uint32_t live(void) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < max_cells; i++) n += pool[i].used;
  return n;
}
