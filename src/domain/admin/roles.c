#include "roles.h"

#include "base/json.h"
#include "store/subject.h"

#include <string.h>

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for roles");
}

bool demon_role_name_valid(const char *name)
{
	return demon_graph_id_valid(name);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in ascending order, each once (new); NULL: out of memory. */
static json_t *sorted(const char *const *names, size_t count)
{
	demon_cleanup(demon_free_p) const char **all = demon_calloc(count + 1, sizeof(*all));
	json_auto_t *array = json_array();

	if (!all || !array)
		return NULL;
	if (count)
		memcpy((void *)all, (const void *)names, count * sizeof(*all));
	qsort((void *)all, count, sizeof(*all), compare);
	for (size_t i = 0; i < count; i++)
		if ((!i || strcmp(all[i], all[i - 1]) != 0) &&
		    json_array_append_new(array, json_string(all[i])))
			return NULL;
	return demon_take(array);
}

static enum demon_rc check(const struct demon_roles_request *request, struct demon_err *err)
{
	const struct demon_actor subject = {.subject = request->subject};
	enum demon_rc rc = demon_actor_check(&subject, err);

	if (rc)
		return rc;
	if (request->count > DEMON_ROLES_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "%zu roles: a subject has at most %d",
				     request->count, DEMON_ROLES_MAX);
	for (size_t i = 0; i < request->count; i++)
		if (!demon_role_name_valid(request->roles[i]))
			return demon_err_set(err, DEMON_INVALID,
					     "role %zu is not valid: 1 to 64 of A-Z a-z 0-9 . _ -",
					     i + 1);
	return DEMON_OK;
}

enum demon_rc demon_roles_set(struct demon_store *store, const struct demon_roles_request *request,
			      bool *ret_new, struct demon_err *err)
{
	struct demon_register_write write = {.kind = DEMON_REGISTER_ROLES,
					     .tenant = request->tenant,
					     .name = request->subject,
					     .actor = request->actor,
					     .reason = request->reason};
	json_auto_t *value = NULL;
	enum demon_rc rc;

	if ((rc = check(request, err)))
		return rc;
	if (request->count) {
		value = json_pack("{s:o}", "roles", sorted(request->roles, request->count));
		if (!value)
			return no_memory(err);
	}
	write.value = value;
	rc = demon_register_set(store, &write, ret_new, err);
	if (rc != DEMON_NOTFOUND)
		return rc;
	if (ret_new)
		*ret_new = false; /* it had none */
	return DEMON_OK;
}

/* What a node wrote; what is no list of names is an empty one: it gives nobody anything. */
static enum demon_rc read_value(const struct demon_register_row *row, json_t **ret_roles,
				struct demon_err *err)
{
	json_auto_t *object = NULL;
	json_t *roles;

	if (demon_json_parse(row->value, row->value_len, &demon_json_payload_limits, &object, err))
		return err->rc;
	roles = json_object_get(object, "roles");
	*ret_roles = json_is_array(roles) ? json_incref(roles) : json_array();
	return *ret_roles ? DEMON_OK : no_memory(err);
}

/* Gathers roles, as members of an object whose values do not matter, or looks for one. */
struct gather {
	json_t *all;      /* NULL: only looks */
	const char *role; /* that is looked for */
	bool has;
};

static enum demon_rc gather(void *ctx, const struct demon_register_row *row, struct demon_err *err)
{
	struct gather *g = ctx;
	json_auto_t *roles = NULL;
	const json_t *role;
	size_t i;
	enum demon_rc rc;

	if ((rc = read_value(row, &roles, err)))
		return rc;
	json_array_foreach(roles, i, role)
	{
		const char *name = json_string_value(role);

		if (!name || !demon_role_name_valid(name))
			continue;
		if (g->role && strcmp(name, g->role) == 0)
			g->has = true;
		if (g->all && json_object_set_new(g->all, name, json_null()))
			return no_memory(err);
	}
	return DEMON_OK;
}

/* Those of all tenants, and those of this one. */
static enum demon_rc look(struct demon_db *db, const char *tenant, const char *subject,
			  struct gather *g, struct demon_err *err)
{
	enum demon_rc rc =
	    demon_register_get(db, DEMON_REGISTER_ROLES, DEMON_TENANT_ALL, subject, gather, g, err);

	if (rc && rc != DEMON_NOTFOUND)
		return rc;
	if (strcmp(tenant, DEMON_TENANT_ALL) == 0)
		return DEMON_OK;
	rc = demon_register_get(db, DEMON_REGISTER_ROLES, tenant, subject, gather, g, err);
	return rc == DEMON_NOTFOUND ? DEMON_OK : rc;
}

enum demon_rc demon_roles_has(struct demon_db *db, const char *tenant, const char *subject,
			      const char *role, bool *ret_has, struct demon_err *err)
{
	struct gather g = {.role = role};
	enum demon_rc rc = look(db, tenant, subject, &g, err);

	if (!rc)
		*ret_has = g.has;
	return rc;
}

enum demon_rc demon_roles_get(struct demon_db *db, const char *tenant, const char *subject,
			      json_t **ret_roles, struct demon_err *err)
{
	json_auto_t *all = json_object();
	struct gather g = {.all = all};
	demon_cleanup(demon_free_p) const char **names = NULL;
	size_t count = 0;
	const char *name;
	json_t *unused;
	enum demon_rc rc;

	if (!all)
		return no_memory(err);
	if ((rc = look(db, tenant, subject, &g, err)))
		return rc;
	names = demon_calloc(json_object_size(all) + 1, sizeof(*names));
	if (!names)
		return no_memory(err);
	json_object_foreach(all, name, unused) names[count++] = name;
	*ret_roles = sorted(names, count);
	return *ret_roles ? DEMON_OK : no_memory(err);
}

struct list {
	demon_roles_fn *fn;
	void *ctx;
};

static enum demon_rc list_row(void *ctx, const struct demon_register_row *row,
			      struct demon_err *err)
{
	struct list *list = ctx;
	json_auto_t *roles = NULL;
	enum demon_rc rc = read_value(row, &roles, err);

	return rc ? rc : list->fn(list->ctx, &(struct demon_roles_row){row, roles}, err);
}

enum demon_rc demon_roles_list(struct demon_db *db, const char *tenant, demon_roles_fn *fn,
			       void *ctx, struct demon_err *err)
{
	struct list list = {fn, ctx};

	return demon_register_list(db, DEMON_REGISTER_ROLES, tenant, list_row, &list, err);
}
