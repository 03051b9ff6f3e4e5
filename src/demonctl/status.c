/*
 * demonctl status.
 */
#include "base/bytes.h"
#include "base/json.h"
#include "command.h"
#include "domain/admin/freeze.h"
#include "domain/admin/peer.h"
#include "domain/ritual/run_counts.h"
#include "out.h"
#include "store/liveness.h"
#include "store/readers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

DEMON_SQL_SCAN(sql_mirror, "a row a chain, not an event; what waits is bounded",
	       "SELECT (SELECT coalesce(sum(o.acknowledged), 0) FROM local_outbox o), "
	       "(SELECT coalesce(sum(o.confirmed), 0) FROM local_outbox o), "
	       "(SELECT count(*) FROM local_inbox), (SELECT count(*) FROM local_quarantine)");

/* What one screen says. */
struct status {
	struct demon_node node;
	char origin[2 * DEMON_ORIGIN_LEN + 1];
	char epoch[2 * DEMON_EPOCH_LEN + 1];
	int64_t events;
	int64_t own;          /* written by this node */
	int64_t acknowledged; /* of those: the stream said yes */
	int64_t confirmed;    /* of those: read back from the stream */
	int64_t waiting;      /* came from others, and what they build on has not */
	int64_t quarantined;
	json_t *peers; /* owned: the other nodes */
	bool daemon;
	json_t *runs;    /* owned: status -> number */
	json_t *files;   /* owned: name -> bytes */
	json_t *freezes; /* owned: those that hold */
};

