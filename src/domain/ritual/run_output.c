#include "run_output.h"

#include "domain/capsule/output.h"

#include <string.h>

#define AGE_US     ((demon_ticks)250 * 1000)
#define PIECE_MAX  ((size_t)8 * 1024)
#define STREAM_MAX ((size_t)128 * 1024)

static const char *const names[] = {"stdout", "stderr"};

static demon_ticks now(const struct demon_run_output *o)
{
	return o->exec->env->mono(o->exec->env->ctx);
}

void demon_run_output_done(struct demon_run_output *o)
{
	for (size_t i = 0; i < demon_count(o->streams); i++) {
		demon_redact_stream_done(&o->streams[i].redact);
		if (o->streams[i].ready.data)
			demon_buf_done(&o->streams[i].ready);
	}
}

/* Bytes at the end of a piece that begin a character whose rest is still to come. */
static size_t unfinished(const struct demon_buf *b)
{
	size_t n = b->len < 3 ? b->len : 3;

	for (size_t back = 1; back <= n; back++) {
		unsigned char c = (unsigned char)b->data[b->len - back];

		if ((c & 0xc0) == 0x80)
			continue;
		return (c >= 0xf0 && back < 4) || (c >= 0xe0 && back < 3) || (c >= 0xc0 && back < 2)
			   ? back
			   : 0;
	}
	return 0;
}

static enum demon_rc tell(struct demon_run_output *o, size_t i, size_t len, struct demon_err *err)
{
	struct demon_exec *x = o->exec;
	struct demon_run_stream *s = &o->streams[i];
	const struct demon_leaf *leaf = &x->machine->leaf;
	json_auto_t *payload = demon_run_event_new(&x->journal, "step.output:v1");
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	(void)demon_output_text(&text, s->ready.data, len, false, PIECE_MAX * 6 + 64);
	if (!payload || text.rc ||
	    !demon_run_event_set(payload, "stepId", json_integer(leaf->step_id)) ||
	    !demon_run_event_set(payload, "attempt", json_integer(leaf->attempt)) ||
	    !demon_run_event_set(payload, "stream", json_string(names[i])) ||
	    !demon_run_event_set(payload, "offset", json_integer((json_int_t)s->told)) ||
	    !demon_run_event_set(payload, "text", json_stringn(text.data, text.len)) ||
	    (s->cut && !demon_run_event_set(payload, "cut", json_true())))
		return demon_err_set(err, DEMON_NOMEM, "no memory for the output of a step");
	if ((rc = demon_run_journal_add(&x->journal, "step.output:v1", demon_take(payload), err)))
		return rc;
	s->told += len;
	memmove(s->ready.data, s->ready.data + len, s->ready.len - len);
	demon_buf_cut(&s->ready, s->ready.len - len);
	return DEMON_OK;
}

static enum demon_rc tell_all(struct demon_run_output *o, bool last, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; !rc && i < demon_count(o->streams); i++) {
		struct demon_run_stream *s = &o->streams[i];

		while (!rc && s->ready.data && s->ready.len) {
			size_t len = s->ready.len < PIECE_MAX ? s->ready.len : PIECE_MAX;
			struct demon_buf piece = {.data = s->ready.data, .len = len};

			if (!last || len < s->ready.len)
				len -= unfinished(&piece);
			if (len == 0)
				break;
			rc = tell(o, i, len, err);
		}
	}
	o->told = now(o);
	return rc ? rc : demon_exec_flush(o->exec, err);
}

void demon_run_output_tick(struct demon_run_output *o)
{
	struct demon_err err;

	if (!o->began || o->lost || now(o) - o->told < AGE_US)
		return;
	/* what cannot be told now is in the envelope at the end; the step goes on */
	if (tell_all(o, false, &err))
		o->lost = true;
}

void demon_run_output_add(struct demon_run_output *o, const char *stream, const char *bytes,
			  size_t len)
{
	struct demon_run_stream *s = &o->streams[strcmp(stream, names[0]) == 0 ? 0 : 1];
	size_t held;

	if (!o->began)
		o->began = o->told = now(o);
	if (!s->ready.data)
		s->ready = (struct demon_buf){.data = demon_buf_empty};
	s->redact.redactor = o->redactor;
	held = s->told + s->ready.len;
	if (s->cut || o->lost)
		return;
	if (held + len > STREAM_MAX) {
		len = STREAM_MAX > held ? STREAM_MAX - held : 0;
		s->cut = true;
	}
	demon_redact_more(&s->redact, bytes, len, s->cut, &s->ready);
	demon_run_output_tick(o);
}

enum demon_rc demon_run_output_end(struct demon_run_output *o, struct demon_err *err)
{
	bool any = false;

	for (size_t i = 0; i < demon_count(o->streams); i++)
		any = any || o->streams[i].told;
	if (!any || o->lost)
		return DEMON_OK;
	for (size_t i = 0; i < demon_count(o->streams); i++)
		if (o->streams[i].redact.redactor && !o->streams[i].cut)
			demon_redact_more(&o->streams[i].redact, "", 0, true, &o->streams[i].ready);
	return tell_all(o, true, err);
}
