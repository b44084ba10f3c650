// http-hello answers HTTP requests. "/" greets, "/echo" sends back what it gets while
// it comes, "/events" tells three server-sent events, and nothing else is there.
#include "guest.h"

// A result whose error has nothing to tell.
typedef struct {
  uint8_t is_err;
  uint32_t handle;
} plain_result;

typedef struct {
  uint8_t is_err;
  union {
    bytes ok;
    struct {
      uint8_t tag;
      uint32_t error;
    } err;
  };
} read_result;

typedef struct {
  uint8_t is_some;
  bytes value;
} optional_text;

#define TYPES "wasi:http/types@0.2.0"
#define STREAMS "wasi:io/streams@0.2.0"

IMPORT(TYPES, "[method]incoming-request.path-with-query")
void request_path(uint32_t self, optional_text *out);
IMPORT(TYPES, "[method]incoming-request.consume")
void request_consume(uint32_t self, plain_result *out);
IMPORT(TYPES, "[resource-drop]incoming-request")
void request_drop(uint32_t self);
IMPORT(TYPES, "[method]incoming-body.stream")
void body_stream(uint32_t self, plain_result *out);
IMPORT(TYPES, "[resource-drop]incoming-body")
void body_drop(uint32_t self);
IMPORT(TYPES, "[constructor]fields")
uint32_t fields_new(void);
IMPORT(TYPES, "[method]fields.append")
void fields_append(uint32_t self, const uint8_t *name, uint32_t name_len, const uint8_t *value,
                   uint32_t value_len, uint8_t out[2]);
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
IMPORT(STREAMS, "[method]input-stream.blocking-read")
void stream_read(uint32_t self, uint64_t len, read_result *out);
IMPORT(STREAMS, "[resource-drop]input-stream")
void input_drop(uint32_t self);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
void stream_write(uint32_t self, const uint8_t *ptr, uint32_t len, read_result *out);
IMPORT(STREAMS, "[resource-drop]output-stream")
void output_drop(uint32_t self);

// A response whose body is being written.
typedef struct {
  uint32_t body, stream;
} writer;

static writer begin(uint32_t outparam, uint32_t status, bytes type) {
  static const bytes name = LITERAL("content-type");
  uint32_t headers = fields_new();
  uint8_t appended[2];
  fields_append(headers, name.ptr, name.len, type.ptr, type.len, appended);
  uint32_t response = response_new(headers);
  response_status(response, status);
  plain_result body, stream;
  response_body(response, &body);
  respond(outparam, 0, response, 0, 0, 0, 0, 0, 0);
  body_write(body.handle, &stream);
  return (writer){body.handle, stream.handle};
}

// send writes text and says whether the client is still there.
static bool send(writer w, bytes text) {
  enum { most = 4096 };
  while (text.len > 0) {
    uint32_t n = text.len < most ? text.len : most;
    read_result out;
    stream_write(w.stream, text.ptr, n, &out);
    if (out.is_err) return false;
    text.ptr += n;
    text.len -= n;
  }
  return true;
}

static void end(writer w) {
  uint64_t out[5];
  output_drop(w.stream);
  body_finish(w.body, 0, 0, out);
}

static void answer(uint32_t outparam, uint32_t status, bytes text) {
  writer w = begin(outparam, status, LITERAL("text/plain; charset=utf-8"));
  send(w, text);
  end(w);
}

// echo sends a body back as it comes, in constant memory.
static void echo(uint32_t request, uint32_t outparam) {
  enum { chunk = 32 << 10 };
  plain_result body, stream;
  request_consume(request, &body);
  body_stream(body.handle, &stream);
  writer w = begin(outparam, 200, LITERAL("application/octet-stream"));
  for (;;) {
    uint32_t mark = arena_mark();
    read_result got;
    stream_read(stream.handle, chunk, &got);
    if (got.is_err || !send(w, got.ok)) break;
    arena_release(mark);
  }
  input_drop(stream.handle);
  body_drop(body.handle);
  end(w);
}

static void events(uint32_t outparam) {
  writer w = begin(outparam, 200, LITERAL("text/event-stream"));
  for (uint64_t i = 1; i <= 3; i++) {
    bytes pieces[] = {LITERAL("data: "), format_u64(i), LITERAL("\n\n")};
    if (!send(w, concat(pieces, 3))) break;
  }
  end(w);
}

// is says whether a path with a query is of a path.
static bool is(bytes target, bytes path) {
  if (target.len < path.len || (target.len > path.len && target.ptr[path.len] != '?')) return false;
  for (uint32_t i = 0; i < path.len; i++)
    if (target.ptr[i] != path.ptr[i]) return false;
  return true;
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle")
void handle(uint32_t request, uint32_t outparam) {
  optional_text target;
  request_path(request, &target);
  if (is(target.value, LITERAL("/")))
    answer(outparam, 200, LITERAL("Hello from Lath\n"));
  else if (is(target.value, LITERAL("/echo")))
    echo(request, outparam);
  else if (is(target.value, LITERAL("/events")))
    events(outparam);
  else
    answer(outparam, 404, LITERAL("nothing is here\n"));
  request_drop(request);
  arena_reset();
}
