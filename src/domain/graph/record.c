#include "record.h"

#include "base/json.h"

#include <string.h>

#define WHOLE_MAX ((size_t)384 * 1024) /* bytes of mutations in the commit's own event */
#define PART_MAX  ((size_t)448 * 1024) /* and in a part */
#define GROUP_MAX                                                                       \
	((size_t)60 << 20) /* of all of them: the rest of a group is for what is around \
			    */

static void add_span(struct demon_jw *w, const char *key, struct demon_json_span span)
{
	if (span.at)
		demon_jw_raw(w, key, span.at, span.len);
}

static void add_hex(struct demon_jw *w, const char *key, const unsigned char id[DEMON_HASH_LEN])
{
	char hex[DEMON_GRAPH_HEX_LEN + 1];

	demon_hex(id, DEMON_HASH_LEN, hex);
	demon_jw_str(w, key, hex);
}

static void add_ids(struct demon_jw *w, const char *key, const struct demon_graph_id *ids,
		    size_t count)
{
	demon_jw_raw(w, key, "[", 1);
	for (size_t i = 0; i < count; i++) {
		demon_buf_str(w->out, i ? ",\"" : "\"");
		demon_buf_hex(w->out, ids[i].bytes, DEMON_HASH_LEN);
		demon_buf_char(w->out, '"');
	}
	demon_buf_char(w->out, ']');
}

/* The text before the mutations' items, and that behind them. */
static void write_head(const struct demon_graph_record *r, struct demon_jw *w)
{
	add_span(w, "author", r->author);
	demon_jw_i64(w, "format", 1);
	demon_jw_str(w, "graphId", r->scope.graph_id);
	add_span(w, "message", r->message);
	demon_jw_raw(w, "mutations", "[", 1);
}

static void write_tail(const struct demon_graph_record *r, struct demon_jw *w)
{
	demon_buf_char(w->out, ']');
	demon_jw_str(w, "namespace", r->scope.namespace_id);
	add_ids(w, "parents", r->parents, r->parent_count);
	demon_jw_str(w, "projectId", r->scope.project_id);
	add_hex(w, "root", r->root);
	demon_jw_str(w, "tenantId", r->scope.tenant_id);
	demon_jw_time(w, "ts", r->ts);
	demon_jw_end(w);
}

enum demon_rc demon_graph_record_id(struct demon_sha256 *sha, const struct demon_graph_record *r,
				    unsigned char out[DEMON_HASH_LEN], struct demon_err *err)
{
	DEMON_BUF(text, 0);
	struct demon_jw w = demon_jw_begin(&text);
	size_t head;

	write_head(r, &w);
	head = text.len;
	write_tail(r, &w);
	if (demon_buf_rc(&text, err))
		return err->rc;
	demon_sha256_begin(sha);
	demon_sha256_add(sha, text.data, head);
	demon_sha256_add(sha, r->mutations.at, r->mutations.len);
	demon_sha256_add(sha, text.data + head, text.len - head);
	demon_sha256_end(sha, out);
	return DEMON_OK;
}

/* --- events -------------------------------------------------------------------------------- */

/* How the mutations are cut: the parts, and what remains for the commit's own event. */
struct cut {
	struct demon_json_span *parts; /* owned */
	struct demon_graph_id *hashes; /* owned: of each part's mutations */
	size_t count;
	struct demon_json_span rest;
};

static void cut_done(struct cut *cut)
{
	free(cut->parts);
	free(cut->hashes);
}

static enum demon_rc add_part(struct cut *cut, struct demon_sha256 *sha,
			      struct demon_json_span part, struct demon_err *err)
{
	void *parts;
	void *hashes;

	parts = demon_realloc(cut->parts, cut->count + 1, sizeof(*cut->parts));
	if (parts)
		cut->parts = parts;
	hashes = demon_realloc(cut->hashes, cut->count + 1, sizeof(*cut->hashes));
	if (hashes)
		cut->hashes = hashes;
	if (!parts || !hashes)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a commit");
	cut->parts[cut->count] = part;
	demon_sha256_begin(sha);
	demon_sha256_add(sha, "[", 1);
	demon_sha256_add(sha, part.at, part.len);
	demon_sha256_add(sha, "]", 1);
	demon_sha256_end(sha, cut->hashes[cut->count].bytes);
	cut->count++;
	return DEMON_OK;
}

/* As many items as a part holds, at least one, but not the last one: the commit's own event has
 * some too. What is left begins with an item. */
static struct demon_json_span take_part(struct demon_json_span *rest)
{
	struct demon_json_walk walk = {.at = rest->at, .end = rest->at + rest->len + 1};
	struct demon_json_span item;
	const char *end = rest->at;
	struct demon_json_span part;

	while (demon_json_items_next(&walk, &item)) {
		const char *behind = item.at + item.len;

		if (end > rest->at &&
		    ((size_t)(behind - rest->at) > PART_MAX || behind == rest->at + rest->len))
			break;
		end = item.at + item.len;
	}
	part = (struct demon_json_span){rest->at, (size_t)(end - rest->at)};
	rest->len -= part.len < rest->len ? part.len + 1 : rest->len;
	rest->at = end + 1;
	return part;
}

