#include "notice.h"

#include "base/bytes.h"
#include "domain/approval/link.h"

#include <string.h>

#define TEXT_MAX 4096

static const char *const names[] = {
    "approver",  "confirm",   "decision", "detail", "error", "event", "expiresAt", "fraction",
    "fromLevel", "gate",      "key",      "level",  "link",  "node",  "note",      "quorum",
    "reason",    "requester", "ritual",   "round",  "route", "run",   "state",     "step",
    "tenant",    "title",     "toLevel",  "ts",     "url",
};

const char *const *demon_notice_names(size_t *ret_count)
{
	*ret_count = demon_count(names);
	return names;
}

/* As much of a text as fits, whole characters. */
static json_t *clipped(const char *text)
{
	size_t len = strlen(text);

	if (len > TEXT_MAX) {
		len = TEXT_MAX;
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	return json_stringn(text, len);
}

static bool put(json_t *values, const char *name, const char *text)
{
	return !text || json_object_set_new(values, name, clipped(text)) == 0;
}

/* A member of the payload, when it is a text or a number. */
static bool put_member(json_t *values, const char *name, const json_t *payload, const char *key)
{
	const json_t *v = json_object_get(payload, key);

	if (json_is_string(v))
		return put(values, name, json_string_value(v));
	if (json_is_number(v))
		return json_object_set(values, name, demon_json_iterable(v)) == 0;
	return true;
}

/* What stands under the same name in the payloads of events. */
static bool put_members(json_t *values, const json_t *payload)
{
	static const char *const same[] = {"approver",  "confirm",  "decision",  "detail",
					   "expiresAt", "fraction", "fromLevel", "level",
					   "note",      "quorum",   "reason",    "requester",
					   "round",     "state",    "toLevel"};

	for (size_t i = 0; i < demon_count(same); i++)
		if (!put_member(values, same[i], payload, same[i]))
			return false;
	return put_member(values, "step", payload, "stepId") &&
	       put_member(values, "approver", payload, "by");
}

/* "title: detail", or what there is of it. */
static bool put_error(json_t *values, const json_t *error)
{
	static const char *const parts[] = {"title", "detail"};
	DEMON_BUF(text, 0);

	for (size_t i = 0; i < demon_count(parts); i++) {
		const char *part = json_string_value(json_object_get(error, parts[i]));

		if (part)
			demon_buf_fmt(&text, "%s%s", text.len ? ": " : "", part);
	}
	return !text.rc && (!text.len || put(values, "error", text.data));
}

/* Who was counted: "kim@corp.test, lee@corp.test". */
static bool put_counted(json_t *values, const json_t *counted)
{
	DEMON_BUF(text, 0);
	const json_t *vote;
	size_t i;

	json_array_foreach(counted, i, vote)
	{
		const char *who = json_is_string(vote)
				      ? json_string_value(vote)
				      : json_string_value(json_object_get(vote, "approver"));

		if (who)
			demon_buf_fmt(&text, "%s%s", text.len ? ", " : "", who);
	}
	return !text.rc && (!text.len || put(values, "approver", text.data));
}

static bool put_url(json_t *values, const struct demon_notice *n)
{
	DEMON_BUF(url, 0);

	if (!n->base_url)
		return true;
	demon_link_address(n->base_url, n->event->run_id ? "/runs/" : "/", &url);
	if (n->event->run_id)
		demon_buf_str(&url, n->event->run_id);
	return !url.rc && put(values, "url", url.data);
}

enum demon_rc demon_notice_values(const struct demon_notice *n, json_t **ret_values,
				  struct demon_err *err)
{
	const struct demon_event *ev = n->event;
	json_auto_t *values = json_object();
	char ts[DEMON_RFC3339_LEN + 1];

	demon_rfc3339(ev->ts, ts);
	if (!values || !put_members(values, n->payload) ||
	    !put_error(values, json_object_get(n->payload, "error")) ||
	    !put_counted(values, json_object_get(n->payload, "counted")) ||
	    !put(values, "event", n->topic->name) || !put(values, "gate", ev->gate_id) ||
	    !put(values, "key", n->key) || !put(values, "link", n->link) ||
	    !put(values, "node", n->node) || !put(values, "ritual", ev->ritual_id) ||
	    !put(values, "route", n->route) || !put(values, "run", ev->run_id) ||
	    !put(values, "tenant", ev->tenant_id) || !put(values, "ts", ts) || !put_url(values, n))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a notice");
	*ret_values = demon_take(values);
	return DEMON_OK;
}

void demon_notice_thread(const struct demon_topic *topic, const struct demon_event *event,
			 struct demon_buf *out)
{
	if (!event->run_id)
		return;
	demon_buf_hex(out, event->run_origin, sizeof(event->run_origin));
	demon_buf_fmt(out, "/%s/%s", event->tenant_id, event->run_id);
	if (topic->gate && event->gate_id)
		demon_buf_fmt(out, "/%s", event->gate_id);
}
