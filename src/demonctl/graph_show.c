/*
 * demonctl graph: what reads.
 */
#include "domain/graph/history.h"
#include "domain/graph/query.h"
#include "domain/graph/transfer.h"
#include "graph.h"
#include "out.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 1000

static enum demon_rc print_tag(void *ctx, const struct demon_graph_tag *tag, struct demon_err *err)
{
	struct demon_ctl *ctl = ctx;
	char hex[DEMON_GRAPH_HEX_LEN + 1];
	char origin[2 * DEMON_ORIGIN_LEN + 1];

	demon_hex(tag->commit_id.bytes, sizeof(tag->commit_id.bytes), hex);
	demon_hex(tag->origin, sizeof(tag->origin), origin);
	return demon_out_json(&ctl->settings,
			      json_pack("{s:s,s:s,s:o,s:s}", "tag", tag->tag, "commitId", hex,
					"timestamp", demon_out_time_json(tag->ts), "origin",
					origin),
			      err);
}

enum demon_rc demon_command_graph_list_tags(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_graph_scope scope;
	enum demon_rc rc = demon_graph_open(ctl, false, &scope, err);

	return rc ? rc : demon_graph_list_tags(ctl->store, &scope, print_tag, ctl, err);
}

enum demon_rc demon_command_graph_get_tag(struct demon_ctl *ctl, struct demon_err *err)
{
	const char *tag = demon_args_get(&ctl->args, "tag");
	struct demon_graph_scope scope;
	enum demon_rc rc;

	if (!tag)
		return demon_err_set(err, DEMON_USAGE, "option '--tag' is needed");
	if ((rc = demon_graph_open(ctl, false, &scope, err)))
		return rc;
	return demon_graph_get_tag(ctl->store, &scope, tag, print_tag, ctl, err);
}

enum demon_rc demon_command_graph_get_commit(struct demon_ctl *ctl, struct demon_err *err)
{
	const char *id = demon_args_get(&ctl->args, "commit-id");
	struct demon_graph_scope scope;
	DEMON_BUF(out, 0);
	enum demon_rc rc;

	if (!id && !ctl->word_count)
		return demon_err_set(err, DEMON_USAGE, "which commit? Say it, or --commit-id ID");
	if ((rc = demon_graph_open(ctl, false, &scope, err)) ||
	    (rc = demon_graph_get_commit(ctl->store, &scope, id ? id : ctl->words[0], &out, err)))
		return rc;
	return demon_graph_print(ctl, out.data, out.len, err);
}

static enum demon_rc print_commit(void *ctx, const struct demon_graph_log_row *row,
				  struct demon_err *err)
{
	struct demon_ctl *ctl = ctx;
	char hex[DEMON_GRAPH_HEX_LEN + 1];
	json_auto_t *parents = json_array();

	for (size_t i = 0; i < row->parent_count; i++) {
		demon_hex(row->parents[i].bytes, DEMON_HASH_LEN, hex);
		if (json_array_append_new(parents, json_string(hex)))
			return demon_err_set(err, DEMON_NOMEM, "no memory for a commit");
	}
	demon_hex(row->id.bytes, sizeof(row->id.bytes), hex);
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:s,s:O,s:I,s:o,s:s*,s:s*}", "commitId", hex,
						"parents", parents, "generation",
						(json_int_t)row->generation, "ts",
						demon_out_time_json(row->ts), "author", row->author,
						"message", row->message),
				      err);
	{
		DEMON_BUF(line, 0);

		demon_buf_fmt(&line, "%.12s %s%s ", hex, demon_out_time(row->ts),
			      row->parent_count > 1 ? " merge" : "");
		demon_out_printable(&line, row->author ? row->author : "-");
		demon_buf_str(&line, ": ");
		demon_out_printable(&line, row->message ? row->message : "-");
		demon_out_line(line.data);
	}
	return DEMON_OK;
}

enum demon_rc demon_command_graph_log(struct demon_ctl *ctl, struct demon_err *err)
{
	const char *order = demon_args_get(&ctl->args, "order");
	struct demon_graph_log_filter filter = {.from = demon_args_get(&ctl->args, "from"),
						.order = DEMON_GRAPH_TOPOLOGICAL,
						.node = demon_args_get(&ctl->args, "node")};
	int64_t limit = 0;
	struct demon_graph_scope scope;
	enum demon_rc rc;

	if (order && strcmp(order, "time") == 0)
		filter.order = DEMON_GRAPH_BY_TIME;
	else if (order && strcmp(order, "topo") != 0)
		return demon_err_set(err, DEMON_USAGE, "option '--order': expected topo or time");
	if (!filter.from && filter.node)
		filter.from = "main";
	if (!filter.from)
		filter.order = DEMON_GRAPH_BY_TIME;
	if ((rc = demon_args_number(&ctl->args, "limit", 1, INT32_MAX, &limit, err)) ||
	    (rc = demon_graph_open(ctl, false, &scope, err)))
		return rc;
	filter.limit = (size_t)limit;
	return demon_graph_log(ctl->store, &scope, &filter, print_commit, ctl, err);
}

