#include "db.h"

#include "base/buf.h"
#include "base/fault.h"
#include "handle.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000

DEMON_SQL(sql_data_version, "PRAGMA data_version");
DEMON_SQL(sql_integrity, "PRAGMA integrity_check(1)");
DEMON_SQL(sql_quick, "PRAGMA quick_check(1)");

static bool is_permission(int sys)
{
	return sys == EACCES || sys == EPERM || sys == EROFS;
}

static enum demon_rc rc_of_constraint(int code)
{
	switch (code) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return DEMON_CONFLICT;
	default:
		return DEMON_INVALID;
	}
}

static enum demon_rc rc_of_io(int code, int sys)
{
	if (code == SQLITE_IOERR_SHORT_READ || code == SQLITE_IOERR_CORRUPTFS)
		return DEMON_CORRUPT;
	if (code == SQLITE_IOERR_NOMEM)
		return DEMON_NOMEM;
	return sys == ENOSPC || sys == EDQUOT ? DEMON_FULL : DEMON_IO;
}

static enum demon_rc rc_of_open(int sys)
{
	if (sys == ENOENT || sys == ENOTDIR)
		return DEMON_NOTFOUND;
	if (is_permission(sys))
		return DEMON_READONLY;
	return sys == ENOSPC || sys == EDQUOT ? DEMON_FULL : DEMON_IO;
}

static enum demon_rc rc_of(int code, int sys)
{
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return DEMON_CORRUPT;
	case SQLITE_CONSTRAINT:
		return rc_of_constraint(code);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return DEMON_BUSY;
	case SQLITE_FULL:
		return DEMON_FULL;
	case SQLITE_READONLY:
		return DEMON_READONLY;
	case SQLITE_IOERR:
		return rc_of_io(code, sys);
	case SQLITE_CANTOPEN:
		return rc_of_open(sys);
	case SQLITE_PERM:
		return DEMON_IO;
	case SQLITE_NOMEM:
		return DEMON_NOMEM;
	case SQLITE_INTERRUPT:
		return DEMON_CANCELED;
	case SQLITE_TOOBIG:
		return DEMON_TOOBIG;
	default:
		return DEMON_INTERNAL;
	}
}

enum demon_rc demon_db_error(const struct demon_db *db, struct demon_err *err, const char *what)
{
	int code = sqlite3_extended_errcode(db->sql);
	int base = code & 0xff;
	int sys = 0;

	/* a commit does not note its errno, so what is there then belongs to an older failure */
	if ((base == SQLITE_IOERR && code != SQLITE_IOERR_FSYNC) || base == SQLITE_CANTOPEN)
		sys = sqlite3_system_errno(db->sql);
	if (sys)
		(void)demon_err_sys(err, rc_of(code, sys), sys, "%s: %s", what,
				    sqlite3_errmsg(db->sql));
	else
		(void)demon_err_set(err, rc_of(code, 0), "%s: %s", what,
				    code == SQLITE_READONLY_DIRECTORY
					? "its folder cannot be written"
					: sqlite3_errmsg(db->sql));
	err->sys = code;
	return err->rc;
}

/* demon_db_error with the path for a subject. */
static enum demon_rc path_error(const struct demon_db *db, struct demon_err *err)
{
	char what[300];

	(void)snprintf(what, sizeof(what), "'%.280s'", db->path);
	return demon_db_error(db, err, what);
}

/* SQLite's URI for @p path, read without a lock and without -wal and -shm. */
static void add_immutable_uri(struct demon_buf *b, const char *path)
{
	demon_buf_str(b, path[0] == '/' ? "file://" : "file:./");
	for (const char *p = path; *p; p++) {
		if (*p == '%' || *p == '?' || *p == '#')
			demon_buf_fmt(b, "%%%02x", (unsigned)(unsigned char)*p);
		else
			demon_buf_char(b, *p);
	}
	demon_buf_str(b, "?immutable=1");
}

/* SQLITE_OK with the id, or the code of what went wrong. */
static int read_application_id(sqlite3 *sql, int *ret_id)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(sql, "PRAGMA application_id", -1, &stmt, NULL);

	if (code == SQLITE_OK) {
		code = sqlite3_step(stmt);
		if (code == SQLITE_ROW)
			*ret_id = sqlite3_column_int(stmt, 0);
		(void)sqlite3_finalize(stmt);
	}
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

