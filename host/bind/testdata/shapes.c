// The guest of the tests of generated glue. It is built like the examples,
// see examples/internal/build, from this folder.
#include "guest.h"

#define OUTCOMES "lath:shapes/outcomes@0.1.0"
#define THINGS "lath:shapes/things@0.1.0"

typedef uint32_t thing;

IMPORT(THINGS, "[constructor]thing") thing thing_new(uint32_t number);
IMPORT(THINGS, "[resource-drop]thing") void thing_drop(thing t);
IMPORT(THINGS, "[method]thing.number") uint32_t thing_number(thing t);
IMPORT(THINGS, "[method]thing.add") void thing_add(thing t, thing other);
IMPORT(THINGS, "[static]thing.merge") thing thing_merge(thing a, thing b);

typedef struct { uint8_t is_err; union { thing ok; uint8_t err; }; } checked;
IMPORT(THINGS, "[static]thing.checked") void thing_checked(uint32_t number, checked *out);

IMPORT(THINGS, "pass") thing pass(thing t);

typedef struct { uint8_t some; thing value; } maybe_thing;
IMPORT(THINGS, "maybe") void maybe(uint32_t some, thing t, maybe_thing *out);

typedef struct { bytes text; thing t; } swapped;
IMPORT(THINGS, "swap") void swap(thing t, const uint8_t *ptr, uint32_t len, swapped *out);

typedef struct { const thing *ptr; uint32_t len; } thing_list;
typedef struct { uint8_t tag; union { thing one; thing_list many; }; } gift;
IMPORT(THINGS, "give") void give(uint32_t tag, uint32_t a, uint32_t b, gift *out);

typedef struct { uint8_t is_err; union { struct { uint32_t sum; bytes name; } ok; uint8_t err; }; } summed;
IMPORT(THINGS, "sum") void sum(const thing *all, uint32_t n, const uint8_t *ptr, uint32_t len, summed *out);

typedef struct { uint8_t is_err; union { uint32_t ok; thing err; }; } refused;
IMPORT(THINGS, "refuse") void refuse(thing t, refused *out);

typedef struct {
  uint8_t tag;
  union { bytes note; uint8_t number; bytes error; struct { uint16_t n; bytes s; } pair; struct { uint8_t some; bytes s; } internal; };
} trouble;
typedef struct { uint8_t is_err; trouble v; } troubled;
IMPORT(OUTCOMES, "with-variant") void with_variant(uint32_t tag, uint32_t a, uint32_t b, uint32_t c, troubled *out);
IMPORT(OUTCOMES, "without") uint32_t without(uint32_t side);
IMPORT(OUTCOMES, "with-only-nothing") uint32_t with_only_nothing(uint32_t v);

typedef struct { uint8_t is_err; uint16_t v; } flagged;
IMPORT(OUTCOMES, "with-flags") void with_flags(uint32_t v, flagged *out);

typedef struct { uint8_t is_err; bytes v; } texted;
IMPORT(OUTCOMES, "with-string") void with_string(const uint8_t *ptr, uint32_t len, texted *out);

typedef struct { uint32_t amount, c; } entry;
typedef struct { uint8_t is_err; const entry *ptr; uint32_t len; } listed;
IMPORT(OUTCOMES, "with-list") void with_list(const entry *ptr, uint32_t len, listed *out);

typedef struct { int32_t code; bytes error; const bytes *lines; uint32_t len; } report;
typedef struct { uint8_t is_err; report v; } reported;
IMPORT(OUTCOMES, "with-record")
void with_record(int32_t code, const uint8_t *ptr, uint32_t len, const bytes *lines, uint32_t n, reported *out);

IMPORT(OUTCOMES, "silent") void silent(uint32_t type, uint32_t len, int32_t in, int32_t err);

typedef struct { const float *ptr; uint32_t len; } floats;
typedef struct {
  uint8_t is_err;
  union { struct { uint8_t some; struct { uint8_t is_err; union { uint64_t ok; floats err; }; } v; } ok; uint8_t err; };
} nested_result;
// The list's pointer shares its parameter with the u64, hence its width.
IMPORT(OUTCOMES, "nested")
void nested(uint32_t is_err, uint32_t some, uint32_t inner_err, uint64_t a, uint32_t b, nested_result *out);

#define WANT(condition) do { if (!(condition)) return __LINE__; } while (0)
#define TEXT(s) (const uint8_t *)(s), sizeof(s) - 1

static bool same(bytes a, const char *b) {
  uint32_t i = 0;
  for (; i < a.len; i++) if (b[i] == 0 || a.ptr[i] != (uint8_t)b[i]) return false;
  return b[i] == 0;
}

static uint32_t walk_things(void) {
  thing a = thing_new(1), b = thing_new(2);
  WANT(a != b && thing_number(a) == 1 && thing_number(b) == 2);
  thing_add(a, b);
  WANT(thing_number(a) == 3 && thing_number(b) == 2);
  thing c = thing_merge(a, b);
  WANT(thing_number(c) == 5);
  checked got;
  thing_checked(7, &got);
  WANT(!got.is_err && thing_number(got.ok) == 7);
  thing d = got.ok;
  thing_checked(1000, &got);
  WANT(got.is_err && got.err == 1);

  c = pass(c);
  WANT(thing_number(c) == 5);
  maybe_thing m;
  maybe(1, c, &m);
  WANT(m.some && thing_number(m.value) == 5);
  c = m.value;
  maybe(0, 0, &m);
  WANT(!m.some);
  swapped s;
  swap(c, TEXT("swap"), &s);
  WANT(same(s.text, "swap") && thing_number(s.t) == 5);
  c = s.t;

  gift g;
  give(0, 0, 0, &g);
  WANT(g.tag == 0);
  give(1, c, 0, &g);
  WANT(g.tag == 1 && thing_number(g.one) == 5);
  thing both[2] = {g.one, d};
  give(2, (uint32_t)both, 2, &g);
  WANT(g.tag == 2 && g.many.len == 2 && thing_number(g.many.ptr[0]) == 5 && thing_number(g.many.ptr[1]) == 7);

  summed sm;
  sum(g.many.ptr, 2, TEXT("sum"), &sm);
  WANT(!sm.is_err && sm.ok.sum == 12 && same(sm.ok.name, "sum"));
  sum(g.many.ptr, 0, TEXT(""), &sm);
  WANT(sm.is_err && sm.err == 0);
  refused r;
  refuse(g.many.ptr[0], &r);
  WANT(r.is_err && thing_number(r.err) == 5);
  thing_drop(r.err);
  return 0;  // the last one is left to the host
}

