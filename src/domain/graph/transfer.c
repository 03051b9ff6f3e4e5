/*
 * States as text.
 */
#include "transfer.h"

#include "base/json.h"
#include "base/json_member.h"
#include "item.h"
#include "mutation.h"
#include "view.h"

#include <string.h>

/* Text on its way out. */
struct writing {
	demon_graph_text_fn *fn;
	void *ctx;
	struct demon_buf line;
	bool any;
};

static enum demon_rc give(struct writing *w, const char *text, size_t len, struct demon_err *err)
{
	return w->fn(w->ctx, text, len, err);
}

static enum demon_rc give_str(struct writing *w, const char *text, struct demon_err *err)
{
	return give(w, text, strlen(text), err);
}

/* Keys of a trie, to be handed out in order. */
struct keys {
	struct demon_arena arena;
	const char **at; /* owned */
	size_t count;
	size_t room;
};

static void keys_done(struct keys *k)
{
	demon_arena_done(&k->arena);
	free(k->at);
}

static enum demon_rc add_key(void *ctx, const struct demon_trie_entry *entry, struct demon_err *err)
{
	struct keys *k = ctx;
	char *copy = demon_arena_new(&k->arena, (size_t)entry->key_len + 1, 1);

	if (copy && k->count == k->room) {
		size_t room = k->room ? 2 * k->room : 64;
		const char **larger = demon_realloc(k->at, room, sizeof(*larger));

		if (larger) {
			k->at = larger;
			k->room = room;
		}
	}
	if (!copy || k->count == k->room)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a state");
	memcpy(copy, entry->key, entry->key_len);
	k->at[k->count++] = copy;
	return DEMON_OK;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

typedef enum demon_rc write_fn(struct writing *w, const char *id, struct demon_json_span value,
			       struct demon_err *err);

/* Hands out all nodes, or all edges, by id. */
static enum demon_rc each(struct demon_graph_view *view, bool edges, struct writing *w,
			  write_fn *fn, struct demon_err *err)
{
	demon_cleanup(keys_done) struct keys k = {.count = 0};
	enum demon_rc rc =
	    demon_trie_walk(edges ? view->state.edges : view->state.nodes, add_key, &k, err);

	if (k.count)
		qsort(k.at, k.count, sizeof(*k.at), by_text);
	w->any = false;
	for (size_t i = 0; i < k.count && !rc; i++) {
		struct demon_json_span value;

		rc = edges ? demon_graph_state_edge(&view->state, k.at[i], strlen(k.at[i]), &value,
						    err)
			   : demon_graph_state_node(&view->state, k.at[i], strlen(k.at[i]), &value,
						    err);
		if (!rc)
			rc = fn(w, k.at[i], value, err);
		w->any = true;
	}
	return rc;
}

static enum demon_rc flush(struct writing *w, struct demon_err *err)
{
	enum demon_rc rc = demon_buf_rc(&w->line, err);

	if (!rc)
		rc = give(w, w->line.data, w->line.len, err);
	demon_buf_clear(&w->line);
	return rc;
}

static enum demon_rc json_node(struct writing *w, const char *id, struct demon_json_span value,
			       struct demon_err *err)
{
	if (w->any)
		demon_buf_char(&w->line, ',');
	demon_graph_item_node(&w->line, id, strlen(id), value, -1);
	return flush(w, err);
}

static enum demon_rc json_edge(struct writing *w, const char *id, struct demon_json_span value,
			       struct demon_err *err)
{
	if (w->any)
		demon_buf_char(&w->line, ',');
	demon_graph_item_edge(&w->line, id, strlen(id), value);
	return flush(w, err);
}

static enum demon_rc export_json(struct demon_graph_view *view,
				 const struct demon_graph_scope *scope, struct writing *w,
				 struct demon_err *err)
{
	enum demon_rc rc;

	demon_buf_str(&w->line, "{\"commitId\":\"");
	demon_buf_hex(&w->line, view->commit.id, sizeof(view->commit.id));
	demon_buf_str(&w->line, "\",\"edges\":[");
	if ((rc = flush(w, err)) || (rc = each(view, true, w, json_edge, err)))
		return rc;
	demon_buf_fmt(&w->line, "],\"graphId\":\"%s\",\"namespace\":\"%s\",\"nodes\":[",
		      scope->graph_id, scope->namespace_id);
	if ((rc = flush(w, err)) || (rc = each(view, false, w, json_node, err)))
		return rc;
	demon_buf_fmt(&w->line, "],\"projectId\":\"%s\",\"tenantId\":\"%s\"}\n", scope->project_id,
		      scope->tenant_id);
	return flush(w, err);
}

/* A quoted string of DOT. A JSON string is one too, but for escapes, which are shown as they are.
 */
static void dot_string(struct demon_buf *out, const char *text, size_t len)
{
	demon_buf_char(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			demon_buf_char(out, '\\');
		demon_buf_char(out, text[i]);
	}
	demon_buf_char(out, '"');
}

static enum demon_rc dot_node(struct writing *w, const char *id, struct demon_json_span value,
			      struct demon_err *err)
{
	struct demon_json_span labels = demon_json_member(value.at, value.len, "labels");

