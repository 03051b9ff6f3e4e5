/*
 * The capsules graph.commit and graph.query.
 */
#include "graph_capsule.h"

#include "commit.h"
#include "domain/capsule/arguments.h"
#include "domain/capsule/envelope.h"
#include "query.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX   1000
#define RESULTS_MAX 10000

static const char *text_of(const json_t *with, const char *key)
{
	return json_string_value(json_object_get(with, key));
}

static void require(const struct demon_arguments *a, const char *key)
{
	const char *text = demon_arguments_text(a, key);

	if (!json_object_get(a->with, key))
		demon_arguments_report(a, "", "argument '%s' is needed", key);
	else if (text && !*text)
		demon_arguments_report(a, "", "argument '%s' is empty", key);
}

static void check_scope(const struct demon_arguments *a)
{
	require(a, "projectId");
	require(a, "namespace");
	require(a, "graphId");
}

static struct demon_graph_scope scope_of(const struct demon_call *call)
{
	return (struct demon_graph_scope){.tenant_id = call->tenant_id,
					  .project_id = text_of(call->with, "projectId"),
					  .namespace_id = text_of(call->with, "namespace"),
					  .graph_id = text_of(call->with, "graphId")};
}

static bool idempotent(const json_t *with)
{
	(void)with;
	return true; /* it is done with its result, or not at all */
}

/* --- graph.commit -------------------------------------------------------------------------- */

static void check_commit(const json_t *with, demon_argument_problem_fn *report, void *ctx)
{
	static const char *const known[] = {"projectId", "namespace", "graphId", "mutations",
					    "parents",   "tag",       "expect",  "author",
					    "message",   "force"};
	const struct demon_arguments a = {with, report, ctx};
	const json_t *mutations = json_object_get(with, "mutations");
	const json_t *parents = json_object_get(with, "parents");

	if (!demon_arguments_known(&a, known, demon_count(known)))
		return;
	check_scope(&a);
	if (!json_is_array(mutations))
		demon_arguments_report(&a, mutations ? "/mutations" : "",
				       "argument 'mutations': expected a list");
	if (parents && !json_is_array(parents))
		demon_arguments_report(&a, "/parents", "argument 'parents': expected a list");
	for (size_t i = 0; i < json_array_size(parents); i++)
		if (!json_is_string(json_array_get(parents, i)))
			demon_arguments_report(&a, "/parents",
					       "argument 'parents': expected commits or tags");
	(void)demon_arguments_text(&a, "tag");
	(void)demon_arguments_text(&a, "expect");
	(void)demon_arguments_text(&a, "author");
	(void)demon_arguments_text(&a, "message");
	demon_arguments_flag(&a, "force");
}

static enum demon_rc find_parents(struct demon_write *w, const struct demon_graph_scope *scope,
				  const json_t *refs, struct demon_graph_id *ids, size_t *ret_count,
				  struct demon_err *err)
{
	*ret_count = json_array_size(refs);
	if (*ret_count > DEMON_GRAPH_PARENTS_MAX)
		return demon_err_set(err, DEMON_INVALID, "more than %d parents",
				     DEMON_GRAPH_PARENTS_MAX);
	for (size_t i = 0; i < *ret_count; i++) {
		const char *ref = json_string_value(json_array_get(refs, i));
		struct demon_graph_commit c;
		enum demon_rc rc = demon_graph_commit_find(demon_write_db(w), scope, ref, &c, err);

		if (rc)
			return rc;
		memcpy(ids[i].bytes, c.id, sizeof(c.id));
	}
	return DEMON_OK;
}

static enum demon_rc move_tag(struct demon_write *w, const struct demon_call *call,
			      const struct demon_graph_committed *made, struct demon_err *err)
{
	char hex[DEMON_GRAPH_HEX_LEN + 1];
	const struct demon_graph_tagging tagging = {.scope = scope_of(call),
						    .tag = text_of(call->with, "tag"),
						    .commit = hex,
						    .expect = text_of(call->with, "expect"),
						    .ts = made->ts};

	demon_hex(made->id.bytes, sizeof(made->id.bytes), hex);
	return tagging.tag ? demon_graph_tag_in(w, &tagging, NULL, err) : DEMON_OK;
}

static json_t *committed_data(const struct demon_graph_committed *made,
			      const struct demon_graph_change *change)
{
	char id[DEMON_GRAPH_HEX_LEN + 1];
	char root[DEMON_GRAPH_HEX_LEN + 1];
	json_auto_t *parents = json_array();

	for (size_t i = 0; parents && i < change->parent_count; i++) {
		demon_hex(change->parents[i].bytes, DEMON_HASH_LEN, id);
		if (json_array_append_new(parents, json_string(id)))
			return NULL;
	}
	demon_hex(made->id.bytes, sizeof(made->id.bytes), id);
	demon_hex(made->root, sizeof(made->root), root);
	return json_pack("{s:s,s:O,s:s,s:b}", "commitId", id, "parents", parents, "stateRoot", root,
			 "noop", made->existed);
}

