#include "route_check.h"

#include "base/suggest.h"
#include "notice.h"
#include "template.h"

#include "domain/http_client/http_fields.h"
#include "domain/secret/secret.h"
#include "store/subject.h"

#include <stdio.h>
#include <string.h>

#define URL_MAX       2048
#define HEADERS_MAX   32
#define TO_MAX        64
#define TIMEOUT_MAX_S 60
#define ATTEMPTS_MAX  100
#define BODY_DEPTH    16
#define POINTER_MAX   256

/* What members a kind has. */
#define W             (1U << DEMON_ROUTE_WEBHOOK)
#define S             (1U << DEMON_ROUTE_SLACK)
#define P             (1U << DEMON_ROUTE_PAGERDUTY)
#define M             (1U << DEMON_ROUTE_SMTP)
#define ALL           (W | S | P | M)

/* A check under way: the value at a pointer. */
struct check {
	enum demon_route_kind kind;
	const json_t *value;
	char pointer[POINTER_MAX];
	struct demon_err *err;
};

typedef enum demon_rc check_fn(const struct check *c);

static enum demon_rc wrong(const struct check *c, const char *wanted)
{
	if (json_is_string(c->value))
		return demon_err_set(c->err, DEMON_INVALID, "at '%s': '%.100s' is not %s",
				     c->pointer, json_string_value(c->value), wanted);
	return demon_err_set(c->err, DEMON_INVALID, "at '%s': expected %s, found %s", c->pointer,
			     wanted, demon_json_describe(c->value));
}

/* The check of a value within: at a key of an object, or at an index. */
static struct check within(const struct check *c, const json_t *value, const char *key)
{
	struct check inner = {.kind = c->kind, .value = value, .err = c->err};

	(void)snprintf(inner.pointer, sizeof(inner.pointer), "%.150s/%.100s", c->pointer, key);
	return inner;
}

static struct check item(const struct check *c, size_t i)
{
	char key[24];

	(void)snprintf(key, sizeof(key), "%zu", i);
	return within(c, json_array_get(c->value, i), key);
}

struct whole {
	size_t len;
	bool yes;
};

static enum demon_rc see_secret(void *ctx, const char *scope, const char *key, size_t at,
				size_t len, struct demon_err *err)
{
	struct whole *w = ctx;

	(void)scope;
	(void)key;
	(void)err;
	w->yes = at == 0 && len == w->len;
	return DEMON_OK;
}

/* Whether a string is the name of a secret and nothing else. */
static bool is_secret(const json_t *value)
{
	struct whole w = {.len = json_string_length(value)};
	struct demon_err ignored;

	return json_is_string(value) &&
	       !demon_secret_each(json_string_value(value), w.len, see_secret, &w, &ignored) &&
	       w.yes;
}

static enum demon_rc check_bool(const struct check *c)
{
	return json_is_boolean(c->value) ? DEMON_OK : wrong(c, "true or false");
}

static enum demon_rc check_number(const struct check *c, int max, const char *wanted)
{
	json_int_t n = json_integer_value(c->value);

	return json_is_integer(c->value) && n >= 1 && n <= max ? DEMON_OK : wrong(c, wanted);
}

static enum demon_rc check_timeout(const struct check *c)
{
	return check_number(c, TIMEOUT_MAX_S, "a number of seconds from 1 to 60");
}

static enum demon_rc check_attempts(const struct check *c)
{
	return check_number(c, ATTEMPTS_MAX, "a number from 1 to 100");
}

static enum demon_rc check_kind(const struct check *c)
{
	(void)c; /* it was looked at first */
	return DEMON_OK;
}

static enum demon_rc check_secret(const struct check *c)
{
	if (is_secret(c->value))
		return DEMON_OK;
	/* what stands here may be the secret itself: it is not repeated */
	return demon_err_set(c->err, DEMON_INVALID,
			     "at '%s': expected the name of a secret, secret://SCOPE/KEY",
			     c->pointer);
}

