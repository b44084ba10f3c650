// fetch prints what an HTTP server answers at the URL that its argument names.
// The setting "user-agent" of wasi:config/store, where there is one, is what it
// calls itself. It ends with 1 where there is no answer, or one that is no
// success, and with 2 where its argument is no URL.
#include "files.h"

typedef struct {
  const bytes *ptr;
  uint32_t len;
} strings;

enum { exit_failed = 1, exit_usage = 2 };

// error-code: which one, and what nobody here reads.
typedef struct {
  uint8_t tag;
  uint64_t payload[3];
} http_error;

typedef struct {
  uint8_t is_err;
  union {
    uint32_t handle;
    http_error err;
  };
} http_result;

typedef struct {
  uint8_t is_some;
  struct {
    uint8_t is_err; // it was taken before
    http_result ok;
  };
} http_answer;

// A result without an error to tell.
typedef struct {
  uint8_t is_err;
  uint32_t handle;
} plain_result;

typedef struct {
  uint8_t is_err;
  struct {
    uint8_t is_some; // or which error it is
    bytes value;
  };
} config_result;

enum { scheme_http, scheme_https };

#define TYPES "wasi:http/types@0.2.0"

IMPORT("wasi:cli/environment@0.2.0", "get-arguments")
void get_arguments(strings *out);
IMPORT("wasi:cli/exit@0.2.0", "exit-with-code")
void exit_with_code(uint32_t code);
IMPORT("wasi:cli/stdout@0.2.0", "get-stdout")
uint32_t get_stdout(void);
IMPORT("wasi:cli/stderr@0.2.0", "get-stderr")
uint32_t get_stderr(void);
IMPORT("wasi:config/store@0.2.0-draft", "get")
void config_get(const uint8_t *key, uint32_t len, config_result *out);
IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block")
void pollable_block(uint32_t self);
IMPORT("wasi:io/poll@0.2.0", "[resource-drop]pollable")
void pollable_drop(uint32_t self);
IMPORT(TYPES, "[constructor]fields")
uint32_t fields_new(void);
IMPORT(TYPES, "[method]fields.append")
void fields_append(uint32_t self, const uint8_t *name, uint32_t name_len, const uint8_t *value,
                   uint32_t value_len, uint8_t out[2]);
IMPORT(TYPES, "[constructor]outgoing-request")
uint32_t request_new(uint32_t headers);
IMPORT(TYPES, "[method]outgoing-request.set-scheme")
uint32_t set_scheme(uint32_t self, uint32_t is_some, uint32_t scheme, const uint8_t *ptr, uint32_t len);
IMPORT(TYPES, "[method]outgoing-request.set-authority")
uint32_t set_authority(uint32_t self, uint32_t is_some, const uint8_t *ptr, uint32_t len);
IMPORT(TYPES, "[method]outgoing-request.set-path-with-query")
uint32_t set_path(uint32_t self, uint32_t is_some, const uint8_t *ptr, uint32_t len);
IMPORT("wasi:http/outgoing-handler@0.2.0", "handle")
void send(uint32_t request, uint32_t has_options, uint32_t options, http_result *out);
IMPORT(TYPES, "[method]future-incoming-response.subscribe")
uint32_t answer_subscribe(uint32_t self);
IMPORT(TYPES, "[method]future-incoming-response.get")
void answer_get(uint32_t self, http_answer *out);
IMPORT(TYPES, "[resource-drop]future-incoming-response")
void answer_drop(uint32_t self);
IMPORT(TYPES, "[method]incoming-response.status")
uint32_t response_status(uint32_t self);
IMPORT(TYPES, "[method]incoming-response.consume")
void response_consume(uint32_t self, plain_result *out);
IMPORT(TYPES, "[resource-drop]incoming-response")
void response_drop(uint32_t self);
IMPORT(TYPES, "[method]incoming-body.stream")
void body_stream(uint32_t self, plain_result *out);
IMPORT(TYPES, "[resource-drop]incoming-body")
void body_drop(uint32_t self);

// fail says what is wrong and ends the program.
static void fail(uint32_t code, bytes what, bytes why) {
  bytes pieces[] = {LITERAL("fetch: "), what, LITERAL(": "), why, LITERAL("\n")};
  write_all(get_stderr(), concat(pieces, 5));
  exit_with_code(code);
}

