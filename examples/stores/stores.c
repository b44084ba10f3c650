// stores counts in any of the key-value stores that are linked to it: which one is
// said in each call.
#include "choose.h"

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

// result<u64, string>
typedef struct {
  uint8_t is_err;
  union {
    uint64_t count;
    bytes err;
  };
} count_result;

IMPORT("wasi:keyvalue/store@0.2.0-draft", "open")
void store_open(const uint8_t *name, uint32_t len, open_result *out);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[resource-drop]bucket")
void bucket_drop(uint32_t bucket);
IMPORT("wasi:keyvalue/atomics@0.2.0-draft", "increment")
void atomics_increment(uint32_t bucket, const uint8_t *key, uint32_t len, uint64_t delta,
                       increment_result *out);
IMPORT("example:stores/stores", "increment")
void next_increment(const uint8_t *link, uint32_t link_len, const uint8_t *key, uint32_t len, count_result *out);

static bytes text_of(const kv_error *err) {
  return err->tag == no_such_store   ? LITERAL("no such store")
         : err->tag == access_denied ? LITERAL("access denied")
                                     : err->text;
}

// choose has what follows in this call go to the store of a link. Handles are handed
// over with the list.
static bool choose(bytes link, bytes *err) {
  if (link.len == 0) return true;
  uint32_t *interfaces = alloc(2 * sizeof *interfaces, 4);
  interfaces[0] = call_target(LITERAL("wasi"), LITERAL("keyvalue"), LITERAL("store"));
  interfaces[1] = call_target(LITERAL("wasi"), LITERAL("keyvalue"), LITERAL("atomics"));
  return set_link_name(link, interfaces, 2, err);
}

EXPORT("example:stores/stores#increment")
count_result *stores_increment(const uint8_t *link, uint32_t link_len, const uint8_t *key, uint32_t len) {
  static count_result result;
  result.is_err = !choose((bytes){link, link_len}, &result.err);
  if (result.is_err) return &result;

  open_result opened;
  store_open((const uint8_t *)"default", 7, &opened);
  if ((result.is_err = opened.is_err)) {
    result.err = text_of(&opened.err);
    return &result;
  }
  increment_result added;
  atomics_increment(opened.bucket, key, len, 1, &added);
  bucket_drop(opened.bucket);
  if ((result.is_err = added.is_err))
    result.err = text_of(&added.err);
  else
    result.count = added.sum;
  return &result;
}

EXPORT("example:stores/stores#relay")
count_result *stores_relay(const uint8_t *link, uint32_t link_len, const uint8_t *key, uint32_t len) {
  static count_result result;
  result.is_err = !choose((bytes){link, link_len}, &result.err);
  if (!result.is_err) next_increment(0, 0, key, len, &result);
  return &result;
}

EXPORT("cabi_post_example:stores/stores#increment")
void stores_increment_post(void *result) { arena_reset(); }
EXPORT("cabi_post_example:stores/stores#relay")
void stores_relay_post(void *result) { arena_reset(); }
