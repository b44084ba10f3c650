// sql-relay hands every call of wasmcloud:postgres on. Parameters and results have the
// same form on both sides, so it looks into none.
#include "guest.h"

#define QUERY "wasmcloud:postgres/query@0.1.1-draft"
#define PREPARED "wasmcloud:postgres/prepared@0.1.1-draft"

// Room for the largest of the results.
typedef struct {
  uint64_t words[3];
} any_result;

IMPORT(QUERY, "query")
void next_query(const uint8_t *query, uint32_t len, const void *params, uint32_t n, any_result *out);
IMPORT(QUERY, "query-batch")
void next_batch(const uint8_t *query, uint32_t len, any_result *out);
IMPORT(PREPARED, "prepare")
void next_prepare(const uint8_t *statement, uint32_t len, any_result *out);
IMPORT(PREPARED, "exec")
void next_exec(const uint8_t *token, uint32_t len, const void *params, uint32_t n, any_result *out);

static any_result *new_result(void) { return alloc(sizeof(any_result), 8); }

EXPORT(QUERY "#query")
any_result *query(const uint8_t *query, uint32_t len, const void *params, uint32_t n) {
  any_result *out = new_result();
  next_query(query, len, params, n, out);
  return out;
}

EXPORT(QUERY "#query-batch")
any_result *query_batch(const uint8_t *query, uint32_t len) {
  any_result *out = new_result();
  next_batch(query, len, out);
  return out;
}

EXPORT(PREPARED "#prepare")
any_result *prepare(const uint8_t *statement, uint32_t len) {
  any_result *out = new_result();
  next_prepare(statement, len, out);
  return out;
}

EXPORT(PREPARED "#exec")
any_result *exec(const uint8_t *token, uint32_t len, const void *params, uint32_t n) {
  any_result *out = new_result();
  next_exec(token, len, params, n, out);
  return out;
}

EXPORT("cabi_post_" QUERY "#query") void query_done(any_result *r) { arena_reset(); }
EXPORT("cabi_post_" QUERY "#query-batch") void batch_done(any_result *r) { arena_reset(); }
EXPORT("cabi_post_" PREPARED "#prepare") void prepare_done(any_result *r) { arena_reset(); }
EXPORT("cabi_post_" PREPARED "#exec") void exec_done(any_result *r) { arena_reset(); }
