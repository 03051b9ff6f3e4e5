/*
 * Merging one node or edge: a set of fields, its properties by name, and what it is besides as
 * "@labels", "@label", "@from", "@to" (a property that begins with '@' has one more).
 */
#include "merging.h"

#include <stdio.h>
#include <string.h>

static const char *const specials[] = {"from", "label", "labels", "to"};

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a merge");
}

/* --- fields -------------------------------------------------------------------------------- */

static bool set_field(json_t *fields, const char *mark, const char *name, json_t *value)
{
	char key[1024];
	int n = snprintf(key, sizeof(key), "%s%s", mark, name);
	json_auto_t *text = NULL;

	if (n >= 0 && (size_t)n < sizeof(key))
		return json_object_set(fields, key, value) == 0;
	text = json_sprintf("%s%s", mark, name);
	return text && json_object_set(fields, json_string_value(text), value) == 0;
}

/* The fields of a value as a state has it (new); of nothing: NULL. */
static enum demon_rc flatten(struct demon_json_span value, json_t **ret, struct demon_err *err)
{
	json_auto_t *whole = NULL;
	json_auto_t *fields = NULL;
	const char *name;
	json_t *item;
	enum demon_rc rc;

	*ret = NULL;
	if (!value.at)
		return DEMON_OK;
	if ((rc = demon_json_parse(value.at, value.len, &demon_json_payload_limits, &whole, err)))
		return rc;
	fields = json_object();
	for (size_t i = 0; fields && i < demon_count(specials); i++) {
		item = json_object_get(whole, specials[i]);
		if (item && !set_field(fields, "@", specials[i], item))
			return no_memory(err);
	}
	json_object_foreach(json_object_get(whole, "properties"), name, item)
	{
		if (!fields || !set_field(fields, *name == '@' ? "@" : "", name, item))
			return no_memory(err);
	}
	*ret = demon_take(fields);
	return *ret ? DEMON_OK : no_memory(err);
}

/* A value as a state has it, from fields; it lives as long as the merge. */
static enum demon_rc unflatten(struct demon_graph_merging *m, const json_t *fields,
			       struct demon_json_span *ret, struct demon_err *err)
{
	json_auto_t *whole = json_object();
	json_auto_t *properties = json_object();
	const char *name;
	json_t *item;
	json_t *text;
	DEMON_BUF(out, 0);
	enum demon_rc rc;

	json_object_foreach(demon_json_iterable(fields), name, item)
	{
		bool special = name[0] == '@' && name[1] != '@';

		if (json_object_set(special ? whole : properties, name + (*name == '@'), item))
			return no_memory(err);
	}
	if (!whole ||
	    (json_object_size(properties) && json_object_set(whole, "properties", properties)))
		return no_memory(err);
	if ((rc = demon_json_canonical(whole, &out, err)) || (rc = demon_buf_rc(&out, err)))
		return rc;
	text = json_stringn_nocheck(out.data, out.len);
	if (json_array_append_new(m->texts, text))
		return no_memory(err);
	*ret = (struct demon_json_span){json_string_value(text), json_string_length(text)};
	return DEMON_OK;
}

/* --- conflicts ----------------------------------------------------------------------------- */

static const char *kind_of(bool edge)
{
	return edge ? "edge" : "node";
}

/* The resolution of a conflict, or NULL. */
static const json_t *find_resolution(const struct demon_graph_merging *m,
				     const struct demon_graph_conflict *c)
{
	for (size_t i = 0; i < json_array_size(m->resolutions); i++) {
		const json_t *r = json_array_get(m->resolutions, i);
		const char *field = json_string_value(json_object_get(r, "property"));

		if (strcmp(json_string_value(json_object_get(r, "kind")), kind_of(c->edge)) == 0 &&
		    strcmp(json_string_value(json_object_get(r, "id")), c->id) == 0 &&
		    (field ? c->field && strcmp(field, c->field) == 0 : !c->field))
			return r;
	}
	return NULL;
}

static enum demon_graph_side side_of(const struct demon_graph_merging *m,
				     const struct demon_graph_conflict *c, const json_t **ret_value)
{
	const json_t *r = find_resolution(m, c);
	const char *take = json_string_value(json_object_get(r, "take"));

	*ret_value = json_object_get(r, "value");
	if (*ret_value)
		return DEMON_GRAPH_SIDE_VALUE;
	if (take)
		return strcmp(take, "ours") == 0     ? DEMON_GRAPH_SIDE_OURS
		       : strcmp(take, "theirs") == 0 ? DEMON_GRAPH_SIDE_THEIRS
						     : DEMON_GRAPH_SIDE_BASE;
	if (m->merge->strategy == DEMON_GRAPH_STRATEGY_OURS)
		return DEMON_GRAPH_SIDE_OURS;
	return m->merge->strategy == DEMON_GRAPH_STRATEGY_THEIRS ? DEMON_GRAPH_SIDE_THEIRS
								 : DEMON_GRAPH_UNRESOLVED;
}

static json_t *or_absent(const json_t *value)
{
	return value ? json_incref(demon_json_iterable(value)) : NULL;
}

