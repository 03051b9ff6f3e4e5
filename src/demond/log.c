#include "log.h"

#include "base/buf.h"
#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

struct demon_log {
	pthread_mutex_t lock; /* a leaf: nothing is called under it */
	char *path;           /* NULL: no file */
	int fd;               /* of the file, or -1 */
	enum demon_level level;
};

static enum demon_rc open_file(const char *path, int *ret_fd, struct demon_err *err)
{
	int fd =
	    open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	if (fd < 0)
		return demon_err_sys(err, DEMON_IO, errno, "cannot open log file '%s'", path);
	*ret_fd = fd;
	return DEMON_OK;
}

enum demon_rc demon_log_open(const char *path, enum demon_level level, struct demon_log **ret_log,
			     struct demon_err *err)
{
	struct demon_log *log = demon_calloc(1, sizeof(*log));
	enum demon_rc rc = DEMON_OK;

	if (!log)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the log");
	log->fd = -1;
	log->level = level;
	(void)pthread_mutex_init(&log->lock, NULL);
	if (path) {
		log->path = demon_strdup(path);
		rc = log->path ? open_file(path, &log->fd, err)
			       : demon_err_set(err, DEMON_NOMEM, "no memory for the log");
	}
	if (rc) {
		demon_log_close(log);
		return rc;
	}
	*ret_log = log;
	return DEMON_OK;
}

void demon_log_close(struct demon_log *log)
{
	if (!log)
		return;
	if (log->fd >= 0)
		(void)close(log->fd);
	(void)pthread_mutex_destroy(&log->lock);
	free(log->path);
	free(log);
}

enum demon_rc demon_log_reopen(struct demon_log *log, struct demon_err *err)
{
	enum demon_rc rc;
	int fd = -1;
	int old;

	if (!log->path)
		return DEMON_OK;
	if ((rc = open_file(log->path, &fd, err)))
		return rc;
	(void)pthread_mutex_lock(&log->lock);
	old = log->fd;
	log->fd = fd;
	(void)pthread_mutex_unlock(&log->lock);
	(void)close(old);
	return DEMON_OK;
}

static bool is_plain(const char *value)
{
	if (!*value)
		return false;
	for (const unsigned char *c = (const unsigned char *)value; *c; c++)
		if (*c <= 0x20 || *c == 0x7f || *c == '"' || *c == '=' || *c == '\\')
			return false;
	return true;
}

static void add_value(struct demon_buf *line, const char *value)
{
	if (is_plain(value)) {
		demon_buf_str(line, value);
		return;
	}
	demon_buf_char(line, '"');
	for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
		if (*c == '"' || *c == '\\')
			demon_buf_fmt(line, "\\%c", *c);
		else if (*c < 0x20 || *c == 0x7f)
			demon_buf_fmt(line, "\\x%02x", *c);
		else
			demon_buf_char(line, (char)*c);
	}
	demon_buf_char(line, '"');
}

/* One write a line, so that lines of several threads never mix; a full disk costs the line. */
static void write_line(int fd, const struct demon_buf *line)
{
	if (fd >= 0)
		(void)!write(fd, line->data, line->len);
}

void demon_log_write(struct demon_log *log, enum demon_level level, const char *text, ...)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	const struct demon_env *env = demon_env_real();
	char now[DEMON_RFC3339_LEN + 1];
	DEMON_BUF(line, 0);
	const char *key;
	va_list args;

	if (level > log->level)
		return;
	demon_rfc3339(env->now(env->ctx), now);
	demon_buf_fmt(&line, "%s %s %s", now, names[level], text);
	va_start(args, text);
	while ((key = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);

		demon_buf_fmt(&line, " %s=", key);
		add_value(&line, value ? value : "");
	}
	va_end(args);
	demon_buf_char(&line, '\n');
	(void)pthread_mutex_lock(&log->lock);
	write_line(log->fd, &line);
	write_line(STDERR_FILENO, &line);
	(void)pthread_mutex_unlock(&log->lock);
}
