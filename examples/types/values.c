// The guest that answers example:types/values.
#include "values.h"

#define INTERFACE "example:types/values"

// Declares every function with its export name, and the post-return of those
// whose result is in memory.
#define DECLARE_DIRECT(id, name, T, params, args) EXPORT(INTERFACE "#" name) T id params;
#define DECLARE_MEMORY(id, name, T, ...) DECLARE_MEMORY_(id, name, T, __VA_ARGS__)
#define DECLARE_MEMORY_(id, name, T, params, args)                                      \
  EXPORT(INTERFACE "#" name) const T *id params;                                        \
  EXPORT("cabi_post_" INTERFACE "#" name) void id##_post(const T *result) { arena_reset(); }
VALUES(DECLARE_DIRECT, DECLARE_MEMORY)

// The answer of a function whose result is in memory.
#define ANSWER(T, ...)            \
  static T answer;                \
  answer = (T)__VA_ARGS__;        \
  return &answer

uint32_t echo_bool(uint32_t v) { return v; }
uint32_t echo_u8(uint32_t v) { return v; }
uint32_t echo_u16(uint32_t v) { return v; }
uint32_t echo_u32(uint32_t v) { return v; }
uint64_t echo_u64(uint64_t v) { return v; }
int32_t echo_s8(int32_t v) { return v; }
int32_t echo_s16(int32_t v) { return v; }
int32_t echo_s32(int32_t v) { return v; }
int64_t echo_s64(int64_t v) { return v; }
float echo_f32(float v) { return v; }
double echo_f64(double v) { return v; }
uint32_t echo_char(uint32_t v) { return v; }
double echo_wrapper(double v) { return v; }
uint32_t echo_color(uint32_t v) { return v; }
uint32_t echo_access(uint32_t v) { return v; }
uint32_t echo_wide(uint32_t v) { return v; }
uint32_t echo_outcome(uint32_t v) { return v; }

const bytes *echo_string(const uint8_t *ptr, uint32_t len) { ANSWER(bytes, {ptr, len}); }
const bytes *echo_bytes(const uint8_t *ptr, uint32_t len) { ANSWER(bytes, {ptr, len}); }
const bytes *echo_bools(const uint8_t *ptr, uint32_t len) { ANSWER(bytes, {ptr, len}); }
const bytes *echo_u16s(const uint8_t *ptr, uint32_t len) { ANSWER(bytes, {ptr, len}); }
const bytes *echo_s64s(const uint8_t *ptr, uint32_t len) { ANSWER(bytes, {ptr, len}); }
const bytes *echo_f64s(const uint8_t *ptr, uint32_t len) { ANSWER(bytes, {ptr, len}); }
const bytes *echo_chars(const uint8_t *ptr, uint32_t len) { ANSWER(bytes, {ptr, len}); }
const bytes *echo_strings(const uint8_t *ptr, uint32_t len) { ANSWER(bytes, {ptr, len}); }
const bytes *echo_people(const uint8_t *ptr, uint32_t len) { ANSWER(bytes, {ptr, len}); }
const bytes *echo_shapes(const uint8_t *ptr, uint32_t len) { ANSWER(bytes, {ptr, len}); }
const bytes *echo_nested(const uint8_t *ptr, uint32_t len) { ANSWER(bytes, {ptr, len}); }

const point *echo_point(int32_t x, int32_t y) { ANSWER(point, {x, y}); }

const person *echo_person(const uint8_t *name, uint32_t name_len, int32_t x, int32_t y,
                          const uint8_t *tags, uint32_t tags_len, uint32_t born,
                          uint64_t born_at, uint32_t mood) {
  ANSWER(person, {{name, name_len}, {x, y}, {tags, tags_len}, {born, born_at}, mood});
}

const tuple *echo_tuple(uint32_t first, const uint8_t *ptr, uint32_t len, double third) {
  ANSWER(tuple, {first, {ptr, len}, third});
}

// Cases share parameters: wide holds the first value of any case, floats as
// their bits.
const shape *echo_shape(uint32_t tag, uint64_t wide, uint32_t narrow) {
  static shape answer;
  answer.tag = (uint8_t)tag;
  uint32_t low = (uint32_t)wide;
  switch (tag) {
    case shape_circle: __builtin_memcpy(&answer.circle, &low, 4); break;
    case shape_box:
      answer.box.width = low;
      answer.box.height = narrow;
      break;
    case shape_label: answer.label = (bytes){(const uint8_t *)low, narrow}; break;
    case shape_area:
    case shape_id: answer.id = wide; break;
  }
  return &answer;
}

const option_string *echo_option(uint32_t some, const uint8_t *ptr, uint32_t len) {
  ANSWER(option_string, {some, {ptr, len}});
}

const option_option *echo_option_option(uint32_t some, uint32_t inner, uint32_t v) {
  ANSWER(option_option, {some, {inner, v}});
}

const result_string *echo_result(uint32_t is_err, uint32_t v, uint32_t len) {
  static result_string answer;
  answer.is_err = (uint8_t)is_err;
  if (is_err)
    answer.err = (bytes){(const uint8_t *)v, len};
  else
    answer.ok = v;
  return &answer;
}

const result_color *echo_result_err(uint32_t is_err, uint32_t err) {
  ANSWER(result_color, {is_err, err});
}

const result_floats *echo_result_floats(uint32_t is_err, uint64_t bits) {
  static result_floats answer;
  answer.is_err = (uint8_t)is_err;
  __builtin_memcpy(&answer.ok, &bits, 8); // an f32 is in the low half, where err is
  return &answer;
}

// Parameters that do not fit arrive as a pointer to them, laid out as the
// record is: the answer is where they are.
const many *echo_many(const many *v) { return v; }
const many *spread(const many *v) { return v; }

uint64_t sum(const uint64_t *v, uint32_t len) {
  uint64_t total = 0;
  for (uint32_t i = 0; i < len; i++) total += v[i];
  arena_reset();
  return total;
}

uint64_t sum_sixteen(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f,
                     uint32_t g, uint32_t h, uint32_t i, uint32_t j, uint32_t k, uint32_t l,
                     uint32_t m, uint32_t n, uint32_t o, uint64_t p) {
  return p + a + b + c + d + e + f + g + h + i + j + k + l + m + n + o;
}

const bytes *fill(uint32_t n, uint32_t value) {
  uint8_t *out = alloc(n, 1);
  __builtin_memset(out, (int)value, n);
  ANSWER(bytes, {out, n});
}

EXPORT(INTERFACE "#nothing")
void nothing(void) {}