static enum demon_rc parse(const char *text, json_t **ret, struct demon_err *err)
{
	*ret = NULL;
	if (!text)
		return DEMON_OK;
	return demon_json_parse(text, strlen(text), &demon_json_payload_limits, ret, err);
}

static enum demon_rc print_difference(void *ctx, const struct demon_graph_difference *d,
				      struct demon_err *err)
{
	struct demon_ctl *ctl = ctx;
	json_t *before = NULL;
	json_t *after = NULL;
	DEMON_BUF(line, 0);
	enum demon_rc rc;

	if (!ctl->settings.json) {
		demon_buf_fmt(&line, "%s %s %s",
			      !d->before  ? "+"
			      : !d->after ? "-"
					  : "~",
			      d->edge ? "edge" : "node", d->id);
		demon_out_line(line.data);
		return DEMON_OK;
	}
	if ((rc = parse(d->before, &before, err)) || (rc = parse(d->after, &after, err))) {
		json_decref(before);
		return rc;
	}
	return demon_out_json(&ctl->settings,
			      json_pack("{s:s,s:s,s:s,s:o*,s:o*}", "kind",
					d->edge ? "edge" : "node", "id", d->id, "change",
					!before  ? "added"
					: !after ? "removed"
						 : "changed",
					"before", before, "after", after),
			      err);
}

enum demon_rc demon_command_graph_diff(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(demon_graph_mutations_free_p) struct demon_graph_mutations *list = NULL;
	struct demon_graph_scope scope;
	DEMON_BUF(text, 0);
	enum demon_rc rc = demon_graph_open(ctl, false, &scope, err);

	if (rc)
		return rc;
	if (!demon_args_has(&ctl->args, "mutations"))
		return demon_graph_diff(ctl->store, &scope, ctl->words[0], ctl->words[1],
					print_difference, ctl, err);
	if ((rc = demon_graph_diff_mutations(ctl->store, &scope, ctl->words[0], ctl->words[1],
					     &list, err)))
		return rc;
	demon_graph_mutations_text(list, &text);
	if ((rc = demon_buf_rc(&text, err)))
		return rc;
	return demon_graph_print(ctl, text.data, text.len, err);
}

static enum demon_rc add_id(void *ctx, const struct demon_graph_id *id, struct demon_err *err)
{
	char hex[DEMON_GRAPH_HEX_LEN + 1];

	demon_hex(id->bytes, sizeof(id->bytes), hex);
	return json_array_append_new(ctx, json_string(hex))
		   ? demon_err_set(err, DEMON_NOMEM, "no memory for commits")
		   : DEMON_OK;
}

enum demon_rc demon_command_graph_merge_base(struct demon_ctl *ctl, struct demon_err *err)
{
	json_auto_t *bases = json_array();
	struct demon_graph_scope scope;
	enum demon_rc rc;

	if ((rc = demon_graph_open(ctl, false, &scope, err)) ||
	    (rc = demon_graph_merge_bases(ctl->store, &scope, ctl->words[0], ctl->words[1], add_id,
					  bases, err)))
		return rc;
	return demon_out_json(&ctl->settings, json_pack("{s:O}", "mergeBases", bases), err);
}

enum demon_rc demon_command_graph_get_node(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_graph_scope scope;
	DEMON_BUF(out, 0);
	enum demon_rc rc;

	if ((rc = demon_graph_open(ctl, false, &scope, err)) ||
	    (rc = demon_graph_get_node(ctl->store, &scope, demon_graph_at(ctl), ctl->words[0], &out,
				       err)))
		return rc;
	return demon_graph_print(ctl, out.data, out.len, err);
}

static enum demon_rc read_reach(struct demon_ctl *ctl, int64_t depth, struct demon_graph_reach *ret,
				struct demon_err *err)
{
	const char *direction = demon_args_get(&ctl->args, "direction");
	enum demon_rc rc = demon_args_number(&ctl->args, "depth", 0, DEPTH_MAX, &depth, err);

	*ret = (struct demon_graph_reach){.label = demon_args_get(&ctl->args, "label"),
					  .depth = (unsigned)depth};
	if (rc || !direction || strcmp(direction, "both") == 0)
		return rc;
	if (strcmp(direction, "out") == 0)
		ret->direction = DEMON_GRAPH_OUT;
	else if (strcmp(direction, "in") == 0)
		ret->direction = DEMON_GRAPH_IN;
	else
		return demon_err_set(err, DEMON_USAGE,
				     "option '--direction': expected out, in or both");
	return DEMON_OK;
}

