#include "key.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 256

DEMON_SQL(sql_signed, "UPDATE local_node SET has_signed = 1 WHERE id = 1");

/* "demon-key 1\norigin …\nseed …\n" */
static enum demon_rc parse_key(const struct demon_store *store, const char *text,
			       struct demon_key *ret, struct demon_err *err)
{
	unsigned char origin[DEMON_ORIGIN_LEN];
	char origin_hex[33];
	char seed_hex[65];
	int end = 0;

	if (sscanf(text, "demon-key 1 origin %32[0-9a-f] seed %64[0-9a-f] %n", /* NOLINT */
		   origin_hex, seed_hex, &end) != 2 ||
	    text[end] || !demon_unhex(origin_hex, origin, sizeof(origin)) ||
	    !demon_unhex(seed_hex, ret->seed, sizeof(ret->seed)))
		return demon_err_set(err, DEMON_CORRUPT, "'%s.key' is not a key of a node",
				     store->path);
	if (memcmp(origin, store->node.origin, sizeof(origin)) != 0)
		return demon_err_set(err, DEMON_CORRUPT, "'%s.key' is the key of another origin",
				     store->path);
	return DEMON_OK;
}

/* *ret_found is false when there is no file. */
static enum demon_rc read_key(const struct demon_store *store, const char *path,
			      struct demon_key *ret, bool *ret_found, struct demon_err *err)
{
	char text[TEXT_MAX + 1];
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	*ret_found = fd >= 0;
	if (fd < 0)
		return errno == ENOENT
			   ? DEMON_OK
			   : demon_err_sys(err, DEMON_IO, errno, "cannot read '%s'", path);
	n = fstat(fd, &st) ? -1 : read(fd, text, TEXT_MAX);
	(void)close(fd);
	if (n < 0)
		return demon_err_sys(err, DEMON_IO, errno, "cannot read '%s'", path);
	if (st.st_mode & 077)
		return demon_err_set(err, DEMON_DENIED, "'%s' can be read by others: chmod 600 it",
				     path);
	text[n] = '\0';
	return parse_key(store, text, ret, err);
}

static enum demon_rc write_all(const char *path, const char *text, size_t len,
			       struct demon_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool good = fd >= 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	int sys = errno;

	if (fd >= 0 && close(fd) && good) {
		good = false;
		sys = errno;
	}
	return good ? DEMON_OK : demon_err_sys(err, DEMON_IO, sys, "cannot write '%s'", path);
}

/* Makes the name of a file durable. */
static enum demon_rc sync_folder(const char *path, struct demon_err *err)
{
	const char *slash = strrchr(path, '/');
	demon_auto_free char *folder =
	    slash ? demon_strndup(path, (size_t)(slash - path) + 1) : demon_strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool good = fd >= 0 && fsync(fd) == 0;
	int sys = errno;

	if (fd >= 0)
		(void)close(fd);
	return good ? DEMON_OK
		    : demon_err_sys(err, DEMON_IO, sys, "cannot flush the folder of '%s'", path);
}

static enum demon_rc make_key(const struct demon_store *store, const char *path,
			      struct demon_key *ret, struct demon_err *err)
{
	DEMON_BUF(text, TEXT_MAX);
	DEMON_BUF(temporary, 0);
	enum demon_rc rc;

	store->env->random(store->env->ctx, ret->seed, sizeof(ret->seed));
	demon_buf_str(&text, "demon-key 1\norigin ");
	demon_buf_hex(&text, store->node.origin, sizeof(store->node.origin));
	demon_buf_str(&text, "\nseed ");
	demon_buf_hex(&text, ret->seed, sizeof(ret->seed));
	demon_buf_char(&text, '\n');
	demon_buf_fmt(&temporary, "%s.new", path);
	if ((rc = demon_buf_rc(&text, err)) || (rc = demon_buf_rc(&temporary, err)) ||
	    (rc = write_all(temporary.data, text.data, text.len, err)))
		return rc;
	if (DEMON_FAULT(KEY_WRITTEN))
		return demon_err_set(err, DEMON_IO, "fault after the key was written");
	if (rename(temporary.data, path))
		return demon_err_sys(err, DEMON_IO, errno, "cannot make '%s'", path);
	return sync_folder(path, err);
}

/* In the write transaction, so that two processes do not make two keys. */
static enum demon_rc ensure_key(struct demon_write *w, void *ctx, struct demon_err *err)
{
	DEMON_BUF(path, 0);
	struct demon_key *key = ctx;
	bool found;
	enum demon_rc rc;

	demon_buf_fmt(&path, "%s.key", w->store->path);
	if ((rc = demon_buf_rc(&path, err)) ||
	    (rc = read_key(w->store, path.data, key, &found, err)))
		return rc;
	if (!found && (rc = make_key(w->store, path.data, key, err)))
		return rc;
	DEMON_STMT(q, demon_write_db(w), &sql_signed);
	return demon_exec(&q, err);
}

enum demon_rc demon_key_load(struct demon_store *store, struct demon_key *ret_key,
			     struct demon_err *err)
{
	enum demon_rc rc = demon_store_write(store, ensure_key, ret_key, err);

	return rc ? rc : demon_ed25519_public(ret_key->seed, ret_key->public_key, err);
}
