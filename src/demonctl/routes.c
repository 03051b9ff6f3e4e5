/*
 * demonctl routes set, list, remove, test.
 */
#include "base/yaml.h"
#include "cli/file.h"
#include "domain/admin/register.h"
#include "domain/notify/courier.h"
#include "notify_commands.h"
#include "out.h"
#include "store/readers.h"

#include <stdio.h>
#include <string.h>

static const char *tenant_of(const struct demon_ctl *ctl)
{
	return demon_args_has(&ctl->args, "all-tenants") ? DEMON_TENANT_ALL
							 : ctl->settings.tenant.value;
}

/* Opens the store for a change of the tenant's routes, or of the node's. */
static enum demon_rc open_for(struct demon_ctl *ctl, bool create, struct demon_err *err)
{
	enum demon_rc rc = demon_ctl_open(ctl, create, err);

	if (!rc && demon_args_has(&ctl->args, "all-tenants"))
		rc = demon_ctl_whole(ctl, err);
	return rc;
}

/* The text on the command line, or the file that it names; *ret_value is new. */
static enum demon_rc read_value(const char *text, json_t **ret_value, struct demon_err *err)
{
	demon_cleanup(demon_yaml_free_p) struct demon_yaml_doc *doc = NULL;
	DEMON_BUF(file, demon_json_payload_limits.max_bytes);
	enum demon_rc rc;

	if (*text != '@') {
		rc = demon_json_parse(text, strlen(text), &demon_json_payload_limits, ret_value,
				      err);
		return rc ? demon_err_wrap(err, "the value") : DEMON_OK;
	}
	if ((rc = demon_file_read(text + 1, &file, err)) ||
	    (rc = demon_yaml_parse(text + 1, file.data, file.len, &demon_yaml_ritual_limits, &doc,
				   err)))
		return rc;
	*ret_value = demon_yaml_json(demon_yaml_root(doc));
	return *ret_value ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory for a route");
}

static enum demon_rc write_route(struct demon_ctl *ctl, const json_t *value, struct demon_err *err)
{
	struct demon_register_write write = {.kind = DEMON_REGISTER_ROUTE,
					     .tenant = tenant_of(ctl),
					     .name = ctl->words[0],
					     .value = value,
					     .reason = demon_args_get(&ctl->args, "reason")};
	struct demon_actor actor;
	bool new;
	enum demon_rc rc;

	if ((rc = open_for(ctl, value != NULL, err)) ||
	    (rc = demon_ctl_actor(ctl, "by", &actor, err)))
		return rc;
	write.actor = &actor;
	if ((rc = demon_register_set(ctl->store, &write, &new, err)))
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:s,s:b,s:s}", "name", write.name, "noop", !new,
						"tenant", write.tenant),
				      err);
	demon_out_note(&ctl->settings, "route %s %s%s", write.name, value ? "is set" : "is no more",
		       new ? "" : ", as before");
	return DEMON_OK;
}

enum demon_rc demon_command_routes_set(struct demon_ctl *ctl, struct demon_err *err)
{
	json_auto_t *value = NULL;
	struct demon_route route;
	enum demon_rc rc;

	if ((rc = read_value(ctl->words[1], &value, err)))
		return rc;
	if (demon_route_parse(value, &route, err)) {
		demon_ctl_hint(ctl, "docs/notifications.md has the members of a route");
		return demon_err_wrap(err, "route '%.100s'", ctl->words[0]);
	}
	return write_route(ctl, value, err);
}

enum demon_rc demon_command_routes_remove(struct demon_ctl *ctl, struct demon_err *err)
{
	return write_route(ctl, NULL, err);
}

struct list {
	const struct demon_settings *settings;
	struct demon_table table;
};

static void add_events(const struct demon_route *route, struct demon_buf *out)
{
	for (size_t i = 0; i < demon_topic_count; i++)
		if (route->topics & UINT32_C(1) << i)
			demon_buf_fmt(out, "%s%s", out->len ? ", " : "", demon_topics[i].name);
}

static enum demon_rc list_row(void *ctx, const struct demon_register_row *row,
			      struct demon_err *err)
{
	struct list *list = ctx;
	json_auto_t *value = NULL;
	struct demon_err why = {0};
	struct demon_route route;
	DEMON_BUF(events, 0);
	enum demon_rc rc =
	    demon_json_parse(row->value, row->value_len, &demon_json_payload_limits, &value, err);