static uint32_t walk_troubles(void) {
  static const char text[] = "text";
  troubled t;
  with_variant(0, (uint32_t)text, 4, 0, &t);
  WANT(t.v.tag == 0 && same(t.v.note, text));
  with_variant(1, 200, 0, 0, &t);
  WANT(t.v.tag == 1 && t.v.number == 200);
  with_variant(2, (uint32_t)text, 2, 0, &t);
  WANT(t.v.tag == 2 && same(t.v.error, "te"));
  with_variant(3, 65535, (uint32_t)text, 4, &t);
  WANT(t.v.tag == 3 && t.v.pair.n == 65535 && same(t.v.pair.s, text));
  with_variant(4, 1, (uint32_t)text, 4, &t);
  WANT(t.v.tag == 4 && t.v.internal.some && same(t.v.internal.s, text));
  with_variant(4, 0, 0, 0, &t);
  WANT(t.v.tag == 4 && !t.v.internal.some);
  return 0;
}

static uint32_t walk_outcomes(void) {
  flagged f;
  with_flags(0x101, &f);
  WANT(f.v == 0x101);
  with_flags(0xfffffe00, &f);
  WANT(f.v == 0);
  texted t;
  with_string(TEXT("f\xc3\xb6\xc3\xb6"), &t);
  WANT(same(t.v, "f\xc3\xb6\xc3\xb6"));
  const entry entries[] = {{1, 'a'}, {0xffffffff, 0x10ffff}};
  listed l;
  with_list(entries, 2, &l);
  WANT(l.len == 2 && l.ptr[0].amount == 1 && l.ptr[0].c == 'a' && l.ptr[1].amount == 0xffffffff && l.ptr[1].c == 0x10ffff);
  const bytes lines[] = {LITERAL("one"), LITERAL("")};
  reported r;
  with_record(-5, TEXT("e"), lines, 2, &r);
  WANT(r.v.code == -5 && same(r.v.error, "e") && r.v.len == 2 && same(r.v.lines[0], "one") && same(r.v.lines[1], ""));
  silent(255, 65535, -128, -32768);

  nested_result n;
  const float fs[] = {1.5f, -2.5f};
  nested(0, 1, 1, (uint32_t)fs, 2, &n);
  WANT(!n.is_err && n.ok.some && n.ok.v.is_err && n.ok.v.err.len == 2 && n.ok.v.err.ptr[1] == -2.5f);
  nested(0, 1, 0, 0xfedcba9876543210, 0, &n);
  WANT(!n.is_err && n.ok.some && !n.ok.v.is_err && n.ok.v.ok == 0xfedcba9876543210);
  nested(0, 0, 0, 0, 0, &n);
  WANT(!n.is_err && !n.ok.some);
  nested(1, 1, 0, 0, 0, &n);
  WANT(n.is_err && n.err == 1);
  return 0;
}

EXPORT("walk") uint32_t walk(void) {
  uint32_t line = walk_things();
  if (line == 0) line = walk_troubles();
  if (line == 0) line = walk_outcomes();
  if (line == 0 && without(1) != 1) line = __LINE__;
  if (line == 0 && with_only_nothing(0) != 0) line = __LINE__;
  arena_reset();
  return line;
}

EXPORT("misuse") void misuse(uint32_t how) {
  static listed l;
  static texted t;
  static summed s;
  static gift g;
  static reported r;
  static const entry entries[] = {{1, 0xd800}};
  static const bytes lines[] = {{(const uint8_t *)0xfffffff0, 0x20}};
  const thing bad[] = {0xffffff};
  thing a, twice[2];
  switch (how) {
    case 0: without(2); break;
    case 1: with_list(entries, 1, &l); break;
    case 2: with_list((const entry *)2, 1, &l); break;
    case 3: with_list((const entry *)8, 0x20000001, &l); break;
    case 4: with_record(0, TEXT(""), lines, 1, &r); break;
    case 5: give(3, 0, 0, &g); break;
    case 6: pass(0xffffff); break;
    case 7: a = thing_new(1); thing_drop(a); thing_number(a); break;
    case 8: with_string(TEXT("x"), (texted *)((uint32_t)&t + 1)); break;
    case 9: with_string(TEXT("x"), (texted *)0xfffffff8); break;
    case 10: sum(bad, 1, TEXT(""), &s); break;
    case 11: with_string(TEXT("\xff"), &t); break;
    case 12: with_string((const uint8_t *)0xfffffff0, 0x20, &t); break;
    case 13: pass(0); break;
    case 14: a = thing_new(1); thing_merge(a, a); break;
    case 16: thing_checked(1, (checked *)0xfffffff0); break;
    case 17: twice[0] = twice[1] = thing_new(1); give(2, (uint32_t)twice, 2, &g); break;
    case 15: with_variant(5, 0, 0, 0, (troubled *)&s); break;
  }
}
