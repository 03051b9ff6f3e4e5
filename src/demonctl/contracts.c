/*
 * demonctl contracts.
 */
#include "cli/file.h"
#include "command.h"
#include "domain/contract.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX ((size_t)256 << 20)

/* A line of an export: a payload of 64 levels and 512 KiB in its frame. */
static const struct demon_json_limits line_limits = {(size_t)1 << 20, 64};

typedef enum demon_rc demon_judge_fn(const json_t *document, struct demon_err *err);

/* The documents of one file, and what became of them. */
struct checked {
	const struct demon_settings *settings;
	const char *file;
	demon_judge_fn *judge;
	int64_t documents;
	int64_t bad;
};

/* An event, or one in the frame that export puts around it. */
static enum demon_rc judge_event(const json_t *document, struct demon_err *err)
{
	const json_t *payload = json_object_get(document, "payload");

	if (payload && json_is_integer(json_object_get(document, "format")))
		document = payload;
	return demon_contract_check(document, err);
}

static const char *type_of(const json_t *document)
{
	const char *type = json_string_value(json_object_get(document, "event"));

	return type ? type : json_string_value(json_object_get(document, "type"));
}

static enum demon_rc report(struct checked *c, int64_t line, const json_t *document,
			    const char *why, struct demon_err *err)
{
	DEMON_BUF(text, 0);
	const char *type = type_of(document);

	if (c->settings->json)
		return demon_out_json(c->settings,
				      json_pack("{s:s,s:I,s:b,s:s*,s:s*}", "file", c->file, "line",
						(json_int_t)line, "ok", why == NULL, "text", why,
						"type", type),
				      err);
	if (!why)
		return DEMON_OK;
	demon_buf_fmt(&text, "%s:%" PRId64 ": ", c->file, line);
	demon_out_printable(&text, why);
	(void)fprintf(stderr, "%s\n", text.data);
	return DEMON_OK;
}

static enum demon_rc check_document(struct checked *c, int64_t line, const char *text, size_t len,
				    struct demon_err *err)
{
	struct demon_err why = {0};
	json_t *document = NULL;
	enum demon_rc rc = demon_json_parse(text, len, &line_limits, &document, &why);

	if (!rc)
		rc = c->judge(document, &why);
	if (rc == DEMON_NOMEM) {
		*err = why;
	} else {
		c->documents++;
		c->bad += rc != DEMON_OK;
		rc = report(c, line, document, rc ? why.msg : NULL, err);
	}
	json_decref(document);
	return rc;
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r\n", text[i]))
			return false;
	return true;
}

/* True when the first line is no document by itself: then the file is one. */
static bool is_one_document(const struct demon_buf *text)
{
	const char *newline = memchr(text->data, '\n', text->len);
	size_t len = newline ? (size_t)(newline - text->data) : text->len;
	struct demon_err ignored;
	json_t *document = NULL;
	bool whole =
	    demon_json_parse(text->data, len, &line_limits, &document, &ignored) == DEMON_OK;

	json_decref(document);
	return !whole && !(newline && memchr(text->data, '{', len) && memchr(text->data, '}', len));
}

static enum demon_rc check_lines(struct checked *c, const struct demon_buf *text,
				 struct demon_err *err)
{
	const char *at = text->data;
	const char *end = at + text->len;
	enum demon_rc rc = DEMON_OK;

	for (int64_t line = 1; at < end && !rc; line++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((newline ? newline : end) - at);

		if (!is_blank(at, len))
			rc = check_document(c, line, at, len, err);
		at += len + 1;
	}
	return rc;
}

static enum demon_rc check_file(struct checked *c, struct demon_err *err)
{
	DEMON_BUF(text, FILE_MAX);
	enum demon_rc rc;

	if ((rc = demon_file_read(c->file, &text, err)))
		return rc;
	if (is_blank(text.data, text.len))
		return demon_err_set(err, DEMON_INVALID, "'%s' holds nothing to check", c->file);
	if (is_one_document(&text))
		return check_document(c, 1, text.data, text.len, err);
	return check_lines(c, &text, err);
}

static enum demon_rc check_files(struct demon_ctl *ctl, demon_judge_fn *judge, const char *what,
				 struct demon_err *err)
{
	struct checked c = {.settings = &ctl->settings, .judge = judge};
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < ctl->word_count && !rc; i++) {
		c.file = ctl->words[i];
		rc = check_file(&c, err);
	}
	if (rc)
		return rc;
	if (c.bad)
		return demon_err_set(err, DEMON_FAILED,
				     "%" PRId64 " of %" PRId64 " %ss do not hold", c.bad,
				     c.documents, what);
	if (!c.settings->json && !c.settings->quiet)
		(void)printf("%" PRId64 " %s%s: ok\n", c.documents, what,
			     c.documents == 1 ? "" : "s");
	return DEMON_OK;
}

enum demon_rc demon_command_contracts_validate(struct demon_ctl *ctl, struct demon_err *err)
{
	return check_files(ctl, judge_event, "event", err);
}

enum demon_rc demon_command_contracts_envelope(struct demon_ctl *ctl, struct demon_err *err)
{
	return check_files(ctl, demon_contract_check_envelope, "envelope", err);
}

enum demon_rc demon_command_contracts_bundle(struct demon_ctl *ctl, struct demon_err *err)
{
	DEMON_BUF(out, 0);
	const char *format = demon_args_get(&ctl->args, "format");
	enum demon_rc rc;

	if (!format)
		format = ctl->settings.json ? "json" : "summary";
	if (strcmp(format, "json") == 0) {
		if ((rc = demon_contract_bundle_json(&out, err)))
			return rc;
		return demon_out_canonical(&ctl->settings, out.data, out.len, err);
	}
	if (strcmp(format, "summary") != 0)
		return demon_err_set(err, DEMON_USAGE, "--format is 'summary' or 'json', not '%s'",
				     format);
	if ((rc = demon_contract_bundle_summary(&out, err)))
		return rc;
	(void)fputs(out.data, stdout);
	return DEMON_OK;
}
