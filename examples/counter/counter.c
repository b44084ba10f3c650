// counter keeps its counts in the bucket "default" of wasi:keyvalue.
#include "guest.h"

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
    struct {
      uint8_t some;
      bytes value;
    } ok;
    kv_error err;
  };
} get_result;

typedef struct {
  uint8_t is_err;
  union {
    uint64_t sum;
    kv_error err;
  };
} increment_result;

IMPORT("wasi:keyvalue/store@0.2.0-draft", "open")
void store_open(const uint8_t *name, uint32_t len, open_result *out);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[method]bucket.get")
void bucket_get(uint32_t bucket, const uint8_t *key, uint32_t len, get_result *out);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[resource-drop]bucket")
void bucket_drop(uint32_t bucket);
IMPORT("wasi:keyvalue/atomics@0.2.0-draft", "increment")
void atomics_increment(uint32_t bucket, const uint8_t *key, uint32_t len, uint64_t delta,
                       increment_result *out);

// What the two exports return: result<u64, string>, result<option<u64>, string>.
typedef struct {
  uint8_t is_err;
  union {
    uint64_t count;
    bytes err;
  };
} count_result;

typedef struct {
  uint8_t is_err;
  union {
    struct {
      uint8_t some;
      uint64_t count;
    } ok;
    bytes err;
  };
} maybe_count_result;

static bytes describe(const char *what, uint32_t what_len, const kv_error *err) {
  bytes cause = err->tag == no_such_store   ? LITERAL("no such store")
                : err->tag == access_denied ? LITERAL("access denied")
                                            : err->text;
  bytes pieces[] = {{(const uint8_t *)what, what_len}, LITERAL(": "), cause};
  return concat(pieces, 3);
}
#define DESCRIBE(what, err) describe(what, sizeof(what) - 1, err)

// open_bucket returns true and a bucket to drop, or false and the error.
static bool open_bucket(uint32_t *bucket, bytes *err) {
  open_result opened;
  store_open((const uint8_t *)"default", 7, &opened);
  if (opened.is_err) {
    *err = DESCRIBE("open bucket \"default\"", &opened.err);
    return false;
  }
  *bucket = opened.bucket;
  return true;
}

EXPORT("example:counter/counter#increment")
count_result *counter_increment(const uint8_t *key, uint32_t len) {
  static count_result result;
  uint32_t bucket;
  result.is_err = !open_bucket(&bucket, &result.err);
  if (result.is_err) return &result;

  increment_result added;
  atomics_increment(bucket, key, len, 1, &added);
  bucket_drop(bucket);
  result.is_err = added.is_err;
  if (added.is_err)
    result.err = DESCRIBE("increment", &added.err);
  else
    result.count = added.sum;
  return &result;
}

EXPORT("example:counter/counter#get")
maybe_count_result *counter_get(const uint8_t *key, uint32_t len) {
  static maybe_count_result result;
  uint32_t bucket;
  result.is_err = !open_bucket(&bucket, &result.err);
  if (result.is_err) return &result;

  get_result got;
  bucket_get(bucket, key, len, &got);
  bucket_drop(bucket);
  if (got.is_err) {
    result.is_err = true;
    result.err = DESCRIBE("get", &got.err);
    return &result;
  }
  result.ok.some = got.ok.some;
  // Stores keep what increment wrote as decimal text.
  if (got.ok.some && !parse_u64(got.ok.value, &result.ok.count)) {
    bytes pieces[] = {LITERAL("get: not a count: "), got.ok.value};
    result.is_err = true;
    result.err = concat(pieces, 2);
  }
  return &result;
}

EXPORT("cabi_post_example:counter/counter#increment")
void counter_increment_post(void *result) { arena_reset(); }
EXPORT("cabi_post_example:counter/counter#get")
void counter_get_post(void *result) { arena_reset(); }