	demon_buf_str(&w->line, "  ");
	dot_string(&w->line, id, strlen(id));
	if (labels.at) {
		demon_buf_str(&w->line, " [tooltip=");
		dot_string(&w->line, labels.at, labels.len);
		demon_buf_char(&w->line, ']');
	}
	demon_buf_str(&w->line, ";\n");
	return flush(w, err);
}

static enum demon_rc dot_edge(struct writing *w, const char *id, struct demon_json_span value,
			      struct demon_err *err)
{
	static const char *const keys[] = {"from", "label", "to"};
	struct demon_json_span v[3];
	DEMON_BUF(label, 0);

	demon_json_members(value.at, value.len, keys, v, 3);
	v[0] = demon_json_span_plain(v[0]);
	v[2] = demon_json_span_plain(v[2]);
	if (!demon_json_span_str(v[1], &label))
		demon_buf_str(&label, id);
	demon_buf_str(&w->line, "  ");
	dot_string(&w->line, v[0].at, v[0].len);
	demon_buf_str(&w->line, " -> ");
	dot_string(&w->line, v[2].at, v[2].len);
	demon_buf_str(&w->line, " [label=");
	dot_string(&w->line, label.data, label.len);
	demon_buf_str(&w->line, "];\n");
	return demon_buf_rc(&label, err) ? err->rc : flush(w, err);
}

static enum demon_rc export_dot(struct demon_graph_view *view,
				const struct demon_graph_scope *scope, struct writing *w,
				struct demon_err *err)
{
	enum demon_rc rc;

	demon_buf_str(&w->line, "digraph ");
	dot_string(&w->line, scope->graph_id, strlen(scope->graph_id));
	demon_buf_str(&w->line, " {\n");
	if ((rc = flush(w, err)) || (rc = each(view, false, w, dot_node, err)) ||
	    (rc = each(view, true, w, dot_edge, err)))
		return rc;
	return give_str(w, "}\n", err);
}

/* NOLINTNEXTLINE(readability-function-size): what is asked, of which graph, and whom to tell */
enum demon_rc demon_graph_export(struct demon_store *store, const struct demon_graph_scope *scope,
				 const char *at, enum demon_graph_form form,
				 demon_graph_text_fn *fn, void *ctx, struct demon_err *err)
{
	struct writing w = {.fn = fn, .ctx = ctx, .line = {.data = demon_buf_empty}};
	DEMON_GRAPH_VIEW(view);
	enum demon_rc rc = demon_graph_view_open(&view, store, scope, at, err);

	if (!rc)
		rc = form == DEMON_GRAPH_DOT ? export_dot(&view, scope, &w, err)
					     : export_json(&view, scope, &w, err);
	demon_buf_done(&w.line);
	return rc;
}

/* The mutation that makes what @p item is. */
static json_t *make_mutation(const json_t *item, bool edge)
{
	json_auto_t *copy = json_is_object(item) ? json_deep_copy(item) : NULL;

	if (!copy || json_object_get(copy, "op") ||
	    json_object_set_new(copy, "op", json_string(edge ? "add-edge" : "add-node")))
		return NULL;
	return demon_take(copy);
}

static enum demon_rc add_all(json_t *list, const json_t *whole, const char *key, bool edge,
			     struct demon_err *err)
{
	const json_t *items = json_object_get(whole, key);

	if (items && !json_is_array(items))
		return demon_err_set(err, DEMON_INVALID, "'%s': expected a list", key);
	for (size_t i = 0; i < json_array_size(items); i++) {
		json_t *mutation = make_mutation(json_array_get(items, i), edge);

		if (!mutation)
			return demon_err_set(err, DEMON_INVALID, "at '/%s/%zu': expected %s", key,
					     i, edge ? "an edge" : "a node");
		if (json_array_append_new(list, mutation))
			return demon_err_set(err, DEMON_NOMEM, "no memory for a graph");
	}
	return DEMON_OK;
}

enum demon_rc demon_graph_import(const char *text, size_t len, struct demon_graph_mutations **ret,
				 struct demon_err *err)
{
	static const struct demon_json_limits limits = {.max_bytes = DEMON_GRAPH_INPUT_MAX,
							.depth = 64};
	json_auto_t *whole = NULL;
	json_auto_t *list = json_array();
	DEMON_BUF(out, 0);
	enum demon_rc rc;

	if ((rc = demon_json_parse(text, len, &limits, &whole, err)))
		return rc;
	if (!list)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a graph");
	if (!json_is_object(whole))
		return demon_err_set(err, DEMON_INVALID, "expected an export: an object");
	if ((rc = add_all(list, whole, "nodes", false, err)) ||
	    (rc = add_all(list, whole, "edges", true, err)) ||
	    (rc = demon_json_canonical(list, &out, err)) || (rc = demon_buf_rc(&out, err)))
		return rc;
	return demon_graph_mutations_parse(out.data, out.len, ret, err);
}
