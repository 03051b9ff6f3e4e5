#include "migrate.h"

#include "base/fault.h"
#include "handle.h"
#include "txn.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LOCK_TIMEOUT_MS 10000

DEMON_SQL(sql_application_id, "PRAGMA application_id");
DEMON_SQL(sql_user_version, "PRAGMA user_version");
DEMON_SQL(sql_journal_mode, "PRAGMA journal_mode");
DEMON_SQL(sql_to_wal, "PRAGMA journal_mode = WAL");
DEMON_SQL_SCAN(sql_objects, "the whole schema is what is digested",
	       "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*'"
	       " ORDER BY type, name");
DEMON_SQL_SCAN(sql_recorded, "one row a migration, all of them compared",
	       "SELECT version, name, checksum, schema_digest FROM schema_migrations"
	       " ORDER BY version");
DEMON_SQL(sql_record, "INSERT INTO schema_migrations"
		      " (version, name, checksum, schema_digest, applied_at)"
		      " VALUES (:version, :name, :checksum, :digest, :at)");

static const char create_record[] =
    "CREATE TABLE schema_migrations (\n"
    "\tversion INTEGER PRIMARY KEY,\n"
    "\tname TEXT NOT NULL,\n"
    "\tchecksum BLOB NOT NULL, -- SHA-256 of the migration's text\n"
    "\tschema_digest BLOB NOT NULL, -- of the schema that it left behind\n"
    "\tapplied_at INTEGER NOT NULL -- ms since the Unix epoch\n"
    ") STRICT;";

/* Where a database stands. */
struct standing {
	int64_t version; /* of the last migration, 0: none */
	bool fresh;      /* nothing in it yet, not even our id */
	bool wal;        /* or it cannot have one, being in memory */
};

static int64_t known_version(void)
{
	int64_t n = 0;

	while (demon_migrations[n].name)
		n++;
	return n;
}

/* The files are numbered from 1 without a gap: a mistake there is ours. */
static void assert_number(int64_t version)
{
	char *end;

	assert(strtol(demon_migrations[version - 1].name, &end, 10) == version && *end == '_');
}

static enum demon_rc read_one(struct demon_db *db, const struct demon_sql *sql, int64_t *ret,
			      struct demon_err *err)
{
	DEMON_STMT(q, db, sql);
	bool row;
	enum demon_rc rc = demon_step(&q, &row, err);

	if (rc == DEMON_OK)
		*ret = demon_col_i64(&q, 0);
	return rc;
}

static void add_field(struct demon_sha256 *sha, const char *text)
{
	/* the NUL behind each field keeps them apart: SQL text cannot hold one */
	if (text)
		demon_sha256_add(sha, text, strlen(text));
	demon_sha256_add(sha, "", 1);
}

static enum demon_rc digest_objects(struct demon_db *db, struct demon_sha256 *sha,
				    int64_t *ret_count, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_objects);
	bool row;
	enum demon_rc rc;

	*ret_count = 0;
	while ((rc = demon_step(&q, &row, err)) == DEMON_OK && row) {
		for (int col = 0; col < 4; col++)
			add_field(sha, demon_col_str(&q, col));
		(*ret_count)++;
	}
	return rc;
}

static enum demon_rc digest_schema(struct demon_db *db, unsigned char out[DEMON_HASH_LEN],
				   int64_t *ret_count, struct demon_err *err)
{
	struct demon_sha256 *sha = demon_sha256_new();
	enum demon_rc rc;

	if (!sha)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a digest");
	demon_sha256_begin(sha);
	rc = digest_objects(db, sha, ret_count, err);
	demon_sha256_end(sha, out);
	demon_sha256_free(sha);
	return rc;
}

enum demon_rc demon_schema_digest(struct demon_db *db, unsigned char out[DEMON_HASH_LEN],
				  struct demon_err *err)
{
	int64_t count;

	return digest_schema(db, out, &count, err);
}

