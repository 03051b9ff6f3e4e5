/*
 * demonctl rebuild, digest, verify, heads.
 */
#include "base/json.h"
#include "cli/file.h"
#include "command.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEADS_MAX ((size_t)16 << 20)

enum demon_rc demon_command_rebuild(struct demon_ctl *ctl, struct demon_err *err)
{
	const struct demon_settings *s = &ctl->settings;
	int64_t events = 0;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_rebuild(ctl->store, &events, err)))
		return rc;
	if (s->json)
		return demon_out_json(s, json_pack("{s:I}", "events", (json_int_t)events), err);
	demon_out_field("replayed", "%" PRId64 " events", events);
	return DEMON_OK;
}

static void print_digest(const json_t *doc)
{
	static const char *const names[] = {"digest", "nodeId", "origin", "epoch"};
	const json_t *value;
	const char *key;

	for (size_t i = 0; i < demon_count(names); i++)
		demon_out_field(names[i], "%s", json_string_value(json_object_get(doc, names[i])));
	demon_out_field("events", "%" JSON_INTEGER_FORMAT,
			json_integer_value(json_object_get(doc, "events")));
	json_object_foreach(json_object_get(doc, "heads"), key, value)
	    demon_out_field("head", "%s %" JSON_INTEGER_FORMAT " %s", key,
			    json_integer_value(json_object_get(value, "sequence")),
			    json_string_value(json_object_get(value, "hash")));
	json_object_foreach(json_object_get(doc, "tables"), key, value)
	    demon_out_field("table", "%s %" JSON_INTEGER_FORMAT " %s", key,
			    json_integer_value(json_object_get(value, "rows")),
			    json_string_value(json_object_get(value, "hash")));
}

enum demon_rc demon_command_digest(struct demon_ctl *ctl, struct demon_err *err)
{
	static const struct demon_json_limits limits = {.max_bytes = (size_t)64 << 20, .depth = 8};
	demon_auto_free char *text = NULL;
	json_auto_t *doc = NULL;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) || (rc = demon_digest(ctl->store, &text, err)))
		return rc;
	if (ctl->settings.json)
		return demon_out_canonical(&ctl->settings, text, strlen(text), err);
	if ((rc = demon_json_parse(text, strlen(text), &limits, &doc, err)))
		return rc;
	print_digest(doc);
	return DEMON_OK;
}

static enum demon_rc print_verified(const struct demon_settings *s, const struct demon_verified *v,
				    int64_t heads, struct demon_err *err)
{
	if (s->json)
		return demon_out_json(
		    s,
		    json_pack("{s:I,s:I,s:I,s:b,s:I,s:I}", "chains", (json_int_t)v->chains,
			      "events", (json_int_t)v->events, "heads", (json_int_t)heads, "ok", 1,
			      "projectionRows", (json_int_t)v->projection_rows, "stranded",
			      (json_int_t)v->stranded),
		    err);
	demon_out_field("verified", "%" PRId64 " events in %" PRId64 " chains", v->events,
			v->chains);
	demon_out_field("projections", "%" PRId64 " rows", v->projection_rows);
	if (heads)
		demon_out_field("heads", "%" PRId64 " held", heads);
	if (v->stranded)
		demon_out_field("stranded", "%" PRId64 " events", v->stranded);
	return DEMON_OK;
}

/* Heads that were kept elsewhere: they find a tail that was cut off. */
static enum demon_rc check_heads(struct demon_ctl *ctl, int64_t *ret_heads, struct demon_err *err)
{
	const char *path = demon_args_get(&ctl->args, "heads");
	DEMON_BUF(lines, HEADS_MAX);

	*ret_heads = 0;
	if (!path)
		return DEMON_OK;
	if (demon_file_read(path, &lines, err))
		return demon_err_wrap(err, "option '--heads'");
	return demon_heads_check(ctl->store, lines.data, lines.len, ret_heads, err);
}

enum demon_rc demon_command_verify(struct demon_ctl *ctl, struct demon_err *err)
{
	const struct demon_settings *s = &ctl->settings;
	struct demon_verified verified = {0};
	enum demon_rc rc = demon_ctl_open(ctl, false, err);
	struct demon_err ignored;
	int64_t heads = 0;

	if (rc == DEMON_OK && (rc = demon_verify(ctl->store, &verified, err)) == DEMON_OK)
		rc = check_heads(ctl, &heads, err);
	if (rc == DEMON_OK)
		return print_verified(s, &verified, heads, err);
	if (rc == DEMON_CORRUPT && s->json)
		(void)!demon_out_json(s, json_pack("{s:b,s:s}", "ok", 0, "problem", err->msg),
				      &ignored);
	if (rc == DEMON_CORRUPT)
		demon_ctl_hint(ctl,
			       "keep the file as it is; restore from a backup or another node");
	return rc;
}

static enum demon_rc print_head(const struct demon_settings *s, const char *line, size_t len,
				struct demon_err *err)
{
	static const struct demon_json_limits limits = {.max_bytes = 4096, .depth = 2};
	json_auto_t *head = NULL;
	enum demon_rc rc;

	if (s->json)
		return demon_out_canonical(s, line, len, err);
	if ((rc = demon_json_parse(line, len, &limits, &head, err)))
		return rc;
	(void)printf("%s  %s  %-6s  %8" JSON_INTEGER_FORMAT "  %s%s\n",
		     json_string_value(json_object_get(head, "origin")),
		     json_string_value(json_object_get(head, "epoch")),
		     json_string_value(json_object_get(head, "stream")),
		     json_integer_value(json_object_get(head, "sequence")),
		     json_string_value(json_object_get(head, "hash")),
		     json_object_get(head, "signature") ? "  signed" : "");
	return DEMON_OK;
}

enum demon_rc demon_command_heads(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_auto_free char *lines = NULL;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_heads(ctl->store, demon_args_has(&ctl->args, "sign"), &lines, err)))
		return rc;
	for (const char *p = lines; *p;) {
		size_t n = strcspn(p, "\n");

		if ((rc = print_head(&ctl->settings, p, n, err)))
			return rc;
		p += n + (p[n] == '\n');
	}
	return DEMON_OK;
}