/* Printable ASCII, no user before the host. */
static bool is_url(const char *text, const char *scheme, const char *secure)
{
	const char *host = strstr(text, "://");
	size_t len = host ? (size_t)(host - text) : 0;

	if (strlen(text) > URL_MAX || !host || !host[3] || strchr("/:?#", host[3]) ||
	    !((len == strlen(scheme) && strncmp(text, scheme, len) == 0) ||
	      (len == strlen(secure) && strncmp(text, secure, len) == 0)))
		return false;
	host += 3;
	if (memchr(host, '@', strcspn(host, "/?#")))
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f || strchr("\"<>\\^`{|}", *text))
			return false;
	return true;
}

static enum demon_rc check_url(const struct check *c)
{
	bool mail = c->kind == DEMON_ROUTE_SMTP;
	const char *text = json_string_value(c->value);

	if (!mail && is_secret(c->value))
		return DEMON_OK;
	if (text && is_url(text, mail ? "smtp" : "http", mail ? "smtps" : "https") &&
	    (!mail || strcspn(strstr(text, "://") + 3, "/?#") == strlen(strstr(text, "://") + 3)))
		return DEMON_OK;
	return mail ? wrong(c, "an address like smtp://mail.example:587 or smtps://mail.example")
		    : wrong(c, "an http or https address without user, or the name of a secret");
}

static enum demon_rc check_event(const struct check *c)
{
	const char *names[32];
	const char *near;
	size_t count = demon_topic_count - 1;

	if (!json_is_string(c->value))
		return wrong(c, "the name of an event");
	for (size_t i = 0; i < count; i++) {
		names[i] = demon_topics[i].name;
		if (strcmp(names[i], json_string_value(c->value)) == 0)
			return DEMON_OK;
	}
	near = demon_suggest(json_string_value(c->value), names, count);
	return demon_err_set(c->err, DEMON_INVALID,
			     "at '%s': '%.100s' is no event of notifications%s%s%s", c->pointer,
			     json_string_value(c->value), near ? " (did you mean '" : "",
			     near ? near : "", near ? "'?)" : "");
}

/* Every item of a list that has @p min to @p max of them. */
static enum demon_rc check_list(const struct check *c, check_fn *fn, size_t min, size_t max)
{
	size_t count = json_array_size(c->value);
	enum demon_rc rc = DEMON_OK;

	if (!json_is_array(c->value))
		return wrong(c, "a list");
	if (count < min || count > max)
		return demon_err_set(c->err, DEMON_INVALID,
				     "at '%s': expected %zu to %zu entries, found %zu", c->pointer,
				     min, max, count);
	for (size_t i = 0; i < count && !rc; i++) {
		const struct check inner = item(c, i);

		rc = fn(&inner);
	}
	return rc;
}

static enum demon_rc check_events(const struct check *c)
{
	return check_list(c, check_event, 1, 64);
}

static enum demon_rc check_ritual(const struct check *c)
{
	return json_is_string(c->value) && demon_id_valid(json_string_value(c->value))
		   ? DEMON_OK
		   : wrong(c, "the id of a ritual");
}

static enum demon_rc check_rituals(const struct check *c)
{
	return check_list(c, check_ritual, 1, 256);
}

/* Fields that the sender writes itself. */
static bool is_own_field(const char *name)
{
	static const char *const own[] = {
	    "Content-Length",    "Content-Type", "Host",       "Idempotency-Key",
	    "Transfer-Encoding", "Connection",   "Webhook-Id", "Webhook-Signature",
	    "Webhook-Timestamp", "Expect"};

	for (size_t i = 0; i < demon_count(own); i++)
		if (strcasecmp(own[i], name) == 0)
			return true;
	return false;
}

static enum demon_rc check_headers(const struct check *c)
{
	const char *name;
	json_t *value;

