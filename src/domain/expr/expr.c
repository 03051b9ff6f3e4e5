#include "expr.h"

#include "program.h"
#include "worker.h"

#include "base/json.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORKERS    2
#define TIMEOUT_MS 2000
#define MEMORY     ((size_t)192 * 1024 * 1024)
#define OUTPUT_MAX ((size_t)480 * 1024)
#define COMPILE_MS 5000 /* a unit of ordinary size takes a hundredth */
#define PATIENCE   1000 /* ms: a worker that keeps no time itself is killed so much later */

struct slot {
	struct demon_expr_worker worker;
	bool busy;
	uint64_t used; /* when it was given back; the latest has the most units */
};

struct demon_expr {
	struct demon_expr_options options;
	char *program; /* NULL until it was looked for */
	pthread_mutex_t lock;
	pthread_cond_t given_back;
	struct slot *slots;
	uint64_t ticks;
};

/* One caller's hold of a worker. */
struct session {
	struct demon_expr *expr;
	struct slot *slot;
	const struct demon_expr_unit *unit;
	struct demon_buf *reply;
};

enum demon_rc demon_expr_open(const struct demon_expr_options *options,
			      struct demon_expr **ret_expr, struct demon_err *err)
{
	struct demon_expr *e = demon_calloc(1, sizeof(*e));

	if (!e)
		return demon_err_set(err, DEMON_NOMEM, "expressions: out of memory");
	(void)pthread_mutex_init(&e->lock, NULL);
	(void)pthread_cond_init(&e->given_back, NULL);
	if (options)
		e->options = *options;
	if (!e->options.workers)
		e->options.workers = WORKERS;
	if (e->options.timeout_ms <= 0)
		e->options.timeout_ms = TIMEOUT_MS;
	if (!e->options.memory)
		e->options.memory = MEMORY;
	if (!e->options.output_max)
		e->options.output_max = OUTPUT_MAX;
	e->slots = demon_calloc(e->options.workers, sizeof(*e->slots));
	e->program = demon_strdup(e->options.program);
	if (!e->slots || (e->options.program && !e->program)) {
		demon_expr_close(e);
		return demon_err_set(err, DEMON_NOMEM, "expressions: out of memory");
	}
	*ret_expr = e;
	return DEMON_OK;
}

void demon_expr_close(struct demon_expr *e)
{
	if (!e)
		return;
	for (size_t i = 0; e->slots && i < e->options.workers; i++)
		demon_expr_worker_stop(&e->slots[i].worker);
	(void)pthread_cond_destroy(&e->given_back);
	(void)pthread_mutex_destroy(&e->lock);
	free(e->slots);
	free(e->program);
	free(e);
}

/* Beside the running program, above it (tests), where it is installed beside it, or for good. */
static char *find_program(void)
{
	static const char *const places[] = {"/demon-expr", "/../demon-expr",
					     "/../libexec/demon/demon-expr"};
	char folder[4096];
	DEMON_BUF(path, 0);
	ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
	char *slash;

	folder[n > 0 ? n : 0] = '\0';
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; slash && i < demon_count(places); i++) {
		demon_buf_clear(&path);
		demon_buf_str(&path, folder);
		demon_buf_str(&path, places[i]);
		if (!path.rc && access(path.data, X_OK) == 0)
			return demon_buf_take(&path);
	}
	return demon_strdup(DEMON_EXPR_PROGRAM);
}

/* The free worker that was used last, else one that is not started yet. */
static struct slot *find_free(struct demon_expr *e)
{
	struct slot *best = NULL;

	for (size_t i = 0; i < e->options.workers; i++) {
		struct slot *s = &e->slots[i];

		if (!s->busy && (!best || s->used > best->used))
			best = s;
	}
	return best;
}

/* Waits for a worker. NULL: out of memory. */
static struct slot *take(struct demon_expr *e)
{
	struct slot *slot = NULL;

	(void)pthread_mutex_lock(&e->lock);
	if (!e->program)
		e->program = find_program();
	if (e->program) {
		while (!(slot = find_free(e)))
			(void)pthread_cond_wait(&e->given_back, &e->lock);
		slot->busy = true;
	}
	(void)pthread_mutex_unlock(&e->lock);
	return slot;
}

static void give_back(struct demon_expr *e, struct slot *slot)
{
	(void)pthread_mutex_lock(&e->lock);
	slot->busy = false;
	slot->used = ++e->ticks;
	(void)pthread_cond_signal(&e->given_back);
	(void)pthread_mutex_unlock(&e->lock);
}

/* Starts the worker if need be, and asks; once more when it had died before it was asked. */
static enum demon_rc ask(const struct session *s, struct demon_expr_exchange *x,
			 struct demon_err *err)
{
	const struct demon_expr *e = s->expr;
	enum demon_rc rc;

