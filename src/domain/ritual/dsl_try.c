#include "dsl.h"
#include "run_error.h"

#include <string.h>

static const char *const error_known[] = {"type", "status", "title", "detail", "instance"};

/* Members of an error, or of what is asked of one, as far as they are no expressions. */
static void check_members(struct demon_dsl *d, struct demon_value error)
{
	struct demon_value status = demon_value_get(error, "status");

	demon_loader_keys(d->loader, error, DEMON_KEYS(error_known, demon_dsl_none));
	for (size_t i = 0; i < demon_count(error_known); i++) {
		struct demon_value v = demon_value_get(error, error_known[i]);

		if (v.json && v.json != status.json)
			(void)demon_loader_string(d->loader, v, error_known[i]);
	}
	if (status.json && !demon_dsl_is_dynamic(status.json) &&
	    (json_integer_value(status.json) < 100 || json_integer_value(status.json) > 599))
		demon_loader_problem(d->loader, status, "status: expected 100 to 599, found %s",
				     json_is_integer(status.json) ? "another number"
								  : demon_value_describe(status));
}

struct demon_term demon_dsl_error(struct demon_dsl *d, struct demon_value v)
{
	struct demon_value member;

	if (!demon_loader_mapping(d->loader, v, "error"))
		return (struct demon_term){0};
	(void)demon_loader_require(d->loader, v, "type", &member);
	(void)demon_loader_require(d->loader, v, "status", &member);
	check_members(d, v);
	return demon_dsl_value(d, v);
}

void demon_dsl_raise(struct demon_dsl *d, struct demon_value v, struct demon_task *task)
{
	static const char *const known[] = {"error"};
	struct demon_value raise = demon_value_get(v, "raise");
	struct demon_value error;

	d->end_count++;
	if (!demon_loader_mapping(d->loader, raise, "raise"))
		return;
	demon_loader_keys(d->loader, raise, DEMON_KEYS(known, demon_dsl_none));
	if (!demon_loader_require(d->loader, raise, "error", &error))
		return;
	if (json_is_string(error.json) && !demon_dsl_is_dynamic(error.json))
		error = demon_dsl_used(d, "errors", error);
	if (json_is_string(error.json))
		task->with = demon_dsl_value(d, error);
	else if (error.json)
		task->with = demon_dsl_error(d, error);
}

static enum demon_backoff load_backoff(struct demon_dsl *d, struct demon_value policy)
{
	static const char *const known[] = {"constant", "linear", "exponential"};
	struct demon_value v = demon_value_get(policy, "backoff");
	enum demon_backoff backoff = DEMON_BACKOFF_CONSTANT;

	if (!v.json || !demon_loader_mapping(d->loader, v, "backoff"))
		return backoff;
	demon_loader_keys(d->loader, v, DEMON_KEYS(known, demon_dsl_none));
	if (json_object_size(v.json) != 1)
		demon_loader_problem(d->loader, v,
				     "backoff: expected one of constant, linear, exponential");
	for (size_t i = 0; i < demon_count(known); i++) {
		struct demon_value kind = demon_value_get(v, known[i]);

		if (!kind.json || !demon_loader_mapping(d->loader, kind, known[i]))
			continue;
		backoff = (enum demon_backoff)i;
		if (json_object_size(kind.json))
			demon_loader_problem(d->loader, kind, "%s: expected {}", known[i]);
	}
	return backoff;
}

static void load_limit(struct demon_dsl *d, struct demon_value policy, struct demon_retry *retry)
{
	static const char *const known[] = {"attempt", "duration"};
	static const char *const attempt_known[] = {"count", "duration"};
	struct demon_value limit = demon_value_get(policy, "limit");
	struct demon_value attempt;
	struct demon_value count;

	if (!limit.json || !demon_loader_mapping(d->loader, limit, "limit"))
		return;
	demon_loader_keys(d->loader, limit, DEMON_KEYS(known, demon_dsl_none));
	retry->duration_ms = demon_dsl_limit_ms(d, demon_value_get(limit, "duration"), "duration");
	attempt = demon_value_get(limit, "attempt");
	if (!attempt.json || !demon_loader_mapping(d->loader, attempt, "attempt"))
		return;
	demon_loader_keys(d->loader, attempt, DEMON_KEYS(attempt_known, demon_dsl_none));
	retry->attempt_limit_ms =
	    demon_dsl_limit_ms(d, demon_value_get(attempt, "duration"), "duration");
	count = demon_value_get(attempt, "count");
	if (!count.json)
		return;
	if (!json_is_integer(count.json) || json_integer_value(count.json) < 0)
		demon_loader_problem(d->loader, count, "count: expected 0 or more, found %s",
				     demon_value_describe(count));
	retry->attempts = json_integer_value(count.json);
}

