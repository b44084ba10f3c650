// A component that answers HTTP requests by calling WASI directly: shims by
// hand. The path says what it does. web.wit has the world and how to build it.
#include <stdint.h>
#include <string.h>

#define TYPES "wasi:http/types@0.2.0"
#define STREAMS "wasi:io/streams@0.2.0"
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT(TYPES, "[method]incoming-request.method") void request_method(int32_t self, uint8_t *ret);
IMPORT(TYPES, "[method]incoming-request.path-with-query") void request_path(int32_t self, int32_t *ret);
IMPORT(TYPES, "[method]incoming-request.scheme") void request_scheme(int32_t self, uint8_t *ret);
IMPORT(TYPES, "[method]incoming-request.authority") void request_authority(int32_t self, int32_t *ret);
IMPORT(TYPES, "[method]incoming-request.headers") int32_t request_headers(int32_t self);
IMPORT(TYPES, "[method]incoming-request.consume") void request_consume(int32_t self, int32_t *ret);
IMPORT(TYPES, "[resource-drop]incoming-request") void drop_request(int32_t self);
IMPORT(TYPES, "[method]incoming-body.stream") void body_stream(int32_t self, int32_t *ret);
IMPORT(TYPES, "[static]incoming-body.finish") int32_t body_finish(int32_t self);
IMPORT(TYPES, "[resource-drop]incoming-body") void drop_body(int32_t self);
IMPORT(TYPES, "[method]future-trailers.subscribe") int32_t trailers_subscribe(int32_t self);
IMPORT(TYPES, "[method]future-trailers.get") void trailers_get(int32_t self, uint8_t *ret);
IMPORT(TYPES, "[constructor]fields") int32_t new_fields(void);
IMPORT(TYPES, "[method]fields.append") void fields_append(int32_t self, const char *name, int32_t n, const char *value, int32_t m, uint8_t *ret);
IMPORT(TYPES, "[method]fields.entries") void fields_entries(int32_t self, int32_t *ret);
IMPORT(TYPES, "[method]fields.clone") int32_t fields_clone(int32_t self);
IMPORT(TYPES, "[constructor]outgoing-response") int32_t new_response(int32_t headers);
IMPORT(TYPES, "[method]outgoing-response.set-status-code") int32_t set_status(int32_t self, int32_t status);
IMPORT(TYPES, "[method]outgoing-response.body") void response_body(int32_t self, int32_t *ret);
IMPORT(TYPES, "[static]response-outparam.set")
void outparam_set(int32_t self, int32_t is_err, int32_t value, int32_t, int64_t, int32_t, int32_t, int32_t, int32_t);
IMPORT(TYPES, "[resource-drop]response-outparam") void drop_outparam(int32_t self);
IMPORT(TYPES, "[method]outgoing-body.write") void body_write(int32_t self, int32_t *ret);
IMPORT(TYPES, "[static]outgoing-body.finish") void outgoing_finish(int32_t self, int32_t has, int32_t trailers, uint8_t *ret);
IMPORT(TYPES, "[resource-drop]outgoing-body") void drop_outgoing_body(int32_t self);
IMPORT(TYPES, "[constructor]outgoing-request") int32_t new_request(int32_t headers);
IMPORT(TYPES, "[method]outgoing-request.set-authority") int32_t set_authority(int32_t self, int32_t has, const char *s, int32_t n);
IMPORT(TYPES, "[method]outgoing-request.set-path-with-query") int32_t set_path(int32_t self, int32_t has, const char *s, int32_t n);
IMPORT(TYPES, "[method]outgoing-request.set-scheme") int32_t set_scheme(int32_t self, int32_t has, int32_t tag, const char *s, int32_t n);
IMPORT("wasi:http/outgoing-handler@0.2.0", "handle") void send_request(int32_t request, int32_t has, int32_t options, uint8_t *ret);
IMPORT(TYPES, "[method]future-incoming-response.subscribe") int32_t response_subscribe(int32_t self);
IMPORT(TYPES, "[method]future-incoming-response.get") void response_get(int32_t self, uint8_t *ret);
IMPORT(TYPES, "[method]incoming-response.status") int32_t response_status(int32_t self);
IMPORT(TYPES, "[method]incoming-response.consume") void response_consume(int32_t self, int32_t *ret);
IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block") void block(int32_t self);
IMPORT("wasi:io/poll@0.2.0", "[resource-drop]pollable") void drop_pollable(int32_t self);
IMPORT(STREAMS, "[method]input-stream.read") void read_now(int32_t self, int64_t n, int32_t *ret);
IMPORT(STREAMS, "[method]input-stream.blocking-read") void read_some(int32_t self, int64_t n, int32_t *ret);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush") void write_all(int32_t self, const char *s, int32_t n, int32_t *ret);
IMPORT(STREAMS, "[resource-drop]input-stream") void drop_input(int32_t self);
IMPORT(STREAMS, "[resource-drop]output-stream") void drop_output(int32_t self);
IMPORT("wasi:cli/stdout@0.2.0", "get-stdout") int32_t get_stdout(void);