static bool is_blob(const struct demon_stmt *q, int col, const unsigned char *hash)
{
	return demon_col_len(q, col) == DEMON_HASH_LEN &&
	       memcmp(demon_col_blob(q, col), hash, DEMON_HASH_LEN) == 0;
}

static enum demon_rc compare_recorded(const struct demon_stmt *q, int64_t version,
				      const unsigned char *digest, struct demon_err *err)
{
	const struct demon_embedded *m = &demon_migrations[version - 1];
	unsigned char checksum[DEMON_HASH_LEN];
	enum demon_rc rc = demon_sha256(m->text, m->len, checksum, err);

	if (rc)
		return rc;
	if (!is_blob(q, 2, checksum))
		return demon_err_set(err, DEMON_CORRUPT,
				     "migration %lld was applied from another text than '%s'",
				     (long long)version, m->name);
	if (digest && !is_blob(q, 3, digest))
		return demon_err_set(err, DEMON_CORRUPT,
				     "the schema is not the one that migration '%s' left", m->name);
	return DEMON_OK;
}

/* Every recorded migration against the compiled-in one, and the schema against the last record. */
static enum demon_rc check_recorded(struct demon_db *db, int64_t version,
				    const unsigned char *digest, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_recorded);
	int64_t expected = 1;
	bool row;
	enum demon_rc rc;

	while ((rc = demon_step(&q, &row, err)) == DEMON_OK && row) {
		if (demon_col_i64(&q, 0) != expected || expected > version)
			break;
		rc = compare_recorded(&q, expected, expected == version ? digest : NULL, err);
		if (rc)
			return rc;
		expected++;
	}
	if (rc == DEMON_INTERNAL) /* the table itself has been altered */
		rc = err->rc = DEMON_CORRUPT;
	if (rc)
		return rc;
	if (row || expected != version + 1)
		return demon_err_set(err, DEMON_CORRUPT,
				     "the recorded migrations do not add up to version %lld",
				     (long long)version);
	return DEMON_OK;
}

static enum demon_rc read_wal(struct demon_db *db, const struct demon_sql *sql, bool *ret_wal,
			      struct demon_err *err)
{
	DEMON_STMT(q, db, sql);
	const char *mode;
	bool row;
	enum demon_rc rc = demon_step(&q, &row, err);

	if (rc)
		return rc;
	mode = demon_col_str(&q, 0);
	*ret_wal = db->role == DEMON_DB_MEMORY || (mode && strcmp(mode, "wal") == 0);
	return DEMON_OK;
}

/* Within a transaction of the caller's. */
static enum demon_rc look_inside(struct demon_db *db, struct standing *st, struct demon_err *err)
{
	unsigned char digest[DEMON_HASH_LEN];
	int64_t id = 0;
	int64_t objects = 0;
	enum demon_rc rc;

	*st = (struct standing){.version = 0};
	if ((rc = read_one(db, &sql_user_version, &st->version, err)) ||
	    (rc = read_one(db, &sql_application_id, &id, err)))
		return rc;
	if (st->version > known_version())
		return demon_err_set(err, DEMON_NEWER,
				     "the schema has version %lld, this program knows %lld",
				     (long long)st->version, (long long)known_version());
	if ((rc = digest_schema(db, digest, &objects, err)) ||
	    (rc = read_wal(db, &sql_journal_mode, &st->wal, err)))
		return rc;
	if (st->version == 0) {
		st->fresh = objects == 0 && (id == 0 || id == DEMON_APPLICATION_ID);
		return st->fresh ? DEMON_OK
				 : demon_err_set(err, DEMON_CORRUPT,
						 "there are tables but no version of a schema");
	}
	if (id != DEMON_APPLICATION_ID)
		return demon_err_set(err, DEMON_CORRUPT, "it is not a Demon database");
	return check_recorded(db, st->version, digest, err);
}

