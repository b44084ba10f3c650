// notes keeps texts as files of the directory that it was granted. The variable
// NOTES names the directory; without it, notes are in "/notes".
#include "files.h"

typedef struct {
  uint8_t is_err;
  bytes text; // what was read, or what went wrong
} text_result;

typedef struct {
  bytes name, value;
} variable;

typedef struct {
  const variable *ptr;
  uint32_t len;
} variables;

IMPORT("wasi:cli/environment@0.2.0", "get-environment")
void get_environment(variables *out);

static bool same(bytes a, bytes b) {
  if (a.len != b.len) return false;
  for (uint32_t i = 0; i < a.len; i++)
    if (a.ptr[i] != b.ptr[i]) return false;
  return true;
}

// path_of is where a note is.
static bytes path_of(bytes name) {
  bytes dir = LITERAL("/notes");
  variables env;
  get_environment(&env);
  for (uint32_t i = 0; i < env.len; i++)
    if (same(env.ptr[i].name, LITERAL("NOTES"))) dir = env.ptr[i].value;
  bytes pieces[] = {dir, LITERAL("/"), name};
  return concat(pieces, 3);
}

// failed is the answer that something went wrong with a note.
static text_result *failed(text_result *result, bytes name, bytes why) {
  bytes pieces[] = {name, LITERAL(": "), why};
  *result = (text_result){1, concat(pieces, 3)};
  return result;
}

EXPORT("example:notes/notes#read")
text_result *notes_read(const uint8_t *ptr, uint32_t len) {
  static text_result result;
  bytes name = {ptr, len}, why;
  uint32_t in;
  if (!open_input(path_of(name), &in, &why)) return failed(&result, name, why);
  result = (text_result){0};
  for (;;) {
    read_result got;
    stream_read(in, 64 << 10, &got);
    if (got.is_err) {
      input_drop(in);
      if (got.err.tag == closed) return &result;
      error_drop(got.err.error);
      return failed(&result, name, LITERAL("cannot be read"));
    }
    bytes pieces[] = {result.text, got.ok};
    result.text = concat(pieces, 2);
  }
}

EXPORT("cabi_post_example:notes/notes#read")
void notes_read_post(void *result) { arena_reset(); }

EXPORT("example:notes/notes#write")
text_result *notes_write(const uint8_t *ptr, uint32_t len, const uint8_t *text_ptr, uint32_t text_len) {
  static text_result result;
  bytes name = {ptr, len}, why;
  uint32_t out;
  if (!open_output(path_of(name), &out, &why)) return failed(&result, name, why);
  result = (text_result){0};
  if (!write_all(out, (bytes){text_ptr, text_len})) failed(&result, name, LITERAL("cannot be written"));
  output_drop(out);
  return &result;
}

EXPORT("cabi_post_example:notes/notes#write")
void notes_write_post(void *result) { arena_reset(); }