/*
 * Refuses a file that is not ours before a real connection touches it, which would leave a -wal
 * and a -shm beside it or play back its journal. The id stands in page 1 of the file itself from
 * its first transaction on. What cannot be read like this (a checkpoint may be under way) is left
 * to the real connection: *ret_known is false then.
 */
static enum demon_rc refuse_stranger(const char *path, bool *ret_known, struct demon_err *err)
{
	DEMON_BUF(uri, 0);
	sqlite3 *sql = NULL;
	int id = 0;
	int code;
	enum demon_rc rc;

	*ret_known = false;
	add_immutable_uri(&uri, path);
	if ((rc = demon_buf_rc(&uri, err)))
		return rc;
	code = sqlite3_open_v2(uri.data, &sql,
			       SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
				   SQLITE_OPEN_EXRESCODE,
			       NULL);
	if (code == SQLITE_OK)
		code = read_application_id(sql, &id);
	(void)sqlite3_close(sql);
	if ((code & 0xff) == SQLITE_NOTADB || (code == SQLITE_OK && id != DEMON_APPLICATION_ID)) {
		rc = demon_err_set(err, DEMON_CORRUPT, "'%s' is not a Demon database", path);
		err->sys = code;
		return rc;
	}
	*ret_known = code == SQLITE_OK;
	return DEMON_OK;
}

/* Whether a file can be made at @p path; SQLite's own answer loses the reason. */
static enum demon_rc check_folder(const char *path, struct demon_err *err)
{
	const char *slash = strrchr(path, '/');
	demon_auto_free char *folder =
	    demon_strndup(slash ? path : ".", slash ? (size_t)(slash - path) + 1 : 1);

	if (!folder)
		return demon_err_set(err, DEMON_NOMEM, "cannot make '%s': out of memory", path);
	if (access(folder, W_OK | X_OK)) {
		int sys = errno;

		return demon_err_sys(err, rc_of_open(sys), sys, "cannot make '%s'", path);
	}
	return DEMON_OK;
}