	if (!json_is_object(c->value) || json_object_size(c->value) > HEADERS_MAX)
		return wrong(c, "a mapping of at most 32 header fields");
	json_object_foreach(demon_json_iterable(c->value), name, value)
	{
		const struct check inner = within(c, value, name);

		if (!demon_http_is_token(name))
			return demon_err_set(c->err, DEMON_INVALID,
					     "at '%s': '%.64s' is no name of a header field",
					     c->pointer, name);
		if (is_own_field(name))
			return demon_err_set(c->err, DEMON_INVALID,
					     "at '%s': '%.64s' is a field that cannot be set",
					     c->pointer, name);
		if (!json_is_string(value) || !demon_http_is_value(json_string_value(value)) ||
		    json_string_length(value) > 4096)
			return wrong(&inner, "the value of a header field");
	}
	return DEMON_OK;
}

static enum demon_rc check_severity(const struct check *c)
{
	static const char *const words[] = {"critical", "error", "warning", "info"};

	for (size_t i = 0; i < demon_count(words); i++)
		if (json_is_string(c->value) && strcmp(words[i], json_string_value(c->value)) == 0)
			return DEMON_OK;
	return wrong(c, "critical, error, warning or info");
}

static enum demon_rc check_address(const struct check *c)
{
	return json_is_string(c->value) && demon_mail_is_address(json_string_value(c->value))
		   ? DEMON_OK
		   : wrong(c, "a mail address like ops@example.org");
}

static enum demon_rc check_to(const struct check *c)
{
	return check_list(c, check_address, 1, TO_MAX);
}

static enum demon_rc check_start_tls(const struct check *c)
{
	const char *text = json_string_value(c->value);

	return text && (strcmp(text, "required") == 0 || strcmp(text, "never") == 0)
		   ? DEMON_OK
		   : wrong(c, "required or never");
}

static enum demon_rc check_file(const struct check *c)
{
	const char *text = json_string_value(c->value);

	return text && *text == '/' && strlen(text) < 4096 ? DEMON_OK
							   : wrong(c, "an absolute path");
}

static enum demon_rc check_text(const struct check *c)
{
	size_t count;
	const char *const *names = demon_notice_names(&count);

	if (!json_is_string(c->value))
		return wrong(c, "a text");
	if (demon_template_check(json_string_value(c->value), names, count, c->err))
		return demon_err_wrap(c->err, "at '%s'", c->pointer);
	return DEMON_OK;
}

static enum demon_rc check_title(const struct check *c)
{
	const char *text = json_string_value(c->value);

	return text && (strlen(text) > 512 || strpbrk(text, "\r\n")) ? wrong(c, "one short line")
								     : check_text(c);
}

/* Templates in every string of a tree. */
static enum demon_rc check_tree(const struct check *c, unsigned depth)
{
	enum demon_rc rc = DEMON_OK;
	const char *key;
	json_t *value;
	size_t i;

	if (depth == 0)
		return wrong(c, "at most 16 levels");
	if (json_is_string(c->value))
		return check_text(c);
	json_object_foreach(demon_json_iterable(c->value), key, value)
	{
		const struct check inner = within(c, value, key);

		if ((rc = check_tree(&inner, depth - 1)))
			return rc;
	}
	json_array_foreach(c->value, i, value)
	{
		const struct check inner = item(c, i);

		if ((rc = check_tree(&inner, depth - 1)))
			return rc;
	}
	return rc;
}

static enum demon_rc check_template(const struct check *c)
{
	const char *key;
	json_t *value;
	enum demon_rc rc = DEMON_OK;

	if (!json_is_object(c->value))
		return wrong(c, "a mapping of title, text and body");
	json_object_foreach(demon_json_iterable(c->value), key, value)
	{
		const struct check inner = within(c, value, key);

		if (strcmp(key, "title") == 0)
			rc = check_title(&inner);
		else if (strcmp(key, "text") == 0)
			rc = check_text(&inner);
		else if (strcmp(key, "body") == 0 && c->kind == DEMON_ROUTE_WEBHOOK)
			rc = json_is_object(value) ? check_tree(&inner, BODY_DEPTH)
						   : wrong(&inner, "a mapping");
		else
			rc = demon_err_set(c->err, DEMON_INVALID,
					   "at '%s': '%.64s' is not title, text or (of a webhook) "
					   "body",
					   c->pointer, key);
		if (rc)
			return rc;
	}
	return rc;
}