static uint8_t heap[1 << 18] __attribute__((aligned(16)));
static uint32_t used;

// One import's result at a time: each call begins anew.
EXPORT("cabi_realloc") void *cabi_realloc(void *old, uint32_t old_size, uint32_t align, uint32_t size) {
	used = (used + align - 1) & -align;
	if (old || size > sizeof heap - used)
		__builtin_trap();
	used += size;
	return heap + used - size;
}

static void check(int32_t good) {
	if (!good)
		__builtin_trap();
}

static int32_t ret[16] __attribute__((aligned(8)));

// take returns the resource in a result<own> at ret.
static int32_t take(void) {
	check((ret[0] & 0xff) == 0);
	return ret[1];
}

// print writes to a stream and reports whether it could.
static int32_t print(int32_t out, const char *s, int32_t n) {
	for (; n > 0; s += 4096, n -= 4096) {
		write_all(out, s, n < 4096 ? n : 4096, ret);
		if ((ret[0] & 0xff) != 0)
			return 0;
	}
	return 1;
}

static void say(const char *s) { print(get_stdout(), s, (int32_t)strlen(s)); }

struct answer { int32_t body, out; };

static void respond(int32_t outparam, int32_t response) { outparam_set(outparam, 0, response, 0, 0, 0, 0, 0, 0); }

// begin answers with a status and a body to write.
static struct answer begin(int32_t outparam, int32_t status, const char *name, const char *value) {
	int32_t headers = new_fields();
	if (name) {
		fields_append(headers, name, (int32_t)strlen(name), value, (int32_t)strlen(value), (uint8_t *)ret);
		check((ret[0] & 0xff) == 0);
	}
	struct answer a;
	int32_t response = new_response(headers);
	check(set_status(response, status) == 0);
	check(set_status(response, 99) == 1);
	response_body(response, ret);
	a.body = take();
	respond(outparam, response);
	body_write(a.body, ret);
	a.out = take();
	return a;
}

// finish returns 0, or 1 + the error code.
static int32_t finish(struct answer a, int32_t has, int32_t trailers) {
	drop_output(a.out);
	uint8_t *r = (uint8_t *)ret;
	outgoing_finish(a.body, has, trailers, r);
	return r[0] ? 1 + r[8] : 0;
}

static void answer(int32_t outparam, int32_t status, const char *s, int32_t n) {
	struct answer a = begin(outparam, status, 0, 0);
	print(a.out, s, n);
	check(finish(a, 0, 0) == 0);
}

// copy passes a body on and returns its trailers, or 0.
static int32_t copy(int32_t body, int32_t out) {
	body_stream(body, ret);
	int32_t in = take();
	for (;;) {
		used = 0;
		read_some(in, 1 << 16, ret);
		if ((ret[0] & 0xff) != 0)
			break;
		if (!print(out, (const char *)ret[1], ret[2])) {
			say("the client is gone\n");
			break;
		}
	}
	drop_input(in);
	int32_t future = body_finish(body), p = trailers_subscribe(future);
	block(p);
	drop_pollable(p);
	uint8_t *r = (uint8_t *)ret;
	trailers_get(future, r);
	check(r[0] == 1 && r[8] == 0);
	return r[16] == 0 && r[24] == 1 ? ret[7] : 0;
}

static void echo(int32_t request, int32_t outparam) {
	struct answer a = begin(outparam, 200, "Trailer", "x-sum");
	request_consume(request, ret);
	int32_t trailers = copy(take(), a.out);
	finish(a, trailers != 0, trailers ? fields_clone(trailers) : 0);
}

