// cat copies files to its standard output: those that its arguments name, or
// its standard input where they name none or "-". With -o FILE it writes to
// that file instead. Paths that are not absolute begin where it was started. It ends with 1 where a file cannot be read or written, and
// with 2 where its arguments cannot be understood.
#include "files.h"

typedef struct {
  const bytes *ptr;
  uint32_t len;
} strings;

typedef struct {
  uint8_t is_some;
  bytes value;
} optional;

enum { exit_failed = 1, exit_usage = 2 };

IMPORT("wasi:cli/environment@0.2.0", "get-arguments")
void get_arguments(strings *out);
IMPORT("wasi:cli/environment@0.2.0", "initial-cwd")
void initial_cwd(optional *out);
IMPORT("wasi:cli/exit@0.2.0", "exit-with-code")
void exit_with_code(uint32_t code);
IMPORT("wasi:cli/stdin@0.2.0", "get-stdin")
uint32_t get_stdin(void);
IMPORT("wasi:cli/stdout@0.2.0", "get-stdout")
uint32_t get_stdout(void);
IMPORT("wasi:cli/stderr@0.2.0", "get-stderr")
uint32_t get_stderr(void);

// fail says what is wrong and ends the program.
static void fail(uint32_t code, bytes what, bytes why) {
  bytes pieces[] = {LITERAL("cat: "), what, LITERAL(": "), why, LITERAL("\n")};
  write_all(get_stderr(), concat(pieces, 5));
  exit_with_code(code);
}

// located returns where a path leads, from "/" on.
static bytes located(bytes path) {
  optional cwd;
  initial_cwd(&cwd);
  if (!cwd.is_some || (path.len > 0 && path.ptr[0] == '/')) return path;
  bytes pieces[] = {cwd.value, LITERAL("/"), path};
  return concat(pieces, 3);
}

static bool is(bytes text, char a, char b) {
  return text.len == (b ? 2 : 1) && text.ptr[0] == a && (!b || text.ptr[1] == b);
}

// copy copies one stream to another, in constant memory.
static void copy(bytes name, uint32_t in, uint32_t out) {
  enum { chunk = 32 << 10 };
  for (;;) {
    uint32_t mark = arena_mark();
    read_result got;
    stream_read(in, chunk, &got);
    if (got.is_err && got.err.tag == closed) return;
    if (got.is_err) fail(exit_failed, name, LITERAL("cannot be read"));
    if (!write_all(out, got.ok)) fail(exit_failed, name, LITERAL("its copy cannot be written"));
    arena_release(mark);
  }
}

static void copy_file(bytes name, uint32_t out) {
  uint32_t in;
  bytes why;
  if (is(name, '-', 0))
    in = get_stdin();
  else if (!open_input(located(name), &in, &why))
    fail(exit_failed, name, why);
  copy(name, in, out);
  input_drop(in);
}

EXPORT("wasi:cli/run@0.2.0#run")
uint32_t run(void) {
  strings args;
  get_arguments(&args);
  uint32_t at = 1, out = get_stdout();
  bytes why;
  if (at < args.len && is(args.ptr[at], '-', 'o')) {
    if (args.len == 2) fail(exit_usage, LITERAL("-o"), LITERAL("no file is named"));
    if (!open_output(located(args.ptr[2]), &out, &why)) fail(exit_failed, args.ptr[2], why);
    at = 3;
  }
  for (uint32_t i = at; i < args.len; i++)
    if (args.ptr[i].len > 1 && args.ptr[i].ptr[0] == '-')
      fail(exit_usage, args.ptr[i], LITERAL("no such option"));
  if (at == args.len) copy_file(LITERAL("-"), out);
  for (; at < args.len; at++) copy_file(args.ptr[at], out);
  output_drop(out);
  return 0;
}
