// A reactor that uses wasi:sockets, as sockets.wit says: shims by hand. With
// sockets.wit in a folder, and io, clocks and sockets of /wit/wasi in its deps:
//
//	clang-19 --target=wasm32-unknown-unknown -O2 -ffreestanding -nostdlib -mbulk-memory -Wl,--no-entry -Wl,--strip-all sockets.c -o core.wasm
//	wasm-tools component embed FOLDER core.wasm -o e.wasm && wasm-tools component new e.wasm -o sockets.wasm
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module("wasi:" module "@0.2.12"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))
// An address of IPv4: the case, the port, four bytes and the room of IPv6.
#define ADDRESS_PARAMS int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t
#define ADDRESS(ip, port) 0, port, (ip)[0], (ip)[1], (ip)[2], (ip)[3], 0, 0, 0, 0, 0, 0

IMPORT("io/poll", "[method]pollable.block") void block(int32_t self);
IMPORT("io/poll", "[resource-drop]pollable") void drop_pollable(int32_t self);
IMPORT("io/streams", "[method]input-stream.blocking-read") void blocking_read(int32_t self, int64_t n, uint8_t *ret);
IMPORT("io/streams", "[method]output-stream.blocking-write-and-flush") void blocking_write(int32_t self, const void *b, int32_t n, uint8_t *ret);
IMPORT("io/streams", "[method]output-stream.blocking-splice") void splice(int32_t self, int32_t from, int64_t n, uint8_t *ret);
IMPORT("io/streams", "[resource-drop]input-stream") void drop_input(int32_t self);
IMPORT("io/streams", "[resource-drop]output-stream") void drop_output(int32_t self);
IMPORT("sockets/instance-network", "instance-network") int32_t instance_network(void);
IMPORT("sockets/ip-name-lookup", "resolve-addresses") void resolve(int32_t net, const char *s, int32_t n, uint8_t *ret);
IMPORT("sockets/ip-name-lookup", "[method]resolve-address-stream.subscribe") int32_t subscribe_addresses(int32_t self);
IMPORT("sockets/ip-name-lookup", "[method]resolve-address-stream.resolve-next-address") void next_address(int32_t self, uint8_t *ret);
IMPORT("sockets/ip-name-lookup", "[resource-drop]resolve-address-stream") void drop_addresses(int32_t self);
IMPORT("sockets/tcp-create-socket", "create-tcp-socket") void create_tcp(int32_t family, uint8_t *ret);
IMPORT("sockets/tcp", "[method]tcp-socket.start-bind") void tcp_start_bind(int32_t self, int32_t net, ADDRESS_PARAMS, uint8_t *ret);
IMPORT("sockets/tcp", "[method]tcp-socket.finish-bind") void tcp_finish_bind(int32_t self, uint8_t *ret);
IMPORT("sockets/tcp", "[method]tcp-socket.start-listen") void start_listen(int32_t self, uint8_t *ret);
IMPORT("sockets/tcp", "[method]tcp-socket.finish-listen") void finish_listen(int32_t self, uint8_t *ret);
IMPORT("sockets/tcp", "[method]tcp-socket.local-address") void local_address(int32_t self, uint8_t *ret);
IMPORT("sockets/tcp", "[method]tcp-socket.accept") void accept(int32_t self, uint8_t *ret);
IMPORT("sockets/tcp", "[method]tcp-socket.start-connect") void start_connect(int32_t self, int32_t net, ADDRESS_PARAMS, uint8_t *ret);
IMPORT("sockets/tcp", "[method]tcp-socket.finish-connect") void finish_connect(int32_t self, uint8_t *ret);
IMPORT("sockets/tcp", "[method]tcp-socket.shutdown") void shutdown_tcp(int32_t self, int32_t how, uint8_t *ret);
IMPORT("sockets/tcp", "[method]tcp-socket.subscribe") int32_t subscribe_tcp(int32_t self);
IMPORT("sockets/tcp", "[resource-drop]tcp-socket") void drop_tcp(int32_t self);
IMPORT("sockets/udp-create-socket", "create-udp-socket") void create_udp(int32_t family, uint8_t *ret);
IMPORT("sockets/udp", "[method]udp-socket.start-bind") void udp_start_bind(int32_t self, int32_t net, ADDRESS_PARAMS, uint8_t *ret);
IMPORT("sockets/udp", "[method]udp-socket.finish-bind") void udp_finish_bind(int32_t self, uint8_t *ret);
IMPORT("sockets/udp", "[method]udp-socket.stream") void udp_stream(int32_t self, int32_t has, ADDRESS_PARAMS, uint8_t *ret);
IMPORT("sockets/udp", "[method]outgoing-datagram-stream.check-send") void check_send(int32_t self, uint8_t *ret);
IMPORT("sockets/udp", "[method]outgoing-datagram-stream.send") void send(int32_t self, const void *list, int32_t n, uint8_t *ret);
IMPORT("sockets/udp", "[method]incoming-datagram-stream.subscribe") int32_t subscribe_incoming(int32_t self);
IMPORT("sockets/udp", "[method]incoming-datagram-stream.receive") void receive(int32_t self, int64_t n, uint8_t *ret);

