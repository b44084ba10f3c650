// gallery keeps objects in wasi:blobstore. What it copies never is in its memory:
// one stream is spliced to another.
#include "gallery.h"

// result<own<...>, string> and result<_, string>.
typedef struct {
  uint8_t is_err;
  union {
    uint32_t ok;
    bytes err;
  };
} handle_result;

typedef struct {
  uint8_t is_err;
  uint32_t stream;
} body_result;

typedef struct {
  uint8_t is_err;
  union {
    bytes ok;
    stream_error err;
  };
} read_result;

typedef struct {
  uint8_t is_err;
  union {
    uint64_t ok;
    stream_error err;
  };
} splice_result;

typedef struct {
  const bytes *ptr;
  uint32_t len;
} strings;

typedef struct {
  uint8_t is_err;
  union {
    struct {
      strings names;
      uint8_t end;
    } ok;
    bytes err;
  };
} page_result;

IMPORT("wasi:blobstore/blobstore@0.2.0-draft", "create-container")
void create_container(const uint8_t *name, uint32_t len, handle_result *out);
IMPORT("wasi:blobstore/blobstore@0.2.0-draft", "get-container")
void get_container(const uint8_t *name, uint32_t len, handle_result *out);
IMPORT("wasi:blobstore/container@0.2.0-draft", "[method]container.get-data")
void get_data(uint32_t self, const uint8_t *name, uint32_t len, uint64_t start, uint64_t end, handle_result *out);
IMPORT("wasi:blobstore/container@0.2.0-draft", "[method]container.write-data")
void write_data(uint32_t self, const uint8_t *name, uint32_t len, uint32_t value, handle_result *out);
IMPORT("wasi:blobstore/container@0.2.0-draft", "[method]container.list-objects")
void list_objects(uint32_t self, handle_result *out);
IMPORT("wasi:blobstore/container@0.2.0-draft", "[method]stream-object-names.read-stream-object-names")
void read_names(uint32_t self, uint64_t len, page_result *out);
IMPORT("wasi:blobstore/container@0.2.0-draft", "[resource-drop]stream-object-names")
void names_drop(uint32_t self);
IMPORT("wasi:blobstore/container@0.2.0-draft", "[resource-drop]container")
void container_drop(uint32_t self);
IMPORT("wasi:blobstore/types@0.2.0-draft", "[static]outgoing-value.new-outgoing-value")
uint32_t new_value(void);
IMPORT("wasi:blobstore/types@0.2.0-draft", "[method]outgoing-value.outgoing-value-write-body")
void value_body(uint32_t self, body_result *out);
IMPORT("wasi:blobstore/types@0.2.0-draft", "[static]outgoing-value.finish")
void value_finish(uint32_t value, handle_result *out);
IMPORT("wasi:blobstore/types@0.2.0-draft", "[static]incoming-value.incoming-value-consume-async")
void consume(uint32_t value, handle_result *out);
IMPORT("wasi:io/streams@0.2.0", "[method]input-stream.blocking-read")
void stream_read(uint32_t stream, uint64_t len, read_result *out);
IMPORT("wasi:io/streams@0.2.0", "[method]output-stream.blocking-splice")
void stream_splice(uint32_t stream, uint32_t from, uint64_t len, splice_result *out);

// TEXT is a string parameter as an export gets it; GIVEN is the string.
#define TEXT(name) const uint8_t *name##_ptr, uint32_t name##_len
#define GIVEN(name) ((bytes){name##_ptr, name##_len})

// opened returns a container to drop, or false and the error.
static bool opened(bytes name, bool make, uint32_t *container, bytes *err) {
  handle_result got;
  if (make)
    create_container(name.ptr, name.len, &got);
  else
    get_container(name.ptr, name.len, &got);
  if (got.is_err)
    *err = got.err;
  else
    *container = got.ok;
  return !got.is_err;
}

bool reading(bytes container, bytes object, uint64_t first, uint64_t last, uint32_t *in, bytes *err) {
  uint32_t box;
  if (!opened(container, false, &box, err)) return false;
  handle_result got;
  get_data(box, object.ptr, object.len, first, last, &got);
  container_drop(box);
  if (!got.is_err) consume(got.ok, &got);
  if (got.is_err)
    *err = got.err;
  else
    *in = got.ok;
  return !got.is_err;
}

bool writing(bytes container, bytes object, uint32_t *value, uint32_t *out, bytes *err) {
  uint32_t box;
  if (!opened(container, true, &box, err)) return false;
  *value = new_value();
  body_result body;
  value_body(*value, &body);
  *out = body.stream;
  handle_result started;
  write_data(box, object.ptr, object.len, *value, &started);
  container_drop(box);
  if (!started.is_err) return true;
  *err = started.err;
  output_drop(*out);
  value_drop(*value);
  return false;
}

bool finished(uint32_t value, uint32_t out, bytes *err) {
  output_drop(out);
  handle_result end;
  value_finish(value, &end);
  if (end.is_err) *err = end.err;
  return !end.is_err;
}

