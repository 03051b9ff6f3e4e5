#include "holder.h"

#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_dir_p(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* "lock:	1: OFDLCK ADVISORY WRITE -1 fe:00:1234 0 0": the last two are first and last byte.
 */
static bool shows_lock(const char *fdinfo)
{
	const char *line = fdinfo;

	while ((line = strstr(line, "lock:")) != NULL) {
		const char *end = strchr(line, '\n');
		size_t n = end ? (size_t)(end - line) : strlen(line);

		if (memmem(line, n, "OFDLCK", 6) && memmem(line, n, "WRITE", 5) && n > 4 &&
		    memcmp(line + n - 4, " 0 0", 4) == 0)
			return true;
		line += n;
	}
	return false;
}

static bool descriptor_holds(int proc, const char *pid, const char *number)
{
	char path[300];
	char text[4096];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%.20s/fdinfo/%.20s", pid, number);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return shows_lock(text);
}

static bool process_holds(int proc, const char *pid, const struct stat *file)
{
	demon_cleanup(close_dir_p) DIR *dir = NULL;
	const struct dirent *entry;
	char path[40];
	int fd;

	(void)snprintf(path, sizeof(path), "%.20s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return false;
	}
	while ((entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own DIR */
		struct stat st;

		if (fstatat(fd, entry->d_name, &st, 0) == 0 && st.st_dev == file->st_dev &&
		    st.st_ino == file->st_ino && descriptor_holds(proc, pid, entry->d_name))
			return true;
	}
	return false;
}

int demon_lock_holder(int fd)
{
	demon_cleanup(close_dir_p) DIR *proc = opendir("/proc");
	const struct dirent *entry;
	struct stat file;

	if (!proc || fstat(fd, &file))
		return 0;
	while ((entry = readdir(proc)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own DIR */
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (pid > 0 && !*end && process_holds(dirfd(proc), entry->d_name, &file))
			return (int)pid;
	}
	return 0;
}
