#include "recipients.h"

#include "domain/admin/roles.h"
#include "domain/approval/gate.h"

#include <string.h>
#include <strings.h>

enum demon_rc demon_recipients_terms(struct demon_db *db, const struct demon_occasion *occasion,
				     json_t **ret_opened, struct demon_err *err)
{
	const struct demon_topic *topic = occasion->topic;
	const struct demon_event *event = occasion->event;
	const json_t *payload = occasion->payload;
	const json_t *round = json_object_get(payload, "round");
	struct demon_run_id run = {0};
	enum demon_rc rc;
	DEMON_GATE(gate);

	*ret_opened = NULL;
	if (!topic->gate || topic->incident != DEMON_INCIDENT_TRIGGER || !event->gate_id ||
	    !json_is_integer(round))
		return DEMON_OK;
	if (json_is_array(json_object_get(payload, "approvers"))) {
		*ret_opened = json_incref(demon_json_iterable(payload));
		return DEMON_OK;
	}
	memccpy(run.tenant_id, event->tenant_id, 0, sizeof(run.tenant_id) - 1);
	memccpy(run.run_id, event->run_id, 0, sizeof(run.run_id) - 1);
	memcpy(run.origin, event->run_origin, sizeof(run.origin));
	rc = demon_gate_find(db, &run, event->gate_id, json_integer_value(round), &gate, err);
	if (rc)
		return rc == DEMON_NOTFOUND ? DEMON_OK : rc;
	*ret_opened = demon_json_copy(gate.opened);
	if (!*ret_opened || json_object_set_new(*ret_opened, "level", json_integer(gate.level)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for the terms of a gate");
	return DEMON_OK;
}

static bool lists(const json_t *names, const char *name)
{
	const json_t *n;
	size_t i;

	json_array_foreach(names, i, n)
	{
		if (json_is_string(n) && strcasecmp(json_string_value(n), name) == 0)
			return true;
	}
	return false;
}

/* Who is being looked for. */
struct search {
	const json_t *opened;
	json_t *roles;    /* owned: array of names */
	json_t *subjects; /* owned */
};

static void search_done(struct search *s)
{
	json_decref(s->roles);
	json_decref(s->subjects);
}

static bool is_requester(const struct search *s, const char *subject)
{
	static const char *const keys[] = {"requester", "startedBy"};

	if (json_is_true(json_object_get(s->opened, "allowRequester")))
		return false;
	for (size_t i = 0; i < demon_count(keys); i++) {
		const char *name = json_string_value(json_object_get(s->opened, keys[i]));

		if (name && strcasecmp(name, subject) == 0)
			return true;
	}
	return false;
}

static enum demon_rc add(struct search *s, const char *subject, struct demon_err *err)
{
	if (json_array_size(s->subjects) == DEMON_RECIPIENTS_MAX || lists(s->subjects, subject) ||
	    is_requester(s, subject))
		return DEMON_OK;
	return json_array_append_new(s->subjects, json_string(subject))
		   ? demon_err_set(err, DEMON_NOMEM, "no memory for recipients")
		   : DEMON_OK;
}

static enum demon_rc add_all(struct search *s, const json_t *subjects, struct demon_err *err)
{
	const json_t *subject;
	enum demon_rc rc = DEMON_OK;
	size_t i;

	json_array_foreach(subjects, i, subject)
	{
		if (json_is_string(subject) && (rc = add(s, json_string_value(subject), err)))
			return rc;
	}
	return rc;
}

static enum demon_rc see_subject(void *ctx, const struct demon_roles_row *row,
				 struct demon_err *err)
{
	struct search *s = ctx;
	const json_t *role;
	size_t i;

	json_array_foreach(row->roles, i, role)
	{
		if (json_is_string(role) && lists(s->roles, json_string_value(role)))
			return add(s, row->row->name, err);
	}
	return DEMON_OK;
}

/* The roles whose holders are asked by this event. */
static enum demon_rc find_roles(struct search *s, const json_t *payload, struct demon_err *err)
{
	const json_t *levels = json_object_get(s->opened, "levels");
	json_int_t reached = json_integer_value(json_object_get(s->opened, "level"));
	bool failed;

	s->roles = json_array();
	if (json_object_get(payload, "toLevel"))
		failed =
		    !s->roles || json_array_extend(s->roles, json_object_get(payload, "roles"));
	else
		failed =
		    !s->roles || json_array_extend(s->roles, json_object_get(s->opened, "roles"));
	if (!json_object_get(payload, "toLevel"))
		for (json_int_t i = 0; !failed && i < (reached ? reached : 1); i++) {
			json_t *roles = json_object_get(json_array_get(levels, (size_t)i), "roles");

			failed = roles && json_array_extend(s->roles, roles);
		}
	return failed ? demon_err_set(err, DEMON_NOMEM, "no memory for recipients") : DEMON_OK;
}

enum demon_rc demon_recipients_approvers(struct demon_db *db, const struct demon_occasion *occasion,
					 json_t **ret_subjects, struct demon_err *err)
{
	const json_t *payload = occasion->payload;
	const char *tenant = occasion->event->tenant_id;
	json_auto_t *opened = NULL;
	demon_cleanup(search_done) struct search s = {.subjects = json_array()};
	enum demon_rc rc;

	if (!s.subjects)
		return demon_err_set(err, DEMON_NOMEM, "no memory for recipients");
	if ((rc = demon_recipients_terms(db, occasion, &opened, err)))
		return rc;
	s.opened = opened;
	if (opened) {
		if ((rc = find_roles(&s, payload, err)) ||
		    (!json_object_get(payload, "toLevel") &&
		     (rc = add_all(&s, json_object_get(opened, "approvers"), err))) ||
		    (rc = demon_roles_list(db, tenant, see_subject, &s, err)) ||
		    (rc = demon_roles_list(db, DEMON_TENANT_ALL, see_subject, &s, err)))
			return rc;
	}
	*ret_subjects = demon_take(s.subjects);
	return DEMON_OK;
}

bool demon_recipients_has(const json_t *subjects, const char *name)
{
	return lists(subjects, name);
}

/* Whom the level that this event is about wants told besides. */
static enum demon_rc find_notified(struct demon_db *db, const struct demon_occasion *occasion,
				   json_t **ret_names, struct demon_err *err)
{
	json_int_t level = json_integer_value(json_object_get(occasion->payload, "toLevel"));
	json_auto_t *opened = NULL;
	enum demon_rc rc = demon_recipients_terms(db, occasion, &opened, err);

	if (!level)
		level = json_integer_value(json_object_get(opened, "level"));
	if (!rc)
		*ret_names =
		    json_incref(json_object_get(json_array_get(json_object_get(opened, "levels"),
							       (size_t)(level > 0 ? level - 1 : 0)),
						"notifications"));
	return rc;
}

/* Adds those of the names that are addresses. */
static enum demon_rc add_addresses(json_t *addresses, const json_t *names, struct demon_err *err)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);

		if (!text || !demon_mail_is_address(text) || lists(addresses, text) ||
		    json_array_size(addresses) >= DEMON_RECIPIENTS_MAX)
			continue;
		if (json_array_append(addresses, demon_json_iterable(name)))
			return demon_err_set(err, DEMON_NOMEM, "no memory for recipients");
	}
	return DEMON_OK;
}

enum demon_rc demon_recipients_find(struct demon_db *db, const struct demon_route *route,
				    const struct demon_occasion *occasion, json_t **ret_addresses,
				    struct demon_err *err)
{
	json_auto_t *subjects = NULL;
	json_auto_t *notified = NULL;
	json_auto_t *addresses = route->to ? demon_json_copy(route->to) : json_array();
	enum demon_rc rc;

	if (!addresses)
		return demon_err_set(err, DEMON_NOMEM, "no memory for recipients");
	if (route->approvers && ((rc = demon_recipients_approvers(db, occasion, &subjects, err)) ||
				 (rc = find_notified(db, occasion, &notified, err)) ||
				 (rc = add_addresses(addresses, subjects, err)) ||
				 (rc = add_addresses(addresses, notified, err))))
		return rc;
	*ret_addresses = demon_take(addresses);
	return DEMON_OK;
}
