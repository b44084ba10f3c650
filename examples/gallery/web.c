// The face of gallery that answers HTTP.
#include "gallery.h"

// A result whose error has nothing to tell.
typedef struct {
  uint8_t is_err;
  uint32_t handle;
} plain_result;

typedef struct {
  uint8_t is_some;
  bytes value;
} optional_text;

typedef struct {
  uint8_t tag;
  bytes other;
} method;
enum { get_method = 0, put_method = 3 };

#define TYPES "wasi:http/types@0.2.0"

IMPORT(TYPES, "[method]incoming-request.method")
void request_method(uint32_t self, method *out);
IMPORT(TYPES, "[method]incoming-request.path-with-query")
void request_path(uint32_t self, optional_text *out);
IMPORT(TYPES, "[method]incoming-request.consume")
void request_consume(uint32_t self, plain_result *out);
IMPORT(TYPES, "[resource-drop]incoming-request")
void request_drop(uint32_t self);
IMPORT(TYPES, "[method]incoming-body.stream")
void body_stream(uint32_t self, plain_result *out);
IMPORT(TYPES, "[resource-drop]incoming-body")
void incoming_drop(uint32_t self);
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
IMPORT(TYPES, "[resource-drop]outgoing-body")
void outgoing_drop(uint32_t self);

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

// end ends a response. One that is not whole is not finished, so that the client
// learns of it.
static void end(writer w, bool whole) {
  uint64_t out[5];
  output_drop(w.stream);
  if (whole)
    body_finish(w.body, 0, 0, out);
  else
    outgoing_drop(w.body);
}

static void answer(uint32_t outparam, uint32_t status, bytes text) {
  bytes pieces[] = {text, LITERAL("\n")};
  writer w = begin(outparam, status, LITERAL("text/plain; charset=utf-8"));
  end(w, write_all(w.stream, concat(pieces, 2)));
}

// split takes "/container/object", without a query, apart.
static bool split(bytes path, bytes *container, bytes *object) {
  uint32_t slash = 1, len = 0;
  while (len < path.len && path.ptr[len] != '?') len++;
  while (slash < len && path.ptr[slash] != '/') slash++;
  *container = (bytes){path.ptr + 1, slash - 1};
  *object = (bytes){path.ptr + slash + 1, len - slash - 1};
  return slash > 1 && slash + 1 < len;
}

static void send(uint32_t outparam, bytes container, bytes object) {
  uint32_t in;
  bytes err;
  if (!reading(container, object, 0, UINT64_MAX, &in, &err)) {
    answer(outparam, 404, err);
    return;
  }
  uint64_t n;
  writer w = begin(outparam, 200, LITERAL("application/octet-stream"));
  end(w, pump(in, w.stream, &n));
  input_drop(in);
}

static void store(uint32_t request, uint32_t outparam, bytes container, bytes object) {
  uint32_t value, out;
  bytes err;
  if (!writing(container, object, &value, &out, &err)) {
    answer(outparam, 500, err);
    return;
  }
  plain_result body, in;
  request_consume(request, &body);
  body_stream(body.handle, &in);
  uint64_t n;
  bool whole = pump(in.handle, out, &n);
  input_drop(in.handle);
  incoming_drop(body.handle);
  if (!whole) {
    output_drop(out);
    value_drop(value);
    answer(outparam, 500, LITERAL("the upload broke off"));
    return;
  }
  if (!finished(value, out, &err)) {
    answer(outparam, 500, err);
    return;
  }
  bytes told[] = {LITERAL("stored "), format_u64(n), LITERAL(" bytes")};
  answer(outparam, 201, concat(told, 3));
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle")
void handle(uint32_t request, uint32_t outparam) {
  optional_text path;
  method asked;
  bytes container, object;
  request_path(request, &path);
  request_method(request, &asked);
  if (!path.is_some || !split(path.value, &container, &object))
    answer(outparam, 404, LITERAL("want /container/object"));
  else if (asked.tag == get_method)
    send(outparam, container, object);
  else if (asked.tag == put_method)
    store(request, outparam, container, object);
  else
    answer(outparam, 405, LITERAL("want GET or PUT"));
  request_drop(request);
  arena_reset();
}
