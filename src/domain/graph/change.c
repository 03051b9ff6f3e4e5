#include "change.h"

#include <string.h>

void demon_graph_pairs_done(struct demon_graph_pairs *pairs)
{
	free(pairs->at);
	*pairs = (struct demon_graph_pairs){0};
}

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a graph");
}

/* The value of an entry for as long as the session lives. */
static enum demon_rc keep(struct demon_trie_session *s, const struct demon_trie_entry *entry,
			  struct demon_json_span *ret, struct demon_err *err)
{
	const void *bytes;
	char *copy;
	enum demon_rc rc;

	*ret = (struct demon_json_span){0};
	if (!entry)
		return DEMON_OK;
	if ((rc = demon_trie_bytes(s, &entry->value, &bytes, err)))
		return rc;
	copy = demon_arena_new(&s->arena, entry->value.len + 1, 1);
	if (!copy)
		return no_memory(err);
	memcpy(copy, bytes, entry->value.len);
	*ret = (struct demon_json_span){copy, entry->value.len};
	return DEMON_OK;
}

static enum demon_rc add_pair(void *ctx, const struct demon_trie_entry *before,
			      const struct demon_trie_entry *after, struct demon_err *err)
{
	struct demon_graph_pairs *pairs = ctx;
	const struct demon_trie_entry *any = before ? before : after;
	struct demon_graph_pair pair = {.edge = pairs->edges, .len = any->key_len};
	char *id = demon_arena_new(&pairs->session->arena, pair.len + 1, 1);
	enum demon_rc rc;

	if (!id)
		return no_memory(err);
	memcpy(id, any->key, pair.len);
	pair.id = id;
	if (pairs->count == pairs->room) {
		size_t room = pairs->room ? 2 * pairs->room : 16;
		void *larger = demon_realloc(pairs->at, room, sizeof(*pairs->at));

		if (!larger)
			return no_memory(err);
		pairs->at = larger;
		pairs->room = room;
	}
	if ((rc = keep(pairs->session, before, &pair.before, err)) ||
	    (rc = keep(pairs->session, after, &pair.after, err)))
		return rc;
	pairs->at[pairs->count++] = pair;
	return DEMON_OK;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct demon_graph_pair *)a)->id,
		      ((const struct demon_graph_pair *)b)->id);
}

enum demon_rc demon_graph_pairs_find(struct demon_trie_session *s,
				     const struct demon_graph_tries *before,
				     const struct demon_graph_tries *after,
				     struct demon_graph_pairs *ret, struct demon_err *err)
{
	enum demon_rc rc;

	*ret = (struct demon_graph_pairs){.session = s};
	if ((rc = demon_trie_diff(s, &before->nodes, &after->nodes, add_pair, ret, err)))
		return rc;
	ret->nodes = ret->count;
	ret->edges = true;
	if ((rc = demon_trie_diff(s, &before->edges, &after->edges, add_pair, ret, err)))
		return rc;
	if (ret->nodes)
		qsort(ret->at, ret->nodes, sizeof(*ret->at), by_id);
	if (ret->count > ret->nodes)
		qsort(ret->at + ret->nodes, ret->count - ret->nodes, sizeof(*ret->at), by_id);
	return DEMON_OK;
}