enum demon_rc demon_command_graph_neighbors(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_graph_scope scope;
	struct demon_graph_reach reach;
	enum demon_rc rc;

	if ((rc = read_reach(ctl, 1, &reach, err)) ||
	    (rc = demon_graph_open(ctl, false, &scope, err)))
		return rc;
	return demon_graph_neighbors(ctl->store, &scope, demon_graph_at(ctl), ctl->words[0], &reach,
				     demon_graph_print, ctl, err);
}

enum demon_rc demon_command_graph_path_exists(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_graph_scope scope;
	struct demon_graph_reach reach;
	DEMON_BUF(out, 0);
	enum demon_rc rc;

	if ((rc = read_reach(ctl, DEPTH_MAX, &reach, err)) ||
	    (rc = demon_graph_open(ctl, false, &scope, err)) ||
	    (rc = demon_graph_path(ctl->store, &scope, demon_graph_at(ctl), ctl->words[0],
				   ctl->words[1], &reach, &out, err)))
		return rc;
	return demon_graph_print(ctl, out.data, out.len, err);
}

/* "name" or "name=JSON"; what is no JSON is a string. */
static enum demon_rc read_property(const char *text, struct demon_buf *name,
				   struct demon_buf *value, struct demon_err *err)
{
	const char *equals = text ? strchr(text, '=') : NULL;
	json_auto_t *json = NULL;
	struct demon_err unused;
	enum demon_rc rc;

	if (!text)
		return DEMON_OK;
	demon_buf_add(name, text, equals ? (size_t)(equals - text) : strlen(text));
	if ((rc = demon_buf_rc(name, err)) || !equals)
		return rc;
	if (demon_json_parse(equals + 1, strlen(equals + 1), &demon_json_payload_limits, &json,
			     &unused))
		json = json_string(equals + 1);
	if (!json)
		return demon_err_set(err, DEMON_USAGE, "option '--property': not UTF-8");
	rc = demon_json_canonical(json, value, err);
	return rc ? rc : demon_buf_rc(value, err);
}

enum demon_rc demon_command_graph_query(struct demon_ctl *ctl, struct demon_err *err)
{
	const char *property = demon_args_get(&ctl->args, "property");
	struct demon_graph_scope scope;
	DEMON_BUF(name, 0);
	DEMON_BUF(value, 0);
	int64_t limit = 0;
	enum demon_rc rc;

	if ((rc = read_property(property, &name, &value, err)) ||
	    (rc = demon_args_number(&ctl->args, "limit", 1, INT32_MAX, &limit, err)) ||
	    (rc = demon_graph_open(ctl, false, &scope, err)))
		return rc;
	const struct demon_graph_query query = {.label = demon_args_get(&ctl->args, "label"),
						.property = property ? name.data : NULL,
						.value = value.len ? value.data : NULL,
						.after = demon_args_get(&ctl->args, "after"),
						.limit = (size_t)limit};
	return demon_graph_find_nodes(ctl->store, &scope, demon_graph_at(ctl), &query,
				      demon_graph_print, ctl, err);
}

static enum demon_rc write_text(void *ctx, const char *text, size_t len, struct demon_err *err)
{
	(void)ctx;
	/* a failure is noticed when stdout is flushed */
	(void)fwrite(text, 1, len, stdout);
	(void)err;
	return DEMON_OK;
}

enum demon_rc demon_command_graph_export(struct demon_ctl *ctl, struct demon_err *err)
{
	const char *format = demon_args_get(&ctl->args, "format");
	enum demon_graph_form form = DEMON_GRAPH_JSON;
	struct demon_graph_scope scope;
	enum demon_rc rc;

	if (format && strcmp(format, "dot") == 0)
		form = DEMON_GRAPH_DOT;
	else if (format && strcmp(format, "json") != 0)
		return demon_err_set(err, DEMON_USAGE, "option '--format': expected json or dot");
	if ((rc = demon_graph_open(ctl, false, &scope, err)))
		return rc;
	return demon_graph_export(ctl->store, &scope, demon_graph_at(ctl), form, write_text, NULL,
				  err);
}

enum demon_rc demon_command_graph_verify(struct demon_ctl *ctl, struct demon_err *err)
{
	bool one = demon_args_has(&ctl->args, "graph-id");
	struct demon_graph_verified v;
	struct demon_graph_scope scope;
	enum demon_rc rc =
	    one ? demon_graph_open(ctl, false, &scope, err) : demon_ctl_open(ctl, false, err);

	if (rc || (rc = demon_graph_verify(ctl->store, one ? &scope : NULL, &v, err)))
		return rc;
	return demon_out_json(&ctl->settings,
			      json_pack("{s:b,s:I,s:I,s:I}", "ok", 1, "commits",
					(json_int_t)v.commits, "tags", (json_int_t)v.tags, "chunks",
					(json_int_t)v.chunks),
			      err);
}
