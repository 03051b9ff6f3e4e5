/*
 * Nodes by label and property.
 */
#include "base/json.h"
#include "item.h"
#include "store/subject.h"
#include "view.h"

#include <string.h>

struct find {
	const struct demon_graph_query *query;
	struct demon_trie_session *session;
	struct demon_buf label; /* as JSON strings */
	struct demon_buf property;
	char (*ids)[DEMON_ID_MAX + 1]; /* owned: of the nodes that fit */
	size_t count;
	size_t room;
};

static void find_done(struct find *f)
{
	demon_buf_done(&f->label);
	demon_buf_done(&f->property);
	free(f->ids);
}

static bool same(struct demon_json_span span, const char *text, size_t len)
{
	return span.len == len && memcmp(span.at, text, len) == 0;
}

static bool has_label(const struct find *f, struct demon_json_span node)
{
	struct demon_json_span labels = demon_json_member(node.at, node.len, "labels");
	struct demon_json_walk walk = demon_json_items_begin(labels.at, labels.len);
	struct demon_json_span item;

	while (demon_json_items_next(&walk, &item))
		if (same(item, f->label.data, f->label.len))
			return true;
	return false;
}

static bool has_property(const struct find *f, struct demon_json_span node)
{
	struct demon_json_span properties = demon_json_member(node.at, node.len, "properties");
	struct demon_json_walk walk = demon_json_walk_begin(properties.at, properties.len);
	struct demon_json_pair pair;
	const char *value = f->query->value;

	while (demon_json_walk_next(&walk, &pair))
		if (same(pair.key, f->property.data, f->property.len))
			return !value || same(pair.value, value, strlen(value));
	return false;
}

static enum demon_rc look_at(void *ctx, const struct demon_trie_entry *entry, struct demon_err *err)
{
	struct find *f = ctx;
	struct demon_json_span node = {.len = entry->value.len};
	const void *bytes;
	enum demon_rc rc;

	if (f->query->after && strcmp(entry->key, f->query->after) <= 0)
		return DEMON_OK;
	if (f->query->label || f->query->property) {
		if ((rc = demon_trie_bytes(f->session, &entry->value, &bytes, err)))
			return rc;
		node.at = bytes;
		if ((f->query->label && !has_label(f, node)) ||
		    (f->query->property && !has_property(f, node)))
			return DEMON_OK;
	}
	if (f->count == f->room) {
		size_t room = f->room ? 2 * f->room : 64;
		void *larger = demon_realloc(f->ids, room, sizeof(*f->ids));

		if (!larger)
			return demon_err_set(err, DEMON_NOMEM, "no memory for a query");
		f->ids = larger;
		f->room = room;
	}
	if (entry->key_len > DEMON_ID_MAX)
		return DEMON_OK;
	memcpy(f->ids[f->count++], entry->key, (size_t)entry->key_len + 1);
	return DEMON_OK;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* NOLINTNEXTLINE(readability-function-size): what is asked, of which graph, and whom to tell */
enum demon_rc demon_graph_find_nodes(struct demon_store *store,
				     const struct demon_graph_scope *scope, const char *at,
				     const struct demon_graph_query *query, demon_graph_item_fn *fn,
				     void *ctx, struct demon_err *err)
{
	demon_cleanup(find_done) struct find f = {
	    .query = query, .label.data = demon_buf_empty, .property.data = demon_buf_empty};
	DEMON_BUF(item, 0);
	enum demon_rc rc;
	DEMON_GRAPH_VIEW(view);

	if (query->label)
		demon_json_string(&f.label, query->label, strlen(query->label));
	if (query->property)
		demon_json_string(&f.property, query->property, strlen(query->property));
	if ((rc = demon_buf_rc(&f.label, err)) || (rc = demon_buf_rc(&f.property, err)) ||
	    (rc = demon_graph_view_open(&view, store, scope, at, err)))
		return rc;
	f.session = &view.state.session;
	if ((rc = demon_trie_walk(view.state.nodes, look_at, &f, err)))
		return rc;
	if (f.count)
		qsort(f.ids, f.count, sizeof(*f.ids), by_text);
	for (size_t i = 0; i < f.count && (!query->limit || i < query->limit) && !rc; i++) {
		size_t len = strlen(f.ids[i]);
		struct demon_json_span value;

		if ((rc = demon_graph_state_node(&view.state, f.ids[i], len, &value, err)))
			return rc;
		demon_buf_clear(&item);
		demon_graph_item_node(&item, f.ids[i], len, value, -1);
		if (!(rc = demon_buf_rc(&item, err)))
			rc = fn(ctx, item.data, item.len, err);
	}
	return rc;
}
