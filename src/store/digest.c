#include "digest.h"

#include "base/json.h"
#include "db/txn.h"
#include "handle.h"
#include "readers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FIRST_LINE "demon-digest 5\n"

/* The last event of each chain, in the order of the digest's lines. */
DEMON_SQL_SCAN(sql_heads, "log_chains has a row a chain, not an event",
	       "SELECT c.origin, c.epoch, c.stream, e.origin_seq, e.hash FROM log_chains c "
	       "JOIN log_events e ON e.chain_id = c.id AND e.origin_seq = "
	       "(SELECT max(x.origin_seq) FROM log_events x WHERE x.chain_id = c.id) "
	       "ORDER BY c.origin, c.epoch, c.stream");
DEMON_SQL_SCAN(sql_count, "counts the log", "SELECT count(*) FROM log_events");

/* One row as a canonical JSON array. */
static void add_row(const struct demon_stmt *q, struct demon_buf *out)
{
	int n = demon_col_count(q);

	demon_buf_char(out, '[');
	for (int i = 0; i < n; i++) {
		if (i)
			demon_buf_char(out, ',');
		switch (demon_col_kind(q, i)) {
		case DEMON_COL_NULL:
			demon_buf_str(out, "null");
			break;
		case DEMON_COL_INTEGER:
			demon_buf_i64(out, demon_col_i64(q, i));
			break;
		case DEMON_COL_TEXT:
			demon_json_string(out, demon_col_str(q, i), demon_col_len(q, i));
			break;
		case DEMON_COL_BLOB:
			demon_buf_char(out, '"');
			demon_buf_hex(out, demon_col_blob(q, i), demon_col_len(q, i));
			demon_buf_char(out, '"');
			break;
		}
	}
	demon_buf_str(out, "]\n");
}

enum demon_rc demon_digest_table(struct demon_db *db, const struct demon_projection_table *table,
				 struct demon_table_digest *ret, struct demon_err *err)
{
	DEMON_STMT(q, db, table->rows);
	DEMON_BUF(line, 0);
	struct demon_sha256 *sha = demon_sha256_new();
	bool row = true;
	enum demon_rc rc = DEMON_OK;

	if (!sha)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a digest");
	demon_sha256_begin(sha);
	*ret = (struct demon_table_digest){0};
	while (!(rc = demon_step(&q, &row, err)) && row) {
		demon_buf_clear(&line);
		add_row(&q, &line);
		if ((rc = demon_buf_rc(&line, err)))
			break;
		demon_sha256_add(sha, line.data, line.len);
		ret->rows++;
	}
	demon_sha256_end(sha, ret->hash);
	demon_sha256_free(sha);
	return rc;
}

enum demon_rc demon_digest_heads(struct demon_db *db, struct demon_buf *out, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_heads);
	bool row;
	enum demon_rc rc;

	while (!(rc = demon_step(&q, &row, err)) && row) {
		demon_buf_str(out, "head ");
		demon_buf_hex(out, demon_col_blob(&q, 0), demon_col_len(&q, 0));
		demon_buf_char(out, ' ');
		demon_buf_hex(out, demon_col_blob(&q, 1), demon_col_len(&q, 1));
		demon_buf_fmt(out, " %s %" PRId64 " ", demon_col_str(&q, 2), demon_col_i64(&q, 3));
		demon_buf_hex(out, demon_col_blob(&q, 4), demon_col_len(&q, 4));
		demon_buf_char(out, '\n');
	}
	return rc ? rc : demon_buf_rc(out, err);
}

/* A "table" line of the digest. */
struct table_line {
	const char *name;
	struct demon_table_digest digest;
};

#define TABLES_MAX 64

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct table_line *)a)->name, ((const struct table_line *)b)->name);
}

static enum demon_rc digest_tables(struct demon_store *store, struct demon_db *db,
				   struct table_line *lines, size_t *ret_count,
				   struct demon_err *err)
{
	size_t n = 0;
	enum demon_rc rc;

	for (const struct demon_projection *const *p = store->projections; p && *p; p++) {
		for (const struct demon_projection_table *t = (*p)->tables; t->name; t++) {
			if (!t->rows)
				continue;
			if (n == TABLES_MAX)
				return demon_err_set(err, DEMON_INTERNAL, "too many projections");
			lines[n].name = t->name;
			if ((rc = demon_digest_table(db, t, &lines[n++].digest, err)))
				return rc;
		}
	}
	qsort(lines, n, sizeof(*lines), by_name);
	*ret_count = n;
	return DEMON_OK;
}

static enum demon_rc count_events(struct demon_db *db, int64_t *ret, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_count);
	bool row;
	enum demon_rc rc = demon_step(&q, &row, err);

	if (!rc)
		*ret = demon_col_i64(&q, 0);
	return rc;
}

