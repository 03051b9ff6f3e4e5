#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536

static void close_p(const int *fd)
{
	if (*fd > STDIN_FILENO)
		(void)close(*fd);
}

static enum demon_rc read_all(int fd, const char *name, struct demon_buf *out,
			      struct demon_err *err)
{
	demon_auto_free char *chunk = demon_calloc(1, CHUNK);
	ssize_t n;

	if (!chunk)
		return demon_err_set(err, DEMON_NOMEM, "no memory to read '%s'", name);
	while ((n = read(fd, chunk, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return demon_err_sys(err, DEMON_IO, errno, "cannot read '%s'", name);
		demon_buf_add(out, chunk, (size_t)n);
		if (out->rc == DEMON_TOOBIG)
			return demon_err_set(err, DEMON_TOOBIG, "'%s' has more than %zu bytes",
					     name, out->max);
		if (out->rc)
			break;
	}
	return demon_buf_rc(out, err);
}

enum demon_rc demon_file_open(const char *path, int *ret_fd, int64_t *ret_size,
			      struct demon_err *err)
{
	struct stat st;
	int fd;

	if (strcmp(path, "-") == 0) {
		*ret_fd = STDIN_FILENO;
		return DEMON_OK;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return demon_err_set(err, DEMON_NOTFOUND, "'%s': no such file", path);
	if (fd < 0)
		return demon_err_sys(err, DEMON_IO, errno, "cannot open '%s'", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return demon_err_set(err, DEMON_INVALID, "'%s' is %s, not a file", path,
				     S_ISDIR(st.st_mode)    ? "a folder"
				     : S_ISFIFO(st.st_mode) ? "a FIFO"
							    : "a device");
	}
	*ret_fd = fd;
	if (ret_size)
		*ret_size = (int64_t)st.st_size;
	return DEMON_OK;
}

enum demon_rc demon_file_read(const char *path, struct demon_buf *out, struct demon_err *err)
{
	demon_cleanup(close_p) int fd = -1;
	int64_t size = 0;
	enum demon_rc rc = demon_file_open(path, &fd, &size, err);

	if (rc)
		return rc;
	if (out->max && (uint64_t)size > out->max)
		return demon_err_set(err, DEMON_TOOBIG, "'%s' has more than %zu bytes", path,
				     out->max);
	return read_all(fd, fd == STDIN_FILENO ? "standard input" : path, out, err);
}

enum demon_rc demon_new_file_begin(struct demon_new_file *f, const char *path,
				   struct demon_err *err)
{
	DEMON_BUF(name, 0);

	demon_buf_fmt(&name, "%s.%ld.tmp", path, (long)getpid());
	f->path = demon_strdup(path);
	f->temporary = demon_buf_take(&name);
	if (!f->path || !f->temporary)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a path");
	f->fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (f->fd < 0) {
		int why = errno;

		free(demon_take(f->temporary)); /* not ours to remove */
		return demon_err_sys(err,
				     why == ENOENT || why == ENOTDIR ? DEMON_NOTFOUND : DEMON_IO,
				     why, "cannot write '%s'", path);
	}
	return DEMON_OK;
}

enum demon_rc demon_new_file_add(struct demon_new_file *f, const char *bytes, size_t n,
				 struct demon_err *err)
{
	while (n) {
		ssize_t put = write(f->fd, bytes, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return demon_err_sys(err, errno == ENOSPC ? DEMON_FULL : DEMON_IO, errno,
					     "cannot write '%s'", f->path);
		bytes += put;
		n -= (size_t)put;
	}
	return DEMON_OK;
}

enum demon_rc demon_new_file_commit(struct demon_new_file *f, struct demon_err *err)
{
	if (fsync(f->fd) || rename(f->temporary, f->path))
		return demon_err_sys(err, DEMON_IO, errno, "cannot write '%s'", f->path);
	free(demon_take(f->temporary));
	return DEMON_OK;
}

void demon_new_file_done(struct demon_new_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->temporary)
		(void)unlink(f->temporary);
	free(f->temporary);
	free(f->path);
	*f = (struct demon_new_file){.fd = -1};
}
