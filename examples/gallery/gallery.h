// What the two faces of gallery share: its own interface, and HTTP.
#pragma once
#include "guest.h"

// An error of a stream.
typedef struct {
  uint8_t tag;
  uint32_t error;
} stream_error;
enum { last_operation_failed, closed };

typedef struct {
  uint8_t is_err;
  stream_error err;
} write_result;

IMPORT("wasi:blobstore/types@0.2.0-draft", "[resource-drop]outgoing-value")
void value_drop(uint32_t value);
IMPORT("wasi:io/streams@0.2.0", "[method]output-stream.blocking-write-and-flush")
void stream_write(uint32_t stream, const uint8_t *ptr, uint32_t len, write_result *out);
IMPORT("wasi:io/streams@0.2.0", "[resource-drop]input-stream")
void input_drop(uint32_t stream);
IMPORT("wasi:io/streams@0.2.0", "[resource-drop]output-stream")
void output_drop(uint32_t stream);

// reading returns a stream of an object, or false and the error.
bool reading(bytes container, bytes object, uint64_t first, uint64_t last, uint32_t *in, bytes *err);

// writing returns a value and the stream that fills it, or false and the error. Its
// container is made where it is not there.
bool writing(bytes container, bytes object, uint32_t *value, uint32_t *out, bytes *err);

// finished ends a value and its stream, and returns false and the error where it was
// not stored.
bool finished(uint32_t value, uint32_t out, bytes *err);

// pump moves a stream to another, and says whether that was all of it.
bool pump(uint32_t in, uint32_t out, uint64_t *n);

// write_all writes text and says whether the other side is still there.
bool write_all(uint32_t out, bytes text);
