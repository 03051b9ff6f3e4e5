/*
 * demonctl runs tree, runs diff: the steps of a run within each other, and two runs side by side.
 */
#include "command.h"
#include "domain/ritual/run.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_ROUNDS 20 /* of a loop */

struct step {
	int64_t id;
	int64_t parent;
	int64_t iteration;
	int64_t ms; /* -1: it has not ended */
	char *name;
	char *call;
	char *status;
	char *path; /* the references and rounds around it, and its own */
};

/* All of a run that is shown. */
struct steps {
	struct step *items;
	size_t count;
	size_t cap;
	char run_status[32];
	char ritual[65];
	bool failed; /* memory ran out */
};

static void steps_done(struct steps *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->items[i].name);
		free(s->items[i].call);
		free(s->items[i].status);
		free(s->items[i].path);
	}
	free(s->items);
}

static struct step *find(const struct steps *s, int64_t id)
{
	size_t low = 0;
	size_t high = s->count;

	while (low < high) {
		size_t at = low + (high - low) / 2;

		if (s->items[at].id == id)
			return &s->items[at];
		if (s->items[at].id < id)
			low = at + 1;
		else
			high = at;
	}
	return NULL;
}

/* What tells the step from every other of its run, and is the same in another run of the ritual. */
static char *path_of(const struct steps *s, const struct demon_step_row *row)
{
	const struct step *parent = row->parent_id ? find(s, row->parent_id) : NULL;
	DEMON_BUF(path, 0);

	if (parent && parent->path)
		demon_buf_str(&path, parent->path);
	if (row->iteration >= 0)
		demon_buf_fmt(&path, "[%" PRId64 "]", row->iteration);
	demon_buf_fmt(&path, " %s", row->reference);
	return path.rc ? NULL : demon_buf_take(&path);
}

static enum demon_rc add(void *ctx, const struct demon_step_row *row, struct demon_err *err)
{
	struct steps *s = ctx;
	struct step *step;

	if (s->count == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		struct step *items = demon_realloc(s->items, cap, sizeof(*items));

		if (!items)
			return demon_err_set(err, DEMON_NOMEM, "no memory for the steps of a run");
		s->items = items;
		s->cap = cap;
	}
	step = &s->items[s->count];
	*step = (struct step){.id = row->step_id,
			      .parent = row->parent_id,
			      .iteration = row->iteration,
			      .ms = row->ended_at ? row->ended_at - row->started_at : -1,
			      .name = demon_strdup(row->name),
			      .call = demon_strdup(row->call),
			      .status = demon_strdup(row->status),
			      .path = path_of(s, row)};
	s->count++;
	if (!step->name || !step->call || !step->status || !step->path)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the steps of a run");
	return DEMON_OK;
}

static enum demon_rc take_run(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	struct steps *s = ctx;

	(void)err;
	(void)snprintf(s->run_status, sizeof(s->run_status), "%s", row->status);
	(void)snprintf(s->ritual, sizeof(s->ritual), "%s", row->ritual_id);
	return DEMON_OK;
}

static enum demon_rc read(struct demon_ctl *ctl, const char *id, struct steps *s,
			  struct demon_err *err)
{
	struct demon_run_id run;
	enum demon_rc rc;

	if ((rc = demon_run_find(ctl->store, ctl->settings.tenant.value, id, &run, err)) ||
	    (rc = demon_run_get(ctl->store, &run, take_run, s, err)))
		return rc;
	return demon_run_steps(ctl->store, &run, add, s, err);
}

/* A line of the tree. */
static void print_step(const struct demon_settings *settings, const struct step *step,
		       unsigned depth)
{
	const char *color = demon_out_color(settings, step->status);
	DEMON_BUF(line, 0);

	for (unsigned i = 0; i < depth; i++)
		demon_buf_str(&line, "  ");
	if (step->iteration >= 0)
		demon_buf_fmt(&line, "[%" PRId64 "] ", step->iteration);
	demon_out_printable(&line, step->name);
	demon_buf_fmt(&line, " #%" PRId64 " (%s) %s%s%s", step->id, step->call, color, step->status,
		      *color ? "\x1b[0m" : "");
	if (step->ms >= 0)
		demon_buf_fmt(&line, ", %" PRId64 " ms", step->ms);
	demon_out_line(line.data);
}

/* The tree below @p parent; as deep as a definition may be nested. */
static void print_below(const struct demon_settings *settings, const struct steps *s, size_t from,
			int64_t parent, unsigned depth)
{
	size_t hidden = 0;

	for (size_t i = from; i < s->count; i++) {
		const struct step *step = &s->items[i];

		if (step->parent != parent && !(parent == 0 && !find(s, step->parent)))
			continue;
		if (step->iteration >= SHOWN_ROUNDS) {
			hidden++;
			continue;
		}
		print_step(settings, step, depth);
		print_below(settings, s, i + 1, step->id, depth + 1);
	}
	if (hidden)
		(void)printf("%*s… %zu more in later rounds\n", (int)(2 * depth), "", hidden);
}

