#include "log.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct demon_log {
	pthread_mutex_t lock; /* a leaf: nothing is called under it */
	char *path;           /* NULL: no file */
	int fd;               /* of the file, or -1 */
	bool journal;         /* stderr is the journal of systemd */
	enum demon_level level;
	enum demon_level stderr_level;
};

static const struct {
	const char *name;
	int priority; /* as in syslog.h */
} levels[] = {{"error", 3}, {"warn", 4}, {"info", 6}, {"debug", 7}};

static enum demon_rc open_file(const char *path, int *ret_fd, struct demon_err *err)
{
	int fd =
	    open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	if (fd < 0)
		return demon_err_sys(err, DEMON_IO, errno, "cannot open log file '%s'", path);
	*ret_fd = fd;
	return DEMON_OK;
}

/* Whether stderr is still the stream that @p journal names: a child may have been given another. */
static bool is_journal(const char *journal)
{
	char here[64];
	struct stat st;

	if (!journal || fstat(STDERR_FILENO, &st) != 0)
		return false;
	(void)snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(here, journal) == 0;
}

enum demon_rc demon_log_open(const struct demon_log_options *options, struct demon_log **ret_log,
			     struct demon_err *err)
{
	struct demon_log *log = demon_calloc(1, sizeof(*log));
	enum demon_rc rc = DEMON_OK;

	if (!log)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the log");
	log->fd = -1;
	log->journal = is_journal(options->journal);
	log->level = options->level;
	log->stderr_level =
	    options->stderr_level < options->level ? options->stderr_level : options->level;
	(void)pthread_mutex_init(&log->lock, NULL);
	if (options->path) {
		log->path = demon_strdup(options->path);
		rc = log->path ? open_file(log->path, &log->fd, err)
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

bool demon_log_takes(const struct demon_log *log, enum demon_level level)
{
	return level <= log->stderr_level || (log->path && level <= log->level);
}

static void add_member(struct demon_buf *json, const char *key, const char *value)
{
	demon_buf_fmt(json, ",\"%s\":", key);
	demon_json_string(json, value, strlen(value));
}

static void add_pair(struct demon_buf *line, const char *key, const char *value)
{
	demon_buf_fmt(line, " %s=", key);
	add_value(line, value);
}

void demon_log_write(struct demon_log *log, enum demon_level level, const char *text, ...)
{
	const struct demon_env *env = demon_env_real();
	char now[DEMON_RFC3339_LEN + 1];
	DEMON_BUF(json, 0);
	DEMON_BUF(line, 0);
	const char *key;
	va_list args;

	if (!demon_log_takes(log, level))
		return;
	demon_rfc3339(env->now(env->ctx), now);
	demon_buf_fmt(&json, "{\"ts\":\"%s\"", now);
	add_member(&json, "level", levels[level].name);
	add_member(&json, "msg", text);
	if (log->journal)
		demon_buf_fmt(&line, "<%d>%s", levels[level].priority, text);
	else
		demon_buf_fmt(&line, "%s %s %s", now, levels[level].name, text);
	va_start(args, text);
	while ((key = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);

		if (!value)
			continue;
		add_member(&json, key, value);
		add_pair(&line, key, value);
	}
	va_end(args);
	demon_buf_str(&json, "}\n");
	demon_buf_char(&line, '\n');
	(void)pthread_mutex_lock(&log->lock);
	if (!json.rc)
		write_line(log->fd, &json);
	if (!line.rc && level <= log->stderr_level)
		write_line(STDERR_FILENO, &line);
	(void)pthread_mutex_unlock(&log->lock);
}
