#include "adjacency.h"

#include "store/subject.h"

#include <string.h>

/* The key of a node's edges: direction and id. */
struct key {
	char text[1 + DEMON_ID_MAX];
	size_t len;
};

static struct key key_of(struct demon_json_span id, bool out)
{
	struct key key = {.len = id.len < DEMON_ID_MAX ? id.len : DEMON_ID_MAX};

	key.text[0] = out ? '>' : '<';
	memcpy(key.text + 1, id.at, key.len);
	key.len++;
	return key;
}

static enum demon_rc damaged(struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "graph_packs: a list of edges is damaged");
}

/* --- values -------------------------------------------------------------------------------- */

/* What an edge in a set has as value: the other end and the label. */
static void add_ends(const struct demon_graph_link *link, struct demon_buf *out)
{
	demon_buf_char(out, (char)link->other_len);
	demon_buf_add(out, link->other, link->other_len);
	demon_buf_add(out, link->label, link->label_len);
}

static bool read_ends(const void *bytes, size_t len, struct demon_graph_link *link)
{
	const unsigned char *at = bytes;

	if (len < 1 || len < 1U + at[0])
		return false;
	link->other = (const char *)at + 1;
	link->other_len = at[0];
	link->label = link->other + link->other_len;
	link->label_len = len - 1 - link->other_len;
	return true;
}

static void add_item(const struct demon_graph_link *link, struct demon_buf *out)
{
	demon_buf_char(out, (char)link->edge_len);
	demon_buf_add(out, link->edge, link->edge_len);
	demon_buf_char(out, (char)link->other_len);
	demon_buf_add(out, link->other, link->other_len);
	demon_buf_char(out, (char)(link->label_len >> 8));
	demon_buf_char(out, (char)link->label_len);
	demon_buf_add(out, link->label, link->label_len);
}

/* The links of a list, at most one more than it may have. */
struct links {
	struct demon_graph_link at[DEMON_GRAPH_INLINE_EDGES + 1];
	size_t count;
};

static bool take_text(const unsigned char **at, const unsigned char *end, size_t width,
		      const char **ret, size_t *ret_len)
{
	if ((size_t)(end - *at) < width)
		return false;
	*ret_len = width == 1 ? (*at)[0] : (size_t)(*at)[0] << 8 | (*at)[1];
	*at += width;
	if ((size_t)(end - *at) < *ret_len)
		return false;
	*ret = (const char *)*at;
	*at += *ret_len;
	return true;
}

static enum demon_rc read_list(const void *bytes, size_t len, struct links *ret,
			       struct demon_err *err)
{
	const unsigned char *at = bytes;
	const unsigned char *end = at + len;

	ret->count = 0;
	while (at < end) {
		struct demon_graph_link *link = &ret->at[ret->count];

		if (ret->count == DEMON_GRAPH_INLINE_EDGES ||
		    !take_text(&at, end, 1, &link->edge, &link->edge_len) ||
		    !take_text(&at, end, 1, &link->other, &link->other_len) ||
		    !take_text(&at, end, 2, &link->label, &link->label_len))
			return damaged(err);
		ret->count++;
	}
	return DEMON_OK;
}

/* Where @p edge stands in a list, or should. */
static size_t find_link(const struct links *links, const char *edge, size_t len, bool *ret_found)
{
	size_t i = 0;
	int order = 1;

	for (; i < links->count; i++) {
		const struct demon_graph_link *l = &links->at[i];
		size_t n = l->edge_len < len ? l->edge_len : len;

		order = memcmp(l->edge, edge, n);
		if (order == 0)
			order = (l->edge_len > len) - (l->edge_len < len);
		if (order >= 0)
			break;
	}
	*ret_found = i < links->count && order == 0;
	return i;
}

/* --- writing ------------------------------------------------------------------------------- */

/* Bytes of @p buf that live as long as the session. */
static const void *keep(struct demon_trie_session *s, const struct demon_buf *buf)
{
	char *at = buf->rc ? NULL : demon_arena_new(&s->arena, buf->len + 1, 1);

	if (at)
		memcpy(at, buf->data, buf->len);
	return at;
}

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a graph");
}

static enum demon_rc put_list(struct demon_trie *t, const struct key *key,
			      const struct links *links, struct demon_err *err)
{
	DEMON_BUF(list, 0);
	const void *bytes;

	if (links->count == 0)
		return demon_trie_remove(t, key->text, key->len, NULL, err);
	for (size_t i = 0; i < links->count; i++)
		add_item(&links->at[i], &list);
	bytes = keep(t->session, &list);
	return bytes ? demon_trie_put(t, key->text, key->len, bytes, list.len, err)
		     : no_memory(err);
}

static enum demon_rc put_in_set(struct demon_trie *set, const struct demon_graph_link *link,
				struct demon_err *err)
{
	DEMON_BUF(ends, 0);
	const void *bytes;

	add_ends(link, &ends);
	bytes = keep(set->session, &ends);
	return bytes ? demon_trie_put(set, link->edge, link->edge_len, bytes, ends.len, err)
		     : no_memory(err);
}

/* The links that stand under a key: in a list, or in a set that is opened. */
struct held {
	const struct demon_trie_value *value; /* NULL: none */
	struct demon_trie *set;               /* NULL: a list */
	struct links links;
};

static enum demon_rc hold(struct demon_trie *t, const struct key *key, struct held *h,
			  struct demon_err *err)
{
	const void *bytes;
	enum demon_rc rc;