bool pump(uint32_t in, uint32_t out, uint64_t *n) {
  for (*n = 0;;) {
    splice_result moved;
    stream_splice(out, in, 1 << 16, &moved);
    // A stream that failed tells it once; the end is that the source closed.
    if (moved.is_err) return moved.err.tag == closed;
    *n += moved.ok;
  }
}

bool write_all(uint32_t out, bytes text) {
  while (text.len > 0) {
    uint32_t n = text.len < 4096 ? text.len : 4096;
    write_result wrote;
    stream_write(out, text.ptr, n, &wrote);
    if (wrote.is_err) return false; // finish says why
    text = (bytes){text.ptr + n, text.len - n};
  }
  return true;
}

EXPORT("example:gallery/gallery#put")
handle_result *put(TEXT(container), TEXT(object), TEXT(text)) {
  handle_result *result = alloc(sizeof *result, 4);
  uint32_t value, out;
  result->is_err = !writing(GIVEN(container), GIVEN(object), &value, &out, &result->err);
  if (result->is_err) return result;
  write_all(out, GIVEN(text));
  result->is_err = !finished(value, out, &result->err);
  return result;
}

EXPORT("example:gallery/gallery#get")
read_result *get(TEXT(container), TEXT(object), uint64_t first, uint64_t last) {
  read_result *result = alloc(sizeof *result, 4);
  uint32_t in;
  bytes err;
  if (!reading(GIVEN(container), GIVEN(object), first, last, &in, &err)) {
    *result = (read_result){.is_err = 1, .ok = err};
    return result;
  }
  bytes all = {0};
  for (;;) {
    read_result got;
    stream_read(in, 32 << 10, &got);
    if (got.is_err && got.err.tag == closed) break;
    if (got.is_err) {
      *result = (read_result){.is_err = 1, .ok = LITERAL("the object cannot be read")};
      input_drop(in);
      return result;
    }
    bytes pieces[] = {all, got.ok};
    all = concat(pieces, 2);
  }
  input_drop(in);
  *result = (read_result){.is_err = 0, .ok = all};
  return result;
}

typedef struct {
  uint8_t is_err;
  union {
    uint64_t count;
    bytes err;
  };
} count_result;

EXPORT("example:gallery/gallery#copy")
count_result *copy(TEXT(container), TEXT(object), TEXT(to_container), TEXT(to_object)) {
  count_result *result = alloc(sizeof *result, 8);
  uint32_t in, value, out;
  result->is_err = 1;
  if (!reading(GIVEN(container), GIVEN(object), 0, UINT64_MAX, &in, &result->err)) return result;
  if (!writing(GIVEN(to_container), GIVEN(to_object), &value, &out, &result->err)) {
    input_drop(in);
    return result;
  }
  uint64_t n;
  bool whole = pump(in, out, &n);
  input_drop(in);
  bytes err;
  if (!whole) {
    output_drop(out);
    value_drop(value);
    result->err = LITERAL("the copy broke off");
    return result;
  }
  if (!finished(value, out, &err)) {
    result->err = err;
    return result;
  }
  result->is_err = 0;
  result->count = n;
  return result;
}

EXPORT("example:gallery/gallery#give-up")
handle_result *give_up(TEXT(container), TEXT(object)) {
  handle_result *result = alloc(sizeof *result, 4);
  uint32_t value, out;
  result->is_err = !writing(GIVEN(container), GIVEN(object), &value, &out, &result->err);
  if (result->is_err) return result;
  write_all(out, LITERAL("half of"));
  output_drop(out);
  value_drop(value);
  return result;
}

typedef struct {
  uint8_t is_err;
  union {
    strings names;
    bytes err;
  };
} names_result;

EXPORT("example:gallery/gallery#names")
names_result *names(TEXT(container)) {
  enum { most = 1000 };
  names_result *result = alloc(sizeof *result, 4);
  uint32_t box;
  result->is_err = 1;
  if (!opened(GIVEN(container), false, &box, &result->err)) return result;
  handle_result list;
  list_objects(box, &list);
  container_drop(box);
  if (list.is_err) {
    result->err = list.err;
    return result;
  }
  page_result page;
  read_names(list.ok, most, &page);
  names_drop(list.ok);
  if (page.is_err) {
    result->err = page.err;
    return result;
  }
  result->is_err = 0;
  result->names = page.ok.names;
  return result;
}

EXPORT("cabi_post_example:gallery/gallery#put") void put_done(handle_result *r) { arena_reset(); }
EXPORT("cabi_post_example:gallery/gallery#get") void get_done(read_result *r) { arena_reset(); }
EXPORT("cabi_post_example:gallery/gallery#copy") void copy_done(count_result *r) { arena_reset(); }
EXPORT("cabi_post_example:gallery/gallery#give-up") void give_up_done(handle_result *r) { arena_reset(); }
EXPORT("cabi_post_example:gallery/gallery#names") void names_done(names_result *r) { arena_reset(); }
