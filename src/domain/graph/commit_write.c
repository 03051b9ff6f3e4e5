/*
 * Making commits: decide on the parent's state, append, and lay down what was worked out for the
 * projection, which would otherwise work it out again.
 */
#include "commit.h"
#include "record.h"

#include "base/json.h"
#include "base/json_text.h"
#include "store/store.h"

#include <string.h>

/* A commit that is being made. */
struct draft {
	const struct demon_graph_change *change;
	struct demon_graph_commit parents[DEMON_GRAPH_PARENTS_MAX];
	struct demon_graph_state state;
	struct demon_graph_record record;
	struct demon_graph_events events;
	struct demon_event_ref causes[DEMON_GRAPH_PARENTS_MAX];
	size_t cause_count;
};

static void draft_free(struct draft **draft)
{
	if (*draft) {
		demon_graph_state_done(&(*draft)->state);
		demon_graph_events_done(&(*draft)->events);
	}
	free(*draft);
}

/* --- what does not depend on the state ----------------------------------------------------- */

static enum demon_rc check_text(const char *what, const char *text, size_t max,
				struct demon_err *err)
{
	if (text && strlen(text) > max)
		return demon_err_set(err, DEMON_TOOBIG, "%s of %zu bytes; the limit is %zu", what,
				     strlen(text), max);
	for (const char *end = text ? text + strlen(text) : NULL; text < end;) {
		size_t n = demon_json_utf8(text, end);

		if (!n)
			return demon_err_set(err, DEMON_INVALID, "%s is not UTF-8", what);
		text += n;
	}
	return DEMON_OK;
}

static enum demon_rc check_change(const struct demon_graph_change *c, struct demon_err *err)
{
	size_t mutations = c->mutations ? c->mutations->count : 0;
	enum demon_rc rc;

	if ((rc = demon_graph_scope_check(&c->scope, err)) ||
	    (rc = check_text("an author", c->author, DEMON_GRAPH_AUTHOR_MAX, err)) ||
	    (rc = check_text("a message", c->message, DEMON_GRAPH_MESSAGE_MAX, err)))
		return rc;
	if (c->parent_count > DEMON_GRAPH_PARENTS_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "%zu parents; the limit is %d",
				     c->parent_count, DEMON_GRAPH_PARENTS_MAX);
	if (c->create && c->parent_count)
		return demon_err_set(err, DEMON_INVALID, "a new graph has no parents");
	if (!mutations && c->parent_count < 2)
		return demon_err_set(err, DEMON_INVALID, "%s cannot be empty",
				     c->create ? "seed mutations" : "mutations");
	for (size_t i = 0; i < c->parent_count; i++)
		for (size_t k = 0; k < i; k++)
			if (memcmp(&c->parents[i], &c->parents[k], sizeof(c->parents[i])) == 0)
				return demon_err_set(err, DEMON_INVALID,
						     "parent %zu is named twice", i + 1);
	return DEMON_OK;
}

/* --- deciding ------------------------------------------------------------------------------ */

static enum demon_rc find_parents(struct demon_db *db, struct draft *d, int64_t graph,
				  struct demon_err *err)
{
	const struct demon_graph_change *c = d->change;
	char hex[DEMON_GRAPH_HEX_LEN + 1];
	bool found;
	enum demon_rc rc;

	for (size_t i = 0; i < c->parent_count; i++) {
		rc = demon_graph_commit_by_id(db, c->parents[i].bytes, &d->parents[i], &found, err);
		if (rc)
			return rc;
		demon_hex(c->parents[i].bytes, DEMON_HASH_LEN, hex);
		if (!found)
			return demon_err_set(err, DEMON_NOTFOUND, "parent '%s' not found", hex);
		if (d->parents[i].graph != graph)
			return demon_err_set(err, DEMON_INVALID,
					     "parent '%s' is a commit of another graph", hex);
	}
	return DEMON_OK;
}

static enum demon_rc apply_all(struct draft *d, struct demon_err *err)
{
	const struct demon_graph_mutations *list = d->change->mutations;
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; list && i < list->count; i++) {
		if (!d->change->force)
			rc = demon_graph_state_check(&d->state, &list->items[i], err);
		if (!rc)
			rc = demon_graph_state_apply(&d->state, &list->items[i], err);
		if (rc)
			return demon_err_wrap(err, "mutation %zu", i);
	}
	return DEMON_OK;
}

static enum demon_rc decide(struct demon_db *db, struct draft *d, struct demon_err *err)
{
	const struct demon_graph_change *c = d->change;
	int64_t graph;
	enum demon_rc rc;

	if ((rc = demon_graph_number(db, &c->scope, &graph, err)))
		return rc;
	if (c->create && graph)
		return demon_err_set(err, DEMON_EXISTS, "graph '%s' exists already",
				     c->scope.graph_id);
	if ((rc = find_parents(db, d, graph, err)) ||
	    (rc = demon_graph_state_begin(&d->state, db,
					  c->parent_count ? &d->parents[0].tries : NULL, err)) ||
	    (rc = apply_all(d, err)))
		return rc;
	return demon_graph_state_root(&d->state, d->record.root, err);
}

