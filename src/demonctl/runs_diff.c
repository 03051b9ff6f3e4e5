/*
 * demonctl runs diff: two runs of a ritual side by side.
 *
 * Steps are the same when the tasks and rounds around them are; of several at the same place (a
 * list that was tried again) the first is that of the first, and so on. How long they took is told,
 * and is no difference.
 */
#include "out.h"
#include "story.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for the steps of two runs");
}

/* The steps of a run, each with its place in the ritual. */
struct side {
	struct demon_story story;
	char **paths;  /* by the step's place in the story; owned */
	size_t *order; /* places, by path and then by id */
};

static void side_done(struct side *s)
{
	for (size_t i = 0; s->paths && i < s->story.count; i++)
		free(s->paths[i]);
	free((void *)s->paths);
	free(s->order);
	demon_story_done(&s->story);
}

/* The rounds around the step, and its task: "/do/0/each/do/0/ask [3]". */
static char *path_of(const struct side *s, const struct demon_story_step *step)
{
	const struct demon_story_step *parent = demon_story_find(&s->story, step->parent);
	const char *rounds = parent ? strchr(s->paths[parent - s->story.steps], ' ') : NULL;
	DEMON_BUF(path, 0);

	demon_buf_str(&path, step->reference);
	if (rounds)
		demon_buf_str(&path, rounds);
	if (step->iteration >= 0)
		demon_buf_fmt(&path, "%s[%" PRId64 "]", rounds ? "" : " ", step->iteration);
	return path.rc ? NULL : demon_buf_take(&path);
}

static int by_path(const void *a, const void *b, void *ctx)
{
	char *const *paths = ctx;
	size_t x = *(const size_t *)a;
	size_t y = *(const size_t *)b;
	int order = strcmp(paths[x], paths[y]);

	return order ? order : x < y ? -1 : x > y;
}

static enum demon_rc read_side(struct demon_ctl *ctl, const char *word, struct side *s,
			       struct demon_err *err)
{
	size_t count;
	enum demon_rc rc = demon_story_read(ctl, word, true, &s->story, err);

	if (rc)
		return rc;
	count = s->story.count;
	s->paths = demon_calloc(count + 1, sizeof(char *));
	s->order = demon_calloc(count + 1, sizeof(*s->order));
	if (!s->paths || !s->order)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		s->order[i] = i;
		s->paths[i] = path_of(s, &s->story.steps[i]);
		if (!s->paths[i])
			return no_memory(err);
	}
	if (count)
		qsort_r(s->order, count, sizeof(*s->order), by_path, (void *)s->paths);
	return DEMON_OK;
}

/* What is told. */
struct report {
	const struct demon_settings *settings;
	bool differs;
};