/* Says what kind of thing the path is: *ret_empty for a missing or an empty file. */
static enum demon_rc look_at_path(const char *path, enum demon_db_role role, bool create,
				  bool *ret_empty, struct demon_err *err)
{
	struct stat st;

	if (!*path)
		return demon_err_set(err, DEMON_INVALID, "the path of the database is empty");
	if (stat(path, &st)) {
		int sys = errno;

		*ret_empty = true;
		if (sys == ENOENT && create && role == DEMON_DB_WRITER)
			return check_folder(path, err);
		if (role == DEMON_DB_READER && is_permission(sys))
			return demon_err_sys(err, DEMON_IO, sys, "cannot open '%s'", path);
		return demon_err_sys(err, rc_of_open(sys), sys, "cannot open '%s'", path);
	}
	if (S_ISDIR(st.st_mode))
		return demon_err_sys(err, DEMON_IO, EISDIR, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return demon_err_set(err, DEMON_IO, "cannot open '%s': not a regular file", path);
	*ret_empty = st.st_size == 0;
	return DEMON_OK;
}

static int on_wal(void *ctx, sqlite3 *sql, const char *name, int frames)
{
	struct demon_db *db = ctx;

	(void)sql;
	(void)name;
	if (frames < db->wal_frames)
		db->checkpoint_at = DEMON_CHECKPOINT_FRAMES;
	db->wal_frames = frames;
	return SQLITE_OK;
}

/*
 * NO_CKPT_ON_CLOSE: SQLite would checkpoint and delete the WAL when the last connection closes,
 * outside of our lock. So the WAL stays; the store checkpoints under the lock before it closes.
 * recursive_triggers: without it INSERT OR REPLACE deletes rows past their DELETE triggers.
 */
static enum demon_rc configure(struct demon_db *db, struct demon_err *err)
{
	static const struct {
		int what;
		int on;
	} options[] = {
	    {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1}, {SQLITE_DBCONFIG_DEFENSIVE, 1},
	    {SQLITE_DBCONFIG_DQS_DML, 0},          {SQLITE_DBCONFIG_DQS_DDL, 0},
	    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},   {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
	    {SQLITE_DBCONFIG_ENABLE_TRIGGER, 1},
	};
	static const char *const common = "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
					  "PRAGMA temp_store=MEMORY; PRAGMA recursive_triggers=ON;";
	static const char *const writer =
	    "PRAGMA page_size=4096; PRAGMA auto_vacuum=NONE; PRAGMA encoding='UTF-8';"
	    "PRAGMA synchronous=FULL; PRAGMA locking_mode=NORMAL;"
	    "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-4000;";
	static const char *const reader = "PRAGMA query_only=ON; PRAGMA cache_size=-2000;";

	for (size_t i = 0; i < demon_count(options); i++)
		if (sqlite3_db_config(db->sql, options[i].what, options[i].on, NULL))
			return path_error(db, err);
	(void)sqlite3_busy_timeout(db->sql, BUSY_TIMEOUT_MS);
	(void)sqlite3_wal_autocheckpoint(db->sql, 0);
	if (db->role == DEMON_DB_WRITER)
		(void)sqlite3_wal_hook(db->sql, on_wal, db);
	if (db->role != DEMON_DB_READER && demon_rows_register(db->sql, &db->rows))
		return path_error(db, err);
	if (sqlite3_exec(db->sql, common, NULL, NULL, NULL) ||
	    sqlite3_exec(db->sql, db->role == DEMON_DB_READER ? reader : writer, NULL, NULL, NULL))
		return path_error(db, err);
	return DEMON_OK;
}

static struct demon_db *new_handle(const char *path, enum demon_db_role role)
{
	size_t len = strlen(path);
	struct demon_db *db = demon_calloc(1, sizeof(*db) + len + 3);

	if (!db)
		return NULL;
	db->role = role;
	db->checkpoint_at = DEMON_CHECKPOINT_FRAMES;
	/* never a URI and never ":memory:" */
	if (role != DEMON_DB_MEMORY && path[0] != '/')
		memcpy(db->path, "./", 2);
	memcpy(db->path + strlen(db->path), path, len + 1);
	return db;
}

static enum demon_rc open_handle(struct demon_db *db, bool create, struct demon_err *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	if (create || db->role == DEMON_DB_MEMORY)
		flags |= SQLITE_OPEN_CREATE;
	if (sqlite3_open_v2(db->path, &db->sql, flags, NULL)) {
		if (!db->sql)
			return demon_err_set(err, DEMON_NOMEM, "cannot open '%s': out of memory",
					     db->path);
		return path_error(db, err);
	}
	if (db->role == DEMON_DB_WRITER && sqlite3_db_readonly(db->sql, "main") == 1)
		return demon_err_set(err, DEMON_READONLY, "'%s' cannot be written", db->path);
	return configure(db, err);
}

static enum demon_rc check_id(struct demon_db *db, struct demon_err *err)
{
	int id = 0;

	if (read_application_id(db->sql, &id))
		return path_error(db, err);
	if (id != DEMON_APPLICATION_ID)
		return demon_err_set(err, DEMON_CORRUPT, "'%s' is not a Demon database", db->path);
	return DEMON_OK;
}

enum demon_rc demon_db_open(const char *path, enum demon_db_role role, bool create,
			    struct demon_db **ret_db, struct demon_err *err)
{
	demon_cleanup(demon_db_close_p) struct demon_db *db = NULL;
	bool file = role != DEMON_DB_MEMORY;
	bool empty = true;
	bool known = false;
	enum demon_rc rc;

	if (file && (rc = look_at_path(path, role, create, &empty, err)))
		return rc;
	if (!empty && (rc = refuse_stranger(path, &known, err)))
		return rc;
	db = new_handle(file ? path : ":memory:", role);
	if (!db)
		return demon_err_set(err, DEMON_NOMEM, "cannot open '%s': out of memory",
				     file ? path : ":memory:");
	if ((rc = open_handle(db, create && role == DEMON_DB_WRITER, err)) ||
	    (!empty && !known && (rc = check_id(db, err)))) {
		if (rc == DEMON_READONLY && role == DEMON_DB_READER)
			rc = err->rc = DEMON_IO;
		return rc;
	}
	*ret_db = demon_take(db);
	return DEMON_OK;
}

void demon_db_close(struct demon_db *db)
{
	if (!db)
		return;
	demon_stmt_cache_free(db);
	if (sqlite3_close(db->sql) != SQLITE_OK)
		assert(false && "a statement or a backup outlives its connection");
	free(db);
}

void demon_db_close_p(struct demon_db **db)
{
	demon_db_close(*db);
}

void demon_db_poison(struct demon_db *db, const struct demon_err *err)
{
	if ((err->sys & 0xff) == SQLITE_IOERR)
		db->poisoned = true;
}

enum demon_rc demon_db_check_poison(const struct demon_db *db, struct demon_err *err)
{
	if (!db->poisoned)
		return DEMON_OK;
	return demon_err_set(err, DEMON_IO, "'%s': writing failed before; open it again", db->path);
}

static enum demon_rc checkpoint(struct demon_db *db, int mode, struct demon_err *err)
{
	int code;

	if (DEMON_FAULT(CHECKPOINT_BEFORE))
		return demon_err_set(err, DEMON_IO, "checkpoint of '%s': refused", db->path);
	code = sqlite3_wal_checkpoint_v2(db->sql, "main", mode, NULL, NULL);
	if (code && (code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED) {
		(void)path_error(db, err);
		demon_db_poison(db, err);
		return demon_err_wrap(err, "checkpoint");
	}
	if (DEMON_FAULT(CHECKPOINT_AFTER))
		return demon_err_set(err, DEMON_IO, "checkpoint of '%s': interrupted", db->path);
	return DEMON_OK;
}

enum demon_rc demon_db_checkpoint(struct demon_db *db, struct demon_err *err)
{
	enum demon_rc rc;

	if ((rc = demon_db_check_poison(db, err)))
		return rc;
	(void)sqlite3_busy_timeout(db->sql, 0);
	rc = checkpoint(db, SQLITE_CHECKPOINT_TRUNCATE, err);
	(void)sqlite3_busy_timeout(db->sql, BUSY_TIMEOUT_MS);
	return rc;
}

void demon_db_checkpoint_if_due(struct demon_db *db)
{
	struct demon_err err;

	if (db->wal_frames < db->checkpoint_at)
		return;
	db->checkpoint_at = db->wal_frames + DEMON_CHECKPOINT_RETRY;
	(void)checkpoint(db, SQLITE_CHECKPOINT_PASSIVE, &err);
}

void demon_db_lay(struct demon_db *db, const void *thing)
{
	db->laid = thing;
}

const void *demon_db_laid(const struct demon_db *db)
{
	return db->laid;
}

bool demon_db_autocommit(const struct demon_db *db)
{
	return sqlite3_get_autocommit(db->sql) != 0;
}

int64_t demon_db_changes(const struct demon_db *db)
{
	return sqlite3_changes64(db->sql);
}

int64_t demon_db_total_changes(const struct demon_db *db)
{
	return sqlite3_total_changes64(db->sql);
}

enum demon_rc demon_db_data_version(struct demon_db *db, int64_t *ret, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_data_version);
	bool row;
	enum demon_rc rc = demon_step(&q, &row, err);

	if (rc == DEMON_OK)
		*ret = demon_col_i64(&q, 0);
	return rc;
}

enum demon_rc demon_db_script(struct demon_db *db, const char *sql, struct demon_err *err)
{
	if (sqlite3_exec(db->sql, sql, NULL, NULL, NULL))
		return path_error(db, err);
	return DEMON_OK;
}

enum demon_rc demon_db_integrity(struct demon_db *db, bool quick, struct demon_err *err)
{
	DEMON_STMT(q, db, quick ? &sql_quick : &sql_integrity);
	const char *text;
	bool row;
	enum demon_rc rc = demon_step(&q, &row, err);

	if (rc)
		return demon_err_wrap(err, "'%s'", db->path);
	text = row ? demon_col_str(&q, 0) : NULL;
	if (!text || strcmp(text, "ok") != 0)
		return demon_err_set(err, DEMON_CORRUPT, "'%s' is damaged: %s", db->path,
				     text ? text : "the check gave no answer");
	return DEMON_OK;
}

const char *demon_db_library_version(void)
{
	return sqlite3_libversion();
}

int demon_db_library_number(void)
{
	return sqlite3_libversion_number();
}

bool demon_db_library_has_wal_reset_defect(int number)
{
	return number >= 3007000 && number < 3051003;
}