/* The event of the commit, which whoever takes in the step's result needs as well. */
static enum demon_rc find_cause(struct demon_write *w, const struct demon_graph_committed *made,
				struct demon_capsule_result *ret, struct demon_err *err)
{
	struct demon_graph_commit c;
	bool own;
	enum demon_rc rc =
	    demon_graph_commit_by_id(demon_write_db(w), made->id.bytes, &c, &ret->has_cause, err);

	return rc || !ret->has_cause ? rc : demon_graph_commit_cause(w, &c, &ret->cause, &own, err);
}

static enum demon_rc commit(const struct demon_call *call, struct demon_write *w,
			    const struct demon_graph_mutations *list,
			    struct demon_capsule_result *ret, struct demon_err *err)
{
	struct demon_graph_id parents[DEMON_GRAPH_PARENTS_MAX];
	const char *author = text_of(call->with, "author");
	struct demon_graph_change change = {.scope = scope_of(call),
					    .parents = parents,
					    .mutations = list,
					    .author = author ? author : call->run_id,
					    .message = text_of(call->with, "message"),
					    .force =
						json_is_true(json_object_get(call->with, "force")),
					    .ts = call->env->now(call->env->ctx)};
	struct demon_graph_committed made;
	demon_cleanup(demon_envelope_done) struct demon_envelope e =
	    demon_envelope_begin(call->env, "graph", "1.0.0");
	enum demon_rc rc;

	if ((rc = find_parents(w, &change.scope, json_object_get(call->with, "parents"), parents,
			       &change.parent_count, err)) ||
	    (rc = demon_graph_commit_in(w, &change, &made, err)) ||
	    (rc = move_tag(w, call, &made, err)) || (rc = find_cause(w, &made, ret, err)))
		return rc;
	demon_envelope_success(&e, committed_data(&made, &change));
	return demon_envelope_end(&e, &ret->envelope, err);
}

static enum demon_rc run_commit(const struct demon_call *call, struct demon_write *w,
				struct demon_capsule_result *ret, struct demon_err *err)
{
	demon_cleanup(demon_graph_mutations_free_p) struct demon_graph_mutations *list = NULL;
	struct demon_argument_problem problem = {0};
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	check_commit(call->with, demon_argument_note, &problem);
	if (problem.found)
		return demon_err_set(err, DEMON_INVALID, "%s", problem.text);
	if ((rc = demon_json_canonical(json_object_get(call->with, "mutations"), &text, err)) ||
	    (rc = demon_buf_rc(&text, err)) ||
	    (rc = demon_graph_mutations_parse(text.data, text.len, &list, err)))
		return rc;
	return commit(call, w, list, ret, err);
}

/* --- graph.query --------------------------------------------------------------------------- */

static const char *const operations[] = {"get-node", "neighbors", "path-exists", "query"};

static void check_query(const json_t *with, demon_argument_problem_fn *report, void *ctx)
{
	static const char *const known[] = {
	    "projectId", "namespace", "graphId", "operation", "at",    "nodeId", "from", "to",
	    "direction", "label",     "depth",   "property",  "value", "after",  "limit"};
	const struct demon_arguments a = {with, report, ctx};
	const char *operation = text_of(with, "operation");
	bool found = false;

	if (!demon_arguments_known(&a, known, demon_count(known)))
		return;
	check_scope(&a);
	require(&a, "operation");
	for (size_t i = 0; operation && i < demon_count(operations); i++)
		found |= strcmp(operation, operations[i]) == 0;
	if (operation && !found)
		demon_arguments_report(&a, "/operation",
				       "argument 'operation': expected one of get-node, neighbors, "
				       "path-exists, query");
	if (operation &&
	    (strcmp(operation, "get-node") == 0 || strcmp(operation, "neighbors") == 0))
		require(&a, "nodeId");
	if (operation && strcmp(operation, "path-exists") == 0) {
		require(&a, "from");
		require(&a, "to");
	}
}

static int64_t number_of(const json_t *with, const char *key, int64_t fallback, int64_t max)
{
	const json_t *value = json_object_get(with, key);
	json_int_t n = json_integer_value(value);

	return !json_is_integer(value) || n < 0 ? fallback : n > max ? max : n;
}

static struct demon_graph_reach reach_of(const json_t *with, int64_t depth)
{
	const char *direction = text_of(with, "direction");

	return (struct demon_graph_reach){
	    .direction = !direction                      ? DEMON_GRAPH_BOTH
			 : strcmp(direction, "out") == 0 ? DEMON_GRAPH_OUT
			 : strcmp(direction, "in") == 0  ? DEMON_GRAPH_IN
							 : DEMON_GRAPH_BOTH,
	    .label = text_of(with, "label"),
	    .depth = (unsigned)number_of(with, "depth", depth, DEPTH_MAX)};
}

static enum demon_rc add_item(void *ctx, const char *json, size_t len, struct demon_err *err)
{
	json_t *list = ctx;
	json_t *item = NULL;
	enum demon_rc rc = demon_json_parse(json, len, &demon_json_payload_limits, &item, err);