/* --- appending ----------------------------------------------------------------------------- */

static int by_identity(const void *a, const void *b)
{
	const struct demon_event_ref *x = a;
	const struct demon_event_ref *y = b;
	int order = memcmp(x->origin, y->origin, sizeof(x->origin));

	if (order == 0)
		order = memcmp(x->epoch, y->epoch, sizeof(x->epoch));
	return order ? order : (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* Parents from other origins are causes; those of this one stand before, in what its chain
 * continues.
 */
static enum demon_rc find_causes(struct demon_write *w, struct draft *d, struct demon_err *err)
{
	bool own;
	enum demon_rc rc;

	for (size_t i = 0; i < d->change->parent_count; i++) {
		if ((rc = demon_graph_commit_cause(w, &d->parents[i], &d->causes[d->cause_count],
						   &own, err)))
			return rc;
		d->cause_count += !own;
	}
	qsort(d->causes, d->cause_count, sizeof(d->causes[0]), by_identity);
	return DEMON_OK;
}

static enum demon_rc append(struct demon_write *w, struct draft *d, const unsigned char *id,
			    struct demon_err *err)
{
	struct demon_db *db = demon_write_db(w);
	struct demon_graph_plan plan = {.state = &d->state,
					.mutations = d->change->mutations,
					.parents = d->parents,
					.parent_count = d->change->parent_count};
	struct demon_group group = {.stream = DEMON_STREAM_GRAPH, .ts = d->change->ts};
	enum demon_rc rc;

	memcpy(plan.id, id, DEMON_HASH_LEN);
	if ((rc = demon_graph_events_make(d->state.session.sha, &d->record, id, &d->events, err)) ||
	    (rc = find_causes(w, d, err)))
		return rc;
	group.records = d->events.records;
	group.count = d->events.count;
	group.causes = d->cause_count ? d->causes : NULL;
	group.cause_count = d->cause_count;
	demon_db_lay(db, &plan);
	rc = demon_write_append(w, &group, NULL, err);
	demon_db_lay(db, NULL);
	return rc;
}

/* The texts as JSON strings. */
static enum demon_rc quote(const char *text, struct demon_buf *out, struct demon_json_span *ret,
			   struct demon_err *err)
{
	if (!text)
		return DEMON_OK;
	demon_json_string(out, text, strlen(text));
	*ret = (struct demon_json_span){out->data, out->len};
	return demon_buf_rc(out, err);
}

/* *ret is written last: it may hold the parent. */
static enum demon_rc make(struct demon_write *w, struct draft *d, struct demon_graph_committed *ret,
			  struct demon_err *err)
{
	struct demon_db *db = demon_write_db(w);
	struct demon_graph_committed done = {.ts = d->change->ts};
	struct demon_graph_commit held;
	enum demon_rc rc;

	if ((rc = decide(db, d, err)) ||
	    (rc = demon_graph_record_id(d->state.session.sha, &d->record, done.id.bytes, err)) ||
	    (rc = demon_graph_commit_by_id(db, done.id.bytes, &held, &done.existed, err)))
		return rc;
	memcpy(done.root, d->record.root, sizeof(done.root));
	if (!done.existed && (rc = append(w, d, done.id.bytes, err)))
		return rc;
	*ret = done;
	return DEMON_OK;
}

enum demon_rc demon_graph_commit_in(struct demon_write *w, const struct demon_graph_change *change,
				    struct demon_graph_committed *ret, struct demon_err *err)
{
	demon_cleanup(draft_free) struct draft *d = NULL;
	DEMON_BUF(author, 0);
	DEMON_BUF(message, 0);
	enum demon_rc rc;

	if ((rc = check_change(change, err)))
		return rc;
	d = demon_calloc(1, sizeof(*d));
	if (!d)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a commit");
	d->change = change;
	d->record = (struct demon_graph_record){.scope = change->scope,
						.parents = change->parents,
						.parent_count = change->parent_count,
						.ts = change->ts};
	if (change->mutations)
		d->record.mutations = (struct demon_json_span){change->mutations->text.data,
							       change->mutations->text.len};
	if ((rc = quote(change->author, &author, &d->record.author, err)) ||
	    (rc = quote(change->message, &message, &d->record.message, err)))
		return rc;
	return make(w, d, ret, err);
}

/* A call from outside. */
struct call {
	const struct demon_graph_change *change;
	struct demon_graph_committed *ret;
};

static enum demon_rc commit_job(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct call *call = ctx;

	return demon_graph_commit_in(w, call->change, call->ret, err);
}

enum demon_rc demon_graph_commit(struct demon_store *store, const struct demon_graph_change *change,
				 struct demon_graph_committed *ret, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct demon_graph_change now = *change;
	struct demon_graph_committed done;
	struct call call = {&now, &done};
	enum demon_rc rc = check_change(change, err);

	if (!now.ts)
		now.ts = env->now(env->ctx);
	if (rc || (rc = demon_store_write_repeatable(store, commit_job, &call, err)))
		return rc;
	*ret = done;
	return DEMON_OK;
}
