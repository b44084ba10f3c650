// Uses files and directories in every way that wasi-libc has, and prints the
// line of the first thing that was not as POSIX says. With the argument
// "write" it only writes to a file.
//
//	clang-19 --target=wasm32-wasi -O2 -Wl,--strip-all files.c -o core.wasm
//	jco new core.wasm --wasi-command -o files.wasm
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WANT(x)                                                                                                        \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		if (!(x)) {                                                                                            \
			printf("line %d: %s\n", __LINE__, strerror(errno));                                            \
			return 1;                                                                                      \
		}                                                                                                      \
	} while (0)
#define FAILS(e, x) WANT((x) == -1 && errno == (e))

static int contents(void) {
	char b[64];
	struct stat s;
	FILE *f = fopen("/data/a.txt", "w");
	WANT(f && fprintf(f, "one\ntwo\n") == 8 && fclose(f) == 0);
	f = fopen("/data/a.txt", "a+");
	WANT(f && fputs("three\n", f) >= 0 && fseek(f, 4, SEEK_SET) == 0 && fgets(b, sizeof b, f) && !strcmp(b, "two\n"));
	WANT(fclose(f) == 0);
	int fd = open("/data/a.txt", O_RDWR);
	WANT(fd >= 0 && pwrite(fd, "TWO", 3, 4) == 3 && pread(fd, b, 8, 0) == 8 && !memcmp(b, "one\nTWO\n", 8));
	WANT(lseek(fd, 0, SEEK_END) == 14 && read(fd, b, 1) == 0);
	WANT(ftruncate(fd, 20) == 0 && fstat(fd, &s) == 0 && s.st_size == 20 && S_ISREG(s.st_mode) && s.st_nlink == 1);
	ino_t ino = s.st_ino;
	struct timespec at[2] = {{1000000000, 5000}, {1100000000, 7000}};
	WANT(futimens(fd, at) == 0 && fsync(fd) == 0 && fdatasync(fd) == 0 && close(fd) == 0);
	WANT(stat("/data/a.txt", &s) == 0 && s.st_mtim.tv_sec == 1100000000 && s.st_mtim.tv_nsec == 7000 && s.st_ino == ino);
	FAILS(EEXIST, open("/data/a.txt", O_CREAT | O_EXCL | O_WRONLY, 0666));
	FAILS(ENOENT, open("/data/gone", O_RDONLY));
	FAILS(ENOTDIR, open("/data/a.txt/x", O_RDONLY));
	FAILS(ENOTDIR, open("/data/a.txt", O_RDONLY | O_DIRECTORY));
	WANT((fd = open("/data/a.txt", O_WRONLY | O_TRUNC)) >= 0 && fstat(fd, &s) == 0 && s.st_size == 0);
	FAILS(EBADF, read(fd, b, 1));
	WANT(close(fd) == 0);
	return 0;
}

static int names(void) {
	char b[64] = {0};
	struct stat s;
	WANT(mkdir("/data/dir", 0777) == 0);
	FAILS(EEXIST, mkdir("/data/dir", 0777));
	FAILS(EISDIR, open("/data/dir", O_WRONLY));
	WANT(link("/data/a.txt", "/data/dir/hard") == 0 && stat("/data/a.txt", &s) == 0 && s.st_nlink == 2);
	WANT(symlink("../a.txt", "/data/dir/soft") == 0 && readlink("/data/dir/soft", b, sizeof b) == 8 && !strcmp(b, "../a.txt"));
	WANT(lstat("/data/dir/soft", &s) == 0 && S_ISLNK(s.st_mode) && s.st_size == 8);
	WANT(stat("/data/dir/soft", &s) == 0 && S_ISREG(s.st_mode));
	FAILS(ENOTEMPTY, rmdir("/data/dir"));
	FAILS(ENOTDIR, rmdir("/data/a.txt"));
	FAILS(EISDIR, unlink("/data/dir"));
	WANT(rename("/data/dir", "/data/moved") == 0);
	FAILS(ENOENT, stat("/data/dir", &s));
	int count = 0, kinds = 0;
	DIR *d = opendir("/data/moved");
	WANT(d);
	for (struct dirent *e; (e = readdir(d));) {
		count++;
		kinds += (!strcmp(e->d_name, "hard") && e->d_type == DT_REG) + (!strcmp(e->d_name, "soft") && e->d_type == DT_LNK);
	}
	WANT(count == 4 && kinds == 2 && closedir(d) == 0); // with . and ..
	int dir = open("/data/moved", O_RDONLY | O_DIRECTORY);
	WANT(dir >= 0 && mkdirat(dir, "below", 0777) == 0 && unlinkat(dir, "below", AT_REMOVEDIR) == 0 && close(dir) == 0);
	WANT(unlink("/data/moved/hard") == 0 && unlink("/data/moved/soft") == 0 && rmdir("/data/moved/") == 0);
	return 0;
}

static int outside(void) {
	struct stat s;
	WANT(symlink("../outside", "/data/out") == 0);
	FAILS(EPERM, open("/data/out", O_RDONLY));
	FAILS(EPERM, stat("/data/out/x", &s));
	FAILS(EPERM, open("/data/../outside", O_RDONLY));
	FAILS(EPERM, rename("/data/a.txt", "/data/out/x"));
	FAILS(EPERM, symlink("/etc/passwd", "/data/abs"));
	WANT(unlink("/data/out") == 0);
	return 0;
}

int main(int argc, char **argv) {
	if (argc > 1 && !strcmp(argv[1], "write")) {
		int fd = open("/data/a.txt", O_RDWR);
		if (fd < 0) {
			printf("open: %s\n", strerror(errno));
			return 0;
		}
		static char b[100000];
		ssize_t n = write(fd, b, sizeof b);
		printf("write: %s\n", n < 0 ? strerror(errno) : n == sizeof b ? "all" : "part");
		return 0;
	}
	if (contents() || names() || outside())
		return 1;
	printf("all well\n");
	return 0;
}
