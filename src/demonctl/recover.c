/*
 * demonctl recover: a database from the streams alone.
 */
#include "base/json.h"
#include "base/json_member.h"
#include "line.h"
#include "out.h"
#include "recovery_commands.h"
#include "replica/replica.h"
#include "store/readers.h"
#include "store/store.h"
#include "store/subject.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define SILENCE_MS ((int64_t)30000) /* without a link, or a message, before it is given up */
#define ROUND_MS   ((int64_t)500)
#define TELL_MS    ((int64_t)2000)

DEMON_SQL_SCAN(
    sql_left, "bounded tables",
    "SELECT (SELECT count(*) FROM local_inbox), (SELECT count(*) FROM local_quarantine)");

struct recovery {
	const struct demon_settings *settings;
	const char *to;
	struct demon_line line;
	struct demon_store *store;
	struct demon_replica *replica;
	int64_t messages;
	int64_t events;
	int64_t waiting;
	int64_t quarantined;
	struct demon_verified verified;
};

/* What is there, before a file is made for it. */
static enum demon_rc look(struct recovery *r, struct demon_err *err)
{
	const struct demon_transport *t = &r->line.transport;

	for (unsigned i = 0; i < DEMON_STREAM_COUNT; i++) {
		struct demon_stream_state state;
		enum demon_rc rc = t->ops->state(t->ctx, (enum demon_stream)i, &state, err);

		if (rc)
			return rc;
		r->messages += (int64_t)state.messages;
		if (state.messages && state.first > 1)
			demon_out_note(r->settings,
				       "the stream of %s events begins at %" PRIu64
				       ": what stood before is not in it",
				       demon_stream_name((enum demon_stream)i), state.first);
	}
	if (!r->messages)
		return demon_err_set(err, DEMON_NOTFOUND, "the streams hold no message");
	return DEMON_OK;
}

/* Reads up to where the streams ended when the link came up. */
static enum demon_rc take_in(struct recovery *r, struct demon_err *err)
{
	const struct demon_env *env = demon_env_real();
	demon_ticks heard = env->mono(env->ctx);
	demon_ticks told = heard;

	while (!demon_replica_caught_up(r->replica)) {
		int64_t events;
		enum demon_rc rc = demon_replica_in(r->replica, ROUND_MS, &events, err);
		demon_ticks now = env->mono(env->ctx);

		if (rc && rc != DEMON_UNAVAIL)
			return rc;
		r->events += events;
		if (events)
			heard = now;
		if (now - heard > SILENCE_MS * 1000)
			return rc ? rc
				  : demon_err_set(err, DEMON_UNAVAIL,
						  "nothing new came for %" PRId64 " s",
						  SILENCE_MS / 1000);
		if (now - told > TELL_MS * 1000) {
			demon_out_note(r->settings, "%" PRId64 " events taken in", r->events);
			told = now;
		}
	}
	return DEMON_OK;
}

static enum demon_rc count_left(struct recovery *r, struct demon_err *err)
{
	DEMON_READ(loan);
	bool row;
	enum demon_rc rc = demon_store_borrow(r->store, &loan, err);

	if (rc)
		return rc;
	DEMON_STMT(q, loan.db, &sql_left);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	r->waiting = demon_col_i64(&q, 0);
	r->quarantined = demon_col_i64(&q, 1);
	return DEMON_OK;
}

static enum demon_rc fill(struct recovery *r, struct demon_err *err)
{
	const struct demon_options options = {.create = true};
	struct demon_replica_options replica = {.transport = &r->line.transport};
	enum demon_rc rc = demon_open(r->to, &options, &r->store, err);

	if (rc)
		return rc;
	replica.store = r->store;
	if ((rc = demon_replica_open(&replica, &r->replica, err)) || (rc = take_in(r, err)))
		return rc;
	demon_replica_close(r->replica);
	r->replica = NULL;
	if ((rc = demon_verify(r->store, &r->verified, err)))
		return rc;
	return count_left(r, err);
}

static enum demon_rc print(const struct recovery *r, struct demon_err *err)
{
	demon_auto_free char *json = NULL;
	struct demon_json_span digest;
	enum demon_rc rc = demon_digest(r->store, &json, err);

	if (rc)
		return rc;
	digest = demon_json_span_plain(demon_json_member(json, strlen(json), "digest"));
	if (r->settings->json)
		return demon_out_json(
		    r->settings,
		    json_pack("{s:s,s:s%,s:I,s:I,s:I,s:I}", "database", r->to, "digest", digest.at,
			      digest.len, "events", (json_int_t)r->verified.events, "messages",
			      (json_int_t)r->messages, "quarantined", (json_int_t)r->quarantined,
			      "waiting", (json_int_t)r->waiting),
		    err);
	demon_out_field("database", "%s", r->to);
	demon_out_field("recovered",
			"%" PRId64 " events in %" PRId64 " chains, from %" PRId64 " messages",
			r->verified.events, r->verified.chains, r->messages);
	demon_out_field("digest", "%.*s", (int)digest.len, digest.at);
	if (r->waiting)
		demon_out_field("waiting", "%" PRId64 " events, for what is not in the streams",
				r->waiting);
	if (r->quarantined)
		demon_out_field("quarantined", "%" PRId64 " messages", r->quarantined);
	return DEMON_OK;
}

static enum demon_rc check(struct demon_ctl *ctl, struct recovery *r, struct demon_err *err)
{
	r->to = demon_args_get(&ctl->args, "to");
	if (!demon_args_has(&ctl->args, "from-jetstream"))
		return demon_err_set(err, DEMON_USAGE, "say from where: --from-jetstream");
	if (!r->to)
		return demon_err_set(err, DEMON_USAGE, "say what to make: --to DB");
	if (ctl->settings.token.value)
		return demon_err_set(err, DEMON_DENIED, "nobody makes a database with a token");
	if (access(r->to, F_OK) == 0) {
		demon_ctl_hint(ctl, "a database that fell behind catches up by itself: start "
				    "demond on it with --nats-url");
		return demon_err_set(err, DEMON_EXISTS, "'%s' exists", r->to);
	}
	return DEMON_OK;
}

enum demon_rc demon_command_recover(struct demon_ctl *ctl, struct demon_err *err)
{
	struct recovery r = {.settings = &ctl->settings};
	enum demon_rc rc = check(ctl, &r, err);

	if (rc)
		return rc;
	if (!(rc = demon_line_open(&r.line, &ctl->settings, err)) && !(rc = look(&r, err))) {
		rc = fill(&r, err);
		if (rc && r.store)
			demon_ctl_hint(ctl,
				       "'%s' holds what was read so far; demond goes on with "
				       "it, or remove it and try again",
				       r.to);
	}
	if (!rc)
		rc = print(&r, err);
	demon_replica_close(r.replica);
	demon_close(r.store);
	demon_line_close(&r.line);
	return rc;
}