static enum demon_rc cut_mutations(struct cut *cut, struct demon_sha256 *sha,
				   struct demon_json_span mutations, struct demon_err *err)
{
	cut->rest = mutations;
	if (mutations.len > GROUP_MAX)
		return demon_err_set(err, DEMON_TOOBIG,
				     "a commit with %zu bytes of mutations; the limit, that of a "
				     "group of events, is %zu",
				     mutations.len, GROUP_MAX);
	while (cut->rest.len > WHOLE_MAX)
		if (add_part(cut, sha, take_part(&cut->rest), err))
			return err->rc;
	return DEMON_OK;
}

static void add_list(struct demon_jw *w, const char *key, struct demon_json_span items)
{
	demon_jw_raw(w, key, "[", 1);
	demon_buf_add(w->out, items.at, items.len);
	demon_buf_char(w->out, ']');
}

static void write_part(const struct demon_graph_record *r, const unsigned char *id, size_t index,
		       struct demon_json_span items, struct demon_buf *out)
{
	struct demon_jw w = demon_jw_begin(out);

	add_hex(&w, "commitId", id);
	demon_jw_str(&w, "event", DEMON_GRAPH_PART);
	demon_jw_str(&w, "graphId", r->scope.graph_id);
	demon_jw_i64(&w, "index", (int64_t)index);
	add_list(&w, "mutations", items);
	demon_jw_str(&w, "namespace", r->scope.namespace_id);
	demon_jw_str(&w, "projectId", r->scope.project_id);
	demon_jw_str(&w, "tenantId", r->scope.tenant_id);
	demon_jw_time(&w, "ts", r->ts);
	demon_jw_end(&w);
}

static void write_commit(const struct demon_graph_record *r, const unsigned char *id,
			 const struct cut *cut, struct demon_buf *out)
{
	struct demon_jw w = demon_jw_begin(out);
	struct demon_jw metadata;

	add_hex(&w, "commitId", id);
	demon_jw_str(&w, "event", r->mutations.len ? DEMON_GRAPH_CREATED : DEMON_GRAPH_JOINED);
	demon_jw_str(&w, "graphId", r->scope.graph_id);
	metadata = demon_jw_object(&w, "metadata");
	add_span(&metadata, "author", r->author);
	add_span(&metadata, "message", r->message);
	if (r->parent_count > 1)
		add_ids(&metadata, "parents", r->parents, r->parent_count);
	if (cut->count)
		add_ids(&metadata, "parts", cut->hashes, cut->count);
	add_hex(&metadata, "root", r->root);
	demon_jw_end(&metadata);
	if (r->mutations.len)
		add_list(&w, "mutations", cut->rest);
	demon_jw_str(&w, "namespace", r->scope.namespace_id);
	if (r->parent_count)
		add_hex(&w, "parentCommitId", r->parents[0].bytes);
	demon_jw_str(&w, "projectId", r->scope.project_id);
	demon_jw_str(&w, "tenantId", r->scope.tenant_id);
	demon_jw_time(&w, "ts", r->ts);
	demon_jw_end(&w);
}

static struct demon_record record_of(const struct demon_graph_record *r, const char *type,
				     const struct demon_buf *payload)
{
	return (struct demon_record){.type = type,
				     .tenant_id = r->scope.tenant_id,
				     .project_id = r->scope.project_id,
				     .namespace_id = r->scope.namespace_id,
				     .graph_id = r->scope.graph_id,
				     .payload = payload->data,
				     .payload_len = payload->len};
}

enum demon_rc demon_graph_events_make(struct demon_sha256 *sha, const struct demon_graph_record *r,
				      const unsigned char id[DEMON_HASH_LEN],
				      struct demon_graph_events *ret, struct demon_err *err)
{
	demon_cleanup(cut_done) struct cut cut = {0};
	struct demon_buf *payload;
	enum demon_rc rc;

	*ret = (struct demon_graph_events){0};
	if ((rc = cut_mutations(&cut, sha, r->mutations, err)))
		return rc;
	ret->records = demon_calloc(cut.count + 1, sizeof(*ret->records));
	ret->payloads = demon_calloc(cut.count + 1, sizeof(*ret->payloads));
	if (!ret->records || !ret->payloads)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a commit");
	ret->count = cut.count + 1;
	for (size_t i = 0; i <= cut.count; i++) {
		payload = &ret->payloads[i];
		payload->data = demon_buf_empty;
		if (i < cut.count)
			write_part(r, id, i, cut.parts[i], payload);
		else
			write_commit(r, id, &cut, payload);
		if ((rc = demon_buf_rc(payload, err)))
			return rc;
		ret->records[i] = record_of(r,
					    i < cut.count      ? DEMON_GRAPH_PART
					    : r->mutations.len ? DEMON_GRAPH_CREATED
							       : DEMON_GRAPH_JOINED,
					    payload);
	}
	return DEMON_OK;
}

void demon_graph_events_done(struct demon_graph_events *events)
{
	for (size_t i = 0; events->payloads && i < events->count; i++)
		demon_buf_done(&events->payloads[i]);
	free(events->payloads);
	free(events->records);
	*events = (struct demon_graph_events){0};
}
