/*
 * echo: answers with its message. It has no effect, so it may always be repeated.
 */
#include "arguments.h"
#include "base/bytes.h"
#include "envelope.h"

#include <string.h>

#define LONG_MESSAGE 100   /* characters from which a message is called long */
#define SUGGEST_MAX  65536 /* a suggestion repeats the message: not for larger ones */

static const char *const known[] = {"message"};

static void check(const json_t *with, demon_argument_problem_fn *report, void *ctx)
{
	const struct demon_arguments a = {with, report, ctx};

	if (demon_arguments_known(&a, known, demon_count(known)))
		(void)demon_arguments_text(&a, "message");
}

static bool idempotent(const json_t *with)
{
	(void)with;
	return true;
}

/* Unicode's White_Space, in UTF-8. */
static const char *const spaces[] = {
    " ",
    "\t",
    "\n",
    "\v",
    "\f",
    "\r",
    "\xc2\x85",
    "\xc2\xa0",
    "\xe1\x9a\x80",
    "\xe2\x80\x80",
    "\xe2\x80\x81",
    "\xe2\x80\x82",
    "\xe2\x80\x83",
    "\xe2\x80\x84",
    "\xe2\x80\x85",
    "\xe2\x80\x86",
    "\xe2\x80\x87",
    "\xe2\x80\x88",
    "\xe2\x80\x89",
    "\xe2\x80\x8a",
    "\xe2\x80\xa8",
    "\xe2\x80\xa9",
    "\xe2\x80\xaf",
    "\xe2\x81\x9f",
    "\xe3\x80\x80",
};

/* Bytes of the white space at the beginning, or at the end, of n bytes; 0: there is none. */
static size_t space_at(const char *text, size_t n, bool end)
{
	for (size_t i = 0; i < demon_count(spaces); i++) {
		size_t len = strlen(spaces[i]);

		if (len <= n && memcmp(end ? text + n - len : text, spaces[i], len) == 0)
			return len;
	}
	return 0;
}

static void suggest_trim(struct demon_envelope *e, const char *text, size_t len)
{
	size_t from = 0;
	size_t to = len;
	size_t n;

	while ((n = space_at(text + from, to - from, false)) > 0)
		from += n;
	while ((n = space_at(text + from, to - from, true)) > 0)
		to -= n;
	if (to - from == len || len > SUGGEST_MAX)
		return;
	demon_envelope_suggest(
	    e, json_pack("{s:s, s:s, s:s, s:s, s:[{s:s, s:s, s:s%}]}", "type", "optimization",
			 "description", "Trim white space around the message", "priority", "low",
			 "rationale", "White space around a message is rarely meant", "patch", "op",
			 "replace", "path", "/message", "value", text + from, to - from));
}

/* Unicode scalar values of valid UTF-8. */
static size_t characters(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

static enum demon_rc run(const struct demon_call *call, json_t **ret_envelope,
			 struct demon_err *err)
{
	demon_cleanup(demon_envelope_done) struct demon_envelope e =
	    demon_envelope_begin(call->env, "echo-capsule", "0.0.1");
	const json_t *message = json_object_get(call->with, "message");
	const char *text = json_is_string(message) ? json_string_value(message) : "";
	size_t len = json_is_string(message) ? json_string_length(message) : 0;
	size_t count = characters(text, len);
	char now[DEMON_RFC3339_LEN + 1];

	demon_rfc3339(call->env->now(call->env->ctx), now);
	demon_envelope_success(&e,
			       json_pack("{s:s%, s:s, s:I}", "echoed_message", text, len,
					 "timestamp", now, "character_count", (json_int_t)count));
	demon_envelope_say(&e, "info", "Echo completed at %.19sZ", now);
	if (count == 0)
		demon_envelope_say(&e, "warning", "The message is empty");
	if (count > LONG_MESSAGE)
		demon_envelope_say(&e, "warning", "The message is long: %zu characters", count);
	suggest_trim(&e, text, len);
	demon_envelope_count(&e, "characterCount", count);
	return demon_envelope_end(&e, ret_envelope, err);
}

const struct demon_capsule demon_capsule_echo = {
    .name = "echo", .check = check, .idempotent = idempotent, .run = run};
