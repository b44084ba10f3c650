// greeter greets by the count that another component keeps.
#include "guest.h"

typedef struct {
  uint8_t is_err;
  union {
    uint64_t count;
    bytes err;
  };
} count_result;

typedef struct {
  uint8_t is_err;
  struct {
    uint8_t tag; // last-operation-failed, closed
    uint32_t error;
  } err;
} write_result;
enum { last_operation_failed, closed };

typedef struct {
  uint8_t is_err;
  bytes text; // the greeting, or what went wrong
} greet_result;

IMPORT("example:counter/counter", "increment")
void counter_increment(const uint8_t *key, uint32_t len, count_result *out);
IMPORT("wasi:cli/stderr@0.2.0", "get-stderr")
uint32_t get_stderr(void);
IMPORT("wasi:io/streams@0.2.0", "[method]output-stream.blocking-write-and-flush")
void stream_write(uint32_t stream, const uint8_t *ptr, uint32_t len, write_result *out);
IMPORT("wasi:io/streams@0.2.0", "[resource-drop]output-stream")
void stream_drop(uint32_t stream);
IMPORT("wasi:io/error@0.2.0", "[resource-drop]error")
void error_drop(uint32_t error);

// log_line writes a line to stderr. A lost log line is no reason to fail a
// greeting, so errors end here.
static void log_line(bytes line) {
  enum { most_at_once = 4096 }; // of blocking-write-and-flush
  uint32_t stream = get_stderr();
  write_result wrote = {0};
  for (uint32_t at = 0; at < line.len && !wrote.is_err; at += most_at_once) {
    uint32_t left = line.len - at;
    stream_write(stream, line.ptr + at, left < most_at_once ? left : most_at_once, &wrote);
  }
  if (wrote.is_err && wrote.err.tag == last_operation_failed) error_drop(wrote.err.error);
  stream_drop(stream);
}

EXPORT("example:greeter/greeter#greet")
greet_result *greeter_greet(const uint8_t *name_ptr, uint32_t name_len) {
  static greet_result result;
  bytes name = {name_ptr, name_len};
  count_result counted;
  counter_increment(name.ptr, name.len, &counted);
  result.is_err = counted.is_err;
  if (counted.is_err) {
    bytes pieces[] = {LITERAL("count the visit: "), counted.err};
    result.text = concat(pieces, 2);
    return &result;
  }
  bytes log[] = {LITERAL("greeting "), name, LITERAL("\n")};
  log_line(concat(log, 3));
  bytes greeting[] = {LITERAL("hello "), name, LITERAL(", you are visitor "),
                      format_u64(counted.count)};
  result.text = concat(greeting, 4);
  return &result;
}

EXPORT("cabi_post_example:greeter/greeter#greet")
void greeter_greet_post(void *result) { arena_reset(); }
