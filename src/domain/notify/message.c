#include "message.h"

#include "base/bytes.h"
#include "mail.h"
#include "signature.h"
#include "template.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TITLE_MAX   200  /* bytes */
#define SUMMARY_MAX 1000 /* of PagerDuty, which takes 1 024 characters */
#define BODY_MAX    ((size_t)2 * 1024 * 1024)

/* A notice on its way into a message. */
struct words {
	const struct demon_route *route;
	const struct demon_notice *notice;
	json_t *values; /* owned */
	struct demon_buf title;
	struct demon_buf text;
};

static void words_done(struct words *w)
{
	json_decref(w->values);
	demon_buf_done(&w->title);
	demon_buf_done(&w->text);
}

void demon_message_done(struct demon_message *m)
{
	demon_http_fields_done(&m->fields);
	if (m->body.data)
		explicit_bzero(m->body.data, m->body.len);
	demon_buf_done(&m->body);
	*m = (struct demon_message){0};
}

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a message");
}

static const char *template_of(const struct words *w, const char *part, const char *fallback)
{
	const json_t *own = demon_route_template(w->route, w->notice->topic, part);

	return own ? json_string_value(own) : fallback;
}

/* Where values were empty, lines are too: at most one of them stays, and none at the end. */
static void squeeze(struct demon_buf *text)
{
	size_t to = 0;

	if (text->rc)
		return;
	for (size_t i = 0; i < text->len; i++) {
		bool third = to >= 2 && text->data[to - 1] == '\n' && text->data[to - 2] == '\n';

		if (text->data[i] != '\n' || (to && !third))
			text->data[to++] = text->data[i];
	}
	while (to && strchr(" \n", text->data[to - 1]))
		to--;
	demon_buf_cut(text, to);
}

static enum demon_rc find_words(struct words *w, struct demon_err *err)
{
	bool chat = w->route->kind == DEMON_ROUTE_SLACK;
	enum demon_rc rc;
	DEMON_BUF(title, 0);

	if ((rc = demon_notice_values(w->notice, &w->values, err)))
		return rc;
	demon_template_render(template_of(w, "title", w->notice->topic->title), w->values,
			      DEMON_ESCAPE_LINE, &title);
	if ((rc = demon_buf_rc(&title, err)))
		return rc;
	demon_template_escape(title.data, TITLE_MAX, DEMON_ESCAPE_LINE, &w->title);
	if (json_object_set_new(w->values, "title", json_string(w->title.data)))
		return no_memory(err);
	demon_template_render(template_of(w, "text", w->notice->topic->text), w->values,
			      chat ? DEMON_ESCAPE_CHAT : DEMON_ESCAPE_TEXT, &w->text);
	squeeze(&w->text);
	return (rc = demon_buf_rc(&w->title, err)) ? rc : demon_buf_rc(&w->text, err);
}