static bool same_value(const struct demon_story_value *a, const struct demon_story_value *b)
{
	return a->any == b->any && memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

static json_t *value_json(const struct demon_story_value *value)
{
	char digest[2 * DEMON_HASH_LEN + 1];
	json_t *json = demon_story_json(value->text);

	if (json || !value->any)
		return json;
	/* scalars are no documents */
	if (value->text)
		return json_loads(value->text, JSON_DECODE_ANY, NULL);
	demon_hex(value->digest, sizeof(value->digest), digest);
	return json_pack("{s:s}", "sha256", digest);
}

static void add_value(const struct demon_story_value *value, struct demon_buf *out)
{
	if (!value->any)
		demon_buf_str(out, "none");
	else if (value->text)
		demon_out_printable(out, value->text);
	else
		demon_buf_str(out, "a long one");
}

/* Two values of the runs themselves. */
static enum demon_rc tell_value(struct report *r, const char *what,
				const struct demon_story_value *a,
				const struct demon_story_value *b, struct demon_err *err)
{
	DEMON_BUF(line, 0);

	if (same_value(a, b))
		return DEMON_OK;
	r->differs = true;
	if (r->settings->json)
		return demon_out_json(r->settings,
				      json_pack("{s:o*, s:o*, s:s}", "a", value_json(a), "b",
						value_json(b), "what", what),
				      err);
	demon_buf_fmt(&line, "! %s: ", what);
	add_value(a, &line);
	demon_buf_str(&line, ", then ");
	add_value(b, &line);
	demon_out_line(line.data);
	return DEMON_OK;
}

static enum demon_rc tell_text(struct report *r, const char *what, const char *a, const char *b,
			       struct demon_err *err)
{
	if (strcmp(a, b) == 0)
		return DEMON_OK;
	r->differs = true;
	if (r->settings->json)
		return demon_out_json(
		    r->settings, json_pack("{s:s, s:s, s:s}", "a", a, "b", b, "what", what), err);
	(void)printf("! %s: %s, then %s\n", what, a, b);
	return DEMON_OK;
}

/* How a step differs from that of the other run. */
enum { STATUS = 1, ERROR = 2, OUTPUT = 4 };

static unsigned compare(const struct demon_story_step *a, const struct demon_story_step *b)
{
	const char *x = a->error ? a->error : "";
	const char *y = b->error ? b->error : "";

	return (strcmp(a->status, b->status) != 0 ? STATUS : 0U) |
	       (strcmp(x, y) != 0 ? ERROR : 0U) |
	       (!same_value(&a->output, &b->output) ? OUTPUT : 0U);
}

static json_t *side_json(const struct demon_story_step *step)
{
	if (!step)
		return NULL;
	return json_pack("{s:o*, s:o*, s:o*, s:s, s:I}", "durationMs",
			 step->ms >= 0 ? json_integer((json_int_t)step->ms) : NULL, "error",
			 demon_story_json(step->error), "output", value_json(&step->output),
			 "status", step->status, "stepId", (json_int_t)step->id);
}

static json_t *changes_json(unsigned how)
{
	json_t *list = json_array();

	if ((how & STATUS && json_array_append_new(list, json_string("status"))) ||
	    (how & ERROR && json_array_append_new(list, json_string("error"))) ||
	    (how & OUTPUT && json_array_append_new(list, json_string("output")))) {
		json_decref(list);
		return NULL;
	}
	return list;
}

static void add_side(const struct demon_story_step *step, struct demon_buf *line)
{
	demon_buf_str(line, step->status);
	if (step->ms < 0)
		return;
	demon_buf_str(line, " (");
	demon_out_duration(line, step->ms);
	demon_buf_char(line, ')');
}

static void print_step(const char *path, const struct demon_story_step *a,
		       const struct demon_story_step *b, unsigned how)
{
	DEMON_BUF(line, 0);

	demon_buf_str(&line, !a ? "> " : !b ? "< " : "! ");
	demon_out_printable(&line, path);
	demon_buf_str(&line, ": ");
	if (a)
		add_side(a, &line);
	if (a && b)
		demon_buf_str(&line, ", then ");
	if (b)
		add_side(b, &line);
	if (how & ERROR && b->error) {
		DEMON_BUF(detail, 0);

		demon_story_detail(b->error, &detail);
		demon_buf_str(&line, ": ");
		demon_out_printable(&line, detail.data);
	}
	if (how & OUTPUT) {
		demon_buf_str(&line, "; output ");
		add_value(&a->output, &line);
		demon_buf_str(&line, ", then ");
		add_value(&b->output, &line);
	}
	demon_out_line(line.data);
}

/* One of them may be NULL: only the other run has the step. */
static enum demon_rc tell_step(struct report *r, const char *path, const struct demon_story_step *a,
			       const struct demon_story_step *b, struct demon_err *err)
{
	unsigned how = a && b ? compare(a, b) : 0;

	if (a && b && !how)
		return DEMON_OK;
	r->differs = true;
	if (!r->settings->json) {
		print_step(path, a, b, how);
		return DEMON_OK;
	}
	return demon_out_json(r->settings,
			      json_pack("{s:o*, s:o*, s:o*, s:s, s:s, s:s}", "a", side_json(a), "b",
					side_json(b), "changed", how ? changes_json(how) : NULL,
					"name", a ? a->name : b->name, "path", path, "what",
					"step"),
			      err);
}

/* Finds for each step of @p a that of @p b: its place from 1, or 0. *ret_found marks those of @p b.
 */
static void pair_up(const struct side *a, const struct side *b, size_t *partners, bool *found)
{
	size_t i = 0;
	size_t k = 0;

	while (i < a->story.count && k < b->story.count) {
		int order = strcmp(a->paths[a->order[i]], b->paths[b->order[k]]);

		if (order == 0) {
			partners[a->order[i]] = b->order[k] + 1;
			found[b->order[k]] = true;
		}
		i += order <= 0;
		k += order >= 0;
	}
}

/* In the order of the first run, then what only the second has. */
static enum demon_rc tell_steps(struct report *r, const struct side *a, const struct side *b,
				struct demon_err *err)
{
	demon_auto_free size_t *partners = demon_calloc(a->story.count + 1, sizeof(*partners));
	demon_auto_free bool *found = demon_calloc(b->story.count + 1, sizeof(*found));
	enum demon_rc rc = DEMON_OK;

	if (!partners || !found)
		return no_memory(err);
	pair_up(a, b, partners, found);
	for (size_t i = 0; !rc && i < a->story.count; i++)
		rc = tell_step(r, a->paths[i], &a->story.steps[i],
			       partners[i] ? &b->story.steps[partners[i] - 1] : NULL, err);
	for (size_t i = 0; !rc && i < b->story.count; i++)
		if (!found[i])
			rc = tell_step(r, b->paths[i], NULL, &b->story.steps[i], err);
	return rc;
}

enum demon_rc demon_command_runs_diff(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(side_done) struct side a = {.paths = NULL};
	demon_cleanup(side_done) struct side b = {.paths = NULL};
	struct report r = {.settings = &ctl->settings};
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = read_side(ctl, ctl->words[0], &a, err)) ||
	    (rc = read_side(ctl, ctl->words[1], &b, err)))
		return rc;
	if (strcmp(a.story.ritual_id, b.story.ritual_id) != 0)
		return demon_err_set(err, DEMON_USAGE,
				     "run '%s' is of ritual '%s', run '%s' of '%s'", a.story.run_id,
				     a.story.ritual_id, b.story.run_id, b.story.ritual_id);
	if ((rc = tell_text(&r, "definition", a.story.definition, b.story.definition, err)) ||
	    (rc = tell_value(&r, "input", &a.story.input, &b.story.input, err)) ||
	    (rc = tell_steps(&r, &a, &b, err)) ||
	    (rc = tell_text(&r, "status", a.story.status, b.story.status, err)) ||
	    (rc = tell_value(&r, "outputs", &a.story.outputs, &b.story.outputs, err)) || !r.differs)
		return rc;
	return demon_err_set(err, DEMON_FAILED, "the runs differ");
}