static json_t *step_json(const struct step *step)
{
	json_t *json =
	    json_pack("{s:s, s:s, s:I, s:s, s:[]}", "call", step->call, "name", step->name,
		      "stepId", (json_int_t)step->id, "status", step->status, "steps");

	if (step->iteration >= 0)
		(void)json_object_set_new(json, "iteration",
					  json_integer((json_int_t)step->iteration));
	if (step->ms >= 0)
		(void)json_object_set_new(json, "durationMs", json_integer((json_int_t)step->ms));
	return json;
}

/* Every step in the list of its parent, which came before it. */
static json_t *tree_json(const struct steps *s, const char *run_id)
{
	json_auto_t *all = json_array();
	json_auto_t *top = json_array();

	for (size_t i = 0; i < s->count; i++) {
		const struct step *parent = find(s, s->items[i].parent);
		json_t *json = step_json(&s->items[i]);
		json_t *list = top;

		if (parent)
			list = json_object_get(json_array_get(all, (size_t)(parent - s->items)),
					       "steps");
		if (json_array_append_new(all, json) || json_array_append(list, json))
			return NULL;
	}
	return json_pack("{s:s, s:s, s:s, s:O}", "ritualId", s->ritual, "runId", run_id, "status",
			 s->run_status, "steps", top);
}

enum demon_rc demon_command_runs_tree(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(steps_done) struct steps s = {.count = 0};
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) || (rc = read(ctl, ctl->words[0], &s, err)))
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings, tree_json(&s, ctl->words[0]), err);
	(void)printf("%s: %s\n", ctl->words[0], s.run_status);
	print_below(&ctl->settings, &s, 0, 0, 1);
	return DEMON_OK;
}

static int by_path(const void *a, const void *b)
{
	const struct step *const *x = a;
	const struct step *const *y = b;
	int order = strcmp((*x)->path, (*y)->path);

	return order ? order : (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

/* The steps in the order of their paths; new. */
static const struct step **sorted(const struct steps *s)
{
	const struct step **list = demon_calloc(s->count + 1, sizeof(struct step *));

	for (size_t i = 0; list && i < s->count; i++)
		list[i] = &s->items[i];
	if (list && s->count)
		qsort(list, s->count, sizeof(struct step *), by_path);
	return list;
}

/* One difference: how the step ended in both runs, NULL where one has none. */
struct difference {
	const struct step *step; /* of one of them */
	const char *a;
	const char *b;
};

static enum demon_rc tell(struct demon_ctl *ctl, const struct difference *d, struct demon_err *err)
{
	const char *path = d->step->path + 1;

	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:s?, s:s?, s:s, s:s}", "a", d->a, "b", d->b,
						"name", d->step->name, "path", path),
				      err);
	if (!d->a)
		(void)printf("> %s: %s\n", path, d->b);
	else if (!d->b)
		(void)printf("< %s: %s\n", path, d->a);
	else
		(void)printf("! %s: %s, then %s\n", path, d->a, d->b);
	return DEMON_OK;
}

static enum demon_rc compare(struct demon_ctl *ctl, const struct steps *a, const struct steps *b,
			     bool *differs, struct demon_err *err)
{
	demon_auto_free const struct step **x = sorted(a);
	demon_auto_free const struct step **y = sorted(b);
	struct difference d;
	enum demon_rc rc = DEMON_OK;

	if (!x || !y)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the steps of two runs");
	for (size_t i = 0, k = 0; !rc && (i < a->count || k < b->count);) {
		int order = i == a->count ? 1 : k == b->count ? -1 : strcmp(x[i]->path, y[k]->path);

		d = (struct difference){.step = order <= 0 ? x[i] : y[k],
					.a = order <= 0 ? x[i]->status : NULL,
					.b = order >= 0 ? y[k]->status : NULL};
		if (order || strcmp(d.a, d.b) != 0) {
			*differs = true;
			rc = tell(ctl, &d, err);
		}
		i += order <= 0;
		k += order >= 0;
	}
	return rc;
}

enum demon_rc demon_command_runs_diff(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(steps_done) struct steps a = {.count = 0};
	demon_cleanup(steps_done) struct steps b = {.count = 0};
	bool differs = false;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) || (rc = read(ctl, ctl->words[0], &a, err)) ||
	    (rc = read(ctl, ctl->words[1], &b, err)))
		return rc;
	if (strcmp(a.ritual, b.ritual) != 0)
		return demon_err_set(err, DEMON_USAGE,
				     "run '%s' is of ritual '%s', run '%s' of '%s'", ctl->words[0],
				     a.ritual, ctl->words[1], b.ritual);
	if (strcmp(a.run_status, b.run_status) != 0) {
		differs = true;
		if (!ctl->settings.json)
			(void)printf("! run: %s, then %s\n", a.run_status, b.run_status);
	}
	if ((rc = compare(ctl, &a, &b, &differs, err)) || !differs)
		return rc;
	return demon_err_set(err, DEMON_FAILED, "the runs differ");
}
