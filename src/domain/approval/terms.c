#include "terms.h"

#include "base/bytes.h"
#include "domain/capsule/arguments.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 4096 /* bytes of reason and confirm */
#define NAME_MAX DEMON_ACTOR_MAX

static const char *const known[] = {"gate",   "reason",  "requester",      "ttl",
				    "quorum", "denials", "allowRequester", "approvers",
				    "roles",  "confirm", "authentication"};

static void check_gate(const struct demon_arguments *a)
{
	const char *gate = demon_arguments_text(a, "gate");
	size_t n = gate ? strspn(gate, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789_-")
			: 1;

	if (gate && (n < 1 || n > 64 || gate[n]))
		demon_arguments_report(a, "/gate",
				       "argument 'gate': expected 1 to 64 letters, digits, '_' or "
				       "'-'");
}

static void check_text(const struct demon_arguments *a, const char *key)
{
	const char *text = demon_arguments_text(a, key);
	char pointer[32];

	(void)snprintf(pointer, sizeof(pointer), "/%s", key);
	if (text && strlen(text) > TEXT_MAX)
		demon_arguments_report(a, pointer, "argument '%s': longer than %d bytes", key,
				       TEXT_MAX);
}

static void check_name(const struct demon_arguments *a, const json_t *name, const char *key,
		       const char *pointer)
{
	struct demon_err err;

	if (!json_is_string(name))
		demon_arguments_report(a, pointer, "argument '%s': expected a string, found %s",
				       key, demon_json_describe(name));
	else if (demon_line_check(key, json_string_value(name), &err))
		demon_arguments_report(a, pointer, "argument '%s': %s", key, err.msg);
}

static void check_names(const struct demon_arguments *a, const char *key)
{
	const json_t *names = json_object_get(a->with, key);
	char pointer[64];

	(void)snprintf(pointer, sizeof(pointer), "/%s", key);
	if (!names)
		return;
	if (!json_is_array(names)) {
		demon_arguments_report(a, pointer, "argument '%s': expected a list, found %s", key,
				       demon_json_describe(names));
		return;
	}
	if (json_array_size(names) > DEMON_GATE_NAMES_MAX)
		demon_arguments_report(a, pointer, "argument '%s': more than %d names", key,
				       DEMON_GATE_NAMES_MAX);
	for (size_t i = 0; i < json_array_size(names) && i < DEMON_GATE_NAMES_MAX; i++) {
		(void)snprintf(pointer, sizeof(pointer), "/%s/%zu", key, i);
		check_name(a, json_array_get(names, i), key, pointer);
	}
}

static void check_count(const struct demon_arguments *a, const char *key)
{
	const json_t *value = json_object_get(a->with, key);
	char pointer[32];

	(void)snprintf(pointer, sizeof(pointer), "/%s", key);
	if (value && (!json_is_integer(value) || json_integer_value(value) < 1 ||
		      json_integer_value(value) > DEMON_GATE_VOTES_MAX))
		demon_arguments_report(a, pointer,
				       "argument '%s': expected a whole number from 1 to %d", key,
				       DEMON_GATE_VOTES_MAX);
}

static void check_ttl(const struct demon_arguments *a)
{
	const json_t *ttl = json_object_get(a->with, "ttl");
	int64_t ms;

	if (ttl && !demon_arguments_duration(ttl, DEMON_GATE_TTL_MAX, &ms))
		demon_arguments_report(a, "/ttl",
				       "argument 'ttl': expected seconds or an ISO 8601 duration, "
				       "above zero and at most 3650 days");
}

static void check_authentication(const struct demon_arguments *a)
{
	const char *name = demon_arguments_text(a, "authentication");
	enum demon_auth auth;
	struct demon_err err;

	if (name && (demon_auth_find(name, &auth, &err) || auth == DEMON_AUTH_SYSTEM))
		demon_arguments_report(a, "/authentication",
				       "argument 'authentication': expected declared, link or "
				       "token");
}

static void check(const json_t *with, demon_argument_problem_fn *report, void *ctx)
{
	const struct demon_arguments a = {with, report, ctx};

	if (!demon_arguments_known(&a, known, demon_count(known)))
		return;
	check_gate(&a);
	check_text(&a, "reason");
	check_text(&a, "confirm");
	if (json_object_get(with, "requester"))
		check_name(&a, json_object_get(with, "requester"), "requester", "/requester");
	check_ttl(&a);
	check_names(&a, "approvers");
	check_names(&a, "roles");
	check_count(&a, "quorum");
	check_count(&a, "denials");
	demon_arguments_flag(&a, "allowRequester");
	check_authentication(&a);
}

/* A gate that was opened stays open when its process ends. */
static bool idempotent(const json_t *with)
{
	(void)with;
	return true;
}

static int64_t count_of(const json_t *with, const char *key)
{
	const json_t *value = json_object_get(with, key);

	return value ? json_integer_value(value) : 1;
}

struct demon_gate_terms demon_gate_terms_read(const json_t *with)
{
	struct demon_gate_terms terms = {
	    .gate = json_string_value(json_object_get(with, "gate")),
	    .reason = json_string_value(json_object_get(with, "reason")),
	    .requester = json_string_value(json_object_get(with, "requester")),
	    .approvers = json_object_get(with, "approvers"),
	    .roles = json_object_get(with, "roles"),
	    .quorum = count_of(with, "quorum"),
	    .denials = count_of(with, "denials"),
	    .allow_requester = json_is_true(json_object_get(with, "allowRequester")),
	    .confirm = json_string_value(json_object_get(with, "confirm")),
	};
	const char *auth = json_string_value(json_object_get(with, "authentication"));
	struct demon_err err;

	if (!auth || demon_auth_find(auth, &terms.auth, &err))
		terms.auth = DEMON_AUTH_DECLARED;
	if (!demon_arguments_duration(json_object_get(with, "ttl"), DEMON_GATE_TTL_MAX,
				      &terms.ttl_ms))
		terms.ttl_ms = 0;
	return terms;
}

const struct demon_capsule demon_capsule_approval = {
    .name = "approval", .check = check, .idempotent = idempotent};
