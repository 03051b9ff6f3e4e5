/*
 * demonctl bootstrap: what a new installation needs, made and looked at.
 */
#include "base/json.h"
#include "line.h"
#include "out.h"
#include "recovery_commands.h"
#include "store/subject.h"

#include <inttypes.h>

/* What was found out; each line of output is a phase. */
struct bootstrap {
	const struct demon_settings *settings;
	struct demon_line line;
	int64_t repaired;
	int64_t drift;
};

static enum demon_rc say(const struct bootstrap *b, const char *phase, const char *text,
			 struct demon_err *err)
{
	if (b->settings->json)
		return demon_out_json(
		    b->settings, json_pack("{s:b,s:s,s:s}", "ok", 1, "phase", phase, "text", text),
		    err);
	demon_out_field(phase, "%s", text);
	return DEMON_OK;
}

static void on_drift(void *ctx, enum demon_stream stream, bool repaired, const char *text)
{
	struct bootstrap *b = ctx;

	if (repaired) {
		b->repaired++;
		return;
	}
	b->drift++;
	demon_out_note(b->settings, "the stream of %s events: %s", demon_stream_name(stream), text);
}

/* Made where they are missing, put right where that is possible. */
static enum demon_rc ensure(struct bootstrap *b, struct demon_err *err)
{
	const struct demon_transport *t = &b->line.transport;
	DEMON_BUF(text, 0);
	enum demon_rc rc = t->ops->ensure(t->ctx, true, on_drift, b, err);

	if (rc)
		return rc;
	/* what is told as drift and then repaired is told a second time */
	b->drift = 0;
	if ((rc = t->ops->ensure(t->ctx, false, on_drift, b, err)))
		return rc;
	if (b->drift)
		return demon_err_set(err, DEMON_CONFLICT,
				     "%" PRId64 " things about the streams cannot be changed now",
				     b->drift);
	demon_buf_fmt(&text, "the streams are as they have to be, %" PRId64 " repaired",
		      b->repaired);
	return (rc = demon_buf_rc(&text, err)) ? rc : say(b, "ensure-stream", text.data, err);
}

static enum demon_rc verify_streams(struct bootstrap *b, struct demon_err *err)
{
	const struct demon_transport *t = &b->line.transport;
	uint64_t messages = 0;
	DEMON_BUF(text, 0);
	enum demon_rc rc = t->ops->ensure(t->ctx, false, on_drift, b, err);

	if (!rc && b->drift)
		rc = demon_err_set(err, DEMON_CONFLICT,
				   "%" PRId64 " things about the streams are "
				   "not as they have to be",
				   b->drift);
	for (unsigned i = 0; i < DEMON_STREAM_COUNT && !rc; i++) {
		struct demon_stream_state state;

		rc = t->ops->state(t->ctx, (enum demon_stream)i, &state, err);
		messages += state.messages;
	}
	if (rc)
		return rc;
	demon_buf_fmt(&text, "the streams hold %" PRIu64 " messages", messages);
	return (rc = demon_buf_rc(&text, err)) ? rc : say(b, "verify", text.data, err);
}

static enum demon_rc verify_database(struct bootstrap *b, struct demon_ctl *ctl,
				     struct demon_err *err)
{
	struct demon_verified verified;
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if ((rc = demon_verify(ctl->store, &verified, err)))
		return rc;
	demon_buf_fmt(&text, "the database holds %" PRId64 " events in %" PRId64 " chains",
		      verified.events, verified.chains);
	return (rc = demon_buf_rc(&text, err)) ? rc : say(b, "verify", text.data, err);
}

enum demon_rc demon_command_bootstrap(struct demon_ctl *ctl, struct demon_err *err)
{
	struct bootstrap b = {.settings = &ctl->settings};
	bool verify = demon_args_has(&ctl->args, "verify");
	bool make = demon_args_has(&ctl->args, "ensure-stream") || !verify;
	enum demon_rc rc;

	verify |= !demon_args_has(&ctl->args, "ensure-stream");
	if ((rc = demon_ctl_open(ctl, make, err)) || (rc = demon_ctl_whole(ctl, err)))
		return rc;
	rc = demon_line_open(&b.line, &ctl->settings, err);
	if (!rc && make)
		rc = ensure(&b, err);
	if (!rc && verify && !(rc = verify_streams(&b, err)))
		rc = verify_database(&b, ctl, err);
	demon_line_close(&b.line);
	return rc;
}
