// prefix is a key-value store of the keys of another one that begin with a prefix. A
// bucket of it is no more than a bucket of the other store, whose answers it passes on
// as they are.
#include "guest.h"

#define STORE "wasi:keyvalue/store@0.2.0-draft"
#define ATOMICS "wasi:keyvalue/atomics@0.2.0-draft"

// Every result begins with whether it is an error. These are those without a 64-bit
// value, of which the ABI writes no more than each function's result has.
typedef struct {
  uint8_t is_err;
  uint32_t words[4];
} result;

// A result with a 64-bit value is aligned like that.
typedef struct {
  uint8_t is_err;
  union {
    struct { // key-response
      bytes *keys;
      uint32_t len;
      uint8_t more;
      uint64_t cursor;
    };
    uint64_t sum;
  };
} wide_result;

IMPORT(STORE, "open")
void store_open(const uint8_t *name, uint32_t len, result *out);
IMPORT(STORE, "[method]bucket.get")
void store_get(uint32_t bucket, const uint8_t *key, uint32_t len, result *out);
IMPORT(STORE, "[method]bucket.set")
void store_set(uint32_t bucket, const uint8_t *key, uint32_t len, const uint8_t *value, uint32_t value_len,
               result *out);
IMPORT(STORE, "[method]bucket.delete")
void store_delete(uint32_t bucket, const uint8_t *key, uint32_t len, result *out);
IMPORT(STORE, "[method]bucket.exists")
void store_exists(uint32_t bucket, const uint8_t *key, uint32_t len, result *out);
IMPORT(STORE, "[method]bucket.list-keys")
void store_keys(uint32_t bucket, uint32_t has_cursor, uint64_t cursor, wide_result *out);
IMPORT(STORE, "[resource-drop]bucket")
void store_drop(uint32_t bucket);
IMPORT(ATOMICS, "increment")
void atomics_increment(uint32_t bucket, const uint8_t *key, uint32_t len, uint64_t delta, wide_result *out);
IMPORT("[export]" STORE, "[resource-new]bucket")
uint32_t bucket_new(uint32_t below);

static const bytes prefix = LITERAL("app/");

static bytes prefixed(const uint8_t *key, uint32_t len) {
  bytes pieces[] = {prefix, {key, len}};
  return concat(pieces, 2);
}

static bool has_prefix(bytes key) {
  if (key.len < prefix.len) return false;
  for (uint32_t i = 0; i < prefix.len; i++)
    if (key.ptr[i] != prefix.ptr[i]) return false;
  return true;
}

static result out;
static wide_result wide;

EXPORT(STORE "#open")
result *bucket_open(const uint8_t *name, uint32_t len) {
  store_open(name, len, &out);
  if (!out.is_err) out.words[0] = bucket_new(out.words[0]);
  return &out;
}

EXPORT(STORE "#[dtor]bucket")
void bucket_end(uint32_t below) { store_drop(below); }

EXPORT(STORE "#[method]bucket.get")
result *bucket_get(uint32_t below, const uint8_t *key, uint32_t len) {
  bytes at = prefixed(key, len);
  store_get(below, at.ptr, at.len, &out);
  return &out;
}

EXPORT(STORE "#[method]bucket.set")
result *bucket_set(uint32_t below, const uint8_t *key, uint32_t len, const uint8_t *value, uint32_t value_len) {
  bytes at = prefixed(key, len);
  store_set(below, at.ptr, at.len, value, value_len, &out);
  return &out;
}

EXPORT(STORE "#[method]bucket.delete")
result *bucket_delete(uint32_t below, const uint8_t *key, uint32_t len) {
  bytes at = prefixed(key, len);
  store_delete(below, at.ptr, at.len, &out);
  return &out;
}

EXPORT(STORE "#[method]bucket.exists")
result *bucket_exists(uint32_t below, const uint8_t *key, uint32_t len) {
  bytes at = prefixed(key, len);
  store_exists(below, at.ptr, at.len, &out);
  return &out;
}

EXPORT(STORE "#[method]bucket.list-keys")
wide_result *bucket_keys(uint32_t below, uint32_t has_cursor, uint64_t cursor) {
  store_keys(below, has_cursor, cursor, &wide);
  if (wide.is_err) return &wide;
  uint32_t n = 0;
  for (uint32_t i = 0; i < wide.len; i++)
    if (has_prefix(wide.keys[i]))
      wide.keys[n++] = (bytes){wide.keys[i].ptr + prefix.len, wide.keys[i].len - prefix.len};
  wide.len = n;
  return &wide;
}

EXPORT(ATOMICS "#increment")
wide_result *increment(uint32_t below, const uint8_t *key, uint32_t len, uint64_t delta) {
  bytes at = prefixed(key, len);
  atomics_increment(below, at.ptr, at.len, delta, &wide);
  return &wide;
}

#define POST(name, fn) \
  EXPORT("cabi_post_" name) \
  void fn(void *result) { arena_reset(); }
POST(STORE "#open", open_post)
POST(STORE "#[method]bucket.get", get_post)
POST(STORE "#[method]bucket.set", set_post)
POST(STORE "#[method]bucket.delete", delete_post)
POST(STORE "#[method]bucket.exists", exists_post)
POST(STORE "#[method]bucket.list-keys", keys_post)
POST(ATOMICS "#increment", increment_post)
