/*
 * demonctl runs tree: the steps of a run within each other.
 */
#include "base/json_member.h"
#include "out.h"
#include "story.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHOWN 20 /* rounds of a loop: the first ones and the last */

/* 99980 as "99 980". */
static void add_count(struct demon_buf *out, int64_t n)
{
	if (n >= 1000) {
		add_count(out, n / 1000);
		demon_buf_fmt(out, " %03d", (int)(n % 1000));
	} else {
		demon_buf_i64(out, n);
	}
}

static void add_status(const struct demon_settings *settings, const char *status, int64_t ms,
		       struct demon_buf *line)
{
	const char *color = demon_out_color(settings, status);

	demon_buf_fmt(line, "%s%s%s", color, status, *color ? "\033[0m" : "");
	if (ms >= 0) {
		demon_buf_str(line, ", ");
		demon_out_duration(line, ms);
	}
}

static void add_error(const char *error, struct demon_buf *line)
{
	DEMON_BUF(detail, 0);

	demon_story_detail(error, &detail);
	if (!detail.len)
		return;
	demon_buf_str(line, ": ");
	demon_out_printable(line, detail.data);
}

static void print_step(const struct demon_settings *settings, const struct demon_story_step *step,
		       unsigned depth)
{
	DEMON_BUF(line, 0);

	for (unsigned i = 0; i < depth; i++)
		demon_buf_str(&line, "  ");
	if (step->iteration >= 0)
		demon_buf_fmt(&line, "[%" PRId64 "] ", step->iteration);
	demon_out_printable(&line, step->name);
	demon_buf_str(&line, " (");
	demon_out_printable(&line, step->call);
	demon_buf_str(&line, ") ");
	add_status(settings, step->status, step->ms, &line);
	if (step->attempt > 1)
		demon_buf_fmt(&line, ", attempt %" PRId64, step->attempt);
	add_error(step->error, &line);
	demon_out_line(line.data);
}

/* What is left out of a loop. */
struct hidden {
	int64_t last;  /* its last round */
	int64_t steps; /* left out */
	int64_t failed;
};

static bool is_hidden(struct hidden *h, const struct demon_story_step *step)
{
	if (step->iteration < SHOWN - 1 || step->iteration == h->last)
		return false;
	h->steps++;
	h->failed += strcmp(step->status, "Failed") == 0;
	return true;
}

static void print_hidden(struct hidden *h, unsigned depth)
{
	DEMON_BUF(line, 0);

	if (!h->steps)
		return;
	for (unsigned i = 0; i < depth; i++)
		demon_buf_str(&line, "  ");
	demon_buf_str(&line, "… ");
	add_count(&line, h->last - (SHOWN - 1));
	demon_buf_str(&line, " more");
	if (h->failed) {
		demon_buf_str(&line, ", in which ");
		add_count(&line, h->failed);
		demon_buf_str(&line, h->failed == 1 ? " step has failed" : " steps have failed");
	}
	demon_out_line(line.data);
	h->steps = 0;
}

/* The steps from place @p first on; as deep as a definition may be nested. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void print_list(const struct demon_settings *settings, const struct demon_story *story,
		       size_t first, size_t last, unsigned depth)
{
	struct hidden hidden = {.last = last ? story->steps[last - 1].iteration : -1};

	for (size_t place = first; place; place = story->steps[place - 1].next_sibling) {
		const struct demon_story_step *step = &story->steps[place - 1];

		if (is_hidden(&hidden, step))
			continue;
		print_hidden(&hidden, depth);
		print_step(settings, step, depth);
		print_list(settings, story, step->first_child, step->last_child, depth + 1);
	}
}

static void print_run(const struct demon_settings *settings, const struct demon_story *story)
{
	struct demon_json_span retry = {story->retry_of,
					story->retry_of ? strlen(story->retry_of) : 0};
	DEMON_BUF(line, 0);
	DEMON_BUF(of, 0);
	int64_t step;

	demon_buf_fmt(&line, "%s (%s) ", story->run_id, story->ritual_id);
	add_status(settings, story->status, story->ms, &line);
	if (story->wakes_at)
		demon_buf_fmt(&line, " until %s", demon_out_time(story->wakes_at));
	add_error(story->error, &line);
	demon_out_line(line.data);
	if (!retry.at || !demon_json_span_str(demon_json_member(retry.at, retry.len, "runId"), &of))
		return;
	demon_buf_clear(&line);
	demon_buf_str(&line, "  tries again ");
	demon_out_printable(&line, of.data);
	if (demon_json_span_i64(demon_json_member(retry.at, retry.len, "stepId"), &step))
		demon_buf_fmt(&line, ", from its step %" PRId64 " on", step);
	demon_out_line(line.data);
}

static json_t *step_json(const struct demon_story_step *step)
{
	return json_pack("{s:I, s:s, s:o*, s:o*, s:o*, s:s, s:s, s:s, s:I, s:[]}", "attempt",
			 (json_int_t)step->attempt, "call", step->call, "durationMs",
			 step->ms >= 0 ? json_integer((json_int_t)step->ms) : NULL, "error",
			 demon_story_json(step->error), "iteration",
			 step->iteration >= 0 ? json_integer((json_int_t)step->iteration) : NULL,
			 "name", step->name, "reference", step->reference, "status", step->status,
			 "stepId", (json_int_t)step->id, "steps");
}

/* Every step in the list of the one that holds it, which came before it. */
static json_t *tree_json(const struct demon_story *story)
{
	json_auto_t *all = json_array();
	json_auto_t *top = json_array();

	for (size_t i = 0; i < story->count; i++) {
		const struct demon_story_step *parent =
		    demon_story_find(story, story->steps[i].parent);
		json_t *list = top;

		if (parent)
			list = json_object_get(json_array_get(all, (size_t)(parent - story->steps)),
					       "steps");
		if (json_array_append_new(all, step_json(&story->steps[i])) ||
		    json_array_append(list, json_array_get(all, i)))
			return NULL;
	}
	return json_pack("{s:o*, s:o*, s:o*, s:s, s:s, s:s, s:O}", "durationMs",
			 story->ms >= 0 ? json_integer((json_int_t)story->ms) : NULL, "error",
			 demon_story_json(story->error), "retryOf",
			 demon_story_json(story->retry_of), "ritualId", story->ritual_id, "runId",
			 story->run_id, "status", story->status, "steps", top);
}

enum demon_rc demon_command_runs_tree(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(demon_story_done) struct demon_story story = {.count = 0};
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_story_read(ctl, ctl->words[0], false, &story, err)))
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings, tree_json(&story), err);
	print_run(&ctl->settings, &story);
	print_list(&ctl->settings, &story, story.first, story.last, 1);
	return DEMON_OK;
}
