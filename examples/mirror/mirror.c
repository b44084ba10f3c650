// mirror keeps copies of what it is told is set in a key-value store, and removes those
// of what is deleted. It does not copy copies.
#include "guest.h"

#define STORE "wasi:keyvalue/store@0.2.0-draft"
#define WATCHER "wasi:keyvalue/watcher@0.2.0-draft"

// A result without a value, of the variant error.
typedef struct {
  uint8_t is_err;
  uint32_t words[3];
} result;

IMPORT(STORE, "[method]bucket.set")
void store_set(uint32_t bucket, const uint8_t *key, uint32_t len, const uint8_t *value, uint32_t value_len,
               result *out);
IMPORT(STORE, "[method]bucket.delete")
void store_delete(uint32_t bucket, const uint8_t *key, uint32_t len, result *out);
IMPORT(STORE, "[resource-drop]bucket")
void store_drop(uint32_t bucket);

static const bytes prefix = LITERAL("copy/");

static bool is_copy(bytes key) {
  if (key.len < prefix.len) return false;
  for (uint32_t i = 0; i < prefix.len; i++)
    if (key.ptr[i] != prefix.ptr[i]) return false;
  return true;
}

static bytes copy_of(bytes key) {
  bytes pieces[] = {prefix, key};
  return concat(pieces, 2);
}

// done ends a call. There is no result that could tell of a failure: its host is told
// by a trap.
static void done(uint32_t bucket, const result *out) {
  if (out->is_err) __builtin_trap();
  store_drop(bucket);
  arena_reset();
}

EXPORT(WATCHER "#on-set")
void on_set(uint32_t bucket, const uint8_t *key, uint32_t len, const uint8_t *value, uint32_t value_len) {
  result out = {0};
  bytes name = {key, len};
  if (!is_copy(name)) {
    bytes copy = copy_of(name);
    store_set(bucket, copy.ptr, copy.len, value, value_len, &out);
  }
  done(bucket, &out);
}

EXPORT(WATCHER "#on-delete")
void on_delete(uint32_t bucket, const uint8_t *key, uint32_t len) {
  result out = {0};
  bytes name = {key, len};
  if (!is_copy(name)) {
    bytes copy = copy_of(name);
    store_delete(bucket, copy.ptr, copy.len, &out);
  }
  done(bucket, &out);
}