	if (rc)
		return rc;
	if (list->settings->json)
		return demon_out_json(list->settings,
				      json_pack("{s:s,s:s,s:s,s:o,s:O}", "by", row->by, "name",
						row->name, "tenant", row->tenant, "ts",
						demon_out_time_json(row->ts), "value", value),
				      err);
	rc = demon_route_parse(value, &route, &why);
	if (!rc)
		add_events(&route, &events);
	demon_table_cell(&list->table, row->name);
	demon_table_cell(&list->table, row->tenant);
	demon_table_cell(&list->table, rc ? "?" : demon_route_kind_name(route.kind));
	demon_table_cell(&list->table, rc ? "invalid" : route.disabled ? "disabled" : "enabled");
	demon_table_cell(&list->table, rc ? why.msg : events.data);
	return demon_buf_rc(&events, err);
}

enum demon_rc demon_command_routes_list(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"ROUTE", "TENANT", "KIND", "STATE", "EVENTS", NULL};
	struct list list = {.settings = &ctl->settings,
			    .table = demon_table_begin(&ctl->settings, heads, (size_t)-1)};
	bool all = demon_args_has(&ctl->args, "all-tenants");
	enum demon_rc rc;
	DEMON_READ(loan);

	if (!(rc = open_for(ctl, false, err)) &&
	    !(rc = demon_store_borrow(ctl->store, &loan, err)) &&
	    !(rc = demon_register_list(loan.db, DEMON_REGISTER_ROUTE, all ? NULL : DEMON_TENANT_ALL,
				       list_row, &list, err)) &&
	    (all || !(rc = demon_register_list(loan.db, DEMON_REGISTER_ROUTE,
					       ctl->settings.tenant.value, list_row, &list, err))))
		rc = demon_table_print(&list.table, err);
	demon_table_done(&list.table);
	return rc;
}

/* A test under way. */
struct test {
	struct demon_ctl *ctl;
	struct demon_courier courier;
	size_t failed;
};

static enum demon_rc test_one(struct test *t, const char *recipient, struct demon_err *err)
{
	const char *name = t->ctl->words[0];
	struct demon_sent sent;
	bool taken;
	enum demon_rc rc;

	if ((rc = demon_courier_test(&t->courier, tenant_of(t->ctl), name, recipient, &sent, err)))
		return rc;
	taken = sent.end == DEMON_SENT;
	t->failed += !taken;
	if (t->ctl->settings.json)
		return demon_out_json(
		    &t->ctl->settings,
		    json_pack("{s:s*,s:s,s:s*,s:o*,s:b}", "error", taken ? NULL : sent.text, "name",
			      name, "recipient", recipient, "status",
			      sent.status ? json_integer(sent.status) : NULL, "taken", taken),
		    err);
	demon_out_field(recipient ? recipient : name, "%s%s",
			taken ? "taken" : "not taken: ", taken ? "" : sent.text);
	return DEMON_OK;
}

static enum demon_rc test_all(struct test *t, struct demon_err *err)
{
	const char *to = demon_args_get(&t->ctl->args, "to");
	json_auto_t *value = NULL;
	struct demon_route route;
	const json_t *address;
	enum demon_rc rc;
	size_t i;

	if ((rc = demon_courier_route(t->ctl->store, tenant_of(t->ctl), t->ctl->words[0], &value,
				      err)) ||
	    (rc = demon_route_parse(value, &route, err)))
		return rc;
	if (route.kind != DEMON_ROUTE_SMTP)
		return to ? demon_err_set(err, DEMON_USAGE, "option '--to' is for mails only")
			  : test_one(t, NULL, err);
	if (to && !demon_mail_is_address(to))
		return demon_err_set(err, DEMON_USAGE, "option '--to': '%.100s' is no mail address",
				     to);
	if (to)
		return test_one(t, to, err);
	if (!route.to)
		return demon_err_set(err, DEMON_USAGE,
				     "the route names no address: say one with --to");
	json_array_foreach(route.to, i, address)
	{
		if ((rc = test_one(t, json_string_value(address), err)))
			return rc;
	}
	return DEMON_OK;
}

enum demon_rc demon_command_routes_test(struct demon_ctl *ctl, struct demon_err *err)
{
	const struct demon_secrets_options options = demon_settings_secrets(&ctl->settings);
	struct demon_secrets *secrets = NULL;
	struct test t = {.ctl = ctl};
	enum demon_rc rc;

	if ((rc = open_for(ctl, false, err)) || (rc = demon_secrets_open(&options, &secrets, err)))
		return rc;
	t.courier = (struct demon_courier){.store = ctl->store,
					   .sending = {.env = demon_env_real(), .secrets = secrets},
					   .base_url = ctl->settings.public_url.value};
	rc = test_all(&t, err);
	demon_secrets_close(secrets);
	if (!rc && t.failed)
		rc = demon_err_set(err, DEMON_FAILED, "the test was not taken");
	return rc;
}