	x->reply = s->reply;
	x->patience_ms = (int64_t)x->request.timeout_ms + PATIENCE;
	for (int attempt = 0;; attempt++) {
		rc = demon_expr_worker_start(&s->slot->worker, e->program, e->options.memory, err);
		if (rc)
			return rc;
		rc = demon_expr_worker_ask(&s->slot->worker, x, err);
		if (rc != DEMON_BUSY)
			return rc;
		if (attempt)
			return demon_err_set(err, DEMON_UNAVAIL,
					     "workers end before they are asked");
	}
}

/* What an answer without a value means. */
static enum demon_rc judge(const struct session *s, const struct demon_expr_exchange *x,
			   const char *what, struct demon_err *err)
{
	switch (x->say) {
	case DEMON_EXPR_DONE:
		return DEMON_OK;
	case DEMON_EXPR_REFUSED:
		return demon_err_set(err, DEMON_INVALID, "%s", s->reply->data);
	case DEMON_EXPR_LATE:
		return demon_err_set(err, DEMON_TIMEOUT, "%s takes more than %u ms", what,
				     x->request.timeout_ms);
	case DEMON_EXPR_FULL:
		return demon_err_set(err, DEMON_TOOBIG, "%s takes more than %zu MiB of memory",
				     what, s->expr->options.memory >> 20);
	case DEMON_EXPR_LONG:
		return demon_err_set(err, DEMON_TOOBIG, "the result has more than %zu bytes",
				     s->expr->options.output_max);
	case DEMON_EXPR_READY:
	case DEMON_EXPR_NOT_STARTED:
	case DEMON_EXPR_MISSING:
	default:
		return demon_err_set(err, DEMON_FAILED, "the worker's answer is none");
	}
}

/* Compiles a program; one that two workers do not survive is none. */
static enum demon_rc compile(const struct session *s, enum demon_expr_ask what,
			     const struct demon_expr_part *part, const struct demon_buf *program,
			     struct demon_err *err)
{
	struct demon_expr_exchange x = {
	    .request = {.ask = what, .part = *part, .timeout_ms = COMPILE_MS}, .body = program};
	enum demon_rc rc = demon_buf_rc(program, err);

	if (rc)
		return rc;
	rc = ask(s, &x, err);
	if (rc == DEMON_FAILED)
		rc = ask(s, &x, err);
	if (rc == DEMON_OK)
		return judge(s, &x, "compiling", err);
	if (rc == DEMON_FAILED) {
		err->rc = DEMON_INVALID;
		return demon_err_wrap(err, "cannot be compiled");
	}
	return rc;
}

static enum demon_rc compile_part(const struct session *s, enum demon_expr_ask what,
				  const struct demon_expr_part *part, struct demon_err *err)
{
	DEMON_BUF(program, 0);

	demon_expr_program(s->unit, part, &program);
	return compile(s, what, part, &program, err);
}

/* True for a failure that is the program's own, so that it can be traced to an expression. */
static bool is_programs(enum demon_rc rc)
{
	return rc == DEMON_INVALID || rc == DEMON_TIMEOUT || rc == DEMON_TOOBIG;
}

/* What is wrong with one expression, in jq's words about its own text. */
static enum demon_rc explain(const struct session *s, size_t index, struct demon_err *err)
{
	struct demon_expr_part alone = {.first = (uint32_t)index, .count = 1};
	DEMON_BUF(program, 0);
	enum demon_rc rc;

	demon_expr_program_bare(&s->unit->sources[index], &program);
	if ((rc = compile(s, DEMON_EXPR_TRY, &alone, &program, err)))
		return rc;
	if ((rc = compile_part(s, DEMON_EXPR_TRY, &alone, err)))
		return rc;
	return demon_err_set(err, DEMON_TOOBIG, "is too large together with those before it");
}

/* The first expression without which those before it compile. */
static enum demon_rc find_culprit(const struct session *s, const struct demon_expr_part *part,
				  size_t *ret_index, struct demon_err *err)
{
	uint32_t good = 0; /* so many from the first compile together */
	uint32_t bad = part->count;

	while (bad - good > 1) {
		struct demon_expr_part some = *part;
		enum demon_rc rc;

		some.count = good + (bad - good) / 2;
		rc = compile_part(s, DEMON_EXPR_TRY, &some, err);
		if (rc && !is_programs(rc))
			return rc;
		if (rc)
			bad = some.count;
		else
			good = some.count;
	}
	*ret_index = part->first + bad - 1;
	return explain(s, *ret_index, err);
}

