#include "actor.h"

#include "base/json_text.h"

#include <string.h>
#include <strings.h>

#define SHOWN 60 /* bytes of a bad name that are quoted */

static const char *const auths[DEMON_AUTH_COUNT] = {"declared", "link", "token", "system"};
static const char *const roles[DEMON_ROLE_COUNT] = {"none", "viewer", "operator", "approver",
						    "admin"};

const struct demon_actor demon_actor_system = {
    .subject = "system", .auth = DEMON_AUTH_SYSTEM, .role = DEMON_ROLE_NONE};

const char *demon_auth_name(enum demon_auth auth)
{
	return auths[auth];
}

enum demon_rc demon_auth_find(const char *name, enum demon_auth *ret_auth, struct demon_err *err)
{
	for (size_t i = 0; i < DEMON_AUTH_COUNT; i++)
		if (strcmp(name, auths[i]) == 0) {
			*ret_auth = (enum demon_auth)i;
			return DEMON_OK;
		}
	return demon_err_set(err, DEMON_INVALID,
			     "authentication '%.*s' is none of declared, link, token, system",
			     SHOWN, name);
}

const char *demon_role_name(enum demon_role role)
{
	return roles[role];
}

enum demon_rc demon_role_find(const char *name, enum demon_role *ret_role, struct demon_err *err)
{
	for (size_t i = DEMON_ROLE_VIEWER; i < DEMON_ROLE_COUNT; i++)
		if (strcmp(name, roles[i]) == 0) {
			*ret_role = (enum demon_role)i;
			return DEMON_OK;
		}
	return demon_err_set(err, DEMON_INVALID,
			     "role '%.*s' is none of viewer, operator, approver, admin", SHOWN,
			     name);
}

struct range {
	uint32_t from;
	uint32_t to;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t c)
{
	for (size_t i = 0; i < count; i++)
		if (c >= ranges[i].from && c <= ranges[i].to)
			return true;
	return false;
}

/* What breaks a line, shows nothing, or changes how the text around it is shown: two names must not
 * look alike by it. */
static bool is_hidden(uint32_t c)
{
	static const struct range hidden[] = {
	    {0x0000, 0x001f}, {0x007f, 0x009f},   {0x00ad, 0x00ad}, {0x034f, 0x034f},
	    {0x061c, 0x061c}, {0x115f, 0x1160},   {0x17b4, 0x17b5}, {0x180b, 0x180f},
	    {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f}, {0x3164, 0x3164},
	    {0xd800, 0xdfff}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff}, {0xffa0, 0xffa0},
	    {0xfff0, 0xfffb}, {0xe0000, 0xe0fff},
	};

	return is_in(hidden, demon_count(hidden), c);
}

static bool is_space(uint32_t c)
{
	static const struct range spaces[] = {
	    {0x20, 0x20},     {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
	    {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
	};

	return is_in(spaces, demon_count(spaces), c);
}

static uint32_t code_point(const char *text, size_t len)
{
	static const unsigned char masks[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)text[0] & masks[len];

	for (size_t i = 1; i < len; i++)
		c = c << 6 | ((unsigned char)text[i] & 0x3f);
	return c;
}

/* Why the text cannot be a name, or NULL. *ret_shown: how much of it can be quoted. */
static const char *fault_of(const char *text, size_t *ret_shown)
{
	const char *end = text + strlen(text);
	bool space = true; /* the character before, and before the first */

	*ret_shown = 0;
	if (text == end)
		return "it is empty";
	for (const char *p = text; p < end;) {
		size_t n = demon_json_utf8(p, end);
		uint32_t c = n ? code_point(p, n) : 0;

		if (!n)
			return "it is not UTF-8";
		if (is_hidden(c))
			return "it has a control character or one that shows nothing";
		if (p == text && is_space(c))
			return "it begins with white space";
		space = is_space(c);
		p += n;
		if ((size_t)(p - text) <= SHOWN)
			*ret_shown = (size_t)(p - text);
	}
	if (space)
		return "it ends with white space";
	return end - text > DEMON_ACTOR_MAX ? "it is longer than 254 bytes" : NULL;
}

enum demon_rc demon_line_check(const char *what, const char *text, struct demon_err *err)
{
	size_t shown;
	const char *fault = text ? fault_of(text, &shown) : "it is missing";

	if (!fault)
		return DEMON_OK;
	if (!text || !shown)
		return demon_err_set(err, DEMON_INVALID, "the %s is not valid: %s", what, fault);
	return demon_err_set(err, DEMON_INVALID, "%s '%.*s%s' is not valid: %s", what, (int)shown,
			     text, text[shown] ? "..." : "", fault);
}

enum demon_rc demon_subject_check(const char *subject, struct demon_err *err)
{
	return demon_line_check("subject", subject, err);
}

enum demon_rc demon_actor_check(const struct demon_actor *actor, struct demon_err *err)
{
	enum demon_rc rc = demon_subject_check(actor->subject, err);

	if (rc)
		return rc;
	if ((strcasecmp(actor->subject, demon_actor_system.subject) == 0) !=
	    (actor->auth == DEMON_AUTH_SYSTEM))
		return demon_err_set(err, DEMON_INVALID,
				     "subject '%s' is not valid: 'system' is the node itself",
				     actor->subject);
	return DEMON_OK;
}
