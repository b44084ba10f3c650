// ping-pong answers each message: to where an answer is awaited, or else to the
// subject "pong".
#include "guest.h"

// A broker-message of wasmcloud:messaging, as parameters.
#define MESSAGE                                                                            \
  const uint8_t *subject, uint32_t subject_len, const uint8_t *body, uint32_t body_len,    \
      uint32_t has_reply, const uint8_t *reply, uint32_t reply_len

typedef struct {
  uint8_t is_err;
  bytes text; // of the error
} result;

IMPORT("wasmcloud:messaging/consumer@0.2.0", "publish")
void publish(MESSAGE, result *out);

static bool is(const uint8_t *body, uint32_t len, bytes word) {
  if (len != word.len) return false;
  for (uint32_t i = 0; i < len; i++)
    if (body[i] != word.ptr[i]) return false;
  return true;
}

// A message that says so is not dealt with, in one of three ways: to see what a
// broker does then.
EXPORT("wasmcloud:messaging/handler@0.2.0#handle-message")
result *handle_message(MESSAGE) {
  static result answer;
  if (is(body, body_len, LITERAL("fail"))) {
    answer.is_err = true;
    answer.text = LITERAL("it was asked to fail");
    return &answer;
  }
  if (is(body, body_len, LITERAL("trap"))) __builtin_trap();
  for (volatile bool forever = is(body, body_len, LITERAL("hang")); forever;) {
  }
  bytes to = has_reply ? (bytes){reply, reply_len} : LITERAL("pong");
  bytes pieces[] = {LITERAL("pong: "), {body, body_len}};
  bytes text = concat(pieces, 2);
  publish(to.ptr, to.len, text.ptr, text.len, false, 0, 0, &answer);
  return &answer;
}

EXPORT("cabi_post_wasmcloud:messaging/handler@0.2.0#handle-message")
void handle_message_post(void *result) { arena_reset(); }
