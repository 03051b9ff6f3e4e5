/*
 * The projection of policy.decision events: how often a capability was allowed, by tenant and for
 * all of them, in each second, minute and hour. Sums commute, so it is a function of the set of
 * decisions; and whatever a window's length is, and however often that changes, what lies in it is
 * the sum of few rows.
 */
#include "base/json_member.h"
#include "domain/admin/register.h"
#include "ward.h"

#include <string.h>

DEMON_SQL(sql_use, "INSERT INTO ward_uses (tenant, capability, unit, start, uses) "
		   "VALUES (:tenant, :capability, :unit, :start, 1) "
		   "ON CONFLICT (tenant, capability, unit, start) DO UPDATE SET uses = uses + 1");
DEMON_SQL(sql_sum, "SELECT coalesce(sum(uses), 0) FROM ward_uses WHERE tenant = :tenant "
		   "AND capability = :capability AND unit = :unit AND start >= :from "
		   "AND start < :to");
DEMON_SQL_SCAN(sql_rows, "digest and rebuild",
	       "SELECT tenant, capability, unit, start, uses FROM ward_uses "
	       "ORDER BY tenant, capability, unit, start");
DEMON_SQL_SCAN(sql_clear, "rebuild", "DELETE FROM ward_uses");

/* Seconds, each a multiple of the next. */
static const int64_t units[] = {3600, 60, 1};
#define UNITS ((int)demon_count(units))

static int64_t floor_to(int64_t t, int64_t unit)
{
	int64_t rest = t % unit;

	return t - (rest < 0 ? rest + unit : rest);
}

static enum demon_rc count_use(struct demon_db *db, const char *tenant, const char *capability,
			       int64_t seconds, struct demon_err *err)
{
	for (int i = 0; i < UNITS; i++) {
		enum demon_rc rc;
		DEMON_STMT(q, db, &sql_use);

		demon_bind_str(&q, ":tenant", tenant);
		demon_bind_str(&q, ":capability", capability);
		demon_bind_i64(&q, ":unit", units[i]);
		demon_bind_i64(&q, ":start", floor_to(seconds, units[i]));
		if ((rc = demon_exec(&q, err)))
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc damaged(const struct demon_event *ev, const char *member,
			     struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "event %s: '%s' is missing or wrong", ev->type,
			     member);
}

static enum demon_rc apply(struct demon_db *db, const struct demon_event *event,
			   struct demon_err *err)
{
	struct demon_json_span decision;
	char name[DEMON_CAPABILITY_MAX + 1];
	struct demon_err why;
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if (strcmp(event->type, "policy.decision:v1") != 0)
		return DEMON_OK;
	if (!event->payload)
		return demon_err_set(err, DEMON_CORRUPT, "event %s: its payload is not here",
				     event->type);
	decision = demon_json_member(event->payload, event->payload_len, "decision");
	if (!decision.at || !event->tenant_id)
		return damaged(event, "decision", err);
	if (!demon_json_span_true(demon_json_member(decision.at, decision.len, "allowed")))
		return DEMON_OK;
	if (!demon_json_span_str(
		demon_json_member(event->payload, event->payload_len, "capability"), &text))
		return damaged(event, "capability", err);
	if ((rc = demon_buf_rc(&text, err)))
		return rc;
	/* what is no name is no capability of anybody's quota */
	if (demon_capability_name(text.data, name, &why))
		return DEMON_OK;
	if ((rc = count_use(db, event->tenant_id, name, floor_to(event->ts, 1000) / 1000, err)))
		return rc;
	return count_use(db, DEMON_TENANT_ALL, name, floor_to(event->ts, 1000) / 1000, err);
}

static enum demon_rc add(struct demon_db *db, const struct demon_ward_span *span, int64_t unit,
			 int64_t *sum, struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_sum);

	demon_bind_str(&q, ":tenant", span->tenant);
	demon_bind_str(&q, ":capability", span->capability);
	demon_bind_i64(&q, ":unit", unit);
	demon_bind_i64(&q, ":from", span->from);
	demon_bind_i64(&q, ":to", span->to);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	*sum += row ? demon_col_i64(&q, 0) : 0;
	return DEMON_OK;
}

/* The greatest unit that begins at @p at and ends by @p to. */
static int unit_at(int64_t at, int64_t to)
{
	int i = 0;

	while (i < UNITS - 1 && (floor_to(at, units[i]) != at || at + units[i] > to))
		i++;
	return i;
}

/* How far that unit goes on before a greater one can take over. */
static int64_t reach(int i, int64_t at, int64_t to)
{
	int64_t end = floor_to(to, units[i]);

	for (int k = i - 1; k >= 0; k--) {
		int64_t next = floor_to(at + units[k] - 1, units[k]);

		if (next + units[k] <= to && next > at && next < end)
			end = next;
	}
	return end;
}

enum demon_rc demon_ward_uses(struct demon_db *db, const struct demon_ward_span *span,
			      int64_t *ret_uses, struct demon_err *err)
{
	struct demon_ward_span part = *span;
	int64_t sum = 0;

	for (; part.from < span->to; part.from = part.to) {
		int i = unit_at(part.from, span->to);
		enum demon_rc rc;

		part.to = reach(i, part.from, span->to);
		if ((rc = add(db, &part, units[i], &sum, err)))
			return rc;
	}
	*ret_uses = sum;
	return DEMON_OK;
}

static const struct demon_projection_table tables[] = {
    {"ward_uses", &sql_rows, &sql_clear},
    {NULL, NULL, NULL},
};

const struct demon_projection demon_ward_projection = {
    .name = "wards",
    .tables = tables,
    .apply = apply,
};