static bytes error_name(uint8_t code) {
  static const bytes names[] = {
    LITERAL("DNS-timeout"),
    LITERAL("DNS-error"),
    LITERAL("destination-not-found"),
    LITERAL("destination-unavailable"),
    LITERAL("destination-IP-prohibited"),
    LITERAL("destination-IP-unroutable"),
    LITERAL("connection-refused"),
    LITERAL("connection-terminated"),
    LITERAL("connection-timeout"),
    LITERAL("connection-read-timeout"),
    LITERAL("connection-write-timeout"),
    LITERAL("connection-limit-reached"),
    LITERAL("TLS-protocol-error"),
    LITERAL("TLS-certificate-error"),
    LITERAL("TLS-alert-received"),
    LITERAL("HTTP-request-denied"),
  };
  return code < sizeof names / sizeof *names ? names[code] : LITERAL("HTTP failed");
}

// cut takes a beginning off a text, if that is how it begins.
static bool cut(bytes *text, bytes beginning) {
  if (text->len < beginning.len) return false;
  for (uint32_t i = 0; i < beginning.len; i++)
    if (text->ptr[i] != beginning.ptr[i]) return false;
  text->ptr += beginning.len;
  text->len -= beginning.len;
  return true;
}

static uint32_t headers(void) {
  static const bytes name = LITERAL("user-agent");
  uint32_t fields = fields_new();
  config_result agent;
  uint8_t appended[2] = {0};
  config_get(name.ptr, name.len, &agent);
  if (!agent.is_err && agent.is_some)
    fields_append(fields, name.ptr, name.len, agent.value.ptr, agent.value.len, appended);
  if (appended[0]) fail(exit_failed, name, LITERAL("its value cannot be a header's"));
  return fields;
}

// request makes a request of a URL.
static uint32_t request(bytes url) {
  bytes rest = url;
  uint32_t scheme = scheme_http;
  if (cut(&rest, LITERAL("https://")))
    scheme = scheme_https;
  else if (!cut(&rest, LITERAL("http://")))
    fail(exit_usage, url, LITERAL("want http://HOST[:PORT][/PATH], or https"));
  bytes authority = {rest.ptr, 0}, path = LITERAL("/");
  while (authority.len < rest.len && rest.ptr[authority.len] != '/') authority.len++;
  if (authority.len < rest.len) path = (bytes){rest.ptr + authority.len, rest.len - authority.len};
  uint32_t made = request_new(headers());
  if (set_scheme(made, 1, scheme, NULL, 0) || set_authority(made, 1, authority.ptr, authority.len) ||
      set_path(made, 1, path.ptr, path.len))
    fail(exit_usage, url, LITERAL("its parts are no host or path"));
  return made;
}

// respond waits for the response to a request.
static uint32_t respond(bytes url, uint32_t to) {
  http_result sent;
  send(to, 0, 0, &sent);
  if (sent.is_err) fail(exit_failed, url, error_name(sent.err.tag));
  uint32_t ready = answer_subscribe(sent.handle);
  pollable_block(ready);
  pollable_drop(ready);
  http_answer answer;
  answer_get(sent.handle, &answer);
  answer_drop(sent.handle);
  if (answer.ok.is_err) fail(exit_failed, url, error_name(answer.ok.err.tag));
  return answer.ok.handle;
}

// print copies a response's body to standard output, in constant memory.
static void print(bytes url, uint32_t response) {
  enum { chunk = 32 << 10 };
  plain_result body, stream;
  response_consume(response, &body);
  body_stream(body.handle, &stream);
  uint32_t out = get_stdout();
  for (;;) {
    uint32_t mark = arena_mark();
    read_result got;
    stream_read(stream.handle, chunk, &got);
    if (got.is_err && got.err.tag == closed) break;
    if (got.is_err) fail(exit_failed, url, LITERAL("its body ended too early"));
    if (!write_all(out, got.ok)) fail(exit_failed, url, LITERAL("its body cannot be written"));
    arena_release(mark);
  }
  output_drop(out);
  input_drop(stream.handle);
  body_drop(body.handle);
}

EXPORT("wasi:cli/run@0.2.0#run")
uint32_t run(void) {
  strings args;
  get_arguments(&args);
  if (args.len != 2) fail(exit_usage, LITERAL("arguments"), LITERAL("want one URL"));
  bytes url = args.ptr[1];
  uint32_t response = respond(url, request(url));
  uint32_t status = response_status(response);
  print(url, response);
  response_drop(response);
  if (status >= 200 && status < 300) return 0;
  bytes pieces[] = {LITERAL("status "), format_u64(status)};
  fail(exit_failed, url, concat(pieces, 2));
  return 1;
}
