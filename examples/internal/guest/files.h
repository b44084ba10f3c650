// Files of the directories that a guest was granted, by wasi:filesystem 0.2.0,
// for guests whose world imports that, and streams.
#pragma once
#include "guest.h"

// path-flags, open-flags and descriptor-flags.
enum { symlink_follow = 1 };
enum { open_create = 1, open_truncate = 8 };
enum { to_read = 1, to_write = 2 };

// An error of a stream; nothing else of it is of use to a guest.
typedef struct {
  uint8_t tag;
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

IMPORT("wasi:io/streams@0.2.0", "[method]input-stream.blocking-read")
void stream_read(uint32_t stream, uint64_t len, read_result *out);
IMPORT("wasi:io/streams@0.2.0", "[resource-drop]input-stream")
void input_drop(uint32_t stream);
IMPORT("wasi:io/streams@0.2.0", "[resource-drop]output-stream")
void output_drop(uint32_t stream);
IMPORT("wasi:io/error@0.2.0", "[resource-drop]error")
void error_drop(uint32_t error);

// write_all writes text to an output stream and says whether it could.
bool write_all(uint32_t stream, bytes text);

// open_input and open_output open a file as a stream. A path that is not absolute
// begins at "/". They return false, and in why what went wrong, else the stream.
bool open_input(bytes path, uint32_t *stream, bytes *why);
bool open_output(bytes path, uint32_t *stream, bytes *why);