static enum demon_rc add_count(void *ctx, const char *status, int64_t count, struct demon_err *err)
{
	if (json_object_set_new(ctx, status, json_integer(count)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a count");
	return DEMON_OK;
}

/* The sequence of a head is the number of events in its chain. */
static enum demon_rc count_events(struct demon_store *store, struct status *st,
				  struct demon_err *err)
{
	static const struct demon_json_limits limits = {.max_bytes = 4096, .depth = 2};
	demon_auto_free char *lines = NULL;
	enum demon_rc rc = demon_heads(store, false, &lines, err);

	if (rc)
		return rc;
	for (const char *p = lines; *p;) {
		size_t n = strcspn(p, "\n");
		json_auto_t *head = NULL;
		const char *origin;
		int64_t sequence;

		if ((rc = demon_json_parse(p, n, &limits, &head, err)))
			return rc;
		sequence = json_integer_value(json_object_get(head, "sequence"));
		origin = json_string_value(json_object_get(head, "origin"));
		st->events += sequence;
		if (origin && strcmp(origin, st->origin) == 0)
			st->own += sequence;
		p += n + (p[n] == '\n');
	}
	return DEMON_OK;
}

static enum demon_rc add_freeze(void *ctx, const struct demon_register_row *row,
				struct demon_err *err)
{
	if (json_array_append_new(ctx, json_pack("{s:s,s:s*,s:o,s:s}", "by", row->by, "reason",
						 row->reason, "since", demon_out_time_json(row->ts),
						 "tenant", row->tenant)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a freeze");
	return DEMON_OK;
}

static enum demon_rc gather_freezes(struct demon_store *store, json_t *freezes,
				    struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	return demon_freeze_list(loan.db, add_freeze, freezes, err);
}

static void print_freezes(const json_t *freezes)
{
	const json_t *freeze;
	size_t i;

	json_array_foreach(demon_json_iterable(freezes), i, freeze)
	{
		const char *tenant = json_string_value(json_object_get(freeze, "tenant"));
		const char *reason = json_string_value(json_object_get(freeze, "reason"));
		bool node = strcmp(tenant, DEMON_TENANT_ALL) == 0;

		demon_out_field("FROZEN", "%s%s by %s since %s%s%s", node ? "the node" : "tenant ",
				node ? "" : tenant,
				json_string_value(json_object_get(freeze, "by")),
				json_string_value(json_object_get(freeze, "since")),
				reason ? ": " : "", reason ? reason : "");
	}
}

static enum demon_rc add_peer(void *ctx, const struct demon_peer_row *row, struct demon_err *err)
{
	struct status *st = ctx;
	char origin[2 * DEMON_ORIGIN_LEN + 1];

	if (memcmp(row->origin, st->node.origin, sizeof(row->origin)) == 0)
		return DEMON_OK;
	demon_hex(row->origin, sizeof(row->origin), origin);
	if (json_array_append_new(st->peers,
				  json_pack("{s:s,s:o,s:s,s:b}", "label", row->label, "lastSeen",
					    demon_out_time_json(row->last_seen), "origin", origin,
					    "trusted", row->trusted)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a peer");
	return DEMON_OK;
}

/* What the mirror has written down; it does so a second behind what it knows, at most. */
static enum demon_rc gather_mirror(struct demon_store *store, struct status *st,
				   struct demon_err *err)
{
	DEMON_READ(loan);
	bool row;
	enum demon_rc rc = demon_store_borrow(store, &loan, err);

	if (rc)
		return rc;
	DEMON_STMT(q, loan.db, &sql_mirror);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	st->acknowledged = demon_col_i64(&q, 0);
	st->confirmed = demon_col_i64(&q, 1);
	st->waiting = demon_col_i64(&q, 2);
	st->quarantined = demon_col_i64(&q, 3);
	return demon_peer_list(loan.db, add_peer, st, err);
}

static void measure(const char *db, const char *suffix, json_t *files, const char *name)
{
	DEMON_BUF(path, 0);
	struct stat st;

	demon_buf_fmt(&path, "%s%s", db, suffix);
	if (stat(path.data, &st) == 0)
		(void)json_object_set_new(files, name, json_integer((json_int_t)st.st_size));
}

static enum demon_rc gather(struct demon_ctl *ctl, struct status *st, struct demon_err *err)
{
	const char *db = ctl->settings.db.value;
	enum demon_rc rc;

	if (!st->runs || !st->files || !st->freezes || !st->peers)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the status");
	demon_node_get(ctl->store, &st->node);
	demon_hex(st->node.origin, sizeof(st->node.origin), st->origin);
	demon_hex(st->node.epoch, sizeof(st->node.epoch), st->epoch);
	st->daemon = demon_store_claimed_elsewhere(ctl->store, 0);
	measure(db, "", st->files, "database");
	measure(db, "-wal", st->files, "wal");
	if ((rc = count_events(ctl->store, st, err)) || (rc = gather_mirror(ctl->store, st, err)) ||
	    (rc = gather_freezes(ctl->store, st->freezes, err)))
		return rc;
	return demon_run_counts(ctl->store, ctl->settings.tenant.value, add_count, st->runs, err);
}

static enum demon_rc print(const struct demon_ctl *ctl, const struct status *st,
			   struct demon_err *err)
{
	const struct demon_settings *s = &ctl->settings;
	const json_t *value;
	const char *key;

	if (s->json)
		return demon_out_json(
		    s,
		    json_pack(
			"{s:I,s:I,s:b,s:s,s:s,s:I,s:O,s:O,s:s,s:s,s:O,s:I,s:I,s:O,s:s,s:s,s:I}",
			"acknowledged", (json_int_t)st->acknowledged, "confirmed",
			(json_int_t)st->confirmed, "daemon", st->daemon, "database", s->db.value,
			"epoch", st->epoch, "events", (json_int_t)st->events, "files", st->files,
			"freezes", st->freezes, "nodeId", st->node.label, "origin", st->origin,
			"peers", st->peers, "pending", (json_int_t)(st->own - st->acknowledged),
			"quarantined", (json_int_t)st->quarantined, "runs", st->runs, "tenantId",
			s->tenant.value, "version", DEMON_VERSION, "waiting",
			(json_int_t)st->waiting),
		    err);
	print_freezes(st->freezes);
	demon_out_field("node", "%s", st->node.label);
	demon_out_field("origin", "%s", st->origin);
	demon_out_field("epoch", "%s", st->epoch);
	demon_out_field("database", "%s", s->db.value);
	json_object_foreach(st->files, key, value) demon_out_field(
	    "", "%s %" JSON_INTEGER_FORMAT " bytes", key, json_integer_value(value));
	demon_out_field("daemon", st->daemon ? "running" : "not running");
	demon_out_field("events", "%" PRId64, st->events);
	demon_out_field("mirror",
			"%" PRId64 " own events pending, %" PRId64 " acknowledged, %" PRId64
			" confirmed",
			st->own - st->acknowledged, st->acknowledged, st->confirmed);
	if (json_array_size(st->peers) || st->waiting || st->quarantined)
		demon_out_field("",
				"%zu other nodes; %" PRId64 " events of theirs wait, %" PRId64
				" messages are in quarantine",
				json_array_size(st->peers), st->waiting, st->quarantined);
	demon_out_field("runs", "of tenant %s%s", s->tenant.value,
			json_object_size(st->runs) ? "" : ": none");
	json_object_foreach(st->runs, key, value)
	    demon_out_field("", "%s %" JSON_INTEGER_FORMAT, key, json_integer_value(value));
	return DEMON_OK;
}

enum demon_rc demon_command_status(struct demon_ctl *ctl, struct demon_err *err)
{
	struct status st = {.runs = json_object(),
			    .files = json_object(),
			    .freezes = json_array(),
			    .peers = json_array()};
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) == DEMON_OK &&
	    (rc = gather(ctl, &st, err)) == DEMON_OK)
		rc = print(ctl, &st, err);
	json_decref(st.runs);
	json_decref(st.files);
	json_decref(st.freezes);
	json_decref(st.peers);
	return rc;
}