static void info(int32_t request, int32_t outparam) {
	struct answer a = begin(outparam, 200, "content-type", "text/plain");
	uint8_t *r = (uint8_t *)ret;
	used = 0;
	request_method(request, r);
	char tag[] = {'0' + r[0], ' '};
	if (r[0] == 9)
		print(a.out, (const char *)ret[1], ret[2]);
	print(a.out, tag, 2);
	request_scheme(request, r);
	print(a.out, r[4] == 0 ? "http://" : "https://", r[4] == 0 ? 7 : 8);
	request_authority(request, ret);
	print(a.out, (const char *)ret[1], ret[2]);
	request_path(request, ret);
	print(a.out, (const char *)ret[1], ret[2]);
	fields_entries(request_headers(request), ret);
	int32_t *entries = (int32_t *)ret[0];
	for (int32_t i = 0, n = ret[1]; i < n; i++, entries += 4) {
		print(a.out, "\n", 1);
		print(a.out, (const char *)entries[0], entries[1]);
		print(a.out, "=", 1);
		print(a.out, (const char *)entries[2], entries[3]);
	}
	check(finish(a, 0, 0) == 0);
}

// fetch answers with what another server answers, or with an error code.
static void fetch(int32_t outparam, const char *authority, int32_t n) {
	int32_t request = new_request(new_fields());
	check(set_scheme(request, 1, 0, 0, 0) == 0 && set_authority(request, 1, authority, n) == 0 && set_path(request, 1, "/", 1) == 0);
	uint8_t *r = (uint8_t *)ret, failed = 0;
	send_request(request, 0, 0, r);
	if (r[0] == 1) {
		failed = 1 + r[8];
	} else {
		int32_t future = ret[2], p = response_subscribe(future);
		block(p);
		drop_pollable(p);
		response_get(future, r);
		check(r[0] == 1 && r[8] == 0);
		if (r[16] == 1)
			failed = 1 + r[24];
	}
	if (failed) {
		outparam_set(outparam, 1, failed - 1, 0, 0, 0, 0, 0, 0);
		return;
	}
	int32_t response = ret[6];
	struct answer a = begin(outparam, response_status(response), 0, 0);
	response_consume(response, ret);
	copy(take(), a.out);
	finish(a, 0, 0);
}

static void flood(int32_t outparam) {
	static char zeros[4096];
	struct answer a = begin(outparam, 200, 0, 0);
	while (print(a.out, zeros, sizeof zeros))
		;
	say("the client is gone\n");
	finish(a, 0, 0);
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle") void handle(int32_t request, int32_t outparam) {
	request_path(request, ret);
	const char *path = (const char *)ret[1], *query = memchr(path, '?', ret[2]);
	int32_t n = query ? query - path : ret[2], left = query ? ret[2] - n - 1 : 0;
#define IS(s) (n == sizeof s - 1 && memcmp(path, s, n) == 0)
	if (IS("/hello")) {
		answer(outparam, 200, "hello\n", 6);
	} else if (IS("/info")) {
		info(request, outparam);
	} else if (IS("/echo")) {
		echo(request, outparam);
	} else if (IS("/fetch")) {
		char authority[300];
		check(left <= (int32_t)sizeof authority);
		memcpy(authority, query + 1, left);
		fetch(outparam, authority, left);
	} else if (IS("/flood")) {
		flood(outparam);
	} else if (IS("/trap")) {
		__builtin_trap();
	} else if (IS("/late-trap")) {
		struct answer a = begin(outparam, 200, 0, 0);
		print(a.out, "some", 4);
		__builtin_trap();
	} else if (IS("/abandon")) {
		struct answer a = begin(outparam, 200, 0, 0);
		print(a.out, "some", 4);
		drop_output(a.out);
		drop_outgoing_body(a.body);
	} else if (IS("/short")) {
		struct answer a = begin(outparam, 200, "content-length", "10");
		print(a.out, "some", 4);
		check(finish(a, 0, 0) == 1 + 28); // HTTP-response-body-size
	} else if (IS("/none")) {
		drop_outparam(outparam);
	} else if (IS("/empty")) {
		int32_t response = new_response(new_fields());
		check(set_status(response, 204) == 0);
		respond(outparam, response);
	} else if (IS("/loop")) {
		for (volatile int i = 0;; i++)
			;
	} else if (IS("/after")) {
		answer(outparam, 200, "done", 4);
		say("after\n");
		for (volatile int i = 0;; i++)
			;
	} else if (IS("/half-read")) {
		// Begins to read the request's body, and gives it up.
		request_consume(request, ret);
		int32_t body = take();
		body_stream(body, ret);
		int32_t in = take();
		read_now(in, 1, ret);
		drop_input(in);
		drop_body(body);
		answer(outparam, 200, "enough", 6);
	} else {
		answer(outparam, 404, 0, 0);
	}
}
