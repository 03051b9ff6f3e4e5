#include "route.h"

#include "route_check.h"

#include "domain/secret/secret.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_S 15
#define ATTEMPTS  30

static const char *const kinds[DEMON_ROUTE_KINDS] = {"webhook", "slack", "pagerduty", "smtp"};

const char *demon_route_kind_name(enum demon_route_kind kind)
{
	return kinds[kind];
}

bool demon_mail_is_address(const char *text)
{
	const char *at = strchr(text, '@');
	size_t len = strlen(text);

	if (!at || at == text || strchr(at + 1, '@') || len > 254 || (size_t)(at - text) > 64)
		return false;
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || strchr("\"(),:;<>[\\]", *p))
			return false;
	return at[1] && at[1] != '.' && at[1] != '-' && text[0] != '.' && text[0] != '-' &&
	       text[len - 1] != '.' && !strstr(text, "..");
}

static enum demon_rc read_kind(const json_t *value, struct demon_route *ret, struct demon_err *err)
{
	const json_t *kind = json_object_get(value, "kind");
	const char *text = json_string_value(kind);

	if (!json_is_object(value))
		return demon_err_set(err, DEMON_INVALID, "at '': expected a mapping, found %s",
				     demon_json_describe(value));
	for (unsigned i = 0; i < DEMON_ROUTE_KINDS && text; i++)
		if (strcmp(kinds[i], text) == 0) {
			ret->kind = (enum demon_route_kind)i;
			return DEMON_OK;
		}
	return demon_err_set(
	    err, DEMON_INVALID,
	    "at '/kind': expected webhook, slack, pagerduty or smtp, found %s%.64s%s",
	    text ? "'" : "", text ? text : demon_json_describe(kind), text ? "'" : "");
}

/* What members of mail say together. */
static enum demon_rc check_mail(const struct demon_route *route, struct demon_err *err)
{
	if (!route->to && !route->approvers)
		return demon_err_set(err, DEMON_INVALID,
				     "at '': a route of kind smtp needs 'to' or 'approvers'");
	if (!route->username != !route->password)
		return demon_err_set(err, DEMON_INVALID,
				     "at '': 'username' and 'password' go together");
	if (route->plain && route->username)
		return demon_err_set(err, DEMON_INVALID,
				     "at '/startTls': a password does not go without TLS");
	return DEMON_OK;
}

static const char *text_of(const json_t *value, const char *key)
{
	return json_string_value(json_object_get(value, key));
}

static bool is_true(const json_t *value, const char *key)
{
	return json_is_true(json_object_get(value, key));
}

static int64_t number_of(const json_t *value, const char *key, int64_t fallback)
{
	const json_t *n = json_object_get(value, key);

	return n ? json_integer_value(n) : fallback;
}

static uint32_t read_topics(const json_t *events)
{
	uint32_t topics = 0;
	const json_t *name;
	size_t i;

	json_array_foreach(events, i, name)
	{
		const struct demon_topic *topic = demon_topic_find(json_string_value(name));

		if (topic)
			topics |= UINT32_C(1) << (topic - demon_topics);
	}
	return topics;
}

void demon_route_read(const json_t *value, struct demon_route *ret_route)
{
	const char *start_tls = text_of(value, "startTls");
	struct demon_err ignored;
	struct demon_route r = {
	    .value = value,
	    .url = text_of(value, "url"),
	    .topics = read_topics(json_object_get(value, "events")),
	    .rituals = json_object_get(value, "rituals"),
	    .templates = json_object_get(value, "templates"),
	    .headers = json_object_get(value, "headers"),
	    .secret = text_of(value, "secret"),
	    .routing_key = text_of(value, "routingKey"),
	    .severity = text_of(value, "severity"),
	    .from = text_of(value, "from"),
	    .to = json_object_get(value, "to"),
	    .username = text_of(value, "username"),
	    .password = text_of(value, "password"),
	    .ca_file = text_of(value, "caFile"),
	    .plain = start_tls && strcmp(start_tls, "never") == 0,
	    .approvers = is_true(value, "approvers"),
	    .links = is_true(value, "links"),
	    .disabled = is_true(value, "disabled"),
	    .timeout_ms = number_of(value, "timeout", TIMEOUT_S) * 1000,
	    .attempts = (unsigned)number_of(value, "attempts", ATTEMPTS),
	};

	(void)read_kind(value, &r, &ignored);
	if (!r.url && r.kind == DEMON_ROUTE_PAGERDUTY)
		r.url = "https://events.pagerduty.com/v2/enqueue";
	*ret_route = r;
}

enum demon_rc demon_route_parse(const json_t *value, struct demon_route *ret_route,
				struct demon_err *err)
{
	struct demon_route route = {0};
	enum demon_rc rc;

	if ((rc = read_kind(value, &route, err)) ||
	    (rc = demon_route_check(value, route.kind, err)))
		return rc;
	demon_route_read(value, &route);
	if (route.kind == DEMON_ROUTE_SMTP && (rc = check_mail(&route, err)))
		return rc;
	*ret_route = route;
	return DEMON_OK;
}

static bool add_place(json_t *places, const json_t *value, const char *head, const char *key)
{
	DEMON_BUF(pointer, 0);

	if (!json_is_string(value) || !strstr(json_string_value(value), "secret://"))
		return true;
	demon_buf_str(&pointer, head);
	demon_buf_char(&pointer, '/');
	for (; *key; key++) /* a name of a field may have '~', and no '/' */
		demon_buf_str(&pointer, *key == '~' ? "~0" : (char[]){*key, '\0'});
	return !pointer.rc && json_array_append_new(places, json_string(pointer.data)) == 0;
}

json_t *demon_route_secrets(const json_t *value)
{
	static const char *const names[] = {"url", "secret", "routingKey", "username", "password"};
	json_t *places = json_array();
	bool good = places != NULL;
	const char *key;
	json_t *field;

	for (size_t i = 0; good && i < demon_count(names); i++)
		good = add_place(places, json_object_get(value, names[i]), "", names[i]);
	json_object_foreach(json_object_get(value, "headers"), key, field)
	{
		good = good && add_place(places, field, "/headers", key);
	}
	if (!good) {
		json_decref(places);
		return NULL;
	}
	return places;
}

bool demon_route_takes(const struct demon_route *route, const struct demon_topic *topic,
		       const char *ritual_id)
{
	const json_t *id;
	size_t i;

	if (route->disabled || !(route->topics & UINT32_C(1) << (topic - demon_topics)))
		return false;
	if (!route->rituals)
		return true;
	json_array_foreach(route->rituals, i, id)
	{
		if (ritual_id && strcmp(json_string_value(id), ritual_id) == 0)
			return true;
	}
	return false;
}

const json_t *demon_route_template(const struct demon_route *route, const struct demon_topic *topic,
				   const char *part)
{
	const json_t *own = json_object_get(json_object_get(route->templates, topic->name), part);

	return own ? own : json_object_get(json_object_get(route->templates, "*"), part);
}
