// cat copies files to its standard output: those that its arguments name, or
// its standard input where they name none or "-". With -o FILE it writes to
// that file instead. It ends with 1 where a file cannot be read, and with 2
// where it cannot be understood.
#include "guest.h"

typedef struct {
  uint8_t tag; // last-operation-failed, closed
  uint32_t error;
} stream_error;
enum { last_operation_failed, closed };

typedef struct {
  uint8_t is_err;
  union {
    bytes ok;
    stream_error err;
  };
} read_result;

typedef struct {
  uint8_t is_err;
  stream_error err;
} write_result;

typedef struct {
  uint8_t is_err;
  union {
    uint32_t handle;
    uint8_t code;
  };
} open_result;

typedef struct {
  uint32_t descriptor;
  bytes path;
} preopen;

typedef struct {
  const bytes *ptr;
  uint32_t len;
} strings;

typedef struct {
  const preopen *ptr;
  uint32_t len;
} preopens;

enum { symlink_follow = 1 };                  // path-flags
enum { create = 1, truncate = 8 };            // open-flags
enum { to_read = 1, to_write = 2 };           // descriptor-flags
enum { exit_unreadable = 1, exit_usage = 2 }; // of this program

IMPORT("wasi:cli/environment@0.2.0", "get-arguments")
void get_arguments(strings *out);
IMPORT("wasi:cli/exit@0.2.0", "exit-with-code")
void exit_with_code(uint32_t code);
IMPORT("wasi:cli/stdin@0.2.0", "get-stdin")
uint32_t get_stdin(void);
IMPORT("wasi:cli/stdout@0.2.0", "get-stdout")
uint32_t get_stdout(void);
IMPORT("wasi:cli/stderr@0.2.0", "get-stderr")
uint32_t get_stderr(void);
IMPORT("wasi:io/streams@0.2.0", "[method]input-stream.blocking-read")
void stream_read(uint32_t stream, uint64_t len, read_result *out);
IMPORT("wasi:io/streams@0.2.0", "[method]output-stream.blocking-write-and-flush")
void stream_write(uint32_t stream, const uint8_t *ptr, uint32_t len, write_result *out);
IMPORT("wasi:io/streams@0.2.0", "[resource-drop]input-stream")
void input_drop(uint32_t stream);
IMPORT("wasi:io/streams@0.2.0", "[resource-drop]output-stream")
void output_drop(uint32_t stream);
IMPORT("wasi:io/error@0.2.0", "[resource-drop]error")
void error_drop(uint32_t error);
IMPORT("wasi:filesystem/preopens@0.2.0", "get-directories")
void get_directories(preopens *out);
IMPORT("wasi:filesystem/types@0.2.0", "[method]descriptor.open-at")
void open_at(uint32_t dir, uint32_t path_flags, const uint8_t *path, uint32_t path_len,
             uint32_t open_flags, uint32_t flags, open_result *out);
IMPORT("wasi:filesystem/types@0.2.0", "[method]descriptor.read-via-stream")
void read_via_stream(uint32_t file, uint64_t offset, open_result *out);
IMPORT("wasi:filesystem/types@0.2.0", "[method]descriptor.write-via-stream")
void write_via_stream(uint32_t file, uint64_t offset, open_result *out);
IMPORT("wasi:filesystem/types@0.2.0", "[resource-drop]descriptor")
void descriptor_drop(uint32_t file);

static bytes code_name(uint8_t code) {
  static const bytes names[] = {
    LITERAL("access"),
    LITERAL("would-block"),
    LITERAL("already"),
    LITERAL("bad-descriptor"),
    LITERAL("busy"),
    LITERAL("deadlock"),
    LITERAL("quota"),
    LITERAL("exist"),
    LITERAL("file-too-large"),
    LITERAL("illegal-byte-sequence"),
    LITERAL("in-progress"),
    LITERAL("interrupted"),
    LITERAL("invalid"),
    LITERAL("io"),
    LITERAL("is-directory"),
    LITERAL("loop"),
    LITERAL("too-many-links"),
    LITERAL("message-size"),
    LITERAL("name-too-long"),
    LITERAL("no-device"),
    LITERAL("no-entry"),
    LITERAL("no-lock"),
    LITERAL("insufficient-memory"),
    LITERAL("insufficient-space"),
    LITERAL("not-directory"),
    LITERAL("not-empty"),
    LITERAL("not-recoverable"),
    LITERAL("unsupported"),
    LITERAL("no-tty"),
    LITERAL("no-such-device"),
    LITERAL("overflow"),
    LITERAL("not-permitted"),
    LITERAL("pipe"),
    LITERAL("read-only"),
    LITERAL("invalid-seek"),
    LITERAL("text-file-busy"),
    LITERAL("cross-device"),
  };
  return code < sizeof names / sizeof *names ? names[code] : LITERAL("unknown");
}