static void load_jitter(struct demon_dsl *d, struct demon_value policy, struct demon_retry *retry)
{
	static const char *const known[] = {"from", "to"};
	struct demon_value jitter = demon_value_get(policy, "jitter");

	if (!jitter.json || !demon_loader_mapping(d->loader, jitter, "jitter"))
		return;
	demon_loader_keys(d->loader, jitter, DEMON_KEYS(known, demon_dsl_none));
	retry->jitter_from_ms = demon_dsl_ms(d, demon_value_get(jitter, "from"), "from");
	retry->jitter_to_ms = demon_dsl_ms(d, demon_value_get(jitter, "to"), "to");
	if (retry->jitter_to_ms < retry->jitter_from_ms)
		demon_loader_problem(d->loader, jitter, "jitter: 'to' is less than 'from'");
}

const struct demon_retry *demon_dsl_retry(struct demon_dsl *d, struct demon_value v)
{
	static const char *const known[] = {"when",    "exceptWhen", "delay",
					    "backoff", "limit",      "jitter"};
	struct demon_retry *retry;

	if (json_is_string(v.json))
		v = demon_dsl_used(d, "retries", v);
	if (!v.json || !demon_loader_mapping(d->loader, v, "retry"))
		return NULL;
	demon_loader_keys(d->loader, v, DEMON_KEYS(known, demon_dsl_none));
	retry = demon_loader_new(d->loader, 1, sizeof(*retry));
	if (!retry)
		return NULL;
	retry->attempts = -1;
	retry->when = demon_dsl_condition(d, v, "when");
	retry->except_when = demon_dsl_condition(d, v, "exceptWhen");
	retry->delay_ms = demon_dsl_ms(d, demon_value_get(v, "delay"), "delay");
	retry->backoff = load_backoff(d, v);
	load_limit(d, v, retry);
	load_jitter(d, v, retry);
	return retry;
}

static void load_errors(struct demon_dsl *d, struct demon_value catch, struct demon_task *task)
{
	static const char *const known[] = {"with"};
	struct demon_value errors = demon_value_get(catch, "errors");
	struct demon_value with;

	if (!errors.json || !demon_loader_mapping(d->loader, errors, "errors"))
		return;
	demon_loader_keys(d->loader, errors, DEMON_KEYS(known, demon_dsl_none));
	with = demon_value_get(errors, "with");
	if (!with.json || !demon_loader_mapping(d->loader, with, "with"))
		return;
	check_members(d, with);
	if (demon_dsl_is_dynamic(with.json))
		demon_loader_problem(d->loader, with,
				     "not supported yet: an expression in errors.with");
	task->catch_with = with.json;
}

static void load_handler(struct demon_dsl *d, struct demon_value catch, struct demon_task *task)
{
	struct demon_value list = demon_value_get(catch, "do");
	struct demon_task *handler;

	if (!list.json)
		return;
	handler = demon_loader_new(d->loader, 1, sizeof(*handler));
	if (!handler)
		return;
	*handler = (struct demon_task){
	    .kind = DEMON_TASK_DO,
	    .name = task->name,
	    .reference = demon_loader_text(d->loader, "%s/catch/do", task->reference),
	    .call = "do",
	    .next = DEMON_NEXT_EXIT};
	demon_dsl_list(d, list, handler->reference, handler);
	task->handler = handler;
}

static void load_catch(struct demon_dsl *d, struct demon_value catch, struct demon_task *task)
{
	static const char *const known[] = {"errors", "as", "when", "exceptWhen", "retry", "do"};
	struct demon_value retry = demon_value_get(catch, "retry");
	size_t bound = d->var_count;

	demon_loader_keys(d->loader, catch, DEMON_KEYS(known, demon_dsl_none));
	task->catch_as = demon_dsl_variable(d, catch, "as", "error");
	load_errors(d, catch, task);
	if (!demon_dsl_bind(d, catch, task->catch_as))
		return;
	task->catch_when = demon_dsl_condition(d, catch, "when");
	task->catch_except_when = demon_dsl_condition(d, catch, "exceptWhen");
	if (retry.json)
		task->retry = demon_dsl_retry(d, retry);
	load_handler(d, catch, task);
	demon_dsl_unbind(d, bound);
}

void demon_dsl_try(struct demon_dsl *d, struct demon_value v, struct demon_task *task)
{
	struct demon_value catch;

	demon_dsl_list(d, demon_value_get(v, "try"),
		       demon_loader_text(d->loader, "%s/try", task->reference), task);
	task->catch_as = "error";
	if (demon_loader_require(d->loader, v, "catch", &catch) &&
	    demon_loader_mapping(d->loader, catch, "catch"))
		load_catch(d, catch, task);
}