static uint8_t heap[1 << 18] __attribute__((aligned(16)));
static uint32_t used;

EXPORT("cabi_realloc") void *cabi_realloc(void *old, uint32_t old_size, uint32_t align, uint32_t size) {
	used = (used + align - 1) & -align;
	if (old || size > sizeof heap - used)
		__builtin_trap();
	used += size;
	return heap + used - size;
}

static const uint8_t loopback[4] = {127, 0, 0, 1};
static uint8_t ret[64] __attribute__((aligned(8)));
static int32_t in, out, listening;
static struct {
	int32_t failed;
	union {
		struct { const char *at; int32_t n; } text;
		uint16_t port;
		uint32_t count;
	};
} result;

// fail returns a step and the letter of its code, a for 0.
static void *fail(const char *step, uint8_t code) {
	static char text[16];
	int n = 0;
	while (*step)
		text[n++] = *step++;
	text[n++] = ' ';
	text[n++] = 'a' + code;
	result.failed = 1;
	result.text.at = text;
	result.text.n = n;
	return &result;
}

#define TRY(step, at, ...) \
	do { \
		__VA_ARGS__; \
		if (ret[0]) \
			return fail(step, ret[at]); \
	} while (0)

static void await(int32_t pollable) {
	block(pollable);
	drop_pollable(pollable);
}

static int32_t word(int at) { return *(int32_t *)(ret + at); }

static void *answer(const void *at, int32_t n) {
	result.failed = 0;
	result.text.at = at;
	result.text.n = n;
	return &result;
}

EXPORT("fetch") void *fetch(const char *name, int32_t name_n, int32_t port, const char *question, int32_t n) {
	used = 0; // the arguments stay where they are
	int32_t net = instance_network(), addresses, socket;
	uint8_t ip[4];
	TRY("resolve", 4, resolve(net, name, name_n, ret));
	addresses = word(4);
	do {
		await(subscribe_addresses(addresses));
		TRY("address", 2, next_address(addresses, ret));
		if (!ret[2])
			return fail("none", 0);
	} while (ret[4] != 0);
	for (int i = 0; i < 4; i++)
		ip[i] = ret[6 + i];
	drop_addresses(addresses);
	TRY("create", 4, create_tcp(0, ret));
	socket = word(4);
	TRY("start", 1, start_connect(socket, net, ADDRESS(ip, port), ret));
	await(subscribe_tcp(socket));
	TRY("connect", 4, finish_connect(socket, ret));
	in = word(4);
	out = word(8);
	TRY("write", 4, blocking_write(out, question, n, ret));
	TRY("shutdown", 1, shutdown_tcp(socket, 1, ret));
	TRY("read", 4, blocking_read(in, 1000, ret));
	drop_tcp(socket); // before its streams: their order is free
	drop_input(in);
	drop_output(out);
	return answer(*(void **)(ret + 4), word(8));
}

EXPORT("ask") void *ask(int32_t port, const char *question, int32_t n) {
	struct { const char *at; int32_t n; uint8_t remote[36]; } datagram = {.at = question, .n = n};
	int32_t net = instance_network(), socket;
	static const uint8_t any[4];
	TRY("create", 4, create_udp(0, ret));
	socket = word(4);
	TRY("start", 1, udp_start_bind(socket, net, ADDRESS(any, 0), ret));
	TRY("bind", 1, udp_finish_bind(socket, ret));
	TRY("stream", 4, udp_stream(socket, 1, ADDRESS(loopback, port), ret));
	in = word(4);
	out = word(8);
	TRY("check", 8, check_send(out, ret));
	TRY("send", 8, send(out, &datagram, 1, ret));
	await(subscribe_incoming(in));
	TRY("receive", 4, receive(in, 1, ret));
	int32_t *first = *(int32_t **)(ret + 4);
	return answer((void *)first[0], first[1]); // what is open ends with the instance
}

EXPORT("listen") void *listen(void) {
	int32_t net = instance_network();
	TRY("create", 4, create_tcp(0, ret));
	listening = word(4);
	TRY("start", 1, tcp_start_bind(listening, net, ADDRESS(loopback, 0), ret));
	TRY("bind", 1, tcp_finish_bind(listening, ret));
	TRY("start", 1, start_listen(listening, ret));
	TRY("listen", 1, finish_listen(listening, ret));
	TRY("local", 4, local_address(listening, ret));
	result.failed = 0;
	result.port = *(uint16_t *)(ret + 8);
	return &result;
}

EXPORT("echo") void *echo(void) {
	int32_t total = 0, socket;
	await(subscribe_tcp(listening));
	TRY("accept", 4, accept(listening, ret));
	socket = word(4);
	in = word(8);
	out = word(12);
	for (;;) {
		splice(out, in, 1 << 20, ret);
		if (ret[0])
			break;
		total += word(8);
	}
	if (ret[8] != 1)
		return fail("splice", ret[8]);
	drop_input(in);
	drop_output(out);
	drop_tcp(socket);
	result.failed = 0;
	result.count = total;
	return &result;
}

EXPORT("hoard") int32_t hoard(void) {
	int32_t n = 0;
	for (;; n++) {
		create_udp(n & 1, ret);
		if (ret[0])
			return n;
	}
}