	h->set = NULL;
	h->links.count = 0;
	if ((rc = demon_trie_get(t, key->text, key->len, &h->value, err)) || !h->value)
		return rc;
	if (h->value->form == DEMON_TRIE_SET) {
		h->set =
		    h->value->set ? h->value->set : demon_trie_open(t->session, &h->value->ref);
		return h->set ? DEMON_OK : no_memory(err);
	}
	if ((rc = demon_trie_bytes(t->session, h->value, &bytes, err)))
		return rc;
	return read_list(bytes, h->value->len, &h->links, err);
}

enum demon_rc demon_graph_adjacency_put(struct demon_trie *t, struct demon_json_span id, bool out,
					const struct demon_graph_link *link, struct demon_err *err)
{
	const struct key key = key_of(id, out);
	struct held h;
	bool found;
	size_t i;
	enum demon_rc rc;

	if ((rc = hold(t, &key, &h, err)))
		return rc;
	if (!h.set) {
		i = find_link(&h.links, link->edge, link->edge_len, &found);
		if (!found) {
			memmove(&h.links.at[i + 1], &h.links.at[i],
				(h.links.count - i) * sizeof(h.links.at[0]));
			h.links.count++;
		}
		h.links.at[i] = *link;
		if (h.links.count <= DEMON_GRAPH_INLINE_EDGES)
			return put_list(t, &key, &h.links, err);
		h.set = demon_trie_open(t->session, NULL);
		if (!h.set)
			return no_memory(err);
		for (i = 0; i < h.links.count && !rc; i++)
			rc = put_in_set(h.set, &h.links.at[i], err);
	} else {
		rc = put_in_set(h.set, link, err);
	}
	return rc ? rc : demon_trie_put_set(t, key.text, key.len, h.set, err);
}

static enum demon_rc collect(void *ctx, const struct demon_trie_entry *entry, struct demon_err *err)
{
	struct links *links = ctx;
	struct demon_graph_link link = {.edge = entry->key, .edge_len = entry->key_len};
	bool found;
	size_t i;

	if (links->count == DEMON_GRAPH_INLINE_EDGES ||
	    !read_ends(entry->value.bytes, entry->value.len, &link))
		return damaged(err);
	i = find_link(links, link.edge, link.edge_len, &found);
	memmove(&links->at[i + 1], &links->at[i], (links->count - i) * sizeof(links->at[0]));
	links->at[i] = link;
	links->count++;
	return DEMON_OK;
}

/* What is read on a walk is let go, so the set is read into the session before. */
static enum demon_rc pin(void *ctx, const struct demon_trie_entry *entry, struct demon_err *err)
{
	const struct demon_trie_value *value;

	return demon_trie_get(ctx, entry->key, entry->key_len, &value, err);
}

/* A set that has shrunk to what a list holds becomes one. */
static enum demon_rc shrink(struct demon_trie *t, const struct key *key, struct demon_trie *set,
			    struct demon_err *err)
{
	struct links links = {.count = 0};
	enum demon_rc rc;

	if ((rc = demon_trie_walk(set, pin, set, err)) ||
	    (rc = demon_trie_walk(set, collect, &links, err)))
		return rc;
	return put_list(t, key, &links, err);
}

enum demon_rc demon_graph_adjacency_remove(struct demon_trie *t, struct demon_json_span id,
					   bool out, struct demon_json_span edge,
					   struct demon_err *err)
{
	const struct key key = key_of(id, out);
	struct held h;
	uint64_t left;
	bool found;
	size_t i;
	enum demon_rc rc;

	if ((rc = hold(t, &key, &h, err)) || !h.value)
		return rc;
	if (!h.set) {
		i = find_link(&h.links, edge.at, edge.len, &found);
		if (!found)
			return DEMON_OK;
		h.links.count--;
		memmove(&h.links.at[i], &h.links.at[i + 1],
			(h.links.count - i) * sizeof(h.links.at[0]));
		return put_list(t, &key, &h.links, err);
	}
	if ((rc = demon_trie_remove(h.set, edge.at, edge.len, &found, err)) || !found ||
	    (rc = demon_trie_count(h.set, &left, err)))
		return rc;
	if (left <= DEMON_GRAPH_INLINE_EDGES)
		return shrink(t, &key, h.set, err);
	return demon_trie_put_set(t, key.text, key.len, h.set, err);
}

/* --- reading ------------------------------------------------------------------------------- */

struct walk {
	demon_graph_link_fn *fn;
	void *ctx;
};

static enum demon_rc give_entry(void *ctx, const struct demon_trie_entry *entry,
				struct demon_err *err)
{
	const struct walk *walk = ctx;
	struct demon_graph_link link = {.edge = entry->key, .edge_len = entry->key_len};

	if (!read_ends(entry->value.bytes, entry->value.len, &link))
		return damaged(err);
	return walk->fn(walk->ctx, &link, err);
}

enum demon_rc demon_graph_adjacency_walk(struct demon_trie *t, struct demon_json_span id, bool out,
					 demon_graph_link_fn *fn, void *ctx, struct demon_err *err)
{
	const struct key key = key_of(id, out);
	struct walk walk = {fn, ctx};
	struct held h;
	enum demon_rc rc;

	if ((rc = hold(t, &key, &h, err)))
		return rc;
	if (h.set)
		return demon_trie_walk(h.set, give_entry, &walk, err);
	for (size_t i = 0; i < h.links.count && !rc; i++)
		rc = fn(ctx, &h.links.at[i], err);
	return rc;
}
