#include "snapshot.h"

#include "base/bytes.h"
#include "base/json.h"
#include "db/copy.h"
#include "store/digest.h"
#include "store/readers.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT       1
#define MANIFEST_MAX ((size_t)64 << 20)
#define CHUNK        ((size_t)1 << 20)

DEMON_SQL_SCAN(sql_positions, "a row a stream",
	       "SELECT stream, sequence FROM local_positions ORDER BY stream");
DEMON_SQL(sql_version, "PRAGMA user_version");

/* The names of one snapshot; each while it is written ends in ".partial". */
struct names {
	struct demon_buf file_partial;
	struct demon_buf manifest;
	struct demon_buf manifest_partial;
};

static void free_names(struct names *n)
{
	demon_buf_done(&n->file_partial);
	demon_buf_done(&n->manifest);
	demon_buf_done(&n->manifest_partial);
}

static enum demon_rc make_names(const char *path, struct names *n, struct demon_err *err)
{
	enum demon_rc rc;

	demon_buf_fmt(&n->file_partial, "%s.partial", path);
	demon_buf_fmt(&n->manifest, "%s.manifest.json", path);
	demon_buf_fmt(&n->manifest_partial, "%s.manifest.json.partial", path);
	if ((rc = demon_buf_rc(&n->file_partial, err)) || (rc = demon_buf_rc(&n->manifest, err)))
		return rc;
	return demon_buf_rc(&n->manifest_partial, err);
}

static enum demon_rc hash_file(const char *path, unsigned char out[DEMON_SHA256_LEN],
			       int64_t *ret_bytes, struct demon_err *err)
{
	demon_auto_free unsigned char *chunk = demon_calloc(1, CHUNK);
	struct demon_sha256 *sha = demon_sha256_new();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum demon_rc rc = DEMON_OK;
	ssize_t n = 0;

	*ret_bytes = 0;
	if (fd < 0)
		rc = demon_err_sys(err, errno == ENOENT ? DEMON_NOTFOUND : DEMON_IO, errno,
				   "cannot read '%s'", path);
	else if (!chunk || !sha)
		rc = demon_err_set(err, DEMON_NOMEM, "no memory for a snapshot");
	if (!rc)
		demon_sha256_begin(sha);
	while (!rc && (n = read(fd, chunk, CHUNK)) > 0) {
		demon_sha256_add(sha, chunk, (size_t)n);
		*ret_bytes += n;
	}
	if (!rc && n < 0)
		rc = demon_err_sys(err, DEMON_IO, errno, "cannot read '%s'", path);
	if (!rc)
		demon_sha256_end(sha, out);
	demon_sha256_free(sha);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static enum demon_rc write_positions(struct demon_db *db, struct demon_jw *w, struct demon_err *err)
{
	struct demon_jw positions = demon_jw_object(w, "positions");
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_positions);

	while (!(rc = demon_step(&q, &row, err)) && row)
		demon_jw_i64(&positions, demon_col_str(&q, 0), demon_col_i64(&q, 1));
	demon_jw_end(&positions);
	return rc;
}

static enum demon_rc read_version(struct demon_db *db, int64_t *ret, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_version);
	bool row;
	enum demon_rc rc = demon_step(&q, &row, err);

	if (!rc)
		*ret = demon_col_i64(&q, 0);
	return rc;
}

/* The copy, and what the manifest says of the same moment. */
static enum demon_rc copy(struct demon_store *store, const char *path, struct demon_buf *manifest,
			  struct demon_err *err)
{
	unsigned char hash[DEMON_SHA256_LEN];
	char hex[2 * DEMON_SHA256_LEN + 1];
	const struct demon_env *env = demon_store_env(store);
	int64_t bytes;
	int64_t version;
	DEMON_BUF(state, 0);
	DEMON_READ(loan);
	enum demon_rc rc;

	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_TXN(tx);
	if ((rc = demon_txn_read(&tx, loan.db, err)) ||
	    (rc = demon_digest_state(store, loan.db, &state, err)) ||
	    (rc = read_version(loan.db, &version, err)) ||
	    (rc = demon_db_copy(loan.db, path, err)) || (rc = hash_file(path, hash, &bytes, err)))
		return rc;
	demon_hex(hash, sizeof(hash), hex);
	struct demon_jw w = demon_jw_begin(manifest);
	demon_jw_i64(&w, "bytes", bytes);
	demon_jw_time(&w, "createdAt", env->now(env->ctx));
	demon_jw_i64(&w, "format", FORMAT);
	if ((rc = write_positions(loan.db, &w, err)))
		return rc;
	demon_jw_i64(&w, "schemaVersion", version);
	demon_jw_str(&w, "sha256", hex);
	demon_jw_raw(&w, "state", state.data, state.len);
	demon_jw_end(&w);
	return demon_buf_rc(manifest, err);
}

static enum demon_rc write_file(const char *path, const struct demon_buf *text,
				struct demon_err *err)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	bool good =
	    fd >= 0 && write(fd, text->data, text->len) == (ssize_t)text->len && fsync(fd) == 0;
	int why = errno;

	if (fd >= 0)
		(void)close(fd);
	if (good)
		return DEMON_OK;
	return demon_err_sys(err,
			     why == EEXIST   ? DEMON_EXISTS
			     : why == ENOSPC ? DEMON_FULL
					     : DEMON_IO,
			     why, "cannot write '%s'", path);
}

