#include "files.h"

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
  const preopen *ptr;
  uint32_t len;
} preopens;

IMPORT("wasi:io/streams@0.2.0", "[method]output-stream.blocking-write-and-flush")
void stream_write(uint32_t stream, const uint8_t *ptr, uint32_t len, write_result *out);
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

bool write_all(uint32_t stream, bytes text) {
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

static bool begins(bytes text, bytes with) {
  if (text.len < with.len) return false;
  for (uint32_t i = 0; i < with.len; i++)
    if (text.ptr[i] != with.ptr[i]) return false;
  return true;
}

static bytes from(bytes text, uint32_t at) { return (bytes){text.ptr + at, text.len - at}; }

static bytes relative(bytes path) {
  while (path.len > 0 && path.ptr[0] == '/') path = from(path, 1);
  return path;
}

// open_file opens a path below the directory that stands for the most of it.
static bool open_file(bytes path, uint32_t open_flags, uint32_t flags, uint32_t *file, bytes *why) {
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
  open_result opened = {.is_err = 1};
  *why = LITERAL("no directory was granted that holds it");
  if (best != NULL) {
    open_at(best->descriptor, symlink_follow, rest.ptr, rest.len, open_flags, flags, &opened);
    if (opened.is_err) *why = code_name(opened.code);
  }
  for (uint32_t i = 0; i < dirs.len; i++) descriptor_drop(dirs.ptr[i].descriptor);
  *file = opened.handle;
  return !opened.is_err;
}

// stream_of returns the stream of an operation on a file, which it closes: the
// stream holds what it needs.
static bool stream_of(uint32_t file, open_result opened, uint32_t *stream, bytes *why) {
  descriptor_drop(file);
  if (opened.is_err) *why = code_name(opened.code);
  *stream = opened.handle;
  return !opened.is_err;
}

bool open_input(bytes path, uint32_t *stream, bytes *why) {
  uint32_t file;
  if (!open_file(path, 0, to_read, &file, why)) return false;
  open_result opened;
  read_via_stream(file, 0, &opened);
  return stream_of(file, opened, stream, why);
}

bool open_output(bytes path, uint32_t *stream, bytes *why) {
  uint32_t file;
  if (!open_file(path, open_create | open_truncate, to_write, &file, why)) return false;
  open_result opened;
  write_via_stream(file, 0, &opened);
  return stream_of(file, opened, stream, why);
}
