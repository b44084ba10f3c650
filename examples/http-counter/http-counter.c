// http-counter answers each request with how often its path was asked for. The counts
// are in the bucket "default" of wasi:keyvalue.
#include "guest.h"

// A result whose error has nothing to tell.
typedef struct {
  uint8_t is_err;
  uint32_t handle;
} plain_result;

typedef struct {
  uint8_t is_some;
  bytes value;
} optional_text;

// The variant error of wasi:keyvalue/store.
enum { no_such_store, access_denied, other };
typedef struct {
  uint8_t tag;
  bytes text; // of other
} kv_error;

typedef struct {
  uint8_t is_err;
  union {
    uint32_t bucket;
    kv_error err;
  };
} open_result;

typedef struct {
  uint8_t is_err;
  union {
    uint64_t sum;
    kv_error err;
  };
} increment_result;

#define TYPES "wasi:http/types@0.2.0"
#define STREAMS "wasi:io/streams@0.2.0"

IMPORT(TYPES, "[method]incoming-request.path-with-query")
void request_path(uint32_t self, optional_text *out);
IMPORT(TYPES, "[resource-drop]incoming-request")
void request_drop(uint32_t self);
IMPORT(TYPES, "[constructor]fields")
uint32_t fields_new(void);
IMPORT(TYPES, "[constructor]outgoing-response")
uint32_t response_new(uint32_t headers);
IMPORT(TYPES, "[method]outgoing-response.set-status-code")
uint32_t response_status(uint32_t self, uint32_t status);
IMPORT(TYPES, "[method]outgoing-response.body")
void response_body(uint32_t self, plain_result *out);
// The parameters are result<outgoing-response, error-code>, flattened.
IMPORT(TYPES, "[static]response-outparam.set")
void respond(uint32_t self, uint32_t is_err, uint32_t response, uint32_t, uint64_t, uint32_t, uint32_t, uint32_t, uint32_t);
IMPORT(TYPES, "[method]outgoing-body.write")
void body_write(uint32_t self, plain_result *out);
IMPORT(TYPES, "[static]outgoing-body.finish")
void body_finish(uint32_t self, uint32_t has_trailers, uint32_t trailers, uint64_t out[5]);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
void stream_write(uint32_t self, const uint8_t *ptr, uint32_t len, uint32_t out[3]);
IMPORT(STREAMS, "[resource-drop]output-stream")
void output_drop(uint32_t self);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "open")
void store_open(const uint8_t *name, uint32_t len, open_result *out);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[resource-drop]bucket")
void bucket_drop(uint32_t bucket);
IMPORT("wasi:keyvalue/atomics@0.2.0-draft", "increment")
void atomics_increment(uint32_t bucket, const uint8_t *key, uint32_t len, uint64_t delta,
                       increment_result *out);

static void answer(uint32_t outparam, uint32_t status, bytes text) {
  enum { most = 4096 }; // of one write
  uint32_t response = response_new(fields_new());
  response_status(response, status);
  plain_result body, stream;
  response_body(response, &body);
  respond(outparam, 0, response, 0, 0, 0, 0, 0, 0);
  body_write(body.handle, &stream);
  uint32_t written[3];
  stream_write(stream.handle, text.ptr, text.len < most ? text.len : most, written);
  output_drop(stream.handle);
  uint64_t out[5];
  body_finish(body.handle, 0, 0, out);
}

// path_of is a target without its query.
static bytes path_of(bytes target) {
  for (uint32_t i = 0; i < target.len; i++)
    if (target.ptr[i] == '?') return (bytes){target.ptr, i};
  return target;
}

static bytes describe(const kv_error *err) {
  bytes cause = err->tag == no_such_store   ? LITERAL("no such store")
                : err->tag == access_denied ? LITERAL("access denied")
                                            : err->text;
  bytes pieces[] = {LITERAL("not counted: "), cause, LITERAL("\n")};
  return concat(pieces, 3);
}

// count adds one to the count of a path, or returns false and why it could not.
static bool count(bytes path, uint64_t *sum, bytes *err) {
  open_result opened;
  store_open((const uint8_t *)"default", 7, &opened);
  if (opened.is_err) {
    *err = describe(&opened.err);
    return false;
  }
  increment_result added;
  atomics_increment(opened.bucket, path.ptr, path.len, 1, &added);
  bucket_drop(opened.bucket);
  if (added.is_err)
    *err = describe(&added.err);
  else
    *sum = added.sum;
  return !added.is_err;
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle")
void handle(uint32_t request, uint32_t outparam) {
  optional_text target;
  request_path(request, &target);
  request_drop(request);
  bytes path = path_of(target.is_some ? target.value : LITERAL("/")), err;
  uint64_t sum;
  if (count(path, &sum, &err)) {
    bytes pieces[] = {path, LITERAL(": "), format_u64(sum), LITERAL("\n")};
    answer(outparam, 200, concat(pieces, 4));
  } else {
    answer(outparam, 503, err);
  }
  arena_reset();
}