	if (rc)
		return rc;
	if (json_array_size(list) == RESULTS_MAX) {
		json_decref(item);
		return demon_err_set(err, DEMON_TOOBIG, "more than %d results", RESULTS_MAX);
	}
	return json_array_append_new(list, item)
		   ? demon_err_set(err, DEMON_NOMEM, "no memory for results")
		   : DEMON_OK;
}

/* A list of nodes. */
static enum demon_rc list_nodes(const struct demon_call *call, const char *at, bool near,
				json_t *list, struct demon_err *err)
{
	const struct demon_graph_scope scope = scope_of(call);
	const json_t *value = json_object_get(call->with, "value");
	struct demon_graph_reach reach = reach_of(call->with, 1);
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if (near)
		return demon_graph_neighbors(call->store, &scope, at, text_of(call->with, "nodeId"),
					     &reach, add_item, list, err);
	if (value &&
	    ((rc = demon_json_canonical(value, &text, err)) || (rc = demon_buf_rc(&text, err))))
		return rc;
	const struct demon_graph_query query = {
	    .label = text_of(call->with, "label"),
	    .property = text_of(call->with, "property"),
	    .value = value ? text.data : NULL,
	    .after = text_of(call->with, "after"),
	    .limit = (size_t)number_of(call->with, "limit", 0, RESULTS_MAX)};
	return demon_graph_find_nodes(call->store, &scope, at, &query, add_item, list, err);
}

/* One JSON value: a node, or null, or a path. */
static enum demon_rc read_one(const struct demon_call *call, const char *at, bool path,
			      json_t **ret, struct demon_err *err)
{
	const struct demon_graph_scope scope = scope_of(call);
	struct demon_graph_reach reach = reach_of(call->with, DEPTH_MAX);
	const char *node = text_of(call->with, "nodeId");
	DEMON_BUF(out, 0);
	enum demon_rc rc;

	if (path)
		rc = demon_graph_path(call->store, &scope, at, text_of(call->with, "from"),
				      text_of(call->with, "to"), &reach, &out, err);
	else
		rc = demon_graph_get_node(call->store, &scope, at, node, &out, err);
	if (rc == DEMON_NOTFOUND && !path && strncmp(err->msg, "node ", 5) == 0) {
		*ret = json_null();
		return DEMON_OK;
	}
	if (rc)
		return rc;
	return demon_json_parse(out.data, out.len, &demon_json_payload_limits, ret, err);
}

static enum demon_rc query(const struct demon_call *call, json_t **ret, struct demon_err *err)
{
	const char *operation = text_of(call->with, "operation");
	const char *at = text_of(call->with, "at");
	bool near = strcmp(operation, "neighbors") == 0;
	json_t *list;
	enum demon_rc rc;

	at = at ? at : "main";
	if (!near && strcmp(operation, "query") != 0)
		return read_one(call, at, strcmp(operation, "path-exists") == 0, ret, err);
	list = json_array();
	if (!list)
		return demon_err_set(err, DEMON_NOMEM, "no memory for results");
	if ((rc = list_nodes(call, at, near, list, err))) {
		json_decref(list);
		return rc;
	}
	*ret = list;
	return DEMON_OK;
}

static enum demon_rc run_query(const struct demon_call *call, json_t **ret_envelope,
			       struct demon_err *err)
{
	demon_cleanup(demon_envelope_done) struct demon_envelope e =
	    demon_envelope_begin(call->env, "graph", "1.0.0");
	struct demon_argument_problem problem = {0};
	struct demon_err why;
	json_t *data = NULL;

	check_query(call->with, demon_argument_note, &problem);
	if (problem.found) {
		demon_envelope_error(&e, "GRAPH_INVALID", problem.text, NULL);
		return demon_envelope_end(&e, ret_envelope, err);
	}
	if (!query(call, &data, &why)) {
		demon_envelope_success(&e, data);
	} else if (demon_capsule_is_answer(why.rc)) {
		demon_envelope_error(&e, demon_capsule_graph_code(why.rc), why.msg, json_object());
	} else {
		*err = why;
		return why.rc;
	}
	return demon_envelope_end(&e, ret_envelope, err);
}

bool demon_capsule_is_answer(enum demon_rc rc)
{
	return rc == DEMON_NOTFOUND || rc == DEMON_CONFLICT || rc == DEMON_INVALID ||
	       rc == DEMON_TOOBIG || rc == DEMON_EXISTS;
}

const char *demon_capsule_graph_code(enum demon_rc rc)
{
	return rc == DEMON_NOTFOUND                         ? "GRAPH_NOT_FOUND"
	       : rc == DEMON_CONFLICT || rc == DEMON_EXISTS ? "GRAPH_CONFLICT"
	       : rc == DEMON_TOOBIG                         ? "GRAPH_TOO_LARGE"
							    : "GRAPH_INVALID";
}

const struct demon_capsule demon_capsule_graph_commit = {
    .name = "graph.commit", .check = check_commit, .idempotent = idempotent, .run_in = run_commit};
const struct demon_capsule demon_capsule_graph_query = {
    .name = "graph.query", .check = check_query, .idempotent = idempotent, .run = run_query};
