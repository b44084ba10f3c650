// A reactor that calls WASI directly, as probe.wit says: shims by hand.
//
//	clang-19 --target=wasm32-wasi -mexec-model=reactor -O2 -nostartfiles -Wl,--no-entry -Wl,--strip-all probe.c -o core.wasm
//	jco embed core.wasm --wit probe.wit -n probe -o e.wasm && jco new e.wasm -o probe.wasm
#include <stdint.h>
#include <string.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block") void block(int32_t self);
IMPORT("wasi:io/poll@0.2.0", "[method]pollable.ready") int32_t ready(int32_t self);
IMPORT("wasi:io/poll@0.2.0", "poll") void poll_list(const int32_t *in, int32_t n, int32_t *ret);
IMPORT("wasi:io/poll@0.2.0", "[resource-drop]pollable") void drop_pollable(int32_t self);
IMPORT("wasi:clocks/monotonic-clock@0.2.10", "now") int64_t now(void);
IMPORT("wasi:clocks/monotonic-clock@0.2.10", "subscribe-duration") int32_t subscribe(int64_t ns);
IMPORT("wasi:sockets/instance-network@0.2.0", "instance-network") int32_t network(void);
IMPORT("wasi:sockets/ip-name-lookup@0.2.0", "resolve-addresses") void resolve(int32_t net, const char *s, int32_t n, uint8_t *ret);
IMPORT("wasi:sockets/tcp-create-socket@0.2.0", "create-tcp-socket") void create_tcp(int32_t family, uint8_t *ret);
IMPORT("wasi:sockets/udp-create-socket@0.2.0", "create-udp-socket") void create_udp(int32_t family, uint8_t *ret);
IMPORT("wasi:http/types@0.2.3", "[constructor]fields") int32_t new_fields(void);
IMPORT("wasi:http/types@0.2.3", "[constructor]outgoing-request") int32_t new_request(int32_t fields);
IMPORT("wasi:http/types@0.2.3", "[constructor]outgoing-response") int32_t new_response(int32_t fields);
IMPORT("wasi:http/outgoing-handler@0.2.3", "handle") void handle(int32_t request, int32_t has, int32_t options, uint8_t *ret);
IMPORT("wasi:logging/logging", "log") void write_log(int32_t level, const char *c, int32_t cn, const char *m, int32_t mn);
IMPORT("wasi:random/random@0.2.12", "get-random-bytes") void random_bytes(int64_t n, int32_t *ret);

static uint8_t heap[1 << 16] __attribute__((aligned(16)));
static uint32_t used;

EXPORT("cabi_realloc") void *cabi_realloc(void *old, uint32_t old_size, uint32_t align, uint32_t size) {
	used = (used + align - 1) & -align;
	if (old || size > sizeof heap - used)
		__builtin_trap();
	used += size;
	return heap + used - size;
}

static uint8_t outcome(const uint8_t *ret) { return ret[0] ? 1 + ret[4] : 0; }

EXPORT("mixed") int32_t mixed(void) {
	int64_t start = now(), nap = 10 * 1000 * 1000;
	int32_t list[3] = {subscribe(INT64_MAX), subscribe(nap), subscribe(-1)}, ret[2];
	if (ready(list[0]) || ready(list[2]))
		return 0;
	poll_list(list, 3, ret);
	int32_t good = ret[1] == 1 && *(int32_t *)ret[0] == 1 && ready(list[1]) && now() - start >= nap;
	block(list[1]);
	for (int i = 0; i < 3; i++)
		drop_pollable(list[i]);
	return good;
}

EXPORT("tcp") int32_t tcp(void) {
	uint8_t ret[8] __attribute__((aligned(4)));
	create_tcp(0, ret);
	return outcome(ret);
}

EXPORT("udp") int32_t udp(void) {
	uint8_t ret[8] __attribute__((aligned(4)));
	create_udp(1, ret);
	return outcome(ret);
}

EXPORT("resolve") int32_t do_resolve(const char *name, int32_t n) {
	uint8_t ret[8] __attribute__((aligned(4)));
	resolve(network(), name, n, ret);
	return outcome(ret);
}

static int32_t text[2];

EXPORT("fetch") int32_t *fetch(void) {
	static uint8_t ret[40] __attribute__((aligned(8)));
	handle(new_request(new_fields()), 0, 0, ret);
	// result, then error-code: tag 38 is internal-error, with option<string>.
	if (ret[0] == 1 && ret[8] == 38 && ret[16] == 1)
		memcpy(text, ret + 20, sizeof text);
	return text;
}

EXPORT("serve") void serve(void) { new_response(new_fields()); }

EXPORT("poll-nothing") void poll_nothing(void) {
	int32_t ret[2];
	poll_list(ret, 0, ret);
}

EXPORT("log") void do_log(const char *s, int32_t n) { write_log(3, "probe", 5, s, n); }

EXPORT("dice") int32_t dice(int64_t n) {
	int32_t ret[2];
	random_bytes(n, ret);
	return ret[1];
}
