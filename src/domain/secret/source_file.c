#include "source.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1024 * 1024)

static const struct demon_json_limits file_limits = {FILE_MAX, 2};

void demon_secret_wipe(struct demon_buf *b)
{
	if (b->cap)
		explicit_bzero(b->data, b->cap);
	demon_buf_done(b);
}

static void close_p(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* A symbolic link is followed: what counts is the file that was opened, not its name. */
static enum demon_rc check_file(int fd, const char *path, struct stat *ret_st,
				struct demon_err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return demon_err_sys(err, DEMON_IO, errno, "cannot examine '%s'", path);
	if (!S_ISREG(st.st_mode))
		return demon_err_set(err, DEMON_INVALID, "'%s' is no file", path);
	if (st.st_uid != geteuid())
		return demon_err_set(err, DEMON_DENIED, "'%s' belongs to user %lu, not to %lu",
				     path, (unsigned long)st.st_uid, (unsigned long)geteuid());
	if (st.st_mode & 077)
		return demon_err_set(err, DEMON_DENIED,
				     "'%s' is open to others: its mode is %04o, 0600 is needed",
				     path, (unsigned)st.st_mode & 07777);
	if (st.st_size < 0 || (uint64_t)st.st_size > FILE_MAX)
		return demon_err_set(err, DEMON_INVALID, "'%s' is larger than %zu bytes", path,
				     FILE_MAX);
	*ret_st = st;
	return DEMON_OK;
}

/* Reads it whole into memory that is asked for once, so that no copy is left behind. */
static enum demon_rc read_file(const char *path, struct demon_buf *text, struct demon_err *err)
{
	demon_cleanup(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	struct stat st = {.st_size = 0};
	size_t size;
	char *room;
	enum demon_rc rc;

	if (fd < 0 && errno == ENOENT)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no file '%s'", path);
	if (fd < 0)
		return demon_err_sys(err, errno == EACCES ? DEMON_DENIED : DEMON_IO, errno,
				     "cannot open '%s'", path);
	if ((rc = check_file(fd, path, &st, err)))
		return rc;
	size = (size_t)st.st_size;
	room = demon_buf_room(text, size + 1);
	if (!room)
		return demon_buf_rc(text, err);
	while (text->len <= size) {
		ssize_t n = read(fd, room + text->len, size + 1 - text->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return demon_err_sys(err, DEMON_IO, errno, "cannot read '%s'", path);
		if (n == 0)
			break;
		text->len += (size_t)n;
	}
	if (text->len != size)
		return demon_err_set(err, DEMON_INVALID, "'%s' changed while it was read", path);
	return DEMON_OK;
}

/* The parser quotes what it does not like, which may be a value: only the place is passed on. */
static enum demon_rc not_json(const char *path, enum demon_rc rc, const struct demon_err *why,
			      struct demon_err *err)
{
	unsigned line = 0;
	unsigned column = 0;

	if (rc == DEMON_NOMEM)
		return demon_err_set(err, rc, "'%s': %s", path, demon_rc_text(rc));
	if (sscanf(why->msg, "%9u:%9u:", &line, &column) != 2) /* NOLINT(cert-err34-c): bounded */
		return demon_err_set(err, DEMON_INVALID, "'%s' is not JSON", path);
	return demon_err_set(err, DEMON_INVALID,
			     "'%s' is not an object of objects of strings as JSON: line %u, "
			     "column %u",
			     path, line, column);
}

static enum demon_rc check_shape(const json_t *file, const char *path, struct demon_err *err)
{
	const char *name;
	json_t *scope;
	json_t *value;
	union {
		const json_t *given;
		json_t *wanted; /* jansson's iterators take a tree that is not const, and keep it */
	} same = {file};

	if (!json_is_object(file))
		return demon_err_set(err, DEMON_INVALID, "'%s' is not a JSON object", path);
	json_object_foreach(same.wanted, name, scope)
	{
		if (!json_is_object(scope))
			return demon_err_set(err, DEMON_INVALID,
					     "'%s' has a scope that is not an object", path);
		json_object_foreach(scope, name, value)
		{
			if (!json_is_string(value))
				return demon_err_set(err, DEMON_INVALID,
						     "'%s' has a value that is not a string", path);
		}
	}
	return DEMON_OK;
}

static void wipe_string(const json_t *value)
{
	union {
		const char *given;
		char *wanted;
	} same = {json_string_value(value)};

	if (same.wanted)
		explicit_bzero(same.wanted, json_string_length(value));
}

static void wipe_tree_p(json_t **tree)
{
	const char *name;
	json_t *scope;
	json_t *value;

	json_object_foreach(*tree, name, scope)
	{
		wipe_string(scope);
		json_object_foreach(scope, name, value) wipe_string(value);
	}
	wipe_string(*tree);
	json_decref(*tree);
}

enum demon_rc demon_secret_from_file(const char *path, const char *scope, const char *key,
				     struct demon_buf *ret_value, struct demon_err *err)
{
	demon_cleanup(wipe_tree_p) json_t *file = NULL;
	DEMON_SECRET_BUF(text);
	struct demon_err why = {0};
	const json_t *value;
	enum demon_rc rc;

	if ((rc = read_file(path, &text, err)))
		return rc;
	if ((rc = demon_json_parse(text.data, text.len, &file_limits, &file, &why)))
		return not_json(path, rc, &why, err);
	if ((rc = check_shape(file, path, err)))
		return rc;
	value = json_object_get(json_object_get(file, scope), key);
	if (!value)
		return demon_err_set(err, DEMON_NOTFOUND, "'%s' does not have it", path);
	demon_buf_add(ret_value, json_string_value(value), json_string_length(value));
	return demon_buf_rc(ret_value, err);
}
