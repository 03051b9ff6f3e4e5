/*
 * demonctl quarantine list, show, retry, drop.
 */
#include "replica/quarantine.h"

#include "base/json.h"
#include "out.h"
#include "recovery_commands.h"
#include "store/subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 10000
#define ID_DIGITS 18

struct list {
	const struct demon_settings *settings;
	struct demon_table table;
};

/* What any row says of itself; NULL: no memory. */
static json_t *row_json(const struct demon_quarantined *row)
{
	return json_pack("{s:o,s:I,s:I,s:I,s:s,s:s,s:I,s:s,s:s}", "arrivedAt",
			 demon_out_time_json(row->arrived_at), "attempts",
			 (json_int_t)row->attempts, "bytes", (json_int_t)row->bytes, "id",
			 (json_int_t)row->id, "kind", row->kind, "reason", row->reason, "sequence",
			 (json_int_t)row->stream_sequence, "stream", demon_stream_name(row->stream),
			 "subject", row->subject);
}

static void number_cell(struct demon_table *table, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	demon_table_cell(table, text);
}

static enum demon_rc list_row(void *ctx, const struct demon_quarantined *row, struct demon_err *err)
{
	struct list *list = ctx;

	if (list->settings->json)
		return demon_out_json(list->settings, row_json(row), err);
	number_cell(&list->table, row->id);
	demon_table_cell(&list->table, demon_out_time(row->arrived_at));
	demon_table_cell(&list->table, demon_stream_name(row->stream));
	number_cell(&list->table, row->stream_sequence);
	demon_table_cell(&list->table, row->kind);
	demon_table_cell(&list->table, row->reason);
	return DEMON_OK;
}

enum demon_rc demon_command_quarantine_list(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"ID",   "ARRIVED", "STREAM", "SEQUENCE",
					    "KIND", "REASON",  NULL};
	struct list list = {.settings = &ctl->settings,
			    .table = demon_table_begin(&ctl->settings, heads, (size_t)-1)};
	int64_t after = 0;
	int64_t limit = 100;
	enum demon_rc rc;

	if (!(rc = demon_args_number(&ctl->args, "after", 0, INT64_MAX, &after, err)) &&
	    !(rc = demon_args_number(&ctl->args, "limit", 1, LIMIT_MAX, &limit, err)) &&
	    !(rc = demon_ctl_open(ctl, false, err)) && !(rc = demon_ctl_whole(ctl, err)) &&
	    !(rc = demon_quarantine_list(ctl->store, after, limit, list_row, &list, err)))
		rc = demon_table_print(&list.table, err);
	demon_table_done(&list.table);
	return rc;
}

static enum demon_rc read_id(const struct demon_ctl *ctl, int64_t *ret_id, struct demon_err *err)
{
	const char *word = ctl->words[0];
	size_t digits = strspn(word, "0123456789");

	if (!digits || word[digits] || digits > ID_DIGITS)
		return demon_err_set(err, DEMON_USAGE,
				     "'%.40s' is no id of a message: 'quarantine list' shows them",
				     word);
	*ret_id = strtoll(word, NULL, 10);
	return DEMON_OK;
}

/* The payload as text where it is that, else base64. */
static enum demon_rc show_json(const struct demon_settings *s, const struct demon_quarantined *row,
			       struct demon_err *err)
{
	static const struct demon_json_limits limits = {.max_bytes = (size_t)64 << 10, .depth = 8};
	json_auto_t *doc = row_json(row);
	json_t *headers = NULL;
	DEMON_BUF(text, 0);
	enum demon_rc rc =
	    demon_json_parse(row->headers, strlen(row->headers), &limits, &headers, err);

	if (rc)
		return rc;
	if (!doc || json_object_set_new(doc, "headers", headers))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a message");
	if (row->payload) {
		json_t *payload = json_stringn(row->payload, row->payload_len);

		if (payload) {
			(void)json_object_set_new(doc, "payload", payload);
		} else {
			demon_buf_base64(&text, row->payload, row->payload_len);
			if ((rc = demon_buf_rc(&text, err)))
				return rc;
			(void)json_object_set_new(doc, "payloadBase64", json_string(text.data));
		}
	}
	return demon_out_json(s, json_incref(doc), err);
}

static enum demon_rc show_row(void *ctx, const struct demon_quarantined *row, struct demon_err *err)
{
	const struct demon_settings *s = ctx;
	DEMON_BUF(raw, 0);
	DEMON_BUF(shown, 0);
	DEMON_BUF(reason, 0);
	DEMON_BUF(subject, 0);
	enum demon_rc rc;

	if (s->json)
		return show_json(s, row, err);
	demon_out_printable(&reason, row->reason);
	demon_out_printable(&subject, row->subject);
	if (row->payload)
		demon_buf_add(&raw, row->payload, row->payload_len);
	demon_out_printable(&shown, row->payload ? raw.data : "");
	if ((rc = demon_buf_rc(&reason, err)) || (rc = demon_buf_rc(&subject, err)) ||
	    (rc = demon_buf_rc(&shown, err)))
		return rc;
	demon_out_field("id", "%" PRId64, row->id);
	demon_out_field("kind", "%s", row->kind);
	demon_out_field("reason", "%s", reason.data);
	demon_out_field("arrived", "%s", demon_out_time(row->arrived_at));
	demon_out_field("attempts", "%" PRId64, row->attempts);
	demon_out_field("stream", "%s %" PRId64, demon_stream_name(row->stream),
			row->stream_sequence);
	demon_out_field("subject", "%s", subject.data);
	demon_out_field("headers", "%s", row->headers);
	demon_out_field("payload", "%" PRId64 " bytes%s", row->bytes,
			row->payload || !row->bytes ? "" : ", too long to be kept here");
	if (row->payload)
		demon_out_line(shown.data);
	return DEMON_OK;
}

enum demon_rc demon_command_quarantine_show(struct demon_ctl *ctl, struct demon_err *err)
{
	int64_t id = 0;
	enum demon_rc rc;

	if ((rc = read_id(ctl, &id, err)) || (rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_ctl_whole(ctl, err)))
		return rc;
	return demon_quarantine_get(ctl->store, id, show_row, &ctl->settings, err);
}

static enum demon_rc take_out(struct demon_ctl *ctl, bool retry, struct demon_err *err)
{
	int64_t id = 0;
	enum demon_rc rc;

	if ((rc = read_id(ctl, &id, err)) || (rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_ctl_whole(ctl, err)) ||
	    (rc = demon_quarantine_remove(ctl->store, id, retry, err)))
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:I,s:b}", "id", (json_int_t)id, "retry", retry),
				      err);
	demon_out_note(&ctl->settings, "message %" PRId64 " %s", id,
		       retry ? "is read again when this node reads the stream" : "is dropped");
	return DEMON_OK;
}

enum demon_rc demon_command_quarantine_retry(struct demon_ctl *ctl, struct demon_err *err)
{
	return take_out(ctl, true, err);
}

enum demon_rc demon_command_quarantine_drop(struct demon_ctl *ctl, struct demon_err *err)
{
	return take_out(ctl, false, err);
}