static enum demon_rc record(struct demon_db *db, int64_t version, demon_time now,
			    struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_record);
	const struct demon_embedded *m = &demon_migrations[version - 1];
	unsigned char checksum[DEMON_HASH_LEN];
	unsigned char digest[DEMON_HASH_LEN];
	enum demon_rc rc;

	if ((rc = demon_sha256(m->text, m->len, checksum, err)) ||
	    (rc = demon_schema_digest(db, digest, err)))
		return rc;
	demon_bind_i64(&q, ":version", version);
	demon_bind_str(&q, ":name", m->name);
	demon_bind_blob(&q, ":checksum", checksum, sizeof(checksum));
	demon_bind_blob(&q, ":digest", digest, sizeof(digest));
	demon_bind_i64(&q, ":at", now);
	return demon_exec(&q, err);
}

static enum demon_rc apply_one(struct demon_db *db, int64_t version, demon_time now,
			       struct demon_err *err)
{
	char set_version[64];

	assert_number(version);
	(void)snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %lld",
		       (long long)version);
	if (demon_db_script(db, demon_migrations[version - 1].text, err) ||
	    record(db, version, now, err) || demon_db_script(db, set_version, err))
		return demon_err_wrap(err, "migration '%s'", demon_migrations[version - 1].name);
	if (DEMON_FAULT(MIGRATE_STEP))
		return demon_err_set(err, DEMON_IO, "a migration was refused");
	return DEMON_OK;
}

/* Applies what lies between @p st and version @p last, within a transaction of the caller's. */
static enum demon_rc apply(struct demon_db *db, const struct standing *st, int64_t last,
			   demon_time now, struct demon_err *err)
{
	char set_id[64];
	enum demon_rc rc = DEMON_OK;

	(void)snprintf(set_id, sizeof(set_id), "PRAGMA application_id = %d", DEMON_APPLICATION_ID);
	if (st->fresh && ((rc = demon_db_script(db, set_id, err)) ||
			  (rc = demon_db_script(db, create_record, err))))
		return rc;
	for (int64_t v = st->version + 1; rc == DEMON_OK && v <= last; v++)
		rc = apply_one(db, v, now, err);
	return rc;
}

static enum demon_rc migrate_inside(struct demon_db *db, const struct demon_lock *lock,
				    demon_time now, struct demon_err *err)
{
	DEMON_TXN(tx);
	struct standing st;
	enum demon_rc rc;

	/* another process may have done it while this one waited for the lock */
	if ((rc = demon_txn_begin(&tx, db, lock, err)) || (rc = look_inside(db, &st, err)))
		return rc;
	if (st.version == known_version())
		return DEMON_OK;
	if ((rc = apply(db, &st, known_version(), now, err)))
		return rc;
	if (DEMON_FAULT(MIGRATE_COMMIT))
		return demon_err_set(err, DEMON_IO, "the migrations were refused");
	if ((rc = demon_txn_commit(&tx, err)))
		return rc;
	return DEMON_FAULT(MIGRATE_DONE)
		   ? demon_err_set(err, DEMON_IO, "the migrations were interrupted")
		   : DEMON_OK;
}

/* A rollback journal until the first migration is in, so that the file is born with its id in
 * page 1; only then a WAL. */
static enum demon_rc switch_to_wal(struct demon_db *db, struct demon_err *err)
{
	bool wal = false;
	enum demon_rc rc = read_wal(db, &sql_to_wal, &wal, err);

	if (rc == DEMON_OK && !wal)
		return demon_err_set(err, DEMON_IO, "its file system cannot hold a WAL");
	return rc;
}

/* A memory database with the schema that the first @p version migrations yield. */
static enum demon_rc make_expected(int64_t version, struct demon_db **ret_db, struct demon_err *err)
{
	demon_cleanup(demon_db_close_p) struct demon_db *db = NULL;
	struct standing fresh = {.fresh = true};
	enum demon_rc rc;

	if ((rc = demon_db_open(NULL, DEMON_DB_MEMORY, true, &db, err)) ||
	    (version > 0 && (rc = apply(db, &fresh, version, 0, err))))
		return rc;
	*ret_db = demon_take(db);
	return DEMON_OK;
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static enum demon_rc object_error(const struct demon_stmt *q, const char *what,
				  struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "the schema was altered: %s '%s' %s",
			     demon_col_str(q, 0), demon_col_str(q, 1), what);
}