const struct demon_graph_pair *demon_graph_pairs_get(const struct demon_graph_pairs *pairs,
						     bool edge, const char *id, size_t len)
{
	size_t low = edge ? pairs->nodes : 0;
	size_t high = edge ? pairs->count : pairs->nodes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct demon_graph_pair *pair = &pairs->at[middle];
		size_t n = pair->len < len ? pair->len : len;
		int order = memcmp(pair->id, id, n);

		if (order == 0)
			order = (pair->len > len) - (pair->len < len);
		if (order == 0)
			return pair;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* --- mutations ----------------------------------------------------------------------------- */

static void begin(struct demon_buf *out)
{
	demon_buf_str(out, out->len ? ",{" : "{");
}

static void add_raw(struct demon_buf *out, const char *key, struct demon_json_span value)
{
	if (!value.at)
		return;
	demon_buf_str(out, key);
	demon_buf_add(out, value.at, value.len);
}

static void add_id(struct demon_buf *out, const char *key, const char *id, size_t len)
{
	demon_buf_str(out, key);
	demon_buf_char(out, '"');
	demon_buf_add(out, id, len);
	demon_buf_char(out, '"');
}

static void write_removal(const struct demon_graph_pair *pair, struct demon_buf *out)
{
	begin(out);
	add_id(out, pair->edge ? "\"edgeId\":" : "\"nodeId\":", pair->id, pair->len);
	demon_buf_str(out, pair->edge ? ",\"op\":\"remove-edge\"}" : ",\"op\":\"remove-node\"}");
}

static void write_node(const struct demon_graph_pair *pair, struct demon_buf *out)
{
	static const char *const keys[] = {"labels", "properties"};
	struct demon_json_span v[2];

	demon_json_members(pair->after.at, pair->after.len, keys, v, 2);
	begin(out);
	add_raw(out, "\"labels\":", v[0]);
	add_id(out, v[0].at ? ",\"nodeId\":" : "\"nodeId\":", pair->id, pair->len);
	demon_buf_str(out, pair->before.at ? ",\"op\":\"update-node\"" : ",\"op\":\"add-node\"");
	add_raw(out, ",\"properties\":", v[1]);
	demon_buf_char(out, '}');
}

static void write_edge(const char *id, size_t len, struct demon_json_span value, bool was,
		       struct demon_buf *out)
{
	static const char *const keys[] = {"from", "label", "properties", "to"};
	struct demon_json_span v[4];

	demon_json_members(value.at, value.len, keys, v, 4);
	begin(out);
	add_id(out, "\"edgeId\":", id, len);
	add_raw(out, ",\"from\":", v[0]);
	add_raw(out, ",\"label\":", v[1]);
	demon_buf_str(out, was ? ",\"op\":\"update-edge\"" : ",\"op\":\"add-edge\"");
	add_raw(out, ",\"properties\":", v[2]);
	add_raw(out, ",\"to\":", v[3]);
	demon_buf_char(out, '}');
}

static bool loses_node(const struct demon_graph_pairs *pairs, struct demon_json_span id)
{
	const struct demon_graph_pair *pair = demon_graph_pairs_get(pairs, false, id.at, id.len);

	return pair && !pair->after.at;
}

/* Whether the removal of a node takes this edge along, as it was before. */
static bool goes_along(const struct demon_graph_pairs *pairs, const struct demon_graph_pair *edge)
{
	static const char *const keys[] = {"from", "to"};
	struct demon_json_span v[2];

	demon_json_members(edge->before.at, edge->before.len, keys, v, 2);
	return loses_node(pairs, demon_json_span_plain(v[0])) ||
	       loses_node(pairs, demon_json_span_plain(v[1]));
}

/* An edge that stays although an end of it goes: it has to be put back. */
struct back {
	const struct demon_graph_pairs *pairs;
	struct demon_graph_state *after;
	struct demon_buf *out;
	bool
	    second; /* looks at what enters, and passes over what leaves a node that goes as well */
};

static enum demon_rc put_back(void *ctx, const struct demon_graph_link *link, struct demon_err *err)
{
	struct back *back = ctx;
	struct demon_json_span value;
	enum demon_rc rc;

	if (demon_graph_pairs_get(back->pairs, true, link->edge, link->edge_len))
		return DEMON_OK;
	if (back->second &&
	    loses_node(back->pairs, (struct demon_json_span){link->other, link->other_len}))
		return DEMON_OK;
	if ((rc = demon_graph_state_edge(back->after, link->edge, link->edge_len, &value, err)))
		return rc;
	if (value.at)
		write_edge(link->edge, link->edge_len, value, false, back->out);
	return DEMON_OK;
}

static enum demon_rc put_back_all(const struct demon_graph_pairs *pairs,
				  struct demon_graph_state *after, struct demon_buf *out,
				  struct demon_err *err)
{
	struct back back = {pairs, after, out, false};
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < pairs->nodes && !rc; i++) {
		const struct demon_graph_pair *pair = &pairs->at[i];

		if (pair->after.at)
			continue;
		back.second = false;
		rc =
		    demon_graph_state_links(after, pair->id, pair->len, true, put_back, &back, err);
		back.second = true;
		if (!rc)
			rc = demon_graph_state_links(after, pair->id, pair->len, false, put_back,
						     &back, err);
	}
	return rc;
}

enum demon_rc demon_graph_pairs_mutations(const struct demon_graph_pairs *pairs,
					  struct demon_graph_state *after_state,
					  struct demon_buf *out, struct demon_err *err)
{
	const struct demon_graph_pair *end = pairs->at + pairs->count;
	const struct demon_graph_pair *edges = pairs->at + pairs->nodes;
	enum demon_rc rc;

	if (!pairs->count)
		return DEMON_OK;
	for (const struct demon_graph_pair *p = edges; p < end; p++)
		if (p->before.at && (!p->after.at || goes_along(pairs, p)))
			write_removal(p, out);
	for (const struct demon_graph_pair *p = pairs->at; p < edges; p++)
		if (!p->after.at)
			write_removal(p, out);
	for (const struct demon_graph_pair *p = pairs->at; p < edges; p++)
		if (p->after.at)
			write_node(p, out);
	for (const struct demon_graph_pair *p = edges; p < end; p++)
		if (p->after.at)
			write_edge(p->id, p->len, p->after, p->before.at && !goes_along(pairs, p),
				   out);
	rc = put_back_all(pairs, after_state, out, err);
	return rc ? rc : demon_buf_rc(out, err);
}
