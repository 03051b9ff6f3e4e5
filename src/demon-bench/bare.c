#include "bare.h"

#include "payload.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

struct bare {
	sqlite3 *db;
	sqlite3_stmt *begin;
	sqlite3_stmt *commit;
	sqlite3_stmt *event;
	sqlite3_stmt *step;
	sqlite3_stmt *query; /* the last one asked, by its text */
	const char *query_text;
	sqlite3_int64 seq;
	unsigned char hash[32];
};

static void must(struct bare *bare, int rc)
{
	if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
		return;
	(void)fprintf(stderr, "demon-bench: bare SQLite: %s\n", sqlite3_errmsg(bare->db));
	abort();
}

static sqlite3_stmt *prepare(struct bare *bare, const char *sql)
{
	sqlite3_stmt *stmt;

	must(bare, sqlite3_prepare_v3(bare->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL));
	return stmt;
}

static void run(struct bare *bare, sqlite3_stmt *stmt)
{
	must(bare, sqlite3_step(stmt));
	must(bare, sqlite3_reset(stmt));
}

struct bare *bare_open(const char *path)
{
	struct bare *bare = demon_calloc(1, sizeof(*bare));
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

	if (!bare)
		abort();
	must(bare, sqlite3_open_v2(path, &bare->db, flags, NULL));
	must(bare, sqlite3_exec(bare->db,
				"PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
				"PRAGMA wal_autocheckpoint = 4000;"
				"INSERT INTO log_chains VALUES (1, zeroblob(16), zeroblob(8), "
				"'ritual');"
				"INSERT INTO log_scopes VALUES (1, 's', 't', 'r', 'r', '', '', '', "
				"zeroblob(16));"
				"INSERT INTO log_types VALUES (1, 'step.started:v1');",
				NULL, NULL, NULL));
	bare->begin = prepare(bare, "BEGIN IMMEDIATE");
	bare->commit = prepare(bare, "COMMIT");
	bare->event = prepare(
	    bare, "INSERT INTO log_events (seq, chain_id, origin_seq, group_first, group_count, "
		  "scope_id, type_id, ts, clock, recorded_at, hash, payload) "
		  "VALUES (?, 1, ?, ?, 1, 1, 1, ?, ?, ?, ?, ?)");
	bare->step = prepare(
	    bare,
	    "INSERT INTO steps (tenant_id, run_id, run_origin, step_id, name, reference, "
	    "call, status, attempt, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'Running', ?, ?) "
	    "ON CONFLICT (tenant_id, run_id, run_origin, step_id) "
	    "DO UPDATE SET status = 'Running', attempt = excluded.attempt");
	return bare;
}

void bare_close(struct bare *bare)
{
	(void)sqlite3_finalize(bare->begin);
	(void)sqlite3_finalize(bare->commit);
	(void)sqlite3_finalize(bare->event);
	(void)sqlite3_finalize(bare->step);
	(void)sqlite3_finalize(bare->query);
	(void)sqlite3_close(bare->db);
	free(bare);
}

static void write_row(struct bare *bare)
{
	char payload[PAYLOAD_MAX];
	size_t len = payload_print(payload, ++bare->seq);
	sqlite3_stmt *s = bare->event;

	memcpy(bare->hash, &bare->seq, sizeof(bare->seq));
	for (int i = 1; i <= 3; i++)
		must(bare, sqlite3_bind_int64(s, i, bare->seq));
	for (int i = 4; i <= 6; i++)
		must(bare, sqlite3_bind_int64(s, i, PAYLOAD_TS + bare->seq));
	must(bare, sqlite3_bind_blob(s, 7, bare->hash, sizeof(bare->hash), SQLITE_STATIC));
	must(bare, sqlite3_bind_text(s, 8, payload, (int)len, SQLITE_STATIC));
	run(bare, s);
	s = bare->step;
	must(bare, sqlite3_bind_text(s, 1, "default", -1, SQLITE_STATIC));
	must(bare, sqlite3_bind_text(s, 2, PAYLOAD_RUN, -1, SQLITE_STATIC));
	must(bare, sqlite3_bind_zeroblob(s, 3, 16));
	must(bare, sqlite3_bind_int64(s, 4, bare->seq));
	must(bare, sqlite3_bind_text(s, 5, "Say", -1, SQLITE_STATIC));
	must(bare, sqlite3_bind_text(s, 6, "/states/0", -1, SQLITE_STATIC));
	must(bare, sqlite3_bind_text(s, 7, "echo", -1, SQLITE_STATIC));
	must(bare, sqlite3_bind_int64(s, 8, 1));
	must(bare, sqlite3_bind_int64(s, 9, PAYLOAD_TS));
	run(bare, s);
}

void bare_write(struct bare *bare, size_t rows)
{
	run(bare, bare->begin);
	for (size_t i = 0; i < rows; i++)
		write_row(bare);
	run(bare, bare->commit);
}

struct bare *bare_open_to_read(const char *path)
{
	struct bare *bare = demon_calloc(1, sizeof(*bare));

	if (!bare)
		abort();
	must(bare,
	     sqlite3_open_v2(path, &bare->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
	return bare;
}

void bare_query(struct bare *bare, const char *sql, const char *parameter)
{
	int rc;

	if (bare->query_text != sql) {
		(void)sqlite3_finalize(bare->query);
		bare->query = prepare(bare, sql);
		bare->query_text = sql;
	}
	must(bare, sqlite3_bind_text(bare->query, 1, parameter, -1, SQLITE_STATIC));
	while ((rc = sqlite3_step(bare->query)) == SQLITE_ROW)
		(void)sqlite3_column_text(bare->query, 0);
	must(bare, rc);
	must(bare, sqlite3_reset(bare->query));
}