/* Both lists are in the order of (type, name): the first place where they part tells. */
static enum demon_rc compare_schemas(struct demon_db *db, struct demon_db *expected,
				     struct demon_err *err)
{
	DEMON_STMT(is, db, &sql_objects);
	DEMON_STMT(should, expected, &sql_objects);
	enum demon_rc rc;

	for (;;) {
		bool have;
		bool want;
		int order;

		if ((rc = demon_step(&is, &have, err)) || (rc = demon_step(&should, &want, err)))
			return rc;
		if (!have && !want)
			return DEMON_OK;
		if (!have)
			return object_error(&should, "is missing", err);
		if (!want)
			return object_error(&is, "is not ours", err);
		order = compare_text(demon_col_str(&is, 0), demon_col_str(&should, 0));
		if (!order)
			order = compare_text(demon_col_str(&is, 1), demon_col_str(&should, 1));
		if (order > 0)
			return object_error(&should, "is missing", err);
		if (order < 0)
			return object_error(&is, "is not ours", err);
		if (compare_text(demon_col_str(&is, 2), demon_col_str(&should, 2)) ||
		    compare_text(demon_col_str(&is, 3), demon_col_str(&should, 3)))
			return object_error(&is, "is not as it was made", err);
	}
}

enum demon_rc demon_schema_verify(struct demon_db *db, struct demon_err *err)
{
	demon_cleanup(demon_db_close_p) struct demon_db *expected = NULL;
	int64_t version = 0;
	enum demon_rc rc;

	if ((rc = read_one(db, &sql_user_version, &version, err)))
		return rc;
	if (version < 0 || version > known_version())
		return demon_err_set(err, DEMON_NEWER,
				     "the schema has version %lld, this program knows %lld",
				     (long long)version, (long long)known_version());
	if (make_expected(version, &expected, err) || compare_schemas(db, expected, err))
		return demon_err_wrap(err, "'%s'", db->path);
	return DEMON_OK;
}

static enum demon_rc look(struct demon_db *db, struct standing *st, struct demon_err *err)
{
	DEMON_TXN(tx);
	struct demon_err detail;
	enum demon_rc rc;

	*st = (struct standing){.version = 0};
	if ((rc = demon_txn_read(&tx, db, err)) == DEMON_OK)
		rc = look_inside(db, st, err);
	if (rc == DEMON_OK)
		return DEMON_OK;
	/* a digest says that something differs, the comparison says what */
	if (rc == DEMON_CORRUPT && st->version > 0 &&
	    demon_schema_verify(db, &detail) == DEMON_CORRUPT) {
		*err = detail;
		return rc;
	}
	return demon_err_wrap(err, "'%s'", db->path);
}

enum demon_rc demon_migrate(struct demon_db *db, struct demon_lock *lock,
			    const struct demon_env *env, struct demon_err *err)
{
	struct standing st;
	enum demon_rc rc = look(db, &st, err);

	assert(db->role != DEMON_DB_READER);
	if (rc || (st.version == known_version() && st.wal))
		return rc;
	if (lock && (rc = demon_lock_write(lock, LOCK_TIMEOUT_MS, err)))
		return rc;
	rc = migrate_inside(db, lock, env->now(env->ctx), err);
	if (rc == DEMON_OK)
		rc = switch_to_wal(db, err);
	if (lock)
		demon_lock_write_release(lock);
	return rc ? demon_err_wrap(err, "'%s'", db->path) : DEMON_OK;
}

enum demon_rc demon_migrate_check(struct demon_db *db, struct demon_err *err)
{
	struct standing st;
	enum demon_rc rc = look(db, &st, err);

	if (rc == DEMON_OK && st.version < known_version())
		return demon_err_set(err, DEMON_UNAVAIL,
				     "'%s': the schema has version %lld, this program needs %lld",
				     db->path, (long long)st.version, (long long)known_version());
	return rc;
}
