// todo keeps things to do in a table of a PostgreSQL database.
#include "guest.h"

#define QUERY "wasmcloud:postgres/query@0.1.1-draft"
#define PREPARED "wasmcloud:postgres/prepared@0.1.1-draft"

// The variant pg-value: of its 97 cases those that are used here, and room for the
// largest, which is a box.
enum { pg_null = 0, pg_int8 = 2, pg_bool = 6, pg_text = 88 };
typedef struct {
  uint8_t tag;
  union {
    int64_t int8;
    uint8_t flag;
    bytes text;
    uint64_t largest[8];
  };
} pg_value;

// The record result-row-entry.
typedef struct {
  bytes column;
  pg_value value;
} entry;

typedef struct {
  const entry *ptr;
  uint32_t len;
} row;

// The variant query-error. All of its cases have a text.
typedef struct {
  uint8_t tag;
  bytes text;
} query_error;

typedef struct {
  uint8_t is_err;
  union {
    struct {
      const row *ptr;
      uint32_t len;
    } rows;
    query_error err;
  };
} query_result;

typedef struct {
  uint8_t is_err;
  query_error err;
} batch_result;

typedef struct {
  uint8_t is_err;
  union {
    bytes token;
    struct {
      uint8_t tag;
      bytes text;
    } err;
  };
} prepare_result;

// The variant prepared-statement-exec-error.
enum { unknown_prepared_query, failed_query, unexpected };
typedef struct {
  uint8_t is_err;
  union {
    uint64_t count;
    struct {
      uint8_t tag;
      union {
        query_error query;
        bytes text;
      };
    } err;
  };
} exec_result;

IMPORT(QUERY, "query")
void pg_query(const uint8_t *query, uint32_t len, const pg_value *params, uint32_t n, query_result *out);
IMPORT(QUERY, "query-batch")
void pg_batch(const uint8_t *query, uint32_t len, batch_result *out);
IMPORT(PREPARED, "prepare")
void pg_prepare(const uint8_t *statement, uint32_t len, prepare_result *out);
IMPORT(PREPARED, "exec")
void pg_exec(const uint8_t *token, uint32_t len, const pg_value *params, uint32_t n, exec_result *out);

// result<s64, string>, result<u64, string> and result<_, string>
typedef struct {
  uint8_t is_err;
  union {
    int64_t ok;
    bytes err;
  };
} number_result;

typedef struct {
  uint8_t is_err;
  bytes err;
} plain_result;

typedef struct {
  int64_t id;
  bytes what;
  uint8_t done;
} item;

typedef struct {
  uint8_t is_err;
  union {
    struct {
      const item *ptr;
      uint32_t len;
    } items;
    bytes err;
  };
} items_result;

EXPORT("example:todo/todo#setup")
plain_result *setup(void) {
  static const char sql[] = "CREATE TABLE IF NOT EXISTS todo (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
                            "what text NOT NULL CHECK (what <> ''), done boolean NOT NULL DEFAULT false)";
  plain_result *result = alloc(sizeof *result, 4);
  batch_result made;
  pg_batch((const uint8_t *)sql, sizeof sql - 1, &made);
  result->is_err = made.is_err;
  if (made.is_err) result->err = made.err.text;
  return result;
}

EXPORT("example:todo/todo#add")
number_result *add(const uint8_t *what, uint32_t len) {
  static const char sql[] = "INSERT INTO todo (what) VALUES ($1) RETURNING id";
  number_result *result = alloc(sizeof *result, 8);
  pg_value params[] = {{.tag = pg_text, .text = {what, len}}};
  query_result added;
  pg_query((const uint8_t *)sql, sizeof sql - 1, params, 1, &added);
  result->is_err = 1;
  if (added.is_err) {
    result->err = added.err.text;
  } else if (added.rows.len != 1 || added.rows.ptr->len != 1 || added.rows.ptr->ptr->value.tag != pg_int8) {
    result->err = LITERAL("the database returned no number");
  } else {
    result->is_err = 0;
    result->ok = added.rows.ptr->ptr->value.int8;
  }
  return result;
}

EXPORT("example:todo/todo#finish")
number_result *finish(int64_t id) {
  static const char sql[] = "UPDATE todo SET done = true WHERE id = $1";
  number_result *result = alloc(sizeof *result, 8);
  result->is_err = 1;
  prepare_result prepared;
  pg_prepare((const uint8_t *)sql, sizeof sql - 1, &prepared);
  if (prepared.is_err) {
    result->err = prepared.err.text;
    return result;
  }
  pg_value params[] = {{.tag = pg_int8, .int8 = id}};
  exec_result done;
  pg_exec(prepared.token.ptr, prepared.token.len, params, 1, &done);
  result->is_err = done.is_err;
  if (!done.is_err)
    result->ok = (int64_t)done.count;
  else if (done.err.tag == unknown_prepared_query)
    result->err = LITERAL("the statement is not prepared any more");
  else
    result->err = done.err.tag == failed_query ? done.err.query.text : done.err.text;
  return result;
}

EXPORT("example:todo/todo#items")
items_result *items(void) {
  static const char sql[] = "SELECT id, what, done FROM todo ORDER BY id";
  items_result *result = alloc(sizeof *result, 4);
  query_result found;
  pg_query((const uint8_t *)sql, sizeof sql - 1, NULL, 0, &found);
  result->is_err = found.is_err;
  if (found.is_err) {
    result->err = found.err.text;
    return result;
  }
  item *list = alloc(found.rows.len * sizeof *list, 8);
  for (uint32_t i = 0; i < found.rows.len; i++) {
    const entry *columns = found.rows.ptr[i].ptr; // of the types that the table has
    list[i] = (item){columns[0].value.int8, columns[1].value.text, columns[2].value.flag};
  }
  result->items.ptr = list;
  result->items.len = found.rows.len;
  return result;
}

EXPORT("cabi_post_example:todo/todo#setup") void setup_done(plain_result *r) { arena_reset(); }
EXPORT("cabi_post_example:todo/todo#add") void add_done(number_result *r) { arena_reset(); }
EXPORT("cabi_post_example:todo/todo#finish") void finish_done(number_result *r) { arena_reset(); }
EXPORT("cabi_post_example:todo/todo#items") void items_done(items_result *r) { arena_reset(); }