/* Counts and tells a conflict; *ret_side is how it is resolved. */
enum demon_rc demon_graph_merging_tell(struct demon_graph_merging *m,
				       const struct demon_graph_conflict *c,
				       enum demon_graph_side *ret_side, const json_t **ret_value,
				       struct demon_err *err)
{
	static const char *const words[] = {NULL, "ours", "theirs", "base", "value"};
	json_auto_t *doc = NULL;
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	*ret_side = side_of(m, c, ret_value);
	m->ret->conflicts++;
	m->ret->unresolved += *ret_side == DEMON_GRAPH_UNRESOLVED;
	if (!m->fn)
		return DEMON_OK;
	doc = json_pack("{s:s,s:s,s:s*,s:o*,s:o*,s:o*,s:s,s:s*}", "kind", kind_of(c->edge), "id",
			c->id, "property", c->field, "base", or_absent(c->base), "ours",
			or_absent(c->ours), "theirs", or_absent(c->theirs), "why", c->why,
			"resolved", words[*ret_side]);
	if (!doc)
		return no_memory(err);
	if ((rc = demon_json_canonical(doc, &text, err)) || (rc = demon_buf_rc(&text, err)))
		return rc;
	return m->fn(m->ctx, text.data, text.len, err);
}

/* --- one node or edge ---------------------------------------------------------------------- */

static bool same(const json_t *a, const json_t *b)
{
	return a && b ? json_equal(a, b) : a == b;
}

/* One field: what both have of it, or one of them has changed, or a conflict. */
static enum demon_rc merge_field(struct demon_graph_merging *m, struct demon_graph_conflict *c,
				 json_t *result, struct demon_err *err)
{
	const json_t *value = c->ours;
	const json_t *given;
	enum demon_graph_side side;
	enum demon_rc rc;

	if (!same(c->ours, c->theirs) && same(c->ours, c->base)) {
		value = c->theirs;
	} else if (!same(c->ours, c->theirs) && !same(c->theirs, c->base)) {
		c->why = "both sides changed it";
		if ((rc = demon_graph_merging_tell(m, c, &side, &given, err)))
			return rc;
		value = side == DEMON_GRAPH_SIDE_THEIRS  ? c->theirs
			: side == DEMON_GRAPH_SIDE_BASE  ? c->base
			: side == DEMON_GRAPH_SIDE_VALUE ? given
							 : c->ours;
	}
	if (value && json_object_set(result, c->field, demon_json_iterable(value)))
		return no_memory(err);
	return DEMON_OK;
}

/* Three versions of one node or edge, as fields; NULL: not there. */
struct versions {
	json_t *base;
	json_t *ours;
	json_t *theirs;
};

static void versions_done(struct versions *v)
{
	json_decref(v->base);
	json_decref(v->ours);
	json_decref(v->theirs);
}

static enum demon_rc merge_fields(struct demon_graph_merging *m,
				  const struct demon_graph_pair *pair, const struct versions *v,
				  struct demon_json_span *ret, struct demon_err *err)
{
	json_auto_t *names = json_object();
	json_auto_t *result = json_object();
	const char *name;
	json_t *unused;
	enum demon_rc rc = DEMON_OK;

	if (!names || !result || (v->base && json_object_update(names, v->base)) ||
	    json_object_update(names, v->ours) || json_object_update(names, v->theirs))
		return no_memory(err);
	json_object_foreach(names, name, unused)
	{
		struct demon_graph_conflict c = {.edge = pair->edge,
						 .id = pair->id,
						 .field = name,
						 .base = json_object_get(v->base, name),
						 .ours = json_object_get(v->ours, name),
						 .theirs = json_object_get(v->theirs, name)};

		if ((rc = merge_field(m, &c, result, err)))
			return rc;
	}
	return unflatten(m, result, ret, err);
}

/* One side has removed what the other has changed. */
static enum demon_rc merge_removal(struct demon_graph_merging *m,
				   const struct demon_graph_pair *ours,
				   const struct demon_graph_pair *theirs, const struct versions *v,
				   struct demon_json_span *ret, struct demon_err *err)
{
	const struct demon_graph_conflict c = {.edge = theirs->edge,
					       .id = theirs->id,
					       .why = v->ours ? "theirs removed what ours changed"
							      : "ours removed what theirs changed",
					       .base = v->base,
					       .ours = v->ours,
					       .theirs = v->theirs};
	const json_t *given;
	enum demon_graph_side side;
	enum demon_rc rc;

	if ((rc = demon_graph_merging_tell(m, &c, &side, &given, err)))
		return rc;
	if (side == DEMON_GRAPH_SIDE_VALUE)
		return demon_err_set(err, DEMON_INVALID,
				     "resolution of %s '%s': a whole is taken from a side",
				     kind_of(c.edge), c.id);
	*ret = side == DEMON_GRAPH_SIDE_THEIRS ? theirs->after
	       : side == DEMON_GRAPH_SIDE_BASE ? theirs->before
					       : ours->after;
	return DEMON_OK;
}

enum demon_rc demon_graph_merging_item(struct demon_graph_merging *m,
				       const struct demon_graph_pair *theirs,
				       struct demon_graph_pair *ret, struct demon_err *err)
{
	const struct demon_graph_pair *ours =
	    demon_graph_pairs_get(&m->ours_did, theirs->edge, theirs->id, theirs->len);
	demon_cleanup(versions_done) struct versions v = {0};
	enum demon_rc rc;

	*ret = *theirs;
	if (!ours)
		return DEMON_OK; /* ours has what the base has */
	ret->before = ours->after;
	if ((rc = flatten(theirs->before, &v.base, err)) ||
	    (rc = flatten(ours->after, &v.ours, err)) ||
	    (rc = flatten(theirs->after, &v.theirs, err)))
		return rc;
	if (!v.ours && !v.theirs)
		return DEMON_OK;
	if (!v.ours || !v.theirs)
		return merge_removal(m, ours, theirs, &v, &ret->after, err);
	return merge_fields(m, theirs, &v, &ret->after, err);
}
