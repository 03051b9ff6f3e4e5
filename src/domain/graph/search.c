/*
 * Searches along edges, breadth first.
 */
#include "item.h"
#include "store/subject.h"
#include "view.h"

#include <string.h>

/* A node that was met. */
struct met {
	char id[DEMON_ID_MAX + 1];
	unsigned char len;
	int distance;
	size_t from;                 /* which one it was met from */
	char edge[DEMON_ID_MAX + 1]; /* along which edge */
};

struct search {
	struct demon_graph_state *state;
	const struct demon_graph_reach *reach;
	struct met *at; /* owned: in the order in which they were met */
	size_t count;
	size_t room;
	uint32_t *table; /* owned: open addressing by id, index + 1 */
	size_t table_room;
	size_t current; /* whose edges are looked at */
};

static void search_done(struct search *s)
{
	free(s->at);
	free(s->table);
}

static uint32_t *place_of(const struct search *s, const char *id, size_t len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (size_t k = 0; k < len; k++)
		hash = (hash ^ (unsigned char)id[k]) * UINT64_C(0x100000001b3);
	i = (size_t)(hash ^ hash >> 29) & (s->table_room - 1);
	while (s->at && s->table[i]) {
		const struct met *m = &s->at[s->table[i] - 1];

		if (m->len == len && memcmp(m->id, id, len) == 0)
			break;
		i = (i + 1) & (s->table_room - 1);
	}
	return &s->table[i];
}

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a search");
}

static enum demon_rc grow(struct search *s, struct demon_err *err)
{
	void *larger;

	s->table_room = s->table_room ? 2 * s->table_room : 64;
	free(s->table);
	s->table = demon_calloc(s->table_room, sizeof(*s->table));
	larger = demon_realloc(s->at, s->table_room / 2, sizeof(*s->at));
	if (larger)
		s->at = larger;
	if (!s->table || !larger)
		return no_memory(err);
	s->room = s->table_room / 2;
	for (size_t i = 0; i < s->count; i++)
		*place_of(s, s->at[i].id, s->at[i].len) = (uint32_t)i + 1;
	return DEMON_OK;
}

/* Notes a node that is there, unless it was met before. */
static enum demon_rc meet(struct search *s, const char *id, size_t len,
			  const struct demon_graph_link *link, struct demon_err *err)
{
	struct demon_json_span value;
	struct met *m;
	uint32_t *place;
	enum demon_rc rc;

	if ((s->count == s->room || !s->at) && grow(s, err))
		return err->rc;
	place = place_of(s, id, len);
	if (*place || len > DEMON_ID_MAX)
		return DEMON_OK;
	if ((rc = demon_graph_state_node(s->state, id, len, &value, err)) || !value.at)
		return rc;
	m = s->at + s->count;
	if (!s->at)
		return no_memory(err);
	*m = (struct met){.len = (unsigned char)len, .from = s->current};
	memcpy(m->id, id, len);
	if (link) {
		m->distance = s->at[s->current].distance + 1;
		memcpy(m->edge, link->edge,
		       link->edge_len < DEMON_ID_MAX ? link->edge_len : DEMON_ID_MAX);
	}
	*place = (uint32_t)++s->count;
	return DEMON_OK;
}

static enum demon_rc follow(void *ctx, const struct demon_graph_link *link, struct demon_err *err)
{
	struct search *s = ctx;
	const char *label = s->reach->label;

	if (label &&
	    (strlen(label) != link->label_len || memcmp(label, link->label, link->label_len) != 0))
		return DEMON_OK;
	return meet(s, link->other, link->other_len, link, err);
}

static enum demon_rc expand(struct search *s, struct demon_err *err)
{
	/* what is met moves the row of what was met */
	const struct met from = s->at[s->current];
	enum demon_rc rc = DEMON_OK;

	if (s->reach->direction != DEMON_GRAPH_IN)
		rc = demon_graph_state_links(s->state, from.id, from.len, true, follow, s, err);
	if (!rc && s->reach->direction != DEMON_GRAPH_OUT)
		rc = demon_graph_state_links(s->state, from.id, from.len, false, follow, s, err);
	return rc;
}