/* Puts a part into the worker. *ret_index is set when an expression is at fault. */
static enum demon_rc load_part(const struct session *s, const struct demon_expr_part *part,
			       size_t *ret_index, struct demon_err *err)
{
	struct demon_expr_part sound = *part;
	enum demon_rc rc = demon_expr_part_syntax(s->unit, part, ret_index, err);

	if (rc && *ret_index == part->first)
		return rc;
	if (rc) {
		/* the first that is refused may stand before the one that was found without jq */
		struct demon_err before;
		size_t index;

		sound.count = (uint32_t)(*ret_index - part->first);
		if (is_programs(compile_part(s, DEMON_EXPR_TRY, &sound, &before)) &&
		    is_programs(find_culprit(s, &sound, &index, &before))) {
			*ret_index = index;
			*err = before;
		}
		return err->rc;
	}
	rc = compile_part(s, DEMON_EXPR_COMPILE, part, err);
	return is_programs(rc) ? find_culprit(s, part, ret_index, err) : rc;
}

enum demon_rc demon_expr_check(struct demon_expr *e, const struct demon_expr_unit *unit,
			       size_t *ret_index, struct demon_err *err)
{
	DEMON_BUF(reply, e->options.output_max + DEMON_EXPR_SAY_MAX);
	struct session s = {.expr = e, .unit = unit, .reply = &reply};
	enum demon_rc rc = DEMON_OK;
	size_t index = 0;

	if (unit->count == 0)
		return DEMON_OK;
	s.slot = take(e);
	if (!s.slot)
		return demon_err_set(err, DEMON_NOMEM, "expressions: out of memory");
	while (rc == DEMON_OK && index < unit->count) {
		struct demon_expr_part part = demon_expr_part_of(unit, index);

		rc = load_part(&s, &part, &index, err);
		if (rc == DEMON_OK)
			index = (size_t)part.first + part.count;
	}
	give_back(e, s.slot);
	if (is_programs(rc))
		*ret_index = index;
	return rc;
}

static enum demon_rc make_input(const struct session *s, size_t index, struct demon_json_span input,
				struct demon_json_span variables, struct demon_buf *out,
				struct demon_err *err)
{
	if (index >= s->unit->count)
		return demon_err_set(err, DEMON_INVALID, "expression %zu of %zu", index,
				     s->unit->count);
	if (variables.at && (variables.len == 0 || *variables.at != '{'))
		return demon_err_set(err, DEMON_INVALID, "the variables are not an object");
	demon_buf_fmt(out, "[%zu,", index);
	if (input.at)
		demon_buf_add(out, input.at, input.len);
	else
		demon_buf_str(out, "null");
	demon_buf_char(out, ',');
	if (variables.at)
		demon_buf_add(out, variables.at, variables.len);
	else
		demon_buf_str(out, "{}");
	demon_buf_char(out, ']');
	return demon_buf_rc(out, err);
}

static enum demon_rc evaluate(const struct session *s, size_t index, const struct demon_buf *input,
			      struct demon_err *err)
{
	const struct demon_expr_options *o = &s->expr->options;
	struct demon_expr_exchange x = {
	    .request = {.ask = DEMON_EXPR_EVAL,
			.part = demon_expr_part_of(s->unit, index),
			.timeout_ms = o->timeout_ms < 3600000 ? (uint32_t)o->timeout_ms : 3600000,
			.output_max =
			    o->output_max < UINT32_MAX ? (uint32_t)o->output_max : UINT32_MAX},
	    .body = input};
	size_t bad = index;
	enum demon_rc rc = ask(s, &x, err);

	if (rc)
		return rc;
	if (x.say == DEMON_EXPR_MISSING) {
		rc = load_part(s, &x.request.part, &bad, err);
		if (rc)
			return bad == index ? rc : demon_err_wrap(err, "expression %zu", bad);
		if ((rc = ask(s, &x, err)))
			return rc;
	}
	return judge(s, &x, "evaluating", err);
}

/* NOLINTNEXTLINE(readability-function-size): two texts, and what every call has */
enum demon_rc demon_expr_eval(struct demon_expr *e, const struct demon_expr_unit *unit,
			      size_t index, struct demon_json_span input,
			      struct demon_json_span variables, json_t **ret_value,
			      struct demon_err *err)
{
	struct demon_json_limits limits = demon_json_payload_limits;
	DEMON_BUF(reply, e->options.output_max + DEMON_EXPR_SAY_MAX);
	DEMON_BUF(text, 0);
	struct session s = {.expr = e, .unit = unit, .reply = &reply};
	enum demon_rc rc;

	if ((rc = make_input(&s, index, input, variables, &text, err)))
		return rc;
	s.slot = take(e);
	if (!s.slot)
		return demon_err_set(err, DEMON_NOMEM, "expressions: out of memory");
	rc = evaluate(&s, index, &text, err);
	give_back(e, s.slot);
	if (rc)
		return rc;
	limits.max_bytes = e->options.output_max;
	rc = demon_json_parse(reply.data, reply.len, &limits, ret_value, err);
	if (rc == DEMON_INVALID || rc == DEMON_TOOBIG) {
		err->rc = DEMON_INVALID;
		return demon_err_wrap(err, "the result cannot be kept");
	}
	return rc;
}
