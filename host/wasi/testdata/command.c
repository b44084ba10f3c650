// A command that does what its first argument says, with wasi-libc alone.
//
//	clang-19 --target=wasm32-wasi -O2 -Wl,--strip-all command.c -o core.wasm
//	jco new core.wasm --wasi-command -o command.wasm
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int show(int argc, char **argv) {
	for (int i = 0; i < argc; i++)
		printf("arg %s\n", argv[i]);
	for (char **e = environ; *e; e++)
		printf("env %s\n", *e);
	return 0;
}

static int nap(void) {
	struct timespec start, end, want = {0, 20 * 1000 * 1000};
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (nanosleep(&want, NULL) != 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &end);
	long long ns = (end.tv_sec - start.tv_sec) * 1000000000LL + end.tv_nsec - start.tv_nsec;
	printf("slept %s\n", ns >= 20 * 1000 * 1000 ? "enough" : "too little");
	printf("year %s\n", time(NULL) > 1700000000 ? "right" : "wrong");
	return 0;
}

static int dice(void) {
	unsigned char a[100] = {0}, b[100] = {0};
	if (getentropy(a, sizeof a) != 0 || getentropy(b, sizeof b) != 0)
		return 1;
	printf("random %s\n", memcmp(a, b, sizeof a) ? "differs" : "repeats");
	return 0;
}

static int cat(void) {
	char line[64];
	while (fgets(line, sizeof line, stdin))
		printf("in %s", line);
	printf(feof(stdin) ? "end\n" : "error\n");
	return 0;
}

static int touch(void) {
	FILE *f = fopen("/etc/passwd", "r");
	printf("open: %s\n", f ? "opened" : strerror(errno));
	f = fopen("new", "w");
	printf("create: %s\n", f ? "created" : strerror(errno));
	return 0;
}

int main(int argc, char **argv) {
	const char *what = argc > 1 ? argv[1] : "";
	if (!strcmp(what, "hello")) {
		printf("hello out\n");
		fprintf(stderr, "hello %s\n", "err");
		printf("no line end");
		return 0;
	}
	if (!strcmp(what, "show"))
		return show(argc, argv);
	if (!strcmp(what, "nap"))
		return nap();
	if (!strcmp(what, "sleep-long")) {
		printf("sleeping\n");
		fflush(stdout);
		return sleep(1000000);
	}
	if (!strcmp(what, "dice"))
		return dice();
	if (!strcmp(what, "cat"))
		return cat();
	if (!strcmp(what, "touch"))
		return touch();
	if (!strcmp(what, "exit")) {
		printf("leaving");
		exit(atoi(argv[2]));
	}
	return 2;
}