/* Goes on until there is nothing more within reach, or @p to (may be NULL) was met. */
static enum demon_rc run(struct search *s, const char *from, const char *to, struct demon_err *err)
{
	enum demon_rc rc = meet(s, from, strlen(from), NULL, err);

	for (; !rc && s->current < s->count; s->current++) {
		if ((unsigned)s->at[s->current].distance >= s->reach->depth)
			break;
		if (to && *place_of(s, to, strlen(to)))
			break;
		rc = expand(s, err);
	}
	return rc;
}

static int by_distance(const void *a, const void *b)
{
	const struct met *x = a;
	const struct met *y = b;

	return x->distance != y->distance ? x->distance - y->distance : strcmp(x->id, y->id);
}

/* NOLINTNEXTLINE(readability-function-size): what is asked, of which graph, and whom to tell */
enum demon_rc demon_graph_neighbors(struct demon_store *store,
				    const struct demon_graph_scope *scope, const char *at,
				    const char *node_id, const struct demon_graph_reach *reach,
				    demon_graph_item_fn *fn, void *ctx, struct demon_err *err)
{
	demon_cleanup(search_done) struct search s = {.reach = reach};
	DEMON_BUF(item, 0);
	enum demon_rc rc;
	DEMON_GRAPH_VIEW(view);

	if ((rc = demon_graph_view_open(&view, store, scope, at, err)))
		return rc;
	s.state = &view.state;
	if ((rc = run(&s, node_id, NULL, err)))
		return rc;
	if (!s.count)
		return demon_err_set(err, DEMON_NOTFOUND, "node '%.80s' not found", node_id);
	qsort(s.at, s.count, sizeof(*s.at), by_distance);
	for (size_t i = 1; i < s.count && !rc; i++) {
		struct demon_json_span value;

		rc = demon_graph_state_node(s.state, s.at[i].id, s.at[i].len, &value, err);
		if (rc)
			return rc;
		demon_buf_clear(&item);
		demon_graph_item_node(&item, s.at[i].id, s.at[i].len, value, s.at[i].distance);
		if (!(rc = demon_buf_rc(&item, err)))
			rc = fn(ctx, item.data, item.len, err);
	}
	return rc;
}

/* Writes the way to @p last, from its beginning. */
static enum demon_rc write_path(const struct search *s, size_t last, struct demon_buf *out,
				struct demon_err *err)
{
	size_t n = s->at ? (size_t)s->at[last].distance + 1 : 0;
	demon_auto_free size_t *way = demon_calloc(n + 1, sizeof(*way));

	if (!way)
		return no_memory(err);
	for (size_t i = n; i-- > 0; last = s->at[last].from)
		way[i] = last;
	demon_buf_str(out, "{\"exists\":true,\"path\":[");
	for (size_t i = 0; i < n; i++) {
		const struct met *m = &s->at[way[i]];

		if (i)
			demon_buf_fmt(out, ",{\"edgeId\":\"%s\",\"nodeId\":\"%s\"}", m->edge,
				      m->id);
		else
			demon_buf_fmt(out, "{\"nodeId\":\"%s\"}", m->id);
	}
	demon_buf_str(out, "]}");
	return DEMON_OK;
}

/* NOLINTNEXTLINE(readability-function-size): what is asked, of which graph, and whom to tell */
enum demon_rc demon_graph_path(struct demon_store *store, const struct demon_graph_scope *scope,
			       const char *at, const char *from, const char *to,
			       const struct demon_graph_reach *reach, struct demon_buf *out,
			       struct demon_err *err)
{
	demon_cleanup(search_done) struct search s = {.reach = reach};
	uint32_t found;
	enum demon_rc rc;
	DEMON_GRAPH_VIEW(view);

	if ((rc = demon_graph_view_open(&view, store, scope, at, err)))
		return rc;
	s.state = &view.state;
	if ((rc = run(&s, from, to, err)))
		return rc;
	found = s.table_room ? *place_of(&s, to, strlen(to)) : 0;
	if (!found)
		demon_buf_str(out, "{\"exists\":false}");
	else if ((rc = write_path(&s, found - 1, out, err)))
		return rc;
	return demon_buf_rc(out, err);
}