static enum demon_rc sync_folder(const char *path, struct demon_err *err)
{
	const char *slash = strrchr(path, '/');
	DEMON_BUF(folder, 0);
	int fd;
	bool good;

	if (slash)
		demon_buf_add(&folder, path, (size_t)(slash - path) + 1);
	else
		demon_buf_str(&folder, ".");
	if (demon_buf_rc(&folder, err))
		return DEMON_NOMEM;
	fd = open(folder.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	good = fd >= 0 && fsync(fd) == 0;
	if (!good)
		(void)demon_err_sys(err, DEMON_IO, errno, "cannot sync '%s'", folder.data);
	if (fd >= 0)
		(void)close(fd);
	return good ? DEMON_OK : DEMON_IO;
}

/* Gives a file its name, unless something has it. */
static enum demon_rc give_name(const char *from, const char *to, struct demon_err *err)
{
	if (link(from, to))
		return demon_err_sys(err, errno == EEXIST ? DEMON_EXISTS : DEMON_IO, errno,
				     "cannot name '%s'", to);
	(void)unlink(from);
	return DEMON_OK;
}

static enum demon_rc refuse_existing(const char *path, struct demon_err *err)
{
	struct stat st;

	return lstat(path, &st) == 0 ? demon_err_set(err, DEMON_EXISTS, "'%s' exists", path)
				     : DEMON_OK;
}

enum demon_rc demon_snapshot_create(struct demon_store *store, const char *path,
				    char **ret_manifest, struct demon_err *err)
{
	struct names names = {0};
	DEMON_BUF(manifest, MANIFEST_MAX);
	bool copied = false;
	bool named = false;
	enum demon_rc rc;

	if (!(rc = make_names(path, &names, err)) && !(rc = refuse_existing(path, err)) &&
	    !(rc = refuse_existing(names.manifest.data, err)) &&
	    !(rc = copy(store, names.file_partial.data, &manifest, err))) {
		copied = true;
		rc = write_file(names.manifest_partial.data, &manifest, err);
	}
	if (!rc && !(rc = give_name(names.manifest_partial.data, names.manifest.data, err)) &&
	    !(rc = sync_folder(path, err))) {
		named = true;
		rc = give_name(names.file_partial.data, path, err);
	}
	if (!rc)
		rc = sync_folder(path, err);
	if (rc && copied) {
		(void)unlink(names.file_partial.data);
		(void)unlink(names.manifest_partial.data);
	}
	if (rc && named)
		(void)unlink(names.manifest.data);
	free_names(&names);
	if (rc)
		return rc;
	*ret_manifest = demon_buf_take(&manifest);
	return DEMON_OK;
}

static enum demon_rc read_manifest(const char *path, struct demon_buf *out, struct demon_err *err)
{
	char chunk[16384];
	size_t n;
	FILE *file = fopen(path, "re");

	if (!file)
		return demon_err_sys(err, errno == ENOENT ? DEMON_NOTFOUND : DEMON_IO, errno,
				     "cannot read '%s'", path);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		demon_buf_add(out, chunk, n);
	(void)fclose(file);
	return demon_buf_rc(out, err);
}

static enum demon_rc compare(const char *path, const json_t *doc, struct demon_err *err)
{
	const char *expected = json_string_value(json_object_get(doc, "sha256"));
	const json_t *bytes = json_object_get(doc, "bytes");
	unsigned char hash[DEMON_SHA256_LEN];
	char hex[2 * DEMON_SHA256_LEN + 1];
	int64_t length;
	enum demon_rc rc;

	if (json_integer_value(json_object_get(doc, "format")) > FORMAT)
		return demon_err_set(err, DEMON_NEWER, "'%s' is of a newer version", path);
	if (json_integer_value(json_object_get(doc, "format")) != FORMAT || !expected ||
	    !json_is_integer(bytes))
		return demon_err_set(err, DEMON_CORRUPT, "the manifest of '%s' is none", path);
	if ((rc = hash_file(path, hash, &length, err)))
		return rc;
	if (length != json_integer_value(bytes))
		return demon_err_set(err, DEMON_CORRUPT,
				     "'%s' has %" PRId64 " bytes, its manifest says %" PRId64, path,
				     length, (int64_t)json_integer_value(bytes));
	demon_hex(hash, sizeof(hash), hex);
	if (strcmp(hex, expected) != 0)
		return demon_err_set(err, DEMON_CORRUPT,
				     "'%s' was changed: its SHA-256 is not the manifest's", path);
	return DEMON_OK;
}

enum demon_rc demon_snapshot_verify(const char *path, char **ret_manifest, struct demon_err *err)
{
	static const struct demon_json_limits limits = {.max_bytes = MANIFEST_MAX, .depth = 8};
	DEMON_BUF(name, 0);
	DEMON_BUF(text, MANIFEST_MAX);
	json_auto_t *doc = NULL;
	enum demon_rc rc;

	demon_buf_fmt(&name, "%s.manifest.json", path);
	if ((rc = demon_buf_rc(&name, err)) || (rc = read_manifest(name.data, &text, err)))
		return rc;
	if (demon_json_parse(text.data ? text.data : "", text.len, &limits, &doc, err)) {
		err->rc = DEMON_CORRUPT;
		return demon_err_wrap(err, "%s", name.data);
	}
	if ((rc = compare(path, doc, err)))
		return rc;
	*ret_manifest = demon_buf_take(&text);
	return DEMON_OK;
}