// write_all writes text and says whether it could.
static bool write_all(uint32_t stream, bytes text) {
  enum { most_at_once = 4096 }; // of blocking-write-and-flush
  for (uint32_t at = 0; at < text.len; at += most_at_once) {
    uint32_t left = text.len - at;
    write_result wrote;
    stream_write(stream, text.ptr + at, left < most_at_once ? left : most_at_once, &wrote);
    if (!wrote.is_err) continue;
    if (wrote.err.tag == last_operation_failed) error_drop(wrote.err.error);
    return false;
  }
  return true;
}

// fail says what is wrong and ends the program.
static void fail(uint32_t code, bytes what, bytes why) {
  bytes pieces[] = {LITERAL("cat: "), what, LITERAL(": "), why, LITERAL("\n")};
  write_all(get_stderr(), concat(pieces, 5));
  exit_with_code(code);
}

static bool begins(bytes text, bytes with) {
  if (text.len < with.len) return false;
  for (uint32_t i = 0; i < with.len; i++)
    if (text.ptr[i] != with.ptr[i]) return false;
  return true;
}

static bool equal(bytes a, bytes b) { return a.len == b.len && begins(a, b); }

static bytes from(bytes text, uint32_t at) { return (bytes){text.ptr + at, text.len - at}; }

// relative leaves out what makes a path absolute: relative ones begin at "/".
static bytes relative(bytes path) {
  while (path.len > 0 && path.ptr[0] == '/') path = from(path, 1);
  return path;
}

// open_file opens a path below the directory that stands for the most of it.
static uint32_t open_file(bytes path, uint32_t open_flags, uint32_t flags) {
  preopens dirs;
  get_directories(&dirs);
  bytes want = relative(path), rest = {0};
  const preopen *best = NULL;
  for (uint32_t i = 0; i < dirs.len; i++) {
    bytes dir = relative(dirs.ptr[i].path);
    bool below = begins(want, dir) && dir.len < want.len && (dir.len == 0 || want.ptr[dir.len] == '/');
    if (!below || (best != NULL && relative(best->path).len >= dir.len)) continue;
    best = &dirs.ptr[i];
    rest = relative(from(want, dir.len));
  }
  if (best == NULL) fail(exit_unreadable, path, LITERAL("no directory was granted that holds it"));
  open_result opened;
  open_at(best->descriptor, symlink_follow, rest.ptr, rest.len, open_flags, flags, &opened);
  if (opened.is_err) fail(exit_unreadable, path, code_name(opened.code));
  for (uint32_t i = 0; i < dirs.len; i++) descriptor_drop(dirs.ptr[i].descriptor);
  return opened.handle;
}

// copy copies one stream to another, in constant memory.
static void copy(bytes name, uint32_t in, uint32_t out) {
  enum { chunk = 32 << 10 };
  for (;;) {
    uint32_t mark = arena_mark();
    read_result got;
    stream_read(in, chunk, &got);
    if (got.is_err && got.err.tag == closed) return;
    if (got.is_err) fail(exit_unreadable, name, LITERAL("cannot be read"));
    if (!write_all(out, got.ok)) fail(exit_unreadable, name, LITERAL("what it holds cannot be written"));
    arena_release(mark);
  }
}

static void copy_file(bytes name, uint32_t out) {
  if (equal(name, LITERAL("-"))) {
    uint32_t in = get_stdin();
    copy(name, in, out);
    input_drop(in);
    return;
  }
  uint32_t file = open_file(name, 0, to_read);
  open_result in;
  read_via_stream(file, 0, &in);
  if (in.is_err) fail(exit_unreadable, name, code_name(in.code));
  copy(name, in.handle, out);
  input_drop(in.handle);
  descriptor_drop(file);
}

EXPORT("wasi:cli/run@0.2.0#run")
uint32_t run(void) {
  strings args;
  get_arguments(&args);
  uint32_t at = 1, out = get_stdout();
  if (at < args.len && equal(args.ptr[at], LITERAL("-o"))) {
    if (args.len == 2) fail(exit_usage, LITERAL("-o"), LITERAL("no file is named"));
    open_result written;
    write_via_stream(open_file(args.ptr[2], create | truncate, to_write), 0, &written);
    if (written.is_err) fail(exit_unreadable, args.ptr[2], code_name(written.code));
    out = written.handle;
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