/* A copy of a tree with every string rendered; NULL: no memory. */
static json_t *render_tree(const json_t *tree, const json_t *values) /* NOLINT(misc-no-recursion) */
{
	DEMON_BUF(text, 0);
	json_t *out;
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_string(tree)) {
		demon_template_render(json_string_value(tree), values, DEMON_ESCAPE_TEXT, &text);
		return text.rc ? NULL : json_string(text.data);
	}
	out = json_is_object(tree) ? json_object() : json_is_array(tree) ? json_array() : NULL;
	if (!out)
		return json_is_object(tree) || json_is_array(tree) ? NULL : demon_json_copy(tree);
	json_object_foreach(demon_json_iterable(tree), key, value)
	{
		if (json_object_set_new(out, key, render_tree(value, values))) {
			json_decref(out);
			return NULL;
		}
	}
	json_array_foreach(tree, i, value)
	{
		if (json_array_append_new(out, render_tree(value, values))) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

static enum demon_rc write_json(json_t *tree_new, struct demon_message *m, struct demon_err *err)
{
	json_auto_t *tree = tree_new;

	if (!tree)
		return no_memory(err);
	demon_http_fields_add(&m->fields, "Content-Type", "application/json");
	return demon_json_canonical(tree, &m->body, err);
}

static enum demon_rc add_headers(const struct words *w, struct demon_message *m,
				 struct demon_err *err)
{
	const char *name;
	json_t *value;

	demon_http_fields_add(&m->fields, "User-Agent", "demon");
	demon_http_fields_add(&m->fields, "Idempotency-Key", w->notice->key);
	demon_http_fields_add(&m->fields, "X-Demon-Event", w->notice->topic->name);
	json_object_foreach(demon_json_iterable(w->route->headers), name, value)
	{
		if (!demon_http_is_value(json_string_value(value)))
			return demon_err_set(err, DEMON_INVALID,
					     "the secret of header field '%.64s' has characters "
					     "that cannot stand there",
					     name);
		demon_http_fields_add(&m->fields, name, json_string_value(value));
	}
	return m->fields.failed ? no_memory(err) : DEMON_OK;
}

static enum demon_rc sign(const struct words *w, demon_time now, struct demon_message *m,
			  struct demon_err *err)
{
	const struct demon_piece body = {m->body.data, m->body.len};
	const char *key = w->notice->key;
	char seconds[24];
	enum demon_rc rc;
	DEMON_BUF(signature, 0);

	(void)snprintf(seconds, sizeof(seconds), "%" PRId64, now / 1000);
	demon_http_fields_add(&m->fields, "Webhook-Id", key);
	demon_http_fields_add(&m->fields, "Webhook-Timestamp", seconds);
	if (w->route->secret) {
		if ((rc = demon_signature(w->route->secret, key, now / 1000, &body, &signature,
					  err)))
			return rc;
		demon_http_fields_add(&m->fields, "Webhook-Signature", signature.data);
	}
	return m->fields.failed ? no_memory(err) : DEMON_OK;
}

/* Members of a body. json_pack's optional ones would be left out where memory runs out. */
static bool put_text(json_t *object, const char *key, const char *text)
{
	return !text || json_object_set_new(object, key, json_string(text)) == 0;
}

static bool put(json_t *object, const char *key, const json_t *value)
{
	return !value || json_object_set(object, key, demon_json_iterable(value)) == 0;
}

static json_t *webhook_body(const struct words *w)
{
	const struct demon_notice *n = w->notice;
	const struct demon_event *ev = n->event;
	char run_origin[2 * DEMON_ORIGIN_LEN + 1];
	char ts[DEMON_RFC3339_LEN + 1];
	const json_t *own = demon_route_template(w->route, n->topic, "body");
	json_auto_t *body = NULL;

	if (own)
		return render_tree(own, w->values);
	demon_hex(ev->run_origin, sizeof(ev->run_origin), run_origin);
	demon_rfc3339(ev->ts, ts);
	body = json_pack("{s:s,s:s,s:s,s:s,s:s}", "event", n->topic->name, "id", n->key, "text",
			 w->text.data, "title", w->title.data, "ts", ts);
	if (!body || !put(body, "data", n->payload) || !put(body, "links", n->links) ||
	    !put(body, "url", json_object_get(w->values, "url")) ||
	    !put_text(body, "gateId", ev->gate_id) || !put_text(body, "node", n->node) ||
	    !put_text(body, "ritualId", ev->ritual_id) || !put_text(body, "runId", ev->run_id) ||
	    !put_text(body, "runOrigin", ev->run_id ? run_origin : NULL) ||
	    !put_text(body, "tenantId", ev->tenant_id))
		return NULL;
	return demon_take(body);
}

static enum demon_rc build_webhook(const struct words *w, demon_time now, struct demon_message *m,
				   struct demon_err *err)
{
	enum demon_rc rc;

	if ((rc = write_json(webhook_body(w), m, err)) || (rc = add_headers(w, m, err)))
		return rc;
	return sign(w, now, m, err);
}

static enum demon_rc build_slack(const struct words *w, struct demon_message *m,
				 struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_BUF(text, 0);

	demon_buf_char(&text, '*');
	demon_template_escape(w->title.data, DEMON_TEMPLATE_OUT, DEMON_ESCAPE_CHAT, &text);
	demon_buf_fmt(&text, "*\n%s", w->text.data);
	if ((rc = demon_buf_rc(&text, err)) ||
	    (rc = write_json(json_pack("{s:s}", "text", text.data), m, err)))
		return rc;
	return add_headers(w, m, err);
}

static json_t *incident_payload(const struct words *w)
{
	const struct demon_notice *n = w->notice;
	const char *severity = w->route->severity;
	char ts[DEMON_RFC3339_LEN + 1];
	json_auto_t *details = demon_json_copy(w->values);
	json_auto_t *payload = NULL;

	demon_rfc3339(n->event->ts, ts);
	if (!details || json_object_set_new(details, "text", json_string(w->text.data)))
		return NULL;
	payload = json_pack("{s:s,s:O,s:s,s:s,s:s,s:s}", "class", n->topic->name, "custom_details",
			    details, "severity", severity ? severity : n->topic->severity, "source",
			    n->node ? n->node : "demon", "summary", w->title.data, "timestamp", ts);
	if (!payload || !put_text(payload, "component", n->event->ritual_id) ||
	    !put_text(payload, "group", n->event->tenant_id))
		return NULL;
	return demon_take(payload);
}

static enum demon_rc build_incident(const struct words *w, struct demon_message *m,
				    struct demon_err *err)
{
	static const char *const actions[] = {"trigger", "acknowledge", "resolve"};
	const struct demon_notice *n = w->notice;
	json_t *url = json_object_get(w->values, "url");
	json_t *body;
	enum demon_rc rc;
	DEMON_BUF(thread, 0);

	demon_notice_thread(n->topic, n->event, &thread);
	if (!thread.len)
		demon_buf_str(&thread, n->key);
	if ((rc = demon_buf_rc(&thread, err)))
		return rc;
	body = json_pack("{s:s,s:s,s:s,s:s}", "client", "demon", "dedup_key", thread.data,
			 "event_action", actions[n->topic->incident], "routing_key",
			 w->route->routing_key);
	if (body && n->topic->incident == DEMON_INCIDENT_TRIGGER &&
	    (json_object_set_new(body, "payload", incident_payload(w)) ||
	     (url &&
	      (json_object_set(body, "client_url", url) ||
	       json_object_set_new(body, "links",
				   json_pack("[{s:O,s:s}]", "href", url, "text", "the run")))))) {
		json_decref(body);
		return no_memory(err);
	}
	return (rc = write_json(body, m, err)) ? rc : add_headers(w, m, err);
}

static enum demon_rc build_mail(const struct words *w, struct demon_message *m,
				struct demon_err *err)
{
	const struct demon_notice *n = w->notice;
	struct demon_mail mail = {.from = w->route->from,
				  .to = n->recipient,
				  .subject = w->title.data,
				  .text = w->text.data,
				  .key = n->key,
				  .topic = n->topic->name,
				  .ts = n->event->ts};
	unsigned char hash[DEMON_HASH_LEN];
	char thread[2 * DEMON_HASH_LEN + 1];
	enum demon_rc rc;
	DEMON_BUF(id, 0);

	demon_notice_thread(n->topic, n->event, &id);
	if ((rc = demon_buf_rc(&id, err)) || (rc = demon_sha256(id.data, id.len, hash, err)))
		return rc;
	if (id.len) {
		demon_hex(hash, DEMON_HASH_LEN / 2, thread);
		mail.thread = thread;
	}
	demon_mail_write(&mail, &m->body);
	return demon_buf_rc(&m->body, err);
}

static enum demon_rc build(const struct words *w, demon_time now, struct demon_message *m,
			   struct demon_err *err)
{
	switch (w->route->kind) {
	case DEMON_ROUTE_WEBHOOK:
		return build_webhook(w, now, m, err);
	case DEMON_ROUTE_SLACK:
		return build_slack(w, m, err);
	case DEMON_ROUTE_PAGERDUTY:
		return build_incident(w, m, err);
	case DEMON_ROUTE_SMTP:
		return build_mail(w, m, err);
	}
	return demon_err_set(err, DEMON_INTERNAL, "a route of no kind");
}

enum demon_rc demon_message_build(const struct demon_route *route,
				  const struct demon_notice *notice, demon_time now,
				  struct demon_message *ret_message, struct demon_err *err)
{
	demon_cleanup(words_done) struct words w = {
	    .route = route,
	    .notice = notice,
	    .title = {.data = demon_buf_empty},
	    .text = {.data = demon_buf_empty},
	};
	struct demon_message m = {.body = {.data = demon_buf_empty, .max = BODY_MAX}};
	enum demon_rc rc;

	if ((rc = find_words(&w, err)) || (rc = build(&w, now, &m, err))) {
		demon_message_done(&m);
		return rc;
	}
	*ret_message = m;
	return DEMON_OK;
}