/* Copies the word at *at to @p out and moves *at behind it and what separates it from the next. */
static void take_word(const char **at, char *out, size_t size)
{
	size_t n = strcspn(*at, " \n");

	(void)snprintf(out, size, "%.*s", (int)n, *at);
	*at += n + 1;
}

/* "origin/epoch/stream": {"hash":…,"sequence":…} from each head line */
static void write_heads(struct demon_jw *w, const char *lines)
{
	struct demon_jw heads = demon_jw_object(w, "heads");
	char names[2][66 * 3]; /* a key is borrowed until the next one is written */

	for (unsigned turn = 0; *lines; turn ^= 1) {
		char words[6][66]; /* head, origin, epoch, stream, sequence, hash */
		char *name = names[turn];
		struct demon_jw head;

		for (size_t i = 0; i < 6; i++)
			take_word(&lines, words[i], sizeof(words[i]));
		(void)snprintf(name, sizeof(names[0]), "%s/%s/%s", words[1], words[2], words[3]);
		head = demon_jw_object(&heads, name);
		demon_jw_str(&head, "hash", words[5]);
		demon_jw_i64(&head, "sequence", strtoll(words[4], NULL, 10));
		demon_jw_end(&head);
	}
	demon_jw_end(&heads);
}

static void write_tables(struct demon_jw *w, const struct table_line *lines, size_t count)
{
	struct demon_jw tables = demon_jw_object(w, "tables");
	char hash[2 * DEMON_HASH_LEN + 1];

	for (size_t i = 0; i < count; i++) {
		struct demon_jw table = demon_jw_object(&tables, lines[i].name);

		demon_hex(lines[i].digest.hash, DEMON_HASH_LEN, hash);
		demon_jw_str(&table, "hash", hash);
		demon_jw_i64(&table, "rows", lines[i].digest.rows);
		demon_jw_end(&table);
	}
	demon_jw_end(&tables);
}

static enum demon_rc hash_all(const char *heads, const struct table_line *lines, size_t count,
			      char out[2 * DEMON_HASH_LEN + 1], struct demon_err *err)
{
	DEMON_BUF(text, 0);
	unsigned char hash[DEMON_HASH_LEN];
	enum demon_rc rc;

	demon_buf_str(&text, FIRST_LINE);
	demon_buf_str(&text, heads);
	for (size_t i = 0; i < count; i++) {
		demon_buf_fmt(&text, "table %s %" PRId64 " ", lines[i].name, lines[i].digest.rows);
		demon_buf_hex(&text, lines[i].digest.hash, DEMON_HASH_LEN);
		demon_buf_char(&text, '\n');
	}
	if ((rc = demon_buf_rc(&text, err)) || (rc = demon_sha256(text.data, text.len, hash, err)))
		return rc;
	demon_hex(hash, sizeof(hash), out);
	return DEMON_OK;
}

enum demon_rc demon_digest_state(struct demon_store *store, struct demon_db *db,
				 struct demon_buf *out, struct demon_err *err)
{
	DEMON_BUF(heads, 0);
	struct table_line lines[TABLES_MAX];
	char digest[2 * DEMON_HASH_LEN + 1];
	char origin[2 * DEMON_ORIGIN_LEN + 1];
	char epoch[2 * DEMON_EPOCH_LEN + 1];
	struct demon_node node;
	size_t count = 0;
	int64_t events;
	enum demon_rc rc;

	if ((rc = demon_digest_heads(db, &heads, err)) ||
	    (rc = digest_tables(store, db, lines, &count, err)) ||
	    (rc = count_events(db, &events, err)) ||
	    (rc = hash_all(heads.data, lines, count, digest, err)))
		return rc;
	demon_node_get(store, &node);
	demon_hex(node.origin, sizeof(node.origin), origin);
	demon_hex(node.epoch, sizeof(node.epoch), epoch);
	struct demon_jw w = demon_jw_begin(out);
	demon_jw_str(&w, "digest", digest);
	demon_jw_str(&w, "epoch", epoch);
	demon_jw_i64(&w, "events", events);
	write_heads(&w, heads.data);
	demon_jw_str(&w, "nodeId", node.label);
	demon_jw_str(&w, "origin", origin);
	write_tables(&w, lines, count);
	demon_jw_end(&w);
	return demon_buf_rc(out, err);
}

enum demon_rc demon_digest(struct demon_store *store, char **ret_json, struct demon_err *err)
{
	DEMON_READ(loan);
	DEMON_BUF(out, 0);
	enum demon_rc rc;

	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_TXN(tx);
	if ((rc = demon_txn_read(&tx, loan.db, err)) ||
	    (rc = demon_digest_state(store, loan.db, &out, err)))
		return rc;
	*ret_json = demon_buf_take(&out);
	return *ret_json ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory for the digest");
}
