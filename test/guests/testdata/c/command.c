// Counts words; test/guests says what is asked of it.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char summary[4096];

// say prints a piece of a line and notes it for the summary.
static void say(const char *format, ...) {
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fputs(text, stdout);
	strncat(summary, text, sizeof summary - strlen(summary) - 1);
}

static int words(FILE *f) {
	int n = 0, inside = 0;
	for (int c; (c = getc(f)) != EOF; inside = !isspace(c))
		n += !isspace(c) && !inside;
	return n;
}

static int report_dir(const char *path) {
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);
	if (n < 0)
		return -1;
	say("%s:", path);
	for (int i = 0; i < n; i++)
		if (names[i]->d_name[0] != '.')
			say(" %s", names[i]->d_name);
	say("\n");
	return 0;
}

static int report(const char *path) {
	struct stat st;
	if (stat(path, &st) != 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		return report_dir(path);
	FILE *f = fopen(path, "r");
	if (!f)
		return -1;
	say("%s: %d words\n", path, words(f));
	return fclose(f);
}

int main(int argc, char **argv) {
	int status = 0;
	for (int i = 1; i < argc; i++)
		if (report(argv[i]) != 0) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			status = 1;
		}
	say("input: %d words\n", words(stdin));
	const char *path = getenv("SUMMARY");
	if (path) {
		FILE *f = fopen(path, "w");
		if (!f || fputs(summary, f) < 0 || fclose(f) != 0)
			return 2;
	}
	return status;
}