static enum demon_rc check_templates(const struct check *c)
{
	const char *key;
	json_t *value;

	if (!json_is_object(c->value))
		return wrong(c, "a mapping of events");
	json_object_foreach(demon_json_iterable(c->value), key, value)
	{
		const struct check inner = within(c, value, key);
		json_auto_t *name = json_string(key);
		struct check named = inner;
		enum demon_rc rc;

		named.value = name;
		if (!name)
			return demon_err_set(c->err, DEMON_NOMEM, "no memory for a route");
		if ((strcmp(key, "*") != 0 && (rc = check_event(&named))) ||
		    (rc = check_template(&inner)))
			return rc;
	}
	return DEMON_OK;
}

static const struct member {
	const char *name;
	unsigned kinds;    /* that have it */
	unsigned required; /* kinds that cannot be without it */
	check_fn *check;
} members[] = {
    {"kind", ALL, ALL, check_kind},         {"url", ALL, W | S | M, check_url},
    {"events", ALL, ALL, check_events},     {"rituals", ALL, 0, check_rituals},
    {"templates", ALL, 0, check_templates}, {"disabled", ALL, 0, check_bool},
    {"timeout", ALL, 0, check_timeout},     {"attempts", ALL, 0, check_attempts},
    {"caFile", ALL, 0, check_file},         {"secret", W, 0, check_secret},
    {"headers", W | S, 0, check_headers},   {"links", W | M, 0, check_bool},
    {"routingKey", P, P, check_secret},     {"severity", P, 0, check_severity},
    {"from", M, M, check_address},          {"to", M, 0, check_to},
    {"approvers", M, 0, check_bool},        {"username", M, 0, check_secret},
    {"password", M, 0, check_secret},       {"startTls", M, 0, check_start_tls},
};

static enum demon_rc no_member(enum demon_route_kind kind, const char *key, struct demon_err *err)
{
	const char *names[demon_count(members)];
	const char *near;
	size_t count = 0;

	for (size_t i = 0; i < demon_count(members); i++)
		if (members[i].kinds & 1U << kind)
			names[count++] = members[i].name;
	near = demon_suggest(key, names, count);
	return demon_err_set(err, DEMON_INVALID, "at '': a route of kind %s has no '%.64s'%s%s%s",
			     demon_route_kind_name(kind), key, near ? " (did you mean '" : "",
			     near ? near : "", near ? "'?)" : "");
}

enum demon_rc demon_route_check(const json_t *value, enum demon_route_kind kind,
				struct demon_err *err)
{
	const struct check whole = {.kind = kind, .value = value, .err = err};
	size_t known = 0;

	for (size_t i = 0; i < demon_count(members); i++) {
		const struct member *m = &members[i];
		const json_t *given = json_object_get(value, m->name);
		const struct check c = within(&whole, given, m->name);
		enum demon_rc rc;

		if (!given && (m->required & 1U << kind))
			return demon_err_set(err, DEMON_INVALID, "at '': '%s' is missing", m->name);
		if (!given || !(m->kinds & 1U << kind))
			continue;
		if ((rc = m->check(&c)))
			return rc;
		known++;
	}
	if (known < json_object_size(value)) {
		const char *key;
		json_t *ignored;

		json_object_foreach(demon_json_iterable(value), key, ignored)
		{
			size_t i = 0;

			while (i < demon_count(members) && (strcmp(members[i].name, key) != 0 ||
							    !(members[i].kinds & 1U << kind)))
				i++;
			if (i == demon_count(members))
				return no_member(kind, key, err);
		}
	}
	return DEMON_OK;
}
