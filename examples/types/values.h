// The functions of example:types/values as the canonical ABI passes them: one
// table for the guest that answers them (values.c) and for the one that hands
// them on (relay.c).
#pragma once
#include "guest.h"

typedef struct { int32_t x, y; } point;
typedef struct { uint8_t some; uint64_t value; } option_u64;
typedef struct { bytes name; point at; bytes tags; option_u64 born; uint8_t mood; } person;
typedef struct { uint8_t first; bytes second; double third; } tuple;
typedef struct { uint8_t some; bytes value; } option_string;
typedef struct { uint8_t some; struct { uint8_t some; uint32_t value; } value; } option_option;
typedef struct { uint8_t is_err; union { uint32_t ok; bytes err; }; } result_string;
typedef struct { uint8_t is_err; uint8_t err; } result_color;
typedef struct { uint8_t is_err; union { double ok; float err; }; } result_floats;
typedef struct {
  uint8_t a; uint16_t b; uint32_t c; uint64_t d;
  int8_t e; int16_t f; int32_t g; int64_t h;
  float i; double j; uint32_t k; uint8_t l;
  bytes m, n; uint8_t o, p;
} many;

enum { shape_nothing, shape_circle, shape_box, shape_label, shape_area, shape_id };
typedef struct {
  uint8_t tag;
  union {
    float circle;
    struct { uint32_t width, height; } box;
    bytes label;
    double area;
    uint64_t id;
  };
} shape;

// A function with at most one flat result returns it.
//   DIRECT(C name, WIT name, result, parameters, arguments)
// Any other returns a pointer to its result.
//   MEMORY(C name, WIT name, result, parameters, arguments)
// clang-format off
#define PTR_LEN (const uint8_t *ptr, uint32_t len), (ptr, len)
#define VALUES(DIRECT, MEMORY)                                                         \
  DIRECT(echo_bool,    "echo-bool",    uint32_t, (uint32_t v), (v))                    \
  DIRECT(echo_u8,      "echo-u8",      uint32_t, (uint32_t v), (v))                    \
  DIRECT(echo_u16,     "echo-u16",     uint32_t, (uint32_t v), (v))                    \
  DIRECT(echo_u32,     "echo-u32",     uint32_t, (uint32_t v), (v))                    \
  DIRECT(echo_u64,     "echo-u64",     uint64_t, (uint64_t v), (v))                    \
  DIRECT(echo_s8,      "echo-s8",      int32_t,  (int32_t v),  (v))                    \
  DIRECT(echo_s16,     "echo-s16",     int32_t,  (int32_t v),  (v))                    \
  DIRECT(echo_s32,     "echo-s32",     int32_t,  (int32_t v),  (v))                    \
  DIRECT(echo_s64,     "echo-s64",     int64_t,  (int64_t v),  (v))                    \
  DIRECT(echo_f32,     "echo-f32",     float,    (float v),    (v))                    \
  DIRECT(echo_f64,     "echo-f64",     double,   (double v),   (v))                    \
  DIRECT(echo_char,    "echo-char",    uint32_t, (uint32_t v), (v))                    \
  DIRECT(echo_wrapper, "echo-wrapper", double,   (double v),   (v))                    \
  DIRECT(echo_color,   "echo-color",   uint32_t, (uint32_t v), (v))                    \
  DIRECT(echo_access,  "echo-access",  uint32_t, (uint32_t v), (v))                    \
  DIRECT(echo_wide,    "echo-wide",    uint32_t, (uint32_t v), (v))                    \
  DIRECT(echo_outcome, "echo-outcome", uint32_t, (uint32_t v), (v))                    \
  DIRECT(sum, "sum", uint64_t, (const uint64_t *v, uint32_t len), (v, len))            \
  DIRECT(sum_sixteen, "sum-sixteen", uint64_t,                                         \
         (uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f,      \
          uint32_t g, uint32_t h, uint32_t i, uint32_t j, uint32_t k, uint32_t l,      \
          uint32_t m, uint32_t n, uint32_t o, uint64_t p),                             \
         (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p))                             \
  MEMORY(echo_string,  "echo-string",  bytes, PTR_LEN)                                 \
  MEMORY(echo_bytes,   "echo-bytes",   bytes, PTR_LEN)                                 \
  MEMORY(echo_bools,   "echo-bools",   bytes, PTR_LEN)                                 \
  MEMORY(echo_u16s,    "echo-u16s",    bytes, PTR_LEN)                                 \
  MEMORY(echo_s64s,    "echo-s64s",    bytes, PTR_LEN)                                 \
  MEMORY(echo_f64s,    "echo-f64s",    bytes, PTR_LEN)                                 \
  MEMORY(echo_chars,   "echo-chars",   bytes, PTR_LEN)                                 \
  MEMORY(echo_strings, "echo-strings", bytes, PTR_LEN)                                 \
  MEMORY(echo_people,  "echo-people",  bytes, PTR_LEN)                                 \
  MEMORY(echo_shapes,  "echo-shapes",  bytes, PTR_LEN)                                 \
  MEMORY(echo_nested,  "echo-nested",  bytes, PTR_LEN)                                 \
  MEMORY(echo_point, "echo-point", point, (int32_t x, int32_t y), (x, y))              \
  MEMORY(echo_person, "echo-person", person,                                           \
         (const uint8_t *name, uint32_t name_len, int32_t x, int32_t y,                \
          const uint8_t *tags, uint32_t tags_len, uint32_t born, uint64_t born_at,     \
          uint32_t mood),                                                              \
         (name, name_len, x, y, tags, tags_len, born, born_at, mood))                  \
  MEMORY(echo_tuple, "echo-tuple", tuple,                                              \
         (uint32_t first, const uint8_t *ptr, uint32_t len, double third),             \
         (first, ptr, len, third))                                                     \
  MEMORY(echo_shape, "echo-shape", shape,                                              \
         (uint32_t tag, uint64_t wide, uint32_t narrow), (tag, wide, narrow))          \
  MEMORY(echo_option, "echo-option", option_string,                                    \
         (uint32_t some, const uint8_t *ptr, uint32_t len), (some, ptr, len))          \
  MEMORY(echo_option_option, "echo-option-option", option_option,                      \
         (uint32_t some, uint32_t inner, uint32_t v), (some, inner, v))                \
  MEMORY(echo_result, "echo-result", result_string,                                    \
         (uint32_t is_err, uint32_t v, uint32_t len), (is_err, v, len))                \
  MEMORY(echo_result_err, "echo-result-err", result_color,                             \
         (uint32_t is_err, uint32_t err), (is_err, err))                               \
  MEMORY(echo_result_floats, "echo-result-floats", result_floats,                      \
         (uint32_t is_err, uint64_t bits), (is_err, bits))                             \
  MEMORY(echo_many, "echo-many", many, (const many *v), (v))                           \
  MEMORY(spread,    "spread",    many, (const many *v), (v))                           \
  MEMORY(fill, "fill", bytes, (uint32_t n, uint32_t value), (n, value))
// clang-format on
