/*
 * demonctl notifications list, show, retry, drop.
 */
#include "domain/notify/delivery.h"
#include "notify_commands.h"
#include "out.h"
#include "store/readers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIMIT     50
#define LIMIT_MAX 1000000

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

static json_t *delivery_json(const struct demon_delivery *d)
{
	bool due = d->state == DEMON_DELIVERY_DUE;

	return json_pack("{s:I,s:o,s:o*,s:s*,s:s*,s:s,s:o*,s:s*,s:s,s:s,s:s,s:s,s:o*,s:s,s:s}",
			 "attempts", (json_int_t)d->attempts, "createdAt",
			 demon_out_time_json(d->created_at), "endedAt",
			 d->ended_at ? demon_out_time_json(d->ended_at) : NULL, "error",
			 or_null(d->error), "gateId", or_null(d->gate_id), "key", d->key, "nextAt",
			 due ? demon_out_time_json(d->next_at) : NULL, "recipient",
			 or_null(d->recipient), "route", d->route, "routeTenant", d->route_tenant,
			 "runId", d->run_id, "state", demon_delivery_state_name(d->state), "status",
			 d->status ? json_integer(d->status) : NULL, "tenantId", d->tenant_id,
			 "topic", d->topic);
}

struct list {
	const struct demon_settings *settings;
	struct demon_table table;
};

static enum demon_rc list_row(void *ctx, const struct demon_delivery *d, struct demon_err *err)
{
	struct list *list = ctx;
	char attempts[24];

	if (list->settings->json)
		return demon_out_json(list->settings, delivery_json(d), err);
	(void)snprintf(attempts, sizeof(attempts), "%" PRId64, d->attempts);
	demon_table_cell(&list->table, d->key);
	demon_table_cell(&list->table, demon_delivery_state_name(d->state));
	demon_table_cell(&list->table, d->topic);
	demon_table_cell(&list->table, d->run_id);
	demon_table_cell(&list->table, d->route);
	demon_table_cell(&list->table, *d->recipient ? d->recipient : "-");
	demon_table_cell(&list->table, attempts);
	demon_table_cell(&list->table, d->state == DEMON_DELIVERY_DUE
					   ? demon_out_time(d->next_at)
					   : demon_out_time(d->ended_at));
	demon_table_cell(&list->table, d->error);
	return DEMON_OK;
}

/* The states that are asked for, as bits. */
static enum demon_rc read_states(const struct demon_ctl *ctl, unsigned *ret, struct demon_err *err)
{
	const char *state = demon_args_get(&ctl->args, "state");

	*ret = 1U << DEMON_DELIVERY_DEAD | 1U << DEMON_DELIVERY_DUE;
	if (!state)
		return DEMON_OK;
	for (unsigned i = 0; i < DEMON_DELIVERY_STATES; i++)
		if (strcmp(demon_delivery_state_name((enum demon_delivery_state)i), state) == 0) {
			*ret = 1U << i;
			return DEMON_OK;
		}
	return demon_err_set(err, DEMON_USAGE, "option '--state': '%.64s' is not due, sent or dead",
			     state);
}

static enum demon_rc list_all(struct demon_ctl *ctl, struct list *list, struct demon_err *err)
{
	int64_t limit = LIMIT;
	unsigned states;
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = read_states(ctl, &states, err)) ||
	    (rc = demon_args_number(&ctl->args, "limit", 1, LIMIT_MAX, &limit, err)) ||
	    (rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_store_borrow(ctl->store, &loan, err)))
		return rc;
	for (int i = DEMON_DELIVERY_STATES - 1; i >= 0; i--) {
		const struct demon_delivery_filter filter = {.state = (enum demon_delivery_state)i,
							     .limit = (size_t)limit};

		if ((states & 1U << i) &&
		    (rc = demon_deliveries_list(loan.db, &filter, list_row, list, err)))
			return rc;
	}
	return demon_table_print(&list->table, err);
}

enum demon_rc demon_command_notifications_list(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"KEY",       "STATE",    "EVENT", "RUN",   "ROUTE",
					    "RECIPIENT", "ATTEMPTS", "TIME",  "ERROR", NULL};
	struct list list = {.settings = &ctl->settings,
			    .table = demon_table_begin(&ctl->settings, heads, 1)};
	enum demon_rc rc = list_all(ctl, &list, err);

	demon_table_done(&list.table);
	return rc;
}

static void show_times(const struct demon_delivery *d)
{
	demon_out_field("created", "%s", demon_out_time(d->created_at));
	if (d->state == DEMON_DELIVERY_DUE)
		demon_out_field("next", "%s", demon_out_time(d->next_at));
	else
		demon_out_field("ended", "%s", demon_out_time(d->ended_at));
	demon_out_field("attempts", "%" PRId64, d->attempts);
	if (d->status)
		demon_out_field("status", "%" PRId64, d->status);
	if (*d->error)
		demon_out_field("error", "%s", d->error);
}

enum demon_rc demon_command_notifications_show(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_delivery d;
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_store_borrow(ctl->store, &loan, err)) ||
	    (rc = demon_delivery_find(loan.db, ctl->words[0], &d, err)))
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings, delivery_json(&d), err);
	demon_out_field("key", "%s", d.key);
	demon_out_field("state", "%s", demon_delivery_state_name(d.state));
	demon_out_field("event", "%s", d.topic);
	demon_out_field("run", "%s, tenant %s", d.run_id, d.tenant_id);
	if (*d.gate_id)
		demon_out_field("gate", "%s", d.gate_id);
	demon_out_field("route", "%s%s", d.route,
			strcmp(d.route_tenant, "*") == 0 ? " of the node" : "");
	if (*d.recipient)
		demon_out_field("recipient", "%s", d.recipient);
	show_times(&d);
	return DEMON_OK;
}

typedef enum demon_rc order_fn(struct demon_store *store, const char *key, int64_t *ret_count,
			       struct demon_err *err);

static enum demon_rc for_each(struct demon_ctl *ctl, order_fn *fn, const char *done,
			      struct demon_err *err)
{
	bool all = demon_args_has(&ctl->args, "all");
	int64_t count = 0;
	enum demon_rc rc;

	if (all == (ctl->word_count > 0))
		return demon_err_set(err, DEMON_USAGE, "name notifications, or say --all");
	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (all && (rc = fn(ctl->store, NULL, &count, err))))
		return rc;
	for (size_t i = 0; i < ctl->word_count; i++) {
		int64_t one;

		if ((rc = fn(ctl->store, ctl->words[i], &one, err)))
			return rc;
		count += one;
	}
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:I}", "count", (json_int_t)count), err);
	demon_out_note(&ctl->settings, "%" PRId64 " notification%s %s", count,
		       count == 1 ? "" : "s", done);
	return DEMON_OK;
}

enum demon_rc demon_command_notifications_retry(struct demon_ctl *ctl, struct demon_err *err)
{
	return for_each(ctl, demon_deliveries_retry, "to be sent again", err);
}

enum demon_rc demon_command_notifications_drop(struct demon_ctl *ctl, struct demon_err *err)
{
	return for_each(ctl, demon_deliveries_drop, "dropped", err);
}
